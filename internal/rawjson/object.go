package rawjson

import (
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"
)

// A Member is one member of an object.
type Member struct {
	Name  string
	Value json.RawMessage
}

// An Object is an object whose members keep their order and their bytes.
type Object []Member

// ReadObject returns the members of an object, the values without a copy; of those
// with the same name the first. Of anything else it returns none.
func ReadObject(object []byte) Object {
	const few = 32 // members, from which on a map finds a name sooner
	var (
		o    Object
		seen map[string]bool
	)
	walk(object, func(key, value []byte) bool {
		name := Text(key)
		if len(o) == few {
			seen = make(map[string]bool)
			for _, m := range o {
				seen[m.Name] = true
			}
		}
		if seen[name] || seen == nil && o.index(name) >= 0 {
			return true
		}
		if o = append(o, Member{name, value}); seen != nil {
			seen[name] = true
		}
		return true
	})
	return o
}

// Get returns the value of the first member of the name, or nil.
func (o Object) Get(name string) json.RawMessage {
	if i := o.index(name); i >= 0 {
		return o[i].Value
	}
	return nil
}

// Set gives the member of the name another value, in its place, or adds it behind
// the others.
func (o *Object) Set(name string, value []byte) {
	if i := o.index(name); i >= 0 {
		(*o)[i].Value = value
		return
	}
	*o = append(*o, Member{name, value})
}

// Delete takes the members of the name away.
func (o *Object) Delete(name string) {
	*o = slices.DeleteFunc(*o, func(m Member) bool { return m.Name == name })
}

// Clone returns a copy that can be changed by itself.
func (o Object) Clone() Object { return slices.Clone(o) }

func (o Object) index(name string) int {
	return slices.IndexFunc(o, func(m Member) bool { return m.Name == name })
}

// Encode returns the object as JSON.
func (o Object) Encode() json.RawMessage {
	n := 2
	for _, m := range o {
		n += len(m.Name) + len(m.Value) + 4
	}
	return o.Append(make([]byte, 0, n))
}

// Append appends the object as JSON.
func (o Object) Append(b []byte) []byte {
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendString(b, m.Name), ':')
		b = append(b, m.Value...)
	}
	return append(b, '}')
}

// AppendList appends an array of the values.
func AppendList(b []byte, values []json.RawMessage) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

// EncodeList returns an array of the values.
func EncodeList(values []json.RawMessage) json.RawMessage { return AppendList(nil, values) }

// String returns s as JSON.
func String(s string) json.RawMessage { return AppendString(make([]byte, 0, len(s)+2), s) }

// Int returns n as JSON.
func Int(n int64) json.RawMessage { return strconv.AppendInt(nil, n, 10) }

const hex = "0123456789abcdef"

// AppendString appends s as JSON. What is not UTF-8 becomes U+FFFD.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	for from := 0; from < len(s); {
		i := from
		for i < len(s) && s[i] >= ' ' && s[i] != '"' && s[i] != '\\' && s[i] < utf8.RuneSelf {
			i++
		}
		b = append(b, s[from:i]...)
		if i == len(s) {
			break
		}
		from = i
		if s[i] >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			b, from = utf8.AppendRune(b, r), i+n
			continue
		}
		b, from = appendEscaped(b, s[i]), i+1
	}
	return append(b, '"')
}

func appendEscaped(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	default:
		return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}
