// Package embedded is the engine that needs nothing but the store.
//
// One loop: in one transaction, take the timers that are due from the index,
// record what becomes of them, and claim as many waiting runs as there are
// free workers; hand those to workers; sleep until the next time in the
// database, or until something changes.
//
//	             ┌──────────────── wake: due time, change, free worker ◄──┐
//	             ▼                                                        │
//	sleep ──► step: FireDue ─► ClaimRuns ─► NextWake ──commit──► workers ─┘
//
// Nothing about a schedule is kept in memory. What a dead process left in the
// middle is found in the store when the next one starts.
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/rota-run/rota"
)

const (
	batch     = 500              // timers that one step takes
	afterFail = time.Second      // before a step that failed is repeated
	look      = 10 * time.Second // how long the wall clock may jump without being noticed
)

// Config is what an Engine needs. All fields but the callbacks are required.
type Config struct {
	Store    rota.Store
	Decide   func(t rota.Timer, now, since time.Time) rota.Decision
	Settle   rota.Settle
	Provider func(model string) string // the provider that serves an agent's model
	Attempt  func(context.Context, rota.Work)
	Now      func() time.Time
	Log      *slog.Logger

	MaxConcurrentRuns int
	Providers         []Provider // at least one
	DrainTimeout      time.Duration

	OnFire  func(rota.Fire)        // an occurrence started a run; may be nil
	OnStart func(rota.Work)        // a run was handed to a worker; may be nil
	OnBlock func(id rota.RunID)    // a queued run was ended without a start; may be nil
	OnReady func(r rota.Recovered) // the engine has begun to look; may be nil
}

// A Provider bounds the runs that are at one provider at once.
type Provider struct {
	Name string
	Max  int // 0: no bound of its own
}

// Engine is a [rota.Engine] over a store.
type Engine struct {
	cfg     Config
	changed chan struct{} // holds one token when there may be something to do

	mu      sync.Mutex // guards what follows
	cancels map[rota.RunID]context.CancelFunc
	busy    map[string]int // runs at work by provider
	hungry  bool           // runs wait for a free worker
	workers sync.WaitGroup
	turn    int // the provider that is served first; only the loop uses it
}

var _ rota.Engine = (*Engine)(nil)

// New returns an engine. Run starts it.
func New(cfg Config) *Engine {
	return &Engine{
		cfg:     cfg,
		changed: make(chan struct{}, 1),
		cancels: make(map[rota.RunID]context.CancelFunc),
		busy:    make(map[string]int),
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
	}
}

// Run implements [rota.Engine].
func (e *Engine) Run(ctx context.Context) error {
	since := e.now()
	if err := e.recover(ctx, since); err != nil {
		return err
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	for ctx.Err() == nil {
		wake, err := e.step(ctx, work, since)
		if err != nil && ctx.Err() == nil {
			e.cfg.Log.Error("a step of the engine failed; it is repeated", "err", err)
			wake = e.now().Add(afterFail)
			e.sleep(ctx, wake, nil)
			continue
		}
		e.sleep(ctx, wake, e.changed)
	}
	e.drain(stop)
	return nil
}

func (e *Engine) now() time.Time { return rota.InstantOf(e.cfg.Now()).Time }

// recover takes over what a dead process left behind.
func (e *Engine) recover(ctx context.Context, now time.Time) error {
	var names []string
	for _, p := range e.cfg.Providers {
		names = append(names, p.Name)
	}
	var got rota.Recovered
	err := e.cfg.Store.Update(ctx, func(ctx context.Context, tx rota.Tx) error {
		var err error
		got, err = tx.Recover(ctx, now, names, e.cfg.Settle)
		return err
	})
	if err != nil {
		return fmt.Errorf("take over unfinished runs: %w", err)
	}
	if e.cfg.OnReady != nil {
		e.cfg.OnReady(got)
	}
	return nil
}

// sleep blocks until the wall clock reaches wake (zero: never), until there is
// a token in changed, or until ctx ends. It looks at the wall clock now and
// then, because a clock that is set does not move the timers of a process.
func (e *Engine) sleep(ctx context.Context, wake time.Time, changed <-chan struct{}) {
	for {
		d := look
		if !wake.IsZero() {
			d = min(look, wake.Sub(e.cfg.Now()))
		}
		if d <= 0 {
			return
		}
		timer := time.NewTimer(d)
		select {
		case <-timer.C:
		case <-changed:
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// drain waits for the workers, and stops those that take too long.
func (e *Engine) drain(stop context.CancelFunc) {
	late := time.AfterFunc(e.cfg.DrainTimeout, stop)
	defer late.Stop()
	e.workers.Wait()
}
