package generators

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSchemathesis sends what the document allows and what it does not, the same
// on every run, and holds each answer against the document.
func TestSchemathesis(t *testing.T) {
	bin := python(t)
	url := serve(t)
	args := []string{
		"--config-file", absolute(t, "testdata", "python", "schemathesis.toml"), "run", document(t), "--url", url, "-H", "Authorization: Bearer " + key,
		"--phases", "examples,fuzzing", "--exclude-checks", strings.Join(unmade(t), ","),
		"--max-examples", "20", "--generation-deterministic", "--no-shrink",
		"--generation-allow-x00", "false", // no schema can say that a text has none
		"--continue-on-failure", "--no-color", "--warnings", "off",
	}
	out, err := try(t, t.TempDir(), nil, filepath.Join(bin, "schemathesis"), args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// unmade returns the checks that explained.md leaves out, with its reasons.
func unmade(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("explained.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## schemathesis\n")
	var checks []string
	for _, m := range regexp.MustCompile("(?m)^- `([^`]+)`").FindAllStringSubmatch(section, -1) {
		checks = append(checks, m[1])
	}
	return checks
}
