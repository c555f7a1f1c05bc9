package runner_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/runner"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A model that begins a response and then does what the test says.
type model struct {
	asked gateway.Request
	then  func(context.Context) error
}

// Resolve implements runner.Gateway.
func (m *model) Resolve(name string) (string, string, error) { return "model", name, nil }

// Stream implements runner.Gateway.
func (m *model) Stream(ctx context.Context, req gateway.Request, started func(string), _ func(gateway.Event)) (gateway.Response, error) {
	m.asked = req
	started("resp_7")
	return gateway.Response{ID: "resp_7", Status: "completed", Body: []byte(`{}`), Output: "ok"}, m.then(ctx)
}

// What an interrupted attempt has begun is on record, for the next to attach to.
func TestAnInterruptedResponseIsResumed(t *testing.T) {
	b := newBench(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	m := &model{then: func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	}}
	b.runner.Gateway = m
	r := b.attempt(ctx)
	require.Equal(t, rota.PhaseRunning, r.Phase)

	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.Recover(ctx, b.now, []string{"model"}, policy.Lost, policy.Settle)
		return err
	})
	first := m.asked
	m.then = func(context.Context) error { return nil }
	r = b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase)
	require.Equal(t, "resp_7", m.asked.ResumeID)
	require.Equal(t, first.IdempotencyKey, m.asked.IdempotencyKey)
}

// A full store cannot take anything for some tries.
type full struct {
	runner.Store
	left atomic.Int64
}

// Update implements [runner.Store].
func (f *full) Update(ctx context.Context, fn func(context.Context, runner.Tx) error) error {
	if f.left.Add(-1) >= 0 {
		return rota.Errorf(rota.Unavailable, "the disk is full")
	}
	return f.Store.Update(ctx, fn)
}

// An answer that has come is kept for a store that cannot take it, also when the
// attempt is to end; but not for ever.
func TestAnAnswerIsKeptForTheStore(t *testing.T) {
	for tries, want := range map[int64]rota.Phase{20: rota.PhaseCompleted, 40: rota.PhaseRunning} {
		synctest.Test(t, func(t *testing.T) {
			b := newSilentBench(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			store := &full{Store: ports.Runner(b.store)}
			store.left.Store(tries + 1) // and the note of the response's id
			b.runner.Store = store
			b.runner.Gateway = &model{then: func(context.Context) error {
				cancel()
				return nil
			}}
			require.Equal(t, want, b.attempt(ctx).Phase)
		})
	}
}

// A cancelled run stays cancelled, and leaves no log behind.
func TestACancelledRunIsLeftAlone(t *testing.T) {
	for name, how := range map[string]error{"the model stops": context.Canceled, "the model has ended": nil} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			b.runner.OnDone = func(rota.Work, rota.Result, string) { t.Error("it has ended before") }
			b.runner.Gateway = &model{then: func(context.Context) error {
				end := rota.Result{Phase: rota.PhaseCancelled, Error: &rota.RunError{Code: rota.RunErrCancelled}, CompletedAt: b.now}
				b.update(func(ctx context.Context, tx sqlstore.Queries) error {
					_, err := tx.FinishRun(ctx, b.run.ID, end, policy.Settle)
					return err
				})
				cancel()
				return how
			}}
			log := b.runner.Hub.Read(b.run.ID, -1)
			defer log.Close()
			r := b.attempt(ctx)
			require.Equal(t, rota.PhaseCancelled, r.Phase)
			_, err := log.Next(t.Context())
			require.Error(t, err, "the log has ended")
		})
	}
}
