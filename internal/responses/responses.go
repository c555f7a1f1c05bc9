// Package responses knows what a response of the Responses API is made of: items,
// events, and the rules that bind them. It is pure: it reads no clock and no
// network, and makes no identifiers of its own.
//
//	events of any server ──► Normalizer ─┐
//	chunks of a chat server ──► chat ────┼──► Writer ──► events ──► Checker
//	a response that has ended ──► Replay ┘
//
// A [Writer] can only write valid streams, and a [Checker] tells whether a stream is
// valid; neither knows the other's state, so that a test of one by the other means
// something. [Assemble] builds what a model is told of earlier turns.
//
// The rules are those of the Open Responses specification of 2026-04-24 where
// clients of OpenAI's API accept them, and OpenAI's else; docs/gateway.md has the
// list.
package responses

import (
	"encoding/json"
	"math/big"
	"slices"

	"github.com/rota-run/rota/internal/rawjson"
)

// An Event is one event of a stream. Data is a JSON object with the members type and
// sequence_number among others; it may be kept, but not changed.
type Event struct {
	Type string
	Data []byte
}

// Statuses of a response; items have those that are not about the queue.
const (
	Queued     = "queued"
	InProgress = "in_progress"
	Completed  = "completed"
	Failed     = "failed"
	Incomplete = "incomplete"
	Cancelled  = "cancelled"
)

// Reasons of an incomplete response.
const (
	MaxOutputTokens = "max_output_tokens"
	ContentFilter   = "content_filter"
)

// A shape is what a value may be, as letters: s string, i integer, n number, b
// boolean, o object, a array, 0 null, * anything but null.
type shape string

// members are the members that an object must have.
type members map[string]shape

// lacks returns the first member, by name, that the object does not have as it
// should, or "".
func (m members) lacks(object []byte) string {
	var names []string
	for name, s := range m {
		if !s.fits(rawjson.Get(object, name)) {
			names = append(names, name)
		}
	}
	if names == nil {
		return ""
	}
	return slices.Min(names)
}

// with returns the members and those of more.
func (m members) with(more members) members {
	all := members{}
	for _, from := range []members{m, more} {
		for name, s := range from {
			all[name] = s
		}
	}
	return all
}

func (s shape) fits(value []byte) bool {
	if value == nil {
		return false
	}
	for _, c := range s {
		if fits(c, value) {
			return true
		}
	}
	return false
}

func fits(c rune, value []byte) bool {
	switch kind := rawjson.Kind(value); c {
	case 's':
		return kind == '"'
	case 'i':
		return kind == '0' && isInteger(value)
	case 'n':
		return kind == '0'
	case 'b':
		return kind == 't' || kind == 'f'
	case 'o':
		return kind == '{'
	case 'a':
		return kind == '['
	case '0':
		return kind == 'n'
	default:
		return kind != 'n'
	}
}

// isInteger reports whether a number is a whole one that 64 bits hold.
func isInteger(value []byte) bool {
	_, ok := integer(value)
	return ok
}

// integer returns a whole number, which may be written as 3.0 or 3e2.
func integer(value []byte) (int64, bool) {
	const longest = 32 // characters; an exponent can make a short number huge
	var n int64
	if json.Unmarshal(value, &n) == nil && rawjson.Kind(value) == '0' {
		return n, true
	}
	if len(value) > longest || rawjson.Kind(value) != '0' {
		return 0, false
	}
	f, _, err := big.ParseFloat(string(value), 10, 64, big.ToNearestEven)
	if err != nil || !f.IsInt() {
		return 0, false
	}
	n, accuracy := f.Int64()
	return n, accuracy == big.Exact
}
