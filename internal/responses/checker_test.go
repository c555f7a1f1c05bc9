package responses_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/responses"
)

// good is a valid stream with a thought, a message and a call, side by side.
func good(t *testing.T) script {
	t.Helper()
	p := play()
	p.w.Queue()
	p.w.Begin()
	r := p.w.Add([]byte(`{"type":"reasoning","id":"rs"}`))
	r.Say(responses.Summary, "I think")
	m := p.w.Add([]byte(`{"type":"message","id":"msg"}`))
	m.Say(responses.OutputText, "Hel")
	f := p.w.Add([]byte(`{"type":"function_call","id":"fc","call_id":"c","name":"f"}`))
	f.Say(responses.Arguments, "{}")
	m.Say(responses.OutputText, "lo")
	m.Annotate([]byte(`{"type":"url_citation"}`))
	m.Say(responses.Refusal, "no")
	r.End("")
	m.End("")
	p.w.End(responses.End{Status: "completed", At: 3})
	require.NoError(t, p.end())
	var s script
	for _, e := range p.events {
		var o object
		require.NoError(t, json.Unmarshal(e.Data, &o))
		s = append(s, o)
	}
	return s
}

func check(s script) error {
	var c responses.Checker
	for _, e := range s {
		if err := c.Event(encode(e)); err != nil {
			return err
		}
	}
	return c.End()
}

// at returns the index of the n-th event of a type.
func (s script) at(t *testing.T, kind string, n int) int {
	t.Helper()
	for i, e := range s {
		if e["type"] == "response."+kind {
			if n--; n < 0 {
				return i
			}
		}
	}
	require.FailNow(t, "no such event", kind)
	return 0
}

// numbered numbers the events anew.
func (s script) numbered() script {
	for i, e := range s {
		e["sequence_number"] = i
	}
	return s
}

// An editor breaks streams.
type editor struct{ *testing.T }

type edit = func(s script) script

func (t editor) drop(kind string) edit {
	return func(s script) script {
		at := s.at(t.T, kind, 0)
		return slices.Delete(s, at, at+1).numbered()
	}
}

func (t editor) set(kind string, value any, path ...string) edit {
	return func(s script) script {
		o := s[s.at(t.T, kind, 0)]
		for _, name := range path[:len(path)-1] {
			o = o[name].(object)
		}
		if o[path[len(path)-1]] = value; value == nil {
			delete(o, path[len(path)-1])
		}
		return s
	}
}

func (t editor) twice(kind string) edit {
	return func(s script) script {
		at := s.at(t.T, kind, 0)
		return slices.Insert(s, at, maps.Clone(s[at])).numbered()
	}
}

// Every rule of the Checker is broken once.
func TestChecker(t *testing.T) {
	require.NoError(t, check(good(t)))
	e := editor{t}
	drop, set, twice := e.drop, e.set, e.twice
	for want, change := range map[string]edit{
		`it may not come after ""`:                       drop("created"),
		`it may not come after "response.queued"`:        func(s script) script { return append(s[:2:2], s[len(s)-1]).numbered() },
		"the response has not begun":                     drop("in_progress"),
		"the stream ended before its response":           func(s script) script { return s[:len(s)-1] },
		"the response had ended":                         func(s script) script { return append(s, object{"type": "response.queued", "sequence_number": len(s)}) },
		"sequence_number is 7":                           set("output_text.delta", 7, "sequence_number"),
		`clients know no type "response.cancelled"`:      func(s script) script { s[len(s)-1]["type"] = "response.cancelled"; return s },
		"not a JSON object":                              func(script) script { return script{nil} },
		"item_id is missing":                             set("output_text.delta", nil, "item_id"),
		"content_index is missing":                       set("output_text.delta", "0", "content_index"),
		"response.usage is missing":                      set("completed", nil, "response", "usage"),
		"response.usage.input_tokens_details is missing": set("completed", nil, "response", "usage", "input_tokens_details"),
		"response.text.format is missing":                set("completed", nil, "response", "text", "format"),
		`response.id was "resp_1"`:                       set("completed", "resp_2", "response", "id"),
		`response.status is "failed"`:                    set("completed", "failed", "response", "status"),
		"response.completed_at of a response":            set("in_progress", 3, "response", "completed_at"),
		"the next output_index is 0":                     set("output_item.added", 1, "output_index"),
		"the id \"\" is empty or taken":                  set("output_item.added", "", "item", "id"),
		"item.summary is missing":                        set("output_item.added", nil, "item", "summary"),
		`no item has the type "thought"`:                 set("output_item.added", "thought", "item", "type"),
		`item.status is "completed"`:                     set("output_item.added", "completed", "item", "status"),
		"a new item has no text yet":                     set("output_item.added", []any{1}, "item", "summary"),
		`the item's id is "msg"`:                         set("output_text.delta", "other", "item_id"),
		"no item has the output_index 9":                 set("output_text.delta", 9, "output_index"),
		`an item of type "reasoning" has no such event`: func(s script) script {
			e := s[s.at(t, "output_text.delta", 0)]
			e["output_index"], e["item_id"] = 0, "rs"
			return s
		},
		"no such part is open":                         drop("content_part.added"),
		"another part is open":                         twice("content_part.added"),
		"the next content_index is 0":                  set("content_part.added", 1, "content_index"),
		"part.annotations is missing":                  set("content_part.added", nil, "part", "annotations"),
		"a new part has no text yet":                   set("content_part.added", "x", "part", "text"),
		`the pieces were "lo"`:                         drop("output_text.delta"),
		"the text is done":                             twice("output_text.done"),
		"the part's text is not done":                  drop("output_text.done"),
		"its annotations are not those":                set("content_part.done", []any{}, "part", "annotations"),
		"the next annotation_index is 0":               set("output_text.annotation.added", 1, "annotation_index"),
		"a part is open":                               drop("reasoning_summary_part.done"),
		"the item is done":                             twice("output_item.done"),
		"item.summary is not what was streamed":        set("output_item.done", []any{}, "item", "summary"),
		"item 0 is done first":                         drop("output_item.done"),
		"item.arguments is not done":                   drop("function_call_arguments.done"),
		"3 items announced, 3 done, 0 in output":       set("completed", []any{}, "response", "output"),
		"output[0] is not the item that was streamed":  set("completed", []any{1, 2, 3}, "response", "output"),
		"item.status is \"in_progress\"":               set("output_item.done", "in_progress", "item", "status"),
		"an item after an incomplete one is completed": set("output_item.done", "incomplete", "item", "status"),
		"3 items announced, 2 done": func(s script) script {
			at := s.at(t, "output_item.done", 2)
			return slices.Delete(s, at, at+1).numbered()
		},
		"response.parallel_tool_calls is missing": set("created", "yes", "response", "parallel_tool_calls"),
		"name is missing":                         set("function_call_arguments.done", nil, "name"),
		"the stream ended before its":             func(s script) script { return s[:0] },
	} {
		t.Run(want, func(t *testing.T) {
			err := check(change(good(t)))
			require.ErrorContains(t, err, want)
		})
	}
}
