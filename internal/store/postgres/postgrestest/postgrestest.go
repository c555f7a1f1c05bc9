// Package postgrestest gives tests a PostgreSQL of their own: one server for
// each test process, and in it a database for each test.
//
// The server is the one that the system has installed. It writes to a
// directory of its own, listens on a socket there, and ends with the process,
// however that ends.
package postgrestest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
	"github.com/rota-run/rota/internal/store/postgres"
)

const template = "rota_template"

// One server, and in it one template, for the process.
var (
	theServer   = sync.OnceValues(func() (*server, error) { return start("off") })
	theTemplate = sync.OnceValue(makeTemplate)
	creating    sync.Mutex // a template is copied by one at a time
	created     atomic.Int64
)

// URL returns the URL of a database with the schema and nothing else, which is
// gone when the test ends. With -short it skips the test. Without PostgreSQL on the
// machine it skips it too; with CI=true in the environment, it fails it.
func URL(tb testing.TB) string {
	tb.Helper()
	s := running(tb)
	require.NoError(tb, theTemplate())
	return s.create(tb, template)
}

// Empty returns the URL of a database with nothing in it, like URL otherwise.
func Empty(tb testing.TB) string {
	tb.Helper()
	return running(tb).create(tb, "template0")
}

// Exec runs statements as the URL's user, the superuser if it names none, in a
// session of its own.
func Exec(tb testing.TB, databaseURL, statement string) {
	tb.Helper()
	require.NoError(tb, run(context.Background(), databaseURL, statement))
}

// Durable makes the server write as it would for keeps, and tidy up often, for the
// rest of the process: for measurements. With many databases, as tests make them,
// tidying up often would take most of the time.
func Durable(tb testing.TB) {
	tb.Helper()
	s := running(tb)
	for _, setting := range []string{"fsync = on", "full_page_writes = on", "synchronous_commit = on", "autovacuum_naptime = 5"} {
		Exec(tb, s.url("postgres"), "ALTER SYSTEM SET "+setting)
	}
	Exec(tb, s.url("postgres"), "SELECT pg_reload_conf()")
}

func running(tb testing.TB) *server {
	tb.Helper()
	skipShort(tb)
	s, err := theServer()
	if err == errAbsent {
		prereqtest.Missing(tb, err)
	}
	require.NoError(tb, err)
	return s
}

func skipShort(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("PostgreSQL takes seconds to start, and more for each database")
	}
}

func makeTemplate() error {
	s, err := theServer()
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := run(ctx, s.url("postgres"), "CREATE DATABASE "+template+" TEMPLATE template0"); err != nil {
		return err
	}
	store, err := postgres.Open(ctx, s.url(template), postgres.Options{})
	if err != nil {
		return err
	}
	return store.Close()
}

// create makes a copy of a database.
func (s *server) create(tb testing.TB, template string) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d", created.Add(1))
	creating.Lock()
	defer creating.Unlock()
	Exec(tb, s.url("postgres"), "CREATE DATABASE "+name+" TEMPLATE "+template)
	tb.Cleanup(func() { Exec(tb, s.url("postgres"), "DROP DATABASE "+name+" WITH (FORCE)") })
	return s.url(name)
}

func run(ctx context.Context, databaseURL, statement string) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
