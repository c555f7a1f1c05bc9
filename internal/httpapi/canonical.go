package httpapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// canonical returns a JSON text in the form that all texts of equal JSON have:
// without white space, with the members of objects in the order of their names, and
// with whole numbers as digits alone. What is not JSON stays as it is.
func canonical(text []byte) []byte {
	if !json.Valid(text) { // which also bounds how deep it is nested
		return text
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	out, err := canonicalValue(d, nil)
	if err != nil {
		return text
	}
	return out
}

// canonicalValue appends the next value of d.
func canonicalValue(d *json.Decoder, out []byte) ([]byte, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return canonicalObject(d, out)
		}
		return canonicalArray(d, out)
	case json.Number:
		if n, ok := whole(t.String()); ok {
			return strconv.AppendInt(out, n, 10), nil
		}
		return append(out, t.String()...), nil
	default:
		b, err := json.Marshal(t)
		return append(out, b...), err
	}
}

func canonicalArray(d *json.Decoder, out []byte) ([]byte, error) {
	out = append(out, '[')
	for first := true; d.More(); first = false {
		if !first {
			out = append(out, ',')
		}
		var err error
		if out, err = canonicalValue(d, out); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // what closes it
	return append(out, ']'), err
}

func canonicalObject(d *json.Decoder, out []byte) ([]byte, error) {
	var members [][]byte // the names of an object differ, so that these do
	for d.More() {
		name, err := canonicalValue(d, nil)
		if err != nil {
			return nil, err
		}
		m, err := canonicalValue(d, append(name, ':'))
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	slices.SortFunc(members, bytes.Compare)
	out = append(append(append(out, '{'), bytes.Join(members, []byte(","))...), '}')
	_, err := d.Token() // what closes it
	return out, err
}
