package embedded_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/store/sqlite"
)

var owner = rota.Owner{Account: "acme"}

// A rig is an engine over a real file, in a bubble of time, with workers that
// do what the test says.
type rig struct {
	*testing.T
	dir     string
	cfg     embedded.Config
	look    time.Duration // how often the engine looks at the clock; 0 is its own choice
	store   rota.Store
	engine  *embedded.Engine
	agent   rota.Agent
	cancel  context.CancelFunc
	ended   chan error
	mu      sync.Mutex // guards what follows
	started []rota.Work
	takes   time.Duration // how long an attempt takes
}

func inBubble(t *testing.T, fn func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, dir: t.TempDir(), takes: time.Second}
		r.cfg = embedded.Config{
			Decide: policy.Decide, Settle: policy.Settle, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Provider:          func(model string) string { return model },
			CatchUp:           policy.CatchUp,
			MaxConcurrentRuns: 4,
			CatchupRate:       10,
			Providers:         []engine.Provider{{Name: "large"}, {Name: "small", Max: 2}},
			DrainTimeout:      time.Minute,
		}
		r.cfg.Attempt = r.attempt
		r.cfg.OnStart = func(w rota.Work) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.started = append(r.started, w)
		}
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
	r.cfg.Store = r.store
	r.engine = embedded.New(r.cfg)
	if r.look != 0 {
		r.engine.LookEvery(r.look)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.ended = cancel, make(chan error, 1)
	go func() { r.ended <- r.engine.Run(ctx) }()
	synctest.Wait()
}

// stop stops the engine in good order.
func (r *rig) stop() {
	r.cancel()
	require.NoError(r, <-r.ended)
	require.NoError(r, r.store.Close())
}

// attempt is the worker: it takes its time, and finishes the run.
func (r *rig) attempt(ctx context.Context, w rota.Work) {
	r.mu.Lock()
	takes := r.takes
	r.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return
	}
	end := rota.Result{Phase: rota.PhaseCompleted, ResponseID: "resp_1", CompletedAt: time.Now()}
	r.update(func(ctx context.Context, tx rota.Tx) error {
		_, err := tx.FinishRun(ctx, w.Run.ID, end, policy.Settle)
		return err
	})
}

func (r *rig) update(fn func(context.Context, rota.Tx) error) {
	require.NoError(r, r.store.Update(context.Background(), fn))
}

func (r *rig) addAgent(model string) {
	now := time.Now()
	r.agent = rota.Agent{
		ID: rota.NewAgentID(now), Name: "a", Model: model, Tools: []rota.Object{}, ToolChoice: rota.AnyOf("auto"),
		Text: rota.Object(rota.AnyOf(struct{}{})), Reasoning: rota.Object(rota.AnyOf(struct{}{})),
		Metadata: map[string]string{}, CreatedAt: rota.InstantOf(now), UpdatedAt: rota.InstantOf(now), Version: 1,
	}
	r.update(func(ctx context.Context, tx rota.Tx) error { return tx.AddAgent(ctx, owner, r.agent) })
}

// addRuns queues runs, each later than the one before.
func (r *rig) addRuns(n int, provider string) []rota.RunID {
	var ids []rota.RunID
	for range n {
		time.Sleep(time.Millisecond)
		now := time.Now()
		run := rota.Run{
			ID: rota.NewRunID(now), AgentID: r.agent.ID, Input: rota.InputText("hi"), Trigger: rota.TriggerAPI,
			Metadata: map[string]string{}, CreatedAt: rota.InstantOf(now),
		}
		r.update(func(ctx context.Context, tx rota.Tx) error { return tx.AddRun(ctx, owner, run, provider) })
		ids = append(ids, run.ID)
	}
	r.engine.Changed()
	synctest.Wait()
	return ids
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
	r.update(func(ctx context.Context, tx rota.Tx) error { return tx.AddSchedule(ctx, owner, s.WithTimer(t), t) })
	r.engine.Changed()
	return s.ID
}

// letTake says how long attempts take from now on.
func (r *rig) letTake(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.takes = d
}

func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) starts() []rota.RunID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []rota.RunID
	for _, w := range r.started {
		ids = append(ids, w.Run.ID)
	}
	return ids
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

