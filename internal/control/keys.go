package control

import (
	"context"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/policy"
)

// CreateKey makes a key. Its secret is in the answer and nowhere else. Scope
// write:apikeys, and write:accounts for another account.
func (c *Control) CreateKey(ctx context.Context, who auth.Caller, in rota.KeyCreate) (rota.NewKey, error) {
	k, err := newKey(who, in, c.Now().UTC())
	if err != nil {
		return rota.NewKey{}, err
	}
	secret := auth.NewSecret()
	k.Hint = auth.Hint(secret)
	err = c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		return tx.AddKey(ctx, k, auth.Hash(secret))
	})
	return rota.NewKey{Key: k, Secret: secret}, err
}

func newKey(who auth.Caller, in rota.KeyCreate, now time.Time) (rota.Key, error) {
	k := rota.Key{
		Object:     rota.ObjectKey,
		ID:         rota.NewKeyID(now),
		Account:    who.Owner.Account,
		Name:       in.Name,
		CreatedAt:  rota.InstantOf(now),
		Scopes:     grantable(who),
		RateLimits: []rota.RateLimit{},
	}
	if err := who.Require(rota.WriteAPIKeys); err != nil {
		return k, err
	}
	in.Account.Apply(&k.Account)
	if k.Account != who.Owner.Account {
		if err := who.Require(rota.WriteAccounts); err != nil {
			return k, err
		}
	}
	in.Scopes.Apply(&k.Scopes)
	if err := checkScopes(who, k.Scopes); err != nil {
		return k, err
	}
	in.RateLimits.Apply(&k.RateLimits)
	if per, twice := rota.SamePeriod(k.RateLimits); twice {
		return k, rota.InvalidField("rate_limits", "must have one limit for a %s, not two", per)
	}
	in.ExpiresAt.ApplyNullable(&k.ExpiresAt)
	if k.ExpiresAt != nil && !k.ExpiresAt.After(now) {
		return k, rota.InvalidField("expires_at", "must be in the future; the server's time is %s", rota.InstantOf(now))
	}
	return k, nil
}

// checkScopes returns an error unless the caller can give the scopes to a key.
func checkScopes(who auth.Caller, scopes []rota.Scope) error {
	if len(scopes) == 0 {
		return rota.InvalidField("scopes", "is required: the key in use has none of those that a key has by default")
	}
	for _, s := range scopes {
		if !slices.Contains(who.Scopes, s) {
			return &rota.Error{Code: rota.Denied, Field: "scopes", Msg: "a key cannot give a scope that it does not have: " + string(s)}
		}
	}
	return nil
}

// grantable returns the default scopes of a key that the caller makes.
func grantable(who auth.Caller) []rota.Scope {
	return slices.DeleteFunc(rota.DefaultScopes(), func(s rota.Scope) bool { return !slices.Contains(who.Scopes, s) })
}

// Keys returns a page of the keys of the caller's account. Scope read:apikeys.
func (c *Control) Keys(ctx context.Context, who auth.Caller, p rota.Page) (rota.List[rota.Key], error) {
	if err := who.Require(rota.ReadAPIKeys); err != nil {
		return rota.List[rota.Key]{}, err
	}
	return c.Store.Keys(ctx, who.Owner.Account, p)
}

// RevokeKey ends a key of the caller's account, at once and for good, and pauses
// the schedules that it made if PauseOnRevoke says so: page by page, after the
// key has ended. Asking again goes on with those that a crash has left. Scope
// write:apikeys.
func (c *Control) RevokeKey(ctx context.Context, who auth.Caller, id rota.KeyID) (rota.Key, error) {
	if err := who.Require(rota.WriteAPIKeys); err != nil {
		return rota.Key{}, err
	}
	var k rota.Key
	err := c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		var err error
		k, err = tx.RevokeKey(ctx, who.Owner.Account, id, c.Now())
		return err
	})
	if err != nil || !c.PauseOnRevoke {
		return k, err
	}
	return k, c.pauseMadeBy(ctx, who, k)
}

// pauseMadeBy pauses the active schedules that a revoked key made.
func (c *Control) pauseMadeBy(ctx context.Context, who auth.Caller, k rota.Key) error {
	actor, note := string(who.Key), "the key "+string(k.ID)+" was revoked"
	var page []rota.Timer
	for after := rota.ScheduleID(""); after == "" || len(page) == bulkPage; after = page[len(page)-1].ScheduleID {
		err := c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
			var err error
			if page, err = tx.TimersMadeBy(ctx, k.Account, k.ID, after, bulkPage); err != nil {
				return err
			}
			now := c.Now().UTC()
			return pauseAll(ctx, tx, page, rota.PauseReason{Code: rota.PausedByKey, Actor: &actor, Note: &note, At: rota.InstantOf(now)})
		})
		if err != nil || len(page) == 0 {
			return err
		}
		c.Engine.Changed()
	}
	return nil
}

func pauseAll(ctx context.Context, tx Tx, timers []rota.Timer, why rota.PauseReason) error {
	for _, before := range timers {
		s, err := tx.Schedule(ctx, before.Owner, before.AgentID, before.ScheduleID, false)
		if err != nil {
			return err
		}
		after, err := policy.Pause(before, why)
		if err != nil {
			return err
		}
		if _, err := save(ctx, tx, s, before, after, why.At.Time); err != nil {
			return err
		}
	}
	return nil
}
