package answer_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/rawjson"
)

func functions() []json.RawMessage {
	return []json.RawMessage{
		json.RawMessage(`{"type":"function","name":"get","webhook_url":"https://x/get","idempotent":true,"function_tool_id":"ftool_get"}`),
		json.RawMessage(`{"type":"function","name":"put","webhook_url":"https://x/put","webhook_timeout_seconds":7,"function_tool_id":"ftool_put"}`),
		json.RawMessage(`{"type":"function","name":"ask","function_tool_id":"ftool_ask"}`),
	}
}

func TestReadTools(t *testing.T) {
	list := append(functions(), functions()[0], json.RawMessage(`{"type":"web_search"}`), json.RawMessage(`{"type":"function","name":"own"}`))
	tools, err := answer.ReadTools(list)
	require.NoError(t, err)
	require.Equal(t, answer.Tools{
		"get": {Kind: answer.Function, Server: "rota", Title: "get", Function: "ftool_get", Name: "get", URL: "https://x/get", Timeout: answer.DefaultTimeout, Repeatable: true},
		"put": {Kind: answer.Function, Server: "rota", Title: "put", Function: "ftool_put", Name: "put", URL: "https://x/put", Timeout: 7 * time.Second},
	}, tools)
	twice := append(functions(), json.RawMessage(`{"type":"function","name":"get","webhook_url":"https://x/get","function_tool_id":"ftool_other"}`))
	_, err = answer.ReadTools(twice)
	require.EqualError(t, err, `invalid: tools: must not have two functions named "get": ftool_get and ftool_other`)
	told := answer.Told(functions())
	require.Equal(t, `{"type":"function","name":"put"}`, string(told[1]))
	require.Len(t, told, 3)
}

// An answer whose calls have no ids, or the same, is mended, so that each result has its call.
func TestCallsHaveIDs(t *testing.T) {
	tools, _ := answer.ReadTools(functions())
	items := tools.Answered([]json.RawMessage{
		json.RawMessage(`{"type":"message"}`), json.RawMessage(`{"type":"function_call","name":"get","call_id":"a"}`),
		json.RawMessage(`{"type":"function_call","name":"put","call_id":"a"}`), json.RawMessage(`{"type":"function_call","name":"ask"}`),
	})
	var ids []string
	for _, i := range items {
		ids = append(ids, rawjson.Text(rawjson.Get(i, "call_id")))
	}
	require.Equal(t, []string{"", "a", "call_rota_3", "call_rota_4"}, ids)
	require.Nil(t, tools.Answered([]json.RawMessage{json.RawMessage(`{"type":"function_call","name":"ask","call_id":"a"}`)}))
}

func TestALongResultIsCut(t *testing.T) {
	c := answer.Call{Number: 1}
	s := c.Step(answer.Result{Output: strings.Repeat("é", answer.MaxResult)})
	require.True(t, strings.HasPrefix(*s.Result, "éé"))
	require.True(t, strings.HasSuffix(*s.Result, "\n[cut: the result had 524288 bytes, of which these are the first 262144]"))
	require.Less(t, len(*s.Result), answer.MaxResult+100)
}

// A world plays a loop: a model that asks for anything, and a process that dies at any
// moment and goes on from what is on record.
type world struct {
	*rapid.T
	state answer.State
	made  map[string]int // by the id of the call
	ended map[string]bool
	asked int
}

func (w *world) record(s rota.ResponseStep) {
	s.Number = len(w.state.Steps) + 1
	w.state.Steps = append(w.state.Steps, s)
}

func (w *world) ask(q answer.Question) {
	w.asked++
	w.outputsFit()
	var output []json.RawMessage
	for n := range rapid.IntRange(0, 12).Draw(w.T, "calls") {
		name := rapid.SampledFrom([]string{"get", "put", "get", "put", "get", "put", "get", "put", "get", "put", "ask"}).Draw(w.T, "name")
		output = append(output, json.RawMessage(fmt.Sprintf(`{"type":"function_call","name":%q,"call_id":"call_%d","arguments":"{}"}`, name, n)))
	}
	w.record(rota.ResponseStep{Kind: rota.StepItems, Output: w.state.Tools.Answered(output)})
}

// outputsFit checks what the model is told: one output for each call.
func (w *world) outputsFit() {
	open := 0
	for _, i := range w.state.Said() {
		switch rawjson.Text(rawjson.Get(i, "type")) {
		case "function_call":
			open++
		case "function_call_output":
			open--
		}
	}
	require.Zero(w, open)
}

func (w *world) call(calls []answer.Call) {
	require.LessOrEqual(w, len(calls), answer.MaxParallelCalls)
	if w.state.Sequential {
		require.Len(w, calls, 1)
	}
	for _, s := range answer.Called(calls) {
		w.record(s)
	}
	for _, c := range calls {
		id := c.ID("run")
		require.False(w, w.ended[id], "a call with a result is made again: %s", id)
		require.Equal(w, w.made[id] > 0, c.Again)
		require.True(w, c.Repeatable || !c.Again)
		w.made[id]++
		if rapid.IntRange(0, 3).Draw(w.T, "dies") > 0 {
			w.ended[id] = true
			w.record(c.Step(answer.Result{Output: "ok"}))
		}
	}
}

func TestALoopEndsWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tools, err := answer.ReadTools(functions())
		require.NoError(t, err)
		w := &world{T: t, made: map[string]int{}, ended: map[string]bool{}, state: answer.State{
			ID: "run", Models: []string{"m"}, Tools: tools, MaxCalls: rapid.IntRange(1, 30).Draw(t, "most"), Sequential: rapid.Bool().Draw(t, "sequential"),
		}}
		for range 10_000 {
			next := answer.Next(w.state)
			switch {
			case next.Ask != nil:
				w.ask(*next.Ask)
			case len(next.Call) > 0:
				w.call(next.Call)
			case len(next.Note) > 0:
				for _, s := range next.Note {
					w.record(s)
				}
			default:
				require.NotNil(t, next.End)
				require.LessOrEqual(t, len(w.made), w.state.MaxCalls)
				require.LessOrEqual(t, w.asked, w.state.MaxCalls+2)
				return
			}
		}
		t.Fatal("it does not end")
	})
}
