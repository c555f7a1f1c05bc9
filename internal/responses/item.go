package responses

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
)

// An Item is one entry of a response's input or output. Its bytes stay as they came:
// what a model server wrote goes back to it unchanged.
type Item struct {
	Type   string // one of those that [ReadItem] takes
	ID     string // may be empty in an input
	CallID string // of a call or its output; else empty
	Status string // may be empty
	raw    json.RawMessage
}

// itemKind is what a type of item must have.
type itemKind struct {
	prefix   string // of the ids that are made for it
	input    members
	output   members // beside id
	stateful bool    // it has a status
}

var itemKinds = map[string]itemKind{
	"message":                 {"msg_", members{"role": "s", "content": "sa"}, members{"role": "s", "content": "a", "status": "s"}, true},
	"function_call":           {"fc_", members{"call_id": "s", "name": "s", "arguments": "s"}, nil, true},
	"function_call_output":    {"fco_", members{"call_id": "s", "output": "sa"}, nil, true},
	"reasoning":               {"rs_", members{"summary": "a"}, nil, true},
	"compaction":              {"cmp_", members{"encrypted_content": "s"}, nil, false},
	"item_reference":          {"", members{"id": "s"}, nil, false},
	"mcp_list_tools":          {"mcpl_", members{"server_label": "s", "tools": "a"}, nil, false},
	"mcp_call":                {"mcp_", members{"server_label": "s", "name": "s", "arguments": "s"}, nil, true},
	"mcp_approval_request":    {"mcpr_", members{"server_label": "s", "name": "s", "arguments": "s"}, nil, false},
	"mcp_approval_response":   {"mcpa_", members{"approval_request_id": "s", "approve": "b"}, nil, false},
	"web_search_call":         {"ws_", members{}, members{"action": "o"}, true},
	"file_search_call":        {"fs_", members{"queries": "a"}, nil, true},
	"code_interpreter_call":   {"ci_", members{"container_id": "s"}, members{"code": "s0", "outputs": "a0"}, true},
	"image_generation_call":   {"ig_", members{}, members{"result": "s"}, true},
	"shell_call":              {"sh_", members{"call_id": "s", "action": "o"}, nil, true},
	"shell_call_output":       {"sho_", members{"call_id": "s", "output": "*"}, nil, true},
	"local_shell_call":        {"lsh_", members{"call_id": "s", "action": "o"}, nil, true},
	"local_shell_call_output": {"lsho_", members{"output": "s"}, nil, true},
	"custom_tool_call":        {"ctc_", members{"call_id": "s", "name": "s", "input": "s"}, nil, true},
	"custom_tool_call_output": {"ctco_", members{"call_id": "s", "output": "sa"}, nil, true},
	"computer_call":           {"cu_", members{"call_id": "s", "action": "o", "pending_safety_checks": "a"}, nil, true},
	"computer_call_output":    {"cuo_", members{"call_id": "s", "output": "o"}, nil, true},
	"output_audio":            {"au_", members{"data": "s", "transcript": "s"}, nil, true},
}

// ItemTypes returns the types that items may have, sorted.
func ItemTypes() []string { return slices.Sorted(maps.Keys(itemKinds)) }

// ReadItem reads an item of a request's input. Without a type it is a message. The
// error says what is wrong with it: it is no JSON object, it is of no known type, or
// it lacks a member that its type has. Types with a colon are extensions and are
// taken as they are.
func ReadItem(raw []byte) (Item, error) {
	if !rawjson.IsObject(raw) {
		return Item{}, fmt.Errorf("an item is a JSON object")
	}
	i := readItem(raw)
	if refers(raw) {
		i.Type = "item_reference"
	}
	if strings.Contains(i.Type, ":") {
		return i, nil
	}
	k, ok := itemKinds[i.Type]
	if !ok {
		return Item{}, fmt.Errorf("type %q is not one of %s", i.Type, strings.Join(ItemTypes(), ", "))
	}
	if name := k.input.lacks(raw); name != "" && !(i.Type == "compaction" && i.summary() != "") {
		return Item{}, fmt.Errorf("an item of type %q needs the member %s%s", i.Type, name, k.input[name].words())
	}
	return i, nil
}

// refers reports whether an item without a type is a reference: clients leave the type out.
func refers(raw []byte) bool {
	o := rawjson.ReadObject(raw)
	return rawjson.Kind(o.Get("type")) == 'n' && o.Get("id") != nil && o.Get("role") == nil && o.Get("content") == nil
}

// words says what may stand there.
func (s shape) words() string {
	names := map[rune]string{'s': "a string", 'i': "an integer", 'n': "a number", 'b': "a boolean", 'o': "an object", 'a': "an array", '0': "null"}
	var all []string
	for _, c := range s {
		if name := names[c]; name != "" {
			all = append(all, name)
		}
	}
	if all == nil {
		return ""
	}
	return ": " + strings.Join(all, " or ")
}

// readItem reads an item that may lack anything.
func readItem(raw []byte) Item {
	i := Item{
		Type: rawjson.Text(rawjson.Get(raw, "type")), ID: rawjson.Text(rawjson.Get(raw, "id")),
		CallID: rawjson.Text(rawjson.Get(raw, "call_id")), Status: rawjson.Text(rawjson.Get(raw, "status")), raw: raw,
	}
	if i.Type == "" {
		i.Type = "message"
	}
	return i
}

