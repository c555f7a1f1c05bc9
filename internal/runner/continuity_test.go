package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// converse makes the bench's run join a conversation.
func (b *bench) converse() rota.ConversationID {
	b.Helper()
	at := rota.InstantOf(b.now)
	c := rota.ConversationRecord{ID: rota.NewConversationID(b.now), Owner: owner, Metadata: map[string]string{}, CreatedAt: at, UpdatedAt: at}
	b.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddConversation(ctx, c) })
	return c.ID
}

// next queues another run of the same agent.
func (b *bench) next(change func(*rota.Run)) {
	b.Helper()
	r := rota.Run{
		ID: rota.NewRunID(b.now), AgentID: b.run.AgentID, Input: rota.InputText("hi"), Trigger: rota.TriggerAPI,
		Metadata: map[string]string{}, CreatedAt: rota.InstantOf(b.now),
	}
	change(&r)
	b.run = r
	b.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, owner, r, "model") })
}

// asked returns the items of the last request.
func (b *bench) asked() []json.RawMessage {
	b.Helper()
	calls := b.model.Calls()
	var body struct {
		Input              []json.RawMessage
		Conversation       any
		PreviousResponseID any `json:"previous_response_id"`
	}
	require.NoError(b, json.Unmarshal(calls[len(calls)-1].Body, &body))
	require.Nil(b, body.Conversation, "no provider sees an id of ours")
	require.Nil(b, body.PreviousResponseID)
	return body.Input
}

func TestRunsOfAConversationRemember(t *testing.T) {
	b := newBench(t, nil)
	b.attempt(t.Context())
	c := b.converse()
	b.model.Script(gatewaytest.Text("first"), gatewaytest.Text("second"))
	b.next(func(r *rota.Run) {
		r.Input, r.Conversation = rota.InputText("one"), rota.Conversation{Any: rota.AnyOf(c)}
	})
	first := b.attempt(t.Context())
	require.Equal(t, rota.PhaseCompleted, first.Phase)
	require.Len(t, b.asked(), 1)
	b.next(func(r *rota.Run) { r.Input, r.Conversation = rota.InputText("two"), rota.ConversationOf(c) })
	second := b.attempt(t.Context())
	items := b.asked()
	require.Len(t, items, 3)
	require.Contains(t, string(items[0]), `"one"`)
	require.Contains(t, string(items[1]), `"first"`)
	require.Contains(t, string(items[2]), `"two"`)

	stored, err := b.store.Reader().StoredResponse(t.Context(), owner, rota.ResponseID(*second.GatewayResponseID))
	require.NoError(t, err)
	require.Equal(t, c, *stored.Conversation)
	var response struct {
		ID           string
		Conversation struct{ ID rota.ConversationID }
		Output       []json.RawMessage
		Status       string
	}
	require.NoError(t, json.Unmarshal(second.GatewayResponse.RawMessage, &response))
	require.Equal(t, *second.GatewayResponseID, response.ID)
	require.Equal(t, c, response.Conversation.ID)
	require.Len(t, response.Output, 1)
	require.Equal(t, "completed", response.Status)
}

func TestARunGoesOnFromAResponse(t *testing.T) {
	b := newBench(t, nil)
	b.attempt(t.Context())
	c := b.converse()
	b.next(func(r *rota.Run) { r.Conversation = rota.ConversationOf(c) })
	inside := b.attempt(t.Context())
	for _, tt := range []struct {
		name, message string
		change        func(*rota.Run)
	}{
		{"no such response", `previous_response_id: there is no response "resp_none"`, func(r *rota.Run) { r.PreviousResponseID = new("resp_none") }},
		{"one of a conversation", "is in a conversation", func(r *rota.Run) { r.PreviousResponseID = inside.GatewayResponseID }},
		{"no such conversation", "no such conversation", func(r *rota.Run) { r.Conversation = rota.ConversationOf("conv_none") }},
		{"both", "cannot be used together", func(r *rota.Run) {
			r.PreviousResponseID, r.Conversation = inside.GatewayResponseID, rota.ConversationOf(c)
		}},
		{"an output without a call", "no open function_call", func(r *rota.Run) {
			r.Input = rota.Input{Any: rota.AnyOf([]any{map[string]string{"type": "function_call_output", "call_id": "call_1", "output": "x"}})}
			r.Conversation = rota.ConversationOf(c)
		}},
	} {
		calls := b.model.Total()
		b.next(tt.change)
		r := b.attempt(t.Context())
		require.Equal(t, rota.PhaseFailed, r.Phase, tt.name)
		require.Equal(t, rota.RunErrRejected, r.Error.Code, tt.name)
		require.Contains(t, r.Error.Message, tt.message, tt.name)
		require.Equal(t, calls, b.model.Total(), tt.name)
	}
}

