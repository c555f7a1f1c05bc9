package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// A message is one of a chat.
type message struct {
	role     string
	content  []json.RawMessage // parts
	thoughts string            // of the assistant
	calls    []json.RawMessage // of the assistant
	callIDs  []string
	callID   string            // that a tool's message answers
	pictures []json.RawMessage // of a tool's message, which takes text only
}

// messages carries over the instructions and the input.
func (t *translation) messages() error {
	var all []*message
	if s := rawjson.Text(t.in.Get("instructions")); s != "" {
		all = append(all, &message{role: "system", content: []json.RawMessage{textPart(s)}})
	}
	input := t.in.Get("input")
	if s := rawjson.Text(input); s != "" {
		all = append(all, &message{role: "user", content: []json.RawMessage{textPart(s)}})
	}
	thoughts := ""
	for n, raw := range rawjson.List(input) {
		item, err := responses.ReadItem(raw)
		where := fmt.Sprintf("input[%d]", n)
		if err != nil {
			return unsupported(where, "%s", err)
		}
		if item.Type == "reasoning" {
			thoughts += thought(raw)
			continue
		}
		if all, err = t.item(all, item, where); err != nil {
			return err
		}
		if last := len(all) - 1; last >= 0 && all[last].role == "assistant" && thoughts != "" {
			all[last].thoughts += thoughts
			thoughts = ""
		}
	}
	var encoded []json.RawMessage
	for _, m := range arranged(all) {
		encoded = append(encoded, m.encode())
	}
	t.out.Set("messages", rawjson.EncodeList(encoded))
	return nil
}

// item adds an item to the messages.
func (t *translation) item(all []*message, item responses.Item, where string) ([]*message, error) {
	raw := item.Raw()
	switch item.Type {
	case "message":
		m, err := said(raw, where)
		if err != nil {
			return nil, err
		}
		if last := len(all) - 1; last >= 0 && all[last].takes(m) {
			all[last].content = append(all[last].content, m.content...)
			return all, nil
		}
		return append(all, m), nil
	case "function_call":
		last := len(all) - 1
		if last < 0 || all[last].role != "assistant" {
			all, last = append(all, &message{role: "assistant"}), last+1
		}
		all[last].calls = append(all[last].calls, call(raw))
		all[last].callIDs = append(all[last].callIDs, item.CallID)
		return all, nil
	case "function_call_output":
		return answered(all, item, where)
	case "item_reference", "compaction":
		return nil, unsupported(where, "a server that speaks chat completions takes no item of the type %q", item.Type)
	default:
		t.notSent = append(t.notSent, "input."+item.Type)
		return all, nil
	}
}

// takes reports whether what follows a message belongs into it: the assistant speaks
// once before it calls, and templates of models take one message of the system.
func (m *message) takes(next *message) bool {
	return m.role == next.role && m.calls == nil && (m.role == "assistant" || m.role == "system")
}

// said returns a message of the input.
func said(raw []byte, where string) (*message, error) {
	m := &message{role: rawjson.Text(rawjson.Get(raw, "role"))}
	if m.role == "developer" {
		m.role = "system" // which every server knows
	}
	content := rawjson.Get(raw, "content")
	if rawjson.Kind(content) == '"' {
		m.content = []json.RawMessage{textPart(rawjson.Text(content))}
		return m, nil
	}
	for n, p := range rawjson.List(content) {
		part, err := part(p, fmt.Sprintf("%s.content[%d]", where, n))
		if err != nil {
			return nil, err
		}
		m.content = append(m.content, part)
	}
	return m, nil
}

// part returns a part of a message's content.
func part(p []byte, where string) (json.RawMessage, error) {
	get := func(name string) json.RawMessage { return rawjson.Get(p, name) }
	switch kind := rawjson.Text(get("type")); kind {
	case "input_text", "output_text", "text", "summary_text", "reasoning_text":
		return textPart(rawjson.Text(get("text"))), nil
	case "refusal":
		return textPart(rawjson.Text(get("refusal"))), nil
	case "input_image":
		if !says(get("image_url")) {
			return nil, unsupported(where, "a server that speaks chat completions keeps no files: give the image as image_url, which may be a data: URL")
		}
		return picture(get("image_url"), get("detail")), nil
	case "input_file":
		if !says(get("file_data")) {
			return nil, unsupported(where, "a server that speaks chat completions keeps no files, and fetches none: give the file as file_data")
		}
		var file rawjson.Object
		if says(get("filename")) {
			file.Set("filename", get("filename"))
		}
		file.Set("file_data", get("file_data"))
		return rawjson.Object{{Name: "type", Value: json.RawMessage(`"file"`)}, {Name: "file", Value: file.Encode()}}.Encode(), nil
	case "input_audio":
		return p, nil
	default:
		return nil, unsupported(where, "the type %q is not one of input_text, input_image, input_file, input_audio, output_text, refusal", kind)
	}
}

