package gateway

import (
	"encoding/json"
	"strings"
)

// A draft is an answer as far as its events have told it. It stands in for what
// the last event leaves out, and for the last event if that never comes.
type draft struct {
	object []byte // the response, as an event told it last; may be nil
	usage  []byte // the same of its usage
	items  []*draftItem
	byID   map[string]*draftItem
	byAt   map[string]*draftItem // the last item with the kind and output_index
}

type draftItem struct {
	kind   string // its type
	id     string // the first that it was called by; may be empty
	object []byte // as an event told it last; may be nil
	done   bool
	parts  []*draftPart
	byAt   map[string]*draftPart // the last part with the kind and content_index
}

// A draftPart is a text: of a part of a message, or of a member of another item.
type draftPart struct {
	kind   string // its type, or the name of the member
	object []byte // as an event told it last; may be nil
	said   []byte
	done   bool
}

// texts says where the text of an event belongs, by the name of the event
// without response. before it and .delta or .done behind.
var texts = map[string]struct{ item, part, member string }{
	"output_text":             {"message", "output_text", "text"},
	"text":                    {"message", "output_text", "text"},
	"refusal":                 {"message", "refusal", "refusal"},
	"reasoning_text":          {"reasoning", "reasoning_text", "text"},
	"function_call_arguments": {"function_call", "", "arguments"},
	"mcp_call_arguments":      {"mcp_call", "", "arguments"},
	"custom_tool_call_input":  {"custom_tool_call", "", "input"},
}

// add notes what an event tells.
func (d *draft) add(kind string, event []byte) {
	name, ok := strings.CutPrefix(kind, responseEvent)
	if !ok {
		return
	}
	stem, what, _ := cutLast(name, '.')
	where, isText := texts[stem]
	switch {
	case isText:
		i := d.item(where.item, event)
		if where.part == "" {
			i.named(event)
			i.part(where.member, event).say(what, event, where.member)
			return
		}
		i.part(where.part, event).say(what, event, where.member)
	case stem == "output_item":
		d.addItem(what, event)
	case stem == "content_part":
		d.addPart(what, event)
	default:
		d.addResponse(member(event, "response"))
	}
	d.addUsage(member(event, "usage"))
}

func (d *draft) addResponse(object []byte) {
	if len(object) > 0 && object[0] == '{' {
		d.object = object
		d.addUsage(member(object, "usage"))
	}
}

func (d *draft) addUsage(usage []byte) {
	if len(usage) > 0 && usage[0] == '{' {
		d.usage = usage
	}
}

func (d *draft) addItem(what string, event []byte) {
	object := member(event, "item")
	if len(object) == 0 || object[0] != '{' {
		return
	}
	kind, id := text(member(object, "type")), text(member(object, "id"))
	i := d.find(kind, id, event)
	if i == nil || i.id != id && (i.done || what == "added") {
		i = d.newItem(kind)
	}
	d.note(i, id, event)
	i.object, i.done = object, i.done || what == "done"
}

func (d *draft) addPart(what string, event []byte) {
	object := member(event, "part")
	kind := text(member(object, "type"))
	for _, t := range texts {
		if t.part == kind && kind != "" {
			p := d.item(t.item, event).part(kind, event)
			p.object = object
			p.say(what, object, t.member)
			return
		}
	}
}

// item returns the item of the kind that an event is about. Servers name it by
// its place, by its id, by both, or not at all; there are some that give each
// event another id, and some that give each item the same place.
func (d *draft) item(kind string, event []byte) *draftItem {
	id := text(member(event, "item_id"))
	i := d.find(kind, id, event)
	if i == nil {
		i = d.newItem(kind)
	}
	d.note(i, id, event)
	return i
}

func (d *draft) find(kind, id string, event []byte) *draftItem {
	if i := d.byID[key(kind, id)]; i != nil {
		return i
	}
	at := string(member(event, "output_index"))
	i := d.byAt[key(kind, at)]
	if i != nil && at == "" && id != "" && i.id != "" {
		return nil // only the ids tell them apart
	}
	return i
}

func (d *draft) newItem(kind string) *draftItem {
	i := &draftItem{kind: kind, byAt: map[string]*draftPart{}}
	d.items = append(d.items, i)
	return i
}

func (d *draft) note(i *draftItem, id string, event []byte) {
	if d.byAt == nil {
		d.byAt, d.byID = map[string]*draftItem{}, map[string]*draftItem{}
	}
	d.byAt[key(i.kind, string(member(event, "output_index")))] = i
	if id != "" {
		d.byID[key(i.kind, id)] = i
		if i.id == "" {
			i.id = id
		}
	}
}

func key(kind, at string) string { return kind + " " + at }

// named keeps what an event tells of a call whose item has not come.
func (i *draftItem) named(event []byte) {
	if i.object != nil {
		return
	}
	about := map[string]json.RawMessage{"type": quoted(i.kind)}
	for from, to := range map[string]string{"item_id": "id", "call_id": "call_id", "name": "name"} {
		if v := member(event, from); v != nil {
			about[to] = v
		}
	}
	i.object = encode(about)
}

func (i *draftItem) part(kind string, event []byte) *draftPart {
	at := key(kind, string(member(event, "content_index")))
	p := i.byAt[at]
	if p == nil {
		p = &draftPart{kind: kind}
		i.parts, i.byAt[at] = append(i.parts, p), p
	}
	return p
}

