package clients

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table in docs/compatibility.md")

const (
	tableBegins = "<!-- Written by go test ./test/clients -run Operations -update -->\n"
	tableEnds   = "<!-- The end of what is written -->\n"
)

// table says for each operation and version whether all its cases hold.
func table(lines []line) string {
	var b strings.Builder
	rows, cells := []string{}, map[[2]string]string{}
	flush := func() {
		for _, op := range rows {
			fmt.Fprintf(&b, "| `%s` |", op)
			for _, v := range versions {
				fmt.Fprintf(&b, " %s |", cells[[2]string{op, v.client}])
			}
			b.WriteString("\n")
		}
		rows = nil
	}
	group := ""
	for _, l := range lines {
		if l.Title != "" && l.Group != group {
			flush()
			group = l.Group
			b.WriteString(head(l.Title))
		}
		if l.Op == "" {
			continue
		}
		at := [2]string{l.Op, l.version}
		if !hasRow(rows, l.Op) {
			rows = append(rows, l.Op)
		}
		cells[at] = worse(cells[at], cell(l))
	}
	flush()
	return b.String()
}

func hasRow(rows []string, op string) bool {
	for _, r := range rows {
		if r == op {
			return true
		}
	}
	return false
}

func head(title string) string {
	b := "\n### " + title + "\n\n| operation |"
	for _, v := range versions {
		b += " " + v.client + " |"
	}
	return b + "\n|---|" + strings.Repeat("---|", len(versions)) + "\n"
}

// cell is what a case alone says of its operation.
func cell(l line) string {
	switch {
	case l.Outcome == "absent":
		return "–"
	case l.Outcome == "failed":
		return "not yet"
	case !l.Offered:
		return "501"
	}
	return "yes"
}

// worse is what two cases say together: one that fails counts most, and one that
// the version does not have says nothing of the others.
func worse(a, b string) string {
	for _, word := range []string{"not yet", "yes", "501", "–"} {
		if a == word || b == word {
			return word
		}
	}
	return ""
}

// goldenTable compares the table with the page.
func goldenTable(t *testing.T, got string) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "compatibility.md")
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(page), tableBegins)
	require.True(t, ok)
	was, after, ok := strings.Cut(rest, tableEnds)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+tableBegins+got+"\n"+tableEnds+after), 0o644))
		return
	}
	require.Equal(t, was, got+"\n", "docs/compatibility.md says otherwise; run with -update if this is meant")
}
