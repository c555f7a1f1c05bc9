// Package budget bounds the memory that a process uses for what callers and
// models send and get. Whoever needs memory takes it from a budget before, and waits
// in line while there is none.
//
// Accounts that hold some and wait for more could wait for each other for ever. So
// the first in the line is served in any case, beyond the size, when all large accounts
// wait: nobody else would ever give anything back. One account at a time may be beyond.
// The most that is ever held is the size and what that one account holds.
//
// Large accounts leave a part of the budget to small ones, and those need not wait
// behind them: a few large requests must not keep everybody else out.
package budget

import (
	"context"
	"slices"
	"sync"
)

// A Budget is an amount of memory. Its methods may be called by many goroutines at
// once. A nil Budget has no bound.
type Budget struct {
	size int64

	mu     sync.Mutex // guards what follows, and the amounts of accounts
	used   int64      // by all accounts but beyond
	beyond *Account   // the one that was served though there was not enough
	line   []*order   // who waits, the longest first
	busy   int        // how many large accounts do not wait, and so will give something back
}

const (
	smallPart = 16 // an account that holds no more than this part of the size is small
	sparePart = 4  // this part of the size is for small accounts alone
)

// An order is an amount that an account waits for.
type order struct {
	account *Account
	amount  int64
	served  chan struct{}
}

// New returns a budget of size bytes.
func New(size int64) *Budget { return &Budget{size: size} }

// Open returns an account that holds nothing. Its owner must close it.
func (b *Budget) Open() *Account { return &Account{budget: b} }

// An Account is what one piece of work holds. One goroutine may use it.
type Account struct {
	budget *Budget
	held   int64
}

// Take takes n bytes more. It blocks until there are as many, or returns the cause of
// ctx's end.
func (a *Account) Take(ctx context.Context, n int64) error {
	if a.budget == nil || n <= 0 {
		return nil
	}
	o := a.budget.enter(a, n)
	select {
	case <-o.served:
		return nil
	case <-ctx.Done():
		return a.budget.leave(ctx, o)
	}
}

// Hold takes or gives back as much as it takes to hold n bytes in all. It blocks like
// Take.
func (a *Account) Hold(ctx context.Context, n int64) error {
	if a.budget == nil {
		return nil
	}
	if n > a.held {
		return a.Take(ctx, n-a.held)
	}
	a.budget.giveBack(a, a.held-n)
	return nil
}

// Held returns how many bytes the account holds.
func (a *Account) Held() int64 { return a.held }

// Release gives everything back. The account can be used again.
func (a *Account) Release() {
	if a.budget != nil {
		a.budget.giveBack(a, a.held)
	}
}

func (b *Budget) giveBack(a *Account, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(a, a.held-n)
	switch {
	case b.beyond != a:
		b.used -= n
	case b.used+a.held <= b.limit(a.held):
		b.beyond, b.used = nil, b.used+a.held
	}
	b.serve()
}

func (b *Budget) enter(a *Account, n int64) *order {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := &order{account: a, amount: n, served: make(chan struct{})}
	b.line = append(b.line, o)
	b.countBusy(a, -1)
	b.serve()
	return o
}

// leave takes an order out of the line, unless it was served meanwhile.
func (b *Budget) leave(ctx context.Context, o *order) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.line, o)
	if i < 0 {
		return nil
	}
	b.line = slices.Delete(b.line, i, i+1)
	b.countBusy(o.account, 1)
	b.serve()
	return context.Cause(ctx)
}

// serve serves the line as far as there is room. Behind one that waits, only small
// accounts are served, and the one that is beyond.
func (b *Budget) serve() {
	waits := false
	b.line = slices.DeleteFunc(b.line, func(o *order) bool {
		total := o.account.held + o.amount
		fits := b.used+o.amount <= b.limit(total) && (!waits || b.small(total))
		switch {
		case fits, b.beyond == o.account:
		case waits, b.beyond != nil, b.busy > 0:
			waits = true
			return false
		default:
			b.beyond, b.used = o.account, b.used-o.account.held
		}
		b.grant(o)
		return true
	})
}

// grant gives what was ordered to an account that waits no more.
func (b *Budget) grant(o *order) {
	if b.beyond != o.account {
		b.used += o.amount
	}
	b.countBusy(o.account, 1)
	b.set(o.account, o.account.held+o.amount)
	close(o.served)
}

// set sets what an account holds that does not wait.
func (b *Budget) set(a *Account, held int64) {
	b.countBusy(a, -1)
	a.held = held
	b.countBusy(a, 1)
}

func (b *Budget) countBusy(a *Account, n int) {
	if !b.small(a.held) {
		b.busy += n
	}
}

// limit returns how much may be used when an account gets to hold a total.
func (b *Budget) limit(total int64) int64 {
	if b.small(total) {
		return b.size
	}
	return b.size - b.size/sparePart
}

func (b *Budget) small(total int64) bool { return total <= b.size/smallPart }
