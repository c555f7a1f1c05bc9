package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

const (
	writtenAgain = 5 * time.Second // after a write, before the next one is tried
	failedAgain  = time.Second     // after a write that failed
)

// A readiness says whether a server can do its work: read, write, and fire schedules or
// stand by for that.
type readiness struct {
	store store.Store

	mu     sync.Mutex // guards what follows
	trying chan struct{}
	tried  time.Time
	err    error
}

func newReadiness(s store.Store) *readiness { return &readiness{store: s} }

// check returns why the server is not ready, or nil.
func (r *readiness) check(ctx context.Context) error {
	if err := r.store.Reader().Ping(ctx); err != nil {
		return err
	}
	if db, ok := r.store.(*postgres.Store); ok {
		if err := db.CannotLead(); err != nil {
			return err
		}
	}
	return r.writable(ctx)
}

// writable returns how the last write that was tried ended. Anybody may ask, so
// writes are seldom, and one at a time.
func (r *readiness) writable(ctx context.Context) error {
	select {
	case <-r.attempt():
	case <-ctx.Done():
		return errors.Join(ctx.Err(), errors.New("the database takes too long to write"))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// attempt starts to write if it is time for that. It returns a channel that is
// closed when nobody is at it.
func (r *readiness) attempt() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := writtenAgain
	if r.err != nil {
		again = failedAgain
	}
	if r.trying == nil || ended(r.trying) && time.Since(r.tried) >= again {
		r.trying = make(chan struct{})
		go r.write(r.trying)
	}
	return r.trying
}

func ended(trying <-chan struct{}) bool {
	select {
	case <-trying:
		return true
	default:
		return false
	}
}

func (r *readiness) write(done chan<- struct{}) {
	defer close(done)
	now := time.Now()
	err := r.store.Update(context.Background(), func(ctx context.Context, q sqlstore.Queries) error { return q.TryWrite(ctx, now) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried, r.err = time.Now(), err
}
