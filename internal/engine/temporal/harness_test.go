package temporal_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.uber.org/goleak"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/temporal"
	"github.com/rota-run/rota/internal/engine/temporal/temporaltest"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/limits"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var caller = auth.Caller{Key: "key_1", Owner: rota.Owner{Account: "acme"}, Scopes: rota.AllScopes()}

// A world is a Temporal server, a database, and processes over them.
type world struct {
	*testing.T
	server  *temporaltest.Server
	client  client.Client
	db      *postgres.Store
	url     string
	control *control.Control
	engine  *temporal.Engine // the one that callers talk to
	agent   rota.AgentID

	claims atomic.Int64

	mu      sync.Mutex
	attempt func(context.Context, rota.Work) // nil: the run completes at once
}

func newWorld(t *testing.T) *world {
	t.Parallel() // it mostly waits
	w := &world{T: t, server: temporaltest.Start(t), url: postgrestest.URL(t)}
	w.client = w.server.Client(t)
	w.db = w.open()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveLeadership(ctx, "", cluster.Leadership{Kind: rota.EngineTemporal, Installation: t.Name()})
	})
	w.engine = w.newEngine(w.db)
	w.control = &control.Control{
		Store: ports.Control(w.db), Engine: w.engine, Hub: events.NewHub(), Models: one{}, Now: time.Now, Audit: slog.New(slog.DiscardHandler), MinInterval: time.Second,
		Limits: &limits.Keeper{},
	}
	a, err := w.control.CreateAgent(t.Context(), caller, rota.AgentCreate{Name: "a", Model: "m"}, control.Write{})
	require.NoError(t, err)
	w.agent = a.ID
	return w
}

func (w *world) open() *postgres.Store {
	db, err := postgres.Open(w.Context(), w.url, postgres.Options{})
	require.NoError(w, err)
	w.Cleanup(func() { require.NoError(w, db.Close()) })
	return db
}

func (w *world) newEngine(db *postgres.Store) *temporal.Engine { return w.newEngineOver(db, w.client) }

func (w *world) newEngineOver(db *postgres.Store, c client.Client) *temporal.Engine {
	return w.engineOf(db, c, client.DefaultNamespace, "rota")
}

func (w *world) engineOf(db *postgres.Store, c client.Client, namespace, queue string) *temporal.Engine {
	log := slog.New(slog.DiscardHandler)
	return temporal.New(temporal.Config{
		Store: storeOf(db, func(q engine.Queue) engine.Queue { return q }), Client: c, Namespace: namespace, TaskQueue: queue, Installation: w.Name(),
		Step: engine.Step{
			Limits:            &limits.Keeper{},
			Provider:          func(string) string { return "mock" },
			MaxConcurrentRuns: 10, Providers: []engine.Provider{{Name: "mock"}},
		},
		Attempt: w.work, OnStart: func(rota.Work) { w.claims.Add(1) }, Now: time.Now, Log: log, CatchupRate: 10, DrainTimeout: time.Second, Silence: 10 * time.Second, NotifyPeers: func() {},
		Lead: func(ctx context.Context, work func(context.Context) error) error {
			return db.Lead(ctx, log, rota.EngineTemporal, work)
		},
	})
}

// storeOf returns the store of an engine, whose queue somebody may watch.
func storeOf(s store.Store, watched func(engine.Queue) engine.Queue) temporal.Store {
	x := sqlstore.External{Queries: s.Reader()}
	return temporal.Store{
		LeadershipReader: x, AttemptReader: x, ExportReader: x,
		Updater: store.On(s, func(q sqlstore.Queries) temporal.Tx {
			x := sqlstore.External{Queries: q}
			return temporal.Tx{
				Queue: watched(x), Planner: engine.Planner{LeadershipStore: x, TimerStore: x, WaitingStore: x}, AttemptReader: x, AttemptWriter: x, ExportWriter: x,
			}
		}),
	}
}

// one is a provider that serves all models.
type one struct{}

func (one) Models(context.Context) []rota.Model { return nil }

func (one) Resolve(model string) (provider, name string, err error) { return "mock", model, nil }

// start starts a process, which stops at the end of the test or when stop is
// called.
func (w *world) start(e *temporal.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(w, <-ended)
	})
	w.Cleanup(stop)
	return stop
}

// work is what a worker does with an attempt.
func (w *world) work(ctx context.Context, work rota.Work) {
	w.mu.Lock()
	attempt := w.attempt
	w.mu.Unlock()
	if attempt != nil {
		attempt(ctx, work)
		return
	}
	w.finish(work)
}

// will sets what the attempts from now on do.
func (w *world) will(attempt func(context.Context, rota.Work)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempt = attempt
}

func (w *world) finish(work rota.Work) {
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		end := rota.Result{Phase: rota.PhaseCompleted, CompletedAt: time.Now()}
		_, err := tx.FinishRun(ctx, work.Run.ID, end, policy.Settle)
		return err
	})
}

func (w *world) update(fn func(context.Context, sqlstore.Queries) error) {
	w.Helper()
	require.NoError(w, w.db.Update(context.Background(), fn))
}

func (w *world) schedule(spec rota.Spec, p rota.PolicyUpdate) rota.Schedule {
	w.Helper()
	in := rota.ScheduleCreate{Spec: spec, Input: rota.InputText("hi"), Policy: p}
	s, err := w.control.CreateSchedule(w.Context(), caller, w.agent, in, control.Write{})
	require.NoError(w, err)
	return s
}

func (w *world) run() rota.Run {
	w.Helper()
	r, err := w.control.StartRun(w.Context(), caller, w.agent, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.NoError(w, err)
	return r
}

func every(seconds int64) rota.Spec {
	return rota.Spec{Type: rota.Interval, IntervalSeconds: seconds}
}

// await waits until what is outside this process has done something.
func (w *world) await(what string, done func() bool) {
	w.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		require.True(w, time.Now().Before(deadline), "in vain: %s", what)
		time.Sleep(20 * time.Millisecond)
	}
}

// awaitExported waits until a schedule says that Temporal has it.
func (w *world) awaitExported(id rota.ScheduleID) {
	w.await("the schedule says that it is exported", func() bool {
		s, err := w.control.Schedule(w.Context(), caller, w.agent, id, false)
		require.NoError(w, err)
		return s.TemporalScheduleID != nil && *s.TemporalScheduleID == string(id)
	})
}

func (w *world) awaitEnd(id rota.RunID) {
	w.Helper()
	w.await("the run ends", func() bool { return w.read(id).CompletedAt != nil })
}

func (w *world) read(id rota.RunID) rota.Run {
	w.Helper()
	r, err := w.control.RunByID(w.Context(), caller, id)
	require.NoError(w, err)
	return r
}

// exported returns what Temporal has of a schedule; nil if it does not have it.
func (w *world) exported(id rota.ScheduleID) *client.ScheduleDescription {
	d, err := w.client.ScheduleClient().GetHandle(w.Context(), string(id)).Describe(w.Context())
	if err != nil {
		return nil
	}
	return d
}

// action returns what Temporal starts when a time of a schedule has come.
func (w *world) action(id rota.ScheduleID) *client.ScheduleWorkflowAction {
	w.Helper()
	d := w.exported(id)
	require.NotNil(w, d)
	return d.Schedule.Action.(*client.ScheduleWorkflowAction)
}
