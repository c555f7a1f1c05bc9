// Package embedded is the engine that needs nothing but the store.
//
// It is one loop. It runs a step (package engine), which claims as many runs as
// workers are free and catches up as much as the throttle allows. It hands the
// runs to workers. Then it sleeps until the next time in the database, or until
// something changes.
//
//	             ┌──────────────────────── wake: due time, change, free worker ◄──┐
//	             ▼                                                                │
//	sleep ──► step: FireDue ─► claim ─► NextWake ─► FireBacklog ──commit──► workers
//
// Nothing about a schedule is kept in memory. When the engine starts, it finds in
// the store what a dead process left unfinished.
package embedded

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/policy"
)

const (
	lockedRetry = 20 * time.Millisecond // before the next step while another transaction has locked what is due
	clockEvery  = engine.Outage / 2     // between two reads of the wall clock, so a jump is noticed this late at most
)

// Config is what an Engine needs. All fields but the callbacks are required.
type Config struct {
	Store   Store
	Step    engine.Step
	Attempt func(context.Context, rota.Work)
	Now     func() time.Time
	Log     *slog.Logger

	CatchupRate    int // starts per second out of backlogs, evenly spread
	DrainTimeout   time.Duration
	NotBefore      time.Time // see [engine.Replanner]; may be zero
	ZoneData       string    // names the time zone data that are used: see [engine.Replanner]; may be empty
	Shared         bool      // other processes write to the store: the engine polls it every ten seconds, because their messages may be lost
	LostLeadership error     // when Run's context ends with this cause, nothing is drained; may be nil

	OnDecide  func(rota.Occurrence)  // an outcome was recorded; may be nil
	OnStart   func(rota.Work)        // a run was handed to a worker; may be nil
	OnEnd     func(engine.Ended)     // the engine ended a run, not a worker; may be nil
	OnPause   func(rota.Paused)      // the engine paused a schedule; may be nil
	OnReady   func(r rota.Recovered) // unfinished runs have been taken over; may be nil
	OnSetBack func()                 // the clock was set back by an [engine.Outage] or more; may be nil
	OnOutage  func()                 // nobody could look at what was due for an [engine.Outage] or longer; may be nil
}

// Engine is a [rota.Engine] over a store.
type Engine struct {
	cfg        Config
	changed    chan struct{} // holds one token when there may be something to do
	clockEvery time.Duration // between two reads of the wall clock

	workers sync.WaitGroup

	// Only the loop uses these.
	clock     engine.Clock
	step      engine.Step
	throttle  engine.Throttle // of catching up
	replanner engine.Replanner
	seen      time.Time // when the database last got to know that this engine looks

	mu        sync.Mutex // guards what follows
	cancels   map[rota.RunID]context.CancelFunc
	busy      map[rota.OwnerAt]int // runs at work
	saturated bool                 // runs may be waiting for a free worker
	stepping  bool                 // a step may have claimed runs that are not in cancels yet
	cancelled map[rota.RunID]bool  // cancelled while stepping
}

var _ rota.Engine = (*Engine)(nil)

// New returns an engine. Run starts it.
func New(cfg Config) *Engine {
	return &Engine{
		cfg:        cfg,
		changed:    make(chan struct{}, 1),
		clockEvery: clockEvery,
		step:       cfg.Step,
		throttle:   engine.NewThrottle(cfg.CatchupRate),
		replanner:  engine.Replanner{Log: cfg.Log, NotBefore: cfg.NotBefore, ZoneData: cfg.ZoneData},
		cancels:    make(map[rota.RunID]context.CancelFunc),
		busy:       make(map[rota.OwnerAt]int),
		cancelled:  make(map[rota.RunID]bool),
	}
}

// Changed implements [rota.Engine].
func (e *Engine) Changed() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// Cancel implements [rota.Engine].
func (e *Engine) Cancel(id rota.RunID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if cancel := e.cancels[id]; cancel != nil {
		cancel()
	} else if e.stepping {
		e.cancelled[id] = true
	}
}

// Run implements [rota.Engine]. It returns no error: while the store fails, it
// tries again. When it has returned, it may be called again.
func (e *Engine) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	e.clock = engine.NewClock(e.cfg.Now)
	engine.Retry(ctx, e.cfg.Log, "taking over unfinished runs failed", func() error { return e.recover(ctx) })
	for ctx.Err() == nil && e.replanner.Pending() { // before any of it is due
		engine.Retry(ctx, e.cfg.Log, "planning schedules anew failed", func() error { return e.replan(ctx) })
	}
	for ctx.Err() == nil {
		var wake time.Time
		engine.Retry(ctx, e.cfg.Log, "a step of the engine failed", func() (err error) {
			wake, err = e.runStep(ctx, work)
			return err
		})
		if e.replanner.Pending() {
			engine.Retry(ctx, e.cfg.Log, "planning schedules anew failed", func() error { return e.replan(ctx) })
			continue
		}
		e.sleep(ctx, wake)
	}
	if e.cfg.LostLeadership != nil && errors.Is(context.Cause(ctx), e.cfg.LostLeadership) {
		stop()
	}
	e.drain(stop)
	return nil
}

// recover takes over the runs that a dead process left unfinished.
func (e *Engine) recover(ctx context.Context) error {
	var got rota.Recovered
	var seen sight
	err := e.cfg.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		var err error
		if got, err = tx.Recover(ctx, e.clock.Since, e.step.Names(), policy.Lost, policy.Settle); err != nil {
			return err
		}
		seen, err = e.see(ctx, tx, e.clock.Since)
		return err
	})
	if err != nil {
		return err
	}
	e.saw(seen)
	for _, id := range got.Lost {
		if e.cfg.OnEnd != nil {
			e.cfg.OnEnd(engine.Lost(id))
		}
	}
	for _, p := range got.Paused {
		if e.cfg.OnPause != nil {
			e.cfg.OnPause(p)
		}
	}
	if e.cfg.OnReady != nil {
		e.cfg.OnReady(got)
	}
	return nil
}

// sleep blocks until the wall clock reaches wake (zero: never), until there is
// a token in changed, until the clock is set back, or until ctx ends. With a shared
// store it returns after a while anyway. It reads the wall clock now and then, because
// setting a clock does not move a process's timers, and a frozen process must notice.
func (e *Engine) sleep(ctx context.Context, wake time.Time) {
	for {
		d := e.clockEvery
		e.clock.Now()
		if !wake.IsZero() {
			d = min(d, e.clock.Until(wake))
		}
		if d <= 0 || e.clock.SetBack() > 0 {
			return
		}
		e.clock.Report(e.cfg.Log, e.cfg.OnOutage)
		if !wait(ctx, d, e.changed) || e.cfg.Shared {
			return
		}
	}
}

// wait blocks for d and reports whether it passed before there was a token in
// changed or ctx ended.
func wait(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	select {
	case <-time.After(d):
		return true
	case <-changed:
	case <-ctx.Done():
	}
	return false
}

// drain waits for the workers and stops those that take too long.
func (e *Engine) drain(stop context.CancelFunc) {
	late := time.AfterFunc(e.cfg.DrainTimeout, stop)
	defer late.Stop()
	e.workers.Wait()
}