func TestWorkersAreBoundedAndRunsStartInOrder(t *testing.T) {
	inBubble(t, func(r *rig) {
		ids := r.addRuns(10, "large")
		require.Equal(r, ids[:4], r.starts())
		r.pass(time.Second)
		require.Equal(r, ids[:8], r.starts())
		r.pass(time.Second)
		require.Equal(r, ids, r.starts())
		r.pass(time.Second)
		open, err := r.store.OpenRuns(r.Context())
		require.NoError(r, err)
		require.Empty(r, open)
	})
}

func TestAProviderHasItsOwnBound(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.addAgent("small")
		small := r.addRuns(3, "small")
		require.Equal(r, small[:2], r.starts(), "two at once")
		r.addAgent("large")
		large := r.addRuns(3, "large")
		require.Equal(r, append(small[:2:2], large[:2]...), r.starts(), "four in all, and nobody waits behind the full one")
		r.pass(3 * time.Second)
		require.ElementsMatch(r, append(small, large...), r.starts())
	})
}

func TestARunFollowsItsAgentToAnotherProvider(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.addAgent("small")
		ids := r.addRuns(3, "small")
		moved := r.agent
		moved.Model = "large"
		r.update(func(ctx context.Context, tx rota.Tx) error { return tx.SaveAgent(ctx, owner, moved) })
		r.pass(2 * time.Second)
		require.Equal(r, ids, r.starts())
		require.Equal(r, "large", r.started[2].Provider)
		require.Equal(r, 1, r.started[2].Run.Attempts, "the move is no attempt")
	})
}

func TestOverlapPolicies(t *testing.T) {
	for overlap, want := range map[rota.Overlap][]rota.Outcome{
		rota.OverlapSkip:      {rota.Fired, rota.SkippedOverlap, rota.SkippedOverlap, rota.Fired},
		rota.OverlapBufferOne: {rota.Fired, rota.Fired, rota.SkippedOverlap, rota.Buffered},
		rota.OverlapAllowAll:  {rota.Fired, rota.Fired, rota.Fired, rota.Fired},
	} {
		t.Run(string(overlap), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.letTake(25 * time.Second)
				id := r.addSchedule(10*time.Second, func(t *rota.Timer) { t.Policy.Overlap = overlap })
				r.pass(41 * time.Second)
				require.Equal(r, want, r.outcomes(id))
				r.letTake(0)
			})
		})
	}
}

func TestAKilledEngineLeavesWorkThatTheNextOneDoes(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.letTake(time.Hour)
		r.cfg.DrainTimeout = 0 // nobody waits for the workers, as when the process is killed
		r.stop()
		r.open()
		r.start()
		never := r.addSchedule(10*time.Second, func(t *rota.Timer) { t.Policy.Retry.OnCrash = rota.OnCrashNever })
		resumed := r.addSchedule(10*time.Second, nil)
		r.pass(10 * time.Second)
		require.Len(r, r.starts(), 2)
		r.stop()
		r.open()
		r.letTake(time.Second)
		r.start()
		r.pass(2 * time.Second)

		require.Len(r, r.starts(), 3)
		again := r.started[2]
		require.Equal(r, 2, again.Run.Attempts)
		require.Equal(r, resumed, *again.Run.ScheduleID)
		require.Contains(r, r.starts()[:2], again.Run.ID, "the same run")
		lost, err := r.store.Runs(r.Context(), owner, r.agent.ID, rota.Page{Limit: 10})
		require.NoError(r, err)
		require.Len(r, lost.Data, 2)
		for _, run := range lost.Data {
			if *run.ScheduleID == never {
				require.Equal(r, rota.RunErrWorkerLost, run.Error.Code)
			} else {
				require.Equal(r, rota.PhaseCompleted, run.Phase)
			}
		}
		require.Equal(r, []rota.Outcome{rota.Fired}, r.outcomes(resumed))
	})
}

func TestDrainWaitsForWorkers(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.letTake(30 * time.Second)
		ids := r.addRuns(1, "large")
		begun := time.Now()
		r.cancel()
		require.NoError(r, <-r.ended)
		require.Equal(r, 30*time.Second, time.Since(begun), "no longer than the run")
		run, err := r.store.RunByID(r.Context(), owner, ids[0])
		require.NoError(r, err)
		require.Equal(r, rota.PhaseCompleted, run.Phase)
		r.ended <- nil
	})
}

