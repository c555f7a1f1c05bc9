package runner

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
)

var nominal = rota.InstantOf(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))

// work decodes an agent and a run as they are stored.
func work(t *testing.T, agent, run string) rota.Work {
	t.Helper()
	w := rota.Work{Policy: rota.DefaultPolicy(), Fire: rota.FireContext{ScheduledFor: nominal, Timezone: "UTC"}}
	require.NoError(t, json.Unmarshal([]byte(agent), &w.Agent))
	require.NoError(t, json.Unmarshal([]byte(run), &w.Run))
	return w
}

func TestRequestGoldens(t *testing.T) {
	const plain = `{"tools":[],"tool_choice":"auto","parallel_tool_calls":true,"text":{},"reasoning":{}}`
	tests := []struct{ name, agent, run, want string }{
		{
			"what is at its default is left out", plain, `{"id":"arun_1","input":"hi"}`,
			`{"model":"m","input":"hi","metadata":{"rota_run_id":"arun_1"}}`,
		},
		{
			"everything",
			`{"instructions":"Be brief.","tools":[{"type":"function","name":"f","strict":true}],"tool_choice":{"type":"function","name":"f"},
			"parallel_tool_calls":false,"max_tool_calls":3,"text":{"verbosity":"low"},"reasoning":{"effort":"high"},"metadata":{"of":"agent"}}`,
			`{"id":"arun_1","input":"hi","metadata":{"k":"v"},
			"context_management":[{"type":"compaction","compact_threshold":1000}],
			"schedule_id":"asch_1","scheduled_for":"2026-11-23T09:00:00.000Z"}`,
			`{"model":"m","input":"hi","instructions":"Be brief.","tools":[{"type":"function","name":"f","strict":true}],
			"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,"max_tool_calls":3,"text":{"verbosity":"low"},
			"reasoning":{"effort":"high"},
			"context_management":[{"type":"compaction","compact_threshold":1000}],
			"metadata":{"k":"v","rota_run_id":"arun_1","rota_schedule_id":"asch_1","rota_scheduled_for":"2026-11-23T09:00:00.000Z","rota_timezone":"UTC"}}`,
		},
		{
			"the short form of text, among others", plain,
			`{"id":"arun_1","input":[{"type":"text","text":"a \"b\""},{"type":"message","role":"developer","content":"c"},{"type":"item_reference","id":"x","n":12345678901234567890}]}`,
			`{"model":"m","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a \"b\""}]},
			{"type":"message","role":"developer","content":"c"},{"type":"item_reference","id":"x","n":12345678901234567890}],"metadata":{"rota_run_id":"arun_1"}}`,
		},
		{
			"variables of a schedule's run", `{"instructions":"It is {{scheduled_for}}; {{{{ stays, {{so}} too.","tools":[],"text":{},"reasoning":{}}`,
			`{"id":"arun_1","trigger":"manual","input":"in {{timezone}}"}`,
			`{"model":"m","instructions":"It is 2026-11-23T09:00:00Z; {{{{ stays, {{so}} too.","input":"in UTC","metadata":{"rota_run_id":"arun_1"}}`,
		},
		{
			"a run that goes on from a schedule's run", `{"instructions":"It is {{scheduled_for}}.","tools":[],"text":{},"reasoning":{}}`,
			`{"id":"arun_2","trigger":"api","schedule_id":"asch_1","scheduled_for":"2026-11-23T09:00:00.000Z","input":"said: {{timezone}}"}`,
			`{"model":"m","instructions":"It is 2026-11-23T09:00:00Z.","input":"said: {{timezone}}",
			"metadata":{"rota_run_id":"arun_2","rota_schedule_id":"asch_1","rota_scheduled_for":"2026-11-23T09:00:00.000Z","rota_timezone":"UTC"}}`,
		},
		{
			"text of a caller's run", `{"instructions":"It is {{scheduled_for}}.","tools":[],"text":{},"reasoning":{}}`,
			`{"id":"arun_1","trigger":"api","input":[{"type":"text","text":"in {{timezone}}"}]}`,
			`{"model":"m","instructions":"It is {{scheduled_for}}.","metadata":{"rota_run_id":"arun_1"},
			"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"in {{timezone}}"}]}]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := work(t, tt.agent, tt.run)
			list, err := tools(w)
			require.NoError(t, err)
			got, sent, err := request(w, "m", list, nil)
			require.NoError(t, err)
			require.Equal(t, "m", sent.Model)
			require.JSONEq(t, tt.want, string(got))
			require.NotContains(t, string(got), "null")
		})
	}
}

// What refers to a function tool is sent as its definition, as it was when the run
// was made.
func TestFunctionReferences(t *testing.T) {
	w := work(t, `{"tools":[{"type":"shell"},{"type":"function_reference","function_tool_id":"ftool_1"}],"tool_choice":"auto","parallel_tool_calls":true}`, `{"id":"arun_1","input":"hi"}`)
	w.Functions = map[rota.FunctionToolID]rota.Object{"ftool_1": {RawMessage: json.RawMessage(`{"type":"function","name":"f"}`)}}
	list, err := tools(w)
	require.NoError(t, err)
	b, _, err := request(w, "m", list, nil)
	require.NoError(t, err)
	require.JSONEq(t, `{"model":"m","input":"hi","tools":[{"type":"shell"},{"type":"function","name":"f"}],"tool_choice":"auto",
		"parallel_tool_calls":true,"metadata":{"rota_run_id":"arun_1"}}`, string(b))

	w.Functions = nil
	_, err = tools(w)
	var failure *gateway.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, rota.RunErrMisconfigured, failure.Code)
	require.False(t, failure.Retryable)
	require.Contains(t, failure.Message, "ftool_1")
}

func TestRequestKeepsInputAsItIs(t *testing.T) {
	w := work(t, `{}`, `{"id":"arun_1","input":[{"type":"x","n":12345678901234567890}]}`)
	got, err := items(w.Run.Input)
	require.NoError(t, err)
	require.Equal(t, `[{"type":"x","n":12345678901234567890}]`, string(got))
}

// The run's own metadata comes first; what tells the occurrence takes what room
// is left.
func TestMetadataRoom(t *testing.T) {
	w := work(t, `{}`, `{"id":"arun_1","schedule_id":"asch_1","scheduled_for":"2026-11-23T09:00:00.000Z"}`)
	for own, ours := range map[int]int{0: 4, 12: 4, 13: 3, 15: 1, 16: 0} {
		w.Run.Metadata = map[string]string{}
		for i := range own {
			w.Run.Metadata["own"+strconv.Itoa(i)] = "x"
		}
		got := metadata(w)
		require.Len(t, got, own+ours)
		require.Len(t, w.Run.Metadata, own, "the run's is as it was")
		_, told := got["rota_run_id"]
		require.Equal(t, ours > 0, told, "the run's id before the rest")
	}
}

func TestIdempotencyKey(t *testing.T) {
	w := rota.Work{Run: rota.Run{ID: "arun_1", Attempt: 5}, Failures: 2}
	require.Equal(t, "arun_1-2", idempotencyKey(w))
	w.Run.Attempts = []rota.RunAttempt{{EndedAt: new(rota.Instant)}}
	require.Equal(t, "arun_1-2-1", idempotencyKey(w), "a fallback model is asked something else")
}

func TestEnd(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	r := &Runner{Now: func() time.Time { return now.Add(time.Second) }}
	w := rota.Work{Run: rota.Run{ID: "arun_1", Attempt: 1}, Policy: rota.DefaultPolicy(), StartedAt: now, Agent: rota.AgentConfig{Model: "m"}}

	answer := call{resp: gateway.Response{ID: "resp_1", Status: "incomplete", Body: []byte(`{"a":1}`), Usage: []byte(`{}`)}}
	a, again := r.outcome(w, answer)
	require.False(t, again)
	require.Equal(t, "m", a.Model)
	require.Equal(t, 1, a.Round)
	require.Equal(t, time.Second, a.EndedAt.Sub(a.StartedAt.Time))
	require.Nil(t, a.Code)
	end := r.end(w, answer, a)
	require.Equal(t, rota.PhaseIncomplete, end.Phase)
	require.Nil(t, end.Error)
	require.JSONEq(t, `{"a":1}`, string(end.Response.RawMessage))
	require.Zero(t, end.Attempt, "an answer counts, whoever got it")

	refused := call{err: &gateway.Error{Code: "c", Message: "m", RetryAfter: time.Hour, ResponseID: "resp_1", Response: []byte(`{}`)}}
	a, again = r.outcome(w, refused)
	require.False(t, again)
	require.Equal(t, time.Hour.Milliseconds(), *a.RetryAfterMS)
	end = r.end(w, refused, a)
	require.Equal(t, rota.PhaseFailed, end.Phase)
	require.Equal(t, &rota.RunError{Code: "c", Message: "m"}, end.Error)
	require.Equal(t, "resp_1", end.ResponseID)
	require.Equal(t, 1, end.Attempt)

	hidden := call{err: errNotGateway{}}
	a, _ = r.outcome(w, hidden)
	require.Equal(t, rota.RunErrBadResponse, *a.Code)
	require.NotContains(t, *a.Message, "secret", "the cause is not for the caller")
}

type errNotGateway struct{}

func (errNotGateway) Error() string { return "secret" }
