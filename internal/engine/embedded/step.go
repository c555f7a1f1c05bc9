package embedded

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// taken is what one step took out of the store.
type taken struct {
	decided []rota.Occurrence
	work    []rota.Work
	blocked []rota.RunID
	again   bool // a run was put aside: the workers it would have had are free
	madeUp  int  // fires that the brake let through
	left    bool // there is more to make up for
	hungry  bool // more runs may wait than there are workers
	due     int  // timers that were decided
	wake    time.Time
}

// at counts the runs that the step has taken for a provider.
func (t taken) at(provider string) int {
	n := 0
	for _, w := range t.work {
		if w.Provider == provider {
			n++
		}
	}
	return n
}

// step fires what is due and starts what there are workers for. It returns
// when to come back.
func (e *Engine) step(ctx, work context.Context) (time.Time, error) {
	now := e.clock.look()
	e.turn++
	e.begin()
	defer e.end()
	var got taken
	err := e.cfg.Store.Update(ctx, func(ctx context.Context, tx rota.Tx) error {
		var err error
		got, err = e.take(ctx, tx, now)
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	e.announce(got)
	e.brake.AllowN(now, got.madeUp)
	e.setHungry(got.hungry)
	for _, w := range got.work {
		e.start(work, w)
	}
	switch {
	case got.again:
		return now, nil
	case got.left:
		return e.released(now, got.wake), nil
	case got.due == 0 && !got.wake.IsZero() && !got.wake.After(now):
		return now.Add(held), nil
	}
	return got.wake, nil
}

func (e *Engine) take(ctx context.Context, tx rota.Tx, now time.Time) (taken, error) {
	var got taken
	var err error
	_, err = tx.FireDue(ctx, now, batch, func(t rota.Timer) rota.Decision {
		got.due++
		d := e.cfg.Decide(t, now, e.clock.since)
		got.decided = append(got.decided, d.Records...)
		d.Provider = e.cfg.Provider(t.Model)
		return d
	})
	if err != nil {
		return got, err
	}
	if err := e.claim(ctx, tx, &got, now); err != nil {
		return got, err
	}
	if got.wake, err = tx.NextWake(ctx, now); err != nil || !got.wake.IsZero() && !got.wake.After(now) {
		return got, err
	}
	if err := e.catchUp(ctx, tx, &got, now); err != nil || got.madeUp == 0 {
		return got, err
	}
	return got, e.claim(ctx, tx, &got, now)
}

// claim takes the runs that wait, as far as there are workers for them.
func (e *Engine) claim(ctx context.Context, tx rota.Tx, got *taken, now time.Time) error {
	for _, p := range e.rotate() {
		free := e.free(p, *got)
		claimed, err := tx.ClaimRuns(ctx, now, p.Name, free)
		if err != nil {
			return err
		}
		got.hungry = got.hungry || len(claimed) == free
		if err := e.sort(ctx, tx, got, claimed, now); err != nil {
			return err
		}
	}
	return nil
}

// catchUp starts what was missed, as far as the brake allows and there are
// workers for it.
func (e *Engine) catchUp(ctx context.Context, tx rota.Tx, got *taken, now time.Time) error {
	room := map[string]int{"": e.free(Provider{}, *got)} // of each provider, and of all
	for _, p := range e.cfg.Providers {
		room[p.Name] = e.free(p, *got)
	}
	fires, left, err := tx.FireBacklog(ctx, now, int(e.brake.TokensAt(now)), func(t rota.Timer, o rota.Occurrence) (rota.Decision, bool) {
		d := e.cfg.CatchUp(t, o, now)
		d.Provider = e.cfg.Provider(t.Model)
		if d.Timer.OpenRuns > t.OpenRuns {
			if room[""] == 0 || room[d.Provider] == 0 {
				got.hungry = true
				return d, false
			}
			room[""]--
			room[d.Provider]--
		}
		got.decided = append(got.decided, d.Records...)
		return d, true
	})
	got.madeUp, got.left = len(fires), left
	return err
}

// released returns when the brake lets the next start through, or wake if that
// is earlier.
func (e *Engine) released(now, wake time.Time) time.Time {
	at := now
	if missing := 1 - e.brake.TokensAt(now); missing > 0 {
		at = now.Add(time.Duration(missing*float64(time.Second)/float64(e.cfg.CatchupRate)) + time.Millisecond) // steps are at whole ones
	}
	if wake.IsZero() || at.Before(wake) {
		return at
	}
	return wake
}

// sort parts the claimed runs into those that start, those that must not, and
// those whose agent has moved to another provider since they were queued.
func (e *Engine) sort(ctx context.Context, tx rota.Tx, got *taken, claimed []rota.Work, now time.Time) error {
	for _, w := range claimed {
		id := w.Run.ID
		provider := e.cfg.Provider(w.Agent.Model)
		switch {
		case w.Blocked != nil:
			end := rota.Result{Phase: rota.PhaseCancelled, Blocked: true, Error: w.Blocked, CompletedAt: now}
			if _, err := tx.FinishRun(ctx, id, end, e.cfg.Settle); err != nil {
				return err
			}
			got.blocked = append(got.blocked, id)
			got.again = true
		case provider != w.Provider:
			if err := tx.RequeueRun(ctx, id, provider); err != nil {
				return err
			}
			got.again = true
		default:
			got.work = append(got.work, w)
		}
	}
	return nil
}

// rotate returns the providers, each time beginning with another, so that none
// takes all the workers.
func (e *Engine) rotate() []Provider {
	i := e.turn % len(e.cfg.Providers)
	return append(append([]Provider(nil), e.cfg.Providers[i:]...), e.cfg.Providers[:i]...)
}

// free returns how many runs may start at the provider besides those that this
// step has taken.
func (e *Engine) free(p Provider, got taken) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.cfg.MaxConcurrentRuns - len(e.cancels) - len(got.work)
	if p.Max > 0 {
		n = min(n, p.Max-e.busy[p.Name]-got.at(p.Name))
	}
	return max(n, 0)
}

// begin notes that a step may be claiming runs. Workers that end meanwhile are
// free for those that it leaves, so the loop must hear of them.
func (e *Engine) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stepping, e.hungry = true, true
}

// end notes that what the step has claimed is at work.
func (e *Engine) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stepping = false
	clear(e.gone)
}

func (e *Engine) setHungry(hungry bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hungry = hungry
}

func (e *Engine) announce(got taken) {
	for _, o := range got.decided {
		if e.cfg.OnDecide != nil {
			e.cfg.OnDecide(o)
		}
	}
	for _, id := range got.blocked {
		if e.cfg.OnBlock != nil {
			e.cfg.OnBlock(id)
		}
	}
}

// start hands a run to a worker of its own.
func (e *Engine) start(ctx context.Context, w rota.Work) {
	ctx, cancel := context.WithCancel(ctx)
	e.mu.Lock()
	e.cancels[w.Run.ID] = cancel
	e.busy[w.Provider]++
	if e.gone[w.Run.ID] {
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

// finished frees the worker. The loop hears of it when somebody waits.
func (e *Engine) finished(w rota.Work) {
	e.mu.Lock()
	delete(e.cancels, w.Run.ID)
	e.busy[w.Provider]--
	hungry := e.hungry
	e.mu.Unlock()
	if hungry {
		e.Changed()
	}
}
