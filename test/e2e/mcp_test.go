package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// An assistant is a program that uses Rota's tools.
type assistant struct {
	*testing.T
	*mcp.ClientSession
}

// shows adds headers to every request.
type shows http.Header

func (s shows) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, values := range s {
		r.Header[name] = values
	}
	return http.DefaultTransport.RoundTrip(r)
}

func newAssistant(t *testing.T, s *server, key, user string) assistant {
	t.Helper()
	h := shows{"Authorization": {"Bearer " + key}}
	if user != "" {
		h["X-On-Behalf-Of"] = []string{user}
	}
	c := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := c.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: s.url + "/mcp", HTTPClient: &http.Client{Transport: h}}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = session.Close() })
	return assistant{t, session}
}

// call calls a tool, and returns what it answers and whether it is refused.
func (a assistant) call(tool string, args map[string]any) (text string, refused bool) {
	a.Helper()
	r, err := a.CallTool(a.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	require.NoError(a, err, tool)
	require.Len(a, r.Content, 1)
	return r.Content[0].(*mcp.TextContent).Text, r.IsError
}

// get calls a tool that must not be refused, and reads what it answers into v.
func (a assistant) get(v any, tool string, args map[string]any) {
	a.Helper()
	text, refused := a.call(tool, args)
	require.False(a, refused, text)
	require.NoError(a, json.Unmarshal([]byte(text), v), text)
}

// refused calls a tool that must be, and returns what it says.
func (a assistant) refused(tool string, args map[string]any) string {
	a.Helper()
	text, refused := a.call(tool, args)
	require.True(a, refused, text)
	return text
}

// TestMCPServer lets an assistant put an agent on a schedule, change that, and find out what
// became of it.
func TestMCPServer(t *testing.T) {
	t.Parallel()
	model := gatewaytest.New(t)
	s := start(t, t.TempDir(), "--model-url", model.URL, "--log-level", "warn")
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "Reporter", Model: "any", Metadata: map[string]string{"team": "a b"}})
	require.NoError(t, err)
	a := newAssistant(t, s, key, "")

	var agents rota.List[rota.Agent]
	a.get(&agents, "list_agents", map[string]any{"limit": 5, "metadata": map[string]string{"team": "a b"}})
	require.Len(t, agents.Data, 1)
	a.get(&agents, "list_agents", map[string]any{"metadata": map[string]string{"team": "b"}})
	require.Empty(t, agents.Data)

	mornings := map[string]any{
		"agent_id": agent.ID, "name": "Mornings", "input": "What is new?", "idempotency_key": "once",
		"schedule": map[string]any{"type": "cron", "cron_expression": "0 9 * * *", "timezone": "Europe/Madrid"},
	}
	var preview rota.Preview
	a.get(&preview, "preview_schedule", map[string]any{"schedule": mornings["schedule"], "count": 3})
	require.Len(t, preview.Data, 3)
	var made, again rota.Schedule
	a.get(&made, "create_agent_schedule", mornings)
	a.get(&again, "create_agent_schedule", mornings)
	require.Equal(t, made.ID, again.ID, "the key says that it is the same")
	which := func(more ...any) map[string]any {
		args := map[string]any{"agent_id": agent.ID, "schedule_id": made.ID}
		for i := 0; i < len(more); i += 2 {
			args[more[i].(string)] = more[i+1]
		}
		return args
	}
	a.get(&made, "update_agent_schedule", which("name", "Dawn", "if_match", "1"))
	require.Equal(t, "Dawn", *made.Name)
	require.Contains(t, a.refused("update_agent_schedule", which("name", "Dusk", "if_match", "1")), `"code":"precondition_failed"`)
	for range 2 {
		a.get(&made, "pause_agent_schedule", which("note", "rest"))
		require.Equal(t, rota.SchedulePaused, made.Status)
	}
	for range 2 {
		a.get(&made, "resume_agent_schedule", which())
		require.Equal(t, rota.ScheduleActive, made.Status)
	}
	next := made.NextRunAt.String()
	for range 2 {
		a.get(&made, "skip_schedule_occurrence", which("scheduled_for", next))
		require.Len(t, made.Skips, 1)
	}
	for range 2 {
		a.get(&made, "unskip_schedule_occurrence", which("scheduled_for", next))
		require.Empty(t, made.Skips)
	}
	var fired rota.Occurrence
	a.get(&fired, "trigger_agent_schedule", which())
	awaitNoOpenRuns(t, s)
	var run rota.Run
	a.get(&run, "get_run", map[string]any{"run_id": *fired.RunID})
	require.Equal(t, rota.RunCompleted, run.Status, run.Error)

	var ledger rota.List[rota.Occurrence]
	a.get(&ledger, "list_schedule_occurrences", which("from", "2020-01-01T09:00:00Z", "to", "2020-01-01T09:01:00Z"))
	require.Contains(t, ledger.Warnings[0].Message, "created", "why there was nothing")
	a.get(&ledger, "list_occurrences", map[string]any{"outcome": "fired"})
	require.Len(t, ledger.Data, 1)
	for tool, args := range map[string]map[string]any{
		"get_agent": {"agent_id": agent.ID}, "get_agent_schedule": which(), "list_schedules": {}, "list_upcoming_occurrences": which(),
		"list_runs": {}, "get_summary": {}, "list_approvals": {},
	} {
		var v map[string]any
		a.get(&v, tool, args)
		require.NotEmpty(t, v)
	}
}

