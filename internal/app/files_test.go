package app

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/store/sqlite"
)

func TestDataIsMadePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(dir, 0o755))
	mode := func(path string) fs.FileMode {
		s, err := os.Stat(path)
		require.NoError(t, err)
		return s.Mode().Perm()
	}
	for _, name := range []string{sqlite.FileName, sqlite.FileName + "-wal", secretFile, "of others"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	var log bytes.Buffer
	keepPrivate(dir, slog.New(slog.NewTextHandler(&log, nil)))
	require.Equal(t, fs.FileMode(0o700), mode(dir))
	for _, name := range []string{sqlite.FileName, sqlite.FileName + "-wal", secretFile} {
		require.Equal(t, fs.FileMode(0o600), mode(filepath.Join(dir, name)), name)
	}
	require.Equal(t, fs.FileMode(0o644), mode(filepath.Join(dir, "of others")))
	require.Equal(t, 1, strings.Count(log.String(), "\n"))
	log.Reset()
	keepPrivate(dir, slog.New(slog.NewTextHandler(&log, nil)))
	require.Empty(t, log.String())
}

// TestADirectoryOfEverybodyStaysSo: the server may be told to write to /tmp.
func TestADirectoryOfEverybodyStaysSo(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777|fs.ModeSticky))
	var log bytes.Buffer
	keepPrivate(dir, slog.New(slog.NewTextHandler(&log, nil)))
	s, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o777), s.Mode().Perm())
	require.Contains(t, log.String(), "level=WARN")
	require.Equal(t, 1, strings.Count(log.String(), "\n"))
}

// TestNothingElseIsMadePrivate: who starts the server with --data /etc, or with the name
// of a file, must not find the machine locked.
func TestNothingElseIsMadePrivate(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "of others"), 0o755))
	file := filepath.Join(dir, "passwd")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	var log bytes.Buffer
	keepPrivate(dir, slog.New(slog.NewTextHandler(&log, nil)))
	require.Contains(t, log.String(), "level=WARN")
	log.Reset()
	keepPrivate(file, slog.New(slog.NewTextHandler(&log, nil)))
	require.Empty(t, log.String())
	for path, mode := range map[string]fs.FileMode{dir: 0o755, file: 0o644} {
		s, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, s.Mode().Perm(), path)
	}
}

// TestBackupAndRestore says what a person needs to know of the secret.
func TestBackupAndRestore(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "copy.db")
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	require.NoError(t, err)
	require.NoError(t, makeSecret(filepath.Join(dir, secretFile)))
	var out bytes.Buffer
	require.NoError(t, Backup(t.Context(), dir, file, &out))
	require.NoError(t, s.Close())
	require.Contains(t, out.String(), filepath.Join(dir, secretFile)+", is not in it")

	out.Reset()
	back := filepath.Join(t.TempDir(), "back")
	require.NoError(t, Restore(t.Context(), file, back, &out))
	require.Contains(t, out.String(), filepath.Join(back, sqlite.FileName)+" is in place")
	require.NotContains(t, out.String(), "ROTA_SECRET_KEY", "there is nothing that is sealed")
}
