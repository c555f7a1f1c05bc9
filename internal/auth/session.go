package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

const (
	// SessionLife is how long a session lasts.
	SessionLife = 12 * time.Hour

	// LinkLife is how long a link can be followed that signs somebody in.
	LinkLife = 15 * time.Minute
)

// What begins the secrets of sessions and of links: one is no use as the other.
const (
	sessionPrefix = "rs_"
	linkPrefix    = "rl_"
)

// Sessions stand for keys in browsers, which are to keep no key.
type Sessions struct {
	Keys   KeyReader
	Reader SessionReader
	Store  Store
}

// Begin begins a session of the key with a secret, and returns the secret of the
// session. The error is Unauthenticated unless the key is valid at now. A token is not
// accepted: it ends soon.
func (s Sessions) Begin(ctx context.Context, key string, now time.Time) (secret string, err error) {
	if looksLikeToken(key) {
		return "", rota.Errorf(rota.Unauthenticated, "sign in with a key, not with a token")
	}
	who, err := Authenticator{Keys: s.Keys}.Authenticate(ctx, key, now)
	if err != nil {
		return "", err
	}
	err = s.Store.Update(ctx, func(ctx context.Context, tx Tx) (err error) {
		secret, err = add(ctx, tx, sessionPrefix, who.Key, who.Generation, SessionLife, now)
		return err
	})
	return secret, err
}

// add adds what stands for a key for some time, and returns its secret.
func add(ctx context.Context, tx Tx, prefix string, key rota.KeyID, generation int64, life time.Duration, now time.Time) (secret string, err error) {
	secret = prefix + rand.Text() + rand.Text()
	return secret, tx.AddSession(ctx, Hash(secret), rota.Session{Key: key, Generation: generation, ExpiresAt: now.Add(life)}, now)
}

// Link returns the secret of a link that signs in once, within LinkLife, with a key.
func (s Sessions) Link(ctx context.Context, k rota.Key, now time.Time) (secret string, err error) {
	err = s.Store.Update(ctx, func(ctx context.Context, tx Tx) (err error) {
		secret, err = add(ctx, tx, linkPrefix, k.ID, k.Generation, LinkLife, now)
		return err
	})
	return secret, err
}

// Follow begins a session with the secret of a link, and returns the secret of the
// session. The error is Unauthenticated if the link has been followed, is too old at now,
// or its key is not valid.
func (s Sessions) Follow(ctx context.Context, link string, now time.Time) (secret string, err error) {
	k, err := s.key(ctx, linkPrefix, link, now)
	if err != nil {
		return "", err
	}
	err = s.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		first, err := tx.RemoveSession(ctx, Hash(link))
		if err == nil && !first {
			err = ended(linkPrefix)
		}
		if err != nil {
			return err
		}
		secret, err = add(ctx, tx, sessionPrefix, k.ID, k.Generation, SessionLife, now)
		return err
	})
	return secret, err
}

// Caller returns the caller whose browser shows the secret of a session. The error is
// Unauthenticated unless the session lasts at now, and its key is valid.
func (s Sessions) Caller(ctx context.Context, secret string, now time.Time) (Caller, error) {
	k, err := s.key(ctx, sessionPrefix, secret, now)
	if err != nil {
		return Caller{}, err
	}
	return callerOf(k), nil
}

// key returns the key for which a secret stands that begins with a prefix.
func (s Sessions) key(ctx context.Context, prefix, secret string, now time.Time) (rota.Key, error) {
	if !strings.HasPrefix(secret, prefix) {
		return rota.Key{}, ended(prefix)
	}
	k, err := s.Reader.KeyOfSession(ctx, Hash(secret), now)
	if errors.Is(err, rota.NotFound) || err == nil && !Usable(k, now) {
		return rota.Key{}, ended(prefix)
	}
	return k, err
}

// ended says that what a secret stood for is over.
func ended(prefix string) error {
	if prefix == linkPrefix {
		return rota.Errorf(rota.Unauthenticated, "the link has been followed already, or is older than %d minutes", int(LinkLife.Minutes()))
	}
	return rota.Errorf(rota.Unauthenticated, "the session has ended")
}

// End ends a session.
func (s Sessions) End(ctx context.Context, secret string) error {
	return s.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		_, err := tx.RemoveSession(ctx, Hash(secret))
		return err
	})
}
