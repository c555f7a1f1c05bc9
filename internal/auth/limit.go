package auth

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/rota-run/rota"
)

// A Limiter holds keys, end users and accounts to their rate limits. What they have
// used is in the store, so that they have it together in all processes.
type Limiter struct {
	Store   Store
	Default []rota.RateLimit                    // of keys that have none of their own
	Of      func(account string) rota.AllLimits // nil: end users and accounts have none

	mu      sync.Mutex
	refused map[string]refusal // by whom
}

// A refusal is known until it is over: there is no need to ask the store again.
type refusal struct {
	limits string
	until  time.Time
}

// A counted is somebody whose requests are counted.
type counted struct {
	name    string // that nobody else has
	who     string // for people
	setting string // of the limits; empty for those of keys
	limits  []rota.RateLimit
	spent   func(context.Context, Tx) (rota.Spent, error)
	save    func(ctx context.Context, tx Tx, s rota.Spent, first bool) error
}

// Admit counts a request of the caller's key, end user and account. It returns
// RateLimited, with the time after which one more would be let in, if there have been
// too many of one of them. Who has no limits costs nothing, and a refusal is not counted.
func (l *Limiter) Admit(ctx context.Context, who Caller, now time.Time) error {
	all := l.counted(who, now)
	if len(all) == 0 {
		return nil
	}
	for _, c := range all {
		if wait := l.left(c, now); wait > 0 {
			return c.refuse(wait)
		}
	}
	return l.take(ctx, all, now)
}

// counted returns whose requests are counted, as far as they have limits.
func (l *Limiter) counted(who Caller, now time.Time) []counted {
	limits := who.RateLimits
	if len(limits) == 0 {
		limits = l.Default
	}
	var all []counted
	if len(limits) > 0 {
		all = append(all, counted{
			name: string(who.Key), who: "this key", limits: limits,
			spent: func(ctx context.Context, tx Tx) (rota.Spent, error) { return tx.Spent(ctx, who.Key) },
			save:  func(ctx context.Context, tx Tx, s rota.Spent, _ bool) error { return tx.SaveSpent(ctx, who.Key, s) },
		})
	}
	if l.Of == nil {
		return all
	}
	of := l.Of(who.Owner.Account)
	if len(of.EndUser.Requests) > 0 {
		all = append(all, ofOwner(who.Owner, false, "the end user", "end_user.requests", of.EndUser.Requests, now))
	}
	if len(of.Account.Requests) > 0 {
		all = append(all, ofOwner(who.Owner, true, "the account", "account.requests", of.Account.Requests, now))
	}
	return all
}

func ofOwner(o rota.Owner, whole bool, who, setting string, limits []rota.RateLimit, now time.Time) counted {
	name := o.Account
	if !whole {
		name += "/" + o.EndUser
	}
	return counted{
		name: name, who: who, setting: setting, limits: limits,
		spent: func(ctx context.Context, tx Tx) (rota.Spent, error) { return tx.SpentBy(ctx, o, whole) },
		save: func(ctx context.Context, tx Tx, s rota.Spent, first bool) error {
			return tx.SaveSpentBy(ctx, o, whole, s, first, now)
		},
	}
}

func (c counted) refuse(wait time.Duration) error {
	e := &rota.Error{Code: rota.RateLimited, Msg: c.who + " may make no more requests now: its limits are " + list(c.limits), RetryAfter: wait}
	if c.setting != "" {
		e.Msg += " (limits." + c.setting + ")"
		most := int64(c.limits[0].Requests)
		e.Limit = &rota.LimitUse{Limit: c.setting, Used: most, Max: most}
	}
	return e
}

// left returns how long somebody is still refused, as far as this process knows.
func (l *Limiter) left(c counted, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, known := l.refused[c.name]
	if !known {
		return 0
	}
	left := r.until.Sub(now)
	if left <= 0 || r.limits != list(c.limits) {
		delete(l.refused, c.name)
		return 0
	}
	return left
}

// maxRefused bounds the memory of refusals. What is forgotten is asked for again.
const maxRefused = 10_000

func (l *Limiter) remember(c counted, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused == nil || len(l.refused) >= maxRefused {
		l.refused = make(map[string]refusal)
	}
	l.refused[c.name] = refusal{list(c.limits), until}
}

// take counts a request in the store for everybody, or for nobody if it is refused.
func (l *Limiter) take(ctx context.Context, all []counted, now time.Time) error {
	var refused *counted
	var wait time.Duration
	err := l.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		refused = nil
		before, after := make([]rota.Spent, len(all)), make([]rota.Spent, len(all))
		for i, c := range all {
			var err error
			if before[i], err = c.spent(ctx, tx); err != nil {
				return err
			}
			if after[i], wait = spend(before[i], c.limits, now); wait > 0 {
				refused = &c
				return nil
			}
		}
		for i, c := range all {
			if err := c.save(ctx, tx, after[i], len(before[i]) == 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || refused == nil {
		return err
	}
	l.remember(*refused, now.Add(wait))
	return refused.refuse(wait)
}

// spend takes one request from each limit, or from none and returns how long that
// has to wait.
//
// A limit of n is a bucket of n requests. All that has to be known of it is when it
// will be full again: each request puts that off by the nth part of the period,
// but never further away than a whole period (this is called GCRA), not even if the
// clock is set back.
func spend(spent rota.Spent, limits []rota.RateLimit, now time.Time) (after rota.Spent, wait time.Duration) {
	after = make(rota.Spent)
	maps.Copy(after, spent)
	for _, l := range limits {
		per := l.Per.Duration()
		left := min(max(time.Duration(after[l.Per]-now.UnixNano()), 0), per) + per/time.Duration(l.Requests)
		wait = max(wait, left-per)
		after[l.Per] = now.Add(left).UnixNano()
	}
	return after, wait
}

func list(limits []rota.RateLimit) string {
	s := limits[0].String()
	for _, l := range limits[1:] {
		s += " and " + l.String()
	}
	return s
}

// Used returns how many requests of a limit have not come back at now.
func Used(s rota.Spent, l rota.RateLimit, now time.Time) int {
	each := l.Per.Duration() / time.Duration(l.Requests)
	left := min(max(time.Duration(s[l.Per]-now.UnixNano()), 0), l.Per.Duration())
	return min(int((left+each-1)/each), l.Requests)
}
