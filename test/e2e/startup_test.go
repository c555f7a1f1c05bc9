package e2e

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

// refuses starts rota, which must end with exit code 1 and one line that says
// why.
func refuses(t *testing.T, dir, why string, flags ...string) {
	t.Helper()
	s := launch(t, dir, []string{"ROTA_BOOTSTRAP_KEY=" + key}, flags...)
	if s.url != "" {
		t.Fatalf("rota started, want %s", why)
	}
	<-s.exited
	require.Equal(t, 1, s.cmd.ProcessState.ExitCode())
	require.Empty(t, s.said.String())
	lines := strings.Split(strings.TrimSpace(s.logs.String()), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return strings.Contains(line, " level=INFO ") || strings.Contains(line, " level=WARN ")
	})
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], "rota: serve: ")
	require.Contains(t, s.logs.String(), why)
}

func TestOneProcessPerDirectory(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	refuses(t, dir, "another process has this database open")
	_, err := first.client().Agents.List(t.Context(), rota.Page{})
	require.NoError(t, err, "the first one goes on")
	require.NoError(t, first.stop(syscall.SIGTERM))
	start(t, dir)
}

func TestTheDirectoryIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("in the way"), 0o600))
	refuses(t, file, "the data directory cannot be made")
}

func TestTheDirectoryCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	if os.Getuid() == 0 {
		dir = "/sys" // where not even root can make files
	}
	refuses(t, dir, "the data directory cannot be written")
}

func TestThePortIsInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	refuses(t, t.TempDir(), "--listen ($ROTA_LISTEN): listen tcp "+l.Addr().String(), "--listen", l.Addr().String())
}

func TestTheDatabaseIsDamaged(t *testing.T) {
	for name, damage := range map[string]struct {
		at   int64
		with string
		why  string
	}{
		"the header": {0, "not a database at all, but a text", "the file is not a database"},
		"the schema": {100, strings.Repeat("\xff", 3000), "the database file is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, start(t, dir).stop(syscall.SIGTERM))
			f, err := os.OpenFile(filepath.Join(dir, "rota.db"), os.O_RDWR, 0)
			require.NoError(t, err)
			_, err = f.WriteAt([]byte(damage.with), damage.at)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			refuses(t, dir, damage.why)
		})
	}
}

func TestAProviderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rota.yaml")
	require.NoError(t, os.WriteFile(file, []byte("providers:\n- {name: A b, base_url: http://x}\n"), 0o600))
	dir := t.TempDir()
	s := launch(t, dir, nil, "--config", file)
	require.Empty(t, s.url)
	<-s.exited
	require.Equal(t, 2, s.cmd.ProcessState.ExitCode())
	require.Contains(t, s.logs.String(), file+`, line 2: provider "A b": name must be lower-case letters`)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "no database was made")
}

func TestTheKeyIsShownOnce(t *testing.T) {
	dir := t.TempDir()
	s := launch(t, dir, nil)
	require.NotEmpty(t, s.url)
	require.NoError(t, s.stop(syscall.SIGTERM))
	_, shown, found := strings.Cut(s.said.String(), "Your key, shown this once:\n\n  ")
	require.True(t, found, s.said)
	secret, _, _ := strings.Cut(shown, "\n")
	require.Regexp(t, `^rk_[a-z2-7]{52}$`, secret)

	s = launch(t, dir, nil, "--log-level", "debug")
	_, err := client.New(s.url, secret).Agents.List(t.Context(), rota.Page{})
	require.NoError(t, err)
	require.NoError(t, s.stop(syscall.SIGTERM))
	require.NotContains(t, s.said.String(), "rk_")
	require.NotContains(t, s.logs.String(), secret)
	noFileHas(t, dir, secret)
}

// noFileHas walks through what the server wrote.
func noFileHas(t *testing.T, dir, secret string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		require.NotContains(t, string(b), secret, f.Name())
	}
}

func TestTheBootstrapKeyIsAddedOnce(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		s := start(t, dir)
		keys, err := s.client().Keys.List(t.Context(), rota.Page{})
		require.NoError(t, err)
		require.Len(t, keys.Data, 1)
		require.Equal(t, "bootstrap", keys.Data[0].Name)
		require.NoError(t, s.stop(syscall.SIGTERM))
		require.NotContains(t, s.said.String()+s.logs.String(), key)
	}
}

// TestALostKey is made up for by another one.
func TestALostKey(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, launch(t, dir, nil).stop(syscall.SIGTERM))
	keys, err := start(t, dir).client().Keys.List(t.Context(), rota.Page{})
	require.NoError(t, err)
	require.Len(t, keys.Data, 2)
}

func TestABootstrapKeyThatIsNone(t *testing.T) {
	s := launch(t, t.TempDir(), []string{"ROTA_BOOTSTRAP_KEY=short"})
	<-s.exited
	require.Equal(t, 2, s.cmd.ProcessState.ExitCode())
	require.Contains(t, s.logs.String(), "--bootstrap-key ($ROTA_BOOTSTRAP_KEY) must be 20 to 200 printable ASCII characters without spaces")
	require.NotContains(t, s.logs.String(), "short")
}
