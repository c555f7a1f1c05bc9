package control

import (
	"context"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// CreateKey makes a key. Its secret is in the answer and nowhere else. Scope
// keys:write, and admin for another account.
func (c *Control) CreateKey(ctx context.Context, who auth.Caller, in rota.KeyCreate) (rota.NewKey, error) {
	k, err := newKey(who, in, c.Now().UTC())
	if err != nil {
		return rota.NewKey{}, err
	}
	secret := auth.NewSecret()
	k.Hint = auth.Hint(secret)
	err = c.Store.Update(ctx, func(ctx context.Context, tx rota.Tx) error {
		return tx.AddKey(ctx, k, auth.Hash(secret))
	})
	return rota.NewKey{Key: k, Secret: secret}, err
}

func newKey(who auth.Caller, in rota.KeyCreate, now time.Time) (rota.Key, error) {
	k := rota.Key{
		Object:    rota.ObjectKey,
		ID:        rota.NewKeyID(now),
		Account:   who.Owner.Account,
		Name:      in.Name,
		CreatedAt: rota.InstantOf(now),
		Scopes:    grantable(who),
	}
	if err := who.Require(rota.WriteKeys); err != nil {
		return k, err
	}
	in.Account.Apply(&k.Account)
	if k.Account != who.Owner.Account {
		if err := who.Require(rota.Admin); err != nil {
			return k, err
		}
	}
	in.Scopes.Apply(&k.Scopes)
	for _, s := range k.Scopes {
		if err := who.Require(s); err != nil {
			return k, &rota.Error{Code: rota.Denied, Field: "scopes", Msg: "a key cannot give a scope that it does not have: " + string(s)}
		}
	}
	in.ExpiresAt.ApplyNullable(&k.ExpiresAt)
	if k.ExpiresAt != nil && !k.ExpiresAt.After(now) {
		return k, rota.InvalidField("expires_at", "must be in the future; the server's time is %s", rota.InstantOf(now))
	}
	return k, nil
}

// grantable returns the default scopes of a key that the caller makes.
func grantable(who auth.Caller) []rota.Scope {
	return slices.DeleteFunc(rota.DefaultScopes(), func(s rota.Scope) bool { return !slices.Contains(who.Scopes, s) })
}

// Keys returns a page of the keys of the caller's account. Scope keys:read.
func (c *Control) Keys(ctx context.Context, who auth.Caller, p rota.Page) (rota.List[rota.Key], error) {
	if err := who.Require(rota.ReadKeys); err != nil {
		return rota.List[rota.Key]{}, err
	}
	return c.Store.Keys(ctx, who.Owner.Account, p)
}

// RevokeKey ends a key of the caller's account, at once and for good. Scope
// keys:write.
func (c *Control) RevokeKey(ctx context.Context, who auth.Caller, id rota.KeyID) (rota.Key, error) {
	if err := who.Require(rota.WriteKeys); err != nil {
		return rota.Key{}, err
	}
	var k rota.Key
	err := c.Store.Update(ctx, func(ctx context.Context, tx rota.Tx) error {
		var err error
		k, err = tx.RevokeKey(ctx, who.Owner.Account, id, c.Now())
		return err
	})
	return k, err
}
