package client

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

// Keys are the keys of the client's account.
type Keys struct{ s *sender }

// Create makes a key. The answer holds its secret, which nobody can ask for
// again.
func (k Keys) Create(ctx context.Context, body rota.KeyCreate, opts ...CallOption) (rota.NewKey, error) {
	return call[rota.NewKey](ctx, k.s, http.MethodPost, []string{"keys"}, body, opts)
}

// InUse returns the key that the client uses, as far as it may be used: of a token,
// with the scopes, the end user and the end of the token.
func (k Keys) InUse(ctx context.Context, opts ...CallOption) (rota.Key, error) {
	return call[rota.Key](ctx, k.s, http.MethodGet, []string{"keys", "self"}, nil, opts)
}

// List returns one page of the keys, without their secrets. A zero page is the
// newest 20; see [Pages] for more.
func (k Keys) List(ctx context.Context, p rota.Page, opts ...CallOption) (rota.List[rota.Key], error) {
	return list[rota.Key](ctx, k.s, []string{"keys"}, p, opts)
}

// Revoke ends a key for good, and returns it.
func (k Keys) Revoke(ctx context.Context, id rota.KeyID, opts ...CallOption) (rota.Key, error) {
	return call[rota.Key](ctx, k.s, http.MethodDelete, []string{"keys", string(id)}, nil, opts)
}

// RotateSigning makes a new key for the server to sign tokens with.
func (k Keys) RotateSigning(ctx context.Context, body rota.SigningKeyCreate, opts ...CallOption) (rota.SigningKey, error) {
	return call[rota.SigningKey](ctx, k.s, http.MethodPost, []string{"signing-keys", "rotate"}, body, opts)
}

// ExchangeToken exchanges the client's key for a token of an end user.
func (k Keys) ExchangeToken(ctx context.Context, body rota.TokenExchange, opts ...CallOption) (rota.Token, error) {
	return call[rota.Token](ctx, k.s, http.MethodPost, []string{"authentication", "api-keys", "exchange-token"}, body, opts)
}
