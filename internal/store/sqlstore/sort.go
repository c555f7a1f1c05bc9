package sqlstore

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// A sorting is an order of a list other than that of the identifiers. A cursor in it is an
// identifier and the value by which it is sorted, so that it keeps its place when the row
// gets another value: one of text and number is set.
type sorting[T any] struct {
	key, tie string
	id       func(T) string
	text     func(T) string
	number   func(T) int64
}

// sort puts a list in another order.
func (l *listing[T]) sort(by sorting[T]) {
	l.key, l.tie = by.key, by.tie
	l.id = func(v T) string { return by.id(v) + "." + by.value(v) }
	l.place = by.place
}

func (by sorting[T]) value(v T) string {
	if by.text == nil {
		return strconv.FormatInt(by.number(v), 10)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(by.text(v)))
}

// place returns the value and the identifier of a cursor; of what is none, those before
// all others.
func (by sorting[T]) place(cursor string) any {
	id, value, _ := strings.Cut(cursor, ".")
	if by.text == nil {
		n, _ := strconv.ParseInt(value, 10, 64)
		return []any{n, id}
	}
	text, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || !storableText(string(text)) {
		text = nil
	}
	return []any{string(text), id}
}
