package limits

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/rota-run/rota"
)

const (
	// rest is how many times as long as a count took it is remembered: counting takes
	// two percent of a server's time for each account at most.
	rest = 50

	// quick is how long a call counts when there is a count, and how long a count may
	// take that is made whenever somebody asks to see it.
	quick = 20 * time.Millisecond

	// patience is how long a call waits for the first count of an account.
	patience = time.Second
)

// A sum is how many bytes end users have, and all of them together.
type sum struct {
	by  map[string]int64
	all int64
}

func newSum() sum { return sum{by: make(map[string]int64)} }

func (s *sum) add(user string, n int64) {
	if s.by[user] += n; s.by[user] == 0 {
		delete(s.by, user)
	}
	s.all += n
}

// A count is what is known of what an account has stored.
type count struct {
	known   sum       // by the last whole count
	written sum       // since then
	whole   bool      // there has been a whole count
	asked   bool      // by an engine
	until   time.Time // when known is old

	working  sync.Mutex // whoever counts has it
	counting bool
	next     rota.StoredPlace
	part     sum              // of the count that is under way
	before   map[string]int64 // written when it began
	took     time.Duration
}

// Stored returns what an owner has stored, as far as the limits bound it. It counts
// if that has not been done recently: for a second the first time, and afterwards for
// 20 ms with each call, so that it may take several.
func (k *Keeper) Stored(ctx context.Context, o rota.Owner) (rota.Stored, error) {
	if k.Store == nil || !k.Of(o.Account).BoundBytes() {
		return rota.Stored{}, nil
	}
	return k.count(ctx, o, false)
}

// Count is Stored, also if nothing is bounded. It counts anew if that is quick.
func (k *Keeper) Count(ctx context.Context, o rota.Owner) (rota.Stored, error) {
	if k.Store == nil {
		return rota.Stored{}, nil
	}
	return k.count(ctx, o, true)
}

func (k *Keeper) count(ctx context.Context, o rota.Owner, anew bool) (rota.Stored, error) {
	c := k.countOf(o.Account)
	if c.working.TryLock() {
		defer c.working.Unlock()
		if anew && c.took < quick {
			c.until = time.Time{}
		}
		if err := k.advance(ctx, o.Account, c); err != nil {
			return rota.Stored{}, err
		}
	}
	return k.Known(o), nil
}

// Known returns what is known of what an owner has stored. It does not block, and has
// it counted soon.
func (k *Keeper) Known(o rota.Owner) rota.Stored {
	c := k.countOf(o.Account)
	k.mu.Lock()
	defer k.mu.Unlock()
	c.asked = true
	return rota.Stored{
		Account: c.known.all + c.written.all,
		EndUser: c.known.by[o.EndUser] + c.written.by[o.EndUser],
	}
}

// Wrote notes that an owner has stored more.
func (k *Keeper) Wrote(o rota.Owner, bytes int) {
	if k.Store == nil || !k.Of(o.Account).BoundBytes() {
		return
	}
	c := k.countOf(o.Account)
	k.mu.Lock()
	defer k.mu.Unlock()
	c.written.add(o.EndUser, int64(bytes))
}

func (k *Keeper) countOf(account string) *count {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.counts[account]
	if c == nil {
		c = &count{written: newSum()}
		if k.counts == nil {
			k.counts = make(map[string]*count)
		}
		k.counts[account] = c
	}
	return c
}

// countAsked counts parts of what accounts have about which engines have asked.
func (k *Keeper) countAsked(ctx context.Context) error {
	k.mu.Lock()
	asked := make(map[string]*count)
	for account, c := range k.counts {
		if c.asked {
			asked[account], c.asked = c, false
		}
	}
	k.mu.Unlock()
	var failed error
	for account, c := range asked {
		if c.working.TryLock() {
			failed = errors.Join(failed, k.advance(ctx, account, c))
			c.working.Unlock()
		}
	}
	return failed
}

// advance counts parts of what an account has, one at least, as long as there is time.
func (k *Keeper) advance(ctx context.Context, account string, c *count) error {
	began, budget := time.Now(), patience
	if began.Before(c.until) {
		return nil
	}
	if c.whole {
		budget = quick
	}
	for {
		if !c.counting {
			c.counting, c.part, c.before, c.took = true, newSum(), k.writtenOf(c), 0
		}
		start := time.Now()
		rows, next, err := k.Store.StoredBytes(ctx, account, c.next)
		if err != nil {
			return err
		}
		for _, r := range rows {
			c.part.add(r.EndUser, r.Bytes)
		}
		c.took += time.Since(start)
		if c.next = next; next == (rota.StoredPlace{}) {
			k.complete(c)
			return nil
		}
		if time.Since(began) >= budget {
			return nil
		}
	}
}

func (k *Keeper) writtenOf(c *count) map[string]int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(c.written.by)
}

// complete takes what was counted for what is known. What was written while it was
// counted may be in it twice, until the next count.
func (k *Keeper) complete(c *count) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for user, n := range c.before {
		c.written.add(user, -n)
	}
	c.known, c.counting, c.whole = c.part, false, true
	c.until = time.Now().Add(rest * c.took)
}
