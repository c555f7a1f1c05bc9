package relay

import (
	"maps"
	"slices"
	"sync"
)

// A pile is what waits for one goroutine, each thing once.
type pile[T comparable] struct {
	more chan struct{} // holds one token when there is something to take

	mu  sync.Mutex // guards set
	set map[T]bool
}

func newPile[T comparable]() *pile[T] {
	return &pile[T]{more: make(chan struct{}, 1), set: make(map[T]bool)}
}

// add does not block.
func (p *pile[T]) add(things ...T) {
	p.mu.Lock()
	for _, t := range things {
		p.set[t] = true
	}
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// take takes all.
func (p *pile[T]) take() []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Collect(maps.Keys(p.set))
	clear(p.set)
	return all
}
