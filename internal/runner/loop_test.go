package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// tools is a toolbox that does what a test says.
type tools struct {
	mu       sync.Mutex
	calls    []string // their ids
	listed   []answer.Listed
	unlisted error
	left     int
	whose    []rota.Owner // whose servers and functions were used
	do       func(ctx context.Context, c answer.Call) (answer.Result, error)
}

func (f *tools) Call(ctx context.Context, from answer.Caller, c answer.Call) (answer.Result, error) {
	f.mu.Lock()
	f.calls = append(f.calls, c.Name+" "+strings.TrimPrefix(c.ID(from.ID), from.ID))
	f.mu.Unlock()
	return f.do(ctx, c)
}

func (f *tools) List(_ context.Context, from answer.Caller, s answer.Server) (rota.ResponseStep, error) {
	f.whose = append(f.whose, from.Tools)
	if f.unlisted != nil {
		return rota.ResponseStep{}, f.unlisted
	}
	return s.ListedStep(f.listed)
}

func (f *tools) Stored(_ context.Context, o rota.Owner, tools []json.RawMessage) ([]json.RawMessage, error) {
	f.whose = append(f.whose, o)
	return answer.FillStored(tools, func(id rota.MCPServerID) (rota.MCPServer, error) {
		if id != "mcp_srv_1" {
			return rota.MCPServer{}, rota.Errorf(rota.NotFound, "no such MCP server")
		}
		return rota.MCPServer{MCPServerConfig: rota.MCPServerConfig{ServerLabel: "docs", ServerURL: "https://mcp.example.com/", RequireApproval: "never"}}, nil
	})
}

func (f *tools) Leave(answer.Caller) { f.left++ }

// newToolBench is newBench with an agent that has the functions get and put, of which get
// is idempotent, and ask, which has no webhook.
func newToolBench(t *testing.T, change func(*rota.Agent)) (*bench, *tools) {
	t.Helper()
	ids := map[string]rota.FunctionToolID{"get": "ftool_get", "put": "ftool_put", "ask": "ftool_ask"}
	b := newBench(t, func(a *rota.Agent, _ *rota.Run) {
		for _, name := range []string{"get", "put", "ask"} {
			a.Tools = append(a.Tools, rota.Object(rota.AnyOf(map[string]any{"type": "function_reference", "function_tool_id": ids[name]})))
		}
		a.ParallelToolCalls = true
		if change != nil {
			change(a)
		}
	})
	r := b.attempt(t.Context())
	require.Equal(t, rota.RunErrMisconfigured, r.Error.Code, "the functions are not there yet")
	for name, id := range ids {
		d := rota.FunctionDefinition{Type: "function", Name: name, Parameters: rota.Object(rota.AnyOf(map[string]any{"type": "object"}))}
		if name != "ask" {
			d.WebhookURL = rota.Some("https://tools.example.com/" + name)
		}
		if name == "get" {
			d.Idempotent = rota.Some(true)
		}
		b.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.AddFunctionTool(ctx, owner, rota.FunctionTool{ID: id, Definition: d, Version: 1, CreatedAt: rota.InstantOf(b.now), UpdatedAt: rota.InstantOf(b.now)})
		})
	}
	b.next(func(*rota.Run) {})
	f := &tools{do: func(_ context.Context, c answer.Call) (answer.Result, error) {
		return answer.Result{Output: "did " + c.Name}, nil
	}}
	b.runner.Tools = f
	return b, f
}

// calling is a model's answer that asks for calls of functions.
func calling(names ...string) gatewaytest.Reply {
	var items []string
	for n, name := range names {
		items = append(items, fmt.Sprintf(`{"type":"function_call","id":"fc_%d","call_id":"call_%d","name":%q,"arguments":"{\"n\":%d}","status":"completed"}`, n, n, name, n))
	}
	events := []string{gatewaytest.Created("resp_x")}
	for n, i := range items {
		events = append(events, gatewaytest.Data(fmt.Sprintf(`{"type":"response.output_item.done","output_index":%d,"item":%s}`, n, i)))
	}
	events = append(events, gatewaytest.Data(`{"type":"response.completed","response":{"id":"resp_x","object":"response","created_at":1,"status":"completed","model":"test","output":[`+
		strings.Join(items, ",")+`],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}}`))
	return gatewaytest.Stream(events...)
}

