package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/rawjson"
)

// takes makes the model refuse more than so many items.
func (s *server) takes(most int) {
	s.models.server.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		if len(rawjson.List(rawjson.Get(c.Body, "input"))) > most {
			gatewaytest.Status(http.StatusBadRequest, nil, `{"error":{"message":"the prompt is too long for this model","code":"context_length_exceeded"}}`)(w, r, c)
			return
		}
		gatewaytest.Text("done")(w, r, c)
	})
}

// TestTruncation: what is too long is asked again without the oldest turns, if its caller
// wants that.
func TestTruncation(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	previous := ""
	for range 8 {
		previous = c.create(`{"model":"test/m","input":"turn","previous_response_id":"` + previous + `"}`)["id"].(string)
	}
	s.takes(6)
	long := `{"model":"test/m","input":[{"role":"developer","content":"Be brief."},{"role":"user","content":"last"}],"previous_response_id":"` + previous + `"`
	for _, body := range []string{long + `}`, long + `,"truncation":"disabled"}`} {
		refused := c.send(http.MethodPost, responsesPath, body).is(http.StatusBadRequest).failure()
		require.Equal(t, rota.ContextTooLong, refused.Code)
	}
	require.Equal(t, "truncation", *c.send(http.MethodPost, responsesPath, long+`,"truncation":"some"}`).is(http.StatusBadRequest).failure().Param)
	before := s.models.server.Total()
	r := c.create(long + `,"truncation":"auto"}`)
	require.Equal(t, "completed", r["status"])
	require.Equal(t, "auto", r["truncation"])
	require.Equal(t, before+3, s.models.server.Total(), "16 items, then 8, then 4 before its own")
	calls := s.models.server.Calls()
	keys := map[string]bool{}
	for _, call := range calls[before:] {
		keys[call.IdempotencyKey()] = true
	}
	require.Len(t, keys, 3, "each question has a key of its own")
	record, err := s.store.Reader().StoredResponse(t.Context(), rota.Owner{Account: "acme"}, rota.ResponseID(r["id"].(string)))
	require.NoError(t, err)
	require.Equal(t, []string{"the oldest 6 of 8 earlier turns"}, record.NotSent)
	steps, err := s.store.Reader().ResponseSteps(t.Context(), record.ID)
	require.NoError(t, err)
	require.Equal(t, []rota.StepKind{rota.StepAsked, rota.StepAsked, rota.StepAsked, rota.StepItems, rota.StepEnd}, kinds(steps))

	next := c.create(`{"model":"test/m","input":"next","truncation":"auto","previous_response_id":"` + r["id"].(string) + `"}`)
	require.Equal(t, "completed", next["status"], "nothing is taken out of what is kept")
	told := s.models.asked(t)
	require.Contains(t, string(told[len(told)-1]["input"]), "Be brief.", "what says how to answer holds on")
}

// TestTruncationOfAnInput: a caller who keeps his own turns sends them all.
func TestTruncationOfAnInput(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	s.takes(5)
	items := []string{`{"role":"system","content":"Be brief."}`}
	for range 6 {
		items = append(items, `{"role":"user","content":"Hi"}`, `{"role":"assistant","content":"Hello"}`)
	}
	items = append(items, `{"role":"user","content":"What is it?"}`, `{"type":"function_call","call_id":"call_1","name":"f","arguments":"{}"}`,
		`{"type":"function_call_output","call_id":"call_1","output":"it"}`)
	r := c.create(`{"model":"test/m","store":false,"truncation":"auto","input":[` + strings.Join(items, ",") + `]}`)
	require.Equal(t, "completed", r["status"])
	asked := s.models.asked(t)
	var told []map[string]any
	require.NoError(t, json.Unmarshal(asked[len(asked)-1]["input"], &told))
	require.Equal(t, "system", told[0]["role"])
	require.Equal(t, []any{"What is it?", nil, nil}, []any{told[len(told)-3]["content"], told[len(told)-2]["content"], told[len(told)-1]["content"]}, "a call is not parted from its output")

	s.takes(1)
	refused := c.send(http.MethodPost, responsesPath, `{"model":"test/m","truncation":"auto","input":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`).
		is(http.StatusBadRequest).failure()
	require.Equal(t, rota.ContextTooLong, refused.Code, "what was asked last is never left out")
}

func kinds(steps []rota.ResponseStep) (all []rota.StepKind) {
	for _, s := range steps {
		all = append(all, s.Kind)
	}
	return all
}
