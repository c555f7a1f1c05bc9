package enginetest

import (
	"context"
	"sync"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A frail store fails when it is told to, and counts what is asked of it.
type frail struct {
	store.Store
	updates failing // all of them
	fires   failing // those that decide something that is due

	mu         sync.Mutex
	dead       bool
	fate       *fate
	afterClaim func() // called once, between an update that claims runs and the moment its caller hears of it
}

// A failing counts attempts at something, of which the first few fail.
type failing struct {
	mu         sync.Mutex
	seen, left int
}

// fail makes the next n attempts fail, and counts from here on.
func (f *failing) fail(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen, f.left = 0, n
}

// count returns how many attempts there were since fail.
func (f *failing) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// next counts an attempt, and says whether it fails.
func (f *failing) next() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	if f.left == 0 {
		return nil
	}
	f.left--
	return errFrail
}

var errFrail = rota.Errorf(rota.Unavailable, "the disk is full")

// Update implements [store.Store].
func (s *frail) Update(ctx context.Context, fn func(context.Context, sqlstore.Queries) error) error {
	if s.updates.next() != nil || s.isDead() {
		return errFrail
	}
	if f := s.dying(); f != nil {
		f.fulfil()
		if f.kept {
			_ = s.Store.Update(ctx, fn) // whoever asked never hears of it
		}
		return errFrail
	}
	var did *deeds
	toFire := sync.OnceValue(s.fires.next) // an update can be made again
	err := s.Store.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
		did = new(deeds)
		err := fn(context.WithValue(ctx, deedsKey{}, did), tx)
		if err == nil && did.fired {
			err = toFire()
		}
		return err
	})
	if err != nil {
		return err
	}
	if after := s.claimed(*did); after != nil {
		after()
	}
	return nil
}

// deeds are what an update did.
type deeds struct{ fired, claimed bool }

// deedsKey is the key of the deeds in an update's context.
type deedsKey struct{}

// Watched returns the queue of a transaction of [Setup.Store], so that the suite
// knows what is done in it. Every engine under test must use it.
func Watched(q engine.Queue) engine.Queue { return watched{q} }

type watched struct{ engine.Queue }

// FireDue implements [engine.Queue].
func (w watched) FireDue(ctx context.Context, now time.Time, limit int, decide rota.Decide) ([]rota.Fire, error) {
	did := ctx.Value(deedsKey{}).(*deeds)
	return w.Queue.FireDue(ctx, now, limit, func(timer rota.Timer) rota.Decision {
		did.fired = true
		return decide(timer)
	})
}

// ClaimRuns implements [engine.Queue].
func (w watched) ClaimRuns(ctx context.Context, now time.Time, provider string, limit int) ([]rota.Work, error) {
	did := ctx.Value(deedsKey{}).(*deeds)
	work, err := w.Queue.ClaimRuns(ctx, now, provider, limit)
	did.claimed = did.claimed || len(work) > 0
	return work, err
}

func (s *frail) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// claimed returns what is to be called after an update, if anything is.
func (s *frail) claimed(did deeds) (after func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if did.claimed {
		after, s.afterClaim = s.afterClaim, nil
	}
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

// onClaim calls fn between the next update that claims runs and the moment its
// caller hears of it.
func (s *frail) onClaim(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.afterClaim = fn
}
