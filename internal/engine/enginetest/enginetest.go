// Package enginetest states what every [rota.Engine] must do, as tests that run
// against any of them. Each case has a real store, the operations of package
// control, and the real runner before a scripted model. Cases speak of effects:
// when the model is asked, and what is on record. How an engine waits for a time is
// not their business.
//
// A case is a bubble of time, unless time cannot be simulated for the engine.
// It is written in units of time, so that it also runs in real time: what happens
// one unit after another is after it, however late the engine is.
package enginetest

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/limits"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/runner"
	"github.com/rota-run/rota/internal/store"
)

// A Rig is one kind of engine over one kind of store.
type Rig struct {
	// Place returns where a server keeps all that it has, such as a directory
	// or the URL of a database. Nobody else has it, and there is nothing in it but perhaps
	// the schema.
	Place func(testing.TB) string

	// Open opens the store that is kept at a place, and makes it if there is
	// none. The suite closes it.
	Open func(ctx context.Context, place string) (store.Store, error)

	// New returns an engine that does not run yet.
	New func(Setup) rota.Engine

	// Cut cuts an engine off from all that it works with besides the store, as
	// the death of its process does: what it says after that, nobody hears. It
	// may be nil if there is nothing.
	Cut func(rota.Engine)

	// Unit, if not zero, is for engines that wait where nobody can
	// simulate it: the cases run in real time, side by side. It is the unit of
	// time that they are written in, in whole seconds, and longer than the engine
	// is late.
	Unit time.Duration

	// AtOnce bounds the cases that run side by side; 0 means all of them.
	AtOnce int

	// Deviations are the cases that the engine does not pass, by their names,
	// and why. They run all the same, and must fail.
	Deviations map[string]string
}

// A Setup is what an engine under test gets.
type Setup struct {
	Place             string                    // that of the store; a server that is started again has the same
	Store             store.Store               // fails when the case says so
	Opened            store.Store               // the same without that, as Open returned it
	Provider          func(model string) string // the provider that serves an agent's model
	Attempt           func(context.Context, rota.Work)
	OnEnd             func(engine.Ended)
	Now               func() time.Time
	Log               *slog.Logger
	MaxConcurrentRuns int
	Limits            rota.AllLimits
	Keeper            *limits.Keeper // of the limits
	CatchupRate       int
	Providers         []engine.Provider
	DrainTimeout      time.Duration
}

var caller = auth.Caller{Key: "key_1", Owner: rota.Owner{Account: "acme"}, Scopes: rota.AllScopes()}

// A tester is what a world needs of a test.
type tester interface {
	require.TestingT
	Helper()
	Context() context.Context
}

// A world is a server without its network.
type world struct {
	tester
	rig     Rig
	unit    time.Duration
	setup   Setup // for the next start
	model   *model
	store   *faulty
	engine  rota.Engine
	control *control.Control
	cancel  context.CancelFunc
	abort   context.CancelFunc // ends the attempts that are under way
	alive   bool
	ended   chan error

	mu        sync.Mutex
	ahead     time.Duration  // how far the wall clock has been set forward
	announced []engine.Ended // runs of which the engine has said that they ended
}

func newWorld(t tester, rig Rig, place string) *world {
	w := &world{tester: t, rig: rig, unit: cmp.Or(rig.Unit, simulatedUnit)}
	w.model = &model{now: w.now}
	w.setup = Setup{
		Place:             place,
		MaxConcurrentRuns: 4, CatchupRate: 10, Providers: []engine.Provider{{Name: "large"}, {Name: "small", Max: 2}}, DrainTimeout: time.Minute,
		Limits: rota.AllLimits{EndUser: rota.Limits{Workers: new(0)}},
		Log:    slog.New(slog.DiscardHandler),
	}
	return w
}

// start starts a server over what the last one left.
func (w *world) start() {
	store, err := w.rig.Open(w.Context(), w.setup.Place)
	require.NoError(w, err)
	w.store = &faulty{Store: store}
	hub := events.NewHub()
	run := &runner.Runner{Store: ports.Runner(w.store), Gateway: w.model, Hub: hub, Now: w.now, Log: w.setup.Log}
	killed, abort := context.WithCancel(context.Background())
	w.abort = abort
	w.setup.Attempt = func(ctx context.Context, work rota.Work) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(killed, cancel)()
		run.Attempt(ctx, work)
	}
	w.setup.Store, w.setup.Opened, w.setup.Now = w.store, store, w.now
	w.setup.Keeper = &limits.Keeper{Server: w.setup.Limits, Store: ports.Limits(w.store)}
	w.setup.OnEnd = func(e engine.Ended) {
		hub.End(e.Run)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.announced = append(w.announced, e)
	}
	w.setup.Provider = func(model string) string { p, _, _ := w.model.Resolve(model); return p }
	w.engine = w.rig.New(w.setup)
	run.Changed = w.engine.Changed
	w.control = &control.Control{
		Store: ports.Control(w.store), Engine: w.engine, Hub: hub, Models: w.model, Now: w.now, Audit: w.setup.Log, AgentRetention: 100_000 * time.Hour, MinInterval: time.Second,
		Limits: w.setup.Keeper,
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.ended = cancel, make(chan error, 1)
	w.alive = true
	go func() { w.ended <- w.engine.Run(ctx) }()
	w.settle()
}

