package responses_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// A response that goes on after the calls that Rota makes is one valid stream, and what it
// has used is the sum.
func TestAResponseWithOwnCalls(t *testing.T) {
	var check responses.Checker
	made := 0
	w := responses.NewWriter(responses.NewObject("resp_1", 1, "m", []byte(`{}`)), func(prefix string) string {
		made++
		return prefix + strconv.Itoa(made)
	}, func(e responses.Event) { require.NoError(t, check.Event(e.Data)) })

	first := responses.NewNormalizer(w)
	first.Hold = true
	call := `{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}"}`
	first.Event("response.created", []byte(`{"response":{"id":"x"}}`), 1)
	first.Event("response.output_item.added", []byte(`{"output_index":0,"item":`+call+`}`), 1)
	first.Event("response.function_call_arguments.delta", []byte(`{"output_index":0,"item_id":"fc_1","delta":"{}"}`), 1)
	first.Event("response.output_text.delta", []byte(`{"output_index":1,"item_id":"msg_1","delta":"wait"}`), 1)
	first.Settle([]byte(`{"output":[` + call + `]}`))
	one, two := w.Call(responses.OwnServer, "f", "{}", ""), w.Call(responses.OwnServer, "g", "", "")
	two.Answer("broken", true)
	one.Answer("done", false)

	second := responses.NewNormalizer(w)
	second.Spent = []byte(`{"input_tokens":10,"output_tokens":5,"total_tokens":15,"output_tokens_details":{"reasoning_tokens":2}}`)
	second.Event("response.created", []byte(`{"response":{"id":"y"}}`), 2)
	second.Event("response.completed", []byte(`{"response":{"status":"completed","output":[{"type":"message","id":"msg_1","content":"ok"}],"usage":{"input_tokens":1,"output_tokens":1}}}`), 2)
	require.NoError(t, w.Err())

	object := w.Object()
	var kinds []string
	for _, i := range rawjson.List(rawjson.Get(object, "output")) {
		kinds = append(kinds, rawjson.Text(rawjson.Get(i, "type"))+" "+rawjson.Text(rawjson.Get(i, "status")))
	}
	require.Equal(t, []string{"message completed", "mcp_call completed", "mcp_call failed", "message completed"}, kinds)
	require.JSONEq(t, `{"input_tokens":11,"output_tokens":6,"total_tokens":17,"input_tokens_details":{"cached_tokens":0},"output_tokens_details":{"reasoning_tokens":2}}`,
		string(rawjson.Get(object, "usage")))
}
