package prereqtest

import (
	"os"
	"path/filepath"
	"testing"
)

// NodeModules returns a directory whose node_modules has what the package-lock.json in
// another directory names. It is made and kept like an [Environment]. It is [Missing]
// where there is no npm. No package's script runs.
func NodeModules(tb testing.TB, name, listed string) string {
	tb.Helper()
	Program(tb, "npm")
	text := ""
	for _, file := range []string{"package.json", "package-lock.json"} {
		part, err := os.ReadFile(filepath.Join(listed, file))
		if err != nil {
			tb.Fatal(err)
		}
		text += string(part)
	}
	dir, err := filled("rota-test-node", name, text, func(dir string) error {
		for _, file := range []string{"package.json", "package-lock.json"} {
			if err := command("cp", filepath.Join(listed, file), dir); err != nil {
				return err
			}
		}
		return command("npm", "ci", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund")
	})
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}
