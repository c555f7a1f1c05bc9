package responses_test

import (
	"maps"
	"slices"
)

// spoil puts faults into a stream, any number and of any kind.
func (d dice) spoil(s script) script {
	for range d(5) {
		if len(s) == 0 {
			break
		}
		at := d(len(s))
		switch d(9) {
		case 0:
			s = slices.Delete(s, at, at+1)
		case 1:
			s = slices.Insert(s, d(len(s)+1), s[at])
		case 2:
			other := d(len(s))
			s[at], s[other] = s[other], s[at]
		case 3:
			s = s[:at]
		case 4:
			s = s.without(pick(d, "item_id", "output_index", "content_index", "summary_index", "item", "part", "delta", "response"))
		case 5:
			s = s.replaced(d, at)
		case 6:
			s = d.renamed(s)
		case 7:
			s = s[max(0, len(s)-1-d(2)):]
		default:
			s = append(s, s[:at]...)
		}
	}
	return s
}

// abridge leaves out what can be known without it.
func (d dice) abridge(s script) script {
	for range d(4) {
		switch d(7) {
		case 0:
			s = s.without("sequence_number").without("content_index").without("summary_index")
		case 1:
			s = s.without("output_index")
		case 2:
			s = s.of("response.created", "response.in_progress")
		case 3:
			s = s.of("response.output_text.done", "response.refusal.done", "response.function_call_arguments.done", "response.reasoning_summary_text.done")
		case 4: // all but the last event
			s = s[len(s)-1:]
		case 5: // all that come piece by piece
			s = s.of("response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta", "response.custom_tool_call_input.delta", "response.reasoning_summary_text.delta")
		default:
			s = s.twice("response.output_text.done", "response.content_part.done", "response.output_item.done", "response.created")
		}
	}
	return s
}

func (s script) change(fn func(object) []object) script {
	var all script
	for _, e := range s {
		all = append(all, fn(maps.Clone(e))...)
	}
	return all
}

func (s script) without(name string) script {
	return s.change(func(e object) []object {
		delete(e, name)
		return []object{e}
	})
}

// of leaves out the events of some types.
func (s script) of(types ...string) script {
	return s.change(func(e object) []object {
		if slices.Contains(types, e["type"].(string)) {
			return nil
		}
		return []object{e}
	})
}

func (s script) twice(types ...string) script {
	return s.change(func(e object) []object {
		if slices.Contains(types, e["type"].(string)) {
			return []object{e, e}
		}
		return []object{e}
	})
}

// replaced gives a member of an event a value that it should not have.
func (s script) replaced(d dice, at int) script {
	e := maps.Clone(s[at])
	names := slices.Sorted(maps.Keys(e))
	value := pick[any](d, nil, 1, -1, 1e300, "", "x", true, []any{}, object{}, []any{nil, 1, object{"type": "message"}}, object{"type": "nonsense"}, object{"type": "output_text", "text": 5}, object{"type": "message", "content": "hi"})
	if name := pick(d, names...); name == "type" {
		e["type"] = pick(d, "response.nonsense", "error", "", "response.output_text.delta", "response.completed", "response.output_item.done", "response.done")
	} else if inner, ok := e[name].(object); ok && d.one(2) {
		inner = maps.Clone(inner)
		inner[pick(d, append(slices.Sorted(maps.Keys(inner)), "status", "id")...)] = value
		e[name] = inner
	} else {
		e[name] = value
	}
	s = slices.Clone(s)
	s[at] = e
	return s
}

// renamed gives ids and indexes that mean something else.
func (d dice) renamed(s script) script {
	return s.change(func(e object) []object {
		for _, name := range []string{"item_id", "output_index", "content_index"} {
			if _, ok := e[name]; ok && d.one(3) {
				e[name] = pick[any](d, 0, 1, "msg_0", "fc_1", "new")
			}
		}
		return []object{e}
	})
}
