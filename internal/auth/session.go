package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/rota-run/rota"
)

// SessionLife is how long a session lasts.
const SessionLife = 12 * time.Hour

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
	secret = "rs_" + rand.Text() + rand.Text()
	return secret, s.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		return tx.AddSession(ctx, Hash(secret), rota.Session{Key: who.Key, Generation: who.Generation, ExpiresAt: now.Add(SessionLife)}, now)
	})
}

// Caller returns the caller whose browser shows the secret of a session. The error is
// Unauthenticated unless the session lasts at now, and its key is valid.
func (s Sessions) Caller(ctx context.Context, secret string, now time.Time) (Caller, error) {
	k, err := s.Reader.KeyOfSession(ctx, Hash(secret), now)
	switch {
	case errors.Is(err, rota.NotFound), err == nil && !Usable(k, now):
		return Caller{}, rota.Errorf(rota.Unauthenticated, "the session has ended")
	case err != nil:
		return Caller{}, err
	}
	return callerOf(k), nil
}

// End ends a session.
func (s Sessions) End(ctx context.Context, secret string) error {
	return s.Store.Update(ctx, func(ctx context.Context, tx Tx) error { return tx.RemoveSession(ctx, Hash(secret)) })
}
