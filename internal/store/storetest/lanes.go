package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

var lanes = []testCase{
	{"where there is trouble", troubled},
	{"the entries of a lane", laneEntries},
}

func troubled(w *world) {
	quiet, missed, failed := w.addSchedule(w.addAgent().ID), w.addSchedule(w.addAgent().ID), w.addSchedule(w.addAgent().ID)
	for n := range 2 {
		w.at(time.Duration(n+1) * time.Minute)
		w.fire(3, func(t rota.Timer) rota.Decision {
			if t.ScheduleID == missed.ID {
				return w.missed(t)
			}
			return w.once(t)
		})
	}
	for _, o := range w.occurrences(failed)[:1] {
		w.claim(10)
		w.finish(*o.RunID, w.failed("odd_code"))
	}
	for _, o := range []rota.Owners{{Owner: w.owner}, everybody} {
		got, err := w.store.Troubled(w.Context(), o, start, start.Add(time.Hour), 10)
		require.NoError(w, err)
		require.Equal(w, []rota.Troubled{{ScheduleID: missed.ID, Count: 2}, {ScheduleID: failed.ID, Count: 1}}, got)
		got, err = w.store.Troubled(w.Context(), o, start, start.Add(time.Hour), 1)
		require.NoError(w, err)
		require.Len(w, got, 1)
		got, err = w.store.Troubled(w.Context(), o, start.Add(time.Hour), start.Add(2*time.Hour), 10)
		require.NoError(w, err)
		require.Empty(w, got)
	}
	got, err := w.store.Troubled(w.Context(), rota.Owners{Owner: rota.Owner{Account: "other"}, All: true}, start, start.Add(time.Hour), 10)
	require.NoError(w, err)
	require.Empty(w, got)
	require.Len(w, w.occurrences(quiet), 2)
}

func laneEntries(w *world) {
	s := w.ledger() // fired, skipped, and a span from minute 3 to minute 5
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	read := func(o rota.Owner, from, to time.Time, limit int) (all []rota.Outcome) {
		entries, err := w.store.Lane(w.Context(), o, s.ID, from, to, limit)
		require.NoError(w, err)
		for _, e := range entries {
			all = append(all, e.Outcome)
		}
		return all
	}
	fired, skipped, missed := rota.Fired, rota.SkippedOverlap, rota.MissedOutcome
	require.Equal(w, []rota.Outcome{fired, missed, skipped, fired}, read(w.owner, start, minute(60), 10))
	require.Equal(w, []rota.Outcome{fired, missed}, read(w.owner, start, minute(60), 2), "the newest")
	require.Equal(w, []rota.Outcome{missed}, read(w.owner, minute(4), minute(4), 10), "a span that began before")
	require.Empty(w, read(rota.Owner{Account: "other"}, start, minute(60), 10))
	entries, err := w.store.Lane(w.Context(), w.owner, s.ID, start, minute(60), 10)
	require.NoError(w, err)
	require.Equal(w, minute(5).UnixMilli(), entries[1].To.UnixMilli())
	require.NotEmpty(w, entries[0].Phase)
}
