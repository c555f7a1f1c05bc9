package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/seal"
	"github.com/rota-run/rota/internal/settings"
)

func TestSecretBesideTheDatabase(t *testing.T) {
	s := settings.Settings{Database: "sqlite", Data: t.TempDir()}
	first, err := openSecret(s)
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(s.Data, "secret.key"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())

	again, err := openSecret(s)
	require.NoError(t, err)
	plain, err := again.Open(first.Seal([]byte("x"), "p"), "p")
	require.NoError(t, err, "the same secret after a restart")
	require.Equal(t, "x", string(plain))

	files, err := os.ReadDir(s.Data)
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing else is left")

	require.NoError(t, os.WriteFile(filepath.Join(s.Data, "secret.key"), []byte("short"), 0o600))
	_, err = openSecret(s)
	require.ErrorContains(t, err, "secret.key: secret 1 must have 32")
}

func TestSecretThatIsSet(t *testing.T) {
	one, two := seal.NewSecret(), seal.NewSecret()
	file := filepath.Join(t.TempDir(), "secrets")
	require.NoError(t, os.WriteFile(file, []byte(two+"\n"+one+"\n"), 0o400))
	byVariable, err := openSecret(settings.Settings{Database: "postgres://db/rota", SecretKey: one})
	require.NoError(t, err)
	byFile, err := openSecret(settings.Settings{Database: "postgres://db/rota", SecretKeyFile: file})
	require.NoError(t, err)
	_, err = byFile.Open(byVariable.Seal(nil, "p"), "p")
	require.NoError(t, err, "the old secret is behind the new one")
	_, err = byVariable.Open(byFile.Seal(nil, "p"), "p")
	require.ErrorIs(t, err, seal.ErrUnknownSecret)

	none, err := openSecret(settings.Settings{Database: "postgres://db/rota"})
	require.NoError(t, err)
	require.True(t, none.Empty())

	_, err = openSecret(settings.Settings{Database: "sqlite", Data: t.TempDir(), SecretKeyFile: file + "x"})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.True(t, strings.HasPrefix(err.Error(), "--secret-key-file: "), err)
	_, err = openSecret(settings.Settings{Database: "sqlite", SecretKey: "too-short-to-be-one"})
	require.ErrorContains(t, err, "--secret-key: ")
	require.NotContains(t, err.Error(), "too-short")
}
