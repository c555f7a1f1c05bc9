package httpapi

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

const limitsPath = "/api/v1/accounts/{account_id}/limits"

func (a *api) limitOperations() []*operation {
	const tag = "Accounts"
	return []*operation{
		answers(Route{http.MethodGet, limitsPath, rota.ReadAccount, http.StatusOK, "get_account_limits"}, a.getLimits).
			says(tag, "Get the limits of an account", "What the account and each of its end users may have, what of that was set for the account, and what is used. Another account than the caller's needs the scope write:accounts.").
			with("used_by"),
		accepts(Route{http.MethodPut, limitsPath, rota.WriteAccount, http.StatusOK, "set_account_limits"}, a.setLimits).
			says(tag, "Set the limits of an account", "In place of those that were set before; what is left out is as the server's settings say. Another account than the caller's needs the scope write:accounts, and so does raising what the account itself may have. They hold in all processes within two seconds.").
			like(`{"end_user": {"open_runs": 1000, "requests": ["20/second"]}, "account": {"bytes": 10000000000}}`).
			with("idempotency_key"),
	}
}

func (a *api) getLimits(ctx context.Context, c call) (rota.AccountLimits, error) {
	user, err := endUserParam(c.URL.Query())
	if err != nil {
		return rota.AccountLimits{}, err
	}
	return a.Control.AccountLimits(ctx, c.who, c.account(), user)
}

func (a *api) setLimits(ctx context.Context, c call, in rota.AccountLimitsSet) (rota.AccountLimits, error) {
	return a.Control.SetAccountLimits(ctx, c.who, c.account(), in, c.write)
}

func (c call) account() string { return c.PathValue("account_id") }
