package storetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var sleeps = []testCase{
	{"a run sleeps until its time comes", runSleeps},
	{"a sleeping run is woken once", runWoken},
	{"an attempt that is over does not sleep", lateSleep},
	{"a sleeping response is no worker's", responseSleeps},
}

func (w *world) called(number int) rota.ResponseStep {
	return rota.ResponseStep{Number: number, Kind: rota.StepCalled, At: w.now, Call: 1, Tool: "sleep", Until: new(rota.InstantOf(w.now.Add(time.Hour)))}
}

// asleep says that what was called sleeps for an hour.
func (w *world) asleep() rota.Sleep {
	return rota.Sleep{Since: rota.InstantOf(w.now), Until: rota.InstantOf(w.now.Add(time.Hour)), Reason: new("tea")}
}

func (w *world) sleep(work rota.Work, steps ...rota.ResponseStep) (mine bool) {
	w.Helper()
	a := rota.RunAttempt{Number: work.Run.Attempt, Round: 1, StartedAt: rota.InstantOf(w.now), EndedAt: new(rota.InstantOf(w.now)), Slept: true}
	w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
		mine, err = tx.SleepRun(ctx, rota.RunSleep{Sleep: w.asleep(), Attempt: work.At(), Attempts: append(work.Run.Attempts, a), Steps: steps})
		return err
	})
	return mine
}

// wakeRun wakes a run, and reports whether it slept.
func (w *world) wakeRun(id rota.RunID) (woken bool) {
	w.Helper()
	w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
		woken, err = tx.WakeRun(ctx, id, w.now, result)
		return err
	})
	return woken
}

func result(called rota.ResponseStep) rota.ResponseStep {
	return rota.ResponseStep{Number: called.Number + 1, Kind: rota.StepResult, At: called.At, Call: called.Call, Tool: called.Tool, Result: new("up")}
}

func runSleeps(w *world) {
	id := w.addRun(w.addAgent().ID).ID
	w.at(time.Second)
	require.True(w, w.sleep(w.claimOne(), w.called(1)))
	r := w.run(id)
	require.Equal(w, rota.PhaseWaiting, r.Phase)
	require.Equal(w, new(w.asleep()), r.Sleep)
	require.Equal(w, new(w.asleep().Until), r.ReadyAt)
	require.Equal(w, string(rota.ResponseOf(id)), *r.GatewayResponseID)
	require.Nil(w, r.Error)
	open, err := w.store.OpenRunsOf(w.Context(), []rota.Owner{w.owner}, nil)
	require.NoError(w, err)
	require.Equal(w, 1, open.Owner[w.owner], "it has not ended")
	workers, _, err := w.store.WorkersOf(w.Context(), w.owner)
	require.NoError(w, err)
	require.Zero(w, workers, "and has no worker")
	require.Empty(w, w.claim(10))
	require.False(w, w.recover(provider).Some(), "a start does not wake it")
	next, err := w.store.NextWake(w.Context(), w.now)
	require.NoError(w, err)
	require.Equal(w, w.asleep().Until.Time, next)

	w.at(time.Hour + time.Second)
	work := w.claimOne()
	require.Equal(w, 1, work.Steps)
	require.Nil(w, work.Run.Sleep)
	require.Equal(w, 2, work.Run.Attempt)
	require.Nil(w, w.run(id).Sleep)
	require.False(w, w.wakeRun(id))
	w.finish(id, w.completed())
	require.Nil(w, w.run(id).Sleep)
}

func runWoken(w *world) {
	id := w.addRun(w.addAgent().ID).ID
	require.False(w, w.wakeRun(id), "it waits for a worker")
	w.at(time.Second)
	require.True(w, w.sleep(w.claimOne(), rota.ResponseStep{Number: 1, Kind: rota.StepItems, At: w.now}, w.called(2)))
	require.True(w, w.wakeRun(id))
	require.False(w, w.wakeRun(id))
	work := w.claimOne()
	require.Equal(w, 3, work.Steps)
	steps, err := w.store.RunSteps(w.Context(), id)
	require.NoError(w, err)
	require.Equal(w, []rota.StepKind{rota.StepItems, rota.StepCalled, rota.StepResult}, []rota.StepKind{steps[0].Kind, steps[1].Kind, steps[2].Kind})
	require.Equal(w, w.called(2).Until, steps[1].Until)
	require.Equal(w, "up", *steps[2].Result)
	require.True(w, w.sleep(work, w.called(4)), "again")
	end := w.completed()
	end.Phase, end.Attempt = rota.PhaseCancelled, 0
	w.finish(id, end)
	require.False(w, w.wakeRun(id))
	require.Len(w, w.run(id).Attempts, 2)
}

func lateSleep(w *world) {
	id := w.addRun(w.addAgent().ID).ID
	w.at(time.Second)
	first := w.claimOne()
	w.recover(provider)
	w.claimOne()
	require.False(w, w.sleep(first, w.called(1)), "another attempt has taken its place")
	require.Equal(w, rota.PhaseRunning, w.run(id).Phase)
	steps, err := w.store.RunSteps(w.Context(), id)
	require.NoError(w, err)
	require.Empty(w, steps)
}

func responseSleeps(w *world) {
	id := w.addResponse(nil, nil)
	sleep := func(worker string) (mine bool) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
			mine, err = tx.SleepResponse(ctx, rota.ResponseSleep{Sleep: w.asleep(), ID: id, Worker: worker, Steps: []rota.ResponseStep{w.called(1)}})
			return err
		})
		return mine
	}
	wake := func() (woken bool) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
			woken, err = tx.WakeResponse(ctx, id, w.now, result)
			return err
		})
		return woken
	}
	take := func(at time.Time) []rota.OpenResponse {
		return w.takeResponses("w2", at, rota.ResponseTurns{Limit: 10})
	}
	require.False(w, wake())
	require.False(w, sleep("w3"), "which has it not")
	require.True(w, sleep("w1"))
	r, err := w.store.StoredResponse(w.Context(), w.owner, id)
	require.NoError(w, err)
	require.Equal(w, new(w.asleep()), r.Sleep)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.FreeResponses(ctx, "w2") })
	require.Empty(w, take(w.asleep().Until.Add(-time.Millisecond)), "nobody takes it over")
	require.True(w, wake())
	require.False(w, wake())
	require.Equal(w, []rota.OpenResponse{{ID: id, Owner: w.owner, Model: "m"}}, take(w.now))
	steps, err := w.store.ResponseSteps(w.Context(), id)
	require.NoError(w, err)
	require.Len(w, steps, 2)
	require.False(w, wake())
}