// TestMCPServerRefuses: a key that may only read has tools that only read, nobody reaches
// what another has, and what is wrong is named.
func TestMCPServerRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--model-url", "http://127.0.0.1:9", "--log-level", "warn")
	c := s.client()
	reader, err := c.Keys.Create(t.Context(), rota.KeyCreate{Name: "reader", Scopes: rota.Some([]rota.Scope{rota.ReadAgents})})
	require.NoError(t, err)
	agent, err := client.New(s.url, key, client.OnBehalfOf("ana")).Agents.Create(t.Context(), rota.AgentCreate{Name: "hers", Model: "any"})
	require.NoError(t, err)
	mine, err := c.Agents.Create(t.Context(), rota.AgentCreate{Name: "mine", Model: "any"})
	require.NoError(t, err)
	sched, err := c.Schedules.Create(t.Context(), mine.ID, rota.ScheduleCreate{Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 3600}, Input: rota.InputText("go")})
	require.NoError(t, err)

	a := newAssistant(t, s, reader.Secret, "")
	for tool, err := range a.Tools(t.Context(), nil) {
		require.NoError(t, err)
		require.Equal(t, !tool.Annotations.ReadOnlyHint, strings.Contains(tool.Description, "scope write:agents"), tool.Name)
		args := map[string]any{"agent_id": mine.ID, "schedule_id": sched.ID, "run_id": "arun_1"}
		properties := tool.InputSchema.(map[string]any)["properties"].(map[string]any)
		for name := range args {
			if properties[name] == nil || strings.HasPrefix(tool.Name, "list_") && tool.Name != "list_schedule_occurrences" && tool.Name != "list_upcoming_occurrences" {
				delete(args, name)
			}
		}
		text, refused := a.call(tool.Name, args)
		if tool.Annotations.ReadOnlyHint {
			require.False(t, strings.Contains(text, `"code":"denied"`), text)
			continue
		}
		require.True(t, refused)
		require.Contains(t, text, "write:agents", tool.Name)
	}

	// Nobody sees what another end user has, and an end user not what the account has.
	for user, id := range map[string]rota.AgentID{"": agent.ID, "bob": agent.ID, "ana": mine.ID} {
		a := newAssistant(t, s, key, user)
		require.Contains(t, a.refused("get_agent", map[string]any{"agent_id": id}), `"code":"not_found"`)
		require.Contains(t, a.refused("pause_agent_schedule", map[string]any{"agent_id": id, "schedule_id": "asch_1"}), `"code":"not_found"`)
	}
	var agents rota.List[rota.Agent]
	newAssistant(t, s, key, "ana").get(&agents, "list_agents", nil)
	require.Len(t, agents.Data, 1)

	a = newAssistant(t, s, key, "")
	for want, call := range map[string]struct {
		tool string
		args map[string]any
	}{
		`there is no argument "agent": there are agent_id`: {"get_agent", map[string]any{"agent": "x"}},
		"the argument agent_id is missing":                 {"get_agent", nil},
		`agent_id must not be ".."`:                        {"get_agent", map[string]any{"agent_id": ".."}},
		`"code":"not_found"`:                               {"get_agent", map[string]any{"agent_id": "../agents/" + mine.ID}},
		"limit: must be":                                   {"list_agents", map[string]any{"limit": 1000}},
		"limit must not be null":                           {"list_agents", map[string]any{"limit": nil}},
		"schedule.cron_expression":                         {"create_agent_schedule", map[string]any{"agent_id": mine.ID, "input": "x", "schedule": map[string]any{"type": "cron", "cron_expression": "99 * * * *"}}},
		"Idempotency-Key: must be":                         {"trigger_agent_schedule", map[string]any{"agent_id": mine.ID, "schedule_id": sched.ID, "idempotency_key": "é"}},
	} {
		require.Contains(t, a.refused(call.tool, call.args), want)
	}
}

// TestMCPDoor: who has no key, or is a page of another site, gets no word in.
func TestMCPDoor(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--model-url", "http://127.0.0.1:9", "--log-level", "warn", "--cors-origins", "https://good.example.com")
	send := func(method, body string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+"/mcp", strings.NewReader(body))
		require.NoError(t, err)
		r.Host = "rota.example.com" // as a proxy on this machine sends it
		r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Authorization": {"Bearer " + key}}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
	require.Equal(t, 200, send("POST", hello).StatusCode)
	resp := send("POST", hello, "Authorization", "Bearer wrong")
	require.Equal(t, 401, resp.StatusCode)
	require.Equal(t, "Bearer", resp.Header.Get("WWW-Authenticate"))
	require.Equal(t, 403, send("POST", hello, "Origin", "https://evil.example.com").StatusCode)
	require.Equal(t, 403, send("POST", hello, "Sec-Fetch-Site", "cross-site").StatusCode)
	require.Equal(t, 200, send("POST", hello, "Origin", "https://good.example.com").StatusCode)
	require.Equal(t, 405, send("GET", "").StatusCode)
	require.Equal(t, 413, send("POST", `{"a":"`+strings.Repeat("x", 1<<20)+`"}`).StatusCode)
	require.Equal(t, 400, send("POST", `{"jsonrpc"`).StatusCode)
	require.Equal(t, 400, send("POST", hello, "X-On-Behalf-Of", "*").StatusCode)
}
