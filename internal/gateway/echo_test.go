package gateway_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/gateway"
)

func echo(t *testing.T, body string) attempt {
	t.Helper()
	a := try(t.Context(), open(t), gateway.Request{Provider: "echo", Body: []byte(body)})
	require.NoError(t, a.err)
	return a
}

func withoutSequence(t *testing.T, event []byte) []byte {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(event, &fields))
	delete(fields, "sequence_number")
	b, err := json.Marshal(fields)
	require.NoError(t, err)
	return b
}

func TestEchoSaysWhatItHears(t *testing.T) {
	const greeting = "This is Rota's built-in stand-in, not a model. You said: "
	for input, want := range map[string]string{
		`"hello there"`: "hello there",
		`[{"type":"text","text":"one"},{"type":"message","role":"user","content":"two"},` +
			`{"type":"message","content":[{"type":"input_text","text":"three"}]}]`: "one\ntwo\nthree",
		`null`: "",
		`7`:    "",
	} {
		a := echo(t, `{"model":"echo","input":`+input+`}`)
		require.Equal(t, greeting+want, a.response.Output)
	}
}

func TestEchoStreamsAsAModelDoes(t *testing.T) {
	words := strings.TrimSpace(strings.Repeat("word ", 100))
	a := echo(t, `{"model":"m1","input":"`+words+`","metadata":{"k":"v"}}`)
	var text strings.Builder
	deltas := 0
	for i, e := range a.events {
		var fields struct {
			Type     string `json:"type"`
			Sequence int    `json:"sequence_number"`
			Delta    string `json:"delta"`
		}
		require.NoError(t, json.Unmarshal(e.Data, &fields))
		require.Equal(t, e.Type, fields.Type)
		require.Equal(t, i, fields.Sequence)
		if text.WriteString(fields.Delta); fields.Delta != "" {
			deltas++
		}
	}
	require.Equal(t, a.response.Output, text.String())
	require.Greater(t, deltas, 3)
	require.Equal(t, "response.created", a.events[0].Type)
	require.Equal(t, "response.completed", a.events[len(a.events)-1].Type)
	require.Regexp(t, `^resp_[0-9a-f]{32}$`, a.response.ID)
	require.JSONEq(t, `{"input_tokens":100,"input_tokens_details":{"cached_tokens":0},"output_tokens":110,
		"output_tokens_details":{"reasoning_tokens":0},"total_tokens":210}`, string(a.response.Usage))
	require.Contains(t, string(a.response.Body), `"model":"m1"`)
	require.Contains(t, string(a.response.Body), `"metadata":{"k":"v"}`)
}

func TestEchoRefusesWhatIsNoRequest(t *testing.T) {
	e := try(t.Context(), open(t), gateway.Request{Body: []byte(`{"input":`)}).failure(t)
	require.Contains(t, e.Message, "400")
	require.False(t, bytes.Contains([]byte(e.Message), []byte("\n")))
}
