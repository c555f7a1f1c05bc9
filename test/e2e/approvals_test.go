package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// newMail is an MCP server with a tool, which counts its calls, and an agent that has it. The
// model asks for a call of the tool.
func newMail(t *testing.T, model *gatewaytest.Server) (agent rota.AgentCreate, sent *atomic.Int32) {
	t.Helper()
	sent = new(atomic.Int32)
	tools := mcp.NewServer(&mcp.Implementation{Name: "mail", Version: "1"}, nil)
	mcp.AddTool(tools, &mcp.Tool{Name: "send"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		sent.Add(1)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "sent"}}}, nil, nil
	})
	mail := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return tools }, nil))
	t.Cleanup(mail.Close)
	model.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		if bytes.Contains(c.Body, []byte(`"function_call_output"`)) {
			gatewaytest.Text("done")(w, r, c)
			return
		}
		gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Data(`{"type":"response.completed","response":{"id":"resp_1","object":"response","created_at":1,`+
			`"status":"completed","model":"test","output":[{"type":"function_call","id":"fc_1","call_id":"call_1","name":"send","arguments":"{}"}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}`))(w, r, c)
	})
	return rota.AgentCreate{Name: "mail", Model: "any", Tools: []rota.Object{
		rota.Object(rota.AnyOf(map[string]any{"type": "mcp", "server_label": "mail", "server_url": mail.URL})),
	}}, sent
}

// TestApprovals has a run ask for an approval of a call of an MCP server, over a restart of
// the server, and go on with it: the call is made once, and a denied one never.
func TestApprovals(t *testing.T) {
	t.Parallel()
	model := gatewaytest.New(t)
	mail, sent := newMail(t, model)
	dir, flags := t.TempDir(), []string{"--model-url", model.URL, "--log-level", "warn", "--tool-networks", "127.0.0.0/8"}
	s := start(t, dir, flags...)
	agent, err := s.client().Agents.Create(t.Context(), mail)
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
		again := rota.MCPApprovalCreate{ApprovalRequestID: answer.Output[1].ID, Approve: n == 0}
		next := decideOnPage(t, s, r.ID, []string{"approve", "deny"}[n])
		awaitNoOpenRuns(t, s)
		continuation, err := s.client().Runs.Get(t.Context(), agent.ID, next)
		require.NoError(t, err)
		require.Equal(t, rota.RunCompleted, continuation.Status, continuation.Error)
		decision, err := s.client().Runs.DecideMCPApproval(t.Context(), agent.ID, r.ID, again)
		require.NoError(t, err)
		require.Equal(t, next, decision.ContinuationRun.ID, "decided as before")
		require.EqualValues(t, 1, sent.Load())
		require.Contains(t, string(model.Calls()[len(model.Calls())-1].Body), []string{`"output":"sent"`, `it was denied`}[n])
	}
	require.NoError(t, s.stop(syscall.SIGTERM), s.logs)
}

// decideOnPage decides the call of a run as somebody does who looks at Today, and returns
// the run that goes on.
func decideOnPage(t *testing.T, s *server, run rota.RunID, decision string) rota.RunID {
	t.Helper()
	b := newBrowser(t, s.url)
	require.Contains(t, b.signIn(key, "/"), "for an approval")
	page := b.open("/approvals")
	require.Contains(t, page, "mail.send")
	require.Contains(t, b.submit(page, "/runs/"+string(run)+"/decide", url.Values{"decision": {decision}, "note": {"said by a page"}}, http.StatusOK), map[string]string{
		"approve": "The call is approved.", "deny": "The call is denied.",
	}[decision])
	l, err := s.client().Runs.Approvals(t.Context(), rota.ApprovalFilter{RunID: run}, rota.Page{})
	require.NoError(t, err)
	require.Equal(t, "said by a page", *l.Data[0].Reason)
	require.Contains(t, b.open("/approvals?status="+string(l.Data[0].Status)), "the run that went on")
	return rota.RunID(*l.Data[0].ContinuationID)
}
