package e2e

import (
	"bytes"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

var toolKills = flag.Int("tool-kills", 20, "how often TestKillInToolLoops kills the server")

const toolRuns = 25 // that begin in each life of the server

// A toolWorld is a model that asks for three calls, one after two, and the functions.
type toolWorld struct {
	mu    sync.Mutex
	begun map[string]int  // calls that came, by their ids
	told  map[string]bool // those of which the model was told what came of them
	again []string        // that came after the model was told, or may not come twice
	hold  bool            // calls are not answered
	came  chan struct{}
}

func newToolWorld() *toolWorld {
	return &toolWorld{begun: map[string]int{}, told: map[string]bool{}, came: make(chan struct{}, 1<<20)}
}

// answer is the model: it goes by how many results it is told.
func (w *toolWorld) answer(rw http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
	run := c.Metadata()["rota_run_id"]
	n := bytes.Count(c.Body, []byte(`"function_call_output"`))
	w.mu.Lock()
	for _, id := range []string{"-1-1", "-1-2", "-2-1"}[:n] {
		w.told[run+id] = true
	}
	w.mu.Unlock()
	call := func(n int, name string) string {
		return `{"type":"function_call","id":"fc_` + strconv.Itoa(n) + `","call_id":"call_` + strconv.Itoa(n) + `","name":"` + name + `","arguments":"{}","status":"completed"}`
	}
	items := map[int]string{0: call(1, "get") + "," + call(2, "put"), 2: call(3, "put")}[n]
	if items == "" {
		gatewaytest.Text("done")(rw, r, c)
		return
	}
	gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Data(`{"type":"response.completed","response":{"id":"resp_1","object":"response","created_at":1,`+
		`"status":"completed","model":"test","output":[`+items+`],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}`))(rw, r, c)
}

// ServeHTTP is the functions, of which get may be called twice.
func (w *toolWorld) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	id := r.Header.Get("webhook-id")
	w.mu.Lock()
	w.begun[id]++
	if w.told[id] || w.begun[id] > 1 && r.URL.Path != "/get" {
		w.again = append(w.again, id)
	}
	hold := w.hold
	w.mu.Unlock()
	w.came <- struct{}{}
	if hold {
		<-r.Context().Done() // until the server is killed
		return
	}
	_, _ = io.WriteString(rw, "ok")
}

func (w *toolWorld) setHold(hold bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = hold
}

// TestKillInToolLoops kills the server with SIGKILL while runs call tools, and then
// counts: no run is lost, each has ended once, no call that had a result was made
// again, and none that may not be made twice was.
func TestKillInToolLoops(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	w, model := newToolWorld(), gatewaytest.New(t)
	model.Default(w.answer)
	functions := httptest.NewServer(w)
	defer functions.Close()
	dir := t.TempDir()
	flags := []string{"--model-url", model.URL, "--log-level", "warn", "--tool-networks", "127.0.0.0/8"}
	s := start(t, dir, flags...)
	agent := addToolAgent(t, s, functions.URL)

	for range *toolKills {
		for range toolRuns {
			_, err := s.client().Runs.Create(t.Context(), agent, rota.RunCreate{Input: rota.InputText("go")})
			require.NoError(t, err)
		}
		calls(w.came).await(t, rand.IntN(2*toolRuns))
		w.setHold(rand.IntN(2) == 0) // killed while calls are made, or between them
		if rand.IntN(2) == 0 {
			calls(w.came).await(t, rand.IntN(3))
		}
		require.Error(t, s.stop(syscall.SIGKILL))
		w.setHold(false)
		s = start(t, dir, flags...)
	}
	awaitNoOpenRuns(t, s)
	require.NoError(t, s.stop(syscall.SIGTERM), s.logs)

	l := openLedger(t, dir)
	runs := *toolKills * toolRuns
	require.Equal(t, runs, l.count(t, `SELECT COUNT(*) FROM runs WHERE phase = 'completed'`), "each run has ended, and none otherwise")
	require.Zero(t, l.count(t, `SELECT COUNT(*) FROM open_runs`))
	require.Zero(t, l.count(t, `SELECT COUNT(*) FROM run_steps`))
	unknown := l.count(t, `SELECT COUNT(*) FROM runs, json_each(response, '$.output') i WHERE i.value ->> 'error' LIKE 'The outcome is unknown%'`)
	require.Equal(t, 3*runs, l.count(t, `SELECT COUNT(*) FROM runs, json_each(response, '$.output') i WHERE i.value ->> 'type' = 'mcp_call'`))
	require.Equal(t, 3*runs, l.count(t, `SELECT COUNT(*) FROM runs, json_each(response, '$.output') i WHERE i.value ->> 'output' = 'ok'`)+unknown)
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Empty(t, w.again, "calls that were made again")
	twice := 0
	for _, n := range w.begun {
		twice += n - 1
	}
	t.Logf("%d runs, %d calls, of which %d were cut off and made again, %d with an unknown outcome; %d questions, %d kills", runs, len(w.begun), twice, unknown, model.Total(), *toolKills)
}

// addToolAgent adds an agent with two functions.
func addToolAgent(t *testing.T, s *server, functions string) rota.AgentID {
	ctx, c := t.Context(), s.client()
	in := rota.AgentCreate{Name: "tools", Model: "any"}
	for _, name := range []string{"get", "put"} {
		f, err := c.FunctionTools.Create(ctx, rota.FunctionDefinition{
			Type: "function", Name: name, Parameters: rota.Object(rota.AnyOf(map[string]any{"type": "object"})),
			WebhookURL: rota.Some(functions + "/" + name), Idempotent: rota.Some(name == "get"),
		})
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(f.WebhookSecret, "whsec_"))
		in.Tools = append(in.Tools, rota.Object(rota.AnyOf(map[string]any{"type": "function_reference", "function_tool_id": f.ID})))
	}
	a, err := c.Agents.Create(ctx, in)
	require.NoError(t, err)
	return a.ID
}
