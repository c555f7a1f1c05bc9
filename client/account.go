package client

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

// Account is the client's account.
type Account struct{ s *sender }

// Retention returns how long the account keeps what has ended. It needs the scope
// read:account.
func (a Account) Retention(ctx context.Context, opts ...CallOption) (rota.Retention, error) {
	return call[rota.Retention](ctx, a.s, http.MethodGet, []string{"account", "retention"}, nil, opts)
}

// PutRetention sets how long the account keeps what has ended; what in does not say is
// as the server says. What is older is deleted in the background. It needs the scope
// write:account.
func (a Account) PutRetention(ctx context.Context, in rota.RetentionPut, opts ...CallOption) (rota.Retention, error) {
	return call[rota.Retention](ctx, a.s, http.MethodPut, []string{"account", "retention"}, in, opts)
}
