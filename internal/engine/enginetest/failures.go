package enginetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
)

func busy(after time.Duration) *gateway.Error {
	return &gateway.Error{Code: rota.RunErrRateLimited, Message: "busy", Retryable: true, Answered: true, RetryAfter: after}
}

// isBusyOnce makes the first call get a reply, and all others succeed at once.
func (m *model) isBusyOnce(r reply) {
	m.will(func(n int) reply {
		if n == 1 {
			return r
		}
		return reply{}
	})
}

// failures are about models and stores that fail.
var failures = []testCase{
	{name: "a retry waits as long as the provider asked for, and holds no worker", run: func(w *world) {
		w.setup.MaxConcurrentRuns = 1
		w.restart()
		w.model.isBusyOnce(reply{err: busy(w.units(5))})
		a := w.agent("large/m")
		id := w.runs(a, 1)[0]
		w.phase(id, rota.PhaseWaiting)
		others := w.runs(a, 5)
		w.asked(6) // others go on meanwhile
		again := w.model.calls()[0].ended.Add(w.units(5))
		w.passTo(again.Add(-w.blink()))
		require.Len(w, w.model.calls(), 6)
		w.passTo(again)
		w.phase(id, rota.PhaseCompleted)
		require.Equal(w, append(append([]rota.RunID{id}, others...), id), w.model.runs())
		w.on(again, w.model.calls()[6].at)
		require.NotEqual(w, w.model.calls()[0].key, w.model.calls()[6].key, "the provider has answered")
		require.Len(w, w.readRun(id).Attempts, 2)
	}},
	{name: "a retry survives a restart", run: func(w *world) {
		w.model.isBusyOnce(reply{err: busy(w.units(6))})
		id := w.runs(w.agent("large/m"), 1)[0]
		w.phase(id, rota.PhaseWaiting)
		again := w.model.calls()[0].ended.Add(w.units(6))
		w.kill()
		w.start()
		w.passTo(again.Add(-w.blink()))
		require.Len(w, w.model.calls(), 1)
		w.passTo(again)
		w.phase(id, rota.PhaseCompleted)
		require.Equal(w, []rota.RunID{id, id}, w.model.runs())
	}},
	{name: "fallback models are asked before the run waits, each at its provider", run: func(w *world) {
		w.model.will(func(n int) reply {
			if n <= 3 {
				return reply{err: busy(w.units(3))}
			}
			return reply{}
		})
		a := w.agent("large/m", "small/n")
		id := w.runs(a, 1)[0]
		w.asked(2)
		w.phase(id, rota.PhaseWaiting)
		again := w.model.calls()[1].ended.Add(w.units(3))
		w.passTo(again.Add(-w.blink()))
		require.Len(w, w.model.calls(), 2, "the wait follows the round")
		w.passTo(again)
		w.asked(4)
		w.phase(id, rota.PhaseCompleted)
		var asked []string
		for _, c := range w.model.calls() {
			asked = append(asked, c.provider)
		}
		require.Equal(w, []string{"large", "small", "large", "small"}, asked)
		r := w.readRun(id)
		var models []string
		for i, x := range r.Attempts {
			models = append(models, x.Model)
			require.Equal(w, i+1, x.Number)
			require.Equal(w, 1+i/2, x.Round)
		}
		require.Equal(w, []string{"large/m", "small/n", "large/m", "small/n"}, models)
		require.Nil(w, r.Attempts[3].Code, "the last one has answered")
		require.Equal(w, "n", r.Request.Model)
	}},
	{name: "a crash does not change which model is asked", run: func(w *world) {
		w.model.will(func(n int) reply {
			if n == 1 {
				return reply{err: busy(0)}
			}
			return reply{takes: w.units(1)}
		})
		id := w.runs(w.agent("large/m", "small/n"), 1)[0]
		w.asked(2)
		w.kill()
		w.start()
		w.asked(3)
		w.pass(w.units(2))
		w.phase(id, rota.PhaseCompleted)
		calls := w.model.calls()
		require.Equal(w, "small", calls[2].provider)
		require.Equal(w, calls[1].key, calls[2].key, "nobody knows whether it was asked")
		r := w.readRun(id)
		require.Len(w, r.Attempts, 3)
		require.Nil(w, r.Attempts[1].EndedAt)
		require.Equal(w, rota.RunErrWorkerLost, *r.Attempts[1].Code)
	}},
	{name: "a run is given up after its attempts", run: func(w *world) {
		w.model.will(func(int) reply { return reply{err: busy(0)} })
		id := w.runs(w.agent("large/m"), 1)[0]
		w.pass(w.units(2))
		w.phase(id, rota.PhaseFailed)
		require.Len(w, w.model.calls(), 3)
		require.Equal(w, rota.RunErrRateLimited, w.readRun(id).Error.Code)
	}},
	{name: "a run has a time limit", run: func(w *world) {
		w.model.takes(time.Hour)
		limit := rota.PolicyUpdate{TimeoutSeconds: rota.Some(w.seconds(1))}
		s := w.schedule(w.agent("large/m"), w.every(2), limit)
		w.pass(w.units(3))
		w.soon(func() {
			r := w.readRun(*w.ledger(s)[0].RunID)
			require.Equal(w, rota.PhaseFailed, r.Phase)
			require.Equal(w, rota.RunErrTimeout, r.Error.Code)
			w.on(r.StartedAt.Add(w.unit), r.CompletedAt.Time)
		})
	}},
	{name: "failures in a row pause the schedule", run: func(w *world) {
		w.model.will(func(int) reply { return reply{err: &gateway.Error{Code: rota.RunErrRejected, Message: "no"}} })
		s := w.schedule(w.agent("large/m"), w.every(2), rota.PolicyUpdate{PauseAfterFailures: rota.Some(3)})
		w.pass(w.units(6))
		w.soon(func() { require.Equal(w, rota.SchedulePaused, w.read(s).Status) })
		w.pass(w.units(3))
		require.Equal(w, "fired, fired, fired", w.outcomes(s))
		require.Equal(w, rota.PausedByFailures, w.read(s).PauseReason.Code)
	}},
	{name: "a store that fails is asked again", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(3), w.until(4, rota.PolicyUpdate{}))
		w.pass(w.units(1))
		w.store.updates.fail(2)
		w.pass(w.units(3))
		w.shows(s, "fired") // late, and not lost
		require.GreaterOrEqual(w, w.store.updates.count(), 3)
	}},
	{name: "a store that fails is asked again after a second", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(2), w.until(3.9, rota.PolicyUpdate{}))
		w.pass(w.units(1))
		w.store.fires.fail(4)
		w.passTo(s.CreatedAt.Add(w.units(2) + 4*time.Second))
		w.shows(s, "fired")
		require.Equal(w, 5, w.store.fires.count())
		w.asked(1)
		w.on(s.CreatedAt.Add(w.units(2)+4*time.Second), w.model.calls()[0].at)
	}},
	{name: "a store that fails at the start is asked again", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(3), w.until(7, rota.PolicyUpdate{}))
		w.kill()
		build := w.rig.New
		w.rig.New = func(c Setup) rota.Engine {
			w.store.updates.fail(3)
			return build(c)
		}
		w.start()
		w.passTo(s.CreatedAt.Add(w.units(6)))
		w.shows(s, "fired, fired")
	}},
	{name: "the end of a run is stored once the store works again", run: func(w *world) {
		w.model.takes(w.units(2))
		id := w.runs(w.agent("large/m"), 1)[0]
		w.asked(1)
		w.pass(w.units(1))
		w.store.updates.fail(3)
		w.pass(w.units(2))
		w.phase(id, rota.PhaseCompleted)
		require.Len(w, w.model.calls(), 1, "the model was asked once")
	}},
	{name: "the next attempt is stored once the store works again", run: func(w *world) {
		w.model.isBusyOnce(reply{takes: w.units(2), err: busy(0)})
		id := w.runs(w.agent("large/m"), 1)[0]
		w.asked(1)
		w.pass(w.units(1))
		w.store.updates.fail(3)
		w.pass(w.units(3))
		w.phase(id, rota.PhaseCompleted)
	}},
}
