package control

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// Retention is how long the server keeps what has ended of accounts that do not say;
// 0 is for ever.
type Retention struct {
	Runs        time.Duration
	Occurrences time.Duration
}

// Of returns what holds for an account.
func (r Retention) Of(k rota.KeptFor) rota.Retention {
	return k.Or(int64(r.Runs/time.Second), int64(r.Occurrences/time.Second))
}

// Retention returns how long the caller's account keeps what has ended. Scope
// read:account.
func (c *Control) Retention(ctx context.Context, who auth.Caller) (rota.Retention, error) {
	if err := c.enter(ctx, who, rota.ReadAccount, "retention"); err != nil {
		return rota.Retention{}, err
	}
	if err := forAccount(who); err != nil {
		return rota.Retention{}, err
	}
	k, err := c.Store.KeptFor(ctx, who.Owner.Account)
	return c.Kept.Of(k), err
}

// PutRetention sets how long the caller's account keeps what has ended. What is older
// is deleted in the background. Scope write:account.
func (c *Control) PutRetention(ctx context.Context, who auth.Caller, in rota.RetentionPut, w Write) (rota.Retention, error) {
	if err := c.enter(ctx, who, rota.WriteAccount, "put_retention"); err != nil {
		return rota.Retention{}, err
	}
	if err := forAccount(who); err != nil {
		return rota.Retention{}, err
	}
	k := rota.KeptFor{Account: who.Owner.Account}
	in.RunsSeconds.ApplyNullable(&k.Runs)
	in.OccurrencesSeconds.ApplyNullable(&k.Occurrences)
	for name, seconds := range map[string]*int64{"runs_seconds": k.Runs, "occurrences_seconds": k.Occurrences} {
		if seconds != nil && *seconds != 0 && *seconds < rota.MinRetention {
			return rota.Retention{}, rota.InvalidField(name, "must be 0, for ever, or at least %d seconds", rota.MinRetention)
		}
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, _ time.Time) (rota.Retention, error) {
		return c.Kept.Of(k), tx.SaveKeptFor(ctx, k)
	})
}
