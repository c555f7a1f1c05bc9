package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/limits"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlite/sqlitetest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var owner = rota.Owner{Account: "acme"}

// A rig is an engine over a real file, in a bubble of time, with workers that
// do what the test says.
type rig struct {
	*testing.T
	dir    string
	cfg    embedded.Config
	look   time.Duration // how often the engine looks at the clock; 0 is its own choice
	store  *sqlite.Store
	port   embedded.Store // of the engine, if it is not simply the store
	engine *embedded.Engine
	agent  rota.Agent
	cancel context.CancelCauseFunc
	ended  chan error
	takes  time.Duration // how long an attempt takes; is set while nothing runs
}

func inBubble(t *testing.T, fn func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, dir: sqlitetest.Dir(t), takes: time.Second}
		r.cfg = embedded.Config{
			Step: engine.Step{
				Provider:          func(model string) string { return model },
				Providers:         []engine.Provider{{Name: "large"}},
				MaxConcurrentRuns: 4,
				Limits:            &limits.Keeper{},
			},
			Now: time.Now, Log: slog.New(slog.DiscardHandler), CatchupRate: 10, DrainTimeout: time.Minute,
		}
		r.cfg.Attempt = r.attempt
		r.open()
		r.addAgent("large")
		r.start()
		fn(r)
		r.stop()
	})
}

func (r *rig) open() {
	s, err := sqlite.Open(r.Context(), r.dir, sqlite.Options{})
	require.NoError(r, err)
	r.store = s
}

func (r *rig) start() {
	r.cfg.Store = ports.Embedded(r.store)
	if r.port != nil {
		r.cfg.Store = r.port
	}
	r.engine = embedded.New(r.cfg)
	if r.look != 0 {
		r.engine.SetClockEvery(r.look)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	r.cancel, r.ended = cancel, make(chan error, 1)
	go func() { r.ended <- r.engine.Run(ctx) }()
	synctest.Wait()
}

// stop stops the engine in good order.
func (r *rig) stop() {
	r.cancel(nil)
	require.NoError(r, <-r.ended)
	require.NoError(r, r.store.Close())
}

// attempt is the worker: it takes its time, and finishes the run.
func (r *rig) attempt(ctx context.Context, w rota.Work) {
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
		return
	}
	end := rota.Result{Phase: rota.PhaseCompleted, ResponseID: "resp_1", CompletedAt: time.Now()}
	r.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FinishRun(ctx, w.Run.ID, end, policy.Settle)
		return err
	})
}

func (r *rig) update(fn func(context.Context, sqlstore.Queries) error) {
	require.NoError(r, r.store.Update(context.Background(), fn))
}

func (r *rig) addAgent(model string) {
	now := time.Now()
	r.agent = rota.Agent{
		ID: rota.NewAgentID(now), CreatedAt: rota.InstantOf(now), UpdatedAt: rota.InstantOf(now), Version: 1,
		AgentConfig: rota.AgentConfig{
			Name: "a", Model: model, Tools: []rota.Object{}, ToolChoice: rota.AnyOf("auto"), Metadata: map[string]string{},
		},
	}
	r.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, owner, r.agent) })
}

func (r *rig) newRun() rota.Run {
	now := time.Now()
	return rota.Run{
		ID: rota.NewRunID(now), AgentID: r.agent.ID, Input: rota.InputText("hi"), Trigger: rota.TriggerAPI,
		Metadata: map[string]string{}, CreatedAt: rota.InstantOf(now),
	}
}

// addRun queues a run.
func (r *rig) addRun() rota.RunID {
	run := r.newRun()
	r.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, owner, run, "large") })
	r.engine.Changed()
	synctest.Wait()
	return run.ID
}

func (r *rig) addSchedule(every time.Duration, change func(*rota.Timer)) rota.ScheduleID {
	now := rota.InstantOf(time.Now())
	s := rota.Schedule{
		ID: rota.NewScheduleID(now.Time), AgentID: r.agent.ID, Input: rota.InputText("hi"),
		Metadata: map[string]string{}, CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	t := rota.Timer{
		ScheduleID: s.ID, AgentID: r.agent.ID, Owner: owner, Anchor: now.Time, Policy: rota.DefaultPolicy(),
		Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: int64(every / time.Second), Timezone: "UTC"},
	}
	if change != nil {
		change(&t)
	}
	t, err := policy.Plan(t, now.Time)
	require.NoError(r, err)
	r.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t})
	})
	r.engine.Changed()
	return s.ID
}

