package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// TestApprovals has a run ask for an approval of a call of an MCP server, over a restart of
// the server, and go on with it: the call is made once, and a denied one never.
func TestApprovals(t *testing.T) {
	t.Parallel()
	var sent atomic.Int32
	tools := mcp.NewServer(&mcp.Implementation{Name: "mail", Version: "1"}, nil)
	mcp.AddTool(tools, &mcp.Tool{Name: "send"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		sent.Add(1)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "sent"}}}, nil, nil
	})
	mail := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return tools }, nil))
	defer mail.Close()
	model := gatewaytest.New(t)
	model.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		if bytes.Contains(c.Body, []byte(`"function_call_output"`)) {
			gatewaytest.Text("done")(w, r, c)
			return
		}
		gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Data(`{"type":"response.completed","response":{"id":"resp_1","object":"response","created_at":1,`+
			`"status":"completed","model":"test","output":[{"type":"function_call","id":"fc_1","call_id":"call_1","name":"send","arguments":"{}"}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}`))(w, r, c)
	})
	dir, flags := t.TempDir(), []string{"--model-url", model.URL, "--log-level", "warn", "--tool-networks", "127.0.0.0/8"}
	s := start(t, dir, flags...)
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "mail", Model: "any", Tools: []rota.Object{
		rota.Object(rota.AnyOf(map[string]any{"type": "mcp", "server_label": "mail", "server_url": mail.URL})),
	}})
	require.NoError(t, err)
	var runs []rota.Run
	for range 2 {
		r, err := s.client().Runs.Create(t.Context(), agent.ID, rota.RunCreate{Input: rota.InputText("write to ada")})
		require.NoError(t, err)
		runs = append(runs, r)
	}
	awaitNoOpenRuns(t, s)
	require.NoError(t, s.stop(syscall.SIGTERM), s.logs)
	s = start(t, dir, flags...)
	for n, r := range runs {
		r, err = s.client().Runs.Get(t.Context(), agent.ID, r.ID)
		require.NoError(t, err)
		require.Equal(t, rota.RunCompleted, r.Status, r.Error)
		var answer struct {
			Output []struct{ Type, ID string }
		}
		require.NoError(t, json.Unmarshal(r.GatewayResponse.RawMessage, &answer))
		require.Equal(t, "mcp_approval_request", answer.Output[1].Type)
		decision, err := s.client().Runs.DecideMCPApproval(t.Context(), agent.ID, r.ID, rota.MCPApprovalCreate{ApprovalRequestID: answer.Output[1].ID, Approve: n == 0})
		require.NoError(t, err)
		awaitNoOpenRuns(t, s)
		next, err := s.client().Runs.Get(t.Context(), agent.ID, decision.ContinuationRun.ID)
		require.NoError(t, err)
		require.Equal(t, rota.RunCompleted, next.Status, next.Error)
		require.EqualValues(t, 1, sent.Load())
		require.Contains(t, string(model.Calls()[len(model.Calls())-1].Body), []string{`"output":"sent"`, `it was denied`}[n])
	}
	require.NoError(t, s.stop(syscall.SIGTERM), s.logs)
}
