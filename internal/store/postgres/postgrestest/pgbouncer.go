package postgrestest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
)

// bouncer has nothing that Debian's file has otherwise, but for where it listens
// and that it trusts who comes.
const bouncer = `[databases]
* = host=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = %s
`

// PgBouncer starts a PgBouncer in front of the database of a URL, which [URL] or
// [Empty] returned, in a pool mode: session, transaction or statement. It returns
// the URL of the same database through it. It ends with the test. Without PgBouncer
// on the machine it does what URL does without PostgreSQL.
func PgBouncer(tb testing.TB, databaseURL, mode string) string {
	tb.Helper()
	prereqtest.Program(tb, "pgbouncer")
	dir, err := os.MkdirTemp("", "rota-pgbouncer-")
	require.NoError(tb, err)
	tb.Cleanup(func() { os.RemoveAll(dir) })
	as, err := owner(dir)
	require.NoError(tb, err)
	port := freePort(tb)
	users, file := filepath.Join(dir, "users"), filepath.Join(dir, "ini")
	require.NoError(tb, os.WriteFile(users, []byte(`"`+superuser+`" ""`+"\n"), 0o644))
	require.NoError(tb, os.WriteFile(file, fmt.Appendf(nil, bouncer, running(tb).dir, port, users, mode), 0o644))
	cmd := exec.Command("pgbouncer", "-q", file)
	cmd.Dir, cmd.SysProcAttr = dir, as
	require.NoError(tb, cmd.Start())
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	through := url.URL{Scheme: "postgres", User: url.User(superuser), Host: net.JoinHostPort("127.0.0.1", port), Path: database(tb, databaseURL)}
	awaitBouncer(tb, through.String())
	return through.String()
}

func database(tb testing.TB, databaseURL string) string {
	tb.Helper()
	config, err := pgx.ParseConfig(databaseURL)
	require.NoError(tb, err)
	return config.Database
}

func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(tb, err)
	return port
}

func awaitBouncer(tb testing.TB, databaseURL string) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		conn, err := pgx.Connect(tb.Context(), databaseURL)
		return err == nil && conn.Close(context.WithoutCancel(tb.Context())) == nil
	}, startTimeout, 20*time.Millisecond)
}
