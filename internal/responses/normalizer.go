package responses

import (
	"slices"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
)

// A Normalizer writes what a server's events tell, whatever they leave out, repeat or
// send in another order. Servers leave out numbers, indexes, ids, the events around
// parts, or all but the last event; some give each event another id, some the same
// place to each item.
//
// A piece of text is written once, and never lost: what comes for an item that has
// ended begins another one. Types of items and events that clients do not know are
// left out; [Normalizer.Dropped] names them.
type Normalizer struct {
	w       *Writer
	items   []*told
	byID    map[string]*told // by type and id
	byPlace map[string]*told // the last, by type and output_index
	usage   []byte
	dropped []string

	// Hold leaves function calls out: who asked decides what they are shown as.
	Hold bool

	// Spent is the usage of answers before this one, to which its own is added; nil if
	// there was none.
	Spent []byte
}

// told is an item as its server tells it.
type told struct {
	*ItemWriter
	id    string          // the first that it was called by; may be empty
	place string          // the server's index of the part that is open; may be empty
	seen  map[string]bool // parts that were opened, by list and the server's index
}

// NewNormalizer returns a normalizer that writes through w.
func NewNormalizer(w *Writer) *Normalizer {
	return &Normalizer{w: w, byID: map[string]*told{}, byPlace: map[string]*told{}}
}

// Dropped returns the types of events and items that were left out, each once.
func (n *Normalizer) Dropped() []string { return n.dropped }

func (n *Normalizer) drop(kind string) {
	const most = 20 // a server may make up any number
	if len(n.dropped) < most && !slices.Contains(n.dropped, kind) {
		n.dropped = append(n.dropped, kind)
	}
}

// Event takes an event, which must be a valid JSON object that stays as it is; kind is
// its type. It reports whether the event ended the response. at, in Unix seconds, is
// when it came. Errors are not for it: an event of the type error is left out.
func (n *Normalizer) Event(kind string, data []byte, at int64) (ended bool) {
	if n.w.Over() {
		return true
	}
	object := rawjson.Get(data, "response")
	if usage := rawjson.Get(object, "usage"); rawjson.Kind(usage) == '{' {
		n.usage = usage
	}
	name, ok := strings.CutPrefix(kind, eventPrefix)
	if !ok {
		n.drop(kind)
		return false
	}
	if !n.w.Begun() {
		n.w.Begin()
	}
	if status := endOf(kind, object); status != "" {
		n.end(status, object, at)
		return true
	}
	n.tell(kind, name, data)
	return false
}

// endOf returns the status of the response that an event ends, or "".
func endOf(kind string, object []byte) string {
	status := ""
	switch kind {
	case EventCompleted, "response.done":
		status = Completed
	case EventFailed:
		status = Failed
	case EventIncomplete:
		status = Incomplete
	case "response.cancelled", "response.canceled":
		status = Cancelled
	default:
		return ""
	}
	switch own := rawjson.Text(rawjson.Get(object, "status")); own {
	case Failed, Incomplete, Cancelled:
		return own
	default:
		return status
	}
}

// tell writes what an event within the response brings. name is its type without the
// prefix.
func (n *Normalizer) tell(kind, name string, data []byte) {
	stem, what := name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		stem, what = name[:i], name[i+1:]
	}
	part := rawjson.Get(data, "part")
	partType := rawjson.Text(rawjson.Get(part, "type"))
	if n.Hold && (stem == textKinds[Arguments].event || stem == "output_item" && held(rawjson.Get(data, "item"))) {
		return
	}
	for t, k := range textKinds {
		switch {
		case stem == k.event:
			n.text(Text(t), what, data)
			return
		case k.opens != "" && stem == k.opens && partType == k.part:
			n.part(Text(t), what, part, data)
			return
		}
	}
	switch {
	case stem == "output_item":
		n.item(what, rawjson.Get(data, "item"), data)
	case stem == "output_text.annotation":
		if i := n.find("message", data, true); i.turn(OutputText, data, true) {
			i.Annotate(rawjson.Get(data, "annotation"))
		}
	case isProgress(kind):
		if i := n.find(stem, data, false); i != nil && !i.Ended() {
			i.Progress(kind, data)
		}
	case kind != EventCreated && kind != EventInProgress && kind != EventQueued:
		n.drop(kind)
	}
}

// text takes a piece of a text, or the whole of it.
func (n *Normalizer) text(t Text, what string, data []byte) {
	k, piece := textKinds[t], what == "delta"
	i := n.find(k.item, data, piece)
	if i == nil || i.Ended() || !i.turn(t, data, piece) {
		return
	}
	if piece {
		i.Say(t, rawjson.Text(rawjson.Get(data, "delta")), rawjson.List(rawjson.Get(data, "logprobs"))...)
		return
	}
	i.sayRest(t, i.spoken(t), rawjson.Text(rawjson.Get(data, k.member)))
}

// spoken returns what was said of a text of which the part, if it has parts, is open.
func (i *told) spoken(t Text) string {
	if textKinds[t].list == "" {
		return i.said[t].String()
	}
	return i.part.said.String()
}

// part takes an event about a part as a whole.
func (n *Normalizer) part(t Text, what string, part, data []byte) {
	i := n.find(textKinds[t].item, data, what == "added")
	if i == nil || i.Ended() {
		return
	}
	if what == "added" && i.part != nil && i.part.text == t && i.part.said.Len() > 0 && rawjson.Get(data, textKinds[t].index) == nil {
		i.endPart()
	}
	if i.turn(t, data, what == "added") && what == "done" {
		i.sayPart(t, part)
		i.endPart()
	}
}

