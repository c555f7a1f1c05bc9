package clients

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
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

// needPython ends the test where there is no Python for the client.
func needPython(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("installs packages")
	}
	if _, _, err := prereqtest.FindPython(); err != nil {
		prereqtest.Missing(t, errNoPython)
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
	return prereqtest.Environment("rota-test-clients", v.client, fmt.Sprintf("%smeetkai-mka1==%s\npydantic==%s\n", requirements, v.client, v.pydantic))
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}
