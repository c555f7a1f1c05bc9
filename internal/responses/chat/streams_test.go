package chat_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rota-run/rota/internal/rawjson"
)

var (
	streams = flag.Int("streams", 2000, "how many random streams are played")
	seed    = flag.Uint64("streams.seed", 1, "of the first of them; each has the next")
)

type object = map[string]any

// A server answers at random.
type server struct {
	*rand.Rand
	chunks []object
	want   []string // thoughts, texts and calls, in order
}

func (s *server) one(in int) bool { return s.IntN(in) == 0 }

func (s *server) text() string {
	words := []string{"a", "Hello", " wörld", "☕", "\n", `"`, `\`, "{", "}", "<b>", "\u2028", "\x00", " "}
	var b strings.Builder
	for range 1 + s.IntN(5) {
		b.WriteString(words[s.IntN(len(words))])
	}
	return b.String()
}

// cut cuts a text into pieces, some of them empty.
func (s *server) cut(text string) []string {
	pieces := []string{}
	for text != "" {
		n := s.IntN(len(text) + 1)
		for n < len(text) && text[n]&0xC0 == 0x80 {
			n++
		}
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return pieces
}

func (s *server) send(delta object) {
	s.chunks = append(s.chunks, object{"id": "chatcmpl-1", "created": 1, "model": "m", "choices": []any{object{"index": 0, "delta": delta}}})
}

// answer makes the chunks of an answer: thoughts, text, and calls side by side.
func (s *server) answer() {
	s.send(object{"role": "assistant", "content": ""})
	if s.one(2) {
		name, text := []string{"reasoning_content", "reasoning"}[s.IntN(2)], s.text()
		for _, piece := range s.cut(text) {
			s.send(object{name: piece})
		}
		s.want = append(s.want, "thought: "+text)
	}
	if s.one(2) {
		text := s.text() + "."
		for _, piece := range s.cut(text) {
			s.send(object{"content": piece})
		}
		s.want = append(s.want, "text: "+text)
	}
	reason := "stop"
	if s.one(2) {
		reason = "tool_calls"
		s.calls()
	}
	last := s.chunks[len(s.chunks)-1]["choices"].([]any)[0].(object)
	if s.one(2) {
		s.send(object{})
		last = s.chunks[len(s.chunks)-1]["choices"].([]any)[0].(object)
	}
	last["finish_reason"] = reason
	if s.one(2) {
		s.chunks = append(s.chunks, object{"choices": []any{}, "usage": object{"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})
	}
}

func (s *server) calls() {
	var each [][]object
	for n := range 1 + s.IntN(3) {
		args := `{"a":` + strconv.Itoa(s.IntN(1000)) + `}`
		id, name := "c"+strconv.Itoa(n), "f"+strconv.Itoa(n)
		s.want = append(s.want, "call: "+name+args)
		pieces := []object{{"index": n, "id": id, "type": "function", "function": object{"name": name, "arguments": ""}}}
		again := s.one(4)
		for _, piece := range s.cut(args) {
			p := object{"index": n, "function": object{"arguments": piece}}
			if again {
				p["id"], p["function"].(object)["name"] = id, name
			}
			pieces = append(pieces, p)
		}
		each = append(each, pieces)
	}
	for _, pieces := range each { // they begin in order
		s.send(object{"tool_calls": []any{pieces[0]}})
	}
	for len(each) > 0 {
		n := s.IntN(len(each))
		if each[n] = each[n][1:]; len(each[n]) == 0 {
			each = slices.Delete(each, n, n+1)
			continue
		}
		s.send(object{"tool_calls": []any{each[n][0]}})
	}
}

// spoil puts faults into the answer.
func (s *server) spoil() {
	values := []any{nil, 1, -1, true, "", "x", []any{}, object{}, []any{nil, "x", object{"type": "text", "text": "x"}}, object{"text": "x"}, object{"name": "f"}}
	for range s.IntN(5) {
		if len(s.chunks) == 0 {
			return
		}
		at := s.IntN(len(s.chunks))
		switch s.IntN(6) {
		case 0:
			s.chunks = slices.Delete(s.chunks, at, at+1)
		case 1:
			s.chunks = slices.Insert(s.chunks, s.IntN(len(s.chunks)), s.chunks[at])
		case 2:
			other := s.IntN(len(s.chunks))
			s.chunks[at], s.chunks[other] = s.chunks[other], s.chunks[at]
		case 3:
			s.chunks = s.chunks[:at]
		default:
			s.chunks[at] = s.twist(s.chunks[at], values[s.IntN(len(values))]).(object)
		}
	}
}

// twist puts a value somewhere into another one.
func (s *server) twist(v, value any) any {
	switch v := v.(type) {
	case object:
		v = maps.Clone(v)
		names := append(slices.Sorted(maps.Keys(v)), "reasoning", "refusal", "function_call", "annotations", "tool_calls")
		name := names[s.IntN(len(names))]
		if inner, ok := v[name]; ok && !s.one(3) {
			v[name] = s.twist(inner, value)
		} else {
			v[name] = value
		}
		return v
	case []any:
		v = slices.Clone(v)
		if len(v) > 0 {
			n := s.IntN(len(v))
			v[n] = s.twist(v[n], value)
		}
		return v
	default:
		return value
	}
}

// play has the answer translated, and returns what it says.
func (s *server) play() (said []string, whole bool, err error) {
	p := newPlayer(`{"model":"m"}`)
	for _, c := range s.chunks {
		raw, err := json.Marshal(c)
		if err != nil {
			return nil, false, err
		}
		p.answer.Chunk(raw, 1)
	}
	whole = p.answer.End(s.one(2), 2)
	if p.err != nil || !whole {
		return nil, whole, p.err
	}
	object := rawjson.Get(p.events[len(p.events)-1].Data, "response")
	for _, i := range rawjson.List(rawjson.Get(object, "output")) {
		for _, part := range rawjson.List(rawjson.Get(i, "summary")) {
			said = append(said, "thought: "+rawjson.Text(rawjson.Get(part, "text")))
		}
		for _, part := range rawjson.List(rawjson.Get(i, "content")) {
			said = append(said, "text: "+rawjson.Text(rawjson.Get(part, "text")))
		}
		if a := rawjson.Get(i, "arguments"); a != nil {
			said = append(said, "call: "+rawjson.Text(rawjson.Get(i, "name"))+rawjson.Text(a))
		}
	}
	return said, whole, p.checker.End()
}

// TestStreams: whatever a chat server sends, the events are a valid stream; and what it
// sends without a fault arrives whole, however it is cut.
func TestStreams(t *testing.T) {
	for n := range uint64(*streams) {
		s := &server{Rand: rand.New(rand.NewPCG(*seed+n, 1))}
		s.answer()
		said, whole, err := s.play()
		if err == nil && (!whole || !slices.Equal(said, s.want)) {
			err = fmt.Errorf("said %q, not %q", said, s.want)
		}
		if err == nil {
			s.spoil()
			_, _, err = s.play()
		}
		if err != nil {
			t.Fatalf("-streams 1 -streams.seed %d: %v", *seed+n, err)
		}
	}
}
