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
	sum := sha256.Sum256(append(version, packages...))
	python, err := environment(name+"-"+hex.EncodeToString(sum[:6]), packages)
	if err != nil {
		tb.Fatal(err)
	}
	return python
}

// environment makes an environment, unless it is there, and returns its interpreter.
func environment(name, packages string) (python string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "rota-test-python", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close() // which also unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	python, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return python, nil
	}
	if err := install(dir, python, packages); err != nil {
		return "", err
	}
	return python, os.WriteFile(done, nil, 0o600)
}

func install(dir, python, packages string) error {
	list := filepath.Join(dir, "requirements.txt")
	if err := command("python3", "-m", "venv", "--clear", dir); err != nil {
		return err
	}
	if err := os.WriteFile(list, []byte(packages), 0o600); err != nil {
		return err
	}
	return command(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list)
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}
