package control

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// Limits knows what accounts and their end users may have, and have stored.
type Limits interface {
	// Default returns the limits of accounts for which none were set.
	Default() rota.AllLimits

	// Of returns the limits of an account.
	Of(account string) rota.AllLimits

	// Set notes the limits that were set for an account.
	Set(account string, own rota.AllLimits)

	// Stored returns what an owner has stored, if there is a limit of it.
	Stored(ctx context.Context, o rota.Owner) (rota.Stored, error)

	// Count returns what an owner has stored.
	Count(ctx context.Context, o rota.Owner) (rota.Stored, error)

	// Wrote notes that an owner has stored more.
	Wrote(o rota.Owner, bytes int)
}

// validAccount is what an account may be called.
var validAccount = regexp.MustCompile(rota.AccountPattern)

// rowBytes is what a row adds to what is stored, beside its text.
const rowBytes = 500

// growing returns the write of a change that adds to what its owner has stored: it is
// refused if the owner has stored as much as it may.
func (w Write) growing() Write {
	w.grows = true
	return w
}

// altering returns the write of a change of what there is, which may add to what its
// owner has stored: whoever makes the change asks whether it may become that long.
func (c *Control) altering(ctx context.Context, who auth.Caller, w Write) (_ Write, err error) {
	w = w.growing()
	w.alters = true
	w.full, err = c.full(ctx, who.Owner, w)
	return w, err
}

// mayBecome returns an error if the owner has stored as much as it may, and what is of a
// length is to become longer.
func (w Write) mayBecome(before, after int) error {
	if w.full == nil || after <= before {
		return nil
	}
	return w.full.Err()
}

// mayMove is mayBecome for a change of nothing but the models of an agent: it is taken
// until a tenth more is stored than may be. An agent whose model is gone is of no use,
// and each change keeps another version.
func (w Write) mayMove() error {
	if w.full == nil || w.full.Used < w.full.Max+w.full.Max/10 {
		return nil
	}
	return w.full.Err()
}

// textLength returns the length of what people write into a schedule.
func textLength(s rota.Schedule) int {
	text, err := json.Marshal([]any{s.Input, s.Name, s.Description, s.Metadata, s.Conversation, s.ContextManagement})
	if err != nil {
		panic(err) // all of it came as JSON
	}
	return len(text)
}

// full returns the limit that keeps an owner from storing more; nil if there is none,
// or a write does not.
func (c *Control) full(ctx context.Context, o rota.Owner, w Write) (*rota.LimitUse, error) {
	if !w.grows {
		return nil, nil
	}
	stored, err := c.Limits.Stored(ctx, o)
	return c.Limits.Of(o.Account).Full(stored), err
}

// limitReached returns the limit that keeps an owner from starting a run; nil if
// there is none. It is asked before the transaction, which may be the only one at
// that time: those who ask at once may start one run each beyond the limit.
func (c *Control) limitReached(ctx context.Context, o rota.Owner) (*rota.LimitUse, error) {
	open, err := c.openRunsOf(ctx, c.Store, o)
	return c.Limits.Of(o.Account).Reached(o, open), err
}

// openRunsOf counts the open runs of owners and their accounts, as far as there are limits.
func (c *Control) openRunsOf(ctx context.Context, r RunReader, all ...rota.Owner) (rota.OpenRuns, error) {
	var owners []rota.Owner
	var accounts []string
	for _, o := range all {
		limits := c.Limits.Of(o.Account)
		if limits.EndUser.BoundsOpenRuns() && !slices.Contains(owners, o) {
			owners = append(owners, o)
		}
		if limits.Account.BoundsOpenRuns() && !slices.Contains(accounts, o.Account) {
			accounts = append(accounts, o.Account)
		}
	}
	if len(owners) == 0 && len(accounts) == 0 {
		return rota.OpenRuns{Owner: map[rota.Owner]int{}, Account: map[string]int{}}, nil
	}
	return r.OpenRunsOf(ctx, owners, accounts)
}

// AccountLimits returns the limits of an account and what it has; also what one of its
// end users has, unless the name is empty. Scope read:account, and write:accounts for
// another account.
func (c *Control) AccountLimits(ctx context.Context, who auth.Caller, account, endUser string) (rota.AccountLimits, error) {
	if err := c.enter(ctx, who, rota.ReadAccount, "account_limits", on("of_account", account)); err != nil {
		return rota.AccountLimits{}, err
	}
	if err := ofAccount(who, account); err != nil {
		return rota.AccountLimits{}, err
	}
	if endUser != "" {
		if err := auth.CheckEndUser("end_user", endUser); err != nil {
			return rota.AccountLimits{}, err
		}
	}
	own, err := c.Store.LimitsOf(ctx, account)
	if err != nil {
		return rota.AccountLimits{}, err
	}
	return c.accountLimits(ctx, account, endUser, own)
}

