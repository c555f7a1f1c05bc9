package postgres_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A journal is a log that may be read while it is written.
type journal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(b)
}

func (j *journal) has(words ...string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, w := range words {
		if !strings.Contains(j.all.String(), w) {
			return false
		}
	}
	return true
}

func (j *journal) log() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// embeddedKind stores that the embedded engine leads.
func embeddedKind(t *testing.T, s *postgres.Store) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveLeadership(ctx, "", cluster.Leadership{Kind: rota.EngineEmbedded})
	}))
}

func tryWrite(ctx context.Context, s *postgres.Store) error {
	return s.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error { return tx.TryWrite(ctx, time.Now()) })
}

// TestPgBouncerInSessionMode: as Debian installs it, it refuses parameters at the
// start that it does not know. A store behind it leads, listens, and is never taken
// for one behind another mode, however much other clients do.
func TestPgBouncerInSessionMode(t *testing.T) {
	databaseURL := postgrestest.PgBouncer(t, postgrestest.Empty(t), "session")
	s := open(t, databaseURL, postgres.Options{PoolSize: 4})
	defer s.Close()
	embeddedKind(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	led, heard := make(chan struct{}), make(chan string, 10)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		_ = s.Lead(ctx, slog.New(slog.DiscardHandler), rota.EngineEmbedded, func(ctx context.Context) error {
			close(led)
			<-ctx.Done()
			return nil
		})
	})
	group.Go(func() {
		s.Listen(ctx, slog.New(slog.DiscardHandler), func(m string) { heard <- m })
	})
	<-led
	require.Empty(t, <-heard)
	require.NoError(t, s.Notify(ctx, []string{"hello"}))
	require.Equal(t, "hello", <-heard)
	for range 10 {
		open(t, databaseURL, postgres.Options{PoolSize: 1}).Close()
		require.NoError(t, tryWrite(ctx, s))
	}
}

// TestOtherPoolers: a pooler that lends sessions for a transaction or a statement is
// refused at the start, in words.
func TestOtherPoolers(t *testing.T) {
	for _, mode := range []string{"transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			databaseURL := postgrestest.URL(t)
			pooled := postgrestest.PgBouncer(t, databaseURL, mode)
			require.Contains(t, openError(t, pooled), "set the pooler to session mode (PgBouncer: pool_mode = session)")
			for range 4 { // sessions that are free and busy, of other clients
				conn, err := pgx.Connect(t.Context(), pooled)
				require.NoError(t, err)
				_, err = conn.Exec(t.Context(), "SELECT 1", pgx.QueryExecModeSimpleProtocol)
				require.NoError(t, err)
				defer conn.Close(context.Background())
			}
			require.Contains(t, openError(t, pooled), "session mode")
			_, err := postgres.OpenSource(t.Context(), pooled)
			require.ErrorContains(t, err, "session mode")
			open(t, databaseURL, postgres.Options{}).Close() // nothing was left locked
		})
	}
}

// TestWaitingForTheMigration: a start that waits for another's migration says so,
// and who it is.
func TestWaitingForTheMigration(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	holder := connect(t, databaseURL)
	_, err := holder.Exec(t.Context(), "SET application_name = 'somebody'; SELECT pg_advisory_lock(x'726f7401'::int, 0)")
	require.NoError(t, err)
	var j journal
	opened := make(chan *postgres.Store)
	go func() { opened <- open(t, databaseURL, postgres.Options{Log: j.log()}) }()
	require.Eventually(t, func() bool {
		return j.has("waiting for a lock", "lock=migration", "holder_application=somebody", "holder_pid=")
	}, 10*time.Second, 10*time.Millisecond)
	_, err = holder.Exec(t.Context(), "SELECT pg_advisory_unlock_all()")
	require.NoError(t, err)
	require.NoError(t, (<-opened).Close())
}

// TestStandingByNamesTheLeader: so does a process that waits to lead.
func TestStandingByNamesTheLeader(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	s := open(t, databaseURL, postgres.Options{})
	defer s.Close()
	embeddedKind(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	work := func(ctx context.Context) error { <-ctx.Done(); return nil }
	var first, second journal
	group.Go(func() { _ = s.Lead(ctx, first.log(), rota.EngineEmbedded, work) })
	group.Go(func() { _ = s.Lead(ctx, second.log(), rota.EngineEmbedded, work) })
	require.Eventually(t, func() bool {
		return first.has("lock=leadership", "holder_application=rota") || second.has("lock=leadership", "holder_application=rota")
	}, 15*time.Second, 10*time.Millisecond)
	require.NoError(t, s.CannotLead())
}

// TestARoleWithFewConnections: the pool is made smaller, and callers wait for it.
func TestARoleWithFewConnections(t *testing.T) {
	databaseURL := postgrestest.Empty(t)
	postgrestest.Exec(t, databaseURL, "CREATE ROLE few LOGIN CONNECTION LIMIT 3; GRANT ALL ON SCHEMA public TO few")
	t.Cleanup(func() { // its tables go with the database
		postgrestest.Exec(t, databaseURL, "DROP OWNED BY few; DROP ROLE few")
	})
	var j journal
	s := open(t, strings.Replace(databaseURL, "user=postgres", "user=few", 1), postgres.Options{Log: j.log(), PoolSize: 20})
	defer s.Close()
	require.True(t, j.has("the pool of connections is made smaller", "connections_allowed=3", "pool_size=1"))
	embeddedKind(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	led := make(chan struct{})
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		_ = s.Lead(ctx, slog.New(slog.DiscardHandler), rota.EngineEmbedded, func(ctx context.Context) error {
			close(led)
			<-ctx.Done()
			return nil
		})
	})
	<-led
	var callers sync.WaitGroup
	for range 30 {
		callers.Go(func() {
			if err := tryWrite(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
}

// TestConnectionsThatOthersTook: a limit that is reached later makes callers wait
// too, for the connections that there are.
func TestConnectionsThatOthersTook(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	postgrestest.Exec(t, databaseURL, "CREATE ROLE shared LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO shared; GRANT ALL ON SCHEMA public TO shared")
	t.Cleanup(func() { postgrestest.Exec(t, databaseURL, "DROP OWNED BY shared; DROP ROLE shared") })
	var j journal
	s := open(t, strings.Replace(databaseURL, "user=postgres", "user=shared", 1), postgres.Options{Log: j.log(), PoolSize: 20})
	defer s.Close()
	postgrestest.Exec(t, databaseURL, "ALTER ROLE shared CONNECTION LIMIT 2")
	var callers sync.WaitGroup
	for range 30 {
		callers.Go(func() {
			if err := tryWrite(t.Context(), s); err != nil {
				t.Error(err)
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	require.True(t, j.has("the database takes no more connections"))
}
