package client

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

// Limits are what accounts and their end users may have.
type Limits struct{ s *sender }

// Get returns the limits of an account, and what is used of them. It needs the scope
// read:account, and write:accounts for another account than the client's. See
// [OfEndUser] for what one end user has.
func (l Limits) Get(ctx context.Context, account string, opts ...CallOption) (rota.AccountLimits, error) {
	return call[rota.AccountLimits](ctx, l.s, http.MethodGet, limitsPath(account), nil, opts)
}

// Set sets the limits of an account, in place of those that were set before. It needs
// the scope write:account, and write:accounts for another account than the client's or
// to raise what the account itself may have.
func (l Limits) Set(ctx context.Context, account string, body rota.AccountLimitsSet, opts ...CallOption) (rota.AccountLimits, error) {
	return call[rota.AccountLimits](ctx, l.s, http.MethodPut, limitsPath(account), body, opts)
}

func limitsPath(account string) []string { return []string{"accounts", account, "limits"} }
