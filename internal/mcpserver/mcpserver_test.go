package mcpserver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/mcpserver"
)

// connect connects a client to the tools of an API.
func connect(t *testing.T, api http.HandlerFunc) *mcp.ClientSession {
	t.Helper()
	document, err := os.ReadFile("../../docs/openapi.json")
	require.NoError(t, err)
	h, err := mcpserver.New(document, api)
	require.NoError(t, err)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: s.URL}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = session.Close() })
	return session
}

// TestTools: each tool is in the table of docs/mcp.md, which says of it what it says of
// itself, and has a schema that refers to no other.
func TestTools(t *testing.T) {
	s := connect(t, nil)
	page, err := os.ReadFile("../../docs/mcp.md")
	require.NoError(t, err)
	word := map[bool]string{true: "yes", false: "no"}
	for tool, err := range s.Tools(t.Context(), nil) {
		require.NoError(t, err)
		a := tool.Annotations
		said := fmt.Sprintf("| %s | %s | %s |", word[a.ReadOnlyHint], word[*a.DestructiveHint], word[a.IdempotentHint])
		var row string
		for line := range strings.Lines(string(page)) {
			if strings.HasPrefix(line, "| `") && strings.Contains(line, "`"+tool.Name+"`") {
				row = strings.TrimSpace(line)
			}
		}
		require.True(t, strings.HasSuffix(row, said), "%s: %q must end with %q", tool.Name, row, said)
		text, err := json.Marshal(tool.InputSchema)
		require.NoError(t, err)
		require.NotContains(t, string(text), "$ref", tool.Name)
		require.Less(t, len(text), 10_000, tool.Name)
		require.True(t, strings.HasSuffix(tool.Description, "."), tool.Description)
	}
}

// TestRequests: where each argument of a tool goes.
func TestRequests(t *testing.T) {
	var got string
	s := connect(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = strings.TrimSpace(fmt.Sprint(r.Method, " ", r.URL, " ", r.Header.Get("If-Match"), r.Header.Get("Idempotency-Key"), " ", string(body)))
		if r.URL.Query().Get("limit") == "100" {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		}
	})
	for _, c := range []struct {
		tool string
		args map[string]any
		want string
	}{
		{"list_agents", map[string]any{"limit": 5, "deleted": true, "metadata": map[string]string{"a b": "c"}}, "GET /api/v1/agents?deleted=true&limit=5&metadata%5Ba+b%5D=c"},
		{"get_agent", map[string]any{"agent_id": "a/b?c"}, "GET /api/v1/agents/a%2Fb%3Fc"},
		{
			"update_agent_schedule",
			map[string]any{"agent_id": "a", "schedule_id": "s", "if_match": "3", "name": nil},
			`POST /api/v1/agents/a/schedules/s 3 {"name":null}`,
		},
		{"trigger_agent_schedule", map[string]any{"agent_id": "a", "schedule_id": "s", "idempotency_key": "once"}, "POST /api/v1/agents/a/schedules/s/trigger once"},
	} {
		r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: c.tool, Arguments: c.args})
		require.NoError(t, err)
		require.False(t, r.IsError)
		require.Equal(t, c.want, got)
	}
	r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "list_runs", Arguments: map[string]any{"limit": 100}})
	require.NoError(t, err)
	require.True(t, r.IsError)
	require.Equal(t, "the answer has more than 524288 bytes: ask for less, as with limit", r.Content[0].(*mcp.TextContent).Text)
}

// A handler that gives up with a panic, as net/http lets it, ends a call and not the process.
func TestAnswersThatBreakOff(t *testing.T) {
	s := connect(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "{")
		panic(http.ErrAbortHandler)
	})
	for range 2 {
		r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "list_agents"})
		require.NoError(t, err)
		require.True(t, r.IsError)
		require.Equal(t, "the answer broke off: what came of it is not known", r.Content[0].(*mcp.TextContent).Text)
	}
}
