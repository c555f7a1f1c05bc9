package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// TestResearchWithMemory is a chain of runs that remember nothing but what they have written
// down: each reads the note of the run before, and adds a line. The server is killed between
// them. It is the recipe of docs/tools.md.
func TestResearchWithMemory(t *testing.T) {
	t.Parallel()
	model := gatewaytest.New(t)
	model.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		run := c.Metadata()["rota_run_id"]
		step := bytes.Count(c.Body, []byte(`"function_call_output"`))
		call := func(arguments map[string]any) {
			text, _ := json.Marshal(arguments)
			item, _ := json.Marshal(map[string]any{"type": "function_call", "id": "fc_" + strconv.Itoa(step), "call_id": "call_" + strconv.Itoa(step), "name": "memory", "arguments": string(text)})
			gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Data(`{"type":"response.completed","response":{"id":"resp_1","object":"response","created_at":1,`+
				`"status":"completed","model":"test","output":[`+string(item)+`],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}`))(w, r, c)
		}
		switch step {
		case 0:
			call(map[string]any{"action": "read", "path": "findings.md"})
		case 1:
			call(map[string]any{"action": "write", "path": "findings.md", "content": noteOf(c.Body) + "found by " + run + "\n"})
		default:
			gatewaytest.Text("noted")(w, r, c)
		}
	})
	dir, flags := t.TempDir(), []string{"--model-url", model.URL, "--log-level", "warn"}
	s := start(t, dir, flags...)
	store, err := s.client().MemoryStores.Create(t.Context(), rota.MemoryStoreCreate{Name: "Research", Instructions: rota.Some("findings.md has a line for each finding.")})
	require.NoError(t, err)
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "Researcher", Model: "any", Tools: []rota.Object{
		rota.Object(rota.AnyOf(map[string]any{"type": "memory", "memory_store_id": store.ID})),
	}})
	require.NoError(t, err)
	var runs []rota.RunID
	want := ""
	for range 3 {
		r, err := s.client().Runs.Create(t.Context(), agent.ID, rota.RunCreate{Input: rota.InputText("look for news")})
		require.NoError(t, err)
		awaitNoOpenRuns(t, s)
		runs = append(runs, r.ID)
		want += fmt.Sprintf("found by %s\n", r.ID)
		require.Error(t, s.stop(syscall.SIGKILL))
		s = start(t, dir, flags...)
	}
	notes, err := s.client().MemoryStores.Entries(t.Context(), store.ID, rota.Page{})
	require.NoError(t, err)
	require.Len(t, notes.Data, 1)
	require.Equal(t, want, notes.Data[0].Content)
	last, err := s.client().Runs.Get(t.Context(), agent.ID, runs[2])
	require.NoError(t, err)
	require.Equal(t, rota.RunCompleted, last.Status, last.Error)
	require.Contains(t, string(last.GatewayResponse.RawMessage), `"server_label":"rota"`, "its calls are no business of whoever reads the answer")

	// Nobody else reaches the notes, and a response may be let read them alone.
	_, err = client.New(s.url, key, client.OnBehalfOf("ana")).MemoryStores.Entries(t.Context(), store.ID, rota.Page{})
	require.ErrorIs(t, err, rota.NotFound)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/llm/responses",
		strings.NewReader(fmt.Sprintf(`{"model":"any","input":"go on","tools":[{"type":"memory","memory_store_id":%q,"access":"read_only"}]}`, store.ID)))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	calls := model.Calls()
	require.Contains(t, string(calls[len(calls)-1].Body), "the notes can only be read")
	notes, err = s.client().MemoryStores.Entries(t.Context(), store.ID, rota.Page{})
	require.NoError(t, err)
	require.Equal(t, want, notes.Data[0].Content)
}

// noteOf returns the content of the note that a model was told last.
func noteOf(body []byte) string {
	var asked struct {
		Input []struct{ Type, Output string }
	}
	_ = json.Unmarshal(body, &asked)
	var note struct{ Content string }
	for _, i := range asked.Input {
		if i.Type == "function_call_output" {
			_ = json.Unmarshal([]byte(i.Output), &note)
		}
	}
	return note.Content
}
