package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rota-run/rota"
)

// A value is JSON that remembers the order in which members were sent, so that
// the first error of a body is always the same one.
type value struct {
	kind    jsonKind
	text    string   // of a string, or the digits of a number
	members []member // of an object
	items   []value  // of an array
}

type member struct {
	name string
	value
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
		return value{}, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return parser{d}.value(nil)
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

type parser struct{ *json.Decoder }

func (p parser) value(at fieldPath) (value, error) {
	token, err := p.Token()
	if err != nil {
		return value{}, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return p.object(at)
		}
		return p.array(at)
	case json.Number:
		return value{kind: jsonNumber, text: t.String()}, nil
	case string:
		return value{kind: jsonString, text: t}, nil
	case bool:
		return value{kind: jsonBool}, nil
	default:
		return value{kind: jsonNull}, nil
	}
}

func (p parser) object(at fieldPath) (value, error) {
	v := value{kind: jsonObject}
	seen := make(map[string]bool)
	for p.More() {
		token, err := p.Token()
		if err != nil {
			return v, err
		}
		name := token.(string) // the syntax has been checked
		if seen[name] {
			return v, at.to(name).invalid("must appear once")
		}
		seen[name] = true
		m, err := p.value(at.to(name))
		if err != nil {
			return v, err
		}
		v.members = append(v.members, member{name, m})
	}
	_, err := p.Token()
	return v, err
}

func (p parser) array(at fieldPath) (value, error) {
	v := value{kind: jsonArray}
	for i := 0; p.More(); i++ {
		item, err := p.value(at.item(i))
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
	}
	_, err := p.Token()
	return v, err
}
