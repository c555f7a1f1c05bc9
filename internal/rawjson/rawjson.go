// Package rawjson reads members out of JSON without decoding the rest, and changes
// members of an object while the bytes of the others stay as they were.
//
// Values given to it must be valid JSON, but for those of IsObject.
package rawjson

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Get returns the value of an object's first member of the given name, or nil if
// there is none, or if the value is no object. It reads no further than it has to,
// and copies nothing.
func Get(object []byte, name string) []byte {
	var value []byte
	walk(object, func(key, v []byte) bool {
		if !isString(key, name) {
			return true
		}
		value = v
		return false
	})
	return value
}

// walk calls fn for each member, until it returns false. The key has its quotes.
func walk(object []byte, fn func(key, value []byte) bool) {
	i := skipSpace(object, 0)
	if i == len(object) || object[i] != '{' {
		return
	}
	for i = skipSpace(object, i+1); object[i] == '"'; {
		end := skipValue(object, i)
		key := object[i:end]
		i = skipSpace(object, skipSpace(object, end)+1) // past the colon
		end = skipValue(object, i)
		if !fn(key, object[i:end]) {
			return
		}
		if i = skipSpace(object, end); object[i] == '}' {
			return
		}
		i = skipSpace(object, i+1) // past the comma
	}
}

// List returns the elements of an array without a copy, or nil if the value is none.
func List(value []byte) []json.RawMessage {
	i := skipSpace(value, 0)
	if i == len(value) || value[i] != '[' {
		return nil
	}
	list := []json.RawMessage{}
	for i = skipSpace(value, i+1); value[i] != ']'; {
		end := skipValue(value, i)
		list = append(list, value[i:end])
		if i = skipSpace(value, end); value[i] == ',' {
			i = skipSpace(value, i+1)
		}
	}
	return list
}

// Kind returns the first character of a value: one of { [ " t f n, or 0 for a
// number. Of no value it returns n, as of null.
func Kind(value []byte) byte {
	i := skipSpace(value, 0)
	if i == len(value) {
		return 'n'
	}
	switch c := value[i]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return c
	default:
		return '0'
	}
}

// Text returns the string that the value is, or "".
func Text(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	_ = json.Unmarshal(value, &s) // it is valid
	return s
}

func isString(value []byte, s string) bool {
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1:len(value)-1]) == s
	}
	return Text(value) == s
}

// IsObject reports whether b is valid JSON of an object, in UTF-8.
func IsObject(b []byte) bool {
	i := skipSpace(b, 0)
	return i < len(b) && b[i] == '{' && json.Valid(b) && utf8.Valid(b)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// skipValue returns the index after the value that begins at i.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	default:
		return skipLiteral(b, i)
	}
}

func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipNested(b []byte, i int) int {
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if i++; depth == 0 {
			return i
		}
	}
}

func skipLiteral(b []byte, i int) int {
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && !isSpace(b[i]) {
		i++
	}
	return i
}
