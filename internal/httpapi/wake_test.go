package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// sleeps is a model's answer that calls sleep.
func sleeps(arguments string) gatewaytest.Reply {
	return gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Data(`{"type":"response.completed","response":{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"test","output":[`+
		`{"type":"function_call","id":"fc_1","call_id":"call_1","name":"sleep","arguments":`+string(rota.AnyOf(arguments).RawMessage)+`,"status":"completed"}],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}}`))
}

// works lets the server work on responses in the background until the test ends.
func (s *server) works() (stop func()) {
	working, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.responder.Run(working)
	}()
	stop = func() {
		cancel()
		<-done
	}
	s.t.Cleanup(stop)
	return stop
}

// asleep waits until a response sleeps, and returns it.
func (c caller) asleep(path string) (r map[string]any) {
	require.Eventually(c.t, func() bool {
		r = c.send(http.MethodGet, path, "").is(http.StatusOK).object()
		return r["sleep"] != nil
	}, 20*time.Second, 5*time.Millisecond)
	return r
}

const sleeper = `{"model":"test/m","input":"hi","background":true,"tools":[{"type":"sleep"}]}`

func TestAResponseSleeps(t *testing.T) {
	s := newLLM(t)
	c, stop := s.acme(), s.works()
	s.models.server.Script(sleeps(`{"duration_seconds": 86400, "reason": "until tomorrow"}`), gatewaytest.Text("good morning"))
	path := responsesPath + "/" + c.create(sleeper)["id"].(string)
	r := c.asleep(path)
	require.Equal(t, "in_progress", r["status"])
	require.Equal(t, "until tomorrow", r["sleep"].(map[string]any)["reason"])
	require.Eventually(t, func() bool { return len(s.responder.Open()) == 0 }, 20*time.Second, time.Millisecond, "no worker has it")
	stop() // and the next process goes on
	s.works()
	woke := c.send(http.MethodPost, path+"/wake", `{"input":"There is news."}`).is(http.StatusOK).object()
	require.Equal(t, "response.sleep_wake", woke["object"])
	require.Equal(t, r["id"], woke["response_id"])
	require.IsType(t, "", woke["created_at"])

	events := c.send(http.MethodGet, path+"?stream=true", "").is(http.StatusOK).responseEvents()
	valid(t, events)
	var kinds []string
	for _, e := range events {
		var head struct{ Type string }
		require.NoError(t, json.Unmarshal(e, &head))
		if kind, ok := strings.CutPrefix(head.Type, "response.sleep_call."); ok {
			kinds = append(kinds, kind)
		}
	}
	require.Equal(t, []string{"in_progress", "sleeping", "completed"}, kinds)
	r = c.send(http.MethodGet, path, "").is(http.StatusOK).object()
	require.Equal(t, "completed", r["status"])
	require.NotContains(t, r, "sleep")
	require.Equal(t, []string{"mcp_call", "message"}, itemTypes(r))
	call := r["output"].([]any)[0].(map[string]any)
	require.Equal(t, "rota", call["server_label"])
	require.Contains(t, call["output"], `"status":"interrupted"`)
	require.Contains(t, call["output"], `"input":"There is news."`)
	require.Equal(t, "not_sleeping", c.send(http.MethodPost, path+"/wake", `{"input":"again"}`).is(http.StatusConflict).object()["error"].(map[string]any)["code"])
	asked := s.models.asked(t)
	require.Len(t, asked, 2, "no question is asked again")
	require.Contains(t, string(asked[0]["tools"]), `"name":"sleep"`)
}

func TestAResponseWakesByItself(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	s.works()
	s.models.server.Script(sleeps(`{"duration_seconds": 3600}`), gatewaytest.Text("good morning"))
	path := responsesPath + "/" + c.create(sleeper)["id"].(string)
	c.asleep(path)
	s.clock.advance(time.Hour)
	s.responder.Changed()
	valid(t, c.send(http.MethodGet, path+"?stream=true", "").is(http.StatusOK).responseEvents())
	r := c.send(http.MethodGet, path, "").object()
	require.Contains(t, r["output"].([]any)[0].(map[string]any)["output"], `{"status":"woke","slept_seconds":3600,`)
}

func TestASleepingResponseIsCancelled(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	s.works()
	s.models.server.Script(sleeps(`{"duration_seconds": 3600}`))
	path := responsesPath + "/" + c.create(sleeper)["id"].(string)
	c.asleep(path)
	r := c.send(http.MethodPost, path+"/cancel", "").is(http.StatusOK).object()
	require.Equal(t, "cancelled", r["status"])
	require.NotContains(t, r, "sleep")
	c.send(http.MethodPost, path+"/wake", `{"input":"go"}`).is(http.StatusConflict)
	s.clock.advance(2 * time.Hour)
	s.responder.Changed()
	require.Equal(t, r, c.send(http.MethodPost, path+"/cancel", "").is(http.StatusOK).object())
	valid(t, c.send(http.MethodGet, path+"?stream=true", "").is(http.StatusOK).responseEvents())
}

