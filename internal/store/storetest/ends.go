package storetest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var ends = []testCase{
	{"a run that ends keeps every field", finishFields},
	{"a run ends once", finishOnce},
	{"a run can end before it starts", finishQueued},
	{"the end of a run settles its timer", finishSettles},
	{"the end of a run wakes its timer only if that is due", finishDue},
	{"settling can drop a buffered occurrence", finishUnbuffers},
	{"a run ends after its schedule was deleted", finishDeleted},
	{"the steps of a run are those of its attempt, and go when it ends", runSteps},
}

var recoveries = []testCase{
	{"runs of a dead process are requeued", recoverResumes},
	{"runs whose policy forbids a restart are lost", recoverLoses},
	{"runs of a removed provider move to another", recoverRehomes},
	{"there is nothing to recover", func(w *world) { require.Equal(w, rota.Recovered{}, w.recover(provider)) }},
}

func finishFields(w *world) {
	s, id := w.fired()
	w.at(61 * time.Second)
	want := w.claimOne().Run
	w.at(62 * time.Second)
	end := w.completed()
	require.Equal(w, rota.Finish{Ended: true}, w.finish(id, end))
	want.Phase, want.Status, want.CompletedAt = rota.PhaseCompleted, rota.RunCompleted, p(rota.InstantOf(w.now))
	want.GatewayResponseID, want.GatewayResponse, want.Usage, want.Tokens = &end.ResponseID, end.Response, end.Usage, end.Tokens
	want.Attempts = []rota.RunAttempt{{
		Number: 1, Round: 1, Model: "mock/small", StartedAt: *want.StartedAt, EndedAt: want.CompletedAt, Usage: end.Usage,
	}}
	w.same(want, w.run(id))
	require.Empty(w, w.open())
	require.Equal(w, []rota.Outcome{rota.Fired}, outcomes(w.occurrences(s)))

	r := w.addRun(want.AgentID)
	want = w.claimOne().Run
	w.finish(r.ID, w.failed("timeout"))
	want.Phase, want.Status, want.CompletedAt = rota.PhaseFailed, rota.RunFailed, p(rota.InstantOf(w.now))
	want.Error = &rota.RunError{Code: "timeout", Message: "it failed"}
	want.Attempts = []rota.RunAttempt{{
		Number: 1, Round: 1, Model: "mock/small", StartedAt: *want.StartedAt, EndedAt: want.CompletedAt, Usage: rota.AnyOf(nil),
		Code: p("timeout"), Message: p("it failed"),
	}}
	w.same(want, w.run(r.ID))
}

func finishOnce(w *world) {
	s, id := w.fired()
	w.claimOne()
	w.finish(id, w.completed())
	run, timer := w.run(id), w.timer(s)
	w.at(time.Hour)
	require.Equal(w, rota.Finish{}, w.finish(id, w.failed("timeout")))
	w.same(run, w.run(id))
	w.same(timer, w.timer(s))
	w.delay(id, 0, true)
	w.requeue(id)
	w.same(run, w.run(id))
	require.Empty(w, w.claim(10))
}

func finishQueued(w *world) {
	s, id := w.fired()
	end := w.failed(rota.RunErrCancelled)
	end.Phase = rota.PhaseCancelled
	require.True(w, w.finish(id, end).Ended)
	got := w.run(id)
	require.Equal(w, rota.PhaseCancelled, got.Phase)
	require.Equal(w, rota.RunCancelled, got.Status)
	require.Nil(w, got.Error)
	require.Equal(w, end.Error, got.Reason)
	require.Empty(w, got.Attempts)
	require.Nil(w, got.StartedAt)
	require.Empty(w, w.claim(10))
	require.Equal(w, []rota.Outcome{rota.Fired}, outcomes(w.occurrences(s)), "somebody cancelled it: it was not blocked")
}

