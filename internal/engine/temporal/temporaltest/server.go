// Package temporaltest starts real Temporal servers for tests. Each is a
// process of its own, on loopback, with its state in one file: it can be killed
// at any moment, and started again where it was.
package temporaltest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rota-run/rota/internal/prereqtest"
)

// A Server is a Temporal server that may be running. Its fields are read by
// Start.
type Server struct {
	Address string   // of the frontend, on 127.0.0.1; empty: Start fills in one that is free
	File    string   // holds the state; made if there is none
	Flags   []string // of test/temporal besides these, such as -v2

	life *life
}

// A life is one process of a server.
type life struct {
	cmd    *exec.Cmd
	stdin  io.Closer // a server whose stdin has ended ends
	exited chan struct{}
	err    error // how it ended; may be read when it has
	said   said
}

// Start starts the server and returns when it answers. Once more after Kill or
// Stop it goes on with the same state at the same address.
func (s *Server) Start() error {
	given := s.Address
	var err error
	for range 3 { // another program may have taken a port that was free a moment ago
		s.Address = given
		if err = s.launch(); err == nil || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
	}
	return err
}

func (s *Server) launch() error {
	path, err := Binary()
	if err != nil {
		return err
	}
	if s.Address == "" {
		if s.Address, err = freeAddress(); err != nil {
			return err
		}
	}
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return err
	}
	flags := append([]string{"serve", "-file", s.File, "-port", port}, s.Flags...)
	l := &life{cmd: exec.Command(path, flags...), exited: make(chan struct{})}
	l.cmd.Stderr = &l.said
	if l.stdin, err = l.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := l.cmd.Start(); err != nil {
		return err
	}
	s.life = l
	return l.await(out)
}

// await returns when the server says that it listens, and fails if it ends
// before that.
func (l *life) await(out io.Reader) error {
	lines := bufio.NewReader(io.TeeReader(out, &l.said))
	first, err := lines.ReadString('\n')
	for err == nil && !bytes.Contains([]byte(first), []byte("listens on")) {
		first, err = lines.ReadString('\n')
	}
	go func() {
		io.Copy(io.Discard, lines)
		l.err = l.cmd.Wait()
		close(l.exited)
	}()
	if err != nil {
		<-l.exited
		return fmt.Errorf("the server ended before it listened: %w\n%s", l.err, l.said.String())
	}
	return nil
}

// Kill ends the server at once, whatever it is doing. It does nothing if the
// server does not run.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop asks the server to end, and waits until it has.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(sig syscall.Signal) {
	if s.life == nil {
		return
	}
	_ = s.life.cmd.Process.Signal(sig)
	<-s.life.exited
	_ = s.life.stdin.Close()
	s.life = nil
}

// Done is closed when the server has ended. It must have been started.
func (s *Server) Done() <-chan struct{} { return s.life.exited }

// Start starts a server with its state in a new file, on a port that is free,
// and stops it at the end of the test. Where there is no server it skips the
// test, and fails it in CI. With -short it skips the test too.
func Start(tb testing.TB, flags ...string) *Server {
	tb.Helper()
	if testing.Short() {
		tb.Skip("it takes seconds to start, and tests wait for it")
	}
	s := &Server{File: filepath.Join(tb.TempDir(), "temporal.db"), Flags: flags}
	err := s.Start()
	switch {
	case errors.Is(err, ErrNotBuilt):
		prereqtest.Missing(tb, err)
	case err != nil:
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() && s.life != nil {
			tb.Logf("Temporal said:\n%s", s.life.said.String())
		}
		s.Kill()
	})
	return s
}

// freeAddress returns an address that nothing listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Client returns a client of the server's namespace, closed at the end of the
// test.
func (s *Server) Client(tb testing.TB) client.Client {
	tb.Helper()
	c, err := client.DialContext(context.Background(), client.Options{HostPort: s.Address, Logger: silent{}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// Register makes a namespace, which may take seconds to be known everywhere in
// the server.
func (s *Server) Register(tb testing.TB, namespace string) {
	tb.Helper()
	c, err := client.NewNamespaceClient(client.Options{HostPort: s.Address, Logger: silent{}})
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	err = c.Register(tb.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// silent logs nothing.
type silent struct{}

var _ log.Logger = silent{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

// said keeps what a process says.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}
