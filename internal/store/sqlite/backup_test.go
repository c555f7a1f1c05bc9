package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlstore"
	"github.com/rota-run/rota/internal/store/transfer"
)

// TestBackup copies a database that a server writes to, and starts on the copy.
func TestBackup(t *testing.T) {
	dir, at := t.TempDir(), t.TempDir()
	s := open(t, dir, sqlite.Options{})
	defer s.Close()
	add(t, s, "a")
	add(t, s, "b") // in the log
	file := filepath.Join(at, "copy.db")
	size, err := sqlite.Backup(t.Context(), dir, file)
	require.NoError(t, err)
	add(t, s, "too late")

	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, info.Size(), size)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	require.Equal(t, []string{"copy.db"}, entries(t, at), "nothing else is left")

	_, err = sqlite.Backup(t.Context(), dir, file)
	require.ErrorIs(t, err, fs.ErrExist)

	back := filepath.Join(t.TempDir(), "new")
	sealed, err := sqlite.Restore(t.Context(), file, back)
	require.NoError(t, err)
	require.False(t, sealed)
	restored := open(t, back, sqlite.Options{})
	require.Equal(t, []string{"a", "b"}, names(t, restored))
	require.NoError(t, restored.Close())
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	all, err := os.ReadDir(dir)
	require.NoError(t, err)
	out := make([]string, 0, len(all))
	for _, e := range all {
		out = append(out, e.Name())
	}
	return out
}

// TestBackupWhileWritten: writes that go on do not keep a copy from ending.
func TestBackupWhileWritten(t *testing.T) {
	dir := grown(t)
	s := open(t, dir, sqlite.Options{})
	defer s.Close()
	ctx, stop := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() {
		var err error
		for i := 0; ctx.Err() == nil && err == nil; i++ {
			err = addAgents(context.Background(), s, namedAgent(fmt.Sprint("w", i), strings.Repeat("x", 3000)))
		}
		written <- err
	}()
	_, err := sqlite.Backup(t.Context(), dir, filepath.Join(t.TempDir(), "copy.db"))
	stop()
	require.NoError(t, err)
	require.NoError(t, <-written)
}

func TestInterruptedBackup(t *testing.T) {
	dir, at := grown(t), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sqlite.Backup(ctx, dir, filepath.Join(at, "copy.db"))
	require.Error(t, err)
	require.Empty(t, entries(t, at))
	_, err = sqlite.Backup(t.Context(), t.TempDir(), filepath.Join(at, "copy.db"))
	require.ErrorIs(t, err, transfer.ErrNone)
}

// TestRestoreRefuses: what it refuses it does not change.
func TestRestoreRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "copy.db")
	_, err := sqlite.Backup(t.Context(), grown(t), file)
	require.NoError(t, err)

	t.Run("a database that is there", func(t *testing.T) {
		dir := grown(t)
		_, err := sqlite.Restore(t.Context(), file, dir)
		require.ErrorIs(t, err, fs.ErrExist)
	})
	t.Run("the log of another database", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, sqlite.FileName+"-wal"), []byte("x"), 0o600))
		_, err := sqlite.Restore(t.Context(), file, dir)
		require.ErrorIs(t, err, fs.ErrExist)
	})
	t.Run("a server", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir, sqlite.Options{})
		defer s.Close()
		require.NoError(t, os.Remove(filepath.Join(dir, sqlite.FileName)))
		require.NoError(t, os.Remove(filepath.Join(dir, sqlite.FileName+"-wal")))
		_, err := sqlite.Restore(t.Context(), file, dir)
		require.ErrorIs(t, err, transfer.ErrInUse)
	})
	t.Run("a file that is in use", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir, sqlite.Options{})
		defer s.Close()
		add(t, s, "a")
		_, err := sqlite.Restore(t.Context(), filepath.Join(dir, sqlite.FileName), t.TempDir())
		require.ErrorContains(t, err, "rota backup")
	})
	refused := func(name, says string, change func(t *testing.T, path string)) {
		t.Run(name, func(t *testing.T) {
			whole, err := os.ReadFile(file)
			require.NoError(t, err)
			other, dir := filepath.Join(t.TempDir(), "other.db"), t.TempDir()
			require.NoError(t, os.WriteFile(other, whole, 0o600))
			change(t, other)
			_, err = sqlite.Restore(t.Context(), other, dir)
			require.ErrorContains(t, err, says)
			require.Equal(t, []string{sqlite.FileName + ".lock"}, entries(t, dir))
			_, err = sqlite.Restore(t.Context(), other, filepath.Join(dir, "new"))
			require.ErrorContains(t, err, says)
			require.NoDirExists(t, filepath.Join(dir, "new"))
		})
	}
	statement := func(query string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			require.NoError(t, err)
			_, err = db.ExecContext(t.Context(), query)
			require.NoError(t, err)
			require.NoError(t, db.Close())
		}
	}
	refused("half a file", "damaged", func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 200*4096)) })
	refused("no database", "not a database", func(t *testing.T, path string) {
		require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("garbage ", 1000)), 0o600))
	})
	refused("an empty file", "not a database of Rota", func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) })
	refused("other tables", "development version", statement(`UPDATE schema_versions SET fingerprint = 'x'`))
	refused("an unfinished copy", "unfinished copy", statement(`CREATE TABLE transfer (id TEXT, name TEXT); INSERT INTO transfer VALUES ('a', 'b')`))
}

// TestTheSecretIsMissed: who restores signing keys, or credentials, is told that they need
// it.
func TestTheSecretIsMissed(t *testing.T) {
	at := rota.InstantOf(time.UnixMilli(1))
	for name, put := range map[string]func(context.Context, sqlstore.Queries) error{
		"a signing key": func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.AddSigningKey(ctx, rota.SigningKey{ID: "sig_1", Public: []byte("p"), Sealed: []byte("s"), CreatedAt: at})
		},
		"a credential": func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.AddMCPCredential(ctx, rota.Owner{Account: "a"}, rota.MCPCredential{ID: "mcp_cred_1", ServerID: "mcp_srv_1", AuthType: "bearer", Sealed: []byte("s"), CreatedAt: at, UpdatedAt: at})
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, file := t.TempDir(), filepath.Join(t.TempDir(), "copy.db")
			s := open(t, dir, sqlite.Options{})
			defer s.Close()
			require.NoError(t, s.Update(t.Context(), put))
			_, err := sqlite.Backup(t.Context(), dir, file)
			require.NoError(t, err)
			sealed, err := sqlite.Restore(t.Context(), file, filepath.Join(t.TempDir(), "new"))
			require.NoError(t, err)
			require.True(t, sealed)
		})
	}
}

// TestLogGivesItsSpaceBack: after writing, and when a reader that was in the way has
// gone.
func TestLogGivesItsSpaceBack(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, sqlite.FileName+"-wal")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir, sqlite.Options{})
		add(t, s, "first")
		settle := func() { time.Sleep(time.Minute); synctest.Wait() }
		settle()
		require.Zero(t, size(t, log))

		db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
		require.NoError(t, err)
		reader, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, reader.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM agents").Scan(new(int)))
		for i := range 20 {
			require.NoError(t, addAgents(t.Context(), s, namedAgent(fmt.Sprint(i), strings.Repeat("x", 100_000))))
		}
		settle()
		require.Greater(t, size(t, log), int64(2_000_000))
		require.NoError(t, reader.Rollback())
		settle()
		require.Zero(t, size(t, log), "without another write")
		require.NoError(t, db.Close())
		require.NoError(t, s.Close())
	})
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	s, err := os.Stat(path)
	require.NoError(t, err)
	return s.Size()
}
