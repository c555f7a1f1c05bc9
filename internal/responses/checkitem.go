package responses

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
)

// event checks an event about an item that is open. Its name has no "response.".
func (i *checkedItem) event(name string, data []byte) error {
	stem, what := name[:strings.LastIndexByte(name, '.')], name[strings.LastIndexByte(name, '.')+1:]
	if stem == "output_text.annotation" {
		return i.annotated(data)
	}
	if isProgress(eventPrefix + name) {
		return nil
	}
	for t, k := range textKinds {
		switch {
		case k.item != i.kind:
		case stem == k.event && k.list == "":
			return i.texts[Text(t)].hear(what, data, k.member)
		case stem == k.event:
			return i.heard(Text(t), what, data)
		case stem == k.opens && what == "added":
			return i.opened(k, data)
		case stem == k.opens:
			return i.closed(k, data)
		}
	}
	return fmt.Errorf("an item of type %q has no such event", i.kind)
}

// hear takes a piece of a text, or its end.
func (t *checkedText) hear(what string, data []byte, member string) error {
	switch {
	case t.done:
		return errors.New("the text is done")
	case what == "delta":
		t.said.WriteString(rawjson.Text(rawjson.Get(data, "delta")))
	default:
		if whole := rawjson.Text(rawjson.Get(data, member)); whole != t.said.String() {
			return fmt.Errorf("the pieces were %q", t.said.String())
		}
		t.done = true
	}
	return nil
}

// heard takes a piece of the open part, or the end of its text.
func (i *checkedItem) heard(t Text, what string, data []byte) error {
	k := textKinds[t]
	at, _ := integer(rawjson.Get(data, k.index))
	if i.open == nil || i.open.plain || i.open.text != t || i.open.index != at {
		return errors.New("no such part is open")
	}
	return i.open.said.hear(what, data, k.member)
}

func (i *checkedItem) opened(k textKind, data []byte) error {
	p := rawjson.Get(data, "part")
	kind := rawjson.Text(rawjson.Get(p, "type"))
	at, _ := integer(rawjson.Get(data, k.index))
	t, known := textOf(i.kind, k.list, kind)
	switch {
	case i.open != nil:
		return errors.New("another part is open")
	case at != int64(len(i.parts[k.list])):
		return fmt.Errorf("the next %s is %d", k.index, len(i.parts[k.list]))
	case kind == "":
		return errors.New("the part has no type")
	case partKinds[kind].lacks(p) != "":
		return fmt.Errorf("part.%s is missing or of another type", partKinds[kind].lacks(p))
	case known && rawjson.Text(rawjson.Get(p, textKinds[t].member)) != "":
		return errors.New("a new part has no text yet")
	}
	i.open = &checkedPart{text: t, plain: !known, index: at, first: slices.Clone(p)}
	return nil
}

func (i *checkedItem) annotated(data []byte) error {
	at, _ := integer(rawjson.Get(data, "content_index"))
	n, _ := integer(rawjson.Get(data, "annotation_index"))
	switch p := i.open; {
	case i.kind != "message" || p == nil || p.plain || p.text != OutputText || p.index != at || p.said.done:
		return errors.New("no such part is open")
	case n != int64(len(p.annotated)):
		return fmt.Errorf("the next annotation_index is %d", len(p.annotated))
	default:
		p.annotated = append(p.annotated, slices.Clone(rawjson.Get(data, "annotation")))
		return nil
	}
}

func (i *checkedItem) closed(k textKind, data []byte) error {
	p := rawjson.Get(data, "part")
	at, _ := integer(rawjson.Get(data, k.index))
	kind := rawjson.Text(rawjson.Get(p, "type"))
	if i.open == nil || i.open.index != at || rawjson.Text(rawjson.Get(i.open.first, "type")) != kind {
		return errors.New("no such part is open")
	}
	if name := partKinds[kind].lacks(p); name != "" {
		return fmt.Errorf("part.%s is missing or of another type", name)
	}
	switch o := i.open; {
	case o.plain && !same(o.first, p):
		return errors.New("the part changed without an event")
	case !o.plain && !o.said.done:
		return errors.New("the part's text is not done")
	case !o.plain && rawjson.Text(rawjson.Get(p, textKinds[o.text].member)) != o.said.said.String():
		return fmt.Errorf("the pieces were %q", o.said.said.String())
	case !same(rawjson.EncodeList(o.annotated), []byte(or(string(rawjson.Get(p, "annotations")), "[]"))):
		return errors.New("its annotations are not those that were streamed")
	}
	i.parts[k.list], i.open = append(i.parts[k.list], slices.Clone(json.RawMessage(p))), nil
	return nil
}

// holds checks that an item that is done has what was streamed of it.
func (i *checkedItem) holds(item []byte) error {
	for _, t := range textsOf(i.kind) {
		k := textKinds[t]
		if k.list != "" {
			list := rawjson.Get(item, k.list)
			if list == nil && len(i.parts[k.list]) == 0 {
				continue
			}
			if !same(list, rawjson.EncodeList(i.parts[k.list])) {
				return fmt.Errorf("item.%s is not what was streamed", k.list)
			}
			continue
		}
		switch text := i.texts[t]; {
		case !text.done:
			return fmt.Errorf("item.%s is not done", k.member)
		case rawjson.Text(rawjson.Get(item, k.member)) != text.said.String():
			return fmt.Errorf("item.%s is not what was streamed", k.member)
		}
	}
	return nil
}
