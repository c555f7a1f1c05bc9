package auth_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

var now = time.Date(2026, 11, 23, 5, 31, 56, 0, time.UTC)

// keyring is the keys of a store, by secret.
type keyring struct {
	auth.KeyReader
	keys map[string]rota.Key
	err  error
}

func (k keyring) KeyByHash(_ context.Context, hash []byte) (rota.Key, []byte, error) {
	for secret, key := range k.keys {
		if bytes.Equal(auth.Hash(secret), hash) {
			return key, auth.Hash(secret), k.err
		}
	}
	return rota.Key{}, nil, errors.Join(k.err, rota.Errorf(rota.NotFound, "no such key"))
}

const secret = "rk_0123456789abcdefghij"

func ring(change ...func(*rota.Key)) keyring {
	k := rota.Key{ID: "key_1", Account: "acme", Scopes: []rota.Scope{rota.WriteAgents}}
	for _, c := range change {
		c(&k)
	}
	return keyring{keys: map[string]rota.Key{secret: k}}
}

func TestAuthenticate(t *testing.T) {
	got, err := auth.Authenticator{Keys: ring()}.Authenticate(t.Context(), secret, now)
	require.NoError(t, err)
	got, err = got.ActFor("user", "u 1~")
	require.NoError(t, err)
	require.Equal(t, auth.Caller{
		Key: "key_1", Owner: rota.Owner{Account: "acme", EndUser: "u 1~"}, Scopes: []rota.Scope{rota.WriteAgents},
	}, got)
	require.NoError(t, got.Require(rota.WriteAgents))
	require.ErrorIs(t, got.Require(rota.ReadAgents), rota.Denied, "to write is not to read")
	require.ErrorContains(t, got.Require(rota.WriteAccounts), "write:accounts")
}

func TestNearMisses(t *testing.T) {
	for _, near := range []string{"", secret[:22], secret + "x", " " + secret, strings.ToUpper(secret)} {
		_, err := auth.Authenticator{Keys: ring()}.Authenticate(t.Context(), near, now)
		require.ErrorIs(t, err, rota.Unauthenticated, "%q", near)
		require.NotContains(t, err.Error(), secret)
	}
}

func TestKeyAge(t *testing.T) {
	at := func(d time.Duration) *rota.Instant { return rota.InstantOrNil(now.Add(d)) }
	for name, c := range map[string]struct {
		key    func(*rota.Key)
		usable bool
	}{
		"for ever":      {func(*rota.Key) {}, true},
		"expires later": {func(k *rota.Key) { k.ExpiresAt = at(time.Millisecond) }, true},
		"expires now":   {func(k *rota.Key) { k.ExpiresAt = at(0) }, false},
		"revoked":       {func(k *rota.Key) { k.RevokedAt = at(-time.Hour) }, false},
	} {
		r := ring(c.key)
		require.Equal(t, c.usable, auth.Usable(r.keys[secret], now), name)
		_, err := auth.Authenticator{Keys: r}.Authenticate(t.Context(), secret, now)
		require.Equal(t, c.usable, err == nil, name)
	}
}

// TestOneAnswer: nobody learns why a key does not open.
func TestOneAnswer(t *testing.T) {
	revoked := ring(func(k *rota.Key) { k.RevokedAt = rota.InstantOrNil(now) })
	_, first := auth.Authenticator{Keys: revoked}.Authenticate(t.Context(), secret, now)
	_, second := auth.Authenticator{Keys: ring()}.Authenticate(t.Context(), "rk_unknown", now)
	require.Equal(t, first, second)
}

func TestStoreFails(t *testing.T) {
	r := ring()
	r.err = rota.Errorf(rota.Unavailable, "the disk is full")
	_, err := auth.Authenticator{Keys: r}.Authenticate(t.Context(), secret, now)
	require.ErrorIs(t, err, rota.Unavailable, "a failure is not taken for a bad key")
}

// TestHashMismatch: a store that finds another key by mistake opens nothing.
func TestHashMismatch(t *testing.T) {
	_, err := auth.Authenticator{Keys: sloppy{ring()}}.Authenticate(t.Context(), "another-secret", now)
	require.ErrorIs(t, err, rota.Unauthenticated)
}

func (k keyring) KeyOfToken(context.Context, rota.SigningKeyID, rota.KeyID) (rota.Key, []byte, error) {
	return rota.Key{}, nil, rota.Errorf(rota.NotFound, "no such key")
}

type sloppy struct{ keyring }

func (s sloppy) KeyByHash(context.Context, []byte) (rota.Key, []byte, error) {
	return s.keys[secret], auth.Hash(secret), nil
}

func TestEndUser(t *testing.T) {
	for user, ok := range map[string]bool{
		"": false, "u": true, " ": true, "a b~": true, strings.Repeat("x", 150): true, "**": true,
		strings.Repeat("x", 151): false, "*": false, "é": false, "a\nb": false, "\x7f": false, "a\x00": false,
	} {
		who, err := auth.Caller{}.ActFor("X-On-Behalf-Of", user)
		if ok {
			require.NoError(t, err, "%q", user)
			require.Equal(t, user, who.Owner.EndUser)
		} else {
			require.ErrorIs(t, err, rota.Invalid, "%q", user)
			require.ErrorContains(t, err, "X-On-Behalf-Of")
		}
	}
}

func TestSecrets(t *testing.T) {
	a, b := auth.NewSecret(), auth.NewSecret()
	require.NotEqual(t, a, b)
	require.Regexp(t, `^rk_[a-z2-7]{52}$`, a)
	require.NoError(t, auth.CheckSecret(a))
	require.Equal(t, a[:8], auth.Hint(a))
	require.Equal(t, "abc", auth.Hint("abc"))
	require.Len(t, auth.Hash(a), 32)
	require.Equal(t, auth.Hash(a), auth.Hash(a))
	require.NotEqual(t, auth.Hash(a), auth.Hash(b))
	for s, ok := range map[string]bool{
		strings.Repeat("x", 20): true, strings.Repeat("~", 200): true,
		strings.Repeat("x", 19): false, strings.Repeat("x", 201): false,
		strings.Repeat("x", 20) + " ": false, strings.Repeat("é", 20): false, strings.Repeat("x", 20) + "\n": false, "": false,
	} {
		require.Equal(t, ok, auth.CheckSecret(s) == nil, "%q", s)
	}
}
