package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/seal"
)

const (
	algorithm = "ES256"
	tokenType = "at+jwt" // RFC 9068, so that a token made for something else does not pass for one
	maxToken  = 4096     // bytes
)

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims            // the subject is the end user
	Key                  rota.KeyID `json:"client_id"`
	Generation           int64      `json:"generation"` // of the key's secret
	Scope                string     `json:"scope"`      // names with spaces between them
}

// A Grant is what a token is made for.
type Grant struct {
	Issuer     string // may be empty
	Audience   string
	EndUser    string
	Key        rota.KeyID
	Generation int64
	Scopes     []rota.Scope
	At         time.Time
	Expires    time.Time // in whole seconds; what is less is cut off
}

// Mint returns a token that is signed with the key. The error wraps that of
// [seal.Ring.Open] if the ring does not open the key.
func Mint(ring seal.Ring, k rota.SigningKey, g Grant) (string, error) {
	private, err := open(ring, k)
	if err != nil {
		return "", err
	}
	names := make([]string, len(g.Scopes))
	for i, s := range g.Scopes {
		names[i] = string(s)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodES256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: g.Issuer, Audience: jwt.ClaimStrings{g.Audience}, Subject: g.EndUser, ID: rand.Text(),
			IssuedAt: jwt.NewNumericDate(g.At), ExpiresAt: jwt.NewNumericDate(g.Expires),
		},
		Key: g.Key, Generation: g.Generation, Scope: strings.Join(names, " "),
	})
	t.Header["typ"], t.Header["kid"] = tokenType, string(k.ID)
	return t.SignedString(private)
}

// looksLikeToken tells a token from the secret of a key.
func looksLikeToken(s string) bool {
	return strings.HasPrefix(s, "eyJ") && strings.Count(s, ".") == 2
}

// A verifier checks one token.
type verifier struct {
	keys      KeyReader
	audiences []string
	now       time.Time

	key     rota.Key
	failure error // of the store
}

// verify returns the caller behind a token. It asks the store once, so that a key
// that is revoked or changed ends its tokens at once.
func (v *verifier) verify(ctx context.Context, token string) (Caller, error) {
	if len(token) > maxToken || len(v.audiences) == 0 {
		return Caller{}, errUnknown
	}
	var c claims
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{algorithm}), jwt.WithAudience(v.audiences...), jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(), jwt.WithTimeFunc(func() time.Time { return v.now }))
	_, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) { return v.public(ctx, t, &c) })
	switch {
	case v.failure != nil:
		return Caller{}, v.failure
	case err != nil, !Usable(v.key, v.now), v.key.Generation != c.Generation, CheckEndUser("sub", c.Subject) != nil:
		return Caller{}, errUnknown
	case v.key.EndUser != nil && *v.key.EndUser != c.Subject:
		return Caller{}, errUnknown
	}
	who := callerOf(v.key)
	who.Token, who.Owner.EndUser = true, c.Subject
	who.Scopes = narrowed(v.key.Scopes, c.Scope)
	if expires := rota.InstantOf(c.ExpiresAt.Time); who.Expires == nil || expires.Before(who.Expires.Time) {
		who.Expires = &expires
	}
	return who, nil
}

// public returns the public key that the token says it is signed with.
func (v *verifier) public(ctx context.Context, t *jwt.Token, c *claims) (*ecdsa.PublicKey, error) {
	kid, _ := t.Header["kid"].(string)
	if t.Header["typ"] != tokenType || kid == "" || len(t.Header) != 3 { // alg is the third
		return nil, errUnknown
	}
	var point []byte
	v.key, point, v.failure = v.keys.KeyOfToken(ctx, rota.SigningKeyID(kid), c.Key)
	if errors.Is(v.failure, rota.NotFound) {
		v.failure = nil
		return nil, errUnknown
	}
	if v.failure != nil {
		return nil, v.failure
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

// narrowed returns the scopes of a key that the text names.
func narrowed(scopes []rota.Scope, names string) []rota.Scope {
	named := strings.Fields(names)
	return slices.DeleteFunc(slices.Clone(scopes), func(s rota.Scope) bool { return !slices.Contains(named, string(s)) })
}
