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

// failures are about models and stores that fail.
var failures = []testCase{
	{"a retry waits as long as the provider asked for, and holds no worker", func(w *world) {
		w.setup.MaxConcurrentRuns = 1
		w.kill()
		w.start()
		w.model.will(func(n int) reply {
			if n == 1 {
				return reply{err: busy(10 * time.Minute)}
			}
			return reply{}
		})
		a := w.agent("large/m")
		begun := time.Now()
		id := w.runs(a, 1)[0]
		require.Equal(w, rota.PhaseWaiting, w.readRun(id).Phase)
		others := w.runs(a, 5)
		require.Len(w, w.model.calls(), 6, "others go on meanwhile")
		w.pass(10*time.Minute - time.Since(begun) - time.Millisecond)
		require.Len(w, w.model.calls(), 6)
		w.pass(time.Millisecond)
		require.Equal(w, append(append([]rota.RunID{id}, others...), id), w.model.runs())
		require.NotEqual(w, w.model.calls()[0].key, w.model.calls()[6].key, "the provider has answered")
		require.Equal(w, 2, w.readRun(id).Attempts)
		require.Equal(w, rota.PhaseCompleted, w.readRun(id).Phase)
	}},
	{"a retry outlives a restart", func(w *world) {
		w.model.will(func(n int) reply {
			if n == 1 {
				return reply{err: busy(10 * time.Minute)}
			}
			return reply{}
		})
		id := w.runs(w.agent("large/m"), 1)[0]
		w.kill()
		w.start()
		w.pass(9 * time.Minute)
		require.Len(w, w.model.calls(), 1)
		w.pass(2 * time.Minute)
		require.Equal(w, []rota.RunID{id, id}, w.model.runs())
	}},
	{"a run is given up after its attempts", func(w *world) {
		w.model.will(func(int) reply { return reply{err: busy(0)} })
		id := w.runs(w.agent("large/m"), 1)[0]
		w.pass(time.Hour)
		require.Len(w, w.model.calls(), 3)
		r := w.readRun(id)
		require.Equal(w, rota.PhaseFailed, r.Phase)
		require.Equal(w, rota.RunErrRateLimited, r.Error.Code)
	}},
	{"a run has a time limit", func(w *world) {
		w.model.takes(time.Hour)
		s := w.schedule(w.agent("large/m"), every(3600), rota.PolicyUpdate{TimeoutSeconds: rota.Some[int64](30)})
		w.pass(time.Hour + 30*time.Second)
		r := w.readRun(*w.ledger(s)[0].RunID)
		require.Equal(w, rota.RunErrTimeout, r.Error.Code)
		require.Equal(w, r.StartedAt.Add(30*time.Second), r.CompletedAt.Time)
	}},
	{"failures in a row pause the schedule", func(w *world) {
		w.model.will(func(int) reply { return reply{err: &gateway.Error{Code: rota.RunErrRejected, Message: "no"}} })
		s := w.schedule(w.agent("large/m"), every(10), rota.PolicyUpdate{PauseAfterFailures: rota.Some(3)})
		w.pass(time.Hour)
		require.Equal(w, "fired, fired, fired", w.outcomes(s))
		require.Equal(w, rota.SchedulePaused, w.read(s).Status)
		require.Equal(w, rota.PausedByFailures, w.read(s).PauseReason.Code)
	}},
	{"a store that fails is asked again after a second", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(10), rota.PolicyUpdate{})
		w.pass(5 * time.Second)
		w.store.fail(5)
		w.pass(8 * time.Second)
		require.Equal(w, 4, w.store.count(), "and no more often")
		w.pass(3 * time.Second)
		require.Equal(w, "fired", w.outcomes(s), "late, and not lost")
		require.EqualValues(w, 5000, *w.ledger(s)[0].LatenessMS)
	}},
	{"a store that fails at the start is asked again", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(10), rota.PolicyUpdate{})
		w.kill()
		build := w.rig.New
		w.rig.New = func(c Setup) rota.Engine {
			w.store.fail(3)
			return build(c)
		}
		w.start()
		w.pass(20 * time.Second)
		require.Equal(w, "fired, fired", w.outcomes(s))
	}},
	{"the end of a run is stored when the store can again", func(w *world) {
		w.model.takes(5 * time.Second)
		id := w.runs(w.agent("large/m"), 1)[0]
		w.pass(4 * time.Second)
		w.store.fail(3)
		w.pass(10 * time.Second)
		require.Equal(w, rota.PhaseCompleted, w.readRun(id).Phase)
		require.Len(w, w.model.calls(), 1, "the model was asked once")
	}},
	{"the next attempt is stored when the store can again", func(w *world) {
		w.model.will(func(n int) reply {
			if n == 1 {
				return reply{takes: 5 * time.Second, err: busy(0)}
			}
			return reply{}
		})
		id := w.runs(w.agent("large/m"), 1)[0]
		w.pass(4 * time.Second)
		w.store.fail(3)
		w.pass(10 * time.Second)
		require.Equal(w, rota.PhaseCompleted, w.readRun(id).Phase)
	}},
}
