package relay

import (
	"maps"
	"slices"
	"sync"
)

// A set collects things for one goroutine to handle, each once.
type set[T comparable] struct {
	more chan struct{} // holds one token when there is something to take

	mu      sync.Mutex // guards set
	members map[T]bool
}

func newSet[T comparable]() *set[T] {
	return &set[T]{more: make(chan struct{}, 1), members: make(map[T]bool)}
}

// add adds things. It does not block.
func (p *set[T]) add(things ...T) {
	p.mu.Lock()
	for _, t := range things {
		p.members[t] = true
	}
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// drain removes all and returns them.
func (p *set[T]) drain() []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Collect(maps.Keys(p.members))
	clear(p.members)
	return all
}
