package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

var sleepKills = flag.Int("sleep-kills", 8, "how often TestKillInSleep kills the server, on each database")

const sleepers = 20 // that begin in each life of the server

// A sleepWorld is a model that sleeps for an hour, twice, and then answers.
type sleepWorld struct {
	mu    sync.Mutex
	asked map[string]int       // by Idempotency-Key
	last  map[string]time.Time // when it was asked, by run
	came  chan struct{}
}

func (w *sleepWorld) answer(rw http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
	w.mu.Lock()
	w.asked[c.IdempotencyKey()]++
	w.last[c.Metadata()["rota_run_id"]] = time.Now()
	w.mu.Unlock()
	w.came <- struct{}{}
	if bytes.Count(c.Body, []byte(`"function_call_output"`)) == 2 {
		gatewaytest.Text("done")(rw, r, c)
		return
	}
	gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Data(`{"type":"response.completed","response":{"id":"resp_1","object":"response","created_at":1,`+
		`"status":"completed","model":"test","output":[{"type":"function_call","id":"fc_1","call_id":"call_1","name":"sleep","arguments":"{\"duration_seconds\":3600}","status":"completed"}],`+
		`"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}`))(rw, r, c)
}

// TestKillInSleep kills the server with SIGKILL while runs fall asleep and are woken, and
// then counts: none is lost, each sleeps on until it is woken, whoever was told that a run
// has woken finds its input there once, and no question is asked again whose answer was on
// record.
func TestKillInSleep(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for _, tt := range []struct {
		name string
		env  func(*testing.T) []string
	}{
		{"SQLite", func(*testing.T) []string { return nil }},
		{"PostgreSQL", func(t *testing.T) []string { return []string{"ROTA_DATABASE=" + postgrestest.URL(t)} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			killInSleep(t, append(tt.env(t), "ROTA_BOOTSTRAP_KEY="+key))
		})
	}
}

func killInSleep(t *testing.T, env []string) {
	w, model, dir := &sleepWorld{asked: map[string]int{}, last: map[string]time.Time{}, came: make(chan struct{}, 1<<20)}, gatewaytest.New(t), t.TempDir()
	model.Default(w.answer)
	begin := func() *server {
		s := launch(t, dir, env, "--model-url", model.URL, "--model-protocol", "responses", "--log-level", "warn")
		require.NotEmpty(t, s.url, s.logs)
		return s
	}
	s := begin()
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "sleeper", Model: "any", Tools: []rota.Object{rota.Object(rota.AnyOf(map[string]any{"type": "sleep"}))}})
	require.NoError(t, err)
	var runs []rota.RunID
	told := map[rota.RunID][]string{} // inputs of which somebody was told that they have woken the run
	wake := func(id rota.RunID) bool {
		input := fmt.Sprintf("input %d of %s", len(told[id]), id)
		_, err := s.client().Runs.Wake(t.Context(), agent.ID, id, rota.RunWakeCreate{Input: rota.InputText(input)})
		if err != nil {
			require.ErrorIs(t, err, rota.NotSleeping)
			return false
		}
		told[id] = append(told[id], input)
		return true
	}
	for range *sleepKills {
		for range sleepers {
			r, err := s.client().Runs.Create(t.Context(), agent.ID, rota.RunCreate{Input: rota.InputText("go")})
			require.NoError(t, err)
			runs = append(runs, r.ID)
		}
		calls(w.came).await(t, rand.IntN(sleepers))
		for range rand.IntN(sleepers) {
			wake(runs[rand.IntN(len(runs))])
		}
		require.Error(t, s.stop(syscall.SIGKILL))
		s = begin()
	}
	var took []time.Duration
	for _, id := range runs {
		for len(told[id]) < 2 {
			began := time.Now()
			if !wake(id) {
				continue // it is on its way to sleep
			}
			require.Eventually(t, func() bool { return w.lastOf(id).After(began) }, time.Minute, time.Millisecond)
			took = append(took, w.lastOf(id).Sub(began))
		}
		require.Eventually(t, func() bool { return w.ended(t, s, agent.ID, id, told[id]) }, time.Minute, 5*time.Millisecond)
	}
	awaitNoOpenRuns(t, s)
	require.NoError(t, s.stop(syscall.SIGTERM), s.logs)
	again := 0
	for key, n := range w.asked {
		require.NotEmpty(t, key)
		again += n - 1
	}
	require.Len(t, w.asked, 3*len(runs), "three questions of each run")
	slices.Sort(took)
	t.Logf("%d runs, %d kills: %d questions asked again that a kill had cut off; from a wake to the question p50 %s, p99 %s, max %s", len(runs), *sleepKills, again, took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}

func (w *sleepWorld) lastOf(id rota.RunID) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last[string(id)]
}

// ended reports whether a run has ended. If so, it has slept twice, and has been woken with
// each of the inputs.
func (w *sleepWorld) ended(t *testing.T, s *server, agent rota.AgentID, id rota.RunID, inputs []string) bool {
	r, err := s.client().Runs.Get(t.Context(), agent, id)
	require.NoError(t, err)
	if r.CompletedAt == nil {
		return false
	}
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	answer := r.GatewayResponse.RawMessage
	require.Equal(t, 2, bytes.Count(answer, []byte(`"type":"mcp_call"`)))
	require.Len(t, inputs, 2)
	for _, input := range inputs {
		require.Equal(t, 1, bytes.Count(answer, []byte(input)))
	}
	return true
}
