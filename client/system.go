package client

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

// System is the server itself.
type System struct{ s *sender }

// Get returns which version of Rota the server is, what its clock shows, and which
// time zone data it goes by. Any key may ask.
func (y System) Get(ctx context.Context, opts ...CallOption) (rota.SystemInfo, error) {
	return call[rota.SystemInfo](ctx, y.s, http.MethodGet, []string{"system"}, nil, opts)
}
