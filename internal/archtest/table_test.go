package archtest

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/architecture.md")

const (
	architecture = "../../docs/architecture.md"
	tableHead    = "| this part | may import |\n|---|---|\n"
)

// TestGoldenTable: the rule that people read is the one that is held.
func TestGoldenTable(t *testing.T) {
	raw, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), tableHead)
	if !found {
		t.Fatalf("%s has no table of what may import what", architecture)
	}
	var after string
	if i := strings.Index(rest, "\n\n"); i >= 0 {
		after = rest[i+1:]
	}
	want := before + tableHead + rows(may) + after
	if *update {
		if err := os.WriteFile(architecture, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(raw) != want {
		t.Error("docs/architecture.md does not say what is held: run go test ./internal/archtest -update")
	}
}

func TestRows(t *testing.T) {
	got := rows(map[string][]string{".": {}, "internal/a": {"internal/c", "internal/b"}})
	want := "| the root package | – |\n| `internal/a` | `internal/b`, `internal/c` |\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func rows(rule map[string][]string) string {
	var b strings.Builder
	for _, from := range slices.Sorted(maps.Keys(rule)) {
		name, to := "the root package", "–"
		if from != "." {
			name = "`" + from + "`"
		}
		if len(rule[from]) > 0 {
			to = "`" + strings.Join(slices.Sorted(slices.Values(rule[from])), "`, `") + "`"
		}
		b.WriteString("| " + name + " | " + to + " |\n")
	}
	return b.String()
}
