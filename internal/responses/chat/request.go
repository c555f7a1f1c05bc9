// Package chat translates between the Responses API and chat completions, which
// servers answer at /chat/completions. It is pure, as package responses is.
//
//	request ──► Request ──► body of POST /chat/completions
//	events  ◄── Writer ◄── Answer ◄── chunks, or one object
//
// Each member of a request is carried over, refused with an [Unsupported], or named
// as not sent; none is dropped in silence.
package chat

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rota-run/rota/internal/rawjson"
)

// An Unsupported is a request that chat completions cannot express.
type Unsupported struct {
	Param string // the member of the request, such as tools[0]
	Why   string // for people
}

// Error returns why, and where.
func (u *Unsupported) Error() string { return u.Param + ": " + u.Why }

func unsupported(param, format string, args ...any) error {
	return &Unsupported{param, fmt.Sprintf(format, args...)}
}

// fate says what becomes of a member of a request.
type fate int

const (
	carried fate = iota // as it is; also what is not listed, which may be new
	renamed             // under another name, or in another shape
	unsent              // the server is not told; that is named
	handled             // it is for who asks the server, and is no part of the question
	refused             // the answer would not be what was asked for
)

// fates lists the members of a request that are not carried over as they are.
var fates = map[string]fate{
	"model": renamed, "input": renamed, "instructions": renamed, "tools": renamed, "tool_choice": renamed, "parallel_tool_calls": renamed,
	"text": renamed, "reasoning": renamed, "max_output_tokens": renamed, "top_logprobs": renamed, "extra_body": renamed,
	"stream": handled, "stream_options": handled, "background": handled, "store": handled, "stream_events": handled, "fallback_models": handled,
	"webhook_url": handled, "webhook_secret": handled,
	"metadata": unsent, "include": unsent, "truncation": unsent, "context_management": unsent, "max_tool_calls": unsent,
	"prompt_cache_key": unsent, "safety_identifier": unsent, "service_tier": unsent, "prompt_cache_retention": unsent,
	"conversation": refused, "previous_response_id": refused, "prompt": refused,
}

// why says why members are refused.
var why = map[string]string{
	"conversation":         "a server that speaks chat completions keeps no conversations",
	"previous_response_id": "a server that speaks chat completions keeps no responses to go on from",
	"prompt":               "a server that speaks chat completions keeps no prompts",
}

// harmless are values of members that say nothing, which nobody needs to hear of.
var harmless = map[string]string{
	"truncation": `"disabled"`, "service_tier": `"auto"`, "metadata": `{}`, "include": `[]`, "context_management": `[]`,
}

// Request returns the body of POST /chat/completions for a request of POST
// /responses, which must be a valid JSON object, and the members of it that the
// server is not told, sorted. stream says whether the answer is to be streamed; usage
// is asked for then. The error is an *Unsupported.
func Request(request []byte, stream bool) (body []byte, notSent []string, err error) {
	t := &translation{in: rawjson.ReadObject(request)}
	if model := t.in.Get("model"); model != nil {
		t.out.Set("model", model)
	}
	for _, step := range []func() error{t.messages, t.toolsAndChoice, t.format, t.rest} {
		if err := step(); err != nil {
			return nil, nil, err
		}
	}
	if stream {
		t.out.Set("stream", json.RawMessage("true"))
		t.out.Set("stream_options", json.RawMessage(`{"include_usage":true}`))
	}
	slices.Sort(t.notSent)
	return t.out.Encode(), slices.Compact(t.notSent), nil
}

// translation is a request under way.
type translation struct {
	in, out rawjson.Object
	notSent []string
}

// says reports whether a value is there and not null.
func says(value []byte) bool { return rawjson.Kind(value) != 'n' }

