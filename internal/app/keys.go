package app

import (
	"context"
	"errors"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// defaultAccount is the account of the first key.
const defaultAccount = "default"

// firstKey adds the bootstrap key if it is not there yet. Without one, it makes
// a key if the default account has had none, and returns its secret; of several
// processes that start together, one does.
func firstKey(ctx context.Context, store store.Store, bootstrap string, now time.Time) (string, error) {
	if bootstrap != "" {
		return "", addBootstrap(ctx, store, bootstrap, now)
	}
	secret := auth.NewSecret()
	k, added := newKey("first", secret, now), false
	err := store.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) (err error) {
		added, err = tx.AddFirstKey(ctx, k, auth.Hash(secret))
		return err
	})
	if err != nil || !added {
		return "", err
	}
	return secret, nil
}

func addBootstrap(ctx context.Context, store store.Store, secret string, now time.Time) error {
	if err := auth.CheckSecret(secret); err != nil {
		return errors.New("ROTA_BOOTSTRAP_KEY: " + rota.Public(err).Msg)
	}
	has := func() error { _, _, err := store.Reader().KeyByHash(ctx, auth.Hash(secret)); return err }
	err := has()
	if !errors.Is(err, rota.NotFound) {
		return err
	}
	if err = addKey(ctx, store, "bootstrap", secret, now); err != nil && has() == nil {
		return nil // another process that starts has added it
	}
	return err
}

func addKey(ctx context.Context, store store.Store, name, secret string, now time.Time) error {
	k := newKey(name, secret, now)
	return store.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.AddKey(ctx, k, auth.Hash(secret))
	})
}

func newKey(name, secret string, now time.Time) rota.Key {
	return rota.Key{
		ID: rota.NewKeyID(now), Account: defaultAccount, Name: name, Hint: auth.Hint(secret),
		Scopes: rota.AllScopes(), RateLimits: []rota.RateLimit{}, Generation: 1, CreatedAt: rota.InstantOf(now),
	}
}
