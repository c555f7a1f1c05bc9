package models

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
)

const assistants = "testdata/assistants"

// TestAssistants: programs that speak the Model Context Protocol use Rota's tools: its
// official Python client, and the command line of its inspector.
func TestAssistants(t *testing.T) {
	s := rotaWith(t, "providers:\n  - {name: away, base_url: http://127.0.0.1:9, protocol: responses}\n")
	agent := s.call("POST", "/agents", object{"name": "Reporter", "model": "any"})["id"].(string)
	packages, err := os.ReadFile(filepath.Join(assistants, "requirements.txt"))
	require.NoError(t, err)
	succeeds(t, prereqtest.Python(t, "mcp", string(packages)), filepath.Join(assistants, "mcp_python.py"), s.url, agent)

	modules := filepath.Join(prereqtest.NodeModules(t, "inspector", assistants), "node_modules")
	inspect := func(args ...string) (v object) {
		t.Helper()
		args = append([]string{filepath.Join(modules, ".bin", "mcp-inspector"), "--cli", s.url + "/mcp", "--transport", "http", "--header", "Authorization: Bearer " + rotaKey}, args...)
		cmd := exec.CommandContext(t.Context(), nodeOf(t, modules), args...)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // where it keeps what it was told
		out, err := cmd.Output()
		require.NoError(t, err, "%s", out)
		require.NoError(t, json.Unmarshal(out, &v), "%s", out)
		return v
	}
	require.Len(t, inspect("--method", "tools/list")["tools"], 20)
	answer := inspect("--method", "tools/call", "--tool-name", "list_schedules", "--tool-arg", "limit=1", "name=Mornings")
	require.Contains(t, answer["content"].([]any)[0].(object)["text"], "Europe/Madrid")
	require.NotEqual(t, true, answer["isError"])
}
