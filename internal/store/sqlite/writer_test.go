package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A hold is an update that keeps the writer busy until it is let go.
type hold struct {
	letGo chan struct{}
	done  chan error
}

func holdWriter(ctx context.Context, s *sqlite.Store) *hold {
	h := &hold{letGo: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		h.done <- s.Update(ctx, func(context.Context, sqlstore.Queries) error {
			<-h.letGo
			return nil
		})
	}()
	synctest.Wait()
	return h
}

// bubble runs a test in a synctest bubble, which also finds goroutines that
// outlive the store.
func bubble(t *testing.T, o sqlite.Options, test func(*testing.T, *sqlite.Store)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir, o)
		test(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestGroupCommit(t *testing.T) {
	var commits []int
	o := sqlite.Options{OnCommit: func(n int) { commits = append(commits, n) }}
	bubble(t, o, func(t *testing.T, s *sqlite.Store) {
		h := holdWriter(t.Context(), s)
		const waiting = 100
		var group sync.WaitGroup
		for i := range waiting {
			group.Go(func() {
				if err := addAgents(t.Context(), s, namedAgent(fmt.Sprint(i), "")); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(h.letGo)
		group.Wait()
		require.NoError(t, <-h.done)
		require.Len(t, names(t, s), waiting)
		require.Equal(t, []int{1, waiting}, commits)
	})
}

// TestBatchOfFailures: updates of one commit that fail, panic or have been
// given up take back their own work and no one else's.
func TestBatchOfFailures(t *testing.T) {
	var commits int
	o := sqlite.Options{OnCommit: func(int) { commits++ }}
	bubble(t, o, func(t *testing.T, s *sqlite.Store) {
		h := holdWriter(t.Context(), s)
		wanted := errors.New("wanted")
		ends := []func() error{
			func() error { return nil }, func() error { return wanted }, func() error { panic("a bug") }, func() error { return nil },
		}
		errs := make([]error, len(ends))
		var group sync.WaitGroup
		for i, end := range ends {
			group.Go(func() {
				errs[i] = s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
					return errors.Join(tx.AddAgent(ctx, fileOwner, namedAgent(fmt.Sprint(i), "")), end())
				})
			})
			synctest.Wait()
		}
		close(h.letGo)
		group.Wait()
		require.Equal(t, []string{"0", "3"}, names(t, s))
		require.NoError(t, errs[0])
		require.ErrorIs(t, errs[1], wanted)
		require.ErrorContains(t, errs[2], "a bug")
		require.NoError(t, errs[3])
		require.Equal(t, 2, commits, "they were committed together")
	})
}

func TestGiveUpWaiting(t *testing.T) {
	bubble(t, sqlite.Options{}, func(t *testing.T, s *sqlite.Store) {
		h := holdWriter(t.Context(), s)
		why := errors.New("no patience")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		begun := time.Now()
		err := s.Update(ctx, func(context.Context, sqlstore.Queries) error {
			t.Error("it ran")
			return nil
		})
		require.ErrorIs(t, err, why)
		require.Equal(t, time.Second, time.Since(begun))
		close(h.letGo)
		require.NoError(t, <-h.done)
	})
}

// TestWaitForCommit: who is taken into a batch learns how it ended, whatever
// becomes of the context.
func TestWaitForCommit(t *testing.T) {
	bubble(t, sqlite.Options{}, func(t *testing.T, s *sqlite.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		h := holdWriter(ctx, s)
		cancel()
		synctest.Wait()
		require.Empty(t, h.done)
		close(h.letGo)
		require.NoError(t, <-h.done)
	})
}

func TestCloseWhileUpdatesWait(t *testing.T) {
	bubble(t, sqlite.Options{}, func(t *testing.T, s *sqlite.Store) {
		h := holdWriter(t.Context(), s)
		added, closed := make(chan error, 1), make(chan error, 1)
		go func() { added <- addAgents(t.Context(), s, namedAgent("late", "")) }()
		synctest.Wait()
		go func() { closed <- s.Close() }()
		synctest.Wait()
		require.Empty(t, closed, "it waits for those that wait")
		require.ErrorIs(t, addAgents(t.Context(), s, namedAgent("too late", "")), rota.Unavailable)
		close(h.letGo)
		require.NoError(t, <-h.done)
		require.NoError(t, <-added)
		require.NoError(t, <-closed)
	})
}

// TestIdle: with nothing to write the log is moved into the file, once.
func TestIdle(t *testing.T) {
	bubble(t, sqlite.Options{}, func(t *testing.T, s *sqlite.Store) {
		for _, name := range []string{"a", "b"} {
			add(t, s, name)
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		require.Equal(t, []string{"a", "b"}, names(t, s))
	})
}
