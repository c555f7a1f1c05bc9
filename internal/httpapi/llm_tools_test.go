package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	loop "github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/seal"
)

// functions is a toolbox that remembers what was called.
type functions struct {
	mu       sync.Mutex
	calls    []loop.Call
	listed   []loop.Listed
	unlisted error
}

func (f *functions) Call(_ context.Context, _ loop.Caller, c loop.Call) (loop.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	return loop.Result{Output: "3 degrees"}, nil
}

func (f *functions) List(_ context.Context, _ loop.Caller, s loop.Server) (rota.ResponseStep, error) {
	if f.unlisted != nil {
		return rota.ResponseStep{}, f.unlisted
	}
	return s.ListedStep(f.listed)
}

func (f *functions) Stored(context.Context, rota.Owner, []json.RawMessage) ([]json.RawMessage, error) {
	return nil, errors.New("a response has them already")
}

func (f *functions) Leave(loop.Caller) {}

// newToolLLM is newLLM with a function tool that has a webhook, and its id.
func newToolLLM(t *testing.T) (caller, *functions, string) {
	t.Helper()
	s, f := newLLM(t), &functions{}
	s.responder.Tools = f
	s.control.Tokens.Secret, _ = seal.Parse(seal.NewSecret())
	c := s.acme()
	tool := c.send(http.MethodPost, "/api/v1/agents/function-tools", `{"type":"function","name":"weather","parameters":{"type":"object"},"webhook_url":"https://tools.example.com/weather"}`).is(http.StatusCreated).object()
	require.NotEmpty(t, tool["webhook_secret"])
	return c, f, tool["id"].(string)
}

func functionCalls(names ...string) gatewaytest.Reply {
	items := make([]string, len(names))
	for n, name := range names {
		items[n] = `{"type":"function_call","id":"fc_` + name + `","call_id":"call_` + name + `","name":"` + name + `","arguments":"{}","status":"completed"}`
	}
	return gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Data(`{"type":"response.completed","response":{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"test","output":[`+
		strings.Join(items, ",")+`],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}}`))
}

func itemTypes(response map[string]any) (all []string) {
	for _, i := range response["output"].([]any) {
		all = append(all, i.(map[string]any)["type"].(string))
	}
	return all
}

// A function tool with a webhook is called by Rota, in one response and one valid stream,
// and the next response tells the model of it.
func TestResponsesCallTools(t *testing.T) {
	c, f, id := newToolLLM(t)
	body := func(more string) string {
		return `{"model":"test/small","input":"hi","tools":[{"type":"function_reference","function_tool_id":"` + id + `"}]` + more + `}`
	}
	c.models.server.Script(functionCalls("weather"), gatewaytest.Text("cold"), functionCalls("weather"), gatewaytest.Text("cold"), gatewaytest.Text("still"))
	r := c.create(body(``))
	require.Equal(t, []string{"mcp_call", "message"}, itemTypes(r))
	call := r["output"].([]any)[0].(map[string]any)
	require.Equal(t, "rota", call["server_label"])
	require.Equal(t, "3 degrees", call["output"])
	require.EqualValues(t, 17, r["usage"].(map[string]any)["total_tokens"])
	require.Len(t, f.calls, 1)
	asked := c.models.asked(t)
	require.NotContains(t, string(asked[0]["tools"]), "tools.example.com")
	require.Contains(t, string(asked[1]["input"]), `{"type":"function_call_output","call_id":"call_weather","output":"3 degrees"}`)
	require.Equal(t, string(asked[0]["tools"]), string(asked[1]["tools"]))

	valid(t, c.send(http.MethodPost, responsesPath, body(`,"stream":true`)).is(http.StatusOK).responseEvents())
	valid(t, c.send(http.MethodGet, responsesPath+"/"+r["id"].(string)+"?stream=true", "").is(http.StatusOK).responseEvents())

	c.create(`{"model":"test/small","input":"and now?","previous_response_id":"` + r["id"].(string) + `"}`)
	asked = c.models.asked(t)
	require.Contains(t, string(asked[4]["input"]), `"type":"function_call_output"`)
	require.NotContains(t, string(asked[4]["input"]), `mcp_call`)
}

// The caller's calls are the caller's, also beside those that Rota makes.
func TestResponsesLeaveTheCallersCalls(t *testing.T) {
	c, f, id := newToolLLM(t)
	c.models.server.Script(functionCalls("weather", "mine"), functionCalls("mine"))
	for _, want := range [][]string{{"mcp_call", "function_call"}, {"function_call"}} {
		r := c.create(`{"model":"test/small","input":"hi","tools":[{"type":"function_reference","function_tool_id":"` + id + `"},{"type":"function","name":"mine","parameters":{}}]}`)
		require.Equal(t, "completed", r["status"])
		require.Equal(t, want, itemTypes(r))
	}
	require.Len(t, f.calls, 1)
	require.Equal(t, 2, c.models.server.Total())
}

