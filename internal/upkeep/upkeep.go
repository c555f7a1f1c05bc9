// Package upkeep removes what is over, in the leader: agents whose retention has
// ended, with all that is their own, counts that are older than they are kept, and then
// runs and occurrences that are older than their accounts keep them. It works in small transactions, with a pause after each, so
// that it is in nobody's way. It removes nothing in the first hour, nor within an hour
// after the clock has jumped forward. It also folds what was counted
// lately: see Fold.
package upkeep

import (
	"context"
	"log/slog"
	"time"

	"github.com/rota-run/rota"
)

const (
	every     = time.Minute           // between looks, when there was nothing to do
	foldEvery = 5 * time.Second       // the same for what was counted
	pause     = 50 * time.Millisecond // between transactions
	atOnce    = 500                   // rows in one transaction
)

// A Store is where the upkeep finds what is over.
type Store interface {
	DueReader
	AgeReader

	// Update runs fn in one transaction and returns when it is durable. fn may
	// run twice.
	Update(ctx context.Context, fn func(context.Context, Tx) error) error
}

// A DueReader knows whether anything is over.
type DueReader interface {
	// PurgeDue reports whether PurgeAgent may have something to do.
	PurgeDue(ctx context.Context, now time.Time) (bool, error)

	// TalliesLogged reports whether FoldTallies has something to do.
	TalliesLogged(ctx context.Context) (bool, error)

	// TalliesBefore reports whether there are counts of hours before an instant.
	TalliesBefore(ctx context.Context, before time.Time) (bool, error)
}

// A Tx is one transaction.
type Tx interface {
	// PurgeAgent makes one step: of the agent whose retention ended first, it
	// removes up to limit rows of a kind, and at last the agent, and keeps count in
	// a row that stays. Agents with runs that have not ended, or with schedules of
	// whose end an engine outside does not know yet, have to wait.
	PurgeAgent(ctx context.Context, now time.Time, limit int) (rota.Purge, error)

	// DeleteEnded deletes runs that have ended, and returns how many.
	DeleteEnded(ctx context.Context, runs []rota.RunID) (int64, error)

	// DeleteOccurrences deletes occurrences that nobody has changed since they were
	// read, and returns how many. Each schedule keeps in mind the last nominal time
	// that it loses.
	DeleteOccurrences(ctx context.Context, old []rota.OldOccurrence) (int64, error)

	// DeleteTallies deletes up to limit counts of each kind of the hours before an
	// instant, and returns how many.
	DeleteTallies(ctx context.Context, before time.Time, limit int) (int64, error)

	// FoldTallies adds a part of what was counted lately to the counts of its hours, and
	// reports whether there was anything.
	FoldTallies(ctx context.Context) (bool, error)
}

// Upkeep is the loop. Store, Now and Log are required.
type Upkeep struct {
	Store Store
	Now   func() time.Time
	Log   *slog.Logger

	// Kept is how long an account keeps what has ended, by its own settings and the
	// server's. Nil is for ever.
	Kept func(rota.KeptFor) rota.Retention

	// Resume goes on with the deletion of an end user that nobody goes on with, and
	// reports whether there was one. It may be nil.
	Resume func(context.Context) (bool, error)

	clock trust
	pass  pass
}

// Run works until ctx ends. While the store fails, it tries again.
func (u *Upkeep) Run(ctx context.Context) {
	u.repeat(ctx, u.step, every, "removing what is over failed; it is tried again")
}

// Fold adds up what is counted, every few seconds, until ctx ends. While the store
// fails, it tries again.
func (u *Upkeep) Fold(ctx context.Context) {
	u.repeat(ctx, u.fold, foldEvery, "adding up what was counted failed; it is tried again")
}

// repeat makes steps until ctx ends: the next one soon if there may be more to do, or
// else later.
func (u *Upkeep) repeat(ctx context.Context, step func(context.Context) (more bool, err error), later time.Duration, failed string) {
	for ctx.Err() == nil {
		more, err := step(ctx)
		wait := pause
		if err != nil && ctx.Err() == nil {
			u.Log.Error(failed, "err", err)
		}
		if err != nil || !more {
			wait = later
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// fold moves a part of what was counted to where it stays.
func (u *Upkeep) fold(ctx context.Context) (more bool, err error) {
	if some, err := u.Store.TalliesLogged(ctx); err != nil || !some {
		return false, err
	}
	err = u.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		more, err = tx.FoldTallies(ctx)
		return err
	})
	return more, err
}

// step makes one transaction, if there is anything to do, and reports whether there
// may be more.
func (u *Upkeep) step(ctx context.Context) (more bool, err error) {
	if u.Resume != nil {
		if resumed, err := u.Resume(ctx); resumed || err != nil {
			return resumed, err
		}
	}
	now := u.Now()
	trusted, jumped := u.clock.read(now)
	if jumped > 0 {
		u.Log.Warn("the clock jumped forward: nothing is deleted for its age for an hour", "by", jumped.Round(time.Second))
	}
	if !trusted {
		u.pass = pass{}
		return false, nil
	}
	if purged, err := u.purge(ctx, now); purged || err != nil {
		return purged, err
	}
	if forgotten, err := u.forget(ctx, now.Add(-rota.TallyKept)); forgotten || err != nil {
		return forgotten, err
	}
	return u.age(ctx, now)
}

// forget deletes counts of hours before an instant, and reports whether there were any.
func (u *Upkeep) forget(ctx context.Context, before time.Time) (bool, error) {
	if old, err := u.Store.TalliesBefore(ctx, before); err != nil || !old {
		return false, err
	}
	n, err := u.inTx(ctx, func(ctx context.Context, tx Tx) (int64, error) { return tx.DeleteTallies(ctx, before, atOnce) })
	return n > 0, err
}

// purge makes a step of purging an agent, and reports whether there was one.
func (u *Upkeep) purge(ctx context.Context, now time.Time) (bool, error) {
	if due, err := u.Store.PurgeDue(ctx, now); err != nil || !due {
		return false, err
	}
	var p rota.Purge
	err := u.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		var err error
		p, err = tx.PurgeAgent(ctx, now, atOnce)
		return err
	})
	if err == nil && p.Done {
		u.Log.Info("agent purged", "agent_id", p.AgentID, "rule", p.Rule,
			"versions", p.Versions, "runs", p.Runs, "schedules", p.Schedules, "occurrences", p.Occurrences)
	}
	return p.AgentID != "", err
}
