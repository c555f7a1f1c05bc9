package responses

import (
	"encoding/json"

	"github.com/rota-run/rota/internal/rawjson"
)

// responseMember is a member that every response object has.
type responseMember struct {
	name   string
	shape  shape
	absent string // its value where neither server nor request has one; the head has those without
}

// responseMembers are the 31 that the specification wants, and user, which the
// published client of the Agents API wants too. Their order is that of answers.
var responseMembers = []responseMember{
	{"id", "s", ""},
	{"object", "s", `"response"`},
	{"created_at", "i", ""},
	{"status", "s", ""},
	{"completed_at", "i0", `null`},
	{"error", "o0", `null`},
	{"incomplete_details", "o0", `null`},
	{"model", "s", ""},
	{"previous_response_id", "s0", `null`},
	{"instructions", "sa0", `null`},
	{"output", "a", `[]`},
	{"tools", "a", `[]`},
	{"tool_choice", "so", `"auto"`},
	{"parallel_tool_calls", "b", `true`},
	{"max_tool_calls", "i0", `null`},
	{"max_output_tokens", "i0", `null`},
	{"text", "o", `{"format":{"type":"text"}}`},
	{"reasoning", "o0", `null`},
	{"temperature", "n", `1`},
	{"top_p", "n", `1`},
	{"top_logprobs", "i", `0`},
	{"presence_penalty", "n", `0`},
	{"frequency_penalty", "n", `0`},
	{"truncation", "s", `"disabled"`},
	{"store", "b", `true`},
	{"background", "b", `false`},
	{"service_tier", "s", `"default"`},
	{"metadata", "o", `{}`},
	{"safety_identifier", "s0", `null`},
	{"prompt_cache_key", "s0", `null`},
	{"user", "s0", `null`},
	{"usage", "o", ""},
}

// resultMembers are what a response comes to; a request does not have them.
var resultMembers = map[string]bool{
	"id": true, "object": true, "created_at": true, "status": true, "completed_at": true, "error": true, "incomplete_details": true,
	"output": true, "usage": true,
}

// NewObject returns the object of a response that begins: with all members that one
// must have, from the request where it has them, and with what the specification
// says where it has not. The request must be a JSON object; members of it that no
// response has are left out. createdAt is in Unix seconds.
func NewObject(id string, createdAt int64, model string, request []byte) rawjson.Object {
	head := rawjson.Object{
		{Name: "id", Value: rawjson.String(id)},
		{Name: "created_at", Value: rawjson.Int(createdAt)},
		{Name: "status", Value: rawjson.String(InProgress)},
		{Name: "model", Value: rawjson.String(model)},
	}
	return FillObject(head, head, request)
}

// FillObject returns the response object of a server, with the members that it
// lacks or has in a shape that clients refuse: from the request, or from head for
// those that no request has. Members beyond those stay, behind the others.
func FillObject(object, head rawjson.Object, request []byte) rawjson.Object {
	asked := rawjson.ReadObject(request)
	filled := make(rawjson.Object, 0, len(responseMembers)+1)
	for _, m := range responseMembers {
		filled = append(filled, rawjson.Member{Name: m.name, Value: m.value(object, head, asked)})
	}
	for _, m := range object {
		if filled.Get(m.Name) == nil && m.Name != "conversation" {
			filled = append(filled, m)
		}
	}
	for _, from := range []rawjson.Object{object, asked} {
		if c := conversation(from.Get("conversation")); c != nil && filled.Get("conversation") == nil {
			filled.Set("conversation", c)
		}
	}
	return filled
}

func (m responseMember) value(object, head, asked rawjson.Object) json.RawMessage {
	if m.name == "usage" {
		return Usage(object.Get("usage"))
	}
	from := []rawjson.Object{object, asked}
	if resultMembers[m.name] {
		from = []rawjson.Object{object, head}
	} else if m.name == "model" {
		from = []rawjson.Object{object, head, asked}
	}
	for _, o := range from {
		if v := o.Get(m.name); v != nil && rawjson.Kind(v) != 'n' && m.shape.fits(v) {
			return echoed(m.name, v)
		}
	}
	return json.RawMessage(m.absent)
}

