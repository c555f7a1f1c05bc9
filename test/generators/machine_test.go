package generators

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rota-run/rota/internal/prereqtest"
)

const (
	root = "../.."
	key  = "rk_test_key_that_is_long_enough"
)

// output runs a program in a directory and returns what it printed.
func output(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := try(t, dir, env, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return out
}

func try(t *testing.T, dir string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func absolute(t *testing.T, path ...string) string {
	t.Helper()
	whole, err := filepath.Abs(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

func document(t *testing.T) string { return absolute(t, root, "docs", "openapi.json") }

// installed returns a directory outside of the tree in which fill has put what the
// pinned list names. It is filled once for each content of the list, by one
// process at a time.
func installed(t *testing.T, list string, fill func(dir string)) string {
	t.Helper()
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	dir := filepath.Join(cache, "rota", "generators", filepath.Base(filepath.Dir(list))+"-"+hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer lock(t, dir+".lock")()
	done := filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return dir
	}
	fill(dir)
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

// python returns the directory of the programs of a virtual environment.
func python(t *testing.T) string {
	t.Helper()
	if out, err := try(t, ".", nil, "python3", "-c", "import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 10))"); err != nil {
		prereqtest.Missing(t, fmt.Errorf("no Python 3.10 with venv: %w %s", err, out))
	}
	list := absolute(t, "testdata", "python", "requirements.txt")
	dir := installed(t, list, func(dir string) {
		output(t, dir, nil, "python3", "-m", "venv", "--clear", "venv")
		output(t, dir, nil, filepath.Join(dir, "venv", "bin", "pip"), "install", "-q", "--disable-pip-version-check", "-r", list)
	})
	return filepath.Join(dir, "venv", "bin")
}

// node returns a directory with node_modules.
func node(t *testing.T) string {
	t.Helper()
	prereqtest.Program(t, "npm")
	if out, err := try(t, ".", nil, "node", "-e", "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"); err != nil {
		prereqtest.Missing(t, fmt.Errorf("no Node 20: %w %s", err, out))
	}
	list := absolute(t, "testdata", "node", "package-lock.json")
	return installed(t, list, func(dir string) {
		output(t, ".", nil, "cp", list, filepath.Join(filepath.Dir(list), "package.json"), dir)
		output(t, dir, nil, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	})
}

// jars returns a directory with what the Java client needs.
func jars(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"java", "javac", "mvn"} {
		prereqtest.Program(t, program)
	}
	list := absolute(t, "testdata", "java", "pom.xml")
	dir := installed(t, list, func(dir string) {
		output(t, dir, nil, "mvn", "-q", "-B", "-f", list,
			"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies", "-DoutputDirectory="+filepath.Join(dir, "jars"))
	})
	return filepath.Join(dir, "jars")
}

// generate runs openapi-generator, with a limit of its memory: three tests do that, maybe at once.
func generate(t *testing.T, language, dir string) {
	t.Helper()
	prereqtest.Program(t, "java")
	find := "import openapi_generator_cli as g; print(g.__path__[0])"
	jar := filepath.Join(strings.TrimSpace(output(t, ".", nil, filepath.Join(python(t), "python"), "-c", find)), "openapi-generator.jar")
	output(t, ".", nil, "java", "-Xmx768m", "-XX:TieredStopAtLevel=1", "-jar", jar, "generate", "-i", document(t), "-g", language, "-o", dir,
		"--additional-properties=importFileExtension=.js") // for TypeScript modules; others do not know it
}

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rota-generators")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rota")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/rota")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// serve starts rota on SQLite with the built-in model, and returns its URL.
func serve(t *testing.T) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--log-level", "warn")
	cmd.Env = append(os.Environ(), "ROTA_BOOTSTRAP_KEY="+key, "ROTA_PUBLIC_URL=https://rota.example.com")
	logs := new(strings.Builder)
	cmd.Stderr = logs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of the server:\n%s", logs)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "Rota listens on "); ok {
			url, _, _ := strings.Cut(rest, " ")
			return url
		}
	}
	t.Fatal("rota did not start")
	return ""
}
