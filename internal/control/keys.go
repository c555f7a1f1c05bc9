package control

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/policy"
)

// maxKeys is how many keys UsableKeys returns at most.
const maxKeys = 1000

// CreateKey makes a key, which never outranks its maker. Its secret is in the answer
// and nowhere else. Scope write:apikeys, and write:accounts for another account.
func (c *Control) CreateKey(ctx context.Context, who auth.Caller, in rota.KeyCreate) (rota.NewKey, error) {
	if err := c.enter(ctx, who, rota.WriteAPIKeys, "create_key"); err != nil {
		return rota.NewKey{}, err
	}
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
		CreatedBy:  &who.Key,
		Scopes:     grantable(who),
		RateLimits: []rota.RateLimit{},
		Generation: 1,
	}
	in.Account.Apply(&k.Account)
	in.Scopes.Apply(&k.Scopes)
	in.RateLimits.Apply(&k.RateLimits)
	in.EndUser.ApplyNullable(&k.EndUser)
	in.TeamID.ApplyNullable(&k.TeamID)
	in.ExpiresAt.ApplyNullable(&k.ExpiresAt)
	if k.EndUser != nil {
		if err := auth.CheckEndUser("end_user", *k.EndUser); err != nil {
			return k, err
		}
	}
	return k, rank(who, &k, now)
}

// grantable returns the default scopes of a key that the caller makes.
func grantable(who auth.Caller) []rota.Scope {
	return slices.DeleteFunc(rota.DefaultScopes(), func(s rota.Scope) bool { return !slices.Contains(who.Scopes, s) })
}

// Keys returns a page of the keys of the caller's account; only those that are bound
// to the end user, if the caller acts for one. Scope read:apikeys.
func (c *Control) Keys(ctx context.Context, who auth.Caller, p rota.Page) (rota.List[rota.Key], error) {
	if err := c.enter(ctx, who, rota.ReadAPIKeys, "keys"); err != nil {
		return rota.List[rota.Key]{}, err
	}
	return c.Store.Keys(ctx, who.Owner, p)
}

// KeysFrom returns a page of the keys that descend from a key: those that it made, those
// that these made, and so on. From the caller's key, and from those that descend from it,
// they are those of all accounts; else those of the caller's. Scope read:apikeys.
func (c *Control) KeysFrom(ctx context.Context, who auth.Caller, ancestor rota.KeyID, p rota.Page) (rota.List[rota.Key], error) {
	var none rota.List[rota.Key]
	if err := c.enter(ctx, who, rota.ReadAPIKeys, "keys_from", on("target_key_id", ancestor)); err != nil {
		return none, err
	}
	o := rota.Owner{EndUser: who.Owner.EndUser}
	if ancestor != who.Key {
		_, err := c.Store.KeyFrom(ctx, who.Key, ancestor)
		if errors.Is(err, rota.NotFound) {
			o = who.Owner
			_, err = c.Store.Key(ctx, who.Owner.Account, ancestor)
		}
		if err != nil {
			return none, err
		}
	}
	return c.Store.KeysFrom(ctx, ancestor, o, p)
}

// KeyInUse returns the caller's key as far as the caller may use it: the scopes, the
// end user and the end are those of a token, if one is shown. Any scope.
func (c *Control) KeyInUse(ctx context.Context, who auth.Caller) (rota.Key, error) {
	if err := c.enter(ctx, who, anyScope, "key_in_use"); err != nil {
		return rota.Key{}, err
	}
	k, err := c.Store.Key(ctx, who.Owner.Account, who.Key)
	k.Scopes, k.EndUser, k.ExpiresAt = who.Scopes, who.Owner.User(), who.Expires
	return k, err
}

// UsableKeys returns the newest 1000 of the keys that Keys returns and that are
// neither revoked nor expired. Scope read:apikeys.
func (c *Control) UsableKeys(ctx context.Context, who auth.Caller) ([]rota.Key, error) {
	if err := c.enter(ctx, who, rota.ReadAPIKeys, "usable_keys"); err != nil {
		return nil, err
	}
	now, out := c.Now(), []rota.Key{}
	for p := (rota.Page{Limit: 100}); ; {
		l, err := c.Store.Keys(ctx, who.Owner, p)
		if err != nil {
			return nil, err
		}
		for _, k := range l.Data {
			if auth.Usable(k, now) && len(out) < maxKeys {
				out = append(out, k)
			}
		}
		if !l.HasMore || len(out) == maxKeys {
			return out, nil
		}
		p.After = *l.LastID
	}
}

// UpdateKey changes a key that the caller could have made, to one that the caller
// could make. Scope write:apikeys.
func (c *Control) UpdateKey(ctx context.Context, who auth.Caller, id rota.KeyID, in rota.KeyUpdate) (rota.Key, error) {
	return c.changeKey(ctx, who, "update_key", id, func(k *rota.Key) ([]byte, error) {
		in.Name.Apply(&k.Name)
		in.Scopes.Apply(&k.Scopes)
		in.RateLimits.Apply(&k.RateLimits)
		in.ExpiresAt.ApplyNullable(&k.ExpiresAt)
		return nil, rank(who, k, c.Now())
	})
}