// echoed returns a member of a request as a response has it.
func echoed(name string, value json.RawMessage) json.RawMessage {
	switch name {
	case "text":
		return withAbsent(value, "format", `{"type":"text"}`)
	case "reasoning":
		if len(rawjson.ReadObject(value)) == 0 {
			return json.RawMessage("null")
		}
		return withAbsent(withAbsent(value, "effort", "null"), "summary", "null")
	case "tools":
		return echoedTools(value)
	case "created_at", "completed_at", "max_tool_calls", "max_output_tokens", "top_logprobs":
		n, _ := integer(value) // it fits
		return rawjson.Int(n)
	default:
		return value
	}
}

// echoedTools returns the tools with all members that a function has, and without
// what nobody should read: headers and credentials of MCP servers.
func echoedTools(tools json.RawMessage) json.RawMessage {
	list := rawjson.List(tools)
	for i, t := range list {
		switch rawjson.Text(rawjson.Get(t, "type")) {
		case "function":
			for _, name := range []string{"description", "parameters", "strict"} {
				list[i] = withAbsent(list[i], name, "null")
			}
		case "mcp":
			o := rawjson.ReadObject(t)
			o.Delete("headers")
			o.Delete("authorization")
			list[i] = o.Encode()
		}
	}
	return rawjson.EncodeList(list)
}

// withAbsent returns the object with the member, if it lacks it.
func withAbsent(object json.RawMessage, name, value string) json.RawMessage {
	if rawjson.Get(object, name) != nil || rawjson.Kind(object) != '{' {
		return object
	}
	o := rawjson.ReadObject(object)
	o.Set(name, json.RawMessage(value))
	return o.Encode()
}

// conversation returns {"id":…} of a conversation that may be given as an id, or nil.
func conversation(value json.RawMessage) json.RawMessage {
	switch {
	case rawjson.Kind(value) == '"':
		return rawjson.Object{{Name: "id", Value: value}}.Encode()
	case rawjson.Kind(value) == '{' && rawjson.Text(rawjson.Get(value, "id")) != "":
		return value
	default:
		return nil
	}
}

// Usage returns a usage object with all five counts, those that are missing as 0.
// What is no object is all zeros: clients refuse null.
func Usage(usage []byte) json.RawMessage {
	count := func(names ...string) int64 {
		v := usage
		for _, name := range names {
			v = rawjson.Get(v, name)
		}
		n, _ := integer(v)
		return max(n, 0)
	}
	in, out := count("input_tokens"), count("output_tokens")
	total := count("total_tokens")
	if total == 0 {
		total = in + out
	}
	o := rawjson.ReadObject(usage)
	o.Set("input_tokens", rawjson.Int(in))
	o.Set("input_tokens_details", withCount(o.Get("input_tokens_details"), "cached_tokens", count("input_tokens_details", "cached_tokens")))
	o.Set("output_tokens", rawjson.Int(out))
	o.Set("output_tokens_details", withCount(o.Get("output_tokens_details"), "reasoning_tokens", count("output_tokens_details", "reasoning_tokens")))
	o.Set("total_tokens", rawjson.Int(total))
	return o.Encode()
}

// SumUsage returns what two answers have used together; the other one if one is nil.
func SumUsage(a, b []byte) []byte {
	if rawjson.Kind(a) != '{' {
		return b
	}
	if rawjson.Kind(b) != '{' {
		return a
	}
	x, y := Usage(a), rawjson.ReadObject(Usage(b))
	sum := func(of, with []byte, name string) json.RawMessage {
		m, _ := integer(rawjson.Get(of, name))
		n, _ := integer(rawjson.Get(with, name))
		return rawjson.Int(m + n)
	}
	for _, details := range [][2]string{{"input_tokens_details", "cached_tokens"}, {"output_tokens_details", "reasoning_tokens"}} {
		d := rawjson.ReadObject(y.Get(details[0]))
		d.Set(details[1], sum(rawjson.Get(x, details[0]), y.Get(details[0]), details[1]))
		y.Set(details[0], d.Encode())
	}
	for _, name := range []string{"input_tokens", "output_tokens", "total_tokens"} {
		y.Set(name, sum(x, y.Encode(), name))
	}
	return y.Encode()
}

func withCount(details json.RawMessage, name string, n int64) json.RawMessage {
	o := rawjson.ReadObject(details)
	o.Set(name, rawjson.Int(n))
	return o.Encode()
}
