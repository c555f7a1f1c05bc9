package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const key = "rk_soak_key_that_is_long_enough"

// A server is a process of rota with its defaults.
type server struct {
	cmd    *exec.Cmd
	url    string
	log    string
	exited chan struct{}
}

// startServer starts a server, in a group of its own whose memory the kernel bounds if
// one can be made.
func startServer(t *testing.T, binary, model string) *server {
	dir := t.TempDir()
	s := &server{log: filepath.Join(dir, "log"), exited: make(chan struct{})}
	log, err := os.Create(s.log)
	require.NoError(t, err)
	defer log.Close()
	s.cmd = exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--model-url", model)
	s.cmd.Env, s.cmd.Stderr = append(os.Environ(), "ROTA_BOOTSTRAP_KEY="+key), log
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	group, err := bound(s.cmd, limit<<20)
	if err != nil {
		t.Logf("the kernel does not bound the memory of the server: %v", err)
	}
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.exited
		group.remove()
	})
	if err := group.join(s.cmd.Process.Pid); err != nil {
		t.Logf("the kernel does not bound the memory of the server: %v", err)
	}
	s.follow(out)
	require.NotEmpty(t, s.url, s.said())
	return s
}

// follow reads where the server listens, and notes when it has exited.
func (s *server) follow(out interface{ Read([]byte) (int, error) }) {
	lines := bufio.NewScanner(out)
	for s.url == "" && lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "Rota listens on "); ok {
			s.url, _, _ = strings.Cut(rest, " ")
		}
	}
	go func() {
		for lines.Scan() {
		}
		_ = s.cmd.Wait()
		close(s.exited)
	}()
}

// watch ends the attacks if the server dies.
func (s *server) watch(ctx context.Context, end func()) {
	select {
	case <-s.exited:
		end()
	case <-ctx.Done():
	}
}

// report fails the test if the server has died or used too much.
func (s *server) report(t *testing.T) {
	select {
	case <-s.exited:
		t.Fatalf("the server has died: %s\n%s", s.cmd.ProcessState, s.said())
	default:
	}
	peak, err := peakMiB(s.cmd.Process.Pid)
	require.NoError(t, err)
	t.Logf("peak of the server's memory (VmHWM): %d MiB of %d", peak, limit)
	require.LessOrEqual(t, peak, limit)
}

// said returns the end of the server's log.
func (s *server) said() string {
	b, _ := os.ReadFile(s.log)
	return string(b[max(0, len(b)-4000):])
}

// peakMiB returns the most memory that a process has had.
func peakMiB(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(b), "VmHWM:")
	if !found {
		return 0, errors.New("the kernel does not say VmHWM")
	}
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	return (kb + 1023) / 1024, err
}