// say takes a piece of the text from delta, and the whole from the other events.
func (p *draftPart) say(what string, object []byte, name string) {
	if what == "delta" {
		p.said = append(p.said, text(member(object, "delta"))...)
		return
	}
	p.done = p.done || what == "done"
	if whole := text(member(object, name)); whole != "" {
		p.said = []byte(whole)
	}
}

// whole reports whether every item that began has ended, and there is one that
// is an answer.
func (d *draft) whole() bool {
	answer := false
	for _, i := range d.items {
		done := i.done
		for _, p := range i.parts {
			done = done || p.done
		}
		if !done {
			return false
		}
		answer = answer || i.answers()
	}
	return answer
}

// answers reports whether the item is more than thought.
func (i *draftItem) answers() bool {
	switch {
	case i.kind == "reasoning":
		return false
	case i.kind != "message":
		return true
	}
	return i.spoken() || readItem(i.object).text() != ""
}

func (i *draftItem) spoken() bool {
	for _, p := range i.parts {
		if len(p.said) > 0 {
			return true
		}
	}
	return false
}

// silent reports whether the item as it was told lacks the text that its events
// brought.
func (i *draftItem) silent() bool {
	if i.kind == "message" {
		return readItem(i.object).text() == ""
	}
	for _, p := range i.parts {
		if i.kind != "reasoning" && text(member(i.object, p.kind)) == "" {
			return true
		}
	}
	return false
}

// some reports whether there is anything to keep.
func (d *draft) some() bool { return len(d.output()) > 0 }

// output returns the items as JSON.
func (d *draft) output() []json.RawMessage {
	var all []json.RawMessage
	for _, i := range d.items {
		if o := i.encode(); o != nil {
			all = append(all, o)
		}
	}
	return all
}

// encode returns the item as JSON, or nil if it says nothing.
func (i *draftItem) encode() json.RawMessage {
	if i.done && !(i.spoken() && i.silent()) {
		return i.object
	}
	if !i.spoken() && (i.object == nil || i.kind == "message" || i.kind == "reasoning") {
		return nil
	}
	o := decode(i.object)
	o["type"] = quoted(i.kind)
	if i.kind == "message" && o["role"] == nil {
		o["role"] = quoted("assistant")
	}
	ended := i.done || len(i.parts) > 0
	var content []json.RawMessage
	for _, p := range i.parts {
		ended = ended && (p.done || i.done)
		if i.kind != "message" && i.kind != "reasoning" {
			o[p.kind] = quoted(string(p.said))
			continue
		}
		content = append(content, p.encode())
	}
	if content != nil {
		o["content"] = encode(content)
	}
	o["status"] = quoted(map[bool]string{true: "completed", false: "incomplete"}[ended])
	return encode(o)
}

func (p *draftPart) encode() json.RawMessage {
	o := decode(p.object)
	o["type"] = quoted(p.kind)
	switch p.kind {
	case "refusal":
		o["refusal"] = quoted(string(p.said))
	default:
		o["text"] = quoted(string(p.said))
	}
	if p.kind == "output_text" && o["annotations"] == nil {
		o["annotations"] = json.RawMessage("[]")
	}
	return encode(o)
}

// fill returns a response object with the output that it should have: its own,
// and what only the events told. An object that lacks nothing is returned as it
// is.
func (d *draft) fill(object []byte) []byte {
	var own []json.RawMessage
	_ = json.Unmarshal(member(object, "output"), &own) // what is no list has no items
	has := map[string]bool{}
	for _, raw := range own {
		if i := readItem(raw); i.kind() != "message" || i.text() != "" {
			has[i.kind()] = true
		}
	}
	drafted, told, lacks := d.output(), map[string]bool{}, false
	for _, raw := range drafted {
		kind := readItem(raw).kind()
		told[kind] = true
		lacks = lacks || !has[kind]
	}
	if whole := text(member(object, "output_text")); len(own) == 0 && len(drafted) == 0 && whole != "" {
		part := &draftPart{kind: "output_text", said: []byte(whole), done: true}
		drafted, lacks = []json.RawMessage{(&draftItem{kind: "message", parts: []*draftPart{part}}).encode()}, true
	}
	if !lacks {
		return object
	}
	for _, raw := range own {
		if kind := readItem(raw).kind(); has[kind] && !told[kind] {
			drafted = append(drafted, raw)
		}
	}
	o := decode(object)
	o["output"] = encode(drafted)
	return encode(o)
}

// rest returns a response object for a response of which no last event came, or
// nil if there is nothing to keep.
func (d *draft) rest(status, why string) []byte {
	if !d.some() {
		return nil
	}
	o := decode(d.object)
	o["status"], o["output"] = quoted(status), encode(d.output())
	if d.usage != nil {
		o["usage"] = d.usage
	}
	if o["object"] == nil {
		o["object"] = quoted("response")
	}
	if status == "incomplete" {
		o["incomplete_details"] = encode(map[string]string{"reason": why})
	}
	return encode(o)
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// decode returns the members of an object, or none.
func decode(object []byte) map[string]json.RawMessage {
	o := map[string]json.RawMessage{}
	_ = json.Unmarshal(object, &o) // it is valid, or nil
	return o
}

func encode(v any) json.RawMessage {
	b, _ := json.Marshal(v) // of strings and valid JSON: cannot fail
	return b
}

func quoted(s string) json.RawMessage { return encode(s) }
