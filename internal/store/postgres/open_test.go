package postgres_test

import (
	"context"
	"database/sql"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var update = flag.Bool("update", false, "write schema.sql anew")

// TestSchemaIsThatOfSQLite: the same migrations, and after them the same tables
// with the same columns and indexes, but for what passes between processes and
// what an engine outside needs.
func TestSchemaIsThatOfSQLite(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	conn := connect(t, postgrestest.URL(t))

	require.Equal(t, files(t, filepath.Join("..", "sqlite", "migrations")), files(t, "migrations"))
	require.Equal(t, sqliteNames(t, db, `SELECT m.name || '.' || c.name || CASE c."notnull" + c.pk WHEN 0 THEN '' ELSE ' NOT NULL' END
		FROM sqlite_schema m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'goose_%' AND m.name NOT LIKE 'sqlite_%'`),
		names(t, conn, `SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'YES' THEN '' ELSE ' NOT NULL' END
		FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'goose_%' AND table_name <> 'run_events'
		AND (table_name, column_name) NOT IN (('engine', 'namespace'), ('engine', 'queue'), ('open_runs', 'worker_since'), ('timers', 'sync_at'))`))
	require.Equal(t, sqliteNames(t, db, `SELECT name FROM sqlite_schema
		WHERE type = 'index' AND name NOT LIKE 'sqlite_%'`),
		names(t, conn, `SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'goose_%'
		AND tablename <> 'run_events' AND indexname <> 'timers_sync' AND indexname NOT IN (SELECT conname FROM pg_constraint)`))
}

// TestSchemaGolden keeps schema.sql, which is for people, true to the migrations.
func TestSchemaGolden(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	tables := names(t, connect(t, databaseURL), `SELECT 'CREATE TABLE ' || c.relname || E' (\n  ' || (
		SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) ||
			CASE WHEN a.attcollation = 'pg_catalog."C"'::regcollation THEN ' COLLATE "C"' ELSE '' END ||
			CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END || COALESCE(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), ''), E',\n  ' ORDER BY a.attnum)
			FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
			WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) || (
		SELECT string_agg(E',\n  ' || pg_get_constraintdef(k.oid), '' ORDER BY k.contype DESC, k.conname) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f', 'p', 'u')) ||
		E'\n);\n' || COALESCE((
		SELECT string_agg(replace(pg_get_indexdef(i.indexrelid), n.nspname || '.', '') || E';\n', '' ORDER BY i.indexrelid::regclass::text)
			FROM pg_index i WHERE i.indrelid = c.oid AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)), '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = current_schema() AND c.relkind = 'r' AND c.relname NOT LIKE 'goose_%'`)
	got := "-- The schema after all migrations. Written by go test ./internal/store/postgres -run Golden -update.\n\n" + strings.Join(tables, "\n")
	if *update {
		require.NoError(t, os.WriteFile("schema.sql", []byte(got), 0o644))
	}
	want, err := os.ReadFile("schema.sql")
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run with -update")
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func names(t *testing.T, conn *pgx.Conn, query string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), query)
	require.NoError(t, err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	slices.Sort(out)
	return out
}

func sqliteNames(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	require.NoError(t, err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		out = append(out, name)
	}
	require.NoError(t, rows.Err())
	slices.Sort(out)
	return out
}

// TestOpenAtOnce: of several processes that start together, one migrates.
func TestOpenAtOnce(t *testing.T) {
	databaseURL := postgrestest.Empty(t)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			s, err := postgres.Open(t.Context(), databaseURL, postgres.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	group.Wait()
	applied := names(t, connect(t, databaseURL), `SELECT version_id::text FROM goose_db_version WHERE version_id > 0 ORDER BY version_id`)
	require.Len(t, applied, len(files(t, "migrations")))
}

// TestHold: of the processes that have a schema, one at a time holds its lock,
// and a term ends when the connection breaks.
func TestHold(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	log := slog.New(slog.DiscardHandler)
	terms := make(chan context.Context)
	keep := func(s *postgres.Store, kind rota.EngineKind) {
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
			before, err := tx.Leadership(ctx)
			if err != nil {
				return err
			}
			return tx.SaveLeadership(ctx, before.Kind, cluster.Leadership{Kind: kind})
		}))
	}
	hold := func(s *postgres.Store) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- s.Lead(ctx, log, rota.EngineEmbedded, func(ctx context.Context) error {
				select {
				case terms <- ctx:
				case <-ctx.Done():
				}
				<-ctx.Done()
				return nil
			})
		}()
		return func() { cancel(); require.NoError(t, <-done) }
	}
	store := open(t, databaseURL, postgres.Options{})
	keep(store, rota.EngineEmbedded)
	first := hold(store)
	term := <-terms
	second := hold(open(t, databaseURL, postgres.Options{}))
	require.NoError(t, term.Err())

	postgrestest.Exec(t, databaseURL, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	<-term.Done()
	require.ErrorIs(t, context.Cause(term), postgres.ErrLost)
	next := <-terms
	require.NoError(t, next.Err())

	keep(store, rota.EngineTemporal)
	<-next.Done()
	require.ErrorIs(t, context.Cause(next), postgres.ErrSwitched)
	keep(store, rota.EngineEmbedded)
	again := <-terms
	require.NoError(t, again.Err(), "when the kind is theirs again, so is the time")
	first()
	second()
	require.Error(t, again.Err())
}

