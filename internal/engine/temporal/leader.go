package temporal

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"golang.org/x/sync/errgroup"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/policy"
)

const (
	pollEvery      = time.Second     // if a wake-up was lost, the step is this late at most
	renewEvery     = 2 * time.Second // the leader renews its leadership in the database
	rescueEvery    = 5 * time.Second
	unstartedAfter = 10 * time.Second // a claimed run that no worker has taken is started again
	auditEvery     = time.Hour
	resignAfter    = 3 // renewals without Temporal, after which the leader resigns
)

// errNoTemporal makes a leader resign that cannot reach Temporal. Another process
// may be able to.
var errNoTemporal = errors.New("the leader gets no answer from Temporal")

// lead does the leader's work until ctx ends or another process should lead.
func (e *Engine) lead(ctx context.Context) error {
	e.leading.Store(true)
	defer e.leading.Store(false)
	if e.cfg.OnLead != nil {
		e.cfg.OnLead(true)
		defer e.cfg.OnLead(false)
	}
	k := &leader{Engine: e, clock: engine.NewClock(e.cfg.Now), replanner: engine.Replanner{Log: e.cfg.Log, NotBefore: e.cfg.NotBefore, ZoneData: e.cfg.ZoneData, Exports: true}}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return k.renewLoop(ctx) })
	group.Go(func() error { e.mirror(ctx); return nil })
	group.Go(func() error { e.rescue(ctx); return nil })
	group.Go(func() error { e.poll(ctx); return nil })
	err := group.Wait()
	if k.begun {
		e.cfg.Log.Info("this process is no longer the leader", "cause", engine.Cause(ctx))
	}
	if errors.Is(err, errNoTemporal) {
		return nil
	}
	return err
}

// poll takes a step each second, in case a wake-up was lost, or sooner while there
// are backlogs.
func (e *Engine) poll(ctx context.Context) {
	for ctx.Err() == nil {
		batch, err := e.step(ctx)
		if err != nil || !batch.BacklogLeft {
			engine.Pause(ctx, pollEvery)
			continue
		}
		engine.Pause(ctx, min(pollEvery, max(e.throttle.Wait(e.cfg.Now()), time.Millisecond)))
	}
}

// A leader is the state of one term of leadership.
type leader struct {
	*Engine
	begun     bool
	clock     engine.Clock
	replanner engine.Replanner
}

// renewLoop renews the leadership in the database as long as Temporal answers.
func (k *leader) renewLoop(ctx context.Context) error {
	for missed := 0; ctx.Err() == nil; engine.Pause(ctx, renewEvery) {
		if k.unreachable.Load() {
			if missed++; missed == resignAfter {
				return errNoTemporal
			}
			continue
		}
		missed = 0
		if err := k.renew(ctx); err != nil && ctx.Err() == nil {
			k.cfg.Log.Error("the leadership could not be renewed; it is tried again", "err", err)
		}
		if err := k.replan(ctx); err != nil && ctx.Err() == nil {
			k.cfg.Log.Error("planning schedules anew failed; it is tried again", "err", err)
		}
	}
	return nil
}

// renew stores that this process leads. If no process did for a while, what fell
// due meanwhile was missed, and runs that were claimed and not started go back to
// the queue.
func (k *leader) renew(ctx context.Context) error {
	since := k.clock.Since
	now := k.clock.Now()
	slept := k.clock.Since.After(since) // the process or its machine, or its clock was set forward
	var got rota.Recovered
	var st cluster.Leadership
	var wasAhead bool
	err := k.update(ctx, func(ctx context.Context, tx Tx) (err error) {
		if st, err = tx.Leadership(ctx); err != nil {
			return err
		}
		if got, err = k.takeOver(ctx, tx, &st, now, slept); err != nil {
			return err
		}
		st, wasAhead = k.replanner.Seen(st, now, k.clock.SetBack())
		return tx.SaveLeadership(ctx, rota.EngineTemporal, st)
	})
	if err != nil {
		return err
	}
	k.clock.Forgive()
	k.clock.Report(k.cfg.Log, k.cfg.OnOutage)
	k.replanner.Begin(st, wasAhead)
	if wasAhead && k.cfg.OnSetBack != nil {
		k.cfg.OnSetBack()
	}
	if !k.begun {
		k.begun = true
		k.cfg.Log.Info("this process is the leader")
	}
	k.cfg.paused(got.Paused...)
	if got.Some() {
		k.cfg.Log.Warn("took over unfinished runs", "resumed", got.Resumed, "lost", len(got.Lost))
	}
	for _, id := range got.Lost {
		k.lost(id)
	}
	return nil
}