// Somebody who waits for an answer cannot be put to sleep.
func TestSleepNeedsTheBackground(t *testing.T) {
	c := newLLM(t).acme()
	e := c.send(http.MethodPost, responsesPath, `{"model":"test/m","input":"hi","tools":[{"type":"web_search"},{"type":"sleep"}]}`).is(http.StatusBadRequest).object()["error"].(map[string]any)
	require.Equal(t, "tools.1", e["param"])
	require.Contains(t, e["message"], "background")
	e = c.send(http.MethodPost, responsesPath, `{"model":"test/m","input":"hi","background":true,"tools":[{"type":"sleep"},{"type":"schedule"}]}`).is(http.StatusBadRequest).object()["error"].(map[string]any)
	require.Equal(t, "tools.1", e["param"], "a response has no schedules")
}

func TestARunIsWoken(t *testing.T) {
	s := newAPI(t)
	c := s.acme()
	agent := c.send(http.MethodPost, "/api/v1/agents", `{"name":"a","model":"small","tools":[{"type":"sleep"}]}`).is(http.StatusCreated).object()["id"].(string)
	runs := "/api/v1/agents/" + agent + "/runs"
	id := c.send(http.MethodPost, runs, `{"input":"hi"}`).is(http.StatusCreated).object()["id"].(string)
	wake := func(body string) reply { return c.send(http.MethodPost, runs+"/"+id+"/wake", body) }
	e := wake(`{"input":"go"}`).is(http.StatusConflict).object()["error"].(map[string]any)
	require.Equal(t, "not_sleeping", e["code"])
	require.Equal(t, "the run does not sleep: its phase is queued", e["message"])

	s.sleep(rota.RunID(id))
	r := c.send(http.MethodGet, runs+"/"+id, "").is(http.StatusOK).object()
	require.Equal(t, "queued", r["status"])
	require.Equal(t, "waiting", r["phase"])
	require.Equal(t, "tea", r["sleep"].(map[string]any)["reason"])
	require.Equal(t, r["sleep"].(map[string]any)["until"], r["ready_at"])
	wake(`{"input":"` + strings.Repeat("x", 140_000) + `"}`).is(http.StatusBadRequest)
	other := s.key("other", "rota_other")
	other.send(http.MethodPost, runs+"/"+id+"/wake", `{"input":"go"}`).is(http.StatusNotFound)

	woke := wake(`{"input":[{"role":"user","content":"go"}]}`).is(http.StatusOK).object()
	require.Equal(t, "agent.run.wake", woke["object"])
	require.Equal(t, r["gateway_response_id"], woke["gateway_response_id"])
	require.Equal(t, "response.sleep_wake", woke["gateway_wake"].(map[string]any)["object"])
	wake(`{"input":"go"}`).is(http.StatusConflict)
	steps, err := s.store.Reader().RunSteps(t.Context(), rota.RunID(id))
	require.NoError(t, err)
	require.Contains(t, *steps[len(steps)-1].Result, `"input":[{"role":"user","content":"go"}]`)

	s.sleep(rota.RunID(id))
	require.Equal(t, "cancelled", c.send(http.MethodPost, runs+"/"+id+"/cancel", "").is(http.StatusOK).object()["status"])
	e = wake(`{"input":"go"}`).is(http.StatusConflict).object()["error"].(map[string]any)
	require.Equal(t, "the run does not sleep: its phase is cancelled", e["message"])
}

// sleep claims a run, and lets it fall asleep for an hour.
func (s *server) sleep(id rota.RunID) {
	s.t.Helper()
	now := s.clock.Now().UTC().Truncate(time.Millisecond)
	until := rota.InstantOf(now.Add(time.Hour))
	require.NoError(s.t, s.store.Update(s.t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		work, err := tx.ClaimRuns(ctx, now, rota.Claim{Provider: "test", Limit: 1})
		if err != nil {
			return err
		}
		require.Equal(s.t, id, work[0].Run.ID)
		a := rota.RunAttempt{Number: work[0].Run.Attempt, Round: 1, StartedAt: rota.InstantOf(now), EndedAt: new(rota.InstantOf(now)), Slept: true}
		mine, err := tx.SleepRun(ctx, rota.RunSleep{
			Sleep: rota.Sleep{Since: rota.InstantOf(now), Until: until, Reason: new("tea")}, Attempt: work[0].At(), Attempts: append(work[0].Run.Attempts, a),
			Steps: []rota.ResponseStep{{Number: work[0].Steps + 1, Kind: rota.StepCalled, At: now, Call: 1, Tool: "sleep", Until: &until}},
		})
		require.True(s.t, mine)
		return err
	}))
}
