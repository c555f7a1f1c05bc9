package transfer_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/build"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/transfer"
)

func TestAnotherInstallation(t *testing.T) {
	for _, to := range kinds() {
		t.Run(to.name, func(t *testing.T) {
			from := kinds()[0]
			source, target := from.filled(t, 5), to.filled(t, 4)
			before := to.whole(t, target)
			_, _, err := move(t, from, source, to, target, nil)
			require.ErrorContains(t, err, "the table agents of the target has rows that the source has not")
			require.Equal(t, before, to.whole(t, target))
			require.NoError(t, to.open(t, target).Close(), "it is as it was")
		})
	}
}

func TestTheTargetOfAnotherSource(t *testing.T) {
	for _, to := range kinds() {
		t.Run(to.name, func(t *testing.T) {
			from := kinds()[0]
			first, second, target := from.filled(t, 5), from.filled(t, 5), to.empty(t)
			_, _, err := move(t, from, first, to, target, tearAfter(20))
			require.ErrorIs(t, err, errCut)
			_, _, err = move(t, from, second, to, target, nil)
			require.ErrorContains(t, err, "an unfinished copy of "+filepath.Join(first, sqlite.FileName)+", which is not this source")
			_, _, err = move(t, from, first, to, target, nil)
			require.NoError(t, err)
		})
	}
}

func TestTheSameDatabase(t *testing.T) {
	sqlites, postgreses := kinds()[0], kinds()[1]
	dir := sqlites.filled(t, 3)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	for _, at := range []string{dir, link, dir + "/."} {
		_, _, err := move(t, sqlites, dir, sqlites, at, nil)
		require.ErrorIs(t, err, transfer.ErrSame)
	}
	databaseURL := postgreses.filled(t, 3)
	_, _, err := move(t, postgreses, databaseURL, postgreses, databaseURL+"&application_name=other", nil)
	require.ErrorIs(t, err, transfer.ErrSame)
}

func TestAServerIsThere(t *testing.T) {
	t.Parallel() // it mostly waits
	sqlites, postgreses := kinds()[0], kinds()[1]
	dir := sqlites.filled(t, 3)
	s := sqlites.open(t, dir)
	for _, open := range []func() (database, error){
		func() (database, error) { return sqlites.source(t.Context(), dir) },
		func() (database, error) { return sqlites.target(t.Context(), dir, transfer.Place{}) },
	} {
		_, err := open()
		require.ErrorIs(t, err, transfer.ErrInUse)
	}
	require.NoError(t, s.Close())

	databaseURL := postgreses.filled(t, 3)
	for name, there := range serving() {
		t.Run(name, func(t *testing.T) {
			s := postgreses.open(t, databaseURL)
			ctx, stop := context.WithCancel(t.Context())
			ready, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				there(ctx, s.(*postgres.Store), sync.OnceFunc(func() { close(ready) }))
			}()
			<-ready
			_, err := postgreses.source(t.Context(), databaseURL)
			require.ErrorIs(t, err, transfer.ErrInUse)
			_, err = postgreses.target(t.Context(), databaseURL, transfer.Place{})
			require.ErrorIs(t, err, transfer.ErrInUse)
			stop()
			<-done
			require.NoError(t, s.Close())
			db, err := postgreses.source(t.Context(), databaseURL)
			require.NoError(t, err)
			require.NoError(t, db.Close())
		})
	}
}

// serving are the ways in which a server has a PostgreSQL, each until ctx ends.
func serving() map[string]func(ctx context.Context, s *postgres.Store, ready func()) {
	quiet := slog.New(slog.DiscardHandler)
	return map[string]func(context.Context, *postgres.Store, func()){
		"it is the leader": func(ctx context.Context, s *postgres.Store, ready func()) {
			_ = s.Lead(ctx, quiet, "", func(ctx context.Context) error { ready(); <-ctx.Done(); return nil })
		},
		"it listens": func(ctx context.Context, s *postgres.Store, ready func()) {
			s.Listen(ctx, quiet, func(string) { ready() })
		},
	}
}

// TestNobodyWritesMeanwhile: a server that stands by could still change a
// PostgreSQL source.
func TestNobodyWritesMeanwhile(t *testing.T) {
	k := kinds()[1]
	databaseURL := k.filled(t, 3)
	db, err := k.source(t.Context(), databaseURL)
	require.NoError(t, err)
	defer db.Close()
	tables, err := db.Tables(t.Context())
	require.NoError(t, err)
	require.NoError(t, db.Freeze(t.Context(), tables))
	for _, table := range tables {
		conn, err := pgx.Connect(t.Context(), databaseURL)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), `SET lock_timeout = '20ms'; DELETE FROM "`+table.Name+`"`)
		require.ErrorContains(t, err, "lock timeout", table.Name)
		require.NoError(t, conn.Close(t.Context()))
	}
}

func TestNoInstallation(t *testing.T) {
	for _, k := range kinds() {
		at := k.empty(t)
		_, err := k.source(t.Context(), at)
		require.ErrorIs(t, err, transfer.ErrNone)
	}
	absent := filepath.Join(t.TempDir(), "absent")
	_, err := kinds()[0].source(t.Context(), absent)
	require.ErrorIs(t, err, transfer.ErrNone)
	_, err = os.Stat(absent)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestAnotherSchema: a database that this program cannot read is refused at
// every door, in words that name the version that wrote it, and stays as it is.
func TestAnotherSchema(t *testing.T) {
	for _, c := range []struct{ statements, says string }{
		{
			`DROP TABLE schema_versions; INSERT INTO goose_db_version (version_id, is_applied) VALUES (6, true)`,
			"it was written by a development version of Rota from before the first release, which this one (" + build.Version() +
				") cannot read: run the build that wrote it, or give this one an empty database or directory",
		},
		{
			`INSERT INTO schema_versions VALUES (99, 'x', 'v9.8.7'); INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`,
			"it was written by Rota v9.8.7, a newer version than this one (" + build.Version() + "): run that version, or a newer one",
		},
		{
			`UPDATE schema_versions SET fingerprint = 'x', written_by = 'v0.0.0-2026'`,
			"it was written by Rota v0.0.0-2026, a development version whose tables are not those of this one (" + build.Version() +
				"): run the build that wrote it, or give this one an empty database or directory",
		},
	} {
		for _, k := range kinds() {
			t.Run(k.name, func(t *testing.T) {
				at := k.empty(t)
				require.NoError(t, k.open(t, at).Close())
				k.exec(t, at, c.statements)
				_, err := k.source(t.Context(), at)
				require.ErrorContains(t, err, c.says)
				_, err = k.target(t.Context(), at, transfer.Place{})
				require.ErrorContains(t, err, c.says)
				_, err = k.store(t.Context(), at)
				require.ErrorContains(t, err, c.says)
			})
		}
	}
}
