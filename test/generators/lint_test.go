package generators

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLinters: what linters find in the document is explained, each finding, and
// what they no longer find is no longer explained.
func TestLinters(t *testing.T) {
	bin := filepath.Join(node(t), "node_modules", ".bin")
	var found []string
	found = append(found, redocly(t, bin)...)
	found = append(found, spectral(t, bin)...)
	slices.Sort(found)
	held(t, slices.Compact(found), "lint")
}

// held compares findings with those that explained.md explains under a heading:
// the words in backticks that begin its list items.
func held(t *testing.T, found []string, heading string) {
	t.Helper()
	text, err := os.ReadFile("explained.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("explained.md has no heading %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var explained []string
	for _, m := range regexp.MustCompile("(?m)^- `([^`]+)`").FindAllStringSubmatch(section, -1) {
		explained = append(explained, m[1])
	}
	for _, f := range found {
		if !slices.Contains(explained, f) {
			t.Errorf("found, and not explained: %s", f)
		}
	}
	for _, e := range explained {
		if !slices.Contains(found, e) {
			t.Errorf("explained, and no longer found: %s", e)
		}
	}
}

// redocly returns what it finds, as "redocly rule".
func redocly(t *testing.T, bin string) []string {
	t.Helper()
	// It ends with 1 if it has found an error; what it prints is what counts.
	out, _ := try(t, t.TempDir(), []string{"REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true"}, filepath.Join(bin, "redocly"), "lint", "--format=json", document(t))
	var report struct {
		Problems []struct {
			RuleID string `json:"ruleId"`
		} `json:"problems"`
	}
	decode(t, out, '{', &report)
	var found []string
	for _, p := range report.Problems {
		found = append(found, "redocly "+p.RuleID)
	}
	return found
}

// spectral returns what it finds, as "spectral rule".
func spectral(t *testing.T, bin string) []string {
	t.Helper()
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(rules, []byte("extends: spectral:oas\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _ := try(t, dir, nil, filepath.Join(bin, "spectral"), "lint", "--quiet", "--format=json", "--ruleset", rules, document(t))
	var report []struct {
		Code string `json:"code"`
	}
	decode(t, out, '[', &report)
	var found []string
	for _, p := range report {
		found = append(found, "spectral "+p.Code)
	}
	return found
}

// decode reads the first JSON value of what a program printed.
func decode(t *testing.T, out string, begin byte, v any) {
	t.Helper()
	i := strings.IndexByte(out, begin)
	if i < 0 {
		t.Fatalf("it printed no report:\n%s", out)
	}
	if err := json.NewDecoder(strings.NewReader(out[i:])).Decode(v); err != nil {
		t.Fatalf("%v in:\n%s", err, out)
	}
}