func finishSettles(w *world) {
	s, id := w.fired()
	w.claimOne()
	w.finish(id, w.completed())
	t := w.timer(s)
	require.Zero(w, t.OpenRuns)
	require.Equal(w, "resp_1", t.LastResponseID)
	w.at(2 * time.Minute)
	id = w.fire(1, w.once)[0].Run
	w.claimOne()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		end, err := tx.FinishRun(ctx, id, w.failed("timeout"), func(t rota.Timer, r rota.Result) rota.Decision {
			t = settle(t, r).Timer
			t.Status, t.NextRunAt, t.DueAt = rota.SchedulePaused, time.Time{}, time.Time{}
			t.PauseReason = &rota.PauseReason{Code: rota.PausedByFailures, At: rota.InstantOf(r.CompletedAt)}
			return rota.Decision{Timer: t}
		})
		require.Equal(w, s.ID, end.Paused.Schedule)
		require.Equal(w, w.owner, end.Paused.Owner)
		return err
	})
	got := w.schedule(s)
	require.Equal(w, 1, got.ConsecutiveFailures)
	require.Equal(w, rota.SchedulePaused, got.Status)
	require.Equal(w, rota.PausedByFailures, got.PauseReason.Code)
}

func finishDue(w *world) {
	_, id := w.fired()
	w.claimOne()
	require.False(w, w.finish(id, w.completed()).Due, "its next time is to come")
	_, id = w.fired()
	w.claimOne()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		f, err := tx.FinishRun(ctx, id, w.completed(), func(t rota.Timer, _ rota.Result) rota.Decision {
			t.DueAt = time.Time{}
			return rota.Decision{Timer: t}
		})
		require.False(w, f.Due, "it has nothing to do any more")
		return err
	})
}

func finishUnbuffers(w *world) {
	s, id := w.fired()
	w.at(2 * time.Minute)
	w.fire(1, w.buffer)
	w.claimOne()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FinishRun(ctx, id, w.failed("timeout"), func(t rota.Timer, r rota.Result) rota.Decision {
			t = settle(t, r).Timer
			t.Buffered, t.DueAt = time.Time{}, time.Time{}
			return rota.Decision{Timer: t, GivenUp: p(changed)}
		})
		return err
	})
	require.Equal(w, []rota.Outcome{rota.Fired, rota.Blocked}, outcomes(w.occurrences(s)))
}

func finishDeleted(w *world) {
	s, id := w.fired()
	w.claimOne()
	w.deleteSchedule(s)
	require.Equal(w, rota.Finish{Ended: true}, w.finish(id, w.completed()))
	require.Equal(w, rota.PhaseCompleted, w.run(id).Phase)
	require.Equal(w, rota.ScheduleDeleted, w.schedule(s).Status)
}

func (w *world) recover(providers ...string) rota.Recovered {
	w.Helper()
	var got rota.Recovered
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		got, err = tx.Recover(ctx, w.now, providers, lost, settle)
		return err
	})
	return got
}

// lost fails what its policy does not let begin again.
func lost(c rota.CutOff, now time.Time) (rota.Result, bool) {
	end := rota.Result{
		Phase: rota.PhaseFailed, CompletedAt: now, Tokens: rota.TokensOf(c.Attempts...),
		Error: &rota.RunError{Code: rota.RunErrWorkerLost, Message: "the worker was lost"},
	}
	return end, c.Policy.Retry.OnCrash == rota.OnCrashNever
}

func recoverResumes(w *world) {
	_, id := w.fired()
	a := w.addAgent()
	api, queued, late := w.addRun(a.ID), w.addRun(a.ID), w.addRun(a.ID)
	w.at(time.Minute)
	w.claim(10)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.RequeueRun(ctx, rota.Attempt{Run: queued.ID}, provider)
	})
	w.delay(late.ID, time.Hour, true)
	require.Equal(w, rota.Recovered{Resumed: 2}, w.recover(provider))
	require.Equal(w, map[rota.Phase]int{rota.PhaseWaiting: 3, rota.PhaseQueued: 1}, w.open())
	attempts := make(map[rota.RunID]int)
	for _, work := range w.claim(10) {
		require.Nil(w, work.Blocked)
		attempts[work.Run.ID] = work.Run.Attempt
	}
	require.Equal(w, map[rota.RunID]int{id: 2, api.ID: 2, queued.ID: 1}, attempts)
}

