package responses_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

var (
	streams = flag.Int("streams", 2000, "how many random streams are played")
	seed    = flag.Uint64("streams.seed", 1, "of the first of them; each has the next")
)

// A dice returns a number from 0 to n-1.
type dice func(n int) int

func (d dice) one(in int) bool { return d(in) == 0 }

func pick[T any](d dice, of ...T) T { return of[d(len(of))] }

func randomDice(seed uint64) dice { return rand.New(rand.NewPCG(seed, 0)).IntN }

func rapidDice(t *rapid.T) dice {
	return func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "dice") }
}

type object = map[string]any

// An output is what a test's server answers.
type output struct {
	items []object
	texts []string // of all items, in order, as kind and text
}

var words = []string{"a", "Hello", " wörld", "☕", "\n", `"`, `\`, "{", "}", "<b>", "", "data: x\n\n", "\u2028", "\x00"}

func (d dice) text() string {
	var s strings.Builder
	for range d(5) {
		s.WriteString(pick(d, words...))
	}
	return s.String()
}

// cut cuts a text into pieces.
func (d dice) cut(s string) []string {
	var pieces []string
	for s != "" {
		n := 1 + d(len(s))
		for n < len(s) && s[n]&0xC0 == 0x80 {
			n++
		}
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return pieces
}

// answer makes some items.
func (d dice) answer() *output {
	o := &output{}
	for n := range d(4) {
		id := strconv.Itoa(n)
		switch d(6) {
		case 0, 1:
			o.message(d, "msg_"+id)
		case 2:
			o.reasoning(d, "rs_"+id)
		case 3:
			args := d.text()
			o.add(object{"id": "fc_" + id, "type": "function_call", "status": "completed", "call_id": "call_" + id, "name": "f", "arguments": args}, "arguments", args)
		case 4:
			args := d.text()
			o.add(object{"id": "ctc_" + id, "type": "custom_tool_call", "status": "completed", "call_id": "call_" + id, "name": "f", "input": args}, "input", args)
		default:
			o.add(object{"id": "ws_" + id, "type": "web_search_call", "status": "completed", "action": object{"type": "search", "query": "q"}}, "", "")
		}
	}
	return o
}

func (o *output) add(item object, kind, text string) {
	o.items = append(o.items, item)
	if text != "" {
		o.texts = append(o.texts, kind+": "+text)
	}
}

func (o *output) message(d dice, id string) {
	parts := []any{}
	for range 1 + d(2) {
		text := d.text()
		if d.one(4) {
			parts = append(parts, object{"type": "refusal", "refusal": text})
			o.note("refusal", text)
			continue
		}
		var annotations []any
		for n := range d(2) {
			annotations = append(annotations, object{"type": "url_citation", "url": "https://a.example/" + strconv.Itoa(n)})
		}
		parts = append(parts, object{"type": "output_text", "text": text, "annotations": append([]any{}, annotations...), "logprobs": []any{}})
		o.note("output_text", text)
	}
	o.items = append(o.items, object{"id": id, "type": "message", "role": "assistant", "status": "completed", "content": parts})
}

func (o *output) note(kind, text string) {
	if text != "" {
		o.texts = append(o.texts, kind+": "+text)
	}
}

func (o *output) reasoning(d dice, id string) {
	parts := []any{}
	for range d(3) {
		text := d.text()
		parts = append(parts, object{"type": "summary_text", "text": text})
		o.note("summary_text", text)
	}
	item := object{"id": id, "type": "reasoning", "status": "completed", "summary": parts}
	if d.one(2) {
		item["encrypted_content"] = "c2VjcmV0"
	}
	o.items = append(o.items, item)
}

// A script is the events of an item, and then of a response.
type script []object

// events returns the events of the item at a place, without a fault.
func (d dice) events(at int, item object) script {
	id := item["id"]
	place := object{"item_id": id, "output_index": at}
	start := object{}
	for k, v := range item {
		start[k] = v
	}
	start["status"] = "in_progress"
	var s script
	about := func(kind string, more ...object) {
		e := object{"type": "response." + kind}
		for _, m := range append([]object{place}, more...) {
			for k, v := range m {
				e[k] = v
			}
		}
		s = append(s, e)
	}
	member := map[any]string{"function_call": "arguments", "custom_tool_call": "input"}[item["type"]]
	event := map[string]string{"arguments": "function_call_arguments", "input": "custom_tool_call_input"}[member]
	for _, name := range []string{"content", "summary"} {
		if start[name] != nil {
			start[name] = []any{}
		}
	}
	if member != "" {
		start[member] = ""
	}
	s = append(s, object{"type": "response.output_item.added", "output_index": at, "item": start})
	switch {
	case member != "":
		for _, piece := range d.cut(item[member].(string)) {
			about(event+".delta", object{"delta": piece})
		}
		about(event+".done", object{member: item[member]})
	case item["type"] == "web_search_call":
		about("web_search_call.in_progress")
		about("web_search_call.searching", object{"args": object{"query": "q"}})
		about("web_search_call.completed")
	}
	content, _ := item["content"].([]any)
	for n, p := range content {
		d.part(about, p.(object), object{"content_index": n})
	}
	summary, _ := item["summary"].([]any)
	for n, p := range summary {
		d.part(about, p.(object), object{"summary_index": n})
	}
	return append(s, object{"type": "response.output_item.done", "output_index": at, "item": item})
}

func (d dice) part(about func(string, ...object), p, at object) {
	opens, kind, member := "content_part", p["type"].(string), "text"
	switch kind {
	case "summary_text":
		opens, kind = "reasoning_summary_part", "reasoning_summary_text"
	case "refusal":
		member = "refusal"
	}
	empty := object{"type": p["type"], member: ""}
	if kind == "output_text" {
		empty["annotations"], empty["logprobs"] = []any{}, []any{}
	}
	about(opens+".added", at, object{"part": empty})
	for _, piece := range d.cut(p[member].(string)) {
		about(kind+".delta", at, object{"delta": piece})
	}
	annotations, _ := p["annotations"].([]any)
	for n, a := range annotations {
		about("output_text.annotation.added", at, object{"annotation_index": n, "annotation": a})
	}
	about(kind+".done", at, object{member: p[member]})
	about(opens+".done", at, object{"part": p})
}

// whole returns the events of a response, of which the items come one after the other
// or, mixed, side by side.
func (d dice) whole(o *output, mixed bool) script {
	head := object{"id": "resp_up", "object": "response", "status": "in_progress"}
	s := script{{"type": "response.created", "response": head}, {"type": "response.in_progress", "response": head}}
	var each []script
	for at, item := range o.items {
		each = append(each, d.events(at, item))
	}
	for len(each) > 0 {
		n := 0
		if mixed {
			n = d(len(each))
		}
		s, each[n] = append(s, each[n][0]), each[n][1:]
		if len(each[n]) == 0 {
			each = append(each[:n], each[n+1:]...)
		}
	}
	items := []any{}
	for _, i := range o.items {
		items = append(items, i)
	}
	status := pick(d, "completed", "completed", "incomplete", "failed", "cancelled")
	end := object{
		"id": "resp_up", "object": "response", "status": status, "output": items,
		"usage": object{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
	}
	return append(s, object{"type": "response." + status, "response": end})
}

var request = []byte(`{"model":"m","text":{},"reasoning":{},"tools":[{"type":"function","name":"f"}],"metadata":{"a":"b"}}`)

// A player writes through a Writer and checks what comes.
type player struct {
	w       *responses.Writer
	n       *responses.Normalizer
	checker responses.Checker
	events  []responses.Event
	err     error
}

func play() *player {
	p := &player{}
	made := 0
	p.w = responses.NewWriter(responses.NewObject("resp_1", 1, "m", request), func(prefix string) string {
		made++
		return prefix + "made_" + strconv.Itoa(made)
	}, func(e responses.Event) {
		p.events = append(p.events, e)
		if err := p.checker.Event(e.Data); err != nil && p.err == nil {
			p.err = err
		}
		if kind := rawjson.Text(rawjson.Get(e.Data, "type")); kind != e.Type && p.err == nil {
			p.err = fmt.Errorf("event %q is of type %q", e.Type, kind)
		}
	})
	p.n = responses.NewNormalizer(p.w)
	return p
}

func (p *player) take(s script) {
	for _, e := range s {
		data, err := json.Marshal(e)
		if err != nil {
			panic(err)
		}
		kind, _ := e["type"].(string)
		p.n.Event(kind, data, 9)
	}
}

// end ends the response if its server has not.
func (p *player) end() error {
	if !p.w.Over() {
		p.w.End(responses.End{Status: responses.Failed, At: 9})
	}
	if p.err != nil {
		return p.err
	}
	if err := p.checker.End(); err != nil {
		return err
	}
	return p.replayed()
}

// replayed checks that the response can be streamed again.
func (p *player) replayed() error {
	for _, shape := range [][]byte{nil, p.w.Shape()} {
		var again responses.Checker
		var events []responses.Event
		err := responses.Replay(p.w.Object(), shape, func(e responses.Event) {
			events = append(events, e)
			_ = again.Event(e.Data)
		})
		if err == nil {
			err = again.End()
		}
		if err == nil && shape != nil {
			err = alike(events, p.events)
		}
		if err != nil {
			return fmt.Errorf("replayed: %w", err)
		}
		if got, want := rawjson.Get(events[len(events)-1].Data, "response"), p.w.Object(); string(got) != string(want) {
			return fmt.Errorf("replayed:\n%s\nwas:\n%s", got, want)
		}
	}
	return nil
}

// alike reports whether events are those that were, but for what is told of an item
// or a part when it begins.
func alike(got, want []responses.Event) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d events, not %d", len(got), len(want))
	}
	for n := range got {
		a, b := string(got[n].Data), string(want[n].Data)
		if strings.HasSuffix(want[n].Type, ".added") && !strings.Contains(want[n].Type, "annotation") {
			a, b = got[n].Type, want[n].Type
		}
		if a != b {
			return fmt.Errorf("event %d\n%s\nwas\n%s", n, a, b)
		}
	}
	return nil
}

// texts returns what a response says, as output.texts.
func texts(object []byte) []string {
	o := &output{}
	for _, i := range rawjson.List(rawjson.Get(object, "output")) {
		o.note("arguments", rawjson.Text(rawjson.Get(i, "arguments")))
		o.note("input", rawjson.Text(rawjson.Get(i, "input")))
		for _, list := range []string{"content", "summary"} {
			for _, p := range rawjson.List(rawjson.Get(i, list)) {
				o.note(rawjson.Text(rawjson.Get(p, "type")), rawjson.Text(rawjson.Get(p, "text"))+rawjson.Text(rawjson.Get(p, "refusal")))
			}
		}
	}
	return o.texts
}

// sound plays a stream with whatever faults, and one without those that lose
// something.
func (d dice) sound() error {
	p := play()
	p.take(d.spoil(d.whole(d.answer(), d.one(2))))
	if err := p.end(); err != nil {
		return err
	}
	return d.lossless()
}

// lossless plays a stream whose server leaves out what can be known without it, and
// compares what is said.
func (d dice) lossless() error {
	o := d.answer()
	p := play()
	p.take(d.abridge(d.whole(o, false)))
	if err := p.end(); err != nil {
		return err
	}
	if got := texts(p.w.Object()); strings.Join(got, "\x00") != strings.Join(o.texts, "\x00") {
		return fmt.Errorf("said %q, not %q", got, o.texts)
	}
	return nil
}

func TestStreams(t *testing.T) {
	for n := range uint64(*streams) {
		if err := randomDice(*seed + n).sound(); err != nil {
			t.Fatalf("-streams 1 -streams.seed %d: %v", *seed+n, err)
		}
	}
}

// TestStreamsThatFailed plays streams that were once not sound.
func TestStreamsThatFailed(t *testing.T) {
	for about, seed := range map[string]uint64{"logprobs that come with the end of their part": 34593} {
		require.NoError(t, randomDice(seed).sound(), about)
	}
}

// TestStreamsShrunk is TestStreams with few streams, which are made smaller when one
// fails.
func TestStreamsShrunk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		require.NoError(t, rapidDice(t).sound())
	})
}
