package client

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

// ScopedKeys are the keys of the client's account in the words of the published API.
// They are the same keys as [Keys].
type ScopedKeys struct{ s *sender }

// Create makes a key. The answer holds its secret, which nobody can ask for
// again.
func (k ScopedKeys) Create(ctx context.Context, body rota.ScopedKeyCreate, opts ...CallOption) (rota.ScopedKey, error) {
	return call[rota.ScopedKey](ctx, k.s, http.MethodPost, scopedPath(), body, opts)
}

// List returns the keys that are neither revoked nor expired, the newest first, at
// most 1000, without their secrets.
func (k ScopedKeys) List(ctx context.Context, opts ...CallOption) ([]rota.ScopedKey, error) {
	return call[[]rota.ScopedKey](ctx, k.s, http.MethodGet, scopedPath("list"), nil, opts)
}

// Update changes a key, and returns it. What is left out stays, but for the scopes.
func (k ScopedKeys) Update(ctx context.Context, body rota.ScopedKeyUpdate, opts ...CallOption) (rota.ScopedKey, error) {
	return call[rota.ScopedKey](ctx, k.s, http.MethodPost, scopedPath("update"), body, opts)
}

// Regenerate gives a key a new secret. The old one, and the tokens that were made
// with it, end at once.
func (k ScopedKeys) Regenerate(ctx context.Context, id rota.KeyID, opts ...CallOption) (rota.ScopedKeySecret, error) {
	return call[rota.ScopedKeySecret](ctx, k.s, http.MethodPost, scopedPath("regenerate"), rota.ScopedKeyID{KeyID: id}, opts)
}

// Delete revokes a key.
func (k ScopedKeys) Delete(ctx context.Context, id rota.KeyID, opts ...CallOption) (rota.ScopedKeyDeleted, error) {
	return call[rota.ScopedKeyDeleted](ctx, k.s, http.MethodPost, scopedPath("delete"), rota.ScopedKeyID{KeyID: id}, opts)
}

func scopedPath(more ...string) []string {
	return append([]string{"authentication", "api-key", "scoped"}, more...)
}
