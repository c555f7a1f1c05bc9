package clients

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
)

// TestMain lets all tests run at once, as most of their time is waiting.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "16")
	os.Exit(m.Run())
}

// A version is a release of the vendor's package, and the release of pydantic
// that it is tried with: some take no newer one.
type version struct{ client, pydantic string }

var versions = []version{
	{"0.5.25", "2.14.4"},
	{"0.6.45", "2.12.5"},
	{"0.8.39", "2.12.5"},
	{"0.10.29", "2.14.4"},
	{"0.12.0", "2.14.4"},
	{"0.12.40", "2.14.4"},
	{"0.12.80", "2.14.4"},
	{"0.12.128", "2.14.4"},
}

func newest() version { return versions[len(versions)-1] }

//go:embed judge/requirements.txt
var requirements string

var errNoPython = errors.New("the vendor's client is not tried: there is no Python 3.10 or newer with the module venv")

// An interpreter is a Python that the client runs on.
type interpreter struct{ name, version string }

var findPython = sync.OnceValues(func() (interpreter, error) {
	for _, name := range []string{"python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"} {
		check := "import sys, venv, ensurepip; print(sys.version); sys.exit(sys.version_info < (3, 10))"
		if out, err := exec.Command(name, "-c", check).Output(); err == nil {
			return interpreter{name, string(out)}, nil
		}
	}
	return interpreter{}, errNoPython
})

// needPython ends the test where there is no Python for the client.
func needPython(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("installs packages")
	}
	if _, err := findPython(); err != nil {
		prereqtest.Missing(t, err)
	}
}

// TestPython is skipped where all others here are: make test shows its words.
func TestPython(t *testing.T) { needPython(t) }

// python returns the interpreter of an environment in which the version is
// installed. Environments are kept between runs, under the user's directory for
// caches.
func (v version) python(t *testing.T) string {
	t.Helper()
	path, err := v.install()
	require.NoError(t, err)
	return path
}

func (v version) install() (string, error) {
	base, err := findPython()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	wanted := fmt.Sprintf("%smeetkai-mka1==%s\npydantic==%s\n", requirements, v.client, v.pydantic)
	sum := sha256.Sum256([]byte(base.version + wanted))
	dir := filepath.Join(cache, "rota-test-clients", v.client+"-"+hex.EncodeToString(sum[:6]))
	unlock, err := lock(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	path, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return path, nil
	}
	return path, errors.Join(makeEnvironment(base.name, dir, wanted), os.WriteFile(done, nil, 0o600))
}

func makeEnvironment(base, dir, wanted string) error {
	list := filepath.Join(dir, "requirements.txt")
	if err := run(base, "-m", "venv", "--clear", dir); err != nil {
		return err
	}
	if err := os.WriteFile(list, []byte(wanted), 0o600); err != nil {
		return err
	}
	return run(filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list)
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}

// lock keeps other processes from the directory until unlock is called.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
