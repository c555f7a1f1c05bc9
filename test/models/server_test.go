// Package models has Rota ask a real model server: llama.cpp, as the package
// xllamacpp brings it, with a model of 0.7 MB that says known sentences. It is a
// module of its own, and so a part of make test of its own.
package models

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
)

const (
	rotaKey  = "rk_test_key_that_is_long_enough"
	modelKey = "sesame"
)

//go:embed requirements.txt
var requirements string

//go:embed tiny_gguf.py
var script string

// An environment is a Python with llama.cpp, and the model beside it.
type environment struct{ python, model string }

var theEnvironment = sync.OnceValues(func() (e environment, err error) {
	if e.python, err = prereqtest.Environment("rota-test-models", "llama", requirements); err != nil {
		return e, err
	}
	sum := sha256.Sum256([]byte(script))
	e.model = filepath.Join(filepath.Dir(filepath.Dir(e.python)), "tiny-"+hex.EncodeToString(sum[:6])+".gguf")
	if _, err := os.Stat(e.model); err == nil {
		return e, nil
	}
	made := fmt.Sprintf("%s.%d", e.model, os.Getpid())
	return e, errors.Join(run(e.python, "tiny_gguf.py", made), os.Rename(made, e.model))
})

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}

// llama starts llama.cpp and returns its base URL. It ends with the test.
func llama(t *testing.T, keys ...string) string {
	t.Helper()
	if _, _, err := prereqtest.FindPython(); err != nil {
		prereqtest.Missing(t, fmt.Errorf("no real model server is tried: %w", err))
	}
	e, err := theEnvironment()
	require.NoError(t, err)
	return start(t, exec.Command(e.python, append([]string{"serve.py", e.model}, keys...)...), "http", "")
}

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rota-models")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rota")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/rota")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// start starts a server that ends with the test, and returns the URL in the first
// line that has the prefix.
func start(t *testing.T, cmd *exec.Cmd, prefix, cut string) string {
	t.Helper()
	logs := new(bytes.Buffer)
	cmd.Stderr = logs
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of %s:\n%s", cmd.Path, logs)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, prefix) {
			go func() {
				defer close(read)
				_, _ = io.Copy(io.Discard, out)
			}()
			url, _, _ := strings.Cut(strings.TrimPrefix(line, cut), " ")
			return url
		}
	}
	close(read)
	require.FailNow(t, "the server did not start", cmd.Path)
	return ""
}

// A server is a rota process.
type server struct {
	*testing.T
	url string
}

func rota(t *testing.T, model string, env ...string) server {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	return serve(t, exec.Command(path, "serve", "--model-url", model, "--model-key-env", "MODEL_KEY"), env...)
}

// rotaWith starts rota with a settings file.
func rotaWith(t *testing.T, settings string, env ...string) server {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "rota.yaml")
	require.NoError(t, os.WriteFile(file, []byte(settings), 0o600))
	return serve(t, exec.Command(path, "serve", "--config", file), env...)
}

func serve(t *testing.T, cmd *exec.Cmd, env ...string) server {
	t.Helper()
	cmd.Args = append(cmd.Args, "--listen", "127.0.0.1:0", "--data", t.TempDir())
	cmd.Env = append(os.Environ(), append([]string{"ROTA_BOOTSTRAP_KEY=" + rotaKey, "MODEL_KEY=" + modelKey}, env...)...)
	const says = "Rota listens on "
	return server{t, start(t, cmd, says, says)}
}

type object = map[string]any

// call sends a request and returns the answer, which must be a success.
func (s server) call(method, path string, body any) object {
	s.Helper()
	sent, err := json.Marshal(body)
	require.NoError(s, err)
	req, err := http.NewRequestWithContext(s.Context(), method, s.url+"/api/v1"+path, bytes.NewReader(sent))
	require.NoError(s, err)
	req.Header.Set("Authorization", "Bearer "+rotaKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(s, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(s, err)
	require.Less(s, res.StatusCode, 300, "%s %s: %s", method, path, raw)
	var got object
	require.NoError(s, json.Unmarshal(raw, &got), string(raw))
	return got
}

// events follows a run to its end and returns its events.
func (s server) events(agent, run string) (all []object) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/agents/"+agent+"/runs/"+run+"/events", nil)
	require.NoError(s, err)
	req.Header.Set("Authorization", "Bearer "+rotaKey)
	res, err := http.DefaultClient.Do(req)
	require.NoError(s, err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var e object
			require.NoError(s, json.Unmarshal([]byte(data), &e))
			all = append(all, e)
		}
	}
	require.NoError(s, lines.Err())
	return all
}

// chatOnly returns the URL of a server that passes all on but the Responses API, which
// it has not.
func chatOnly(t *testing.T, to string) string {
	t.Helper()
	target, err := url.Parse(strings.TrimSuffix(to, "/v1"))
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/responses") {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1"
}
