package httpapi_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

const compactPath = responsesPath + "/compact"

// told returns the items that the model was asked last.
func (s *server) told() (items []map[string]any) {
	s.t.Helper()
	asked := s.models.asked(s.t)
	require.NoError(s.t, json.Unmarshal(asked[len(asked)-1]["input"], &items))
	return items
}

// TestCompact: a model sums up a conversation, and the next response begins with the
// summary, whether its caller or Rota keeps the turns.
func TestCompact(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	s.models.server.Script(gatewaytest.Text("Hello Ada"), gatewaytest.Text("The user is Ada."))
	first := c.create(`{"model":"test/m","input":"I am Ada."}`)
	r := c.send(http.MethodPost, compactPath, `{"model":"test/m","input":"Who am I?","previous_response_id":"`+first["id"].(string)+`","instructions":"Look to names."}`).is(http.StatusOK).object()
	require.Equal(t, "response.compaction", r["object"])
	require.NotZero(t, r["usage"].(map[string]any)["total_tokens"])
	output := r["output"].([]any)
	require.Len(t, output, 1)
	item := output[0].(map[string]any)
	require.Equal(t, []any{"compaction", "The user is Ada.", "test/m"}, []any{item["type"], item["content"], item["created_by"]})
	require.NotEmpty(t, item["encrypted_content"])
	items := s.told()
	require.Len(t, items, 4, "what came before, what is new, and that it is to be summed up")
	asked := s.models.asked(t)
	require.Contains(t, string(asked[1]["instructions"]), "Look to names.")
	c.send(http.MethodGet, responsesPath+"/"+r["id"].(string), "").is(http.StatusNotFound)

	for name, given := range map[string]string{
		"as it came":             string(must(json.Marshal(item))),
		"as the vendor types it": `{"type":"compaction","id":"cmp_1","content":"The user is Ada."}`,
		"as OpenAI types it":     `{"type":"compaction","id":"cmp_1","encrypted_content":"` + item["encrypted_content"].(string) + `"}`,
	} {
		next := c.create(`{"model":"test/m","input":[{"role":"developer","content":"Be brief."},{"role":"user","content":"old"},` + given + `,{"role":"user","content":"And now?"}]}`)
		items := s.told()
		require.Len(t, items, 3, name)
		require.Equal(t, "Be brief.", items[0]["content"], "what says how to answer holds on: %s", name)
		require.Contains(t, items[1]["content"], "The user is Ada.", name)
		require.Equal(t, "And now?", items[2]["content"], name)
		c.create(`{"model":"test/m","input":"Later","previous_response_id":"` + next["id"].(string) + `"}`)
		items = s.told()
		require.Len(t, items, 5, name)
		require.Contains(t, items[1]["content"], "The user is Ada.", name)
	}
	kept := c.send(http.MethodGet, responsesPath+"/"+first["id"].(string)+"/input_items", "").is(http.StatusOK)
	require.Contains(t, string(kept.Body), "I am Ada.", "what is kept stays as it is")
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestCompactRefuses: what cannot be summed up, and a model that has not.
func TestCompactRefuses(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	for body, field := range map[string]string{
		`{"input":"Hi"}`:                                        "model",
		`{"model":"test/m"}`:                                    "input",
		`{"model":"other/m","input":"Hi"}`:                      "",
		`{"model":"test/m","input":"Hi","instructions":1}`:      "instructions",
		`{"model":"test/m","previous_response_id":"resp_none"}`: "previous_response_id",
		`{"model":"test/m","input":[{"type":"compaction"}]}`:    "input.0",
	} {
		f := c.send(http.MethodPost, compactPath, body)
		if field == "" {
			continue // any name goes to the only provider
		}
		require.Equal(t, field, *f.is(http.StatusBadRequest).failure().Param, body)
	}
	for _, reply := range []gatewaytest.Reply{
		gatewaytest.Text(""), gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Incomplete("resp_1", "The us", "max_output_tokens")),
		gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Failed("resp_1", "server_error", "it broke")),
	} {
		s.models.server.Script(reply)
		require.Equal(t, "model", *c.send(http.MethodPost, compactPath, `{"model":"test/m","input":"Hi"}`).is(http.StatusBadRequest).failure().Param)
	}
	first := c.create(`{"model":"test/m","input":"I am Ada."}`)["id"].(string)
	f := c.as("somebody").send(http.MethodPost, compactPath, `{"model":"test/m","previous_response_id":"`+first+`"}`).is(http.StatusBadRequest).failure()
	require.Equal(t, "previous_response_id", *f.Param, "what is another's does not exist")
}
