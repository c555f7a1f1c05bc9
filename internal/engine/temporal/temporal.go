package temporal

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
)

// Config is what an Engine needs. All fields but the callbacks are required.
type Config struct {
	Store        Store
	Client       client.Client // may be lazy; the engine does not close it
	Address      string        // for the log
	Namespace    string        // the client's
	TaskQueue    string        // the start of the task queue's name; the installation is its end
	Installation string        // its name in the store
	Step         engine.Step
	Attempt      func(context.Context, rota.Work)
	Now          func() time.Time
	Log          *slog.Logger

	CatchupRate  int // starts per second out of backlogs, evenly spread
	DrainTimeout time.Duration
	NotBefore    time.Time     // see [engine.Replanner]; may be zero
	ZoneData     string        // names the time zone data that are used: see [engine.Replanner]; may be empty
	Silence      time.Duration // of a worker without heartbeats, after which its attempts start again elsewhere; 0: half a minute

	// Lead calls work while this process is the leader, again and again until ctx
	// ends.
	Lead func(ctx context.Context, work func(context.Context) error) error

	// NotifyPeers tells the other processes that something has changed. It must not
	// block.
	NotifyPeers func()

	OnDecide  func(rota.Occurrence) // an outcome was recorded; may be nil
	OnStart   func(rota.Work)       // a run was claimed; may be nil
	OnEnd     func(engine.Ended)    // the engine ended a run, not a worker; may be nil
	OnPause   func(rota.Paused)     // the engine paused a schedule; may be nil
	OnLead    func(active bool)     // this process has become the leader, or is it no longer; may be nil
	OnSetBack func()                // the clock was set back by an [engine.Outage] or more; may be nil
	OnOutage  func()                // nobody could look at what was due for an [engine.Outage] or longer; may be nil
}

// paused tells of schedules that were paused.
func (c *Config) paused(schedules ...rota.Paused) {
	for _, p := range schedules {
		if c.OnPause != nil {
			c.OnPause(p)
		}
	}
}

// Engine is a [rota.Engine] that shares its work with others of its kind, over
// one database and one task queue of Temporal.
type Engine struct {
	cfg         Config
	queue       string        // Temporal's task queue; every installation has its own
	stepWanted  chan struct{} // holds one token when a step is wanted
	startSlots  chan struct{} // bounds the workflows that are being started
	leading     atomic.Bool
	unreachable atomic.Bool // Temporal does not answer, or lacks the namespace
	leaving     atomic.Bool // Run is ending

	starting sync.WaitGroup
	startCtx context.Context // of workflows being started; ends when Run does

	throttle  engine.Throttle // of catching up
	drainOver chan struct{}   // closed when the drain timeout is over and attempts must end; made by Run

	mu               sync.Mutex // guards what follows
	waiting          []chan stepResult
	startingAttempts map[rota.Attempt]bool               // attempts whose workflows this process is starting
	cancels          map[rota.Attempt]context.CancelFunc // of the attempts that this process works on
}

var _ rota.Engine = (*Engine)(nil)

const (
	startsAtOnce = 32               // workflows that a process is starting at one time
	storeTimeout = 20 * time.Second // for a transaction
)

// New returns an engine. Run starts it.
func New(cfg Config) *Engine {
	return &Engine{
		cfg:              cfg,
		queue:            cfg.TaskQueue + "-" + strings.ToLower(cfg.Installation),
		stepWanted:       make(chan struct{}, 1),
		startSlots:       make(chan struct{}, startsAtOnce),
		throttle:         engine.NewThrottle(cfg.CatchupRate),
		startingAttempts: make(map[rota.Attempt]bool),
		cancels:          make(map[rota.Attempt]context.CancelFunc),
	}
}

// Changed implements [rota.Engine].
func (e *Engine) Changed() { e.wake() }

// ChangedElsewhere tells the engine that another process has changed something.
// Only the leader takes a step then.
func (e *Engine) ChangedElsewhere() {
	if e.leading.Load() {
		e.wake()
	}
}

// Cancel implements [rota.Engine].
func (e *Engine) Cancel(id rota.RunID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for a, cancel := range e.cancels {
		if a.Run == id {
			cancel()
		}
	}
}

// Run implements [rota.Engine]. It retries while Temporal or the store fails. When
// it has returned, it may be called again.
func (e *Engine) Run(ctx context.Context) error {
	stepping, stop := context.WithCancel(context.WithoutCancel(ctx)) // runs end while the worker drains
	defer stop()
	e.drainOver, e.startCtx = make(chan struct{}), stepping
	e.leaving.Store(false)
	defer context.AfterFunc(ctx, func() { e.leaving.Store(true) })()
	var steps sync.WaitGroup
	steps.Go(func() { e.stepLoop(stepping) })

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { e.checkHealth(ctx); return nil })
	group.Go(func() error { return e.cfg.Lead(ctx, e.lead) })
	group.Go(func() error { return e.work(ctx) })
	err := group.Wait()
	stop()
	steps.Wait()
	e.starting.Wait()
	return err
}

// update is an Update of the store with a time limit.
func (e *Engine) update(ctx context.Context, fn func(context.Context, Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return e.cfg.Store.Update(ctx, fn)
}

// silence returns how long a worker may go without a heartbeat.
func (e *Engine) silence() time.Duration { return cmp.Or(e.cfg.Silence, heartbeatLimit) }

// errNoLeader says that no process leads with Temporal.
var errNoLeader = errors.New("no process leads with Temporal")
