// Package budget bounds the memory that a process uses for what callers and
// models send and get. Whoever needs memory takes it from the budget before, and waits
// in line while there is none.
//
// Accounts that hold some and wait for more could wait for each other for ever. So
// the first in the line is served in any case, beyond the size if need be, as long as
// no other account is beyond it. The most that is ever in use is the size and one
// account.
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
	used   int64
	beyond *Account // that was served though there was not enough
	line   []*order // who waits, the longest first
}

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

// Take takes n bytes more. It blocks until there are as many, or returns ctx's error.
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

// Release gives everything back. The account can be used again.
func (a *Account) Release() {
	if a.budget == nil {
		return
	}
	b := a.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= a.held
	a.held = 0
	if b.beyond == a {
		b.beyond = nil
	}
	b.serve()
}

func (b *Budget) enter(a *Account, n int64) *order {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := &order{account: a, amount: n, served: make(chan struct{})}
	if b.beyond == a {
		b.grant(o)
		return o
	}
	b.line = append(b.line, o)
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
	b.serve()
	return context.Cause(ctx)
}

// serve serves the line as far as there is room.
func (b *Budget) serve() {
	for len(b.line) > 0 {
		o := b.line[0]
		if b.used+o.amount > b.size {
			if b.beyond != nil {
				return
			}
			b.beyond = o.account
		}
		b.line = b.line[1:]
		b.grant(o)
	}
}

func (b *Budget) grant(o *order) {
	b.used += o.amount
	o.account.held += o.amount
	close(o.served)
}
