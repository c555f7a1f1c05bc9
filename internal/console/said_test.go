package console

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// TestSaid: items are messages, or folded with the result of their call; what is not known
// is shown as it is.
func TestSaid(t *testing.T) {
	response := rota.ResponseID("resp_1")
	var items []rota.ItemRecord
	for _, raw := range []string{
		`{"type":"message","role":"user","content":[{"type":"input_text","text":"How is <it>?"}]}`,
		`{"role":"user","content":"Well?"}`,
		`{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]}`,
		`{"type":"function_call","call_id":"c1","name":"look","arguments":"{}"}`,
		`{"type":"function_call_output","call_id":"c1","output":"sunny"}`,
		`{"type":"function_call_output","call_id":"c0","output":[{"type":"input_text","text":"late"}]}`,
		`{"type":"mcp_call","server_label":"mail","name":"send","arguments":"{}","output":null,"error":"refused"}`,
		`{"type":"mcp_list_tools","server_label":"mail","tools":[{"name":"send"},{"name":"read"}]}`,
		`{"type":"mcp_approval_request","server_label":"mail","name":"send","arguments":"{}"}`,
		`{"type":"mcp_approval_response","approve":true}`,
		`{"type":"web_search_call","name":7}`,
		`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"` + strings.Repeat("é", maxSaid) + `"}]}`,
		`{"type":"message","role":"user","content":[{"type":"input_image","image_url":"data:x"}]}`,
	} {
		items = append(items, rota.ItemRecord{Response: &response, Raw: json.RawMessage(raw)})
	}
	items[0].Response = nil
	all := saidIn(items, map[rota.ResponseID]rota.RunID{response: "arun_1"})
	var have []string
	for _, s := range all {
		text, _, _ := strings.Cut(s.Text, "é")
		have = append(have, s.Who+s.Title+": "+text+s.Result)
	}
	require.Equal(t, []string{
		"user: How is <it>?", "user: Well?", "Reasoning: hm", "Call of look: {}sunny", "Result of a call: late", "Call of mail.send: {}refused",
		"Tools of mail: send, read", "An approval was asked for: mail.send: {}", `Approved: {"type":"mcp_approval_response","approve":true}`,
		`web search call: {"type":"web_search_call","name":7}`, "assistant: ",
		`user: {"type":"message","role":"user","content":[{"type":"input_image","image_url":"data:x"}]}`,
	}, have)
	require.Equal(t, []bool{false, true, false}, []bool{all[0].Begins, all[1].Begins, all[2].Begins})
	require.Equal(t, rota.RunID("arun_1"), all[1].Run)
	require.Contains(t, all[10].Text, "the API has the rest")
	require.LessOrEqual(t, len(all[10].Text), maxSaid+40)
}
