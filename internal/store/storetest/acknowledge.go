package storetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var acknowledged = []testCase{
	{"what did not run is acknowledged once, and by its owner", acknowledge},
	{"another outcome is news again", acknowledgedAgain},
}

func acknowledge(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	w.at(time.Minute)
	failed := w.fire(1, w.once)[0]
	w.claimOne()
	w.finish(failed.Run, w.failed("odd_code"))
	w.at(2 * time.Minute)
	fine := w.fire(1, w.once)[0]
	w.claimOne()
	w.finish(fine.Run, w.completed())
	w.at(3 * time.Minute)
	w.fire(1, w.missed)
	list := w.occurrences(s)
	ids := []rota.OccurrenceID{list[0].ID, list[1].ID, list[2].ID}
	runs := []rota.RunID{failed.Run, fine.Run}
	by := rota.Acknowledgement{At: rota.InstantOf(w.now), By: "key_1"}
	mark := func(o rota.Owners) []int { return w.mark(o, ids, runs, by) }
	for _, stranger := range []rota.Owners{{Owner: rota.Owner{Account: "other"}, All: true}, {Owner: rota.Owner{Account: "acme"}}, {Owner: rota.Owner{Account: "acme", EndUser: "another"}}} {
		require.Equal(w, []int{0, 0}, mark(stranger))
	}
	require.Equal(w, []int{0, 0}, w.unseen(start.Add(30*time.Second)), "it had not happened yet")
	require.Equal(w, []int{1, 1}, w.unseen(time.Time{}))
	require.Equal(w, []int{1, 1}, w.unseen(w.now))

	require.Equal(w, []int{1, 1}, mark(rota.Owners{Owner: w.owner}))
	require.Equal(w, []int{0, 0}, mark(everybody), "once")
	require.Equal(w, []int{0, 0}, w.unseen(time.Time{}))
	l, err := w.store.AllOccurrences(w.Context(), everybody, rota.OccurrenceFilter{Reason: "late"}, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Equal(w, &by, l.Data[0].Acknowledged)
	l, err = w.store.AllOccurrences(w.Context(), everybody, rota.OccurrenceFilter{ID: ids[0]}, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, l.Data, 1)
	require.Equal(w, &by, l.Data[0].Acknowledged, "that of its run")
	run, err := w.store.RunByID(w.Context(), w.owner, failed.Run)
	require.NoError(w, err)
	require.Equal(w, &by, run.Acknowledged)
}

// mark acknowledges, and returns how many occurrences and how many runs.
func (w *world) mark(o rota.Owners, ids []rota.OccurrenceID, runs []rota.RunID, by rota.Acknowledgement) []int {
	w.Helper()
	n := make([]int, 2)
	w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
		if n[0], err = tx.Acknowledge(ctx, o, ids, by); err != nil {
			return err
		}
		n[1], err = tx.AcknowledgeRuns(ctx, o, runs, by)
		return err
	})
	return n
}

// unseen returns how many occurrences and how many runs need somebody.
func (w *world) unseen(asOf time.Time) []int {
	w.Helper()
	l, err := w.store.AllOccurrences(w.Context(), everybody, rota.OccurrenceFilter{Unseen: true, AsOf: asOf}, rota.Page{Limit: 10})
	require.NoError(w, err)
	r, err := w.store.AllRuns(w.Context(), everybody, rota.RunFilter{Unseen: true, AsOf: asOf}, rota.Page{Limit: 10})
	require.NoError(w, err)
	return []int{len(l.Data), len(r.Data)}
}

// missed decides that a time did not run, because nobody looked.
func (w *world) missed(t rota.Timer) rota.Decision {
	d := w.once(t)
	d.Records[0].Outcome, d.Records[0].Reason = rota.MissedOutcome, &rota.Reason{Code: "late", Message: "Nobody looked"}
	return d
}

func acknowledgedAgain(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	w.at(time.Minute)
	w.fire(1, w.missed)
	first := w.occurrences(s)[0]
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		n, err := tx.Acknowledge(ctx, everybody, []rota.OccurrenceID{first.ID}, rota.Acknowledgement{At: rota.InstantOf(w.now), By: "key_1"})
		require.Equal(w, 1, n)
		return err
	})
	again := first
	again.Was, again.Outcome, again.Trigger, again.Account = rota.MissedOutcome, rota.Blocked, rota.TriggerBackfill, "acme"
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.Record(ctx, []rota.Occurrence{again}) })
	require.Nil(w, w.occurrences(s)[0].Acknowledged)
}
