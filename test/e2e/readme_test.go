package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadme runs what the README tells people to paste, as it is but for the
// address and the key.
func TestReadme(t *testing.T) {
	path, err := binary()
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	s := start(t, t.TempDir(), "--demo")
	script := blocks(string(b), "sh")
	require.Contains(t, script, "http://127.0.0.1:8080\n")
	require.Contains(t, script, "rk_your_key")
	script = strings.NewReplacer("http://127.0.0.1:8080", s.url, "rk_your_key", key).Replace(script)

	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	require.NoError(t, os.Symlink(path, filepath.Join(dir, "bin", "rota")))
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ROTA_SERVER="+s.url)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, want := range []string{
		`"description":"every weekday at 09:05, Madrid time"`, `"response.completed"`, `"outcome":"fired"`,
		`"status":"completed"`, "every 1h30m", "holidays", "What is new?",
		"completed in ", "SCHEDULED FOR", "fired    manual", "total ",
	} {
		require.Contains(t, string(out), want)
	}
}

// blocks returns the code blocks of a language, one after the other.
func blocks(markdown, language string) string {
	var b strings.Builder
	in := false
	for line := range strings.Lines(markdown) {
		switch {
		case strings.HasPrefix(line, "```"):
			in = strings.TrimSpace(line) == "```"+language
		case in:
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestLinks looks for every file that the README and the documentation name.
func TestLinks(t *testing.T) {
	docs, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	require.NoError(t, err)
	examples, err := filepath.Glob(filepath.Join("..", "..", "examples", "*", "README.md"))
	require.NoError(t, err)
	for _, file := range slices.Concat(docs, examples, []string{filepath.Join("..", "..", "README.md")}) {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, part := range strings.Split(string(b), "](")[1:] {
			to, _, _ := strings.Cut(part, ")")
			to, _, _ = strings.Cut(to, "#")
			if to != "" && !strings.Contains(to, "://") {
				_, err := os.Stat(filepath.Join(filepath.Dir(file), to))
				require.NoError(t, err, "%s links to it", file)
			}
		}
	}
}
