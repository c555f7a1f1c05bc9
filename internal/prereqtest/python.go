package prereqtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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
	dir, err := filled(group, name, version+packages, func(dir string) error { return install(base, dir, packages) })
	return filepath.Join(dir, "bin", "python"), err
}

func install(base, dir, packages string) error {
	python, list := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "requirements.txt")
	if err := command(base, "-m", "venv", "--clear", dir); err != nil {
		return err
	}
	if err := os.WriteFile(list, []byte(packages), 0o600); err != nil {
		return err
	}
	return command(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list)
}
