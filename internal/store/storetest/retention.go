package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// oldLedger returns a schedule that fired at 1, 2 and 3, where the run of 2 has not
// ended, missed 4 to 6, and has 7 waiting; and the runs.
func (w *world) oldLedger() (s rota.Schedule, runs []rota.RunID) {
	s = w.addSchedule(w.addAgent().ID)
	for i := range 3 {
		w.at(time.Duration(i+1) * time.Minute)
		runs = append(runs, w.fire(1, w.once)[0].Run)
	}
	w.claim(10)
	w.finish(runs[0], w.completed())
	w.finish(runs[2], w.completed())
	w.at(7 * time.Minute)
	w.fire(1, func(t rota.Timer) rota.Decision {
		missed := w.occurrence(t, rota.MissedOutcome)
		missed.ScheduledUntil, missed.Count = p(rota.InstantOf(start.Add(6*time.Minute))), 3
		t.NextRunAt = start.Add(7 * time.Minute)
		d := w.buffer(t)
		d.Records = append([]rota.Occurrence{missed}, d.Records...)
		return d
	})
	require.Len(w, w.occurrences(s), 5)
	return s, runs
}

func deleteOld(w *world) {
	s, runs := w.oldLedger()
	w.at(time.Hour)
	require.Empty(w, w.oldRuns(w.now.Add(-2*time.Hour), 10))
	require.Equal(w, []rota.RunID{runs[0], runs[2]}, w.oldRuns(w.now, 10), "those that have ended")
	require.Equal(w, []rota.RunID{runs[0]}, w.oldRuns(w.now, 1))
	old, err := w.store.OldOccurrences(w.Context(), w.owner.Account, w.now, "", 10)
	require.NoError(w, err)
	require.Len(w, old, 3, "not what waits, nor what has a run that has not ended")
	other, err := w.store.OldOccurrences(w.Context(), "other", w.now, "", 10)
	require.NoError(w, err)
	require.Empty(w, other)
	stale := slices.Clone(old)
	for i := range stale {
		stale[i].RecordedAt.Time = stale[i].RecordedAt.Add(time.Millisecond)
	}
	w.deletes(0, 0, stale, nil)
	w.deletes(3, 2, old, runs)
	require.Equal(w, []rota.Outcome{rota.Fired, rota.Buffered}, outcomes(w.occurrences(s)))
	_, err = w.store.RunByID(w.Context(), w.owner, runs[0])
	require.ErrorIs(w, err, rota.NotFound)
	require.Equal(w, rota.PhaseRunning, w.run(runs[1]).Phase)
	w.marked(s, 6*time.Minute, 7*time.Minute)

	w.finish(runs[1], w.completed())
	old, err = w.store.OldOccurrences(w.Context(), w.owner.Account, w.now, "", 10)
	require.NoError(w, err)
	w.deletes(1, 1, old, runs)
	w.marked(s, 6*time.Minute, 7*time.Minute)
}

func (w *world) oldRuns(before time.Time, limit int) []rota.RunID {
	w.Helper()
	old, err := w.store.OldRuns(w.Context(), w.owner.Account, before, "", limit)
	require.NoError(w, err)
	return old
}

func (w *world) deletes(occurrences, runs int64, old []rota.OldOccurrence, ended []rota.RunID) {
	w.Helper()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		n, err := tx.DeleteOccurrences(ctx, old)
		require.NoError(w, err)
		require.Equal(w, occurrences, n)
		n, err = tx.DeleteEnded(ctx, ended)
		require.Equal(w, runs, n)
		return err
	})
}

// marked checks up to which times, after the start, a schedule has lost its record, and
// has one.
func (w *world) marked(s rota.Schedule, low, last time.Duration) {
	w.Helper()
	mark, err := w.store.LowWater(w.Context(), s.ID)
	require.NoError(w, err)
	require.Equal(w, start.Add(low), mark)
	on, err := w.store.LastOnRecord(w.Context(), s.ID)
	require.NoError(w, err)
	require.Equal(w, start.Add(last), on)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		timers, err := tx.RecordedTimers(ctx, "", 100)
		i := slices.IndexFunc(timers, func(t rota.RecordedTimer) bool { return t.ScheduleID == s.ID })
		require.Equal(w, start.Add(low), timers[i].LowWater)
		require.Equal(w, start.Add(last), timers[i].Last)
		return err
	})
}

func keptFor(w *world) {
	k := w.addKey()
	none, err := w.store.KeptFor(w.Context(), k.Account)
	require.NoError(w, err)
	require.Equal(w, rota.KeptFor{Account: k.Account}, none)
	for _, want := range []rota.KeptFor{{Account: k.Account, Runs: new(int64(0))}, {Account: k.Account, Runs: new(int64(3600)), Occurrences: new(int64(7200))}} {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveKeptFor(ctx, want) })
		got, err := w.store.KeptFor(w.Context(), k.Account)
		require.NoError(w, err)
		require.Equal(w, want, got)
		all, err := w.store.AllKeptFor(w.Context())
		require.NoError(w, err)
		require.Contains(w, all, want)
	}
}

// around has a schedule with spans, and a trigger within one of them.
func around(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	row := func(first, last int, trigger rota.Trigger) {
		w.record(s, time.Duration(first)*time.Minute, func(o *rota.Occurrence) {
			o.Outcome, o.Trigger, o.Count = rota.MissedOutcome, trigger, int64(last-first+1)
			if last > first {
				o.ScheduledUntil = p(rota.InstantOf(start.Add(time.Duration(last) * time.Minute)))
			}
		})
	}
	row(1, 1, rota.TriggerSchedule)
	row(2, 6, rota.TriggerSchedule)
	row(4, 4, rota.TriggerManual)
	row(7, 9, rota.TriggerSchedule)
	row(12, 12, rota.TriggerSchedule)
	minutes := func(rows []rota.Occurrence, err error) (out []int) {
		require.NoError(w, err)
		for _, o := range rows {
			out = append(out, int(o.ScheduledFor.Sub(start)/time.Minute))
		}
		return out
	}
	at := func(m int) time.Time { return start.Add(time.Duration(m) * time.Minute) }
	for m, want := range map[int][]int{0: nil, 1: {1}, 2: {2}, 3: nil, 4: {4}, 6: {2}, 7: {7}, 9: {7}, 12: {12}, 13: nil} {
		require.Equal(w, want, minutes(w.store.OccurrencesAt(w.Context(), w.owner, s.ID, at(m))), "%d", m)
	}
	for _, c := range []struct {
		from, to, limit int
		want            []int
	}{
		{0, 20, 10, []int{1, 2, 4, 7, 12}}, {5, 8, 10, []int{2, 7}}, {3, 3, 10, []int{2}}, {5, 20, 2, []int{2, 7}}, {10, 11, 10, nil}, {13, 20, 10, nil}, {1, 1, 10, []int{1}},
	} {
		require.Equal(w, c.want, minutes(w.store.Ledger(w.Context(), w.owner, s.ID, at(c.from), at(c.to), c.limit)), "%d to %d", c.from, c.to)
	}
	for _, o := range w.strangers() {
		require.Empty(w, minutes(w.store.OccurrencesAt(w.Context(), o, s.ID, at(1))))
		require.Empty(w, minutes(w.store.Ledger(w.Context(), o, s.ID, at(0), at(20), 10)))
	}
}
