package temporal

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"golang.org/x/sync/errgroup"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/policy"
)

const (
	turnEvery   = time.Second     // what Temporal has woken nobody for is this late at most
	beatEvery   = 2 * time.Second // the keeper says in the database that it looks
	strandEvery = 5 * time.Second
	strandAfter = 10 * time.Second // a claimed run that nobody has taken is started again
	auditEvery  = time.Hour
	resign      = 3 // beats without Temporal, after which another process may keep time
)

// errAlone ends the time of a keeper that Temporal does not answer, while it may
// answer others.
var errAlone = errors.New("the keeper gets no answer from Temporal")

// keep keeps time while this process is the one that does. It returns when ctx
// ends, or when somebody else had better.
func (e *Engine) keep(ctx context.Context) error {
	e.keeping.Store(true)
	defer e.keeping.Store(false)
	if e.cfg.OnKeep != nil {
		e.cfg.OnKeep(true)
		defer e.cfg.OnKeep(false)
	}
	k := &keeper{Engine: e, clock: engine.NewClock(e.cfg.Now)}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return k.attendance(ctx) })
	group.Go(func() error { e.mirror(ctx); return nil })
	group.Go(func() error { e.sweeps(ctx); return nil })
	group.Go(func() error { e.rounds(ctx); return nil })
	err := group.Wait()
	if k.begun {
		e.cfg.Log.Info("this process no longer keeps time", "cause", context.Cause(ctx))
	}
	if errors.Is(err, errAlone) {
		return nil
	}
	return err
}

// rounds takes turns for what nobody was woken for.
func (e *Engine) rounds(ctx context.Context) {
	for ctx.Err() == nil {
		taken, err := e.turn(ctx)
		if err != nil || !taken.Left {
			engine.Pause(ctx, turnEvery)
			continue
		}
		engine.Pause(ctx, min(turnEvery, max(e.brake.Wait(e.cfg.Now()), time.Millisecond)))
	}
}

// A keeper is a process in the time in which it keeps time.
type keeper struct {
	*Engine
	begun bool
	clock engine.Clock
}

// attendance says in the database that somebody looks at what is due, as long as
// Temporal answers.
func (k *keeper) attendance(ctx context.Context) error {
	for away := 0; ctx.Err() == nil; engine.Pause(ctx, beatEvery) {
		if k.unwell.Load() {
			if away++; away == resign {
				return errAlone
			}
			continue
		}
		away = 0
		if err := k.attend(ctx); err != nil && ctx.Err() == nil {
			k.cfg.Log.Error("the time could not be kept; it is tried again", "err", err)
		}
	}
	return nil
}

// attend says once that somebody looks. If nobody did for a while, what falls due
// is looked at from now on, and what was claimed before is claimed anew.
func (k *keeper) attend(ctx context.Context) error {
	since := k.clock.Since
	now := k.clock.Look()
	slept := k.clock.Since.After(since) // or its clock was set forward
	providers := k.cfg.Step.Names()
	var got rota.Recovered
	err := k.update(ctx, func(ctx context.Context, tx Tx) error {
		st, err := tx.Leadership(ctx)
		if err != nil {
			return err
		}
		switch lapsed := slept || now.Sub(st.SeenAt) > lapse || now.Before(st.Since); {
		case st.Since.IsZero(): // another kind of engine was here
			got, err = tx.Recover(ctx, now, providers, policy.Settle)
			st.Since = now
		case lapsed:
			err = unclaim(ctx, tx, now)
			st.Since = now
		}
		if err == nil && !k.begun {
			err = tx.Rehome(ctx, providers)
		}
		if err != nil {
			return err
		}
		st.SeenAt = now
		return tx.SaveLeadership(ctx, rota.EngineTemporal, st)
	})
	if err != nil {
		return err
	}
	if !k.begun {
		k.begun = true
		k.cfg.Log.Info("this process keeps time")
	}
	if got.Some() {
		k.cfg.Log.Warn("took over unfinished runs", "resumed", got.Resumed, "lost", len(got.Lost))
	}
	for _, id := range got.Lost {
		k.lost(id)
	}
	return nil
}

// unclaim puts back what was claimed and has not begun.
func unclaim(ctx context.Context, tx Tx, now time.Time) error {
	unstarted, err := tx.Unstarted(ctx, now)
	for _, c := range unstarted {
		if err == nil {
			err = tx.RequeueRun(ctx, c.At, c.Provider)
		}
	}
	return err
}

// sweeps looks after runs that nobody works on, again and again.
func (e *Engine) sweeps(ctx context.Context) {
	for ; ctx.Err() == nil; engine.Pause(ctx, strandEvery) {
		if e.unwell.Load() {
			continue
		}
		if err := errors.Join(e.restart(ctx), e.takeBack(ctx)); err != nil {
			e.complain(ctx, "looking for stranded runs failed", err)
		}
	}
}

// restart starts the workflows of attempts that were claimed by a process that
// died before it had them started.
func (e *Engine) restart(ctx context.Context) error {
	reading, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	unstarted, err := e.cfg.Store.Unstarted(reading, e.cfg.Now().Add(-strandAfter))
	for _, c := range unstarted {
		e.start(c)
	}
	return err
}

// takeBack returns attempts to the queue that no workflow works on any more,
// because somebody has ended it.
func (e *Engine) takeBack(ctx context.Context) error {
	reading, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	claimed, err := e.cfg.Store.Claimed(reading)
	for _, c := range claimed {
		longest := time.Duration(c.Policy.TimeoutSeconds)*time.Second + 2*overtime
		if err != nil || e.cfg.Now().Sub(c.Since) < longest {
			continue
		}
		var open bool
		if open, err = e.isOpen(ctx, c.At); err == nil && !open {
			err = e.giveBack(ctx, c.At)
		}
	}
	return err
}

// isOpen reports whether the workflow of an attempt goes on.
func (e *Engine) isOpen(ctx context.Context, a rota.Attempt) (bool, error) {
	d, err := e.cfg.Client.DescribeWorkflowExecution(ctx, workflowID(a), "")
	if missing(err) {
		return false, nil
	}
	return d.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, err
}
