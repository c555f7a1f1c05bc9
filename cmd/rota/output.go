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
			return s.printJSON(s.answer)
		case len(s.fields) > 0:
			if _, err := pick([]json.RawMessage{s.answer}, s.fields); err != nil {
				return err
			}
			return printCard(s.out, s.width, fieldCard(s.answer, s.fields))
		}
		return printCard(s.out, s.width, card(v))
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

// printCard writes two columns, and leaves out what is empty. Where a line is longer
// than the width, if there is one, its value goes on below.
func printCard(w io.Writer, width int, card []line) error {
	column := 0
	for _, l := range card {
		if l.value != "" {
			column = max(column, len(l.name))
		}
	}
	var b strings.Builder
	for _, l := range card {
		for _, text := range l.laidOut(column, width) {
			b.WriteString(strings.TrimRight(text, " ") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const (
	minColumn = 24 // what the second column of a card has room for at least, or its values stand below their names
	indent    = 2  // of those
)

// laidOut returns the line of a card in two columns, or with its value below the name
// where the second column is too narrow for it.
func (l line) laidOut(column, width int) []string {
	left, fits := column+indent, true
	var parts []string
	for part := range strings.Lines(l.value) {
		part = strings.TrimRight(clean(part), " ")
		parts = append(parts, part)
		fits = fits && utf8.RuneCountInString(part) <= width-left
	}
	var out []string
	if width > 0 && !fits && (width-left < minColumn || longestWord(parts) > width-left) {
		left = indent
		out = append(out, l.name)
	}
	for _, part := range parts {
		for _, text := range fold(part, width-left) {
			out = append(out, strings.Repeat(" ", left)+text)
		}
	}
	if left > indent && len(out) > 0 {
		out[0] = fmt.Sprintf("%-*s", left, l.name) + out[0][left:]
	}
	return out
}

// printTable writes aligned columns under their heads. A table that is wider than
// the width, if there is one, becomes a card for each row.
func printTable[T any](w io.Writer, width int, columns []column[T], rows []T) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for i, c := range columns {
		fmt.Fprint(t, c.head, separator(i, len(columns)))
	}
	for _, row := range rows {
		for i, c := range columns {
			fmt.Fprint(t, cell(c.cell(row), i == len(columns)-1), separator(i, len(columns)))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if width > 0 && len(rows) > 0 && widest(b.String()) > width {
		return printCards(w, width, columns, rows)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printCards writes the rows of a table one below the other.
func printCards[T any](w io.Writer, width int, columns []column[T], rows []T) error {
	for i, row := range rows {
		var card []line
		for _, c := range columns {
			card = append(card, line{strings.ToLower(c.head), clean(c.cell(row))})
		}
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if err := printCard(w, width, card); err != nil {
			return err
		}
	}
	return nil
}

// tableText returns what printTable writes, or nothing if there are no rows.
func tableText[T any](columns []column[T], rows []T) string {
	var b strings.Builder
	if len(rows) > 0 {
		_ = printTable(&b, 0, columns, rows) // a Builder takes all
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
func stamp(i *rota.Instant) string { return stampIn(i, time.UTC) }

// stampIn is stamp on the clock of a zone.
func stampIn(i *rota.Instant, zone *time.Location) string {
	if i == nil {
		return ""
	}
	return i.In(zone).Format(time.RFC3339)
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
