package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/responses"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// A strictModel takes nothing on trust: it refuses an input in which an id comes twice, or a
// call has no output, or an output no call. It says some words, begins a call and then
// nothing more, whenever it is asked under a new key to stall; and answers otherwise.
type strictModel struct {
	*gatewaytest.Server
	mu       sync.Mutex
	asked    map[string]int // by key
	refused  []string
	stalling chan string // the keys of calls that stall
}

func newStrictModel(t *testing.T) *strictModel {
	m := &strictModel{Server: gatewaytest.New(t), asked: map[string]int{}, stalling: make(chan string, 100)}
	m.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		key := c.IdempotencyKey()
		m.mu.Lock()
		m.asked[key]++
		times, wrong := m.asked[key], wrongInput(c.Body)
		if wrong != "" {
			m.refused = append(m.refused, wrong+": "+string(c.Body))
		}
		m.mu.Unlock()
		switch {
		case wrong != "":
			gatewaytest.Status(http.StatusBadRequest, nil, `{"error":{"message":"`+wrong+`"}}`)(w, r, c)
		case times == 1 && lastText(c.Body) == "stall":
			m.stalling <- key
			gatewaytest.Stall(r.Context().Done(), gatewaytest.Created("resp_s"), gatewaytest.Delta("It was"),
				gatewaytest.Data(`{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"","status":"in_progress"}}`))(w, r, c)
		default:
			gatewaytest.Text("done")(w, r, c)
		}
	})
	return m
}

func input(body []byte) (items []map[string]any) {
	var request struct{ Input []map[string]any }
	_ = json.Unmarshal(body, &request)
	return request.Input
}

func lastText(body []byte) string {
	items := input(body)
	text, _ := items[len(items)-1]["content"].(string)
	return text
}

func wrongInput(body []byte) string {
	ids, open := map[any]bool{}, map[any]bool{}
	for _, i := range input(body) {
		if id := i["id"]; id != nil && ids[id] {
			return fmt.Sprint("the id ", id, " is there twice")
		}
		ids[i["id"]] = true
		switch call := i["call_id"]; {
		case i["type"] == "function_call":
			open[call] = true
		case i["type"] == "function_call_output" && !open[call]:
			return fmt.Sprint("there is no call ", call)
		case i["type"] == "function_call_output":
			delete(open, call)
		}
	}
	if len(open) > 0 {
		return fmt.Sprint("a call has no output: ", open)
	}
	return ""
}

// A gatewayCaller calls the gateway of a server.
type gatewayCaller struct {
	*testing.T
	url string
}

func (c gatewayCaller) send(method, path, body string) *http.Response {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, c.url+"/api/v1/llm"+path, strings.NewReader(body))
	require.NoError(c, err)
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(c, err)
	return res
}

func (c gatewayCaller) call(method, path, body string) (object map[string]any) {
	c.Helper()
	res := c.send(method, path, body)
	defer res.Body.Close()
	raw := new(bytes.Buffer)
	_, err := raw.ReadFrom(res.Body)
	require.NoError(c, err)
	require.Equal(c, http.StatusOK, res.StatusCode, "%s %s: %s", method, path, raw)
	require.NoError(c, json.Unmarshal(raw.Bytes(), &object))
	return object
}

// ended waits for the end of a response, and checks that its stream is a valid one, which
// has one end.
func (c gatewayCaller) ended(id string) map[string]any {
	c.Helper()
	var r map[string]any
	require.Eventually(c, func() bool {
		r = c.call(http.MethodGet, "/responses/"+id, "")
		return r["status"] != "queued" && r["status"] != "in_progress"
	}, 2*time.Minute, 50*time.Millisecond)
	res := c.send(http.MethodGet, "/responses/"+id+"?stream=true", "")
	defer res.Body.Close()
	var check responses.Checker
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			require.NoError(c, check.Event([]byte(data)), data)
		}
	}
	require.NoError(c, lines.Err())
	require.NoError(c, check.End())
	require.Equal(c, r, c.call(http.MethodGet, "/responses/"+id, ""), "it has ended once")
	return r
}

