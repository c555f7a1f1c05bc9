package chat

import (
	"encoding/json"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// think writes reasoning: as a summary, which all clients read.
func (a *Answer) think(s string) {
	if s == "" {
		return
	}
	a.size += len(s)
	if a.thought == nil {
		a.endMessage()
		a.thought = a.w.Add(json.RawMessage(`{"type":"reasoning"}`))
	}
	a.thought.Say(responses.Summary, s)
}

// say writes text. White space alone does not begin a message: servers send some
// before a call.
func (a *Answer) say(s string, logprobs []json.RawMessage) {
	a.size += len(s)
	if a.message == nil {
		if a.blank += s; strings.TrimSpace(a.blank) == "" {
			return
		}
		s, a.blank = a.blank, ""
	}
	a.open()
	a.message.Say(responses.OutputText, s, logprobs...)
}

// open opens a message, if none is open.
func (a *Answer) open() {
	if a.message != nil {
		return
	}
	a.endThought()
	a.message = a.w.Add(json.RawMessage(`{"type":"message"}`))
	if s := a.blank; s != "" {
		a.blank = ""
		a.message.Say(responses.OutputText, s)
	}
}

func (a *Answer) endThought() {
	if a.thought != nil {
		a.thought.End(responses.Completed)
		a.thought = nil
	}
}

func (a *Answer) endMessage() {
	if a.message != nil {
		a.message.End(responses.Completed)
		a.message = nil
	}
}

// call takes a piece of a call. Its id and its name may come in the first piece only,
// in each, late, or never; what comes before the name waits for it.
func (a *Answer) call(piece []byte) {
	f := rawjson.Get(piece, "function")
	id, name := rawjson.Text(rawjson.Get(piece, "id")), rawjson.Text(rawjson.Get(f, "name"))
	c := a.called(string(rawjson.Get(piece, "index")), id, name)
	if c.id == "" {
		c.id = id
	}
	if c.name == "" {
		c.name = name
	}
	args := arguments(rawjson.Get(f, "arguments"))
	c.arguments += args
	a.size += len(args)
	if c.name == "" {
		return
	}
	if c.item == nil {
		a.endThought()
		a.endMessage()
		a.blank = ""
		c.item = a.w.Add(rawjson.Object{
			{Name: "type", Value: json.RawMessage(`"function_call"`)}, {Name: "call_id", Value: rawjson.String(c.id)}, {Name: "name", Value: rawjson.String(c.name)},
		}.Encode())
	}
	c.item.Say(responses.Arguments, c.arguments)
	c.arguments = ""
}

// called returns the call that a piece belongs to: the one at its index, or else of
// its id, or else the last. A piece with another id and a name begins one, whatever
// its index: some servers give each call the same.
func (a *Answer) called(index, id, name string) *called {
	var found *called
	for _, c := range a.calls {
		if index != "" && c.index == index || index == "" && (id == "" || c.id == id) {
			found = c
		}
	}
	if found == nil || name != "" && id != "" && found.id != "" && found.id != id {
		found = &called{index: index}
		a.calls = append(a.calls, found)
	}
	return found
}

// arguments returns the arguments of a call, which some servers send as an object.
func arguments(value []byte) string {
	if rawjson.Kind(value) == '{' {
		return string(value)
	}
	return rawjson.Text(value)
}

// count takes the usage of a chunk. It may come with any, and with more than one: then
// the last is the whole.
func (a *Answer) count(chunk []byte) {
	u := rawjson.Get(chunk, "usage")
	if rawjson.Kind(u) != '{' {
		u = rawjson.Get(rawjson.Get(chunk, "x_groq"), "usage")
	}
	if rawjson.Kind(u) != '{' || rawjson.Get(u, "prompt_tokens") == nil && rawjson.Get(u, "completion_tokens") == nil {
		return
	}
	number := func(path ...string) json.RawMessage {
		v := u
		for _, name := range path {
			v = rawjson.Get(v, name)
		}
		if rawjson.Kind(v) != '0' {
			return json.RawMessage("0")
		}
		return v
	}
	cached := number("prompt_tokens_details", "cached_tokens")
	if string(cached) == "0" {
		cached = number("prompt_cache_hit_tokens")
	}
	a.usage = responses.Usage(rawjson.Object{
		{Name: "input_tokens", Value: number("prompt_tokens")},
		{Name: "input_tokens_details", Value: rawjson.Object{{Name: "cached_tokens", Value: cached}}.Encode()},
		{Name: "output_tokens", Value: number("completion_tokens")},
		{Name: "output_tokens_details", Value: rawjson.Object{{Name: "reasoning_tokens", Value: number("completion_tokens_details", "reasoning_tokens")}}.Encode()},
		{Name: "total_tokens", Value: number("total_tokens")},
	}.Encode())
}

// Usage returns the usage object that the server has told, or nil.
func (a *Answer) Usage() json.RawMessage { return a.usage }

// Finished reports whether the server has said why the model stopped.
func (a *Answer) Finished() bool { return a.finish != "" }

// End ends the response, after the last chunk. done says that the server has ended the
// stream as it should, with [DONE] or, where it answers with one object, with that. It
// returns false, and writes nothing, if the answer is not whole: the stream broke off,
// or there was none. A response that has failed is an answer that is whole.
func (a *Answer) End(done bool, at int64) bool {
	if a.w == nil || a.finish == "" && (!done || !a.any()) {
		return false
	}
	end := responses.End{Status: responses.Completed, Usage: a.usage, At: at}
	switch a.finish {
	case "length", "max_tokens", "model_length":
		end.Status, end.Reason = responses.Incomplete, responses.MaxOutputTokens
	case "content_filter", "safety":
		end.Status, end.Reason = responses.Incomplete, responses.ContentFilter
	case "error":
		end.Status, end.Text = responses.Failed, "the model stopped because of an error"
	}
	if a.blank != "" && a.calls == nil {
		a.open()
	}
	if end.Status == responses.Completed { // else what is open was cut off
		a.endThought()
		a.endMessage()
	}
	if !a.endCalls(end.Status) {
		end.Status, end.Code, end.Text = responses.Failed, "server_error", "the model called a function without its name"
	}
	a.w.End(end)
	return true
}

// Rest returns the response object of an answer that is not whole, with what has come
// of it, or nil if that is nothing. The status is incomplete or failed, and why is the
// reason or the code. It tells nobody of events; the answer is over.
func (a *Answer) Rest(status, why string, at int64) json.RawMessage {
	if a.w == nil || !a.any() {
		return nil
	}
	a.silent = true
	if a.blank != "" && a.calls == nil {
		a.open()
	}
	a.w.End(responses.End{Status: status, Reason: why, Code: why, Usage: a.usage, At: at})
	return a.w.Object()
}

// Size returns how many bytes of thoughts, text and arguments have come.
func (a *Answer) Size() int { return a.size }

// any reports whether anything was answered.
func (a *Answer) any() bool {
	return a.thought != nil || a.message != nil || a.blank != "" || a.calls != nil
}

// endCalls ends the calls, and reports whether all had a name. The last may have been
// cut off where the response is incomplete.
func (a *Answer) endCalls(status string) bool {
	named := true
	for n, c := range a.calls {
		if c.item == nil {
			named = false
			continue
		}
		if c.item.Blank(responses.Arguments) {
			c.item.Say(responses.Arguments, "{}")
		}
		if status == responses.Completed || n < len(a.calls)-1 || a.message != nil {
			c.item.End(responses.Completed)
		} else {
			c.item.End(responses.Incomplete)
		}
	}
	return named
}
