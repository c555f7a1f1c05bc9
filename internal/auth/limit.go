package auth

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/rota-run/rota"
)

// A Limiter holds keys to their rate limits. What they have used is in the store,
// so that they have it together in all processes.
type Limiter struct {
	Store   Store
	Default []rota.RateLimit // of keys that have none of their own

	mu      sync.Mutex
	refused map[rota.KeyID]time.Time // until when there is no need to ask the store again
}

// Admit counts a request of the caller's key. It returns RateLimited, with the time
// after which one more would be let in, if there have been too many. A key
// without limits costs nothing, and a refusal is not counted.
func (l *Limiter) Admit(ctx context.Context, who Caller, now time.Time) error {
	limits := who.RateLimits
	if len(limits) == 0 {
		limits = l.Default
	}
	if len(limits) == 0 {
		return nil
	}
	wait := l.left(who.Key, now)
	if wait == 0 {
		var err error
		if wait, err = l.take(ctx, who.Key, limits, now); err != nil {
			return err
		}
	}
	if wait == 0 {
		return nil
	}
	return &rota.Error{Code: rota.RateLimited, Msg: "this key may make no more requests now: its limits are " + list(limits), RetryAfter: wait}
}

// left returns how long the key is still refused, as far as this process knows.
func (l *Limiter) left(key rota.KeyID, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := l.refused[key].Sub(now)
	if left <= 0 {
		delete(l.refused, key)
		return 0
	}
	return left
}

// take counts a request in the store, or returns how long the key has to wait.
func (l *Limiter) take(ctx context.Context, key rota.KeyID, limits []rota.RateLimit, now time.Time) (wait time.Duration, err error) {
	err = l.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
		spent, err := tx.Spent(ctx, key)
		if err != nil {
			return err
		}
		if spent, wait = spend(spent, limits, now); wait > 0 {
			return nil
		}
		return tx.SaveSpent(ctx, key, spent)
	})
	if err != nil || wait == 0 {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused == nil {
		l.refused = make(map[rota.KeyID]time.Time)
	}
	l.refused[key] = now.Add(wait)
	return wait, nil
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
