// Package sqlitetest gives tests SQLite databases that cost little.
package sqlitetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/store/sqlite"
)

// template is a file with the schema and nothing else, made once for the process.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "rota")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s, err := sqlite.Open(context.Background(), dir, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, sqlite.FileName))
})

// Dir returns a directory in which there is a database with the schema and nothing
// else, as if it had just been opened for the first time. It is in memory, where there
// is such a thing: waiting for a disk takes longer than all the rest, and what a loss of
// power does is not tested with it. It is gone when the test ends.
func Dir(tb testing.TB) string {
	tb.Helper()
	file, err := template()
	require.NoError(tb, err)
	dir := Empty(tb)
	require.NoError(tb, os.WriteFile(filepath.Join(dir, sqlite.FileName), file, 0o600))
	return dir
}

// Empty returns a directory with nothing in it, like Dir otherwise.
func Empty(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "rota")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { require.NoError(tb, os.RemoveAll(dir)) })
	return dir
}

// Open opens a database in such a directory, and closes it when the test ends.
func Open(tb testing.TB) *sqlite.Store {
	tb.Helper()
	return OpenWith(tb, sqlite.Options{})
}

// OpenWith is Open with options.
func OpenWith(tb testing.TB, o sqlite.Options) *sqlite.Store {
	tb.Helper()
	return OpenIn(tb, Dir(tb), o)
}

// OpenIn opens the database in a directory, and closes it when the test ends.
func OpenIn(tb testing.TB, dir string, o sqlite.Options) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(tb.Context(), dir, o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}