// RegenerateKey gives a new secret to a key that the caller could have made. The old
// one, and the tokens that were made with it, end at once. Scope write:apikeys.
func (c *Control) RegenerateKey(ctx context.Context, who auth.Caller, id rota.KeyID) (rota.NewKey, error) {
	secret := auth.NewSecret()
	k, err := c.changeKey(ctx, who, "regenerate_key", id, func(k *rota.Key) ([]byte, error) {
		k.Hint = auth.Hint(secret)
		k.Generation++
		return auth.Hash(secret), nil
	})
	return rota.NewKey{Key: k, Secret: secret}, err
}

// changeKey changes a key that can still be used. change returns the hash of a new
// secret, or nil.
func (c *Control) changeKey(ctx context.Context, who auth.Caller, operation string, id rota.KeyID, change func(*rota.Key) ([]byte, error)) (rota.Key, error) {
	var k rota.Key
	if err := c.enter(ctx, who, rota.WriteAPIKeys, operation, on("target_key_id", id)); err != nil {
		return k, err
	}
	err := c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		var err error
		if k, err = managed(ctx, tx, who, id); err != nil {
			return err
		}
		if !auth.Usable(k, c.Now()) {
			return rota.Errorf(rota.Conflict, "the key has expired or was revoked: make another one")
		}
		hash, err := change(&k)
		if err != nil {
			return err
		}
		return tx.SaveKey(ctx, k, hash)
	})
	return k, err
}

// managed returns a key that the caller may change.
func managed(ctx context.Context, tx Tx, who auth.Caller, id rota.KeyID) (rota.Key, error) {
	k, _, err := found(ctx, tx, who, id)
	if err != nil {
		return rota.Key{}, err
	}
	return k, outranks(who, k)
}

// found returns a key of the caller's account, or one that descends from the caller's
// key, and whether it is one of these.
func found(ctx context.Context, tx Tx, who auth.Caller, id rota.KeyID) (k rota.Key, descends bool, err error) {
	k, err = tx.KeyFrom(ctx, who.Key, id)
	if errors.Is(err, rota.NotFound) {
		k, err = tx.Key(ctx, who.Owner.Account, id)
		return k, false, err
	}
	return k, true, err
}

// revocable returns a key that the caller may revoke: also one that by now outranks the
// caller's, if it descends from that.
func revocable(ctx context.Context, tx Tx, who auth.Caller, id rota.KeyID) (rota.Key, error) {
	k, descends, err := found(ctx, tx, who, id)
	switch {
	case err != nil:
		return rota.Key{}, err
	case descends:
		return k, sameUser(who, k)
	}
	return k, outranks(who, k)
}

// RevokeKey ends a key that the caller could have made, or that descends from the
// caller's, and its tokens, at once and for good. With descendants, it ends the keys that
// descend from it as well, in whatever account. The schedules that they made are paused if
// PauseOnRevoke says so: page by page, after the keys have ended. Asking again goes on
// with those that a crash has left. Scope write:apikeys.
func (c *Control) RevokeKey(ctx context.Context, who auth.Caller, id rota.KeyID, descendants bool) (rota.Key, error) {
	var k rota.Key
	if err := c.enter(ctx, who, rota.WriteAPIKeys, "revoke_key", on("target_key_id", id)); err != nil {
		return k, err
	}
	var ended []rota.Key
	err := c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		found, err := revocable(ctx, tx, who, id)
		if err != nil {
			return err
		}
		if k, err = tx.RevokeKey(ctx, found.Account, id, c.Now()); err != nil || !descendants {
			ended = []rota.Key{k}
			return err
		}
		ended, err = revokeFrom(ctx, tx, id, c.Now())
		ended = append(ended, k)
		return err
	})
	if err != nil || !c.PauseOnRevoke {
		return k, err
	}
	for _, e := range ended {
		if err := c.pauseMadeBy(ctx, who, e); err != nil {
			return k, err
		}
	}
	return k, nil
}

// revokeFrom revokes the keys that descend from one, and returns them.
func revokeFrom(ctx context.Context, tx Tx, ancestor rota.KeyID, now time.Time) (ended []rota.Key, err error) {
	for p := (rota.Page{Limit: 100}); ; {
		l, err := tx.KeysFrom(ctx, ancestor, rota.Owner{}, p)
		if err != nil {
			return nil, err
		}
		for _, k := range l.Data {
			if _, err := tx.RevokeKey(ctx, k.Account, k.ID, now); err != nil {
				return nil, err
			}
		}
		ended = append(ended, l.Data...)
		if !l.HasMore {
			return ended, nil
		}
		p.After = *l.LastID
	}
}

// pauseMadeBy pauses the active schedules that a revoked key made.
func (c *Control) pauseMadeBy(ctx context.Context, who auth.Caller, k rota.Key) error {
	actor, note := string(who.Key), "the key "+string(k.ID)+" was revoked"
	var page []rota.TimedSchedule
	for after := rota.ScheduleID(""); after == "" || len(page) == bulkPage; after = page[len(page)-1].ID {
		err := c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
			var err error
			if page, err = tx.SchedulesMadeBy(ctx, k.Account, k.ID, after, bulkPage); err != nil {
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

func pauseAll(ctx context.Context, tx Tx, schedules []rota.TimedSchedule, why rota.PauseReason) error {
	for _, s := range schedules {
		before := s.Timer
		var err error
		if s.Timer, err = policy.Pause(before, why); err != nil {
			return err
		}
		if _, err := save(ctx, tx, before, s, why.At.Time); err != nil {
			return err
		}
	}
	return nil
}
