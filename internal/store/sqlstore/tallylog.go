package sqlstore

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/rota-run/rota"
)

// The body of a row of tally_log is one entry after the other. An entry is an end user,
// an hour since 1970, how many counts are not zero, each of these as its place in
// [rota.Tally.Fields] and its value, how many errors there are, and each of these as
// its phase, its code and its count. Numbers are varints, and text has its length
// before it.

// appendEntry appends what was counted of an owner in an hour.
func appendEntry(b []byte, k tallyKey, t *tallied) []byte {
	b = binary.AppendVarint(appendText(b, k.endUser), k.hour)
	fields := t.Fields()
	set := 0
	for _, n := range fields {
		if *n != 0 {
			set++
		}
	}
	b = binary.AppendVarint(b, int64(set))
	for i, n := range fields {
		if *n != 0 {
			b = binary.AppendVarint(binary.AppendVarint(b, int64(i)), *n)
		}
	}
	b = binary.AppendVarint(b, int64(len(t.errors)))
	for _, e := range t.errors {
		b = binary.AppendVarint(appendText(appendText(b, string(e.Phase)), e.Code), e.Count)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

// readEntries adds the entries of a body to what pick returns for their keys; it leaves
// out those for which that is nil.
func readEntries(account string, body []byte, pick func(tallyKey) *tallied) error {
	r := entryReader{rest: body}
	for len(r.rest) > 0 && !r.broken {
		k := tallyKey{account, r.text(), r.number()}
		t := r.tallied()
		if into := pick(k); into != nil && !r.broken {
			into.add(t)
		}
	}
	if r.broken {
		return errors.New("a row of tally_log is damaged, or was written by a newer program")
	}
	return nil
}

// An entryReader reads a body. Once it is broken, it returns zeros.
type entryReader struct {
	rest   []byte
	broken bool
}

func (r *entryReader) tallied() *tallied {
	t := new(tallied)
	fields := t.Fields()
	for range r.length() {
		if i := r.number(); i >= 0 && int(i) < len(fields) {
			*fields[i] = r.number()
		} else {
			r.broken = true
		}
	}
	for range r.length() {
		t.errors = append(t.errors, rota.ErrorCount{Phase: rota.Phase(r.text()), Code: r.text(), Count: r.number()})
	}
	return t
}

func (r *entryReader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.rest, r.broken = nil, true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// length reads how many of something follow, of which each takes a byte or more.
func (r *entryReader) length() int {
	n := r.number()
	if n < 0 || n > min(int64(len(r.rest)), math.MaxInt32) {
		r.rest, r.broken = nil, true
		return 0
	}
	return int(n)
}

func (r *entryReader) text() string {
	n := r.length()
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}