// called is an answer that calls a function, or some of one.
func called(n int) string {
	return gatewaytest.Data(fmt.Sprintf(`{"type":"response.completed","response":{"id":"resp_x","object":"response","status":"completed","model":"m",`+
		`"output":[{"type":"reasoning","id":"rs_%d","summary":[]},{"type":"function_call","id":"fc_%d","call_id":"call_%d","name":"f","arguments":"{}","status":"completed"}]}}`, n, n, n))
}

// replies are what a model may do. A turn is added by those that are of use.
func replies(n int) []struct {
	reply gatewaytest.Reply
	adds  bool
} {
	id := "resp_" + strconv.Itoa(n)
	return []struct {
		reply gatewaytest.Reply
		adds  bool
	}{
		{gatewaytest.Text("answer " + strconv.Itoa(n)), true},
		{gatewaytest.Stream(gatewaytest.Created(id), called(n)), true},
		{gatewaytest.Stream(gatewaytest.Created(id), gatewaytest.Incomplete(id, "half", "max_output_tokens")), true},
		{gatewaytest.Stream(gatewaytest.Created(id), gatewaytest.Delta("x"), gatewaytest.Failed(id, "server_error", "no")), false},
		{gatewaytest.Truncate(gatewaytest.Created(id), gatewaytest.Delta("half")), false},
		{gatewaytest.Status(http.StatusBadRequest, nil, "no"), false},
		{gatewaytest.Hangup(), false},
	}
}

// strict is how a provider that takes nothing on trust reads an input.
func strict(items []json.RawMessage) error {
	open := map[string]bool{}
	thinking := false
	for _, raw := range items {
		var i struct {
			Type   string
			CallID string `json:"call_id"`
		}
		if err := json.Unmarshal(raw, &i); err != nil {
			return err
		}
		if thinking && i.Type == "function_call_output" {
			return fmt.Errorf("a thought leads to nothing: %s", raw)
		}
		thinking = i.Type == "reasoning"
		switch i.Type {
		case "function_call":
			open[i.CallID] = true
		case "function_call_output":
			if !open[i.CallID] {
				return fmt.Errorf("an output without its call: %s", raw)
			}
			delete(open, i.CallID)
		case "message":
			if len(open) > 0 {
				return fmt.Errorf("calls without an output: %v", open)
			}
		}
	}
	if len(open) > 0 || thinking {
		return fmt.Errorf("it ends in the middle: %v", open)
	}
	return nil
}

// TestAConversationCannotBePoisoned plays runs that share a conversation, or go on from
// each other. Models answer, fail, break off and call functions; processes die in the
// middle. What the next turn sends is always what a strict provider takes, and begins
// with what the last turn sent.
func TestAConversationCannotBePoisoned(t *testing.T) {
	b := newBench(t, nil)
	b.attempt(t.Context())
	rapid.Check(t, func(rt *rapid.T) {
		b.clear()
		c, chained := b.converse(), rapid.Bool().Draw(rt, "chained")
		var previous *string
		var sent [][]byte // the items that the last turn has sent
		turns := 0
		for n := range rapid.IntRange(2, 12).Draw(rt, "runs") {
			b.next(func(r *rota.Run) {
				if r.Conversation = rota.ConversationOf(c); chained && previous != nil {
					r.Conversation, r.PreviousResponseID = rota.Conversation{}, previous
				} else if chained {
					r.Conversation, r.PreviousResponseID = rota.Conversation{}, new(b.begin())
				}
			})
			if rapid.Bool().Draw(rt, "killed") {
				b.killed()
			}
			all := replies(n)
			does := all[rapid.IntRange(0, len(all)-1).Draw(rt, "model")]
			b.model.Script(does.reply)
			r := b.attempt(t.Context())
			items := b.asked()
			if err := strict(items); err != nil {
				rt.Fatalf("run %d: %v\n%s", n, err, bytes.Join(raws(items), []byte("\n")))
			}
			for i, before := range sent {
				if !bytes.Equal(before, items[i]) {
					rt.Fatalf("item %d was %s and is %s", i, before, items[i])
				}
			}
			if r.Phase == rota.PhaseWaiting {
				b.model.Script(gatewaytest.Text("at last"))
				r = b.attempt(t.Context())
				does.adds = true
			}
			if !does.adds {
				require.NotEqual(rt, rota.PhaseCompleted, r.Phase)
				continue
			}
			require.Contains(rt, []rota.Phase{rota.PhaseCompleted, rota.PhaseIncomplete}, r.Phase, r.Error)
			previous, sent = r.GatewayResponseID, raws(items)
			turns++
			before, err := b.store.Reader().TurnsBefore(t.Context(), owner, r.Conversation.ID(), rota.ResponseID(*previous))
			require.NoError(rt, err)
			want := turns
			if chained {
				want++ // what the chain has begun with
			}
			require.Len(rt, before, want)
		}
	})
}