// TestNotify: a word reaches every process that has the schema.
func TestNotify(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	s := open(t, databaseURL, postgres.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	messages, done := make(chan string, 10), make(chan struct{})
	go func() {
		defer close(done)
		s.Listen(ctx, slog.New(slog.DiscardHandler), func(message string) { messages <- message })
	}()
	require.Empty(t, <-messages, "it has connected")
	require.NoError(t, open(t, databaseURL, postgres.Options{}).Notify(t.Context(), []string{"a"}))
	require.Equal(t, "a", <-messages)
	postgrestest.Exec(t, databaseURL, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE 'LISTEN%'`)
	require.Empty(t, <-messages, "it has connected again")
	cancel()
	<-done
}

// TestListeningOutlivesIdleSessions: an administrator may have sessions end that say
// nothing for a while, and a listener says nothing.
func TestListeningOutlivesIdleSessions(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	s := open(t, databaseURL, postgres.Options{})
	postgrestest.Exec(t, databaseURL, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET idle_session_timeout = 50', current_database()); END $$`)
	ctx, cancel := context.WithCancel(t.Context())
	messages, done := make(chan string, 10), make(chan struct{})
	go func() {
		defer close(done)
		s.Listen(ctx, slog.New(slog.DiscardHandler), func(message string) { messages <- message })
	}()
	require.Empty(t, <-messages, "it has connected")
	postgrestest.Exec(t, databaseURL, "SELECT pg_sleep(0.5)")
	require.NoError(t, s.Notify(t.Context(), []string{"a"}))
	require.Equal(t, "a", <-messages, "it had not to connect again")
	cancel()
	<-done
}

func openError(t *testing.T, databaseURL string) string {
	t.Helper()
	s, err := postgres.Open(t.Context(), databaseURL, postgres.Options{})
	if err == nil {
		s.Close()
	}
	require.Error(t, err)
	return err.Error()
}

func TestADatabaseThatIsNotFit(t *testing.T) {
	empty := postgrestest.Empty(t)
	postgrestest.Exec(t, empty, "CREATE DATABASE ascii ENCODING SQL_ASCII TEMPLATE template0")
	t.Cleanup(func() { postgrestest.Exec(t, empty, "DROP DATABASE ascii WITH (FORCE)") })
	require.Contains(t, openError(t, renamed(t, empty, "ascii")), "must keep it as UTF8")

	postgrestest.Exec(t, empty, "CREATE ROLE weak LOGIN; REVOKE CREATE ON SCHEMA public FROM public")
	t.Cleanup(func() { postgrestest.Exec(t, empty, "DROP ROLE weak") })
	require.Contains(t, openError(t, strings.Replace(empty, "user=postgres", "user=weak", 1)), "the user lacks a right in the database")

	batch := openError(t, renamed(t, empty, "absent"))
	require.Contains(t, batch, "open the database absent at ")
	require.Contains(t, batch, "the database does not exist")

	require.Contains(t, openError(t, "postgres:///x?host=/nowhere&user=x"), "the database cannot be reached")
	require.Contains(t, openError(t, "postgres://x@127.0.0.1:1/x"), "open the database x at 127.0.0.1:1: the database cannot be reached")
}

// renamed returns the URL of another database of the same server.
func renamed(t *testing.T, databaseURL, name string) string {
	t.Helper()
	config, err := pgx.ParseConfig(databaseURL)
	require.NoError(t, err)
	return strings.Replace(databaseURL, "/"+config.Database+"?", "/"+name+"?", 1)
}

// TestWrongURLs: what is said names the flaw and never the password, whole or
// in parts.
func TestWrongURLs(t *testing.T) {
	const unreadable = "must be like postgres://user:password@host:5432/name"
	for _, test := range []struct{ url, want string }{
		{"postgres://u:hun/ter@h/d", unreadable},
		{"postgres://u:hun%zzter@h/d", unreadable},
		{"postgres://u:hun@ter@h/d", unreadable},
		{"postgres://u:hun:ter@h:99999/d", unreadable},
		{"postgres://u:hunter@h/d?sslmode=hunted", "cannot be used: failed to configure TLS (sslmode is invalid)"},
		{"postgres://u:hunter@h/d?connect_timeout=x", "cannot be used: invalid connect_timeout"},
		{"postgres://u:hunter@h/d?pool_max_conns=0", "cannot be used: pool_max_conns too small"},
		{"postgres://u:hunter@h/d?target_session_attrs=x", "cannot be used: unknown target_session_attrs value: x"},
		{"postgres://u@h/d?password=hunter&sslrootcert=/nowhere&sslmode=verify-full", "unable to read CA file: open /nowhere"},
		{"postgres://u:hunter@127.0.0.1:1/d", "cannot be reached"},
	} {
		t.Run(test.want, func(t *testing.T) {
			batch := openError(t, test.url)
			require.Contains(t, batch, test.want)
			for _, part := range []string{"hun", "ter@", "zz"} {
				require.NotContains(t, batch, part)
			}
		})
	}
}

// TestCollation: a list has the order of bytes, whatever the locale of the
// database.
func TestCollation(t *testing.T) {
	empty := postgrestest.Empty(t)
	postgrestest.Exec(t, empty, "CREATE DATABASE icu TEMPLATE template0 ENCODING UTF8 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'")
	t.Cleanup(func() { postgrestest.Exec(t, empty, "DROP DATABASE icu WITH (FORCE)") })
	s := open(t, renamed(t, empty, "icu"), postgres.Options{})
	defer s.Close()
	for _, name := range []string{"a", "B", "é", "Z", "_", "0"} {
		require.NoError(t, addAgents(context.Background(), s, name))
	}
	require.Equal(t, []string{"0", "B", "Z", "_", "a", "é"}, agents(t, s))
}