// SetAccountLimits sets the limits of an account, in place of those that were set
// before. What the account itself may have can be raised only with the scope
// write:accounts. Scope write:account, and write:accounts for another account.
func (c *Control) SetAccountLimits(ctx context.Context, who auth.Caller, account string, in rota.AccountLimitsSet, w Write) (rota.AccountLimits, error) {
	if err := c.enter(ctx, who, rota.WriteAccount, "set_account_limits", on("of_account", account)); err != nil {
		return rota.AccountLimits{}, err
	}
	if err := ofAccount(who, account); err != nil {
		return rota.AccountLimits{}, err
	}
	own := in.Limits()
	if err := c.mayHave(ctx, who, account, own); err != nil {
		return rota.AccountLimits{}, err
	}
	own, err := write(ctx, c, who, w, func(ctx context.Context, tx Tx, _ time.Time) (rota.AllLimits, error) {
		return own, tx.SaveLimits(ctx, account, own)
	})
	if err != nil {
		return rota.AccountLimits{}, err
	}
	if w.Replayed == nil || !*w.Replayed {
		c.Limits.Set(account, own)
	}
	return c.accountLimits(ctx, account, "", own)
}

// ofAccount returns an error unless the caller may ask for the limits of an account.
// They are not for whoever acts for an end user.
func ofAccount(who auth.Caller, account string) error {
	if who.Owner.EndUser != "" {
		return rota.Errorf(rota.Denied, "whoever acts for an end user does not see the limits of the account")
	}
	if account == who.Owner.Account {
		return nil
	}
	if err := who.Require(rota.WriteAccounts); err != nil {
		return err
	}
	if !validAccount.MatchString(account) {
		return rota.Errorf(rota.NotFound, "no such account")
	}
	return nil
}

// mayHave returns an error unless the caller may set the limits.
func (c *Control) mayHave(ctx context.Context, who auth.Caller, account string, own rota.AllLimits) error {
	for field, limits := range map[string][]rota.RateLimit{"end_user.requests": own.EndUser.Requests, "account.requests": own.Account.Requests} {
		if per, twice := rota.SamePeriod(limits); twice {
			return rota.InvalidField(field, "must have one limit for a %s, not two", per)
		}
	}
	if who.Require(rota.WriteAccounts) == nil {
		return nil
	}
	before, err := c.Store.LimitsOf(ctx, account)
	if err != nil {
		return err
	}
	byDefault := c.Limits.Default()
	now, then := own.Over(byDefault).Account, before.Over(byDefault).Account
	if field := now.Above(then); field != "" {
		return denied("account."+field, "is more than the account has: raising it needs the scope "+string(rota.WriteAccounts))
	}
	return nil
}

func (c *Control) accountLimits(ctx context.Context, account, endUser string, own rota.AllLimits) (rota.AccountLimits, error) {
	l := rota.AccountLimits{Object: rota.ObjectAccountLimits, ID: account, AllLimits: own.Over(c.Limits.Default()), Own: own}
	o := rota.Owner{Account: account, EndUser: endUser}
	open, err := c.Store.OpenRunsOf(ctx, []rota.Owner{o}, []string{account})
	if err != nil {
		return l, err
	}
	ofUser, ofAll, err := c.Store.WorkersOf(ctx, o)
	if err != nil {
		return l, err
	}
	stored, err := c.Limits.Count(ctx, o)
	if err != nil {
		return l, err
	}
	l.Used = rota.LimitsUse{Workers: int64(ofAll), OpenRuns: int64(open.Account[account]), Bytes: stored.Account}
	if l.Used.Requests, err = c.requestsUsed(ctx, o, true, l.Account.Requests); err != nil || endUser == "" {
		return l, err
	}
	l.UsedByEndUser = &rota.LimitsUse{Workers: int64(ofUser), OpenRuns: int64(open.Owner[o]), Bytes: stored.EndUser}
	l.UsedByEndUser.Requests, err = c.requestsUsed(ctx, o, false, l.EndUser.Requests)
	return l, err
}

func (c *Control) requestsUsed(ctx context.Context, o rota.Owner, whole bool, limits []rota.RateLimit) ([]rota.RequestsUse, error) {
	used := []rota.RequestsUse{}
	if len(limits) == 0 {
		return used, nil
	}
	spent, err := c.Store.ReadSpentBy(ctx, o, whole)
	for _, l := range limits {
		used = append(used, rota.RequestsUse{Limit: l, Used: auth.Used(spent, l, c.Now())})
	}
	return used, err
}
