package httpapi

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// plain returns a value that fits the schema in the form that Go reads: a whole
// number has no fraction, and an optional member that is null is absent. In a
// partial update null means something else, and stays.
func (c checker) plain(s *huma.Schema, v value, partial bool) value {
	s = c.resolve(s)
	switch {
	case s.Discriminator != nil && v.kind() == jsonObject:
		for _, m := range v.members() {
			if branch, ok := mapped(s, m.value); ok && m.name == s.Discriminator.PropertyName {
				return c.plain(branch, v, false) // it replaces what was there
			}
		}
	case s.OneOf != nil:
		for _, branch := range s.OneOf {
			if branch = c.resolve(branch); fits(branch, v.kind()) {
				return c.plain(branch, v, partial)
			}
		}
	case s.Type == huma.TypeInteger && v.kind() == jsonNumber:
		n, _ := whole(string(v))
		return strconv.AppendInt(nil, n, 10)
	case s.Items != nil && v.kind() == jsonArray:
		return c.plainItems(s, v, partial)
	case len(s.Properties) > 0 && v.kind() == jsonObject:
		return c.plainMembers(s, v, partial)
	}
	return v
}

func (c checker) plainItems(s *huma.Schema, v value, partial bool) value {
	items, changed := v.items(math.MaxInt), false
	for i, item := range items {
		items[i] = c.plain(s.Items, item, partial)
		changed = changed || !bytes.Equal(items[i], item)
	}
	if !changed {
		return v
	}
	return slices.Concat(value("["), bytes.Join(asBytes(items), []byte(",")), value("]"))
}

func (c checker) plainMembers(s *huma.Schema, v value, partial bool) value {
	var parts []value
	changed := false
	for _, m := range v.members() {
		p, known := s.Properties[m.name]
		if known && !partial && m.value.kind() == jsonNull && !slices.Contains(s.Required, m.name) {
			changed = true
			continue
		}
		after := m.value
		if known {
			after = c.plain(p, m.value, partial)
			changed = changed || !bytes.Equal(after, m.value)
		}
		name, _ := json.Marshal(m.name) // a string always can
		parts = append(parts, slices.Concat(value(name), value(":"), after))
	}
	if !changed {
		return v // in the very bytes that were sent
	}
	return slices.Concat(value("{"), bytes.Join(asBytes(parts), []byte(",")), value("}"))
}

func asBytes(values []value) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// whole returns a whole number that may be written as 3600.0, and false if it is
// none or too large to be told exactly.
func whole(digits string) (int64, bool) {
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(digits, 64)
	const exact = 1 << 53
	return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) <= exact
}
