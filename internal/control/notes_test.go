package control_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/control"
)

// A noter is a run that has the tool memory.
type noter struct {
	*world
	owner rota.Owner
	tool  answer.Tool
}

// says calls the tool, twice, as after a crash: what it then answers and leaves is the same.
func (n noter) says(arguments string) answer.Result {
	n.Helper()
	call := answer.Call{Turn: 1, Number: 1, Tool: n.tool, Arguments: arguments}
	from := answer.Caller{Owner: n.owner, ID: "arun_1"}
	first, err := n.CallOwn(n.Context(), from, call)
	require.NoError(n, err)
	second, err := n.CallOwn(n.Context(), from, call)
	require.NoError(n, err)
	require.Equal(n, first, second, arguments)
	return first
}

func (n noter) does(arguments string) map[string]any {
	n.Helper()
	r := n.says(arguments)
	require.Empty(n, r.Code, r.Output)
	var v map[string]any
	require.NoError(n, json.Unmarshal([]byte(r.Output), &v))
	return v
}

func (n noter) fails(arguments, why string) {
	n.Helper()
	r := n.says(arguments)
	require.Equal(n, answer.ResultFailed, r.Code, r.Output)
	require.Contains(n, r.Output, "Nothing was changed: "+why)
}

func (n noter) with(o rota.Owner, store rota.MemoryStoreID, more string) noter {
	n.Helper()
	tools, err := answer.ReadTools([]json.RawMessage{json.RawMessage(`{"type":"memory","memory_store_id":"` + string(store) + `"` + more + `}`)})
	require.NoError(n, err)
	n.owner, n.tool = o, tools["memory"]
	return n
}

func TestAnAgentKeepsNotes(t *testing.T) {
	n := noter{world: newWorld(t)}
	m, err := n.CreateMemoryStore(t.Context(), caller, body[rota.MemoryStoreCreate](t, `{"name":"Customers","instructions":"one each","visibility":"workspace"}`), control.Write{})
	require.NoError(t, err)
	n = n.with(caller.Owner, m.ID, "")
	require.Equal(t, map[string]any{"name": "Customers", "instructions": "one each", "paths": []any{}}, n.does(`{"action":"list"}`))
	written := n.does(`{"action":"write","path":"b/ada.md","content":"Prefers mornings."}`)
	n.does(`{"action":"write","path":"A","content":""}`)
	require.Equal(t, []any{"A", "b/ada.md"}, n.does(`{"action":"list"}`)["paths"])
	read := n.does(`{"action":"read","path":"b/ada.md"}`)
	require.Equal(t, map[string]any{"path": "b/ada.md", "content": "Prefers mornings.", "content_hash": written["content_hash"]}, read)

	hash := read["content_hash"].(string)
	n.does(`{"action":"write","path":"b/ada.md","content":"Prefers evenings.","if_match":"` + hash + `"}`)
	n.fails(`{"action":"write","path":"b/ada.md","content":"Prefers noon.","if_match":"`+hash+`"}`, "the note has the content_hash")
	n.fails(`{"action":"delete","path":"b/ada.md","if_match":"`+hash+`"}`, "the note has the content_hash")
	require.Equal(t, "Prefers evenings.", n.does(`{"action":"read","path":"b/ada.md"}`)["content"])
	require.Equal(t, true, n.does(`{"action":"delete","path":"b/ada.md"}`)["deleted"])
	n.fails(`{"action":"read","path":"b/ada.md"}`, "no such memory entry")
	n.fails(`{"action":"write","path":"b/ada.md","content":"x","if_match":"`+hash+`"}`, "there is no note under this path any more")
	n.fails(`{"action":"write","path":"","content":"x"}`, "path: must be")
	n.fails(`{"action":"write","path":"x","content":"`+strings.Repeat("x", rota.MaxMemoryContent+1)+`"}`, "content: must be")
	n.fails(`{"action":"write","path":"x","content":"a\u0000"}`, "content: must be")
	n.fails(`{"action":"erase"}`, "action: must be")
	n.fails(`[`, "the arguments must be")

	// Who reads what is shared writes nothing, and nobody reaches what others have.
	ana := rota.Owner{Account: caller.Owner.Account, EndUser: "ana"}
	n.with(caller.Owner, m.ID, `,"access":"read_only"`).fails(`{"action":"write","path":"x","content":"y"}`, "action: must be list or read")
	require.Equal(t, []any{"A"}, n.with(ana, m.ID, "").does(`{"action":"list"}`)["paths"])
	n.with(ana, m.ID, "").fails(`{"action":"write","path":"x","content":"y"}`, "this memory store is the account's")
	n.with(ana, m.ID, "").fails(`{"action":"delete","path":"A"}`, "this memory store is the account's")
	for _, action := range []string{"list", "write", "delete"} {
		n.with(rota.Owner{Account: "other"}, m.ID, "").fails(`{"action":"`+action+`","path":"A","content":""}`, "no such memory store")
	}
}

func TestMemoryOfAgents(t *testing.T) {
	w := newWorld(t)
	m, err := w.CreateMemoryStore(t.Context(), caller, rota.MemoryStoreCreate{Name: "n"}, control.Write{})
	require.NoError(t, err)
	for tool, field := range map[string]string{
		`{"type":"memory","memory_store_id":"` + string(m.ID) + `"}`: "",
		`{"type":"memory"}`:                           "tools.0.memory_store_id",
		`{"type":"memory","memory_store_id":"mem_1"}`: "tools.0.memory_store_id",
		`{"type":"memory","memory_store_id":"` + string(m.ID) + `","access":"all"}`: "tools.0.access",
	} {
		_, err := w.CreateAgent(t.Context(), caller, body[rota.AgentCreate](t, `{"name":"a","model":"mock/small","tools":[`+tool+`]}`), control.Write{})
		if field == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, rota.Invalid)
		require.Equal(t, field, rota.Public(err).Field)
	}
}
