package answer_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/rawjson"
)

func TestReadServers(t *testing.T) {
	ok := `"server_label":"w","server_url":"https://mcp.example.com/mcp"`
	for body, want := range map[string]string{
		`{"type":"mcp","server_label":"w"}`:                                                      "tools.0.server_url: must be the http or https URL",
		`{"type":"mcp","server_label":"w","server_url":"ftp://x/y"}`:                             "tools.0.server_url: must be the http or https URL",
		`{"type":"mcp","server_label":"w","server_url":"https://a:b@x/y"}`:                       "tools.0.server_url: must have no user name and password",
		`{"type":"mcp","server_label":"1 2","server_url":"https://x/y"}`:                         "tools.0.server_label: must begin with a letter",
		`{"type":"mcp","server_label":"rota","server_url":"https://x/y"}`:                        "tools.0.server_label: must begin with a letter",
		`{"type":"mcp",` + ok + `,"mcp_credential_id":"mcp_cred_1"}`:                             "tools.0.mcp_credential_id: goes with mcp_server_id",
		`{"type":"mcp",` + ok + `,"headers":{"A":1}}`:                                            "tools.0.headers.A: must be a string",
		`{"type":"mcp",` + ok + `,"headers":{"A b":"c"}}`:                                        "tools.0.headers.A b: must be an HTTP header",
		`{"type":"mcp",` + ok + `,"headers":{"A":"c\r\nD: e"}}`:                                  "tools.0.headers.A: must be an HTTP header",
		`{"type":"mcp",` + ok + `,"headers":{"mcp-session-id":"c"}}`:                             "tools.0.headers.mcp-session-id: must not be set",
		`{"type":"mcp",` + ok + `,"allowed_tools":"read"}`:                                       "tools.0.allowed_tools: must be a list",
		`{"type":"mcp",` + ok + `,"allowed_tools":{"read_only":"yes"}}`:                          "tools.0.allowed_tools.read_only: must be true or false",
		`{"type":"mcp",` + ok + `,"require_approval":"sometimes"}`:                               "tools.0.require_approval: must be always, never, or an object",
		`{"type":"mcp",` + ok + `,"require_approval":{"never":["a"],"always":{"tool_names":7}}}`: "tools.0.require_approval.always: must be a list",
	} {
		_, err := answer.ReadServers([]json.RawMessage{json.RawMessage(body)})
		require.ErrorContains(t, err, "invalid: "+want, body)
	}
	twice := json.RawMessage(`{"type":"mcp",` + ok + `}`)
	_, err := answer.ReadServers([]json.RawMessage{twice, twice})
	require.ErrorContains(t, err, "tools.1.server_label: must be another")
	theirs := json.RawMessage(`{"type":"mcp","server_label":"mail","connector_id":"connector_gmail"}`)
	all, err := answer.ReadServers([]json.RawMessage{theirs, json.RawMessage(`{"type":"web_search"}`)})
	require.NoError(t, err)
	require.Empty(t, all)
	require.Equal(t, []string{"mail"}, answer.Theirs([]json.RawMessage{theirs, twice}))
}

var catalog = []answer.Listed{
	{Name: "get", InputSchema: json.RawMessage(`{"type":"object"}`), Annotations: answer.Annotations{ReadOnly: true}},
	{Name: "admin.tools/list", Description: "Lists.", InputSchema: json.RawMessage(`null`), Annotations: answer.Annotations{ReadOnly: true, Idempotent: true}},
	{Name: "drop", InputSchema: json.RawMessage(`{"type":"object"}`)},
}

// loop returns the state of a loop with servers that have listed the catalog.
func loop(t *testing.T, choice string, tools ...string) answer.State {
	t.Helper()
	s := answer.State{ID: "run", Models: []string{"m"}, MaxCalls: 10}
	list := make([]json.RawMessage, len(tools))
	for n, tool := range tools {
		list[n] = json.RawMessage(tool)
	}
	require.NoError(t, s.Loop(list, json.RawMessage(choice)))
	require.True(t, s.Loops())
	require.Equal(t, s.Servers, answer.Next(s).List, "their tools are listed first")
	for _, server := range s.Servers {
		step, err := server.ListedStep(catalog)
		require.NoError(t, err)
		s.Steps = append(s.Steps, step)
	}
	s.Learn()
	require.NotNil(t, answer.Next(s).Ask)
	return s
}

func mcpTool(label, more string) string {
	return `{"type":"mcp","server_label":"` + label + `","server_url":"https://` + label + `.example.com/"` + more + `}`
}