func TestResponsesHoldMaxToolCalls(t *testing.T) {
	c, f, id := newToolLLM(t)
	c.models.server.Default(functionCalls("weather"))
	r := c.create(`{"model":"test/small","input":"hi","max_tool_calls":2,"tools":[{"type":"function_reference","function_tool_id":"` + id + `"}]}`)
	require.Equal(t, "incomplete", r["status"])
	details, _ := json.Marshal(r["incomplete_details"])
	require.JSONEq(t, `{"reason":"max_tool_calls"}`, string(details))
	require.Len(t, f.calls, 2)
}

func TestResponsesRefuseToolsThatAreNotThere(t *testing.T) {
	c, _, id := newToolLLM(t)
	for tool, want := range map[string]string{
		`{"type":"function_reference","function_tool_id":"ftool_none"}`:             "refers to a function tool that is not there",
		`{"type":"function","name":"f","parameters":{},"webhook_url":"https://x/"}`: "function_reference",
	} {
		r := c.sendUnlike(http.MethodPost, responsesPath, `{"model":"test/small","input":"hi","tools":[`+tool+`]}`)
		require.Equal(t, http.StatusBadRequest, r.Status)
		require.Contains(t, string(r.Body), want)
	}
	other := c.key("other", "rk_the-first-key-of-other")
	r := other.sendUnlike(http.MethodPost, responsesPath, `{"model":"test/small","input":"hi","tools":[{"type":"function_reference","function_tool_id":"`+id+`"}]}`)
	require.Equal(t, http.StatusBadRequest, r.Status, "another account's is as if it were not there")
}

// The tools of an MCP server are listed and called by Rota, on any model, in one valid
// stream, and its secrets are nowhere in an answer.
func TestResponsesCallMCPTools(t *testing.T) {
	c, f, _ := newToolLLM(t)
	f.listed = []loop.Listed{{Name: "forecast", InputSchema: json.RawMessage(`{"type":"object"}`)}}
	body := func(more string) string {
		return `{"model":"test/small","input":"hi","tools":[{"type":"mcp","server_label":"weather","server_url":"https://mcp.example.com/","require_approval":"never",
			"authorization":"canary-1","headers":{"X-Key":"canary-2"}}]` + more + `}`
	}
	c.models.server.Script(functionCalls("forecast"), gatewaytest.Text("cold"), functionCalls("forecast"), gatewaytest.Text("cold"), gatewaytest.Text("still"))
	r := c.create(body(``))
	require.Equal(t, []string{"mcp_list_tools", "mcp_call", "message"}, itemTypes(r))
	listed, call := r["output"].([]any)[0].(map[string]any), r["output"].([]any)[1].(map[string]any)
	require.Equal(t, []any{map[string]any{"name": "forecast", "input_schema": map[string]any{"type": "object"}}}, listed["tools"])
	require.Equal(t, "weather", call["server_label"])
	require.Equal(t, "3 degrees", call["output"])
	require.Equal(t, "canary-1", f.calls[0].MCP.Authorization)

	stream := c.send(http.MethodPost, responsesPath, body(`,"stream":true`)).is(http.StatusOK)
	valid(t, stream.responseEvents())
	for _, event := range []string{"response.mcp_list_tools.in_progress", "response.mcp_list_tools.completed", "response.mcp_call.completed"} {
		require.Contains(t, string(stream.Body), event)
	}
	again := c.send(http.MethodGet, responsesPath+"/"+r["id"].(string)+"?stream=true", "").is(http.StatusOK)
	valid(t, again.responseEvents())

	c.create(`{"model":"test/small","input":"and now?","previous_response_id":"` + r["id"].(string) + `"}`)
	asked := c.models.asked(t)
	require.NotContains(t, string(asked[4]["input"]), `mcp_call"`)
	require.Contains(t, string(asked[4]["input"]), `"type":"function_call_output"`)
	whole, _ := json.Marshal([]any{r, string(stream.Body), string(again.Body), asked})
	require.NotContains(t, string(whole), "canary")
}

func TestResponsesWithoutTheirMCPServer(t *testing.T) {
	c, f, _ := newToolLLM(t)
	f.unlisted = &loop.ServerError{Label: "weather", Text: "it answered 503"}
	r := c.create(`{"model":"test/small","input":"hi","tools":[{"type":"mcp","server_label":"weather","server_url":"https://mcp.example.com/"}]}`)
	require.Equal(t, "failed", r["status"])
	require.Equal(t, map[string]any{"code": "server_error", "message": "the MCP server weather: it answered 503"}, r["error"])
	require.Equal(t, "it answered 503", r["output"].([]any)[0].(map[string]any)["error"])
	require.Zero(t, c.models.server.Total())

	for tool, want := range map[string]string{
		`{"type":"mcp","server_label":"weather"}`:             "tools.0.server_url",
		`{"type":"mcp","mcp_server_id":"mcp_srv_1"}`:          "tools.0.mcp_server_id: is of no MCP server",
		`{"type":"mcp","server_url":"https://x.example.com"}`: "tools.0.server_label",
	} {
		r := c.sendUnlike(http.MethodPost, responsesPath, `{"model":"test/small","input":"hi","tools":[`+tool+`]}`)
		require.Equal(t, http.StatusBadRequest, r.Status, tool)
		require.Contains(t, string(r.Body), want)
	}
}

