package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// newMCPBench is newToolBench with an agent that has an MCP server with the tools find, which
// is read-only, and save.
func newMCPBench(t *testing.T, more string) (*bench, *tools) {
	t.Helper()
	b, f := newToolBench(t, func(a *rota.Agent) {
		a.Tools = append(a.Tools, rota.Object{RawMessage: json.RawMessage(`{"type":"mcp","server_label":"notes","server_url":"https://notes.example.com/mcp","authorization":"canary"` + more + `}`)})
	})
	f.listed = []answer.Listed{
		{Name: "save", InputSchema: json.RawMessage(`{"type":"object"}`)},
		{Name: "find", InputSchema: json.RawMessage(`{"type":"object"}`), Annotations: answer.Annotations{ReadOnly: true}},
	}
	return b, f
}

func (b *bench) recover() {
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.Recover(ctx, b.now, []string{"model"}, func(rota.CutOff, time.Time) (rota.Result, bool) { return rota.Result{}, false }, nil)
		return err
	})
}

func TestMCPToolsAreListedAndCalled(t *testing.T) {
	b, f := newMCPBench(t, `,"require_approval":"never"`)
	b.model.Script(calling("find", "put"), gatewaytest.Text("done"))
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.ElementsMatch(t, []string{"find -1-1", "put -1-2"}, f.calls)
	require.Equal(t, []string{"mcp_list_tools", "mcp_call find → did find", "mcp_call put → did put", "message"}, output(t, r))
	require.Equal(t, 1, f.left, "its session is closed")
	var labels []string
	for _, i := range rawjson.List(rawjson.Get(r.GatewayResponse.RawMessage, "output")) {
		labels = append(labels, rawjson.Text(rawjson.Get(i, "server_label")))
	}
	require.Equal(t, []string{"notes", "notes", "rota", ""}, labels)
	for _, c := range b.model.Calls() {
		require.NotContains(t, string(c.Body), "canary")
		require.NotContains(t, string(c.Body), "notes.example.com")
		require.Contains(t, string(c.Body), `{"type":"function","name":"find","description":"","parameters":{"type":"object"},"strict":false},{"type":"function","name":"save"`)
	}
	require.NotContains(t, string(r.GatewayResponse.RawMessage), "canary")
	require.Zero(t, b.steps())
}

// A worker that takes over tells the model what the first one told it, also if the server
// lists other tools by then, and calls again only what does no harm.
func TestATakeoverOfMCPCalls(t *testing.T) {
	b, f := newMCPBench(t, `,"require_approval":"never"`)
	ctx, stop := context.WithCancelCause(t.Context())
	f.do = func(ctx context.Context, c answer.Call) (answer.Result, error) {
		stop(errors.New("the worker goes"))
		<-ctx.Done()
		return answer.Result{}, context.Cause(ctx)
	}
	b.model.Script(calling("find", "save"), gatewaytest.Text("done"))
	require.Equal(t, rota.PhaseRunning, b.attempt(ctx).Phase)
	require.Equal(t, 4, b.steps(), "the list, the answer, two calls")
	b.recover()
	f.listed = append(f.listed, answer.Listed{Name: "another", InputSchema: json.RawMessage(`{}`)})
	f.calls, f.do = nil, func(_ context.Context, c answer.Call) (answer.Result, error) {
		require.True(t, c.Again)
		require.Equal(t, "https://notes.example.com/mcp", c.MCP.URL)
		return answer.Result{Output: "again"}, nil
	}
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.Equal(t, []string{"find -1-1"}, f.calls)
	items := output(t, r)
	require.Equal(t, "mcp_call find → again", items[1])
	require.Contains(t, items[2], "mcp_call save ✗ The outcome is unknown")
	calls := b.model.Calls()
	require.Len(t, calls, 2)
	require.Equal(t, string(rawjson.Get(calls[0].Body, "tools")), string(rawjson.Get(calls[1].Body, "tools")))
}

// A server that does not list its tools fails the attempt, which is made again unless that
// cannot help: a run without its tools would be another one.
func TestAServerThatListsNothing(t *testing.T) {
	b, f := newMCPBench(t, "")
	f.unlisted = &answer.ServerError{Label: "notes", Text: "it answered 503"}
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseWaiting, r.Phase)
	require.Equal(t, rota.RunErrMCPServer, *r.Attempts[0].Code)
	require.Equal(t, "the MCP server notes: it answered 503", *r.Attempts[0].Message)
	f.unlisted = &answer.ServerError{Label: "notes", Text: "it answered 403", Lasting: true}
	r = b.attempt(t.Context())
	require.Equal(t, rota.PhaseFailed, r.Phase)
	require.Zero(t, b.model.Total())
}

func TestACallThatNeedsAnApprovalIsNotMade(t *testing.T) {
	b, f := newMCPBench(t, `,"require_approval":{"never":{"read_only":true}}`)
	b.model.Script(calling("find", "save"))
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.Equal(t, []string{"find -1-1"}, f.calls)
	require.Equal(t, []string{"mcp_list_tools", "mcp_call find → did find", "mcp_approval_request save"}, output(t, r))
	asked := rawjson.List(rawjson.Get(r.GatewayResponse.RawMessage, "output"))[2]
	require.Regexp(t, `^mcpr_[0-9a-f]{32}$`, rawjson.Text(rawjson.Get(asked, "id")))
	require.JSONEq(t, `{"n":1}`, rawjson.Text(rawjson.Get(asked, "arguments")))
	a, err := b.store.Reader().Approval(t.Context(), owner, rawjson.Text(rawjson.Get(asked, "id")))
	require.NoError(t, err)
	require.Equal(t, rota.ApprovalPending, a.Status)
	require.Equal(t, []string{"notes", "https://notes.example.com/mcp", "save", string(r.ID)}, []string{a.ServerLabel, a.ServerURL, a.Name, string(*a.RunID)})
}

// A run whose input has a decision on a call that an earlier run asked for makes that call,
// or tells the model that it was denied, before the model is asked anything.
func TestARunThatGoesOnWithADecision(t *testing.T) {
	for approve, want := range map[bool][]string{true: {"save -1-1"}, false: nil} {
		b, f := newMCPBench(t, "")
		b.attempt(t.Context())
		b.next(func(r *rota.Run) {
			r.Input = rota.Input{Any: rota.Any{RawMessage: json.RawMessage(`[{"type":"message","role":"user","content":"hi"},
				{"type":"mcp_list_tools","id":"mcpl_1","server_label":"notes","tools":[]},
				{"type":"mcp_approval_request","id":"mcpr_1","server_label":"notes","name":"save","arguments":"{\"n\":7}"},
				{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":` + map[bool]string{true: "true", false: "false"}[approve] + `}]`)}}
		})
		f.do = func(_ context.Context, c answer.Call) (answer.Result, error) {
			require.JSONEq(t, `{"n":7}`, c.Arguments)
			return answer.Result{Output: "saved"}, nil
		}
		b.model.Script(gatewaytest.Text("done"))
		r := b.attempt(t.Context())
		require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
		require.Equal(t, want, f.calls)
		require.Equal(t, []string{"message", "function_call", "function_call_output"}, types(b.asked()))
		if approve {
			require.Equal(t, []string{"mcp_list_tools", "mcp_call save → saved", "message"}, output(t, r))
			continue
		}
		require.Equal(t, []string{"mcp_list_tools", "message"}, output(t, r))
		require.Contains(t, string(b.asked()[2]), "it was denied")
	}
}