func TestAWaitingRunHoldsNoWorker(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.cfg.MaxConcurrentRuns = 1
		work := r.cfg.Attempt
		r.stop()
		r.open()
		r.cfg.Attempt = func(ctx context.Context, w rota.Work) {
			if w.Run.Attempts > 1 || w.Run.ScheduleID != nil {
				work(ctx, w)
				return
			}
			r.update(func(ctx context.Context, tx rota.Tx) error {
				return tx.DelayRun(ctx, w.Run.ID, time.Now().Add(time.Minute), true)
			})
			r.engine.Changed()
		}
		r.start()
		ids := r.addRuns(1, "large")
		id := r.addSchedule(10*time.Second, nil)
		r.pass(30 * time.Second)
		require.Len(r, r.outcomes(id), 3, "others go on meanwhile")
		again := func() int {
			return len(slices.DeleteFunc(r.starts(), func(id rota.RunID) bool { return id != ids[0] }))
		}
		r.pass(29 * time.Second)
		require.Equal(r, 1, again())
		r.pass(2 * time.Second)
		require.Equal(r, 2, again())
	})
}

func TestCancelStopsTheWorker(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.letTake(time.Hour)
		ids := r.addRuns(1, "large")
		r.engine.Cancel(ids[0])
		r.engine.Cancel("arun_unknown")
		begun := time.Now()
		r.cancel()
		require.NoError(r, <-r.ended)
		require.Zero(r, time.Since(begun), "the worker is gone")
		r.ended <- nil
	})
}

// A sick store fails for a while.
type sick struct {
	rota.Store
	mu    sync.Mutex
	fails int
	asked int
}

func (s *sick) Update(ctx context.Context, fn func(context.Context, rota.Tx) error) error {
	s.mu.Lock()
	s.asked++
	ill := s.fails > 0
	if ill {
		s.fails--
	}
	s.mu.Unlock()
	if ill {
		return errors.New("the disk is full")
	}
	return s.Store.Update(ctx, fn)
}

func (s *sick) fall(fails int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails, s.asked = fails, 0
}

func (s *sick) asks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func TestAFailingStoreIsSurvived(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.stop()
		r.open()
		s := &sick{Store: r.store}
		r.store = s
		r.start()
		id := r.addSchedule(10*time.Second, nil)
		r.pass(5 * time.Second)
		s.fall(5)
		r.pass(8 * time.Second)
		require.Equal(r, 4, s.asks(), "asked again every second, and no more often")
		require.Empty(r, r.outcomes(id))
		r.pass(3 * time.Second)
		require.Equal(r, []rota.Outcome{rota.Fired}, r.outcomes(id), "late, and not lost")
	})
}

// A holding store passes over what is due, as one does while another
// transaction holds it.
type holding struct {
	rota.Store
	asked atomic.Int64
	holds atomic.Bool
}

func (h *holding) Update(ctx context.Context, fn func(context.Context, rota.Tx) error) error {
	return h.Store.Update(ctx, func(ctx context.Context, tx rota.Tx) error { return fn(ctx, held{tx, h}) })
}

type held struct {
	rota.Tx
	by *holding
}

func (t held) FireDue(ctx context.Context, now time.Time, limit int, decide rota.Decide) ([]rota.Fire, error) {
	t.by.asked.Add(1)
	if t.by.holds.Load() {
		return nil, nil
	}
	return t.Tx.FireDue(ctx, now, limit, decide)
}

func TestWhatIsHeldIsLookedAtNowAndThen(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.stop()
		r.open()
		h := &holding{Store: r.store}
		r.store = h
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

func TestAClockThatIsSetIsNoticed(t *testing.T) {
	inBubble(t, func(r *rig) {
		var mu sync.Mutex
		var ahead time.Duration
		r.stop()
		r.open()
		r.cfg.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(ahead)
		}
		r.start()
		id := r.addSchedule(time.Hour, nil)
		r.pass(time.Minute)
		mu.Lock()
		ahead = 2 * time.Hour
		mu.Unlock()
		r.pass(10 * time.Second)
		require.NotEmpty(r, r.outcomes(id), "within ten seconds")
	})
}
