package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/seal"
)

const audience = "https://rota.example.com"

// An installation is a server's keys.
type installation struct {
	keyring
	secrets seal.Ring
	signing rota.SigningKey
}

func (i *installation) KeyOfToken(_ context.Context, signing rota.SigningKeyID, id rota.KeyID) (rota.Key, []byte, error) {
	k := i.keys[secret]
	if signing != i.signing.ID || id != k.ID {
		return rota.Key{}, nil, rota.Errorf(rota.NotFound, "no such key")
	}
	return k, i.signing.Public, i.err
}

func install(t *testing.T, change ...func(*rota.Key)) *installation {
	t.Helper()
	secrets, err := seal.Parse(seal.NewSecret())
	require.NoError(t, err)
	k, err := auth.NewSigningKey(secrets, now)
	require.NoError(t, err)
	return &installation{keyring: ring(change...), secrets: secrets, signing: k}
}

func grant() auth.Grant {
	return auth.Grant{
		Issuer: audience, Audience: audience, EndUser: "u 1", Key: "key_1",
		Scopes: []rota.Scope{rota.WriteAgents}, At: now, Expires: now.Add(time.Hour),
	}
}

func (i *installation) mint(t *testing.T, g auth.Grant) string {
	t.Helper()
	token, err := auth.Mint(i.secrets, i.signing, g)
	require.NoError(t, err)
	return token
}

func (i *installation) ask(t *testing.T, token, endUser string, at time.Time) (auth.Caller, error) {
	t.Helper()
	a := auth.Authenticator{Keys: i, Audiences: []string{"other", audience}}
	who, err := a.Authenticate(t.Context(), token, at)
	if err != nil || endUser == "" {
		return who, err
	}
	return who.ActFor("X-On-Behalf-Of", endUser)
}

func TestToken(t *testing.T) {
	i := install(t)
	token := i.mint(t, grant())
	for _, header := range []string{"", "u 1"} {
		who, err := i.ask(t, token, header, now)
		require.NoError(t, err)
		require.Equal(t, auth.Caller{
			Key: "key_1", Token: true, Owner: rota.Owner{Account: "acme", EndUser: "u 1"},
			Scopes: []rota.Scope{rota.WriteAgents}, Expires: rota.InstantOrNil(now.Add(time.Hour)),
		}, who)
	}
	_, err := i.ask(t, token, "u 2", now)
	require.ErrorIs(t, err, rota.Denied)
	require.ErrorContains(t, err, "X-On-Behalf-Of")
	_, err = i.ask(t, token, "*", now)
	require.ErrorIs(t, err, rota.Invalid)
}

