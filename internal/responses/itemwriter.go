package responses

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rota-run/rota/internal/rawjson"
)

// An ItemWriter writes one item of a response's output.
type ItemWriter struct {
	w      *Writer
	index  int
	kind   string
	id     string
	object rawjson.Object               // all but texts and parts
	parts  map[string][]json.RawMessage // that are done, by the list that has them
	said   map[Text]*strings.Builder    // texts that are members of the item
	part   *part                        // the one that is open, or nil
	raw    json.RawMessage              // the item as its server has it, if that is what was told; or nil
	status string                       // that it ended with; empty if its type has none
	ended  bool
}

// A part is one that is being told.
type part struct {
	text        Text
	index       int
	object      rawjson.Object // all but the text
	said        strings.Builder
	annotations []json.RawMessage
	logprobs    []json.RawMessage
}

// ID returns the item's id, also where the writer has made it.
func (i *ItemWriter) ID() string { return i.id }

// Type returns the item's type.
func (i *ItemWriter) Type() string { return i.kind }

// Ended reports whether nothing more can be written.
func (i *ItemWriter) Ended() bool { return i.ended }

// Blank reports whether nothing was said yet of a text that is a member of the item.
func (i *ItemWriter) Blank(t Text) bool { return i.said[t] == nil || i.said[t].Len() == 0 }

// begin makes of what is known of an item what is told first: all members that the
// type has, the texts and lists empty.
func (i *ItemWriter) begin(k itemKind) {
	i.parts, i.said = map[string][]json.RawMessage{}, map[Text]*strings.Builder{}
	i.id = rawjson.Text(i.object.Get("id"))
	if i.id == "" || i.w.ids[i.id] {
		i.id = i.w.newID(or(k.prefix, "item_"))
		i.object.Set("id", rawjson.String(i.id))
	}
	i.w.ids[i.id] = true
	if k.stateful {
		i.object.Set("status", rawjson.String(InProgress))
	}
	for _, t := range textsOf(i.kind) {
		if kind := textKinds[t]; kind.list == "" {
			i.said[t] = new(strings.Builder)
			i.object.Set(kind.member, json.RawMessage(`""`))
		} else {
			i.object.Delete(kind.list)
		}
	}
	i.fill(k)
}

// fill adds what the type needs and nobody has told, as zero values.
func (i *ItemWriter) fill(k itemKind) {
	if i.kind == "message" && rawjson.Text(i.object.Get("role")) == "" {
		i.object.Set("role", json.RawMessage(`"assistant"`))
	}
	if call := rawjson.Text(i.object.Get("call_id")); k.input["call_id"] != "" && (call == "" || i.w.calls[call] != nil && i.w.calls[call] != i) {
		i.object.Set("call_id", rawjson.String(i.w.newID("call_")))
	}
	if _, isCall := outputOf[i.kind]; isCall {
		i.w.calls[rawjson.Text(i.object.Get("call_id"))] = i
	}
	for _, needs := range []members{k.input, k.output} {
		for _, name := range sorted(needs) {
			if !needs[name].fits(i.object.Get(name)) {
				i.object.Set(name, json.RawMessage(needs[name].zero()))
			}
		}
	}
}

func sorted(m members) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// zero returns the value that stands for nothing.
func (s shape) zero() string {
	switch {
	case strings.Contains(string(s), "0"):
		return "null"
	case s[0] == 'a', strings.HasSuffix(string(s), "a"):
		return "[]"
	case s[0] == 'o':
		return "{}"
	case s[0] == 'b':
		return "false"
	case s[0] == 'i', s[0] == 'n':
		return "0"
	default:
		return `""`
	}
}

// writable reports whether the item takes more, and remembers a call that it is too
// late for.
func (i *ItemWriter) writable() bool {
	if i.ended {
		i.w.refuse(errItemOver)
	}
	return !i.ended
}

