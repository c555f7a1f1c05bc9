// Package e2e starts the real binary and treats it as the world would: it
// speaks HTTP to it, kills it, and counts what is in the file afterwards.
package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/client"
)

const key = "rk_test_key_that_is_long_enough"

// binary is the path of rota, built once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rota-e2e")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rota")
	out, err := exec.Command("go", "build", "-o", path, "github.com/rota-run/rota/cmd/rota").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// A server is one life of a rota process.
type server struct {
	cmd    *exec.Cmd
	url    string
	exited chan struct{}

	// What follows is complete, and may be read, when the process has exited.
	err        error
	said, logs *strings.Builder // standard output and standard error
}

// start starts rota with the key and returns when it says where it listens.
func start(t *testing.T, dir string, flags ...string) *server {
	t.Helper()
	s := launch(t, dir, []string{"ROTA_BOOTSTRAP_KEY=" + key}, flags...)
	if s.url == "" {
		<-s.exited
		t.Fatalf("rota did not start: %v\n%s", s.err, s.logs)
	}
	return s
}

// launch starts rota with more in its environment, and returns when it says
// where it listens or ends.
func launch(t *testing.T, dir string, env []string, flags ...string) *server {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	return launchAs(t, path, dir, env, flags...)
}

// launchAs is launch for a program that starts rota.
func launchAs(t *testing.T, path, dir string, env []string, flags ...string) *server {
	t.Helper()
	s := &server{exited: make(chan struct{}), said: new(strings.Builder), logs: new(strings.Builder)}
	s.cmd = exec.Command(path, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir}, flags...)...)
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stderr = s.logs
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { s.stop(syscall.SIGKILL) })

	lines := bufio.NewScanner(out)
	for s.url == "" && lines.Scan() {
		fmt.Fprintln(s.said, lines.Text())
		if rest, ok := strings.CutPrefix(lines.Text(), "Rota listens on "); ok {
			s.url, _, _ = strings.Cut(rest, " ")
		}
	}
	go func() {
		for lines.Scan() {
			fmt.Fprintln(s.said, lines.Text())
		}
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	return s
}

// stop sends a signal and waits for the end of the process.
func (s *server) stop(sig syscall.Signal) error {
	_ = s.cmd.Process.Signal(sig)
	<-s.exited
	return s.err
}

func (s *server) client() *client.Client { return client.New(s.url, key) }
