// Package upkeep removes what is over, in the leader: agents whose
// retention has ended, with all that is their own. It works in small transactions,
// with a pause after each, so that it is in nobody's way. It does nothing in the first
// hour, nor within an hour after the clock has jumped forward.
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
}

// Upkeep is the loop. All fields are required.
type Upkeep struct {
	Store Store
	Now   func() time.Time
	Log   *slog.Logger

	clock trust
}

// Run works until ctx ends. While the store fails, it tries again.
func (u *Upkeep) Run(ctx context.Context) {
	for ctx.Err() == nil {
		p, err := u.purge(ctx)
		wait := pause
		switch {
		case err != nil && ctx.Err() == nil:
			u.Log.Error("purging deleted agents failed; it is tried again", "err", err)
			wait = every
		case p.AgentID == "":
			wait = every
		case p.Done:
			u.Log.Info("agent purged", "agent_id", p.AgentID, "rule", p.Rule,
				"versions", p.Versions, "runs", p.Runs, "schedules", p.Schedules, "occurrences", p.Occurrences)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (u *Upkeep) purge(ctx context.Context) (p rota.Purge, err error) {
	now := u.Now()
	trusted, jumped := u.clock.read(now)
	if jumped > 0 {
		u.Log.Warn("the clock jumped forward: no deleted agent is purged for an hour", "by", jumped.Round(time.Second))
	}
	if !trusted {
		return p, nil
	}
	if due, err := u.Store.PurgeDue(ctx, now); err != nil || !due {
		return p, err
	}
	err = u.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		var err error
		p, err = tx.PurgeAgent(ctx, now, atOnce)
		return err
	})
	return p, err
}
