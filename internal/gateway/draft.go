package gateway

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
)

// A draft is an answer as far as its events have told it. It stands in for what
// the last event leaves out, and for the last event if that never comes.
type draft struct {
	size   int    // bytes of what it holds, about
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

	"code_interpreter_call_code": {"code_interpreter_call", "", "code"},
}

// add notes what an event tells.
func (d *draft) add(kind string, event []byte) {
	name, ok := strings.CutPrefix(kind, responseEvent)
	stem, what, _ := cutLast(name, '.')
	where, isText := texts[stem]
	switch {
	case isText:
		i := d.item(where.item, event)
		if where.part == "" {
			i.named(event)
			d.size += i.part(where.member, event).say(what, event, where.member)
			return
		}
		d.size += i.part(where.part, event).say(what, event, where.member)
	case stem == "output_item":
		d.addItem(what, event)
	case stem == "content_part":
		d.addPart(what, event)
	case !ok:
		return
	default:
		d.addResponse(member(event, "response"))
	}
	d.addUsage(member(event, "usage"))
}

func (d *draft) addResponse(object []byte) {
	if len(object) > 0 && object[0] == '{' {
		d.keep(&d.object, object)
		d.addUsage(member(object, "usage"))
	}
}

func (d *draft) keep(at *[]byte, object []byte) {
	d.size += len(object) - len(*at)
	*at = object
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
	nameless := id == "" && member(event, "output_index") == nil
	if i == nil || i.done && (i.id != id || what == "added" || nameless) || what == "added" && i.id != id {
		i = d.newItem(kind)
	}
	d.note(i, id, event)
	d.keep(&i.object, object)
	i.done = i.done || what == "done"
}