// Raw returns the item as it came.
func (i Item) Raw() json.RawMessage { return i.raw }

// WithoutID returns the item without its id.
func (i Item) WithoutID() Item {
	o := rawjson.ReadObject(i.raw)
	o.Delete("id")
	i.ID, i.raw = "", o.Encode()
	return i
}

// IDPrefix returns what the ids begin with that are made for items of this type.
func (i Item) IDPrefix() string {
	if k, ok := itemKinds[i.Type]; ok && k.prefix != "" {
		return k.prefix
	}
	return "item_"
}

// Shown returns the item as lists of items have it: with the id, its type, and, of a
// message, a status and its content as a list.
func (i Item) Shown(id string) json.RawMessage {
	o := rawjson.ReadObject(i.raw)
	if o.Get("type") == nil {
		o = append(rawjson.Object{{Name: "type", Value: rawjson.String(i.Type)}}, o...)
	}
	if i.ID == "" {
		o.Set("id", rawjson.String(id))
	}
	if i.Type == "message" {
		if rawjson.Kind(o.Get("status")) != '"' {
			o.Set("status", rawjson.String(Completed))
		}
		if c := o.Get("content"); rawjson.Kind(c) == '"' {
			o.Set("content", textParts(rawjson.Text(o.Get("role")), c))
		}
	}
	return o.Encode()
}

func textParts(role string, text json.RawMessage) json.RawMessage {
	part := rawjson.Object{{Name: "type", Value: rawjson.String("input_text")}, {Name: "text", Value: text}}
	if role == "assistant" {
		part = rawjson.Object{
			{Name: "type", Value: rawjson.String("output_text")},
			{Name: "text", Value: text},
			{Name: "annotations", Value: json.RawMessage("[]")},
			{Name: "logprobs", Value: json.RawMessage("[]")},
		}
	}
	return rawjson.EncodeList([]json.RawMessage{part.Encode()})
}

// Text returns what a message says, refusals included; of other items nothing.
func (i Item) Text() string {
	if i.Type != "message" {
		return ""
	}
	content := rawjson.Get(i.raw, "content")
	if s := rawjson.Text(content); s != "" {
		return s
	}
	var s strings.Builder
	for _, p := range rawjson.List(content) {
		s.WriteString(rawjson.Text(rawjson.Get(p, "text")))
		s.WriteString(rawjson.Text(rawjson.Get(p, "refusal")))
	}
	return s.String()
}

// A Text is a kind of text that an item's events bring piece by piece.
type Text int

// The texts, each with the type of item that has it.
const (
	OutputText    Text = iota // message
	Refusal                   // message
	Summary                   // reasoning
	Reasoning                 // reasoning
	Arguments                 // function_call
	MCPArguments              // mcp_call
	CustomInput               // custom_tool_call
	CodeInterpret             // code_interpreter_call
)

// textKind says how a text is told.
type textKind struct {
	item   string // the type of item that has it
	event  string // its events are response.<event>.delta and .done
	member string // what the text is called in the .done event, and in the item or part
	list   string // the member of the item that has its parts; empty if the item itself has the text
	part   string // the type of those parts
	opens  string // the parts' events are response.<opens>.added and .done
	index  string // what the place of a part is called
}

var textKinds = [...]textKind{
	OutputText:    {"message", "output_text", "text", "content", "output_text", "content_part", "content_index"},
	Refusal:       {"message", "refusal", "refusal", "content", "refusal", "content_part", "content_index"},
	Summary:       {"reasoning", "reasoning_summary_text", "text", "summary", "summary_text", "reasoning_summary_part", "summary_index"},
	Reasoning:     {"reasoning", "reasoning_text", "text", "content", "reasoning_text", "content_part", "content_index"},
	Arguments:     {item: "function_call", event: "function_call_arguments", member: "arguments"},
	MCPArguments:  {item: "mcp_call", event: "mcp_call_arguments", member: "arguments"},
	CustomInput:   {item: "custom_tool_call", event: "custom_tool_call_input", member: "input"},
	CodeInterpret: {item: "code_interpreter_call", event: "code_interpreter_call_code", member: "code"},
}

// textsOf returns the texts that a type of item has.
func textsOf(itemType string) []Text {
	var all []Text
	for t, k := range textKinds {
		if k.item == itemType {
			all = append(all, Text(t))
		}
	}
	return all
}

// textOf returns the text whose parts are of a type, in a member of a type of item.
func textOf(itemType, list, part string) (Text, bool) {
	for _, t := range textsOf(itemType) {
		if textKinds[t].list == list && textKinds[t].part == part {
			return t, true
		}
	}
	return 0, false
}

// listsOf returns the members of a type of item that have parts.
func listsOf(itemType string) []string {
	var all []string
	for _, t := range textsOf(itemType) {
		if l := textKinds[t].list; l != "" && !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	return all
}

// partKinds says what the parts of output items must have.
var partKinds = map[string]members{
	"output_text":    {"text": "s", "annotations": "a", "logprobs": "a"},
	"refusal":        {"refusal": "s"},
	"summary_text":   {"text": "s"},
	"reasoning_text": {"text": "s"},
}
