package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/rota-run/rota"
)

// printJSON writes an answer as it is but for white space: with --fields only these of it,
// or of what it lists, and with --output jsonl what it lists line by line.
func (s *session) printJSON(raw []byte) error {
	rows, isList := listed(raw)
	if len(s.fields) > 0 {
		some := rows
		if !isList {
			some = []json.RawMessage{raw}
		}
		picked, err := pick(some, s.fields)
		if err != nil {
			return err
		}
		if rows = picked; !isList {
			raw = picked[0]
		}
	}
	switch {
	case s.lines && isList:
		return printLines(s, rows)
	case s.lines:
		return printLines(s, []json.RawMessage{raw})
	case isList && len(s.fields) > 0:
		var err error
		if raw, err = withRows(raw, rows); err != nil {
			return err
		}
	}
	return printJSON(s.out, raw)
}

func printLines(s *session, rows []json.RawMessage) error {
	var b bytes.Buffer
	for _, row := range rows {
		if err := json.Compact(&b, row); err != nil {
			return err
		}
		b.WriteByte('\n')
	}
	_, err := s.out.Write(b.Bytes())
	return err
}

// listed returns what a list has.
func listed(raw []byte) ([]json.RawMessage, bool) {
	var l struct {
		Object string            `json:"object"`
		Data   []json.RawMessage `json:"data"`
	}
	err := json.Unmarshal(raw, &l)
	return l.Data, err == nil && l.Object == "list" && l.Data != nil
}

// withRows returns a list with other rows.
func withRows(raw []byte, rows []json.RawMessage) ([]byte, error) {
	var l map[string]json.RawMessage
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, err
	}
	l["data"] = rota.AnyOf(rows).RawMessage
	return json.Marshal(l)
}

// pick returns objects with these fields alone; b.c is the field c of the field b. One that
// none of the objects has is an error.
func pick(rows []json.RawMessage, fields []string) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, len(rows))
	found := make(map[string]bool)
	for i, row := range rows {
		object := map[string]any{}
		for _, f := range fields {
			value, ok := field(row, f)
			found[f] = found[f] || ok
			set(object, strings.Split(f, "."), value)
		}
		out[i] = rota.AnyOf(object).RawMessage
	}
	for _, f := range fields {
		if len(rows) > 0 && !found[f] {
			return nil, usagef("--fields: there is no field %q; there are %s", f, strings.Join(fieldNames(rows[0]), ", "))
		}
	}
	return out, nil
}

// field returns a field of an object, however deep; null if there is none.
func field(raw json.RawMessage, path string) (json.RawMessage, bool) {
	for name := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil || object[name] == nil {
			return json.RawMessage("null"), false
		}
		raw = object[name]
	}
	return raw, true
}

// set puts a value into an object, under a path.
func set(object map[string]any, path []string, value json.RawMessage) {
	for ; len(path) > 1; path = path[1:] {
		inner, ok := object[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[path[0]] = inner
		}
		object = inner
	}
	object[path[0]] = value
}

func fieldNames(raw json.RawMessage) []string {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(object))
}

// fieldColumns are the columns of a table of these fields.
func fieldColumns(fields []string) []column[json.RawMessage] {
	columns := make([]column[json.RawMessage], len(fields))
	for i, f := range fields {
		columns[i] = column[json.RawMessage]{strings.ToUpper(f), func(row json.RawMessage) string { return fieldText(row, f) }}
	}
	return columns
}

// fieldCard is a card of these fields of an object.
func fieldCard(raw json.RawMessage, fields []string) []line {
	card := make([]line, len(fields))
	for i, f := range fields {
		card[i] = line{f, fieldText(raw, f)}
	}
	return card
}

// fieldText returns a field as a person reads it: a text without quotes, and no null.
func fieldText(raw json.RawMessage, path string) string {
	value, _ := field(raw, path)
	var text *string
	if json.Unmarshal(value, &text) == nil {
		if text == nil {
			return ""
		}
		return *text
	}
	return string(value)
}
