package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/policy"
)

// switchSettles is how long the processes usually take to notice that another kind of
// engine leads, and to finish exports to Temporal that are under way.
const switchSettles = 3 * time.Second

// A Leaving takes an installation away from Temporal after a switch to another
// kind of engine. All fields but Client are required.
type Leaving struct {
	Store    Store
	Client   client.Client // nil if there is no Temporal any more: what it has stays
	Now      func() time.Time
	Wait     time.Duration  // for runs that Temporal's workers still work on
	Progress func(runs int) // called each second with how many those are
}

// Leave waits until the runs that workers have taken from Temporal have ended,
// ends the workflows of those that take too long and returns the runs to the
// queue, and then deletes the installation's schedules in Temporal. It may be
// repeated.
func (l Leaving) Leave(ctx context.Context) error {
	engine.Pause(ctx, switchSettles)
	until := l.Now().Add(l.Wait)
	claimed, err := l.Store.Claimed(ctx)
	for err == nil && len(claimed) > 0 && l.Now().Before(until) && ctx.Err() == nil {
		l.Progress(len(claimed))
		engine.Pause(ctx, time.Second)
		claimed, err = l.Store.Claimed(ctx)
	}
	if err = errors.Join(err, context.Cause(ctx)); err != nil {
		return err
	}
	for _, w := range claimed {
		err = errors.Join(err, l.interrupt(ctx, w.At))
	}
	return errors.Join(err, l.clear(ctx))
}

// interrupt returns an attempt to the queue, and ends its workflow. Whoever still
// works on it has no say in the next attempt.
func (l Leaving) interrupt(ctx context.Context, a rota.Attempt) error {
	err := l.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		_, err := tx.ReturnRun(ctx, a, rota.InstantOf(l.Now()).Time, policy.Lost, policy.Settle)
		return err
	})
	if err != nil {
		return err
	}
	if l.Client == nil {
		return nil
	}
	err = l.Client.TerminateWorkflow(ctx, workflowID(a), "", "the embedded engine takes over")
	if err != nil && !missing(err) {
		return fmt.Errorf("end workflow %s: %w", workflowID(a), err)
	}
	return nil
}

func (l Leaving) clear(ctx context.Context) error {
	k, err := l.Store.Leadership(ctx)
	if err != nil {
		return err
	}
	if k.Kind == rota.EngineTemporal {
		return rota.Errorf(rota.Conflict, "somebody has switched back to Temporal meanwhile")
	}
	if l.Client != nil {
		if err := l.hide(ctx, k.Installation); err != nil {
			return err
		}
	}
	return l.Store.Update(ctx, func(ctx context.Context, tx Tx) error { return tx.Forget(ctx) })
}

// hide deletes the installation's schedules in Temporal.
func (l Leaving) hide(ctx context.Context, installation string) error {
	theirs, err := schedules(ctx, l.Client, installation)
	if err != nil {
		return fmt.Errorf("list the schedules in Temporal: %w", err)
	}
	// Temporal lists late what was made just now.
	err = exported(ctx, l.Store, func(id rota.ScheduleID, paused bool) error {
		theirs[id] = paused
		return nil
	})
	if err != nil {
		return err
	}
	for id := range theirs {
		err := l.Client.ScheduleClient().GetHandle(ctx, string(id)).Delete(ctx)
		if err != nil && !missing(err) {
			return fmt.Errorf("delete schedule %s in Temporal: %w", id, err)
		}
	}
	return nil
}
