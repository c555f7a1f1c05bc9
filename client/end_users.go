package client

import (
	"context"

	"github.com/rota-run/rota"
)

// EndUsers are the end users of the client's account.
type EndUsers struct{ s *sender }

// List returns one page of the end users, by name; p.Ascending must be true, or the
// order is reversed. It needs the scope read:account.
func (e EndUsers) List(ctx context.Context, p rota.Page, opts ...CallOption) (rota.List[rota.EndUser], error) {
	order := "desc"
	if p.Ascending {
		order = "asc"
	}
	return list[rota.EndUser](ctx, e.s, []string{"end-users"}, p, with(opts, query("order", order)))
}
