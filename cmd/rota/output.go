package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rota-run/rota"
)

// A line is one line of a card: a name and what it is.
type line struct{ name, value string }

// A column is one column of a table.
type column[T any] struct {
	head string
	cell func(T) string
}

// show returns a function that takes what a call returned, and prints it: as a
// card, or as the server sent it. The call must have the options s.call.
//
//	return show(s, runCard)(s.Runs.Get(ctx, agent, id, s.call...))
func show[T any](s *session, card func(T) []line) func(T, error) error {
	return func(v T, err error) error {
		switch {
		case err != nil:
			return err
		case s.json:
			return printJSON(s.out, s.answer)
		}
		return printCard(s.out, card(v))
	}
}

// deleted prints the answer to a deletion.
func deleted[ID ~string](d rota.Deleted[ID]) []line { return []line{{"deleted", string(d.ID)}} }

// printJSON writes the JSON as it is but for white space.
func printJSON(w io.Writer, raw []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(raw), "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

// printCard writes two columns, and leaves out what is empty.
func printCard(w io.Writer, card []line) error {
	width := 0
	for _, l := range card {
		if l.value != "" {
			width = max(width, len(l.name))
		}
	}
	var b strings.Builder
	for _, l := range card {
		name := l.name
		for part := range strings.Lines(l.value) {
			text := fmt.Sprintf("%-*s  %s", width, name, clean(part))
			b.WriteString(strings.TrimRight(text, " ") + "\n")
			name = ""
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printTable writes aligned columns under their heads.
func printTable[T any](w io.Writer, columns []column[T], rows []T) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, c := range columns {
		fmt.Fprint(t, c.head, separator(i, len(columns)))
	}
	for _, row := range rows {
		for i, c := range columns {
			fmt.Fprint(t, cell(c.cell(row), i == len(columns)-1), separator(i, len(columns)))
		}
	}
	return t.Flush()
}

// tableText returns what printTable writes, or nothing if there are no rows.
func tableText[T any](columns []column[T], rows []T) string {
	var b strings.Builder
	if len(rows) > 0 {
		_ = printTable(&b, columns, rows) // a Builder takes all
	}
	return b.String()
}

func separator(i, columns int) string {
	if i == columns-1 {
		return "\n"
	}
	return "\t"
}

// maxCell is the most characters of a text that a table shows; ids and spans of
// time are shorter. The last column has room for more.
const maxCell = 64

func cell(s string, last bool) string {
	s = clean(s)
	switch {
	case s == "":
		return "-"
	case !last && utf8.RuneCountInString(s) > maxCell:
		return string([]rune(s)[:maxCell-1]) + "…"
	}
	return s
}

// clean makes text of others safe to show: it cannot move the cursor or begin
// a line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// prose is clean for text of several lines.
func prose(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

// stamp returns a time to the second, or nothing.
func stamp(i *rota.Instant) string {
	if i == nil {
		return ""
	}
	return i.UTC().Format(time.RFC3339)
}

// text returns a string that may be null.
func text[S ~string](s *S) string {
	if s == nil {
		return ""
	}
	return string(*s)
}

// anyText returns the text of JSON that is a string, and other JSON as it is.
func anyText(a rota.Any) string {
	var s string
	switch {
	case a.IsZero(), string(a.RawMessage) == "null":
		return ""
	case json.Unmarshal(a.RawMessage, &s) == nil:
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, a.RawMessage) != nil {
		return string(a.RawMessage)
	}
	return b.String()
}

// metadataText returns one line per note.
func metadataText(m map[string]string) string {
	var b strings.Builder
	for _, k := range sorted(m) {
		fmt.Fprintf(&b, "%s=%s\n", clean(k), clean(m[k]))
	}
	return b.String()
}