// takeOver does what the first renewal of a term, and one after a lapse, has to do.
func (k *leader) takeOver(ctx context.Context, tx Tx, st *cluster.Leadership, now time.Time, slept bool) (got rota.Recovered, err error) {
	providers := k.cfg.Step.Names()
	switch lapsed := slept || now.Sub(st.SeenAt) >= leaderLapse || now.Before(st.Since); {
	case st.Since.IsZero(): // another kind of engine was here
		got, err = tx.Recover(ctx, now, providers, policy.Lost, policy.Settle)
		st.Since = now
	case lapsed:
		err = unclaim(ctx, tx, later(now, st.SeenAt)) // the clock may have been ahead when they were claimed
		st.Since = now
	}
	if err == nil && !k.begun {
		err = tx.Rehome(ctx, providers)
	}
	return got, err
}

// replan plans timers anew, if it is necessary, for as long as the leadership need not be
// renewed.
func (k *leader) replan(ctx context.Context) error {
	for until := time.Now().Add(renewEvery / 2); k.replanner.Pending() && time.Now().Before(until); {
		now := rota.InstantOf(k.cfg.Now()).Time
		var page engine.Page
		err := k.update(ctx, func(ctx context.Context, tx Tx) (err error) {
			page, err = k.replanner.Plan(ctx, tx.Planner, now)
			return err
		})
		if err != nil {
			return err
		}
		k.replanner.Planned(page)
	}
	return nil
}

// unclaim requeues runs that were claimed and that no worker has taken.
func unclaim(ctx context.Context, tx Tx, now time.Time) error {
	unstarted, err := tx.Unstarted(ctx, now)
	for _, c := range unstarted {
		if err == nil {
			err = tx.RequeueRun(ctx, c.At, c.Provider)
		}
	}
	return err
}

// rescue finds claimed runs that no worker or workflow has, every few seconds.
func (e *Engine) rescue(ctx context.Context) {
	for ; ctx.Err() == nil; engine.Pause(ctx, rescueEvery) {
		if e.unreachable.Load() {
			continue
		}
		if err := errors.Join(e.startUnstarted(ctx), e.requeueAbandoned(ctx)); err != nil {
			e.logFailure(ctx, "looking for stranded runs failed", err)
		}
	}
}

// startUnstarted starts the workflows of attempts whose process died after
// claiming them.
func (e *Engine) startUnstarted(ctx context.Context) error {
	reading, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	unstarted, err := e.cfg.Store.Unstarted(reading, e.cfg.Now().Add(-unstartedAfter))
	for _, c := range unstarted {
		e.start(c)
	}
	return err
}

// requeueAbandoned requeues attempts whose workflow has been ended by hand.
func (e *Engine) requeueAbandoned(ctx context.Context) error {
	reading, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	claimed, err := e.cfg.Store.Claimed(reading)
	for _, c := range claimed {
		longest := time.Duration(c.Policy.TimeoutSeconds)*time.Second + 2*overtime
		since := e.cfg.Now().Sub(c.Since) // negative if the clock was set back meanwhile
		if err != nil || since >= 0 && since < longest {
			continue
		}
		var open bool
		if open, err = e.isOpen(ctx, c.At); err == nil && !open {
			err = e.requeueAttempt(ctx, c.At)
		}
	}
	return err
}

// isOpen reports whether the workflow of an attempt is running.
func (e *Engine) isOpen(ctx context.Context, a rota.Attempt) (bool, error) {
	d, err := e.cfg.Client.DescribeWorkflowExecution(ctx, workflowID(a), "")
	if missing(err) {
		return false, nil
	}
	return d.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, err
}
