package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

const full = `{"model":"m","input":"hello","metadata":{"a":"b"},"context_management":[{"type":"compaction"}],` +
	`"tools":[{"type":"web_search"}],"tool_choice":"auto","parallel_tool_calls":true}`

// refusing answers with a refusal as long as the request has a member.
func refusing(member string, status int, body string) gatewaytest.Reply {
	return func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		var asked map[string]json.RawMessage
		if json.Unmarshal(c.Body, &asked) != nil || asked[member] != nil {
			gatewaytest.JSON(status, body)(w, r, c)
			return
		}
		gatewaytest.Text("ok")(w, r, c)
	}
}

// A member that a provider does not take is left out at once, and of every
// request from then on.
func TestWhatAProviderDoesNotTakeIsLeftOut(t *testing.T) {
	for _, c := range []struct {
		member string
		status int
		body   string
	}{
		{"metadata", 400, `{"error":{"message":"Argument not supported: metadata","type":"invalid_request_error"}}`},
		{"metadata", 400, `{"error":{"message":"Unknown parameter: 'metadata'.","type":"invalid_request_error","param":"metadata","code":"unknown_parameter"}}`},
		{"metadata", 422, `{"detail":[{"type":"extra_forbidden","loc":["body","metadata"],"msg":"Extra inputs are not permitted","input":{}}]}`},
		{"metadata", 400, `{"error":"json: unknown field \"metadata\""}`},
		{"metadata", 400, "unknown field `metadata`, expected one of `model`, `input`"},
		{"metadata", 400, `{"error":{"message":"The 'metadata' parameter is only allowed when 'store' is enabled.","type":"invalid_request_error"}}`},
		{"metadata", 400, `[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"metadata\": Cannot find field.","status":"INVALID_ARGUMENT"}}]`},
		{"metadata", 200, `{"error":{"message":"Unsupported parameter: metadata","code":"unsupported_parameter"}}`},
		{"metadata", 500, `{"error":{"message":"Unsupported parameter: metadata","code":"unsupported_parameter"}}`},
		{"context_management", 400, `{"error":{"message":"Unsupported parameter: 'context_management' is not supported with this model."}}`},
		{"tool_choice", 400, `{"detail":"tool_choice is not supported"}`},
		{"parallel_tool_calls", 400, `{"error":{"message":"Unrecognized request argument supplied: parallel_tool_calls"}}`},
	} {
		t.Run(c.body, func(t *testing.T) {
			s := gatewaytest.New(t)
			s.Default(refusing(c.member, c.status, c.body))
			var told []string
			g := at(t, s, func(p *gateway.Provider) { p.Omitted = func(name string) { told = append(told, name) } })
			for range 2 {
				a := try(t.Context(), g, gateway.Request{Body: []byte(full), IdempotencyKey: "k"})
				require.NoError(t, a.err)
				require.Equal(t, []string{c.member}, a.response.NotSent)
			}
			require.Equal(t, []string{c.member}, told, "once")
			require.Equal(t, map[string]int{"k": 1, "k-no-" + c.member: 2}, s.KeyCalls(), "another request has another key")
			require.NotContains(t, string(s.Calls()[2].Body), `"`+c.member+`"`)
			require.Contains(t, string(s.Calls()[2].Body), `"tools":[{"type":"web_search"}]`)
		})
	}
}

