// Package auth mints keys and turns the credentials of a request into a
// [Caller]: who asks, for whom, and what the key may do.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// A Caller is who makes a request.
type Caller struct {
	Key        rota.KeyID
	Generation int64 // of the key's secret
	Token      bool  // whether a token was shown, and not the key itself

	// Owner is the key's account, and the end user for whom the caller acts: the one
	// of the token, or the one to whom the key is bound, or else the one that the request names.
	Owner  rota.Owner
	Scopes []rota.Scope

	RateLimits []rota.RateLimit // of the key; none if the server's hold
	RequestID  string           // of the request, for the log
	Expires    *rota.Instant    // when the key or the token ends; nil for never
}

// Require returns Denied unless the caller's key has the scope.
func (c Caller) Require(s rota.Scope) error {
	if slices.Contains(c.Scopes, s) {
		return nil
	}
	return rota.Errorf(rota.Denied, "the key lacks the scope %s", s)
}

// ActFor returns the caller as one who acts for an end user. The error is Invalid
// if the name, which the field had, cannot be that of an end user, and Denied if
// the caller's key or token is bound to another.
func (c Caller) ActFor(field, endUser string) (Caller, error) {
	if err := CheckEndUser(field, endUser); err != nil {
		return Caller{}, err
	}
	if c.Owner.EndUser != "" && c.Owner.EndUser != endUser {
		return Caller{}, &rota.Error{Code: rota.Denied, Field: field, Msg: "must be the end user of the key or token, or be left out"}
	}
	c.Owner.EndUser = endUser
	return c, nil
}

const (
	prefix  = "rk_"
	hintLen = 8 // characters of a secret that Hint shows
	minLen  = 20
)

var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewSecret returns a fresh secret with 256 random bits.
func NewSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return prefix + alphabet.EncodeToString(b[:])
}

// CheckSecret returns Invalid if s, which a person chose, cannot serve as the
// secret of a key: 20 to 200 printable ASCII characters without spaces.
func CheckSecret(s string) error {
	bad := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(s) < minLen || len(s) > 200 || strings.ContainsFunc(s, bad) {
		return rota.Errorf(rota.Invalid, "a key is %d to 200 printable ASCII characters without spaces", minLen)
	}
	if looksLikeToken(s) {
		return rota.Errorf(rota.Invalid, "a key must not look like a token: eyJ and two dots")
	}
	return nil
}

// Hint returns the part of a secret that may be shown.
func Hint(secret string) string { return secret[:min(hintLen, len(secret))] }

// Hash returns what the store keeps of a secret. A fast hash is right: the
// secret has too many bits to be guessed.
func Hash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// errUnknown is the one answer to every credential that does not open
// anything, so that it tells nothing about why.
var errUnknown = rota.Errorf(rota.Unauthenticated, "the key or token is not valid: it is unknown, expired or revoked, or it is for another server")

// An Authenticator knows whom it may let in.
type Authenticator struct {
	Keys      KeyReader
	Audiences []string // of the tokens that are accepted; without one, none is
}

// Authenticate returns the caller behind a credential: a key, or a token that was
// made with one. The error is Unauthenticated unless the credential is valid at now.
func (a Authenticator) Authenticate(ctx context.Context, secret string, now time.Time) (Caller, error) {
	if looksLikeToken(secret) {
		v := verifier{keys: a.Keys, audiences: a.Audiences, now: now}
		return v.verify(ctx, secret)
	}
	hash := Hash(secret)
	k, stored, err := a.Keys.KeyByHash(ctx, hash)
	switch {
	case errors.Is(err, rota.NotFound):
		return Caller{}, errUnknown
	case err != nil:
		return Caller{}, err
	case subtle.ConstantTimeCompare(hash, stored) != 1, !Usable(k, now):
		return Caller{}, errUnknown
	}
	return callerOf(k), nil
}

func callerOf(k rota.Key) Caller {
	who := Caller{
		Key: k.ID, Generation: k.Generation, Owner: rota.Owner{Account: k.Account},
		Scopes: k.Scopes, RateLimits: k.RateLimits, Expires: k.ExpiresAt,
	}
	if k.EndUser != nil {
		who.Owner.EndUser = *k.EndUser
	}
	return who
}

// Usable reports whether the key is neither revoked nor expired at now.
func Usable(k rota.Key, now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(k.ExpiresAt.Time))
}

// CheckEndUser returns Invalid, for the field, if s cannot name an end user.
func CheckEndUser(field, s string) error {
	bad := func(r rune) bool { return r < ' ' || r > '~' }
	if s == "" || len(s) > 150 || s == "*" || strings.ContainsFunc(s, bad) {
		return rota.InvalidField(field, "must be 1 to 150 printable ASCII characters and not *")
	}
	return nil
}