// A call that needs an approval is made in the response that goes on with the approval, as it
// was asked for, and once; a denied one is never made, and the model is told.
func TestResponsesAskForApprovals(t *testing.T) {
	c, f, _ := newToolLLM(t)
	f.listed = []loop.Listed{{Name: "book", InputSchema: json.RawMessage(`{"type":"object"}`)}}
	body := func(input, more string) string {
		return `{"model":"test/small","input":` + input + `,"tools":[{"type":"mcp","server_label":"travel","server_url":"https://mcp.example.com/"}]` + more + `}`
	}
	decision := func(id, approve string) string {
		return `[{"type":"mcp_approval_response","approval_request_id":"` + id + `","approve":` + approve + `,"reason":"too far"}]`
	}
	c.models.server.Script(functionCalls("book"), gatewaytest.Text("booked"), gatewaytest.Text("what else?"), gatewaytest.Text("not booked"))
	asked := c.create(body(`"hi"`, ``))
	require.Equal(t, "completed", asked["status"])
	require.Equal(t, []string{"mcp_list_tools", "mcp_approval_request"}, itemTypes(asked))
	request := asked["output"].([]any)[1].(map[string]any)
	require.Equal(t, "travel", request["server_label"])
	require.Equal(t, "book", request["name"])
	require.Empty(t, f.calls)
	id, after := request["id"].(string), `,"previous_response_id":"`+asked["id"].(string)+`"`

	stream := c.send(http.MethodPost, responsesPath, body(decision(id, "true"), after+`,"stream":true`)).is(http.StatusOK).responseEvents()
	valid(t, stream)
	approved := map[string]any{}
	for _, data := range stream {
		var e struct {
			Type     string
			Response map[string]any
		}
		if json.Unmarshal(data, &e) == nil && e.Type == "response.completed" {
			approved = e.Response
		}
	}
	require.Equal(t, []string{"mcp_list_tools", "mcp_call", "message"}, itemTypes(approved))
	call := approved["output"].([]any)[1].(map[string]any)
	require.Equal(t, id, call["approval_request_id"])
	require.Equal(t, "3 degrees", call["output"])
	require.Len(t, f.calls, 1)
	require.Equal(t, "book", f.calls[0].Title)
	bodies := c.models.asked(t)
	require.Equal(t, []string{"message", "function_call", "function_call_output"}, inputTypes(t, bodies[1]))
	c.create(body(`"thanks"`, `,"previous_response_id":"`+approved["id"].(string)+`"`))
	require.Equal(t, []string{"message", "function_call", "function_call_output", "message", "message"}, inputTypes(t, c.models.asked(t)[2]), "each once")

	r := c.sendUnlike(http.MethodPost, responsesPath, body(decision(id, "true"), `,"previous_response_id":"`+approved["id"].(string)+`"`))
	require.Equal(t, http.StatusBadRequest, r.Status)
	require.Contains(t, string(r.Body), "was decided before")
	r = c.sendUnlike(http.MethodPost, responsesPath, body(decision("mcpr_none", "true"), after))
	require.Equal(t, http.StatusBadRequest, r.Status)
	require.Contains(t, string(r.Body), `there is no mcp_approval_request with the id \"mcpr_none\"`)
}

// A denied call is never made, and the model is told.
func TestResponsesWithADenial(t *testing.T) {
	c, f, _ := newToolLLM(t)
	f.listed = []loop.Listed{{Name: "book", InputSchema: json.RawMessage(`{"type":"object"}`)}}
	const tools = `"tools":[{"type":"mcp","server_label":"travel","server_url":"https://mcp.example.com/"}]`
	c.models.server.Script(functionCalls("book"), gatewaytest.Text("not booked"))
	asked := c.create(`{"model":"test/small","input":"hi",` + tools + `}`)
	id := asked["output"].([]any)[1].(map[string]any)["id"].(string)
	denied := c.create(`{"model":"test/small","previous_response_id":"` + asked["id"].(string) + `",` + tools + `,
		"input":[{"type":"mcp_approval_response","approval_request_id":"` + id + `","approve":false,"reason":"too far"}]}`)
	require.Equal(t, []string{"mcp_list_tools", "message"}, itemTypes(denied))
	require.Empty(t, f.calls)
	require.Contains(t, string(c.models.asked(t)[1]["input"]), "The call was not made: it was denied. The reason: too far")
}

func inputTypes(t *testing.T, body map[string]json.RawMessage) (all []string) {
	t.Helper()
	var items []struct{ Type string }
	require.NoError(t, json.Unmarshal(body["input"], &items))
	for _, i := range items {
		all = append(all, i.Type)
	}
	return all
}
