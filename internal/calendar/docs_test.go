package calendar

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rota-run/rota"
)

// docTable returns the rows of the table under a heading of docs/calendar.md,
// without the marks of code.
func docTable(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/calendar.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, table, _ := strings.Cut(section, "|---")
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		var row []string
		for _, cell := range strings.Split(strings.Trim(line, "|\n"), "|") {
			row = append(row, strings.TrimSpace(strings.ReplaceAll(cell, "`", "")))
		}
		rows = append(rows, row)
	}
	if len(rows) < 20 {
		t.Fatalf("the table of %q has only %d rows", heading, len(rows))
	}
	return rows
}

func TestPublishedVectors(t *testing.T) {
	for _, row := range docTable(t, "Test vectors") {
		spec, anchor := publishedSpec(t, row[0], row[1])
		cal := mustParse(t, spec, anchor)
		at := instantAt(t, row[2])
		for _, want := range strings.Fields(row[3]) {
			next, ok := cal.Next(at)
			if want == "none" && !ok {
				break
			}
			if want == "none" || !ok || !next.Equal(instantAt(t, want)) {
				t.Errorf("%s in %s after %s: got %s, %t, want %s", row[0], row[1], at.Format(time.RFC3339), next, ok, want)
			}
			at = next
		}
	}
}

// publishedSpec reads "cron 0 9 * * *", "once 2026-12-01T09:00" and
// "interval 90 set 2026-01-01T00:00:00Z" or "interval 90 start_at 2026-01-01T00:00".
func publishedSpec(t *testing.T, text, zone string) (spec rota.Spec, anchor time.Time) {
	t.Helper()
	kind, rest, _ := strings.Cut(text, " ")
	spec = rota.Spec{Type: rota.SpecType(kind), Timezone: zone}
	switch spec.Type {
	case rota.Once:
		spec.RunAt = rest
	case rota.Cron:
		spec.CronExpression = rest
	case rota.Interval:
		words := strings.Fields(rest)
		n, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		spec.IntervalSeconds = n
		switch words[1] {
		case "set":
			anchor = instantAt(t, words[2])
		case "start_at":
			spec.StartAt = words[2]
		}
	}
	return spec, anchor
}

func TestPublishedRefusals(t *testing.T) {
	for _, row := range docTable(t, "What is refused") {
		_, err := Parse(cronSpec(row[0], ""), time.Time{})
		if msg := requireInvalid(t, err, expressionField); msg != row[1] {
			t.Errorf("%q:\n got %s\nwant %s", row[0], msg, row[1])
		}
	}
}