// A name that two tools have, or that models' servers do not take, is changed.
func TestNamesOfMCPTools(t *testing.T) {
	s := loop(t, `"auto"`, mcpTool("one", ""), mcpTool("two", `,"allowed_tools":["get"]`), `{"type":"function","name":"drop"}`)
	names := map[string]string{}
	for name, tool := range s.Tools {
		require.Equal(t, name, tool.Name)
		require.Regexp(t, `^[a-zA-Z0-9_-]{1,64}$`, name)
		names[tool.Server+" "+tool.Title] = name
	}
	require.Len(t, names, 4)
	require.Equal(t, "admin_tools_list", names["one admin.tools/list"])
	require.Regexp(t, `^one__get_[0-9a-f]{8}$`, names["one get"])
	require.Regexp(t, `^two__get_[0-9a-f]{8}$`, names["two get"])
	require.Regexp(t, `^one__drop_[0-9a-f]{8}$`, names["one drop"], "drop is the caller's")
	require.True(t, s.Tools[names["one get"]].Repeatable)
	require.False(t, s.Tools[names["one drop"]].Repeatable)

	long := []answer.Listed{{Name: strings.Repeat("x", 100) + "1"}, {Name: strings.Repeat("x", 100) + "2"}}
	step, err := s.Servers[0].ListedStep(long)
	require.NoError(t, err)
	s.Steps = []rota.ResponseStep{step}
	require.NoError(t, s.Loop([]json.RawMessage{json.RawMessage(mcpTool("one", ""))}, nil))
	require.Len(t, s.Tools, 2)

	_, err = s.Servers[0].ListedStep([]answer.Listed{{Name: "a", Description: strings.Repeat("x", answer.MaxListed)}})
	require.ErrorContains(t, err, "pick some with allowed_tools")
}

// The model is told the tools of servers as functions, always in the same bytes, and what
// tool_choice says of them.
func TestWhatAModelIsToldOfMCPTools(t *testing.T) {
	one := mcpTool("one", `,"server_description":"Archive.","authorization":"canary","headers":{"A":"canary"},"allowed_tools":{"read_only":true}`)
	get, list := `{"type":"function","name":"get"}`, `{"type":"function","name":"admin_tools_list"}`
	for choice, want := range map[string]string{
		`"required"`: `"required"`,
		`{"type":"mcp","server_label":"one","name":"get"}`: get,
		`{"type":"mcp","server_label":"one"}`:              `{"type":"allowed_tools","mode":"required","tools":[` + list + `,` + get + `]}`,
		`{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"},{"type":"mcp","server_label":"one","name":"get"}]}`: `{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"},` + get + `]}`,
	} {
		s := loop(t, choice, one, `{"type":"function","name":"f"}`)
		body := json.RawMessage(`{"input":"hi","tools":[` + one + `,{"type":"function","name":"f"}],"tool_choice":` + choice + `}`)
		asked := answer.Next(s).Ask.GoOn(body, s)
		require.JSONEq(t, want, string(rawjson.Get(asked, "tool_choice")))
		require.JSONEq(t, `[
			{"type":"function","name":"admin_tools_list","description":"Lists.\n\nThis tool is of one: Archive.","parameters":{"type":"object"},"strict":false},
			{"type":"function","name":"get","description":"This tool is of one: Archive.","parameters":{"type":"object"},"strict":false},
			{"type":"function","name":"f"}]`, string(rawjson.Get(asked, "tools")))
		require.NotContains(t, string(asked), "canary")
		require.Equal(t, string(asked), string(answer.Next(s).Ask.GoOn(body, s)))
	}
}

// asks returns the state after an answer that asks for calls.
func asks(s answer.State, names ...string) answer.State {
	var output []json.RawMessage
	for n, name := range names {
		output = append(output, json.RawMessage(`{"type":"function_call","name":"`+name+`","call_id":"c`+string(rawjson.Int(int64(n)))+`","arguments":"{}"}`))
	}
	s.Steps = append(s.Steps, rota.ResponseStep{Kind: rota.StepItems, Output: s.Tools.Answered(output)})
	return s
}

func TestWhichCallsNeedAnApproval(t *testing.T) {
	for rule, held := range map[string][]string{
		``:                            {"get", "admin_tools_list", "drop"},
		`,"require_approval":null`:    {"get", "admin_tools_list", "drop"},
		`,"require_approval":"never"`: nil,
		`,"require_approval":{"never":{"read_only":true}}`:                                 {"drop"},
		`,"require_approval":{"never":{"tool_names":["drop"]}}`:                            {"get", "admin_tools_list"},
		`,"require_approval":{"never":{"read_only":true},"always":{"tool_names":["get"]}}`: {"get", "drop"},
		`,"require_approval":{"always":{"read_only":true},"never":{}}`:                     {"get", "admin_tools_list"},
	} {
		s := loop(t, `"auto"`, mcpTool("one", rule))
		for _, name := range []string{"get", "admin_tools_list", "drop"} {
			next := answer.Next(asks(s, name))
			if len(next.Call) == 0 {
				require.Contains(t, held, name, rule)
				require.Equal(t, rota.ResponseCompleted, next.End.Status)
				continue
			}
			require.NotContains(t, held, name, rule)
		}
	}
}

// What tool_choice does not allow is not called, whatever the model says.
func TestToolChoiceIsObeyed(t *testing.T) {
	free := mcpTool("one", `,"require_approval":"never"`)
	for choice, made := range map[string]int{
		`"none"`: 0, `"auto"`: 2,
		`{"type":"allowed_tools","tools":[{"type":"mcp","server_label":"one"}]}`:               2,
		`{"type":"allowed_tools","tools":[{"type":"mcp","server_label":"one","name":"drop"}]}`: 1,
		`{"type":"allowed_tools","tools":[{"type":"function","name":"f"}]}`:                    0,
	} {
		s := asks(loop(t, choice, free), "get", "drop")
		next := answer.Next(s)
		for _, n := range next.Note {
			require.Equal(t, answer.ResultChoice, n.Code)
		}
		s.Steps = append(s.Steps, next.Note...)
		require.Len(t, answer.Next(s).Call, made, choice)
	}
}