// Set gives the item a member that is neither its text nor a list of its parts; it is
// told when the item ends. The id, the type and the status are not for it to change,
// and a value that the member cannot have is not taken.
func (i *ItemWriter) Set(name string, value json.RawMessage) {
	if i.writable() && !i.isOwn(name) && itemKinds[i.kind].takes(name, value) {
		i.object.Set(name, value)
	}
}

// takes reports whether a member of the type of item can have the value.
func (k itemKind) takes(name string, value []byte) bool {
	for _, needs := range []members{k.input, k.output} {
		if s := needs[name]; s != "" && !s.fits(value) {
			return false
		}
	}
	return true
}

// isOwn reports whether a member is the writer's to set.
func (i *ItemWriter) isOwn(name string) bool {
	if name == "id" || name == "type" || name == "status" {
		return true
	}
	for _, t := range textsOf(i.kind) {
		if k := textKinds[t]; k.list == name || k.list == "" && k.member == name {
			return true
		}
	}
	return false
}

// Say writes a piece of text. A part of another kind that is open ends before it. An
// empty piece writes nothing, but opens its part.
func (i *ItemWriter) Say(t Text, delta string, logprobs ...json.RawMessage) {
	k := textKinds[t]
	switch {
	case !i.writable():
		return
	case k.item != i.kind:
		i.w.refuse(fmt.Errorf("an item of type %q has no %s", i.kind, k.event))
		return
	case k.list != "" && (i.part == nil || i.part.text != t):
		i.Part(t)
	}
	if delta == "" {
		return
	}
	if !utf8.ValidString(delta) {
		delta = string([]rune(delta)) // as in the event
	}
	if t != OutputText {
		logprobs = nil
	}
	i.w.note(stepSay, i.index, int(t), len(delta), len(logprobs))
	b := append(i.place(k), `,"delta":`...)
	b = rawjson.AppendString(b, delta)
	if k.list == "" {
		i.said[t].WriteString(delta)
	} else {
		i.part.said.WriteString(delta)
		i.part.logprobs = append(i.part.logprobs, logprobs...)
	}
	if t == OutputText {
		b = rawjson.AppendList(append(b, `,"logprobs":`...), logprobs)
	}
	i.w.send(eventPrefix+k.event+".delta", b)
}

// Part opens a part for a text that comes in parts, also if one of its kind is open:
// that one ends.
func (i *ItemWriter) Part(t Text) {
	if !i.writable() || textKinds[t].list == "" || textKinds[t].item != i.kind {
		return
	}
	i.open(t, nil)
}

// open opens a part of which some members are known.
func (i *ItemWriter) open(t Text, known rawjson.Object) {
	i.endPart()
	i.w.note(stepOpen, i.index, int(t))
	k := textKinds[t]
	o := rawjson.Object{{Name: "type", Value: rawjson.String(k.part)}, {Name: k.member, Value: json.RawMessage(`""`)}}
	for _, m := range known {
		if o.Get(m.Name) == nil && m.Name != "annotations" && m.Name != "logprobs" {
			o.Set(m.Name, m.Value)
		}
	}
	if t == OutputText {
		o.Set("annotations", json.RawMessage("[]"))
		o.Set("logprobs", json.RawMessage("[]"))
	}
	i.part = &part{text: t, index: len(i.parts[k.list]), object: o}
	i.partEvent(k, "added", o.Encode())
}

// Annotate adds an annotation to the output text that is open, which it opens if there
// is none.
func (i *ItemWriter) Annotate(annotation json.RawMessage) {
	if !i.writable() || i.kind != "message" || rawjson.Kind(annotation) != '{' {
		return
	}
	if i.part == nil || i.part.text != OutputText {
		i.Part(OutputText)
	}
	i.w.note(stepNote, i.index)
	b := append(i.place(textKinds[OutputText]), `,"annotation_index":`...)
	b = strconv.AppendInt(b, int64(len(i.part.annotations)), 10)
	b = append(append(b, `,"annotation":`...), annotation...)
	i.part.annotations = append(i.part.annotations, annotation)
	i.w.send("response.output_text.annotation.added", b)
}