// TestWaysToRefuseMetadata: whatever the words, the answer does not depend on it.
func TestWaysToRefuseMetadata(t *testing.T) {
	for _, said := range []string{
		`{"error":{"message":"This server doesn't support metadata"}}`,
		`{"error":{"message":"Parameter not recognized: metadata"}}`,
		`{"error":{"message":"Invalid parameter: metadata","param":"metadata"}}`,
		`{"error":{"message":"Invalid field 'metadata'"}}`,
		`{"detail":"metadata is not a valid field"}`,
		`{"detail":[{"loc":["body","metadata"],"msg":"Extra inputs are not permitted"}]}`,
		`{"error":"Extra keys: ['metadata']"}`,
		`{"error":{"message":"metadata must not be set","code":"disallowed_parameter"}}`,
		`{"error":{"message":"\"metadata\" is forbidden"}}`,
		`{"message":"json: unknown field \"metadata\""}`,
		`{"error":{"code":"unknown_parameter","param":"metadata","message":"no"}}`,
	} {
		for _, status := range []int{http.StatusOK, http.StatusBadRequest, http.StatusUnprocessableEntity} {
			s := gatewaytest.New(t)
			s.Script(gatewaytest.JSON(status, said))
			a := try(t.Context(), at(t, s), gateway.Request{Body: []byte(full)})
			require.NoError(t, a.err, "%d %s", status, said)
			require.Equal(t, []string{"metadata"}, a.response.NotSent)
		}
	}
}

func TestSeveralMembersAreLeftOut(t *testing.T) {
	s := gatewaytest.New(t)
	s.Script(
		gatewaytest.JSON(400, `{"error":{"message":"Unsupported parameter: metadata"}}`),
		gatewaytest.JSON(400, `{"error":{"message":"Unsupported parameter: context_management"}}`),
	)
	a := try(t.Context(), at(t, s), gateway.Request{Body: []byte(full)})
	require.NoError(t, a.err)
	require.Equal(t, []string{"metadata", "context_management"}, a.response.NotSent)
}

// What an answer depends on is never left out, nor what is refused for its value.
func TestWhatIsNotLeftOut(t *testing.T) {
	for name, c := range map[string]struct{ body, answer string }{
		"tools":                   {full, `{"error":{"message":"Unsupported parameter: tools","param":"tools"}}`},
		"a value":                 {full, `{"error":{"message":"metadata: at most 16 keys","param":"metadata"}}`},
		"another's name":          {full, "unknown field `tools`, expected one of `model`, `metadata`"},
		"another's place":         {full, `{"error":{"message":"Unsupported tools for requests with metadata","param":"tools"}}`},
		"a choice":                {`{"tool_choice":"required"}`, `{"error":{"message":"tool_choice is not supported"}}`},
		"one call at a time":      {`{"parallel_tool_calls":false}`, `{"error":{"message":"parallel_tool_calls is not supported"}}`},
		"what was not asked for":  {`{}`, `{"error":{"message":"metadata is not supported"}}`},
		"a word of the same stem": {full, `{"error":{"message":"metadata_filter is not supported"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := gatewaytest.New(t)
			s.Default(gatewaytest.JSON(400, c.answer))
			e := try(t.Context(), at(t, s), gateway.Request{Body: []byte(c.body)}).failure(t)
			require.Equal(t, 1, s.Total())
			require.Empty(t, e.NotSent)
		})
	}
}

// Nothing is learned of a provider that refuses the request without the member too.
func TestAMemberThatWasNotTheReason(t *testing.T) {
	s := gatewaytest.New(t)
	s.Script(gatewaytest.JSON(400, `{"error":{"message":"metadata is not supported"}}`), gatewaytest.JSON(400, `{"error":{"message":"no"}}`))
	g := at(t, s)
	require.Equal(t, []string{"metadata"}, try(t.Context(), g, gateway.Request{Body: []byte(full)}).failure(t).NotSent)
	require.NoError(t, try(t.Context(), g, gateway.Request{Body: []byte(full)}).err)
	require.Contains(t, string(s.Calls()[2].Body), `"metadata"`)
}

func TestMembersThatSettingsLeaveOut(t *testing.T) {
	s := gatewaytest.New(t)
	a := try(t.Context(), at(t, s, func(p *gateway.Provider) { p.Omit = []string{"metadata"} }), gateway.Request{Body: []byte(full), IdempotencyKey: "k"})
	require.NoError(t, a.err)
	require.Equal(t, []string{"metadata"}, a.response.NotSent)
	require.False(t, strings.Contains(string(s.Calls()[0].Body), "metadata"))
	require.Equal(t, 1, s.Total())
}
