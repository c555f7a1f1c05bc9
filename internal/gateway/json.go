package gateway

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// member returns the value of an object's first member of the given name, or
// nil if there is none. The object must be valid JSON. It reads no further
// than it has to, and copies nothing.
func member(object []byte, name string) []byte {
	i := skipSpace(object, 0)
	if i == len(object) || object[i] != '{' {
		return nil
	}
	for i = skipSpace(object, i+1); object[i] == '"'; {
		end := skipValue(object, i)
		key := object[i:end]
		i = skipSpace(object, skipSpace(object, end)+1) // past the colon
		end = skipValue(object, i)
		if isString(key, name) {
			return object[i:end]
		}
		if i = skipSpace(object, end); object[i] == '}' {
			break
		}
		i = skipSpace(object, i+1) // past the comma
	}
	return nil
}

// text returns the string that the JSON value is, or "".
func text(value []byte) string {
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
	return text(value) == s
}

// isObject reports whether b is valid JSON of an object, in UTF-8.
func isObject(b []byte) bool {
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
