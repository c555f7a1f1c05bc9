package responder

import (
	"context"
	"maps"
	"sync"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
)

// Busy counts the background responses that are worked on. Its methods may be called from
// any goroutine, and its zero value counts none.
type Busy struct {
	mu     sync.Mutex
	mine   map[rota.OwnerAt]int // of this process
	n      int                  // of them
	others map[rota.OwnerAt]int // of other processes, as of a second ago
}

// Load returns how many there are of each owner at each provider, in all processes.
func (b *Busy) Load() map[rota.OwnerAt]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := maps.Clone(b.others)
	if all == nil {
		all = make(map[rota.OwnerAt]int)
	}
	for at, n := range b.mine {
		all[at] += n
	}
	return all
}

func (b *Busy) ofMine() map[rota.OwnerAt]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.mine)
}

func (b *Busy) here() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

func (b *Busy) add(at rota.OwnerAt, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mine == nil {
		b.mine = make(map[rota.OwnerAt]int)
	}
	b.n += n
	if b.mine[at] += n; b.mine[at] == 0 {
		delete(b.mine, at)
	}
}

// look notes what other processes work on.
func (r *Responder) look(ctx context.Context) {
	if r.Alone {
		return
	}
	others, err := r.Store.BusyResponses(ctx, r.Worker, r.Now())
	if err != nil {
		return // what was counted last stands
	}
	r.Busy.mu.Lock()
	defer r.Busy.mu.Unlock()
	r.Busy.others = others
}

// left notes that a worker is free. A run may wait for it.
func (r *Responder) left(at rota.OwnerAt) {
	r.Busy.add(at, -1)
	r.Changed()
	if r.Freed != nil {
		r.Freed()
	}
}

// turns are those in which owners get workers, in one transaction.
type turns struct {
	r       *Responder
	load    engine.Load
	offered map[rota.Owner]bool
	last    rota.Owner     // whose turn was the last
	at      []rota.OwnerAt // of what is taken
}

func (t *turns) all() rota.ResponseTurns {
	return rota.ResponseTurns{
		Limit: min(atOnce, workers-t.r.Busy.here()), After: t.r.after,
		Load: func(busy map[rota.OwnerAt]int) { t.load = engine.NewLoad(t.r.Busy.ofMine(), busy) },
		May:  func(o rota.Owner) bool { return t.shares().May(t.load, rota.OwnerAt{Owner: o}) },
		Take: t.take,
	}
}

func (t *turns) shares() engine.Shares {
	s := t.r.Shares
	s.Workers = workers
	return s
}

// take takes a response if its owner may have a worker at its provider. One whose caller
// is gone is only ended, and needs none.
func (t *turns) take(o rota.OpenResponse) (string, bool) {
	if !t.offered[o.Owner] {
		t.offered[o.Owner], t.last = true, o.Owner
	}
	at := rota.OwnerAt{Owner: o.Owner}
	if o.Background {
		at.Provider, _, _ = t.r.Gateway.Resolve(o.Model) // with an error, it fails
		if t.shares().Full(t.load, at.Provider) || !t.shares().May(t.load, at) {
			return "", false
		}
		t.load.Add(at, 1)
	}
	t.at = append(t.at, at)
	return at.Provider, true
}
