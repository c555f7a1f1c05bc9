package storetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var continuations = []testCase{
	{"a run that goes on is of the same occurrence", goesOnOfOccurrence},
	{"a run that goes on from a caller's is of no schedule", goesOnOfCaller},
	{"a run that goes on keeps what it was made with", goesOnUnchanged},
}

// goesOn adds a run that goes on from another one.
func (w *world) goesOn(from rota.Run) rota.RunID {
	w.Helper()
	r := w.newRun(from.AgentID)
	r.ID, r.ScheduleID, r.Input = rota.NewRunID(w.now.Add(time.Duration(w.made)*time.Millisecond)), from.ScheduleID, rota.InputText("approved")
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.AddContinuation(ctx, w.owner, r, from.ID, provider)
	})
	return r.ID
}

func goesOnOfOccurrence(w *world) {
	s, first := w.fired()
	w.claimOne()
	w.finish(first, rota.Result{Phase: rota.PhaseCompleted, ResponseID: "resp_1", CompletedAt: w.now})
	before := w.run(first)
	require.Zero(w, w.timer(s).OpenRuns)

	second := w.goesOn(before)
	require.Equal(w, 1, w.timer(s).OpenRuns, "it is in the way of others")
	require.Equal(w, second, w.timer(s).LastRunID)
	require.EqualValues(w, 1, w.timer(s).RunCount, "it is no run more")
	third := w.goesOn(before)
	require.Equal(w, 2, w.timer(s).OpenRuns)
	o := w.occurrences(s)[0]
	require.Equal(w, first, *o.RunID)
	require.Equal(w, []rota.RunID{first, second, third}, o.RunIDs)
	require.Equal(w, &rota.OccurrenceRun{Phase: rota.PhaseQueued}, o.Run)
	for _, id := range []rota.RunID{second, third} {
		r := w.run(id)
		require.Equal(w, s.ID, *r.ScheduleID)
		require.Equal(w, before.ScheduledFor, r.ScheduledFor)
		require.Equal(w, before.ScheduleVersion, r.ScheduleVersion)
		require.Equal(w, rota.TriggerAPI, r.Trigger)
	}
	work := w.claim(10)
	require.Equal(w, *before.ScheduledFor, work[0].Fire.ScheduledFor)
	require.EqualValues(w, 1, work[0].Fire.RunCount)

	w.finish(second, rota.Result{Phase: rota.PhaseCompleted, ResponseID: "resp_2", CompletedAt: w.now})
	w.finish(third, rota.Result{Phase: rota.PhaseFailed, Error: &rota.RunError{Code: "timeout"}, CompletedAt: w.now})
	require.Zero(w, w.timer(s).OpenRuns)
	o = w.occurrences(s)[0]
	require.Equal(w, rota.PhaseFailed, o.Run.Phase, "the last one counts")
	require.Equal(w, "timeout", *o.Run.ErrorCode)
	l, err := w.store.AllOccurrences(w.Context(), rota.Owners{Owner: w.owner}, rota.OccurrenceFilter{Phase: rota.PhaseFailed}, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Equal(w, []rota.Occurrence{o}, l.Data)
	at, err := w.store.OccurrencesAt(w.Context(), w.owner, s.ID, o.ScheduledFor.Time)
	require.NoError(w, err)
	require.Equal(w, []rota.Occurrence{o}, at)

	w.at(2 * time.Minute)
	require.Len(w, w.fire(1, w.once), 1)
	require.Len(w, w.occurrences(s)[1].RunIDs, 1, "the next occurrence has its own")
}

func goesOnOfCaller(w *world) {
	from := w.addRun(w.addAgent().ID)
	w.at(time.Second)
	w.claimOne()
	w.finish(from.ID, rota.Result{Phase: rota.PhaseCompleted, CompletedAt: w.now})
	r := w.run(w.goesOn(w.run(from.ID)))
	require.Nil(w, r.ScheduleID)
	require.Nil(w, r.ScheduledFor)
}

func goesOnUnchanged(w *world) {
	s, first := w.fired()
	w.claimOne()
	w.finish(first, rota.Result{Phase: rota.PhaseCompleted, CompletedAt: w.now})
	next := w.goesOn(w.run(first))
	t := w.timer(s)
	s.Input = rota.InputText("something else")
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}, nil)
	})
	require.Equal(w, rota.InputText("approved"), w.run(next).Input)
}
