package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/prereqtest"
)

// TestManPages: every command has a page with its flags, in which mandoc finds no
// error.
func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	got := rotaCmd("", "man", dir)
	require.Equal(t, exitOK, got.code, got.err)
	for _, n := range walk(model(t)) {
		b, err := os.ReadFile(filepath.Join(dir, pageName(n)+".1"))
		require.NoError(t, err)
		for _, f := range n.Flags {
			if !f.Hidden {
				require.Contains(t, string(b), roff("--"+f.Name), path(n))
			}
		}
	}
	prereqtest.Program(t, "mandoc")
	all, err := filepath.Glob(filepath.Join(dir, "*.1"))
	require.NoError(t, err)
	out, err := exec.Command("mandoc", append([]string{"-T", "lint", "-W", "error"}, all...)...).CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestRoffShowsTextAsItIs(t *testing.T) {
	require.Equal(t, `a\-b \e \(aq`, roff(`a-b \ '`))
	require.Equal(t, "\\&.x", roff(".x"))
}