func recoverLoses(w *world) {
	never := func(_ *rota.Schedule, t *rota.Timer) { t.Policy.Retry.OnCrash = rota.OnCrashNever }
	s, id := w.fired(never)
	other := w.addSchedule(s.AgentID, never, func(s *rota.Schedule, _ *rota.Timer) { s.Metadata["x"] = `"on_crash":"resume"` })
	w.claimOne()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SetResponse(ctx, rota.Attempt{Run: id}, "resp_7")
	})
	waits := w.fire(1, w.once)[0].Run
	w.at(time.Hour)
	require.Equal(w, rota.Recovered{Lost: []rota.RunID{id}}, w.recover(provider))
	got := w.run(id)
	require.Equal(w, rota.PhaseFailed, got.Phase)
	require.Equal(w, rota.RunErrWorkerLost, got.Error.Code)
	require.Equal(w, w.now, got.CompletedAt.Time)
	require.Equal(w, "resp_7", *got.GatewayResponseID)
	require.Equal(w, 1, w.timer(s).ConsecutiveFailures)
	require.Zero(w, w.timer(s).OpenRuns)
	require.Equal(w, rota.PhaseQueued, w.run(waits).Phase, "it had not started")
	require.Equal(w, 1, w.timer(other).OpenRuns)
}

func recoverRehomes(w *world) {
	a := w.addAgent()
	add := func(provider string) rota.RunID {
		r := w.newRun(a.ID)
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, w.owner, r, provider) })
		return r.ID
	}
	running, queued, stays := add("gone"), add("gone"), add("second")
	w.at(time.Second)
	w.claimFrom("gone", 1)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SetResponse(ctx, rota.Attempt{Run: running}, "resp_gone")
	})
	require.Equal(w, rota.Recovered{Resumed: 1}, w.recover("first", "second"))
	work := w.claimFrom("first", 10)
	require.Len(w, work, 2)
	require.Equal(w, running, work[0].Run.ID)
	require.Empty(w, work[0].ResponseID, "a response belongs to the provider that gave it")
	require.Equal(w, queued, work[1].Run.ID)
	require.Equal(w, stays, w.claimFrom("second", 10)[0].Run.ID)
}

// runSteps: a worker that was thought lost puts nothing on record beside the one that has
// taken its place.
func runSteps(w *world) {
	r := w.addRun(w.addAgent().ID)
	w.at(time.Minute)
	first := w.claimOne()
	require.Zero(w, first.Steps)
	steps := []rota.ResponseStep{
		{Number: 1, Kind: rota.StepItems, At: w.now, Model: "m", Usage: rota.AnyOf(map[string]int{"total_tokens": 3}), Output: []json.RawMessage{json.RawMessage(`{"type":"function_call"}`)}, Attempt: 1},
		{Number: 2, Kind: rota.StepCalled, At: w.now, Call: 1, Tool: "f", Attempt: 1},
		{Number: 3, Kind: rota.StepResult, At: w.now, Call: 1, Tool: "f", Result: p("done"), Code: "failed", Attempt: 1},
	}
	add := func(a rota.Attempt, steps ...rota.ResponseStep) (added bool) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			var err error
			added, err = tx.AddRunSteps(ctx, a, steps...)
			return err
		})
		return added
	}
	require.True(w, add(first.At(), steps[:2]...))
	require.False(w, add(rota.Attempt{Run: r.ID, Attempt: 2}, steps[2]), "it has not begun")
	w.recover(provider)
	require.False(w, add(first.At(), steps[2]), "its worker is gone")
	second := w.claimOne()
	require.Equal(w, 2, second.Steps)
	require.False(w, add(first.At(), steps[2]), "another worker has it")
	require.True(w, add(second.At(), steps[2]))
	got, err := w.store.RunSteps(w.Context(), r.ID)
	require.NoError(w, err)
	w.same(steps, got)
	w.finish(r.ID, w.completed())
	got, err = w.store.RunSteps(w.Context(), r.ID)
	require.NoError(w, err)
	require.Empty(w, got)
	require.False(w, add(second.At(), steps[2]), "it has ended")
}
