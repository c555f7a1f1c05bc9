package e2e

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// A wire carries connections to a database, until it is told to lose what is
// sent.
type wire struct {
	url    string // of the database through it
	silent atomic.Bool
}

func startWire(t *testing.T, databaseURL string) *wire {
	t.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	network, server := "tcp", u.Host
	if dir := u.Query().Get("host"); dir != "" {
		network, server = "unix", dir+"/.s.PGSQL.5432"
		q := u.Query()
		q.Del("host")
		u.RawQuery = q.Encode()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	u.Host = l.Addr().String()
	w := &wire{url: u.String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(conn, network, server)
		}
	}()
	return w
}

func (w *wire) carry(client net.Conn, network, address string) {
	defer client.Close()
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer server.Close()
	var group sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		group.Go(func() {
			defer way[1].Close()
			_, _ = io.Copy(lossy{way[1], &w.silent}, way[0]) // it ends when either side does
		})
	}
	group.Wait()
}

// lossy loses what is written while it is silent.
type lossy struct {
	net.Conn
	silent *atomic.Bool
}

func (l lossy) Write(b []byte) (int, error) {
	if l.silent.Load() {
		return len(b), nil
	}
	return l.Conn.Write(b)
}

// TestStopWithoutTheDatabase: a server whose database has fallen silent says that
// it is not ready, and stops when it is told to, in the middle of a run.
func TestStopWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	model, wire := startGated(t), startWire(t, postgrestest.URL(t))
	env := []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + wire.url}
	s := launch(t, t.TempDir(), env, "--model-url", model.URL, "--drain-timeout", "1s")
	require.NotEmpty(t, s.url)
	keepsTime(t, s)
	startRun(t, s, "go")
	model.call(t)
	wire.silent.Store(true)
	status, _ := get(t, s.url+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	close(model.release)
	require.Error(t, s.stop(syscall.SIGTERM))
	require.Contains(t, s.logs.String(), "goes on at the next start")
}
