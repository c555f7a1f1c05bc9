package embedded

import (
	"context"
	"maps"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/engine"
)

// runStep runs one step and starts the claimed runs. It returns when to run the
// next one.
func (e *Engine) runStep(ctx, work context.Context) (time.Time, error) {
	now := e.clock.Now()
	e.begin()
	defer e.end()
	var got engine.Batch
	var seen sight
	err := e.cfg.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		m := engine.Moment{Now: now, Since: e.clock.Since, Busy: e.atWork, CatchUp: e.throttle.Allowed(now)}
		var err error
		if got, err = e.step.Run(ctx, tx, m); err != nil {
			return err
		}
		if tell := got.Fired > 0 && now.Sub(e.seen) >= engine.SeenEvery; tell || e.clock.SetBack() > 0 {
			seen, err = e.see(ctx, tx, now)
		}
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	e.saw(seen)
	got.Announce(e.cfg.OnDecide, e.cfg.OnEnd, e.cfg.OnPause)
	e.throttle.Started(now, got.CaughtUp)
	e.setSaturated(got.Saturated)
	for _, w := range got.Work {
		e.start(work, w)
	}
	switch {
	case got.Freed:
		return now, nil
	case got.BacklogLeft:
		return e.nextCatchUp(now, got.Wake), nil
	case got.Fired == 0 && !got.Wake.IsZero() && !got.Wake.After(now):
		return now.Add(lockedRetry), nil
	}
	return got.Wake, nil
}

// A sight is what the database was told of this engine's looking; zero if nothing.
type sight struct {
	cluster.Leadership
	wasAhead bool
}

// see tells the database that this engine looks at now.
func (e *Engine) see(ctx context.Context, tx Tx, now time.Time) (sight, error) {
	l, err := tx.Leadership(ctx)
	if err != nil {
		return sight{}, err
	}
	var s sight
	s.Leadership, s.wasAhead = e.replanner.Seen(l, now, e.clock.SetBack())
	return s, tx.SaveLeadership(ctx, l.Kind, s.Leadership)
}

// saw notes that a sight is durable.
func (e *Engine) saw(s sight) {
	if s.SeenAt.IsZero() {
		return
	}
	e.seen = s.SeenAt
	e.clock.Forgive()
	e.replanner.Begin(s.Leadership, s.wasAhead)
	if s.wasAhead && e.cfg.OnSetBack != nil {
		e.cfg.OnSetBack()
	}
}

// replan plans the next page of timers anew.
func (e *Engine) replan(ctx context.Context) error {
	now := e.clock.Now()
	var page engine.Page
	err := e.cfg.Store.Update(ctx, func(ctx context.Context, tx Tx) (err error) {
		page, err = e.replanner.Plan(ctx, tx.Planner, now)
		return err
	})
	if err == nil {
		e.replanner.Planned(page)
	}
	return err
}

// atWork counts the runs at work.
func (e *Engine) atWork(context.Context) (map[rota.OwnerAt]int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.busy), nil
}

// nextCatchUp returns when the throttle allows the next start, or wake if that is
// earlier.
func (e *Engine) nextCatchUp(now, wake time.Time) time.Time {
	at := now.Add(e.throttle.Wait(now))
	if wake.IsZero() || at.Before(wake) {
		return at
	}
	return wake
}

// begin notes that a step may be claiming runs. Workers that become free meanwhile
// can take runs that it leaves, so they must wake the loop.
func (e *Engine) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stepping, e.saturated = true, true
}

// end notes that the claimed runs have workers.
func (e *Engine) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stepping = false
	clear(e.cancelled)
}

func (e *Engine) setSaturated(saturated bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.saturated = saturated
}

func seat(w rota.Work) rota.OwnerAt { return rota.OwnerAt{Owner: w.Owner, Provider: w.Provider} }

// start hands a run to a worker of its own.
func (e *Engine) start(ctx context.Context, w rota.Work) {
	ctx, cancel := context.WithCancel(ctx)
	e.mu.Lock()
	e.cancels[w.Run.ID] = cancel
	e.busy[seat(w)]++
	if e.cancelled[w.Run.ID] {
		cancel()
	}
	e.mu.Unlock()
	if e.cfg.OnStart != nil {
		e.cfg.OnStart(w)
	}
	e.workers.Go(func() {
		defer cancel()
		e.cfg.Attempt(ctx, w)
		e.finished(w)
	})
}

// finished frees the worker, and wakes the loop if runs may be waiting.
func (e *Engine) finished(w rota.Work) {
	e.mu.Lock()
	delete(e.cancels, w.Run.ID)
	if e.busy[seat(w)]--; e.busy[seat(w)] == 0 {
		delete(e.busy, seat(w))
	}
	saturated := e.saturated
	e.mu.Unlock()
	if saturated {
		e.Changed()
	}
}