// Progress passes on an event that tells how far the item is, such as
// response.web_search_call.searching. Its place and its number are written anew. An
// event that is none of these, or lacks what its type needs, is left out.
func (i *ItemWriter) Progress(eventType string, event []byte) {
	if !i.writable() || !isProgress(eventType) {
		return
	}
	b := i.place(textKind{})
	for _, m := range rawjson.ReadObject(event) {
		switch m.Name {
		case "type", "sequence_number", "item_id", "output_index":
		default:
			b = append(rawjson.AppendString(append(b, ','), m.Name), ':')
			b = append(b, m.Value...)
		}
	}
	object := append(append([]byte{'{'}, b[1:]...), '}')
	if eventKinds[eventType].lacks(object) == "" {
		i.w.note(stepProgress, i.index, len(eventType))
		i.w.shape = binary.AppendUvarint(append(i.w.shape, eventType...), uint64(len(object)))
		i.w.shape = append(i.w.shape, object...)
		i.w.send(eventType, b)
	}
}

// End ends the item. The status is one of completed, incomplete and failed; another
// is taken as completed. Items of a type without status have none.
func (i *ItemWriter) End(status string) {
	if !i.writable() {
		return
	}
	i.endPart()
	for _, t := range textsOf(i.kind) {
		if textKinds[t].list == "" {
			i.endText(textKinds[t], i.said[t].String())
		}
	}
	k := itemKinds[i.kind]
	i.w.note(stepEnd, i.index, slices.Index(itemStatuses, ending(status)))
	if k.stateful {
		i.status = ending(status)
	}
	i.fill(k)
	i.ended = true
	i.w.close()
}

func ending(status string) string {
	switch status {
	case Incomplete, Failed:
		return status
	default:
		return Completed
	}
}

// endText tells a text that is a member of the item.
func (i *ItemWriter) endText(k textKind, said string) {
	i.object.Set(k.member, rawjson.String(said))
	b := append(i.place(textKind{}), `,"`+k.member+`":`...)
	b = rawjson.AppendString(b, said)
	if name := i.object.Get("name"); i.kind == "function_call" && name != nil {
		b = append(append(b, `,"name":`...), name...)
	}
	i.w.send(eventPrefix+k.event+".done", b)
}

// endPart tells the end of the part that is open, if one is.
func (i *ItemWriter) endPart() {
	p := i.part
	if p == nil {
		return
	}
	i.w.note(stepClose, i.index)
	k := textKinds[p.text]
	b := append(i.place(k), `,"`+k.member+`":`...)
	b = rawjson.AppendString(b, p.said.String())
	p.object.Set(k.member, rawjson.String(p.said.String()))
	if p.text == OutputText {
		b = rawjson.AppendList(append(b, `,"logprobs":`...), p.logprobs)
		p.object.Set("annotations", rawjson.EncodeList(p.annotations))
		p.object.Set("logprobs", rawjson.EncodeList(p.logprobs))
	}
	i.w.send(eventPrefix+k.event+".done", b)
	i.partEvent(k, "done", p.object.Encode())
	i.parts[k.list] = append(i.parts[k.list], p.object.Encode())
	i.part = nil
}

func (i *ItemWriter) partEvent(k textKind, what string, object []byte) {
	b := append(i.place(k), `,"part":`...)
	i.w.send(eventPrefix+k.opens+"."+what, append(b, object...))
}

// place returns the members that say where in the response an event belongs.
func (i *ItemWriter) place(k textKind) []byte {
	b := make([]byte, 0, 128)
	b = rawjson.AppendString(append(b, `,"item_id":`...), i.id)
	b = strconv.AppendInt(append(b, `,"output_index":`...), int64(i.index), 10)
	if k.list == "" {
		return b
	}
	b = append(append(append(b, `,"`...), k.index...), `":`...)
	at := len(i.parts[k.list])
	return strconv.AppendInt(b, int64(at), 10)
}

