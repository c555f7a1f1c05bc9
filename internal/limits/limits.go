// Package limits knows what accounts and their end users may have, and how much they
// have stored.
package limits

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rota-run/rota"
)

// reload is how often the limits of accounts are read anew.
const reload = 2 * time.Second

// A Store is where the limits of accounts are, and what is counted.
type Store interface {
	// AccountLimits returns the limits that were set for accounts.
	AccountLimits(ctx context.Context) (map[string]rota.AllLimits, error)

	// StoredBytes counts what an account has stored: a part of it, from a place on,
	// which is the zero value at first. It returns the place of the next part, or
	// the zero value after the last.
	StoredBytes(ctx context.Context, account string, from rota.StoredPlace) ([]rota.StoredBytes, rota.StoredPlace, error)
}

// A Keeper knows the limits of every account. Its methods may be called from any
// goroutine. Without a Store, nothing is counted.
type Keeper struct {
	Server rota.AllLimits // of accounts for which none were set
	Store  Store          // may be nil
	Log    *slog.Logger   // only for Run

	mu     sync.Mutex
	sets   int // counts calls of Set
	own    map[string]rota.AllLimits
	counts map[string]*count // of accounts that have or had a limit of bytes
}

// Default returns the limits of accounts for which none were set.
func (k *Keeper) Default() rota.AllLimits { return k.Server }

// Of returns the limits of an account. Those that were set by another process are
// known after two seconds.
func (k *Keeper) Of(account string) rota.AllLimits {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.own[account].Over(k.Server)
}

// Set notes the limits that were set for an account.
func (k *Keeper) Set(account string, own rota.AllLimits) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.own == nil {
		k.own = make(map[string]rota.AllLimits)
	}
	k.own[account] = own
	k.sets++
}

// Run reads the limits of accounts every two seconds, and counts what the accounts
// have stored about which an engine has asked, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	failed := false
	for ctx.Err() == nil {
		err := k.load(ctx)
		if err == nil {
			err = k.countAsked(ctx)
		}
		if err != nil && !failed && ctx.Err() == nil {
			k.Log.Error("the limits of accounts could not be read; it is repeated every two seconds", "err", err)
		}
		failed = err != nil
		select {
		case <-time.After(reload):
		case <-ctx.Done():
		}
	}
}

// load reads the limits of accounts. If some are set meanwhile, what was read may be
// older, and the next load does it.
func (k *Keeper) load(ctx context.Context) error {
	k.mu.Lock()
	sets := k.sets
	k.mu.Unlock()
	own, err := k.Store.AccountLimits(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sets == sets {
		k.own = own
	}
	return nil
}
