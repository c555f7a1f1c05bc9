package enginetest

import (
	"context"
	"sync"

	"github.com/rota-run/rota"
)

// A frail store fails when it is told to, and counts what is asked of it.
type frail struct {
	rota.Store
	mu      sync.Mutex
	updates int
	fails   int
	dead    bool
	after   func() // called once, after the next update and before its caller hears of it
}

var errFrail = rota.Errorf(rota.Unavailable, "the disk is full")

// Update implements [rota.Store].
func (s *frail) Update(ctx context.Context, fn func(context.Context, rota.Tx) error) error {
	if s.refuses() {
		return errFrail
	}
	err := s.Store.Update(ctx, fn)
	if after := s.take(); after != nil {
		after()
	}
	return err
}

func (s *frail) refuses() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updates++
	if s.fails > 0 {
		s.fails--
		return true
	}
	return s.dead
}

func (s *frail) take() func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	after := s.after
	s.after = nil
	return after
}

// die makes every update fail.
func (s *frail) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
}

// fail makes the next n updates fail, and counts updates from here on.
func (s *frail) fail(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updates, s.fails = 0, n
}

// count returns how many updates there were since fail.
func (s *frail) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updates
}

// afterNext calls fn between the next update and the moment its caller hears of
// it.
func (s *frail) afterNext(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = fn
}