func textPart(s string) json.RawMessage {
	return rawjson.Object{{Name: "type", Value: json.RawMessage(`"text"`)}, {Name: "text", Value: rawjson.String(s)}}.Encode()
}

func picture(url, detail json.RawMessage) json.RawMessage {
	image := rawjson.Object{{Name: "url", Value: url}}
	if says(detail) {
		image.Set("detail", detail)
	}
	return rawjson.Object{{Name: "type", Value: json.RawMessage(`"image_url"`)}, {Name: "image_url", Value: image.Encode()}}.Encode()
}

// thought returns what a reasoning item says in plain text.
func thought(raw []byte) string {
	var s strings.Builder
	for _, list := range []string{"content", "summary"} {
		for _, p := range rawjson.List(rawjson.Get(raw, list)) {
			s.WriteString(rawjson.Text(rawjson.Get(p, "text")))
		}
		if s.Len() > 0 {
			break // the summary is of the content
		}
	}
	return s.String()
}

func call(raw []byte) json.RawMessage {
	function := rawjson.Object{{Name: "name", Value: rawjson.Get(raw, "name")}, {Name: "arguments", Value: rawjson.Get(raw, "arguments")}}
	return rawjson.Object{
		{Name: "id", Value: rawjson.Get(raw, "call_id")}, {Name: "type", Value: json.RawMessage(`"function"`)}, {Name: "function", Value: function.Encode()},
	}.Encode()
}

// answered adds the output of a call. Images in it follow in a message of the user:
// a tool's takes text only.
func answered(all []*message, item responses.Item, where string) ([]*message, error) {
	called := func(m *message) bool { return slices.Contains(m.callIDs, item.CallID) }
	if !slices.ContainsFunc(all, called) {
		return nil, unsupported(where, "there is no function_call with the call_id %q before it", item.CallID)
	}
	m := &message{role: "tool", callID: item.CallID}
	output := rawjson.Get(item.Raw(), "output")
	if rawjson.Kind(output) == '"' {
		m.content = []json.RawMessage{textPart(rawjson.Text(output))}
		return append(all, m), nil
	}
	for n, p := range rawjson.List(output) {
		part, err := part(p, fmt.Sprintf("%s.output[%d]", where, n))
		switch {
		case err != nil:
			return nil, err
		case rawjson.Text(rawjson.Get(part, "type")) == "text":
			m.content = append(m.content, part)
		default:
			m.pictures = append(m.pictures, part)
		}
	}
	return append(all, m), nil
}

// arranged puts the answers of tools directly behind their calls, and gives a call
// without one an answer that says so: servers refuse it otherwise.
func arranged(all []*message) []*message {
	answers := map[string]*message{}
	for _, m := range all {
		if m.role == "tool" {
			answers[m.callID] = m
		}
	}
	var in []*message
	for _, m := range all {
		if m.role == "tool" {
			continue
		}
		in = append(in, m)
		var pictures []json.RawMessage
		for _, id := range m.callIDs {
			a := answers[id]
			if a == nil {
				a = &message{role: "tool", callID: id, content: []json.RawMessage{textPart(responses.CutOff)}}
			}
			in, pictures = append(in, a), append(pictures, a.pictures...)
		}
		if pictures != nil {
			in = append(in, &message{role: "user", content: append([]json.RawMessage{textPart("What the tools have returned beside text:")}, pictures...)})
		}
	}
	return in
}

// encode returns the message as JSON. A single text is the content itself: every
// server takes that.
func (m *message) encode() json.RawMessage {
	o := rawjson.Object{{Name: "role", Value: rawjson.String(m.role)}}
	if m.callID != "" {
		o.Set("tool_call_id", rawjson.String(m.callID))
	}
	if m.thoughts != "" && m.calls != nil {
		o.Set("reasoning_content", rawjson.String(m.thoughts)) // thinking models want it back where they called a tool
	}
	switch {
	case len(m.content) == 0 && m.calls != nil:
		o.Set("content", json.RawMessage("null"))
	case len(m.content) == 0:
		o.Set("content", json.RawMessage(`""`))
	case m.role == "tool", m.role == "assistant", m.role == "system", len(m.content) == 1 && isText(m.content[0]):
		o.Set("content", rawjson.String(m.text()))
	default:
		o.Set("content", rawjson.EncodeList(m.content))
	}
	if m.calls != nil {
		o.Set("tool_calls", rawjson.EncodeList(m.calls))
	}
	return o.Encode()
}

func isText(part []byte) bool { return rawjson.Text(rawjson.Get(part, "type")) == "text" }

// text returns the content's texts, a line for each.
func (m *message) text() string {
	var texts []string
	for _, p := range m.content {
		texts = append(texts, rawjson.Text(rawjson.Get(p, "text")))
	}
	return strings.Join(texts, "\n")
}
