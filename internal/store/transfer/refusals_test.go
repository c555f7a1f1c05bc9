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

	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
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
		"it keeps time": func(ctx context.Context, s *postgres.Store, ready func()) {
			_ = s.Hold(ctx, quiet, "", func(ctx context.Context) error { ready(); <-ctx.Done(); return nil })
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

// TestANewerDatabase: only a newer program can read it.
func TestANewerDatabase(t *testing.T) {
	const insert = "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, "
	dir, databaseURL := kinds()[0].filled(t, 3), kinds()[1].filled(t, 3)
	db := raw(t, dir)
	_, err := db.Exec(insert + "1)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	postgrestest.Exec(t, databaseURL, insert+"true)")
	for i, at := range []string{dir, databaseURL} {
		_, err := kinds()[i].source(t.Context(), at)
		require.ErrorContains(t, err, "used by a newer version of Rota")
		_, err = kinds()[i].target(t.Context(), at, transfer.Place{})
		require.ErrorContains(t, err, "used by a newer version of Rota")
		_, err = kinds()[i].store(t.Context(), at)
		require.ErrorContains(t, err, "used by a newer version of Rota")
	}
}