// turn opens the part that an event is about, if it is not open, and reports whether
// it is open then. One that has ended is opened again only for a piece of text.
func (i *told) turn(t Text, data []byte, piece bool) bool {
	k := textKinds[t]
	if k.list == "" {
		return true
	}
	place := string(rawjson.Get(data, k.index))
	if i.part != nil && i.part.text == t && (place == i.place || place == "" || i.place == "") {
		i.place = or(place, i.place)
		i.seen[k.list+i.place] = true
		return true
	}
	if i.seen[k.list+place] && !piece {
		return false
	}
	i.Part(t)
	i.place, i.seen[k.list+place] = place, true
	return true
}

// item takes an event about an item as a whole.
func (n *Normalizer) item(what string, object, data []byte) {
	if rawjson.Kind(object) != '{' {
		return
	}
	kind, id := readItem(object).Type, rawjson.Text(rawjson.Get(object, "id"))
	i := n.lookUp(kind, id, data)
	switch {
	case i == nil, i.id != id && (i.Ended() || what == "added"):
		i = n.add(kind, id, withAbsent(object, "type", string(rawjson.String(kind))))
	case !i.Ended():
		for _, m := range rawjson.ReadObject(object) {
			i.Set(m.Name, m.Value)
		}
	}
	n.note(i, id, data)
	if what == "done" {
		i.complete(object)
	}
}

// complete ends an item as its server has it as a whole.
func (i *told) complete(object []byte) {
	if i.Ended() {
		return
	}
	i.say(object)
	i.finish(object)
	i.End(rawjson.Text(rawjson.Get(object, "status")))
}

// find returns the item of the type that an event is about. For a piece of text it
// begins one if there is none that is open; else it may return nil.
func (n *Normalizer) find(kind string, data []byte, piece bool) *told {
	id := rawjson.Text(rawjson.Get(data, "item_id"))
	i := n.lookUp(kind, id, data)
	if i != nil && !i.Ended() || !piece && i != nil {
		return i
	}
	o := rawjson.Object{{Name: "type", Value: rawjson.String(kind)}}
	for _, m := range []rawjson.Member{{Name: "id", Value: rawjson.Get(data, "item_id")}, {Name: "call_id", Value: rawjson.Get(data, "call_id")}, {Name: "name", Value: rawjson.Get(data, "name")}} {
		if rawjson.Kind(m.Value) == '"' {
			o.Set(m.Name, m.Value)
		}
	}
	i = n.add(kind, id, o.Encode())
	n.note(i, id, data)
	return i
}

func (n *Normalizer) lookUp(kind, id string, data []byte) *told {
	if i := n.byID[kind+" "+id]; i != nil && id != "" {
		return i
	}
	place := string(rawjson.Get(data, "output_index"))
	i := n.byPlace[kind+" "+place]
	if i != nil && place == "" && id != "" && i.id != "" {
		return nil // only the ids tell them apart
	}
	return i
}

func (n *Normalizer) add(kind, id string, object []byte) *told {
	i := &told{ItemWriter: n.w.Add(object), id: id, seen: map[string]bool{}}
	if i.Ended() {
		n.drop(kind)
		return i
	}
	n.items = append(n.items, i)
	return i
}

func (n *Normalizer) note(i *told, id string, data []byte) {
	n.byPlace[i.Type()+" "+string(rawjson.Get(data, "output_index"))] = i
	if id == "" {
		return
	}
	n.byID[i.Type()+" "+id] = i
	if i.id == "" {
		i.id = id
	}
}

func held(item []byte) bool {
	return rawjson.Kind(item) == '{' && readItem(item).Type == "function_call"
}

// Settle writes what only the object at the end of an answer tells, of a response that
// goes on.
func (n *Normalizer) Settle(object []byte) {
	for _, i := range n.tellRest(object) {
		if !i.Ended() {
			i.End(Completed)
		}
	}
}

// tellRest writes what the object at the end tells, and returns the items that it does
// not tell of.
func (n *Normalizer) tellRest(object []byte) []*told {
	known := slices.Clone(n.items)
	for _, item := range rawjson.List(rawjson.Get(object, "output")) {
		if rawjson.Kind(item) != '{' || n.Hold && held(item) {
			continue
		}
		if i := match(known, readItem(item)); i >= 0 {
			known[i].complete(item)
			known = slices.Delete(known, i, i+1)
			continue
		}
		i := readItem(item)
		n.add(i.Type, i.ID, withAbsent(item, "type", string(rawjson.String(i.Type)))).complete(item)
	}
	return known
}

// end writes what only the object at the end tells, and the end.
func (n *Normalizer) end(status string, object []byte, at int64) {
	n.tellRest(object)
	failure, details := rawjson.Get(object, "error"), rawjson.Get(object, "incomplete_details")
	n.w.End(End{
		Status: status, Usage: SumUsage(n.Spent, n.usage), At: at,
		Reason: rawjson.Text(rawjson.Get(details, "reason")),
		Code:   rawjson.Text(rawjson.Get(failure, "code")), Text: rawjson.Text(rawjson.Get(failure, "message")),
	})
}

// match returns the index of the item that is meant: by its id, else the first of its
// type.
func match(items []*told, item Item) int {
	at := slices.IndexFunc(items, func(i *told) bool { return i.Type() == item.Type && i.id == item.ID && item.ID != "" })
	if at >= 0 {
		return at
	}
	return slices.IndexFunc(items, func(i *told) bool { return i.Type() == item.Type })
}
