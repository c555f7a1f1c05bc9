// Package upkeep removes what is over, in the leader: agents whose retention has
// ended, with all that is their own, and then runs and occurrences that are older than
// their accounts keep them. It works in small transactions, with a pause after each, so
// that it is in nobody's way. It does nothing in the first hour, nor within an hour
// after the clock has jumped forward.
package upkeep

import (
	"context"
	"log/slog"
	"time"

	"github.com/rota-run/rota"
)

const (
	every  = time.Minute           // between looks, when there was nothing to do
	pause  = 50 * time.Millisecond // between transactions
	atOnce = 500                   // rows in one transaction
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
	for ctx.Err() == nil {
		more, err := u.step(ctx)
		wait := pause
		if err != nil && ctx.Err() == nil {
			u.Log.Error("removing what is over failed; it is tried again", "err", err)
		}
		if err != nil || !more {
			wait = every
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
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
	return u.age(ctx, now)
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
