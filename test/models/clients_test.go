package models

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/prereqtest"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// A client is a program that people have, unchanged, with a script that calls the gateway
// with it.
type client struct {
	name string
	run  func(t *testing.T, url, protocol string) // fails the test if the script fails
}

func clients() []client {
	return []client{
		{"openai-python", python("openai_python.py")},
		{"openai-node", node("openai_node.mjs")},
		{"openai-go", openaiGo},
		{"AI SDK", node("ai_sdk.mjs")},
		{"Agents SDK, Python", python("agents_python.py")},
		{"Agents SDK, Node", node("agents_node.mjs")},
	}
}

// TestClients: the clients that people have for OpenAI's API work with the gateway, with a
// real model behind it, in either protocol, on either database.
func TestClients(t *testing.T) {
	llama := llama(t, modelKey)
	slow := gatewaytest.New(t)
	slow.Default(gatewaytest.Stall(t.Context().Done(), gatewaytest.Created("resp_slow"), gatewaytest.Delta("It was")))
	for _, at := range []struct{ protocol, database string }{{"responses", "SQLite"}, {"chat", "SQLite"}, {"responses", "PostgreSQL"}, {"chat", "PostgreSQL"}} {
		t.Run(at.protocol+" on "+at.database, func(t *testing.T) {
			var env []string
			if at.database == "PostgreSQL" {
				env = append(env, "ROTA_DATABASE="+postgrestest.URL(t))
			}
			s := rotaWith(t, fmt.Sprintf(providers, llama, at.protocol, slow.URL), env...)
			for _, c := range clients() {
				t.Run(c.name, func(t *testing.T) { c.run(t, s.url, at.protocol) })
			}
		})
	}
}

// providers are those of the scripts: a model that answers, and one that never ends.
const providers = `
providers:
  - {name: llama, base_url: %s, key_env: MODEL_KEY, default_model: tiny, protocol: %s}
  - {name: slow, base_url: %s, protocol: responses}
`

const scripts = "testdata/clients"

func python(script string) func(*testing.T, string, string) {
	return func(t *testing.T, url, protocol string) {
		packages, err := os.ReadFile(filepath.Join(scripts, "requirements.txt"))
		require.NoError(t, err)
		succeeds(t, prereqtest.Python(t, "openai", string(packages)), filepath.Join(scripts, script), url, protocol)
	}
}

// node runs a script beside the modules that it needs, which bring Node where they can.
func node(script string) func(*testing.T, string, string) {
	return func(t *testing.T, url, protocol string) {
		modules, dir := filepath.Join(prereqtest.NodeModules(t, "openai", scripts), "node_modules"), t.TempDir()
		require.NoError(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
		text, err := os.ReadFile(filepath.Join(scripts, script))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, script), text, 0o600))
		succeeds(t, nodeOf(t, modules), filepath.Join(dir, script), url, protocol)
	}
}

// nodeOf returns the program that runs modules: the Node that they bring, or the machine's.
func nodeOf(t *testing.T, modules string) string {
	t.Helper()
	if brought, _ := filepath.Glob(filepath.Join(modules, "node-linux-*", "bin", "node")); len(brought) > 0 {
		return brought[0]
	}
	if err := exec.Command("node", "-e", "process.exit(parseInt(process.versions.node) < 22 ? 1 : 0)").Run(); err != nil {
		prereqtest.Missing(t, fmt.Errorf("no Node 22: %w", err))
	}
	return "node"
}

func succeeds(t *testing.T, program, script, url, last string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, script, url, rotaKey, last).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s: %s", filepath.Base(script), strings.TrimSpace(string(out)))
}

func openaiGo(t *testing.T, url, protocol string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	goScript{t, ctx, newOpenAI(url), protocol}.run()
}