// encode returns the item as it is told last.
func (i *ItemWriter) encode() json.RawMessage {
	o := i.object.Clone()
	if i.status != "" {
		o.Set("status", rawjson.String(i.status))
	}
	for _, list := range listsOf(i.kind) {
		if parts := i.parts[list]; parts != nil || itemKinds[i.kind].input[list] != "" {
			o.Set(list, rawjson.EncodeList(parts))
		}
	}
	made := o.Encode()
	if i.raw != nil && same(i.raw, made) {
		return i.raw
	}
	return made
}

// same reports whether two values are the same JSON.
func same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// say writes what an item that is there as a whole says beyond what was said.
func (i *ItemWriter) say(item []byte) {
	if !i.writable() {
		return
	}
	for _, t := range textsOf(i.kind) {
		if k := textKinds[t]; k.list == "" {
			i.sayRest(t, i.said[t].String(), rawjson.Text(rawjson.Get(item, k.member)))
		}
	}
	for _, list := range listsOf(i.kind) {
		parts := rawjson.Get(item, list)
		if s := rawjson.Text(parts); s != "" && i.kind == "message" { // as some servers have it
			parts = rawjson.EncodeList([]json.RawMessage{rawjson.Object{
				{Name: "type", Value: json.RawMessage(`"output_text"`)}, {Name: "text", Value: rawjson.String(s)},
			}.Encode()})
		}
		i.sayParts(list, rawjson.List(parts))
	}
}

// sayRest writes what is missing of a text, if what was said is its beginning.
func (i *ItemWriter) sayRest(t Text, said, whole string) {
	if rest, ok := strings.CutPrefix(whole, said); ok && rest != "" {
		i.Say(t, rest)
	}
}

func (i *ItemWriter) sayParts(list string, parts []json.RawMessage) {
	for n, p := range parts {
		t, known := textOf(i.kind, list, rawjson.Text(rawjson.Get(p, "type")))
		switch {
		case n < len(i.parts[list]): // is done
		case !known:
			i.wholePart(list, p)
		case i.part != nil && i.part.text == t && i.part.index == n:
			i.sayPart(t, p)
			i.endPart()
		default:
			i.open(t, rawjson.ReadObject(p))
			i.sayPart(t, p)
			i.endPart()
		}
	}
}

// sayPart writes what the open part lacks of p.
func (i *ItemWriter) sayPart(t Text, p []byte) {
	i.sayRest(t, i.part.said.String(), rawjson.Text(rawjson.Get(p, textKinds[t].member)))
	if t != OutputText {
		return
	}
	for n, a := range rawjson.List(rawjson.Get(p, "annotations")) {
		if n >= len(i.part.annotations) {
			i.Annotate(a)
		}
	}
	if all := rawjson.List(rawjson.Get(p, "logprobs")); len(i.part.logprobs) == 0 {
		i.part.logprobs = all
	}
}

// wholePart writes a part that has no text of a known kind.
func (i *ItemWriter) wholePart(list string, p json.RawMessage) {
	if list != "content" || rawjson.Kind(p) != '{' || rawjson.Text(rawjson.Get(p, "type")) == "" {
		return
	}
	i.endPart()
	i.w.note(stepPart, i.index)
	k := textKinds[OutputText]
	i.partEvent(k, "added", p)
	i.partEvent(k, "done", p)
	i.parts[list] = append(i.parts[list], p)
}

// finish takes what an item that is there as a whole has beside its texts.
func (i *ItemWriter) finish(item json.RawMessage) {
	if i.ended {
		return
	}
	for _, m := range rawjson.ReadObject(item) {
		i.Set(m.Name, m.Value)
	}
	i.raw = item
}