// TestKillInMidAnswer kills the server with SIGKILL while one response streams in a
// conversation and another one is at work in the background in another. The one whose
// reader has gone with the server has failed afterwards, the other is answered, under the
// key that it had; what was said before is there, and both conversations go on.
func TestKillInMidAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a lease")
	}
	for _, tt := range []struct {
		name  string
		kills int
		env   func(*testing.T) []string
	}{
		{"SQLite", 5, func(*testing.T) []string { return nil }},
		{"PostgreSQL", 2, func(t *testing.T) []string { return []string{"ROTA_DATABASE=" + postgrestest.URL(t)} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			model, dir := newStrictModel(t), t.TempDir()
			env := append(tt.env(t), "ROTA_BOOTSTRAP_KEY="+key)
			begin := func() (*server, gatewayCaller) {
				s := launch(t, dir, env, "--model-url", model.URL, "--model-protocol", "responses", "--log-level", "warn")
				require.NotEmpty(t, s.url, s.logs)
				return s, gatewayCaller{t, s.url}
			}
			s, c := begin()
			streamed, background := c.conversation(), c.conversation()
			for range tt.kills {
				lost, waits := c.stalls(model, streamed, background)
				require.Error(t, s.stop(syscall.SIGKILL))
				s, c = begin()
				require.Equal(t, "failed", c.ended(lost)["status"])
				require.Equal(t, "completed", c.ended(waits)["status"])
				for _, conversation := range []string{streamed, background} {
					require.Equal(t, "completed", c.say(conversation, "Go on.")["status"])
				}
			}
			require.Empty(t, model.refused)
			require.Len(t, c.items(streamed), 2*(1+tt.kills), "nothing of an answer that was lost")
			require.Len(t, c.items(background), 2*(1+2*tt.kills))
			model.askedOnce(t, tt.kills)
		})
	}
}

// conversation makes a conversation in which something has been said.
func (c gatewayCaller) conversation() string {
	c.Helper()
	id := c.call(http.MethodPost, "/conversations", `{}`)["id"].(string)
	require.Equal(c, "completed", c.say(id, "Hello.")["status"])
	return id
}

func (c gatewayCaller) say(conversation, text string) map[string]any {
	c.Helper()
	return c.call(http.MethodPost, "/responses", `{"model":"any","conversation":"`+conversation+`","input":[{"role":"user","content":"`+text+`"}]}`)
}

func (c gatewayCaller) items(conversation string) []any {
	c.Helper()
	return c.call(http.MethodGet, "/conversations/"+conversation+"/items?limit=100", "")["data"].([]any)
}

// stalls lets a response stream in one conversation, of which some words are read, and
// another one work in the background in the other. The model says no more to either.
func (c gatewayCaller) stalls(model *strictModel, streamed, background string) (lost, waits string) {
	c.Helper()
	body := `{"model":"any","conversation":"%s","input":[{"role":"user","content":"stall"}],%s}`
	waits = c.call(http.MethodPost, "/responses", fmt.Sprintf(body, background, `"background":true`))["id"].(string)
	<-model.stalling
	res := c.send(http.MethodPost, "/responses", fmt.Sprintf(body, streamed, `"stream":true`))
	c.Cleanup(func() { res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && !strings.Contains(lines.Text(), `"function_call"`) {
		var e struct{ Response struct{ ID string } }
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Unmarshal([]byte(data), &e) == nil && e.Response.ID != "" {
			lost = e.Response.ID
		}
	}
	require.NotEmpty(c, lost)
	<-model.stalling
	return lost, waits
}

// askedOnce checks that the model was asked twice for what it was asked for in the
// background before each kill, and once for all else.
func (m *strictModel) askedOnce(t *testing.T, kills int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	twice := 0
	for key, times := range m.asked {
		require.NotEmpty(t, key)
		require.LessOrEqual(t, times, 2, key)
		twice += times - 1
	}
	require.Equal(t, kills, twice)
}
