package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rota-run/rota"
)

// A value is one valid JSON value without space around it. What is in it is
// read one level at a time and only where a schema looks, so that a body costs
// memory in proportion to its length, whatever is in it.
type value []byte

type member struct {
	name     string
	halfPair bool // of the name: see loneSurrogate
	value    value
}

type jsonKind string

const (
	jsonNull   jsonKind = "null"
	jsonBool   jsonKind = "boolean"
	jsonNumber jsonKind = "number"
	jsonString jsonKind = "string"
	jsonArray  jsonKind = "array"
	jsonObject jsonKind = "object"
)

func (v value) kind() jsonKind {
	switch v[0] {
	case '{':
		return jsonObject
	case '[':
		return jsonArray
	case '"':
		return jsonString
	case 't', 'f':
		return jsonBool
	case 'n':
		return jsonNull
	default:
		return jsonNumber
	}
}

// text returns what a string says.
func (v value) text() string {
	var s string
	json.Unmarshal(v, &s) // valid
	return s
}

// members returns what is in an object, in the order in which it was sent, so
// that the first error of a body is always the same one.
func (v value) members() []member {
	var all []member
	d := json.NewDecoder(bytes.NewReader(v))
	d.Token() // {
	for d.More() {
		from := d.InputOffset()
		name, _ := d.Token() // valid
		half := loneSurrogate(v[from:d.InputOffset()])
		all = append(all, member{name.(string), half, next(d)})
	}
	return all
}

// halfPair is what is said of a text that has a lone surrogate.
const halfPair = "must not contain half of a surrogate pair, such as \\ud800 alone"

// loneSurrogate reports whether a JSON string has an escape of a surrogate without
// its other half. It stands for no character, and readers of JSON make different
// things of it.
func loneSurrogate(text []byte) bool {
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			i++
			continue
		}
		first, ok := codeUnit(text[i:])
		if !ok || !utf16.IsSurrogate(first) {
			i += len(`\n`)
			continue
		}
		second, _ := codeUnit(text[i+len(`\ud800`):])
		if utf16.DecodeRune(first, second) == unicode.ReplacementChar {
			return true
		}
		i += len(`\ud800\udc00`)
	}
	return false
}

// codeUnit returns what \u and four digits at the beginning of text stand for.
func codeUnit(text []byte) (rune, bool) {
	if len(text) < len(`\ud800`) || text[1] != 'u' || text[0] != '\\' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}

// items returns what is in an array, up to a number.
func (v value) items(most int) []value {
	var all []value
	d := json.NewDecoder(bytes.NewReader(v))
	d.Token() // [
	for d.More() && len(all) < most {
		all = append(all, next(d))
	}
	return all
}

func next(d *json.Decoder) value {
	var raw json.RawMessage
	d.Decode(&raw) // valid
	return value(raw)
}

// A fieldPath leads to a value.
type fieldPath []string

// maxName is how much of a name that the client chose is shown.
const maxName = 64

func (p fieldPath) to(name string) fieldPath {
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "…"
	}
	return append(p, name)
}

func (p fieldPath) item(i int) fieldPath { return append(p, strconv.Itoa(i)) }

func (p fieldPath) invalid(format string, args ...any) error {
	return rota.InvalidField(strings.Join(p, "."), format, args...)
}

// parse reads one JSON text. It refuses what readers of JSON disagree about:
// names that appear twice in an object, and text that is not UTF-8.
func parse(body []byte) (value, error) {
	if err := syntax(body); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return bytes.TrimSpace(body), unique(d, nil)
}

func syntax(body []byte) error {
	if !utf8.Valid(body) {
		return rota.Errorf(rota.Invalid, "the body must be UTF-8")
	}
	var all json.RawMessage
	err := json.Unmarshal(body, &all)
	var s *json.SyntaxError
	if errors.As(err, &s) {
		line, column := position(body, s.Offset)
		return rota.Errorf(rota.Invalid, "the body must be valid JSON: line %d, column %d: %v", line, column, s)
	}
	return err
}

// position returns where the byte before offset is, counted from 1.
func position(body []byte, offset int64) (line, column int) {
	before := body[:max(0, min(int(offset)-1, len(body)))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

// unique reads one value and refuses a name that appears twice in an object.
func unique(d *json.Decoder, at fieldPath) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		err = uniqueMembers(d, at)
	case json.Delim('['):
		for i := 0; d.More() && err == nil; i++ {
			err = unique(d, at.item(i))
		}
	default:
		return nil
	}
	if err != nil {
		return err
	}
	_, err = d.Token() // what closes it
	return err
}

func uniqueMembers(d *json.Decoder, at fieldPath) error {
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name := token.(string) // the syntax has been checked
		if seen[name] {
			return at.to(name).invalid("must appear once")
		}
		seen[name] = true
		if err := unique(d, at.to(name)); err != nil {
			return err
		}
	}
	return nil
}