func raws(items []json.RawMessage) [][]byte {
	all := make([][]byte, len(items))
	for n, i := range items {
		all[n] = i
	}
	return all
}

// begin adds a response from which a chain begins.
func (b *bench) begin() string {
	b.Helper()
	at := rota.InstantOf(b.now)
	id := rota.NewResponseID(b.now)
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		in := rota.ItemRecord{ID: "msg_0", Response: &id, Raw: json.RawMessage(`{"type":"message","role":"user","content":"begin"}`)}
		r := rota.ResponseRecord{ID: id, Owner: owner, Status: rota.ResponseInProgress, CreatedAt: at, Request: json.RawMessage(`{}`), Object: json.RawMessage(`{}`)}
		if err := tx.AddResponse(ctx, r, []rota.ItemRecord{in}, rota.Lease{}); err != nil {
			return err
		}
		_, err := tx.EndResponse(ctx, rota.ResponseEnd{ID: id, Inputs: 1, Status: rota.ResponseCompleted, At: b.now})
		return err
	})
	return string(id)
}

// clear ends what a story that failed has left.
func (b *bench) clear() {
	b.Helper()
	b.model.Script()
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		open, err := tx.OpenRunIDs(ctx, owner, 10)
		for _, id := range open {
			if _, err := tx.FinishRun(ctx, id, rota.Result{Phase: rota.PhaseCancelled, CompletedAt: b.now}, policy.Settle); err != nil {
				return err
			}
		}
		return err
	})
}

// killed lets a process claim the run, and die.
func (b *bench) killed() {
	b.Helper()
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.ClaimRuns(ctx, b.now, rota.Claim{Provider: "model", Limit: 1})
		return err
	})
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.Recover(ctx, b.now, []string{"model"}, policy.Lost, policy.Settle)
		return err
	})
}

// TestAConversationOutgrowsItsModel: what a model refuses as too long is asked again
// without the oldest turns, mostly without the same ones from turn to turn.
func TestAConversationOutgrowsItsModel(t *testing.T) {
	b := newBench(t, nil)
	b.attempt(t.Context())
	c := b.converse()
	const most = 81 // items
	answer := gatewaytest.Text("ok")
	b.model.Default(func(w http.ResponseWriter, r *http.Request, call gatewaytest.Call) {
		var body struct{ Input []json.RawMessage }
		_ = json.Unmarshal(call.Body, &body)
		if len(body.Input) > most {
			gatewaytest.JSON(400, `{"error":{"code":"context_length_exceeded","message":"too long"}}`)(w, r, call)
			return
		}
		answer(w, r, call)
	})
	cuts := map[string]bool{}
	for n := range 100 {
		b.next(func(r *rota.Run) {
			r.Input, r.Conversation = rota.InputText(strconv.Itoa(n)), rota.ConversationOf(c)
		})
		r := b.attempt(t.Context())
		require.Equal(t, rota.PhaseCompleted, r.Phase)
		require.Len(t, r.Attempts, 1)
		items := b.asked()
		require.NoError(t, strict(items))
		require.Equal(t, 2*n+1 <= most, len(r.Request.NotSent) == 0, n)
		cuts[string(items[0])] = true
	}
	require.Less(t, len(cuts), 10)
	keys := map[string]bool{}
	for _, call := range b.model.Calls() {
		require.False(t, keys[call.IdempotencyKey()], "each question has a key of its own")
		keys[call.IdempotencyKey()] = true
	}
	b.model.Script(gatewaytest.JSON(400, `{"error":{"code":"context_length_exceeded","message":"too long"}}`))
	b.next(func(*rota.Run) {})
	require.Equal(t, rota.PhaseFailed, b.attempt(t.Context()).Phase, "there is nothing to leave out")
}