// output returns the items of the run's answer, each as its type, name and result.
func output(t *testing.T, r rota.Run) (all []string) {
	t.Helper()
	var object struct {
		Output []struct {
			Type, Name, ServerLabel string
			Output, Error           *string
		}
	}
	require.NoError(t, json.Unmarshal(r.GatewayResponse.RawMessage, &object))
	for _, i := range object.Output {
		s := strings.TrimSpace(i.Type + " " + i.Name)
		if i.Output != nil {
			s += " → " + *i.Output
		}
		if i.Error != nil {
			s += " ✗ " + *i.Error
		}
		all = append(all, s)
	}
	return all
}

func TestToolsAreCalledUntilThereIsAnAnswer(t *testing.T) {
	b, f := newToolBench(t, func(a *rota.Agent) { a.ToolChoice = rota.AnyOf("required") })
	b.model.Script(calling("get", "put"), gatewaytest.Text("done"))
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.ElementsMatch(t, []string{"get -1-1", "put -1-2"}, f.calls)
	require.Equal(t, []string{"mcp_call get → did get", "mcp_call put → did put", "message"}, output(t, r))
	require.Equal(t, &rota.Tokens{Input: 11, Output: 6, Total: 17}, r.Tokens, "of both questions")

	calls := b.model.Calls()
	require.Len(t, calls, 2)
	require.NotContains(t, string(calls[0].Body), "tools.example.com")
	require.NotContains(t, string(calls[0].Body), "idempotent")
	require.Contains(t, string(calls[0].Body), `"tool_choice":"required"`)
	require.Contains(t, string(calls[1].Body), `"tool_choice":"auto"`, "or there would be no end")
	require.NotEqual(t, calls[0].IdempotencyKey(), calls[1].IdempotencyKey())
	require.Equal(t, []string{"message", "function_call", "function_call", "function_call_output", "function_call_output"}, types(b.asked()))
	require.Zero(t, b.steps(), "what a run is made of is in its answer")
}

func types(items []json.RawMessage) (all []string) {
	for _, i := range items {
		var o struct{ Type string }
		_ = json.Unmarshal(i, &o)
		all = append(all, o.Type)
	}
	return all
}

// steps counts the rows of the loop's record.
func (b *bench) steps() int {
	b.Helper()
	steps, err := b.store.Reader().RunSteps(b.Context(), b.run.ID)
	require.NoError(b, err)
	return len(steps)
}

// A function without a webhook is the caller's: the run ends with the call.
func TestACallOfTheCallerEndsTheRun(t *testing.T) {
	b, f := newToolBench(t, nil)
	b.model.Script(calling("get", "ask"))
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase)
	require.Equal(t, []string{"get -1-1"}, f.calls)
	require.Equal(t, []string{"mcp_call get → did get", "function_call ask"}, output(t, r))
	require.Len(t, b.model.Calls(), 1)
}

func TestMaxToolCallsHolds(t *testing.T) {
	b, f := newToolBench(t, func(a *rota.Agent) { a.MaxToolCalls = new(3) })
	b.model.Script(calling("get", "get"), calling("put", "put"), gatewaytest.Text("done"))
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase)
	require.Len(t, f.calls, 3)
	require.Equal(t, "mcp_call put ✗ The call was not made: the limit of 3 calls is reached.", output(t, r)[3])
	require.Contains(t, string(b.model.Calls()[2].Body), `"tool_choice":"none"`)

	b.model.Script(calling("get", "get", "get", "get"), calling("put"))
	b.next(func(*rota.Run) {})
	r = b.attempt(t.Context())
	require.Equal(t, rota.PhaseIncomplete, r.Phase, "the model does not stop")
	require.Contains(t, string(r.GatewayResponse.RawMessage), `"incomplete_details":{"reason":"max_tool_calls"}`)
	require.Len(t, f.calls, 6)
}

func TestCallsAreMadeOneByOneIfSo(t *testing.T) {
	b, f := newToolBench(t, func(a *rota.Agent) { a.ParallelToolCalls = false })
	atWork := 0
	do := f.do
	f.do = func(ctx context.Context, c answer.Call) (answer.Result, error) {
		f.mu.Lock()
		atWork++
		require.Equal(t, 1, atWork)
		f.mu.Unlock()
		defer func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			atWork--
		}()
		return do(ctx, c)
	}
	b.model.Script(calling("get", "put", "get"), gatewaytest.Text("done"))
	require.Equal(t, rota.PhaseCompleted, b.attempt(t.Context()).Phase)
	require.Equal(t, []string{"get -1-1", "put -1-2", "get -1-3"}, f.calls)
}

