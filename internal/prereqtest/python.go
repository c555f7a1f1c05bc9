package prereqtest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var errNoPython = errors.New("there is no Python 3.10 or newer with the module venv")

// Python returns the interpreter of an environment that has the packages of a list in
// the form of pip. Environments are kept between runs, under the user's directory for
// caches. It is [Missing] where there is no Python.
func Python(tb testing.TB, name, packages string) string {
	tb.Helper()
	version, err := exec.Command("python3", "-c", "import sys, venv, ensurepip; print(sys.version); sys.exit(sys.version_info < (3, 10))").Output()
	if err != nil {
		Missing(tb, errNoPython)
	}
	cache, err := os.UserCacheDir()
	require.NoError(tb, err)
	sum := sha256.Sum256(append(version, packages...))
	dir := filepath.Join(cache, "rota-test-python", name+"-"+hex.EncodeToString(sum[:6]))
	require.NoError(tb, os.MkdirAll(dir, 0o700))
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(tb, err)
	defer lock.Close() // which also unlocks it
	require.NoError(tb, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	python, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err != nil {
		require.NoError(tb, install(dir, python, packages))
		require.NoError(tb, os.WriteFile(done, nil, 0o600))
	}
	return python
}

func install(dir, python, packages string) error {
	list := filepath.Join(dir, "requirements.txt")
	return errors.Join(
		command("python3", "-m", "venv", "--clear", dir),
		os.WriteFile(list, []byte(packages), 0o600),
		command(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list),
	)
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}