// TestTokenReads: others can check a token with the public keys.
func TestPublicKeys(t *testing.T) {
	i := install(t)
	set, err := auth.PublicKeys([]rota.SigningKey{i.signing})
	require.NoError(t, err)
	require.Len(t, set.Keys, 1)
	k := set.Keys[0]
	require.Equal(t, "EC P-256 sig ES256 "+string(i.signing.ID), strings.Join([]string{k.Kty, k.Crv, k.Use, k.Alg, string(k.Kid)}, " "))
	point := []byte{4} // uncompressed
	for _, half := range []string{k.X, k.Y} {
		b, err := base64.RawURLEncoding.DecodeString(half)
		require.NoError(t, err)
		require.Len(t, b, 32)
		point = append(point, b...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	require.NoError(t, err)
	claims := jwt.MapClaims{}
	got, err := jwt.NewParser(jwt.WithTimeFunc(func() time.Time { return now })).
		ParseWithClaims(i.mint(t, grant()), claims, func(*jwt.Token) (any, error) { return public, nil })
	require.NoError(t, err)
	require.Equal(t, map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": string(i.signing.ID)}, got.Header)
	delete(claims, "jti")
	require.Equal(t, jwt.MapClaims{
		"iss": audience, "aud": []any{audience}, "sub": "u 1", "client_id": "key_1", "generation": 0.0,
		"scope": "write:agents", "iat": float64(now.Unix()), "exp": float64(now.Add(time.Hour).Unix()),
	}, claims)

	i.signing.Public = i.signing.Public[:64]
	_, err = auth.PublicKeys([]rota.SigningKey{i.signing})
	require.Error(t, err)
}

// TestTokensThatDoNotOpen: all get one answer.
func TestTokensThatDoNotOpen(t *testing.T) {
	i := install(t)
	good := i.mint(t, grant())
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	but := func(change func(*auth.Grant)) string {
		g := grant()
		change(&g)
		return i.mint(t, g)
	}
	for name, token := range map[string]string{
		"another installation's":   install(t).mint(t, grant()),
		"for another audience":     but(func(g *auth.Grant) { g.Audience = "elsewhere" }),
		"for no end user":          but(func(g *auth.Grant) { g.EndUser = "" }),
		"for every end user":       but(func(g *auth.Grant) { g.EndUser = "*" }),
		"of another key":           but(func(g *auth.Grant) { g.Key = "key_2" }),
		"of a secret before":       but(func(g *auth.Grant) { g.Generation-- }),
		"without a signature":      head + "." + body + ".",
		"changed":                  head + "." + encode(t, map[string]any{"aud": audience, "sub": "u 2", "client_id": "key_1", "exp": now.Add(time.Hour).Unix()}) + "." + signature,
		"not JSON":                 head + ".e30x." + signature,
		"with four parts":          good + "." + signature,
		"with padding":             good + "=",
		"alg none":                 i.forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"HMAC by the public key":   i.forge(t, jwt.SigningMethodHS256, i.signing.Public, nil),
		"without exp":              i.resign(t, func(c jwt.MapClaims, _ map[string]any) { delete(c, "exp") }),
		"without aud":              i.resign(t, func(c jwt.MapClaims, _ map[string]any) { delete(c, "aud") }),
		"without kid":              i.resign(t, func(_ jwt.MapClaims, h map[string]any) { delete(h, "kid") }),
		"of another type":          i.resign(t, func(_ jwt.MapClaims, h map[string]any) { h["typ"] = "JWT" }),
		"with a critical header":   i.resign(t, func(_ jwt.MapClaims, h map[string]any) { h["crit"] = []string{"b64"} }),
		"with a key of its own":    i.resign(t, func(_ jwt.MapClaims, h map[string]any) { h["jku"] = "https://evil.example.com" }),
		"with a kid of a path":     i.resign(t, func(_ jwt.MapClaims, h map[string]any) { h["kid"] = "../../dev/null" }),
		"too long":                 but(func(g *auth.Grant) { g.EndUser = "u"; g.Issuer = strings.Repeat("i", 5000) }),
		"expires as a text":        i.resign(t, func(c jwt.MapClaims, _ map[string]any) { c["exp"] = "never" }),
		"valid only in the future": i.resign(t, func(c jwt.MapClaims, _ map[string]any) { c["nbf"] = now.Add(time.Hour).Unix() }),
	} {
		_, err := i.ask(t, token, "", now)
		require.ErrorIs(t, err, rota.Unauthenticated, name)
		require.NotContains(t, err.Error(), token)
	}
	_, err := i.ask(t, i.resign(t, func(jwt.MapClaims, map[string]any) {}), "", now)
	require.NoError(t, err, "what the cases above change is else right")
	_, err = i.ask(t, good, "", now.Add(time.Hour-time.Nanosecond))
	require.NoError(t, err)
	_, err = i.ask(t, good, "", now.Add(time.Hour))
	require.ErrorIs(t, err, rota.Unauthenticated, "expired")
	_, err = auth.Authenticator{Keys: i}.Authenticate(t.Context(), good, now)
	require.ErrorIs(t, err, rota.Unauthenticated, "a server without an audience")
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(b)
}

// forge signs what a token says in another way.
func (i *installation) forge(t *testing.T, m jwt.SigningMethod, key any, change func(jwt.MapClaims, map[string]any)) string {
	t.Helper()
	c := jwt.MapClaims{
		"aud": audience, "sub": "u 1", "client_id": "key_1", "generation": 0, "scope": "write:agents",
		"exp": now.Add(time.Hour).Unix(),
	}
	token := jwt.NewWithClaims(m, c)
	token.Header["typ"], token.Header["kid"] = "at+jwt", string(i.signing.ID)
	if change != nil {
		change(c, token.Header)
	}
	s, err := token.SignedString(key)
	require.NoError(t, err)
	return s
}

// resign signs something else with the right key.
func (i *installation) resign(t *testing.T, change func(jwt.MapClaims, map[string]any)) string {
	t.Helper()
	private, err := i.secrets.Open(i.signing.Sealed, "signing key "+string(i.signing.ID))
	require.NoError(t, err)
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), private)
	require.NoError(t, err)
	return i.forge(t, jwt.SigningMethodES256, key, change)
}

// TestTokenEndsWithItsKey: the key's row is asked each time.
func TestTokenEndsWithItsKey(t *testing.T) {
	i := install(t)
	token := i.mint(t, grant())
	set := func(change func(*rota.Key)) { i.keyring = ring(change) }
	for name, change := range map[string]func(*rota.Key){
		"revoked":     func(k *rota.Key) { k.RevokedAt = rota.InstantOrNil(now) },
		"expired":     func(k *rota.Key) { k.ExpiresAt = rota.InstantOrNil(now) },
		"new secret":  func(k *rota.Key) { k.Generation = 1 },
		"of a user":   func(k *rota.Key) { k.EndUser = new("u 2") },
		"another key": func(k *rota.Key) { k.ID = "key_2" },
	} {
		set(change)
		_, err := i.ask(t, token, "", now)
		require.ErrorIs(t, err, rota.Unauthenticated, name)
	}
	set(func(k *rota.Key) {
		k.ExpiresAt, k.Scopes = rota.InstantOrNil(now.Add(time.Minute)), []rota.Scope{rota.ReadAgents}
	})
	who, err := i.ask(t, token, "", now)
	require.NoError(t, err)
	require.Empty(t, who.Scopes, "no more than the key has now")
	require.Equal(t, now.Add(time.Minute), who.Expires.Time)

	i.err = rota.Errorf(rota.Unavailable, "the disk is full")
	_, err = i.ask(t, token, "", now)
	require.ErrorIs(t, err, rota.Unavailable, "a failure is not taken for a bad token")
}

func TestSigningKeysAreSealed(t *testing.T) {
	i := install(t)
	other, err := seal.Parse(seal.NewSecret())
	require.NoError(t, err)
	_, err = auth.Mint(other, i.signing, grant())
	require.ErrorIs(t, err, seal.ErrUnknownSecret)
	swapped := install(t).signing
	swapped.Sealed = i.signing.Sealed
	_, err = auth.Mint(i.secrets, swapped, grant())
	require.ErrorIs(t, err, seal.ErrBroken, "a private half belongs to its id")
}

func TestBoundKey(t *testing.T) {
	i := install(t, func(k *rota.Key) { k.EndUser = new("u 1") })
	for user, ok := range map[string]bool{"": true, "u 1": true, "u 2": false} {
		who, err := i.ask(t, secret, user, now)
		if !ok {
			require.ErrorIs(t, err, rota.Denied)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "u 1", who.Owner.EndUser)
		require.False(t, who.Token)
	}
}

func TestSecretsDoNotLookLikeTokens(t *testing.T) {
	require.Error(t, auth.CheckSecret("eyJ0123456789.0123456789.x"))
	require.NoError(t, auth.CheckSecret("eyJ0123456789.0123456789"))
}
