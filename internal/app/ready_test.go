package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A full store cannot be written while err is set.
type full struct {
	store.Store
	err    error
	writes int
}

func (f *full) Update(ctx context.Context, fn func(context.Context, sqlstore.Queries) error) error {
	f.writes++
	if f.err != nil {
		return f.err
	}
	return f.Store.Update(ctx, fn)
}

// TestReadyOnlyIfWritable: reading is not enough, and asking often writes seldom.
func TestReadyOnlyIfWritable(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	require.NoError(t, err)
	defer s.Close()
	f := &full{Store: s}
	r := newReadiness(f)
	for range 100 {
		require.NoError(t, r.check(t.Context()))
	}
	require.Equal(t, 1, f.writes)

	r.tried, f.err = time.Time{}, errors.New("the disk is full")
	require.ErrorIs(t, r.check(t.Context()), f.err)
	require.ErrorIs(t, r.check(t.Context()), f.err)
	require.Equal(t, 2, f.writes)

	r.tried, f.err = time.Time{}, nil
	require.NoError(t, r.check(t.Context()))
}

// A stuck store lets nobody write.
type stuck struct{ store.Store }

func (stuck) Update(context.Context, func(context.Context, sqlstore.Queries) error) error { select {} }

func TestNotReadyWhileAWriteHangs(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	require.NoError(t, err)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, newReadiness(stuck{s}).writable(ctx), context.Canceled)
}

// TestNotReadyIfItCannotLead: a process that should fire schedules, and can neither lead
// nor stand by, says so.
func TestNotReadyIfItCannotLead(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	db, err := postgres.Open(t.Context(), databaseURL, postgres.Options{})
	require.NoError(t, err)
	defer db.Close()
	r := newReadiness(db)
	require.NoError(t, r.check(t.Context()))

	postgrestest.Exec(t, databaseURL, "ALTER TABLE engine RENAME COLUMN kind TO kind_of")
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		_ = db.Lead(ctx, slog.New(slog.DiscardHandler), rota.EngineEmbedded, func(ctx context.Context) error { <-ctx.Done(); return nil })
	})
	require.Eventually(t, func() bool { return r.check(t.Context()) != nil }, 10*time.Second, 10*time.Millisecond)
	postgrestest.Exec(t, databaseURL, "ALTER TABLE engine RENAME COLUMN kind_of TO kind; UPDATE engine SET kind = 'embedded'")
	require.Eventually(t, func() bool { return r.check(t.Context()) == nil }, 10*time.Second, 10*time.Millisecond)
}