func (d *draft) addPart(what string, event []byte) {
	object := member(event, "part")
	kind := text(member(object, "type"))
	for _, t := range texts {
		if t.part == kind && kind != "" {
			p := d.item(t.item, event).part(kind, event)
			d.keep(&p.object, object)
			d.size += p.say(what, object, t.member)
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
	switch {
	case i == nil && at == "" && id == "":
		return d.lastOpen(kind)
	case i == nil:
		if i = d.byAt[key(kind, "")]; i != nil && (i.done || i.id != "") {
			i = nil
		}
	case at == "" && id != "" && i.id != "":
		return nil // only the ids tell them apart
	}
	return i
}

// lastOpen returns the last item of the kind if it has not ended: what an event is about
// that does not say it.
func (d *draft) lastOpen(kind string) *draftItem {
	for n := len(d.items) - 1; n >= 0; n-- {
		if i := d.items[n]; i.kind == kind {
			if i.done {
				return nil
			}
			return i
		}
	}
	return nil
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
	about := rawjson.Object{{Name: "type", Value: rawjson.String(i.kind)}}
	for _, name := range []struct{ from, to string }{{"item_id", "id"}, {"call_id", "call_id"}, {"name", "name"}} {
		if v := member(event, name.from); v != nil {
			about.Set(name.to, v)
		}
	}
	i.object = about.Encode()
}

func (i *draftItem) part(kind string, event []byte) *draftPart {
	at := key(kind, string(member(event, "content_index")))
	p := i.byAt[at]
	if p == nil {
		p = i.unplaced(kind, at)
	}
	if p == nil {
		p = &draftPart{kind: kind}
		i.parts = append(i.parts, p)
	}
	i.byAt[at] = p
	return p
}

// unplaced returns the part of an event of which it, or those before it, do not say
// which part it is.
func (i *draftItem) unplaced(kind, at string) *draftPart {
	if at == key(kind, "") {
		for n := len(i.parts) - 1; n >= 0; n-- {
			if p := i.parts[n]; p.kind == kind {
				return p
			}
		}
		return nil
	}
	if p := i.byAt[key(kind, "")]; p != nil && !p.done && len(i.parts) == 1 {
		return p
	}
	return nil
}

// say takes a piece of the text from delta, and the whole from the other events. It
// returns by how many bytes the text has grown.
func (p *draftPart) say(what string, object []byte, name string) int {
	before := len(p.said)
	if what == "delta" {
		delta := member(object, "delta")
		p.said = append(p.said, cmp.Or(text(delta), text(member(delta, name)), text(member(object, name)))...)
		return len(p.said) - before
	}
	p.done = p.done || what == "done"
	if whole := text(member(object, name)); whole != "" {
		p.said = append(p.said[:0], whole...)
	}
	return len(p.said) - before
}

// whole reports whether every item that began has ended, and there is one that
// is an answer. A text has ended too if its stream has been closed on purpose.
func (d *draft) whole(closed bool) bool {
	answer := false
	for _, i := range d.items {
		done := i.done || closed && i.kind == "message"
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
	return i.spoken() || !readItem(i.object).silent()
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
		return readItem(i.object).silent()
	}
	for _, p := range i.parts {
		if i.kind != "reasoning" && isEmpty(member(i.object, p.kind)) {
			return true
		}
	}
	return false
}

// whole reports whether the item as it was told lacks nothing.
func (i *draftItem) whole() bool { return i.done && !(i.spoken() && i.silent()) }

// keeps reports whether the item says anything.
func (i *draftItem) keeps() bool {
	return i.whole() || i.spoken() || i.object != nil && i.kind != "message" && i.kind != "reasoning"
}

// output returns the items that say something, as JSON.
func (d *draft) output() []json.RawMessage {
	var all []json.RawMessage
	for _, i := range d.items {
		if i.keeps() {
			all = append(all, i.encode())
		}
	}
	return all
}

// encode returns the item as JSON.
func (i *draftItem) encode() json.RawMessage {
	if i.whole() {
		return i.object
	}
	o := rawjson.ReadObject(i.object)
	o.Set("type", rawjson.String(i.kind))
	if i.kind == "message" && o.Get("role") == nil {
		o.Set("role", rawjson.String("assistant"))
	}
	ended := i.done || len(i.parts) > 0
	var content []json.RawMessage
	for _, p := range i.parts {
		ended = ended && (p.done || i.done)
		if i.kind != "message" && i.kind != "reasoning" {
			o.Set(p.kind, rawjson.String(string(p.said)))
			continue
		}
		content = append(content, p.encode())
	}
	if content != nil {
		o.Set("content", rawjson.EncodeList(content))
	}
	o.Set("status", rawjson.String(map[bool]string{true: "completed", false: "incomplete"}[ended]))
	return o.Encode()
}

func (p *draftPart) encode() json.RawMessage {
	o := rawjson.ReadObject(p.object)
	o.Set("type", rawjson.String(p.kind))
	switch p.kind {
	case "refusal":
		o.Set("refusal", rawjson.String(string(p.said)))
	default:
		o.Set("text", rawjson.String(string(p.said)))
	}
	if p.kind == "output_text" && o.Get("annotations") == nil {
		o.Set("annotations", []byte("[]"))
	}
	return o.Encode()
}

// fill returns a response object with the output that it should have: its own,
// and what only the events told. An object that lacks nothing is returned as it
// is.
func (d *draft) fill(object []byte) []byte {
	own := rawjson.List(member(object, "output"))
	has, told, lacks := map[string]bool{}, map[string]bool{}, false
	for _, raw := range own {
		if i := readItem(raw); i.kind() != "message" || !i.silent() {
			has[i.kind()] = true
		}
	}
	for _, i := range d.items {
		if i.keeps() {
			kind := cmp.Or(i.kind, "message")
			told[kind] = true
			lacks = lacks || !has[kind]
		}
	}
	if len(own) == 0 && len(told) == 0 {
		return spelledOut(object)
	}
	if !lacks {
		return object
	}
	drafted := d.output()
	for _, raw := range own {
		if kind := readItem(raw).kind(); has[kind] && !told[kind] {
			drafted = append(drafted, raw)
		}
	}
	return withMember(object, "output", rawjson.EncodeList(drafted))
}

// spelledOut returns a response object without items as output with the text that it
// has beside or in place of them, if any, as an item.
func spelledOut(object []byte) []byte {
	whole := cmp.Or(text(member(object, "output_text")), text(member(object, "output")))
	if whole == "" {
		return object
	}
	part := &draftPart{kind: "output_text", said: []byte(whole), done: true}
	item := &draftItem{kind: "message", parts: []*draftPart{part}}
	return withMember(object, "output", rawjson.EncodeList([]json.RawMessage{item.encode()}))
}

// rest returns a response object for a response of which no last event came, or
// nil if there is nothing to keep.
func (d *draft) rest(status, why string) []byte {
	output := d.output()
	if len(output) == 0 {
		return nil
	}
	o := rawjson.ReadObject(d.object)
	o.Set("status", rawjson.String(status))
	o.Set("output", rawjson.EncodeList(output))
	if d.usage != nil {
		o.Set("usage", d.usage)
	}
	if o.Get("object") == nil {
		o.Set("object", rawjson.String("response"))
	}
	if status == "incomplete" {
		o.Set("incomplete_details", rawjson.Object{{Name: "reason", Value: rawjson.String(why)}}.Encode())
	}
	return o.Encode()
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
