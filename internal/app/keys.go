package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// defaultAccount is the account of the first key.
const defaultAccount = "default"

// firstKeyName is the name of the key that the first start makes.
const firstKeyName = "first"

// firstKey adds the bootstrap key if it is not there yet. Without one, it makes
// a key if the default account has had none, and returns its secret; of several
// processes that start together, one does.
func firstKey(ctx context.Context, store store.Store, bootstrap string, now time.Time) (string, error) {
	if bootstrap != "" {
		return "", addBootstrap(ctx, store, bootstrap, now)
	}
	secret := auth.NewSecret()
	k, added := newKey(firstKeyName, secret, now), false
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
		Object: rota.ObjectKey, ID: rota.NewKeyID(now), Account: defaultAccount, Name: name, Hint: auth.Hint(secret),
		Scopes: rota.AllScopes(), RateLimits: []rota.RateLimit{}, Generation: 1, CreatedAt: rota.InstantOf(now),
	}
}

// ReplaceFirstKey ends the first key of an installation, if there is one that opens,
// and makes another. A server may be at work. It returns the new key with its secret,
// and how many keys it has revoked. Place says which database it is.
func ReplaceFirstKey(ctx context.Context, place settings.Place, now time.Time) (rota.NewKey, int, error) {
	secret, revoked := auth.NewSecret(), 0
	k := newKey(firstKeyName, secret, now)
	err := inPlace(ctx, place, func(ctx context.Context, tx sqlstore.Queries) (err error) {
		if revoked, err = revokeFirst(ctx, tx, now); err != nil {
			return err
		}
		return tx.AddKey(ctx, k, auth.Hash(secret))
	})
	return rota.NewKey{Key: k, Secret: secret}, revoked, err
}

// inPlace runs fn in one transaction on a database that servers may have open.
func inPlace(ctx context.Context, place settings.Place, fn func(context.Context, sqlstore.Queries) error) error {
	if dir, ok := place.Dir(); ok {
		return sqlite.Beside(ctx, dir, fn)
	}
	db, err := postgres.Open(ctx, place.Database, postgres.Options{AsItIs: true})
	if err != nil {
		return fmt.Errorf("--database: %w", err)
	}
	defer db.Close()
	return db.Update(ctx, fn)
}

// revokeFirst revokes what opens of the keys that a first start, or ReplaceFirstKey, has
// made: a key of that name that somebody made through the API says who that was.
func revokeFirst(ctx context.Context, tx sqlstore.Queries, now time.Time) (revoked int, err error) {
	for p := (rota.Page{Limit: 100}); ; {
		l, err := tx.Keys(ctx, rota.Owner{Account: defaultAccount}, p)
		if err != nil {
			return 0, err
		}
		for _, k := range l.Data {
			if k.Name != firstKeyName || k.CreatedBy != nil || !auth.Usable(k, now) {
				continue
			}
			if _, err := tx.RevokeKey(ctx, defaultAccount, k.ID, now); err != nil {
				return 0, err
			}
			revoked++
		}
		if !l.HasMore {
			return revoked, nil
		}
		p.After = *l.LastID
	}
}