func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) outcomes(id rota.ScheduleID) []rota.Outcome {
	l, err := r.store.Occurrences(r.Context(), owner, r.agent.ID, id, rota.OccurrenceFilter{}, rota.Page{Limit: 100, Ascending: true})
	require.NoError(r, err)
	var out []rota.Outcome
	for _, o := range l.Data {
		out = append(out, o.Outcome)
	}
	return out
}

// TestAnEngineThatIsDeposedDrainsNothing: another one has the runs already.
func TestAnEngineThatIsDeposedDrainsNothing(t *testing.T) {
	lost := errors.New("another process is the leader")
	for name, c := range map[string]struct {
		cause  error
		takes  time.Duration
		leaves rota.Phase
	}{
		"deposed":          {fmt.Errorf("lost: %w", lost), 0, rota.PhaseRunning},
		"stopped":          {nil, 30 * time.Second, rota.PhaseCompleted},
		"stopped for more": {errors.New("a signal"), 30 * time.Second, rota.PhaseCompleted},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.stop()
				r.open()
				r.cfg.LostLeadership, r.takes = lost, 30*time.Second
				r.start()
				id := r.addRun()
				begun := time.Now()
				r.cancel(c.cause)
				require.NoError(r, <-r.ended)
				require.Equal(r, c.takes, time.Since(begun))
				run, err := r.store.RunByID(r.Context(), owner, id)
				require.NoError(r, err)
				require.Equal(r, c.leaves, run.Phase)
				r.ended <- nil
			})
		})
	}
}

// A counted store counts the updates that it is asked for.
type counted struct {
	embedded.Store
	asked atomic.Int64
}

func (c *counted) Update(ctx context.Context, fn func(context.Context, embedded.Tx) error) error {
	c.asked.Add(1)
	return c.Store.Update(ctx, fn)
}

func TestAnIdleEngineAsksTheStoreTwice(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.stop()
		r.open()
		c := &counted{Store: ports.Embedded(r.store)}
		r.port = c
		r.start()
		r.pass(24 * time.Hour)
		require.EqualValues(t, 2, c.asked.Load(), "it takes over, and looks once; then there is nothing to wait for")
	})
}

func TestAnEngineLooksInTheMillisecondInWhichATimeIsDue(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.pass(900 * time.Microsecond)
		id := r.addSchedule(time.Minute, nil)
		synctest.Wait()
		time.Sleep(time.Minute - 500*time.Microsecond) // to the millisecond, and a little into it
		synctest.Wait()
		require.Equal(r, []rota.Outcome{rota.Fired}, r.outcomes(id))
	})
}

// A holding store passes over what is due, as one does while another
// transaction holds it.
type holding struct {
	embedded.Store
	asked atomic.Int64
	holds atomic.Bool
}

func (h *holding) Update(ctx context.Context, fn func(context.Context, embedded.Tx) error) error {
	return h.Store.Update(ctx, func(ctx context.Context, tx embedded.Tx) error {
		tx.Queue = lockedRetry{tx.Queue, h}
		return fn(ctx, tx)
	})
}

type lockedRetry struct {
	engine.Queue
	by *holding
}

func (t lockedRetry) FireDue(ctx context.Context, now time.Time, limit int, look func(context.Context, []rota.Timer) error, decide rota.Decide) ([]rota.Fire, error) {
	t.by.asked.Add(1)
	if t.by.holds.Load() {
		return nil, nil
	}
	return t.Queue.FireDue(ctx, now, limit, look, decide)
}

func TestWhatIsHeldIsLookedAtNowAndThen(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.stop()
		r.open()
		h := &holding{Store: ports.Embedded(r.store)}
		r.port = h
		r.start()
		id := r.addSchedule(10*time.Second, nil)
		h.holds.Store(true)
		r.pass(10 * time.Second)
		h.asked.Store(0)
		r.pass(time.Second)
		require.EqualValues(r, 50, h.asked.Load())
		h.holds.Store(false)
		r.pass(20 * time.Millisecond)
		require.Equal(r, []rota.Outcome{rota.Fired}, r.outcomes(id))
	})
}

// TestASharedStoreIsLookedAt: what another process has written is found, though
// nobody says so.
func TestASharedStoreIsLookedAt(t *testing.T) {
	for shared, want := range map[bool]rota.Phase{true: rota.PhaseCompleted, false: rota.PhaseQueued} {
		inBubble(t, func(r *rig) {
			r.stop()
			r.open()
			r.cfg.Shared = shared
			r.start()
			run := r.newRun()
			r.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, owner, run, "large") })
			r.pass(12 * time.Second)
			got, err := r.store.RunByID(r.Context(), owner, run.ID)
			require.NoError(r, err)
			require.Equal(r, want, got.Phase)
		})
	}
}
