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
	Key    rota.KeyID
	Owner  rota.Owner // the key's account, and the end user it acts for
	Scopes []rota.Scope

	RateLimits []rota.RateLimit // of the key; none if the server's hold
}

// Require returns Denied unless the caller's key has the scope.
func (c Caller) Require(s rota.Scope) error {
	if slices.Contains(c.Scopes, s) {
		return nil
	}
	return rota.Errorf(rota.Denied, "the key lacks the scope %s", s)
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
var errUnknown = rota.Errorf(rota.Unauthenticated, "the key is not valid: it is unknown, expired or revoked")

// Authenticate returns the caller behind the value of an Authorization header.
// The error is Unauthenticated if the header has no valid key at now, and
// Invalid if endUser, the value of X-On-Behalf-Of, is not 1 to 150 printable
// ASCII characters or is "*"; empty means that the header is absent.
func Authenticate(ctx context.Context, keys KeyReader, authorization, endUser string, now time.Time) (Caller, error) {
	secret := bearer(authorization)
	if secret == "" {
		return Caller{}, rota.Errorf(rota.Unauthenticated, "send the header Authorization: Bearer <key>")
	}
	hash := Hash(secret)
	k, stored, err := keys.KeyByHash(ctx, hash)
	switch {
	case errors.Is(err, rota.NotFound):
		return Caller{}, errUnknown
	case err != nil:
		return Caller{}, err
	case subtle.ConstantTimeCompare(hash, stored) != 1, !Usable(k, now):
		return Caller{}, errUnknown
	}
	if err := checkEndUser(endUser); err != nil {
		return Caller{}, err
	}
	return Caller{Key: k.ID, Owner: rota.Owner{Account: k.Account, EndUser: endUser}, Scopes: k.Scopes, RateLimits: k.RateLimits}, nil
}

// Usable reports whether the key is neither revoked nor expired at now.
func Usable(k rota.Key, now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(k.ExpiresAt.Time))
}

// bearer returns the token of an Authorization header. A doubled prefix is
// accepted: some clients of the published API send one.
func bearer(header string) string {
	for range 2 {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(header), " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			break
		}
		header = strings.TrimSpace(rest)
		if !strings.Contains(header, " ") {
			return header
		}
	}
	return ""
}

func checkEndUser(s string) error {
	bad := func(r rune) bool { return r < ' ' || r > '~' }
	if len(s) > 150 || s == "*" || strings.ContainsFunc(s, bad) {
		return rota.InvalidField("X-On-Behalf-Of", "must be 1 to 150 printable ASCII characters and not *")
	}
	return nil
}
