package models

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
)

// examples returns the blocks of code in a page that are Python with a client.
func examples(t *testing.T, page string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	require.NoError(t, err)
	for block := range strings.SplitSeq(string(text), "\n\n") {
		var code []string
		for line := range strings.SplitSeq(block, "\n") {
			code = append(code, strings.TrimPrefix(line, "    "))
		}
		if strings.HasPrefix(block, "    ") && strings.Contains(block, "client.") {
			all = append(all, strings.Join(code, "\n"))
		}
	}
	return all
}

// TestTheExamplesOfTheGateway: what docs/gateway.md shows of openai-python works as it
// stands there, in one session.
func TestTheExamplesOfTheGateway(t *testing.T) {
	blocks := examples(t, "gateway.md")
	require.Len(t, blocks, 2)
	packages, err := os.ReadFile(filepath.Join(scripts, "requirements.txt"))
	require.NoError(t, err)
	python := prereqtest.Python(t, "openai", string(packages))
	s := rota(t, llama(t, modelKey), "ROTA_MODEL=tiny")
	const address = "http://127.0.0.1:8080"
	require.Contains(t, blocks[0], address)
	program := "ROTA_KEY = '" + rotaKey + "'\n" + strings.Replace(blocks[0], address, s.url, 1) + "\nlast = first\n" + blocks[1] +
		"\nassert first.output_text == '" + says + "' and short.output[0].type == 'compaction'\nprint('said')\n"
	out, err := exec.CommandContext(t.Context(), python, "-c", program).CombinedOutput()
	require.NoError(t, err, "%s\n%s", program, out)
	require.Equal(t, "said\n", string(out))
}
