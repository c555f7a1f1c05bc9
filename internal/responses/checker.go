package responses

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
)

// A Checker tells a valid stream of events from one that is not. The zero value is
// ready for the first event. It knows nothing of a [Writer].
//
// A stream is valid if
//   - it begins with response.created, goes on with response.queued or not and with
//     response.in_progress, and ends with one event that ends a response;
//   - the events are of types that clients know, are numbered from 0 without a gap,
//     and have the members of their type;
//   - the response object has all its members each time, and the same id, model and
//     creation time;
//   - an item is announced at the next output_index, under an id of its own, and done
//     once, in the order of the indexes; after one that is incomplete there is none that
//     is completed;
//   - a part is announced at the next index of its item while no other is open, and
//     done before its item;
//   - pieces come only while their part or item is open, and together are what the
//     events that end it say, and what the item has;
//   - at the end every item is done, and output is the items that were streamed.
type Checker struct {
	seq    int64
	phase  string // type of the last event that had a response
	head   map[string]json.RawMessage
	items  []*checkedItem
	ids    map[string]bool
	done   int
	cut    bool // an incomplete item is done
	failed error
}

type checkedItem struct {
	id, kind string
	done     bool
	object   json.RawMessage // as it is done
	parts    map[string][]json.RawMessage
	open     *checkedPart
	texts    map[Text]*checkedText // of the item itself
}

type checkedPart struct {
	text      Text
	plain     bool // of a type without text events
	index     int64
	first     json.RawMessage
	said      checkedText
	annotated []json.RawMessage
}

type checkedText struct {
	said strings.Builder
	done bool
}

// Event checks the next event. Once it has returned an error it always returns that.
func (c *Checker) Event(data []byte) error {
	if c.failed == nil {
		if err := c.event(data); err != nil {
			c.failed = fmt.Errorf("event %d: %w: %.300s", c.seq, err, data)
		}
		c.seq++
	}
	return c.failed
}

// End checks that a stream that ends here is whole.
func (c *Checker) End() error {
	switch {
	case c.failed != nil:
		return c.failed
	case !Terminal(c.phase):
		return errors.New("the stream ended before its response")
	default:
		return nil
	}
}

func (c *Checker) event(data []byte) error {
	if !rawjson.IsObject(data) {
		return errors.New("not a JSON object")
	}
	kind := rawjson.Text(rawjson.Get(data, "type"))
	needs, known := eventKinds[kind]
	n, numbered := integer(rawjson.Get(data, "sequence_number"))
	switch {
	case !known:
		return fmt.Errorf("clients know no type %q", kind)
	case !numbered || n != c.seq:
		return fmt.Errorf("sequence_number is %d", n)
	case Terminal(c.phase):
		return errors.New("the response had ended")
	case needs.lacks(data) != "":
		return fmt.Errorf("%s is missing or of another type", needs.lacks(data))
	case needs["response"] != "":
		return c.response(kind, rawjson.ReadObject(rawjson.Get(data, "response")))
	case c.phase != EventInProgress:
		return errors.New("the response has not begun")
	default:
		return c.about(kind, data)
	}
}

// follows lists what an event with a response may come after.
var follows = map[string][]string{
	EventCreated: {""}, EventQueued: {EventCreated}, EventInProgress: {EventCreated, EventQueued},
	EventCompleted: {EventInProgress}, EventFailed: {EventInProgress}, EventIncomplete: {EventInProgress},
}

func (c *Checker) response(kind string, object rawjson.Object) error {
	if !slices.Contains(follows[kind], c.phase) {
		return fmt.Errorf("it may not come after %q", c.phase)
	}
	c.phase = kind
	for _, m := range responseMembers {
		if !m.shape.fits(object.Get(m.name)) {
			return fmt.Errorf("response.%s is missing or of another type", m.name)
		}
	}
	for _, err := range []error{c.same(object), c.status(kind, object), wellFormed(object)} {
		if err != nil {
			return err
		}
	}
	if Terminal(kind) {
		return c.output(object)
	}
	return nil
}

// same checks that what names the response does not change.
func (c *Checker) same(object rawjson.Object) error {
	first := c.head == nil
	if first {
		c.head, c.ids = map[string]json.RawMessage{}, map[string]bool{}
	}
	for _, name := range []string{"id", "model", "created_at", "object"} {
		v := object.Get(name)
		if first {
			c.head[name] = slices.Clone(v)
		}
		if string(c.head[name]) != string(v) {
			return fmt.Errorf("response.%s was %s", name, c.head[name])
		}
	}
	if id := rawjson.Text(c.head["id"]); id == "" {
		return errors.New("response.id is empty")
	}
	return nil
}

func (c *Checker) status(kind string, object rawjson.Object) error {
	status := rawjson.Text(object.Get("status"))
	may := map[string][]string{
		EventCreated: {Queued, InProgress}, EventQueued: {Queued}, EventInProgress: {InProgress},
		EventCompleted: {Completed}, EventFailed: {Failed}, EventIncomplete: {Incomplete, Cancelled},
	}
	if !slices.Contains(may[kind], status) {
		return fmt.Errorf("response.status is %q", status)
	}
	for name, when := range map[string]string{"completed_at": Completed, "error": Failed, "incomplete_details": Incomplete} {
		if has := rawjson.Kind(object.Get(name)) != 'n'; has != (status == when) {
			return fmt.Errorf("response.%s of a response that is %s", name, status)
		}
	}
	return nil
}