// A failure later on is tried again from what is on record: no call is made twice.
func TestALaterQuestionIsAskedAgainAlone(t *testing.T) {
	b, f := newToolBench(t, nil)
	b.model.Script(calling("put"), gatewaytest.Status(http.StatusServiceUnavailable, nil, "busy"), gatewaytest.Text("done"))
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseWaiting, r.Phase)
	require.Equal(t, []string{"mcp_call put → did put"}, output(t, r), "what there is, while it waits")
	require.Equal(t, 3, b.steps())
	r = b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.Equal(t, []string{"put -1-1"}, f.calls)
	require.Equal(t, []string{"mcp_call put → did put", "message"}, output(t, r))
	require.Equal(t, &rota.Tokens{Input: 11, Output: 6, Total: 17}, r.Tokens)
	require.Zero(t, b.steps())
}

// What was called and has no result when a worker goes is called again only if that
// does no harm.
func TestACallThatWasCutOff(t *testing.T) {
	b, f := newToolBench(t, nil)
	ctx, stop := context.WithCancelCause(t.Context())
	f.do = func(ctx context.Context, c answer.Call) (answer.Result, error) {
		stop(errors.New("the worker goes"))
		<-ctx.Done()
		return answer.Result{}, context.Cause(ctx)
	}
	b.model.Script(calling("get", "put"), gatewaytest.Text("done"))
	require.Equal(t, rota.PhaseRunning, b.attempt(ctx).Phase, "it is left as it is")
	require.Equal(t, 3, b.steps())
	b.recover()
	f.calls, f.do = nil, func(_ context.Context, c answer.Call) (answer.Result, error) {
		require.True(t, c.Again)
		return answer.Result{Output: "again"}, nil
	}
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	require.Equal(t, []string{"get -1-1"}, f.calls, "under the id that it had")
	items := output(t, r)
	require.Equal(t, "mcp_call get → again", items[0])
	require.Contains(t, items[1], "mcp_call put ✗ The outcome is unknown")
	require.Contains(t, string(b.asked()[4]), "outcome is unknown", "the model is told")
	require.Equal(t, 2, b.model.Total(), "the first question is not asked again")
	require.Equal(t, &rota.Tokens{Input: 11, Output: 6, Total: 17}, r.Tokens, "also of the attempt that was cut off")
}

// A cancellation ends the calls, and nothing more is on record.
func TestACancelledRunCallsNoMore(t *testing.T) {
	b, f := newToolBench(t, nil)
	f.do = func(ctx context.Context, c answer.Call) (answer.Result, error) {
		b.update(func(ctx context.Context, tx sqlstore.Queries) error {
			_, err := tx.FinishRun(ctx, b.run.ID, rota.Result{Phase: rota.PhaseCancelled, CompletedAt: b.now, Error: &rota.RunError{Code: rota.RunErrCancelled}}, nil)
			return err
		})
		return answer.Result{Output: "late"}, nil
	}
	b.model.Script(calling("get"), gatewaytest.Text("done"))
	r := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCancelled, r.Phase)
	require.Equal(t, 1, b.model.Total())
	require.Zero(t, b.steps())
}

// What a run with calls leaves in its conversation, the next one tells its model as
// calls of functions.
func TestCallsAreRemembered(t *testing.T) {
	b, _ := newToolBench(t, nil)
	b.attempt(t.Context())
	c := b.converse()
	b.model.Script(calling("get"), gatewaytest.Text("first"), gatewaytest.Text("second"))
	for range 2 {
		b.next(func(r *rota.Run) { r.Conversation = rota.ConversationOf(c) })
		require.Equal(t, rota.PhaseCompleted, b.attempt(t.Context()).Phase)
	}
	require.Equal(t, []string{"message", "function_call", "function_call_output", "message", "message"}, types(b.asked()))
}

// TestStoredServers: an agent may name an MCP server by its id.
func TestStoredServers(t *testing.T) {
	for id, want := range map[string]string{"mcp_srv_1": "mcp_list_tools docs", "mcp_srv_2": "tools.0.mcp_server_id: is of no MCP server"} {
		b := newBench(t, func(a *rota.Agent, _ *rota.Run) {
			a.Tools = []rota.Object{rota.Object(rota.AnyOf(map[string]any{"type": "mcp", "mcp_server_id": id}))}
		})
		b.runner.Tools = &tools{}
		r := b.attempt(t.Context())
		if r.Error != nil {
			require.Equal(t, rota.RunErrMisconfigured, r.Error.Code)
			require.Contains(t, r.Error.Message, want)
			continue
		}
		require.Contains(t, string(r.GatewayResponse.RawMessage), `"server_label":"docs"`)
	}
}
