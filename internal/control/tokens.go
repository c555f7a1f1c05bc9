package control

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/seal"
)

// TokenLife is how long a token may live at most. A signing key that has been
// replaced is kept as long.
const TokenLife = 30 * 24 * time.Hour

// Tokens is what the server needs to make tokens.
type Tokens struct {
	Secret    seal.Ring // seals the signing keys; an empty one makes no tokens
	Issuer    string    // the public URL; may be empty
	Audiences []string  // for which tokens are made and accepted; without one, none are
}

// ExchangeToken answers a token for the caller's key: for one end user, and with
// no more than the key's scopes. The first exchange makes the signing key.
func (c *Control) ExchangeToken(ctx context.Context, who auth.Caller, in rota.TokenExchange) (rota.Token, error) {
	if err := c.enter(ctx, who, anyScope, "exchange_token"); err != nil {
		return rota.Token{}, err
	}
	g, err := c.grant(who, in, c.Now().UTC())
	if err != nil {
		return rota.Token{}, err
	}
	k, err := c.signingKey(ctx, g.At)
	if err != nil {
		return rota.Token{}, err
	}
	token, err := auth.Mint(c.Tokens.Secret, k, g)
	if errors.Is(err, seal.ErrUnknownSecret) {
		return rota.Token{}, &rota.Error{Code: rota.NotImplemented, Err: err, Msg: "this server makes no tokens: its secret key is not the one that the signing key is sealed with. " +
			"Start it with that one too, or call rota keys rotate-signing"}
	}
	return rota.Token{Token: token}, err
}

// grant returns what the caller may have of what it asks for.
func (c *Control) grant(who auth.Caller, in rota.TokenExchange, now time.Time) (auth.Grant, error) {
	g := auth.Grant{
		Issuer: c.Tokens.Issuer, Audience: in.Audience, EndUser: in.ExternalUserID,
		Key: who.Key, Generation: who.Generation, Scopes: who.Scopes, At: now,
	}
	if err := c.checkExchange(who, in); err != nil {
		return g, err
	}
	in.Permissions.Apply(&g.Scopes)
	for _, s := range g.Scopes {
		if !slices.Contains(who.Scopes, s) {
			return g, denied("permissions", "the key lacks the scope "+string(s))
		}
	}
	g.Expires = now.Add(time.Duration(in.Seconds()) * time.Second)
	if who.Expires != nil && who.Expires.Before(g.Expires) {
		g.Expires = who.Expires.Time
	}
	return g, nil
}

func (c *Control) checkExchange(who auth.Caller, in rota.TokenExchange) error {
	if len(c.Tokens.Audiences) == 0 {
		return rota.InvalidField("audience", "cannot be accepted: the server has no audience for tokens. Start it with --public-url or --token-audience")
	}
	if !slices.Contains(c.Tokens.Audiences, in.Audience) {
		return rota.InvalidField("audience", "must be one that the server accepts: %s", strings.Join(c.Tokens.Audiences, ", "))
	}
	if who.Token {
		return rota.Errorf(rota.Denied, "a token cannot be exchanged for another: use the key")
	}
	if err := auth.CheckEndUser("externalUserId", in.ExternalUserID); err != nil {
		return err
	}
	if user := who.Owner.EndUser; user != "" && user != in.ExternalUserID {
		return denied("externalUserId", "must be the end user for whom the key acts")
	}
	if s := in.Seconds(); s != math.Trunc(s) || s < 300 || s > TokenLife.Seconds() {
		return rota.InvalidField("expiresIn", "must be a whole number from 300 to %.0f seconds", TokenLife.Seconds())
	}
	return nil
}

// signingKey returns the newest key to sign with, and makes one if there is none.
func (c *Control) signingKey(ctx context.Context, now time.Time) (rota.SigningKey, error) {
	if c.Tokens.Secret.Empty() {
		return rota.SigningKey{}, noSecret()
	}
	all, err := c.Store.SigningKeys(ctx)
	if err != nil || len(all) > 0 {
		return newest(all), err
	}
	made, err := auth.NewSigningKey(c.Tokens.Secret, now)
	if err != nil {
		return made, err
	}
	k := made
	err = c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		all, err := tx.SigningKeys(ctx)
		if err != nil || len(all) > 0 {
			k = newest(all)
			return err
		}
		k = made
		return tx.AddSigningKey(ctx, made)
	})
	return k, err
}

// newest returns the first key of a list, if there is one.
func newest(keys []rota.SigningKey) rota.SigningKey {
	if len(keys) == 0 {
		return rota.SigningKey{}
	}
	return keys[0]
}

func noSecret() error {
	return rota.Errorf(rota.NotImplemented, "this server makes no tokens, because it has no secret key: start it with ROTA_SECRET_KEY or --secret-key-file, the same for all processes")
}

// RotateSigningKey makes a new key to sign tokens with, and seals the credentials of the
// vault with the server's first secret: then the others are not needed any more. Tokens that are signed with
// those before hold until they expire, unless revoke ends them at once. Scope
// write:accounts: the keys are those of the whole server.
func (c *Control) RotateSigningKey(ctx context.Context, who auth.Caller, in rota.SigningKeyCreate) (rota.SigningKey, error) {
	if err := c.enter(ctx, who, rota.WriteAccounts, "rotate_signing_key"); err != nil {
		return rota.SigningKey{}, err
	}
	if c.Tokens.Secret.Empty() {
		return rota.SigningKey{}, noSecret()
	}
	now := c.Now().UTC()
	k, err := auth.NewSigningKey(c.Tokens.Secret, now)
	if err != nil {
		return k, err
	}
	forget := now.Add(-TokenLife)
	if in.Revoke {
		forget = now
	}
	if err := c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		if err := tx.RetireSigningKeys(ctx, now, forget); err != nil {
			return err
		}
		return tx.AddSigningKey(ctx, k)
	}); err != nil {
		return k, err
	}
	return k, c.resealVault(ctx)
}

// PublicKeys returns the public halves of the keys that tokens in use may be signed
// with. It needs no scope: they are public.
func (c *Control) PublicKeys(ctx context.Context) (auth.JWKS, error) {
	keys, err := c.Store.SigningKeys(ctx)
	if err != nil {
		return auth.JWKS{}, err
	}
	return auth.PublicKeys(keys)
}