func (t *translation) rest() error {
	for _, m := range t.in {
		if !says(m.Value) || harmless[m.Name] == string(m.Value) {
			continue
		}
		switch fates[m.Name] {
		case carried:
			t.out.Set(m.Name, m.Value)
		case unsent:
			t.notSent = append(t.notSent, m.Name)
		case refused:
			return unsupported(m.Name, "%s", why[m.Name])
		}
	}
	if v := t.in.Get("max_output_tokens"); says(v) {
		t.out.Set("max_tokens", v) // the newer name is not known to all servers
	}
	if v := t.in.Get("top_logprobs"); says(v) && string(v) != "0" {
		t.out.Set("logprobs", json.RawMessage("true"))
		t.out.Set("top_logprobs", v)
	}
	for _, m := range rawjson.ReadObject(t.in.Get("extra_body")) {
		t.out.Set(m.Name, m.Value)
	}
	return nil
}

// format carries over what text and reasoning ask for.
func (t *translation) format() error {
	text, reasoning := t.in.Get("text"), t.in.Get("reasoning")
	format := rawjson.ReadObject(rawjson.Get(text, "format"))
	switch kind := rawjson.Text(format.Get("type")); kind {
	case "", "text":
	case "json_object":
		t.out.Set("response_format", format.Encode())
	case "json_schema":
		format.Delete("type")
		t.out.Set("response_format", rawjson.Object{
			{Name: "type", Value: rawjson.String(kind)}, {Name: "json_schema", Value: format.Encode()},
		}.Encode())
	default:
		return unsupported("text.format", "the type %q is not one of text, json_object, json_schema", kind)
	}
	if v := rawjson.Get(text, "verbosity"); says(v) {
		t.out.Set("verbosity", v)
	}
	if v := rawjson.Get(reasoning, "effort"); says(v) {
		t.out.Set("reasoning_effort", v)
	}
	if says(rawjson.Get(reasoning, "summary")) {
		t.notSent = append(t.notSent, "reasoning.summary")
	}
	return nil
}

// toolsAndChoice carries over the tools, and which of them are to be called. Settings
// of tools without tools are not sent: servers refuse them.
func (t *translation) toolsAndChoice() error {
	choice := t.in.Get("tool_choice")
	mode, allowed := choice, map[string]bool(nil)
	if rawjson.Text(rawjson.Get(choice, "type")) == "allowed_tools" {
		mode, allowed = rawjson.Get(choice, "mode"), map[string]bool{}
		for _, tool := range rawjson.List(rawjson.Get(choice, "tools")) {
			allowed[rawjson.Text(rawjson.Get(tool, "name"))] = true
		}
	}
	var tools []json.RawMessage
	for n, tool := range rawjson.List(t.in.Get("tools")) {
		if kind := rawjson.Text(rawjson.Get(tool, "type")); kind != "function" {
			return unsupported(fmt.Sprintf("tools[%d]", n), "a server that speaks chat completions has functions only, and no tool of the type %q", kind)
		}
		f := rawjson.ReadObject(tool)
		if f.Delete("type"); allowed == nil || allowed[rawjson.Text(f.Get("name"))] {
			tools = append(tools, rawjson.Object{
				{Name: "type", Value: json.RawMessage(`"function"`)}, {Name: "function", Value: withoutNulls(f)},
			}.Encode())
		}
	}
	if tools == nil {
		return nil
	}
	t.out.Set("tools", rawjson.EncodeList(tools))
	if v := t.in.Get("parallel_tool_calls"); says(v) {
		t.out.Set("parallel_tool_calls", v)
	}
	return t.choice(mode)
}

func (t *translation) choice(mode json.RawMessage) error {
	switch kind := rawjson.Text(rawjson.Get(mode, "type")); {
	case !says(mode):
	case rawjson.Kind(mode) == '"':
		t.out.Set("tool_choice", mode)
	case kind == "function":
		name := rawjson.Object{{Name: "name", Value: rawjson.Get(mode, "name")}}
		t.out.Set("tool_choice", rawjson.Object{
			{Name: "type", Value: json.RawMessage(`"function"`)}, {Name: "function", Value: name.Encode()},
		}.Encode())
	default:
		return unsupported("tool_choice", "a server that speaks chat completions cannot be told to call a tool of the type %q", kind)
	}
	return nil
}

// withoutNulls returns the object without members that are null, which servers with
// schemas of their own refuse.
func withoutNulls(o rawjson.Object) json.RawMessage {
	return rawjson.Object(slices.DeleteFunc(o, func(m rawjson.Member) bool { return !says(m.Value) })).Encode()
}