// wellFormed checks what lies deeper in a response object.
func wellFormed(object rawjson.Object) error {
	count := members{"input_tokens": "i", "output_tokens": "i", "total_tokens": "i", "input_tokens_details": "o", "output_tokens_details": "o"}
	for _, part := range []struct {
		in    []byte
		name  string
		needs members
	}{
		{object.Get("usage"), "usage", count},
		{rawjson.Get(object.Get("usage"), "input_tokens_details"), "usage.input_tokens_details", members{"cached_tokens": "i"}},
		{rawjson.Get(object.Get("usage"), "output_tokens_details"), "usage.output_tokens_details", members{"reasoning_tokens": "i"}},
		{object.Get("text"), "text", members{"format": "o"}},
		{object.Get("reasoning"), "reasoning", members{"effort": "s0", "summary": "s0"}},
		{object.Get("error"), "error", members{"code": "s", "message": "s"}},
		{object.Get("incomplete_details"), "incomplete_details", members{"reason": "s"}},
		{object.Get("conversation"), "conversation", members{"id": "s"}},
	} {
		if rawjson.Kind(part.in) == 'n' {
			continue
		}
		if name := part.needs.lacks(part.in); name != "" {
			return fmt.Errorf("response.%s.%s is missing or of another type", part.name, name)
		}
	}
	return nil
}

// output checks the items of a response that has ended.
func (c *Checker) output(object rawjson.Object) error {
	output := rawjson.List(object.Get("output"))
	if c.cut && rawjson.Text(object.Get("status")) == Completed {
		return errors.New("an item is incomplete")
	}
	if c.done != len(c.items) || len(output) != len(c.items) {
		return fmt.Errorf("%d items announced, %d done, %d in output", len(c.items), c.done, len(output))
	}
	for n, i := range c.items {
		if !same(i.object, output[n]) {
			return fmt.Errorf("output[%d] is not the item that was streamed", n)
		}
	}
	return nil
}

// about checks an event about an item.
func (c *Checker) about(kind string, data []byte) error {
	at, _ := integer(rawjson.Get(data, "output_index"))
	if kind == "response.output_item.added" {
		return c.added(at, rawjson.Get(data, "item"))
	}
	if at < 0 || at >= int64(len(c.items)) {
		return fmt.Errorf("no item has the output_index %d", at)
	}
	i := c.items[at]
	if i.done {
		return errors.New("the item is done")
	}
	if kind == "response.output_item.done" {
		return c.ended(at, i, rawjson.Get(data, "item"))
	}
	if id := rawjson.Text(rawjson.Get(data, "item_id")); id != i.id {
		return fmt.Errorf("the item's id is %q", i.id)
	}
	return i.event(strings.TrimPrefix(kind, eventPrefix), data)
}

func (c *Checker) added(at int64, item []byte) error {
	i := &checkedItem{
		id: rawjson.Text(rawjson.Get(item, "id")), kind: rawjson.Text(rawjson.Get(item, "type")),
		parts: map[string][]json.RawMessage{}, texts: map[Text]*checkedText{},
	}
	switch {
	case at != int64(len(c.items)):
		return fmt.Errorf("the next output_index is %d", len(c.items))
	case i.id == "" || c.ids[i.id]:
		return fmt.Errorf("the id %q is empty or taken", i.id)
	}
	if err := i.check(item, InProgress); err != nil {
		return err
	}
	for _, t := range textsOf(i.kind) {
		v := rawjson.Get(item, textKinds[t].member)
		if textKinds[t].list != "" {
			v = rawjson.Get(item, textKinds[t].list)
		} else {
			i.texts[t] = &checkedText{}
		}
		if v != nil && string(v) != `""` && string(v) != "[]" {
			return errors.New("a new item has no text yet")
		}
	}
	c.ids[i.id] = true
	c.items = append(c.items, i)
	return nil
}

// check checks an item's members.
func (i *checkedItem) check(item []byte, statuses ...string) error {
	if strings.Contains(i.kind, ":") {
		return nil
	}
	k, ok := itemKinds[i.kind]
	if !ok {
		return fmt.Errorf("no item has the type %q", i.kind)
	}
	for _, needs := range []members{k.input, k.output} {
		if name := needs.lacks(item); name != "" {
			return fmt.Errorf("item.%s is missing or of another type", name)
		}
	}
	if status := rawjson.Text(rawjson.Get(item, "status")); k.stateful && !slices.Contains(statuses, status) {
		return fmt.Errorf("item.status is %q", status)
	}
	return nil
}

func (c *Checker) ended(at int64, i *checkedItem, item []byte) error {
	switch {
	case at != int64(c.done):
		return fmt.Errorf("item %d is done first", c.done)
	case i.open != nil:
		return errors.New("a part is open")
	case rawjson.Text(rawjson.Get(item, "id")) != i.id || rawjson.Text(rawjson.Get(item, "type")) != i.kind:
		return errors.New("it is another item")
	}
	if err := i.check(item, Completed, Incomplete, Failed); err != nil {
		return err
	}
	if err := i.holds(item); err != nil {
		return err
	}
	cut := rawjson.Text(rawjson.Get(item, "status")) == Incomplete
	if c.cut && !cut {
		return errors.New("an item after an incomplete one is completed")
	}
	c.cut, i.done, i.object = cut, true, slices.Clone(item)
	c.done++
	return nil
}
