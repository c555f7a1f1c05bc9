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

// A faulty store fails when it is told to, and counts what is asked of it.
type faulty struct {
	store.Store
	updates failing // all of them
	fires   failing // those that decide something that is due

	mu         sync.Mutex
	dead       bool
	crash      *crash
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
	return errFaulty
}

var errFaulty = rota.Errorf(rota.Unavailable, "the disk is full")

// Update implements [store.Store].
func (s *faulty) Update(ctx context.Context, fn func(context.Context, sqlstore.Queries) error) error {
	if s.updates.next() != nil || s.isDead() {
		return errFaulty
	}
	if f := s.dying(); f != nil {
		f.onDeath()
		if f.kept {
			_ = s.Store.Update(ctx, fn) // whoever asked never hears of it
		}
		return errFaulty
	}
	var did *trace
	toFire := sync.OnceValue(s.fires.next) // an update can be made again
	err := s.Store.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
		did = new(trace)
		err := fn(context.WithValue(ctx, traceKey{}, did), tx)
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

// A trace is what an update did.
type trace struct{ fired, claimed bool }

// traceKey is the key of the trace in an update's context.
type traceKey struct{}

// Watched returns the queue of a transaction of [Setup.Store], so that the suite
// knows what is done in it. Every engine under test must use it.
func Watched(q engine.Queue) engine.Queue { return watched{q} }

type watched struct{ engine.Queue }

// FireDue implements [engine.Queue].
func (w watched) FireDue(ctx context.Context, now time.Time, limit int, look func(context.Context, []rota.Timer) error, decide rota.Decide) ([]rota.Fire, error) {
	did := ctx.Value(traceKey{}).(*trace)
	return w.Queue.FireDue(ctx, now, limit, look, func(timer rota.Timer) rota.Decision {
		did.fired = true
		return decide(timer)
	})
}

// ClaimRuns implements [engine.Queue].
func (w watched) ClaimRuns(ctx context.Context, now time.Time, c rota.Claim) ([]rota.Work, error) {
	did := ctx.Value(traceKey{}).(*trace)
	work, err := w.Queue.ClaimRuns(ctx, now, c)
	did.claimed = did.claimed || len(work) > 0
	return work, err
}

// ClaimAll implements [engine.Queue].
func (w watched) ClaimAll(ctx context.Context, now time.Time, limit int, fit func([]rota.Work) bool, may rota.MayStart) ([]rota.Work, bool, error) {
	did := ctx.Value(traceKey{}).(*trace)
	work, all, err := w.Queue.ClaimAll(ctx, now, limit, fit, may)
	did.claimed = did.claimed || len(work) > 0
	return work, all, err
}

func (s *faulty) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// claimed returns what is to be called after an update, if anything is.
func (s *faulty) claimed(did trace) (after func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if did.claimed {
		after, s.afterClaim = s.afterClaim, nil
	}
	return after
}

// die makes every update fail.
func (s *faulty) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
}

// A crash is how a store will die.
type crash struct {
	left    int  // updates before the last
	kept    bool // whether the last is durable; nobody hears of it anyway
	onDeath func()
}

// dieLater sets how the store will die.
func (s *faulty) dieLater(c crash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crash = &c
}

// dying returns how the store dies if this update is the last, and makes every
// other one fail.
func (s *faulty) dying() *crash {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crash == nil {
		return nil
	}
	s.crash.left--
	if s.crash.left >= 0 {
		return nil
	}
	s.dead = true
	return s.crash
}

// onClaim calls fn between the next update that claims runs and the moment its
// caller hears of it.
func (s *faulty) onClaim(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.afterClaim = fn
}
