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
	fate    *fate
	after   func() // called once, after the next update and before its caller hears of it
}

var errFrail = rota.Errorf(rota.Unavailable, "the disk is full")

// Update implements [rota.Store].
func (s *frail) Update(ctx context.Context, fn func(context.Context, rota.Tx) error) error {
	if s.refuses() {
		return errFrail
	}
	if f := s.dying(); f != nil {
		f.fulfil()
		if f.kept {
			_ = s.Store.Update(ctx, fn) // whoever asked never hears of it
		}
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

// A fate is how a store will die.
type fate struct {
	left   int  // updates before the last
	kept   bool // whether the last is durable; nobody hears of it anyway
	fulfil func()
}

// dieLater gives the store a fate.
func (s *frail) dieLater(f fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fate = &f
}

// dying returns the store's fate if this update is the last, and makes every
// other one fail.
func (s *frail) dying() *fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fate == nil {
		return nil
	}
	s.fate.left--
	if s.fate.left >= 0 {
		return nil
	}
	s.dead = true
	return s.fate
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
