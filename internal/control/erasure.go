package control

import (
	"context"
	"errors"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/policy"
)

const (
	eraseAtOnce = 500                    // rows in one transaction
	cancelled   = 50                     // runs that one transaction cancels
	eraseEvery  = 10 * time.Millisecond  // between transactions
	eraseRest   = 200 * time.Millisecond // until the next try when what is left cannot be deleted yet
	eraseTries  = 150                    // after which a call gives up
	eraseAlone  = time.Minute            // after which a deletion that nobody goes on with is taken up
)

// EraseReader finds what is to be deleted with end users.
type EraseReader interface {
	// Erasures returns up to limit end users that are to be deleted, and of whom nobody
	// has deleted anything since an instant.
	Erasures(ctx context.Context, since time.Time, limit int) ([]rota.Owner, error)

	// OpenRunIDs returns up to limit runs of an owner that have not ended.
	OpenRunIDs(ctx context.Context, o rota.Owner, limit int) ([]rota.RunID, error)
}

// Eraser deletes end users.
type Eraser interface {
	// BeginErasure notes that all of an end user is to be deleted, until nothing is left.
	BeginErasure(ctx context.Context, o rota.Owner, now time.Time) error

	// EraseSome deletes up to limit rows of an end user, and returns what has been
	// deleted so far, and whether there was anything; cancelled is how many runs have been cancelled for it since the
	// last step. It leaves runs that have not ended, and schedules of whose end an engine
	// outside does not know yet. It is NotFound when nothing is to be deleted.
	EraseSome(ctx context.Context, o rota.Owner, cancelled int64, now time.Time, limit int) (e rota.Erasure, some bool, err error)

	// DeleteEnded deletes runs that have ended, and returns how many.
	DeleteEnded(ctx context.Context, runs []rota.RunID) (int64, error)
}

// DeleteEndUser deletes an end user of the caller's account with all that is theirs,
// and cancels the runs that have not ended. It takes as long as there is something
// left, in small transactions; if it ends before, [Control.ResumeErasures] goes on. Scope
// write:account.
func (c *Control) DeleteEndUser(ctx context.Context, who auth.Caller, user string) (rota.Erasure, error) {
	if err := c.enter(ctx, who, rota.WriteAccount, "delete_end_user", on("of_end_user", user)); err != nil {
		return rota.Erasure{}, err
	}
	o, err := endUserOf(who, user)
	if err != nil {
		return rota.Erasure{}, err
	}
	err = c.Store.Update(ctx, func(ctx context.Context, tx Tx) error { return tx.BeginErasure(ctx, o, c.Now().UTC()) })
	if err != nil {
		return rota.Erasure{}, err
	}
	return c.erase(ctx, o)
}

// endUserOf returns an end user of the caller's account as an owner.
func endUserOf(who auth.Caller, user string) (rota.Owner, error) {
	o := rota.Owner{Account: who.Owner.Account, EndUser: user}
	if err := forAccount(who); err != nil {
		return o, err
	}
	return o, auth.CheckEndUser("end_user", user)
}

// ResumeErasures goes on with the deletion of an end user that nobody goes on with, and
// reports whether there was one.
func (c *Control) ResumeErasures(ctx context.Context) (bool, error) {
	left, err := c.Store.Erasures(ctx, c.Now().Add(-eraseAlone), 1)
	if err != nil || len(left) == 0 {
		return false, err
	}
	_, err = c.erase(ctx, left[0])
	return true, err
}

// erase deletes what there is of an end user until nothing is left.
func (c *Control) erase(ctx context.Context, o rota.Owner) (e rota.Erasure, err error) {
	for tries := 0; ; tries++ {
		var some bool
		if e, some, err = c.eraseStep(ctx, o, e); err != nil || e.Deleted {
			c.Engine.Changed()
			return e, err
		}
		wait := eraseEvery
		if some {
			tries = 0
		} else if wait = eraseRest; tries == eraseTries {
			return e, rota.Errorf(rota.Unavailable, "some of it is still in use; the deletion goes on in the background: ask again later")
		}
		if err := c.rest(ctx, wait); err != nil {
			return e, err
		}
	}
}

// rest waits between transactions, so that others get on.
func (c *Control) rest(ctx context.Context, d time.Duration) error {
	if c.Rest == nil {
		return ctx.Err()
	}
	return c.Rest(ctx, d)
}

// eraseStep makes one step, and reports whether anything was there to be done.
func (c *Control) eraseStep(ctx context.Context, o rota.Owner, before rota.Erasure) (e rota.Erasure, some bool, err error) {
	open, err := c.Store.OpenRunIDs(ctx, o, cancelled)
	if err != nil {
		return before, false, err
	}
	err = c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		now := c.Now().UTC()
		for _, id := range open {
			if err := cancelFor(ctx, tx, o, id, now); err != nil {
				return err
			}
		}
		var err error
		e, some, err = tx.EraseSome(ctx, o, int64(len(open)), now, eraseAtOnce)
		return err
	})
	if errors.Is(err, rota.NotFound) { // somebody else has ended it
		before.Object, before.ID, before.Deleted = rota.ObjectErasure, o.EndUser, true
		return before, true, nil
	}
	if err != nil {
		return before, false, err
	}
	for _, id := range open {
		c.Engine.Cancel(id)
		c.Hub.End(id)
	}
	return e, some || len(open) > 0, nil
}

// cancelFor cancels a run of an owner, if it has not ended.
func cancelFor(ctx context.Context, tx Tx, o rota.Owner, id rota.RunID, now time.Time) error {
	run, err := tx.RunByID(ctx, o, id)
	if err != nil {
		return err
	}
	why := rota.RunError{Code: rota.RunErrCancelled, Message: "the end user was deleted"}
	_, err = tx.FinishRun(ctx, id, rota.Result{
		Phase: rota.PhaseCancelled, Error: &why, Tokens: rota.TokensOf(run.Attempts...), CompletedAt: now,
	}, policy.Settle)
	return err
}

// DeleteRun deletes a run that has ended. One that has not is a Conflict. What became of
// its nominal time stays on record. Scope write:agents.
func (c *Control) DeleteRun(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.RunID, w Write) (rota.Deleted[rota.RunID], error) {
	gone := rota.Deleted[rota.RunID]{Object: rota.ObjectRunDeleted, ID: id, Deleted: true}
	if err := c.enter(ctx, who, rota.WriteAgents, "delete_run", on("agent_id", agent), on("run_id", id)); err != nil {
		return gone, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, _ time.Time) (rota.Deleted[rota.RunID], error) {
		if _, err := tx.Run(ctx, who.Owner, agent, id); err != nil {
			return gone, err
		}
		n, err := tx.DeleteEnded(ctx, []rota.RunID{id})
		if err == nil && n == 0 {
			err = rota.Errorf(rota.Conflict, "the run has not ended; cancel it first")
		}
		return gone, err
	})
}
