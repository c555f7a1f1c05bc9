package postgrestest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
)

// A Restartable is a PostgreSQL server that writes for keeps, which can be killed
// at any moment and started again where it was. It listens on 127.0.0.1, trusts
// whoever reaches it, and ends with this process, however that ends.
type Restartable struct {
	Address string

	bin, dir string
	as       *syscall.SysProcAttr
	life     *exec.Cmd // nil while it does not run
	input    io.Closer // while it is open, the server runs
}

// live runs the server until the input ends. Then the server's processes end
// at once, and what they have not written is lost.
const live = `
cd "$1"
"$2/postgres" -D data -k "$1" -h 127.0.0.1 -p "$3" -c max_connections=200 >>log 2>&1 </dev/null &
pid=$!
while read -r _; do :; done
kill -QUIT $pid
wait $pid
`

// StartRestartable starts a server with no databases but its own, at an address
// where nothing listens. It is killed, and its directory removed, when the test
// ends. Without PostgreSQL on the machine it does what [URL] does.
func StartRestartable(tb testing.TB, address string) *Restartable {
	tb.Helper()
	skipShort(tb)
	r := &Restartable{Address: address, bin: binaries()}
	if r.bin == "" {
		prereqtest.Missing(tb, errAbsent)
	}
	var err error
	r.dir, err = os.MkdirTemp("", "rota-postgres-")
	require.NoError(tb, err)
	tb.Cleanup(func() {
		r.Kill()
		os.RemoveAll(r.dir)
	})
	r.as, err = owner(r.dir)
	require.NoError(tb, err)
	made, err := r.command(filepath.Join(r.bin, "initdb"), "-D", "data", "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C").CombinedOutput()
	require.NoError(tb, err, string(made))
	require.NoError(tb, r.Start())
	return r
}

// URL returns the URL of the server's first database.
func (r *Restartable) URL() string { return "postgres://" + superuser + "@" + r.Address + "/postgres" }

// Start starts the server, which does not run, and returns when it answers.
func (r *Restartable) Start() error {
	_, port, err := net.SplitHostPort(r.Address)
	if err != nil {
		return err
	}
	r.life = r.command("/bin/sh", "-c", live, "sh", r.dir, r.bin, port)
	if r.input, err = r.life.StdinPipe(); err != nil {
		return err
	}
	if err := r.life.Start(); err != nil {
		return err
	}
	return r.await()
}

// Kill ends the server at once, as a loss of power would. It does nothing if the
// server does not run.
func (r *Restartable) Kill() {
	if r.life == nil {
		return
	}
	r.input.Close()
	_ = r.life.Wait() // it was killed
	r.life = nil
}

// Freeze stops the server's processes, which keep their connections and answer
// nothing until Thaw.
func (r *Restartable) Freeze() error { return r.signal(syscall.SIGSTOP) }

// Thaw lets the processes of a frozen server go on.
func (r *Restartable) Thaw() error { return r.signal(syscall.SIGCONT) }

// signal sends a signal to the server's first process, and then to those that it has
// made.
func (r *Restartable) signal(sig syscall.Signal) error {
	b, err := os.ReadFile(filepath.Join(r.dir, "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	first, err := strconv.Atoi(line)
	if err != nil {
		return err
	}
	if err := syscall.Kill(first, sig); err != nil {
		return err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", first))
	for _, pid := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(pid); err == nil {
			_ = syscall.Kill(n, sig) // it may have ended
		}
	}
	return err
}

func (r *Restartable) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.SysProcAttr = r.dir, r.as
	return cmd
}

func (r *Restartable) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, r.URL())
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() != nil {
			log, _ := os.ReadFile(filepath.Join(r.dir, "log"))
			return fmt.Errorf("PostgreSQL did not start: %w\n%s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
