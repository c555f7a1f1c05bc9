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

// Python returns the interpreter of an [Environment]. It is [Missing] where there is no
// Python.
func Python(tb testing.TB, name, packages string) string {
	tb.Helper()
	python, err := Environment("rota-test-python", name, packages)
	if errors.Is(err, errNoPython) {
		Missing(tb, err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return python
}

// FindPython returns the name and the version of a Python that environments can be made
// with, or an error that says that there is none.
func FindPython() (name, version string, err error) {
	for _, name := range []string{"python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"} {
		out, err := exec.Command(name, "-c", "import sys, venv, ensurepip; print(sys.version); sys.exit(sys.version_info < (3, 10))").Output()
		if err == nil {
			return name, string(out), nil
		}
	}
	return "", "", errNoPython
}

// Environment returns the interpreter of an environment that has the packages of a list
// in the form of pip. It is made if it is not there, and kept between runs in a group
// under the user's directory for caches. Other processes that want it wait.
func Environment(group, name, packages string) (python string, err error) {
	base, version, err := FindPython()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(version + packages))
	dir := filepath.Join(cache, group, name+"-"+hex.EncodeToString(sum[:6]))
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
	if err := install(base, dir, python, packages); err != nil {
		return "", err
	}
	return python, os.WriteFile(done, nil, 0o600)
}

func install(base, dir, python, packages string) error {
	list := filepath.Join(dir, "requirements.txt")
	if err := command(base, "-m", "venv", "--clear", dir); err != nil {
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
