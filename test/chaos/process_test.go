package chaos

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/client"
)

const key = "rk_chaos_key_that_is_long_enough"

// build builds rota and returns its path.
func build(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "rota")
	out, err := exec.Command("go", "build", "-o", path, "github.com/rota-run/rota/cmd/rota").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// A process is a place for one rota server, which is killed and started again.
type process struct {
	name, role string
	binary     string
	flags, env []string
	model      string // the URL of the model; each life has a part of it to itself
	dir        string // for logs
	faults     *faults

	mu    sync.Mutex // guards what follows
	lives []*life
	url   string // of the last life that has served
}

// A life is one rota server, from its start to its end.
type life struct {
	cmd    *exec.Cmd
	killed time.Time // zero unless it was
	exited chan struct{}
}

// start starts the server, again and again until it serves: while the database
// is down, it does not.
func (p *process) start(ctx context.Context) {
	for ctx.Err() == nil {
		if p.try() {
			return
		}
		pause(ctx, 200*time.Millisecond)
	}
	p.faults.add("%s does not start", p.name)
}

// try starts the server once, and reports whether it serves.
func (p *process) try() bool {
	p.mu.Lock()
	n := len(p.lives)
	l := &life{exited: make(chan struct{})}
	p.lives = append(p.lives, l)
	p.mu.Unlock()
	l.cmd = exec.Command(p.binary, append([]string{
		"serve", "--role", p.role, "--listen", "127.0.0.1:0", "--model-url", fmt.Sprintf("%s/%s/%d", p.model, p.name, n),
	}, p.flags...)...)
	l.cmd.Dir, l.cmd.Env = p.dir, append(os.Environ(), p.env...)
	log, err := os.OpenFile(filepath.Join(p.dir, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.faults.add("%v", err)
		return false
	}
	defer log.Close()
	l.cmd.Stderr = log
	url := l.begin()
	if url == "" {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.url = url
	go p.watch(n, l)
	return true
}

// begin starts the server and returns where it listens, or "" if it ended.
func (l *life) begin() (url string) {
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return ""
	}
	if err := l.cmd.Start(); err != nil {
		return ""
	}
	lines := bufio.NewScanner(out)
	for url == "" && lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "Rota listens on "); ok {
			url, _, _ = strings.Cut(rest, " ")
		}
	}
	go func() {
		for lines.Scan() {
		}
		_ = l.cmd.Wait()
		close(l.exited)
	}()
	if url == "" {
		<-l.exited
	}
	return url
}

// watch waits for the end of a life: nobody else than the test may end it.
func (p *process) watch(n int, l *life) {
	<-l.exited
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.killed.IsZero() {
		p.faults.add("life %d of %s ended by itself: %s", n, p.name, l.cmd.ProcessState)
	}
}

// end sends a signal to the server, and returns when it has ended.
func (p *process) end(sig syscall.Signal) {
	p.mu.Lock()
	l := p.lives[len(p.lives)-1]
	l.killed = time.Now()
	_ = l.cmd.Process.Signal(sig)
	p.mu.Unlock()
	<-l.exited
}

// killedAt returns when a life was killed; zero if it was not.
func (p *process) killedAt(life int) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lives[life].killed
}

// client returns a client of the server as it is now.
func (p *process) client(h *http.Client) *client.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return client.New(p.url, key, client.WithHTTPClient(h))
}

// pause blocks for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// faults are what must not have happened.
type faults struct {
	mu  sync.Mutex
	all []string
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// report fails the test with the first faults.
func (f *faults) report(t *testing.T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, what := range f.all {
		if i == 50 {
			t.Errorf("and %d more", len(f.all)-i)
			return
		}
		t.Error(what)
	}
}