// stop stops the server in good order.
func (w *world) stop() {
	w.alive = false
	w.cancel()
	require.NoError(w, <-w.ended)
	w.abort()
	require.NoError(w, w.store.Close())
}

// kill stops it as a crash does: from now on, nothing is written. If it does
// not run, that is fine.
func (w *world) kill() {
	if !w.alive {
		return
	}
	w.store.die()
	if w.rig.Cut != nil {
		w.rig.Cut(w.engine)
	}
	w.abort()
	w.stop()
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// setClock sets the wall clock. Timers do not notice.
func (w *world) setClock(forward time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += forward
}

func (w *world) agent(model string, fallbacks ...string) rota.AgentID {
	w.Helper()
	a, err := w.control.CreateAgent(w.Context(), caller, rota.AgentCreate{Name: "a", Model: model, FallbackModels: fallbacks}, control.Write{})
	require.NoError(w, err)
	return a.ID
}

// every returns an interval of so many units.
func (w *world) every(units int64) rota.Spec {
	return rota.Spec{Type: rota.Interval, IntervalSeconds: w.seconds(units)}
}

// seconds returns how many seconds so many units are.
func (w *world) seconds(units int64) int64 { return units * int64(w.unit/time.Second) }

func (w *world) schedule(a rota.AgentID, spec rota.Spec, p rota.PolicyUpdate) rota.Schedule {
	w.Helper()
	in := rota.ScheduleCreate{Spec: spec, Input: rota.InputText("hi"), Policy: p}
	s, err := w.control.CreateSchedule(w.Context(), caller, a, in, control.Write{})
	require.NoError(w, err)
	return s
}

// runs queues runs, each a millisecond after the one before.
func (w *world) runs(a rota.AgentID, n int) []rota.RunID {
	w.Helper()
	var ids []rota.RunID
	for range n {
		r, err := w.control.StartRun(w.Context(), caller, a, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
		require.NoError(w, err)
		ids = append(ids, r.ID)
		w.pass(time.Millisecond)
	}
	return ids
}

func (w *world) readRun(id rota.RunID) rota.Run {
	w.Helper()
	r, err := w.control.RunByID(w.Context(), caller, id)
	require.NoError(w, err)
	return r
}

func (w *world) read(s rota.Schedule) rota.Schedule {
	w.Helper()
	s, err := w.control.Schedule(w.Context(), caller, s.AgentID, s.ID, true)
	require.NoError(w, err)
	return s
}

// ledger returns what is on record, the oldest first.
func (w *world) ledger(s rota.Schedule) []rota.Occurrence {
	return w.occurrences(s, rota.OccurrenceFilter{})
}

// occurrences returns those that are on record and pass a filter, the oldest first.
func (w *world) occurrences(s rota.Schedule, f rota.OccurrenceFilter) []rota.Occurrence {
	w.Helper()
	all := slices.Collect(everything(w, true, func(p rota.Page) (rota.List[rota.Occurrence], error) {
		return w.control.Occurrences(w.Context(), caller, s.AgentID, s.ID, f, p)
	}))
	return slices.DeleteFunc(all, func(o rota.Occurrence) bool { return o.Open })
}

// everything reads a list to its end, the oldest first or last.
func everything[T any](t tester, ascending bool, read func(rota.Page) (rota.List[T], error)) iter.Seq[T] {
	return func(yield func(T) bool) {
		for p, more := (rota.Page{Limit: 100, Ascending: ascending}), true; more; {
			l, err := read(p)
			require.NoError(t, err)
			for _, row := range l.Data {
				if !yield(row) {
					return
				}
			}
			if more = l.HasMore; more {
				p.After = *l.LastID
			}
		}
	}
}

// outcomes is the ledger in words, such as "fired, fired, blocked".
func (w *world) outcomes(s rota.Schedule) string {
	w.Helper()
	var words []string
	for _, o := range w.ledger(s) {
		words = append(words, string(o.Outcome))
	}
	return strings.Join(words, ", ")
}
