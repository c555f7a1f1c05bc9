package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadme runs the Python in the README and in docs/compatibility.md as it is,
// but for the address and the key.
func TestReadme(t *testing.T) {
	needPython(t)
	t.Parallel()
	s := databases()[0].launch(t, "--demo")
	for _, file := range []string{"README.md", "docs/compatibility.md"} {
		b, err := os.ReadFile(filepath.Join("..", "..", file))
		require.NoError(t, err)
		_, rest, ok := strings.Cut(string(b), "```python\n")
		require.True(t, ok, "%s has no Python", file)
		code, _, _ := strings.Cut(rest, "```\n")
		require.Contains(t, code, "http://127.0.0.1:8080")
		code = strings.NewReplacer("http://127.0.0.1:8080", s.url, "rk_your_key", key).Replace(code)
		out, err := newest().run(t, code, []string{"ROTA_KEY=" + key})
		var wrong []string
		if err != nil || file == "README.md" && !strings.Contains(out, "completed") {
			wrong = []string{out}
		}
		judge(t, "the Python in "+file, wrong)
	}
}
