package control

import (
	"context"
	"slices"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// Everybody stands for the account itself and all of its end users.
const Everybody = "*"

// owners begins a list across agents, as enter does with the scope read:agents. It
// returns whose things the list shows: the caller's; or, with the scope
// read:account, those of one end user or of [Everybody].
func (c *Control) owners(ctx context.Context, who auth.Caller, operation, endUser string) (rota.Owners, error) {
	return c.ownersOf(ctx, who, operation, endUser, rota.ReadAgents, rota.ReadAccount)
}

// ownersOf is owners for what needs other scopes: ownScope for the caller's things, and allScope for
// those of end users.
func (c *Control) ownersOf(ctx context.Context, who auth.Caller, operation, endUser string, ownScope, allScope rota.Scope) (rota.Owners, error) {
	own := rota.Owners{Owner: who.Owner}
	if err := c.enter(ctx, who, ownScope, operation, on("of_end_user", endUser)); err != nil {
		return own, err
	}
	switch {
	case endUser == "" || endUser == who.Owner.EndUser:
		return own, nil
	case who.Owner.EndUser != "":
		return own, denied("end_user", "must be the end user for whom the request is, or be left out")
	}
	if err := who.Require(allScope); err != nil {
		return own, denied("end_user", "needs the scope "+string(allScope)+", which the key lacks")
	}
	if endUser == Everybody {
		own.All = true
		return own, nil
	}
	own.EndUser = endUser
	return own, auth.CheckEndUser("end_user", endUser)
}

// AllRuns returns a page of runs, whatever their agent: the caller's, or those of
// an end user, see [Control.owners]. Scope read:agents.
func (c *Control) AllRuns(ctx context.Context, who auth.Caller, endUser string, f rota.RunFilter, p rota.Page) (rota.List[rota.Run], error) {
	o, err := c.owners(ctx, who, "all_runs", endUser)
	if err != nil {
		return rota.List[rota.Run]{}, err
	}
	return c.Store.AllRuns(ctx, o, f, p)
}

// AllOccurrences returns a page of what became of nominal times, whatever their
// schedule: the caller's, or those of an end user, see [Control.owners]. What a
// pause that has not ended has kept from starting is in the ledger of its schedule
// alone. Scope read:agents.
func (c *Control) AllOccurrences(ctx context.Context, who auth.Caller, endUser string, f rota.OccurrenceFilter, p rota.Page) (rota.List[rota.Occurrence], error) {
	var none rota.List[rota.Occurrence]
	o, err := c.owners(ctx, who, "all_occurrences", endUser)
	if err != nil {
		return none, err
	}
	l, err := c.Store.AllOccurrences(ctx, o, f, p)
	if err != nil || f.From.IsZero() {
		return l, err
	}
	spans, err := c.Store.SpansAcross(ctx, o, f)
	if err != nil {
		return none, err
	}
	spans = slices.DeleteFunc(spans, func(o rota.Occurrence) bool { return !f.Passes(o) })
	l = withSpans(l, spans, p)
	if l.Count != nil {
		*l.Count += int64(len(spans))
	}
	return l, nil
}

// EndUsers returns a page of the end users of the caller's account, by name. Whoever
// acts for an end user may not ask. Scope read:account.
func (c *Control) EndUsers(ctx context.Context, who auth.Caller, p rota.Page) (rota.List[rota.EndUser], error) {
	var none rota.List[rota.EndUser]
	if err := c.enter(ctx, who, rota.ReadAccount, "end_users"); err != nil {
		return none, err
	}
	if err := forAccount(who); err != nil {
		return none, err
	}
	return c.Store.EndUsers(ctx, who.Owner.Account, p)
}

// forAccount refuses whoever acts for an end user: what is asked is the account's.
func forAccount(who auth.Caller) error {
	if who.Owner.EndUser != "" {
		return rota.Errorf(rota.Denied, "whoever acts for an end user does not see the others, nor what is the account's")
	}
	return nil
}
