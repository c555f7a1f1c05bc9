package temporal

import (
	"context"
	"errors"
	"time"

	"github.com/rota-run/rota"
)

const (
	turnEvery   = time.Second     // what Temporal has woken nobody for is this late at most
	beatEvery   = 2 * time.Second // the keeper says in the database that it looks
	strandEvery = 5 * time.Second
	strandAfter = 10 * time.Second // a claimed run that nobody has taken is started again
	auditEvery  = time.Hour
	jump        = time.Minute // how far the wall clock may run ahead of the process unnoticed
)

// keep keeps time while this process is the one that does.
func (e *Engine) keep(ctx context.Context) error {
	e.keeping.Store(true)
	defer e.keeping.Store(false)
	if e.cfg.OnKeep != nil {
		e.cfg.OnKeep(true)
		defer e.cfg.OnKeep(false)
	}
	k := keeper{Engine: e}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.mirror(ctx)
	}()
	for ctx.Err() == nil {
		pause(ctx, k.round(ctx))
	}
	<-done
	return nil
}

// A keeper is a process in the time in which it keeps time.
type keeper struct {
	*Engine
	begun        bool
	beat, swept  time.Time // of the process
	wall, passed time.Time // the last look at the two clocks
}

// round does what is to be done now, and returns when to come back.
func (k *keeper) round(ctx context.Context) time.Duration {
	if k.unwell.Load() {
		return turnEvery
	}
	passed := time.Now()
	if passed.Sub(k.beat) >= beatEvery && k.attend(ctx) {
		k.beat = passed
	}
	if passed.Sub(k.swept) >= strandEvery && k.sweep(ctx) {
		k.swept = passed
	}
	taken, err := k.turn(ctx)
	switch {
	case err != nil || !taken.Left && !taken.Hungry:
		return turnEvery
	case taken.Left:
		now := k.cfg.Now()
		if missing := 1 - k.brake.TokensAt(now); missing > 0 {
			return min(turnEvery, time.Duration(missing*float64(time.Second)/float64(k.cfg.CatchupRate))+time.Millisecond)
		}
		return time.Millisecond
	}
	return turnEvery
}

// attend says in the database that somebody looks at what is due. If nobody did
// for a while, it takes over what was left.
func (k *keeper) attend(ctx context.Context) bool {
	now := rota.InstantOf(k.cfg.Now()).Time
	slept := k.slept(now)
	var providers []string
	for _, p := range k.cfg.Step.Providers {
		providers = append(providers, p.Name)
	}
	var lapsed bool
	var got rota.Recovered
	err := k.update(ctx, func(ctx context.Context, tx rota.Tx) error {
		st, err := tx.Keeping(ctx)
		if err != nil || st.Kind != rota.EngineTemporal {
			return errors.Join(err, errWrongKind(st.Kind))
		}
		lapsed = slept || now.Sub(st.SeenAt) > lapse || now.Before(st.Since)
		switch {
		case lapsed:
			st.Since = now
			got, err = tx.Recover(ctx, now, providers, k.cfg.Step.Settle)
		case !k.begun:
			err = tx.Rehome(ctx, providers)
		}
		if err != nil {
			return err
		}
		st.SeenAt = now
		return tx.SaveKeeping(ctx, st)
	})
	k.begun = k.begun || err == nil
	switch {
	case err != nil && ctx.Err() == nil:
		k.cfg.Log.Error("the time could not be kept; it is tried again", "err", err)
	case got != rota.Recovered{}:
		k.cfg.Log.Warn("took over unfinished runs", "resumed", got.Resumed, "lost", got.Lost)
	}
	return err == nil
}

// slept reports whether the machine slept, or its clock was set forward, since
// the last look.
func (k *keeper) slept(now time.Time) bool {
	passed := time.Now()
	slept := !k.wall.IsZero() && now.Sub(k.wall) > passed.Sub(k.passed)+jump
	k.wall, k.passed = now, passed
	return slept
}

// sweep starts the workflows of attempts that were claimed by a process that died
// before it had them started, and takes back those that no workflow can be working
// on any more, because somebody has ended it.
func (k *keeper) sweep(ctx context.Context) bool {
	now := rota.InstantOf(k.cfg.Now()).Time
	var stranded []rota.Work
	err := k.update(ctx, func(ctx context.Context, tx rota.Tx) (err error) {
		if stranded, err = tx.Stranded(ctx, now.Add(-strandAfter)); err != nil {
			return err
		}
		taken, err := tx.Taken(ctx)
		for _, t := range taken {
			longest := time.Duration(t.Policy.TimeoutSeconds)*time.Second + 2*overtime
			if err == nil && now.Sub(t.At) > longest {
				_, err = tx.ReturnRun(ctx, attemptOf(t.Work), now, k.cfg.Step.Settle)
			}
		}
		return err
	})
	for _, w := range stranded {
		k.start(w)
	}
	if err != nil && ctx.Err() == nil {
		k.cfg.Log.Error("looking for stranded runs failed; it is tried again", "err", err)
	}
	return err == nil
}

// errWrongKind is nil for the engine of this package.
func errWrongKind(k rota.EngineKind) error {
	if k == rota.EngineTemporal {
		return nil
	}
	return rota.Errorf(rota.Conflict, "the engine of this installation is %s", k)
}
