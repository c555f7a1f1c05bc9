// Package clients lets the vendor's own client judge Rota: the published
// package, in many versions, against the real binary.
package clients

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

const (
	key      = "rk_test_key_that_is_long_enough"
	audience = "https://rota.example.com"
)

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rota-clients")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rota")
	return path, run("go", "build", "-o", path, "github.com/rota-run/rota/cmd/rota")
})

// A database is where the server under test keeps its rows.
type database struct {
	name   string
	driver string
	source func(*testing.T, string) string // for database/sql, given the server's directory
	lock   string                          // a statement that lets nobody write until the transaction ends
}

// databases returns those that everything is shown on.
func databases() []database {
	return []database{
		{
			name: "SQLite", driver: "sqlite", lock: "UPDATE agents SET id = id WHERE 0",
			source: func(_ *testing.T, dir string) string {
				return "file:" + filepath.Join(dir, "rota.db") + "?_txlock=immediate&_pragma=busy_timeout(60000)"
			},
		},
		{
			name: "PostgreSQL", driver: "pgx", lock: "LOCK TABLE agents IN ACCESS EXCLUSIVE MODE",
			source: func(t *testing.T, _ string) string { return postgrestest.URL(t) },
		},
	}
}

// A server is a rota process with a scripted model behind it.
type server struct {
	url  string
	open func() (*sql.DB, error) // another connection to its database
	lock string
}

// start starts rota on a database of the kind, with a scripted model.
func (d database) start(t *testing.T) *server {
	t.Helper()
	return d.launch(t, "--model-url", model(t).URL)
}

// launch starts rota on a database of the kind, and returns when it says where it
// listens.
func (d database) launch(t *testing.T, flags ...string) *server {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	dir := t.TempDir()
	source := d.source(t, dir)
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--log-level", "warn"}
	cmd := exec.Command(path, append(args, flags...)...)
	cmd.Env = append(os.Environ(), "ROTA_BOOTSTRAP_KEY="+key, "ROTA_PUBLIC_URL="+audience, "ROTA_SECRET_KEY="+strings.Repeat("5e", 32))
	if d.driver == "pgx" {
		cmd.Env = append(cmd.Env, "ROTA_DATABASE="+source)
	}
	s := &server{url: begin(t, cmd), lock: d.lock}
	s.open = func() (*sql.DB, error) { return sql.Open(d.driver, source) }
	return s
}

// begin starts a server that ends with the test, and returns its URL.
func begin(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	logs := new(strings.Builder)
	cmd.Stderr = logs
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines, url := bufio.NewScanner(out), ""
	for url == "" && lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "Rota listens on "); ok {
			url, _, _ = strings.Cut(rest, " ")
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of the server:\n%s", logs)
		}
	})
	if url == "" {
		_ = cmd.Wait()
		t.Fatalf("rota did not start\n%s", logs)
	}
	return url
}

// freeze keeps everybody else from writing to the database until thaw is
// called.
func (s *server) freeze(t *testing.T) (thaw func()) {
	t.Helper()
	db, err := s.open()
	require.NoError(t, err)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), s.lock)
	require.NoError(t, err)
	return sync.OnceFunc(func() {
		require.NoError(t, tx.Rollback())
		require.NoError(t, db.Close())
	})
}

// silence is longer than the client waits for a byte.
const silence = 7 * time.Second

// model starts a model whose answers depend on what it is asked alone.
func model(t *testing.T) *gatewaytest.Server {
	m := gatewaytest.New(t)
	replies := map[string]gatewaytest.Reply{
		"fail":   gatewaytest.Stream(gatewaytest.Created("resp_f"), gatewaytest.Failed("resp_f", "bad", "It does not work.")),
		"limit":  gatewaytest.Stream(gatewaytest.Created("resp_l"), gatewaytest.Incomplete("resp_l", "don", "max_output_tokens")),
		"hold":   hold,
		"quiet":  quiet(silence),
		"linger": quiet(2 * time.Second),
		"call":   gatewaytest.Stream(gatewaytest.Created("resp_c"), ended(`{"type":"function_call","id":"fc_1","call_id":"call_1","name":"look_up","arguments":"{\"q\":\"weather\"}","status":"completed"}`)),
		"nap":    nap,
		"think":  gatewaytest.Stream(gatewaytest.Created("resp_t"), ended(`{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm."}]},`+done)),
	}
	okay, broken := gatewaytest.Text("done"), gatewaytest.JSON(http.StatusServiceUnavailable, `{"error":{"message":"no"}}`)
	m.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		reply := okay
		for input, other := range replies {
			if strings.Contains(string(c.Body), fmt.Sprintf("%q", input)) {
				reply = other
			}
		}
		if strings.HasSuffix(r.URL.Path, "/models") {
			reply = gatewaytest.JSON(http.StatusOK, `{"data":[{"id":"small","context_window":4096}]}`)
		}
		if strings.Contains(string(c.Body), `"recall"`) {
			reply = gatewaytest.Text(told(c.Body))
		}
		if strings.Contains(string(c.Body), `"model":"broken"`) {
			reply = broken
		}
		reply(w, r, c)
	})
	return m
}

// nap is a model that sleeps for an hour, and then says what it was told when it woke.
func nap(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
	reply := gatewaytest.Stream(gatewaytest.Created("resp_n"), ended(`{"type":"function_call","id":"fc_1","call_id":"call_1","name":"sleep","arguments":"{\"duration_seconds\":3600,\"reason\":\"tea\"}","status":"completed"}`))
	if strings.Contains(string(c.Body), `"function_call_output"`) {
		reply = gatewaytest.Text(told(c.Body))
	}
	reply(w, r, c)
}

// done is an item with an answer.
const done = `{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"done","annotations":[]}]}`

// ended is the event that ends a response with these items.
func ended(items string) string {
	return gatewaytest.Data(`{"type":"response.completed","sequence_number":2,"response":{"id":"resp_x","object":"response","created_at":1,"status":"completed","model":"test",` +
		`"output":[` + items + `],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}`)
}

var texts = regexp.MustCompile(`"(?:text|content|output|arguments|input)":\s*("(?:[^"\\]|\\.)*")`)

// told is what the input of a request says, in its order.
func told(body []byte) string {
	var all []string
	for _, m := range texts.FindAllSubmatch(body, -1) {
		var text string
		if json.Unmarshal(m[1], &text) == nil {
			all = append(all, text)
		}
	}
	return strings.Join(all, " | ")
}

// hold answers when its caller has gone, or nobody cancels its run.
func hold(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
	late := make(chan struct{})
	timer := time.AfterFunc(20*time.Second, func() { close(late) })
	defer timer.Stop()
	gatewaytest.Stall(late, gatewaytest.Created("resp_h"))(w, r, c)
}

// quiet says nothing for a while, between a first piece of its answer and the end.
func quiet(d time.Duration) gatewaytest.Reply {
	return func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		gatewaytest.Stream(gatewaytest.Created("resp_q"), gatewaytest.Delta("done"))(w, r, c)
		select {
		case <-time.After(d):
			_, _ = fmt.Fprint(w, gatewaytest.Completed("resp_q", "done"))
		case <-r.Context().Done():
		}
	}
}
