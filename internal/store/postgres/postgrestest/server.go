package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

var errAbsent = errors.New("no PostgreSQL is installed: apt-get install postgresql")

const (
	superuser    = "postgres"
	startTimeout = 30 * time.Second
)

// A server is known by the directory of its socket.
type server struct {
	dir   string
	input io.Closer // while it is open, the server runs
	cmd   *exec.Cmd
}

// Serve starts a server that writes for keeps, for programs that measure, and
// returns the URL of an empty database in it. stop ends the server and removes what
// it has written.
func Serve() (url string, stop func(), err error) {
	s, err := start("on")
	if err != nil {
		return "", nil, err
	}
	return s.url("postgres"), s.stop, nil
}

func (s *server) stop() {
	s.input.Close()
	_ = s.cmd.Wait() // it was interrupted
}

func (s *server) url(database string) string {
	return "postgres:///" + database + "?" + url.Values{"host": {s.dir}, "user": {superuser}}.Encode()
}

// script makes the server, which writes for keeps if $4 is on and not if it is off,
// and ends it and takes its directory away when the input ends: the input is a
// pipe that this process holds, and that the system closes if the process dies.
const script = `
cd "$1"
"$2/initdb" -D data -U "$3" -A trust -E UTF8 --locale=C --no-sync >log 2>&1 || { touch failed; exit 1; }
"$2/postgres" -D data -k "$1" -c listen_addresses= -c fsync="$4" -c full_page_writes="$4" -c synchronous_commit="$4" \
	-c max_connections=400 -c shared_buffers=128MB >>log 2>&1 </dev/null &
pid=$!
while read -r _; do :; done
kill -INT $pid
wait $pid
cd /
rm -rf "$1"
`

func start(durable string) (*server, error) {
	bin := binaries()
	if bin == "" {
		return nil, errAbsent
	}
	dir, err := os.MkdirTemp("", "rota-postgres-")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", script, "sh", dir, bin, superuser, durable)
	if cmd.SysProcAttr, err = owner(dir); err != nil {
		return nil, err
	}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{dir: dir, input: input, cmd: cmd}
	return s, s.await()
}

// owner returns as whom a server is to run whose directory is dir, which it
// makes theirs. What interrupts this process does not reach the server.
func owner(dir string) (*syscall.SysProcAttr, error) {
	as := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return as, nil
	}
	var err error
	if as.Credential, err = plainUser(); err != nil {
		return nil, err
	}
	return as, os.Chown(dir, int(as.Credential.Uid), int(as.Credential.Gid))
}

// await returns when the server answers.
func (s *server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if _, failed := os.Stat(filepath.Join(s.dir, "failed")); failed == nil || ctx.Err() != nil {
			return s.failed(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *server) failed(err error) error {
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return fmt.Errorf("PostgreSQL did not start: %w\n%s", err, log)
}

// binaries returns the directory of the newest PostgreSQL, or "".
func binaries() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if path, err := exec.LookPath("postgres"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
}

// version returns the number in a path like /usr/lib/postgresql/15/bin/postgres.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// plainUser returns a user without rights: PostgreSQL does not run as root.
func plainUser() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("neither a user postgres nor a user nobody is there to run PostgreSQL")
}
