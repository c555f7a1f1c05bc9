package chat

import (
	"encoding/json"
	"strings"

	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// An Answer makes the events of a response of what a chat server answers: chunks of a
// stream, or one object. The zero value is not ready; use [NewAnswer].
type Answer struct {
	request []byte
	newID   func(prefix string) string
	emit    func(responses.Event)
	w       *responses.Writer
	size    int  // bytes of thoughts, text and arguments
	silent  bool // nobody is told of events any more

	thought *responses.ItemWriter // the reasoning that is open, or nil
	message *responses.ItemWriter // the message that is open, or nil
	blank   string                // white space that may be the beginning of a message
	calls   []*called
	finish  string // why the model stopped; empty until it has
	usage   json.RawMessage
}

// called is a call of a function, as far as it has come.
type called struct {
	index     string
	id, name  string
	arguments string // that wait for the name
	item      *responses.ItemWriter
}

// NewAnswer returns an answer to a request of POST /responses. newID makes ids, of a
// prefix such as "resp_", and emit gets every event, as for a [responses.Writer].
func NewAnswer(request []byte, newID func(prefix string) string, emit func(responses.Event)) *Answer {
	return &Answer{request: request, newID: newID, emit: emit}
}

// Chunk takes a chunk of a stream, which must be a valid JSON object that stays as it
// is. at, in Unix seconds, is when it came.
func (a *Answer) Chunk(chunk []byte, at int64) {
	a.begin(chunk, at)
	a.count(chunk)
	for _, c := range rawjson.List(rawjson.Get(chunk, "choices")) {
		if n := rawjson.Get(c, "index"); n != nil && string(n) != "0" && says(n) {
			continue // one was asked for
		}
		delta := rawjson.Get(c, "delta")
		if rawjson.Kind(delta) != '{' {
			delta = rawjson.Get(c, "message")
		}
		a.take(delta, rawjson.List(rawjson.Get(rawjson.Get(c, "logprobs"), "content")))
		if why := rawjson.Text(rawjson.Get(c, "finish_reason")); why != "" {
			a.finish = why
		}
	}
}

// begin begins the response with what the first chunk tells of it.
func (a *Answer) begin(chunk []byte, at int64) {
	if a.w != nil {
		return
	}
	id := rawjson.Text(rawjson.Get(chunk, "id"))
	if id == "" {
		id = a.newID("resp_")
	}
	model := rawjson.Text(rawjson.Get(chunk, "model"))
	if model == "" {
		model = rawjson.Text(rawjson.Get(a.request, "model"))
	}
	var created int64
	if json.Unmarshal(rawjson.Get(chunk, "created"), &created) != nil || created <= 0 {
		created = at
	}
	a.w = responses.NewWriter(responses.NewObject(id, created, model, a.request), a.newID, func(e responses.Event) {
		if !a.silent {
			a.emit(e)
		}
	})
	a.w.Begin()
}

// take takes what a chunk adds. A chunk may bring thoughts, text and calls at once.
func (a *Answer) take(delta []byte, logprobs []json.RawMessage) {
	if s := thoughts(delta); s != "" {
		a.think(s)
	}
	a.content(rawjson.Get(delta, "content"), logprobs)
	if s := rawjson.Text(rawjson.Get(delta, "refusal")); s != "" {
		a.open()
		a.size += len(s)
		a.message.Say(responses.Refusal, s)
	}
	for _, annotation := range rawjson.List(rawjson.Get(delta, "annotations")) {
		a.open()
		a.message.Annotate(annotation)
	}
	for _, c := range rawjson.List(rawjson.Get(delta, "tool_calls")) {
		a.call(c)
	}
	if c := rawjson.Get(delta, "function_call"); rawjson.Kind(c) == '{' { // as it was before tools
		a.call(rawjson.Object{{Name: "index", Value: json.RawMessage("0")}, {Name: "function", Value: c}}.Encode())
	}
}

// content takes a text, or parts of it among which there may be thoughts.
func (a *Answer) content(value []byte, logprobs []json.RawMessage) {
	if s := rawjson.Text(value); s != "" {
		a.say(s, logprobs)
	}
	for _, p := range rawjson.List(value) {
		if s := spoken(p); strings.Contains(rawjson.Text(rawjson.Get(p, "type")), "think") {
			a.think(s)
		} else if s != "" {
			a.say(s, nil)
		}
	}
}

// thoughts returns what a chunk adds to the model's reasoning, for which servers have
// several names.
func thoughts(delta []byte) string {
	for _, name := range []string{"reasoning_content", "reasoning", "thinking", "reasoning_details"} {
		if s := spoken(rawjson.Get(delta, name)); s != "" {
			return s
		}
	}
	return ""
}

// spoken returns the text of a value that is one, has one, or is a list of those.
func spoken(value []byte) string {
	switch rawjson.Kind(value) {
	case '"':
		return rawjson.Text(value)
	case '{':
		for _, name := range []string{"text", "content", "summary", "thinking"} {
			if s := spoken(rawjson.Get(value, name)); s != "" {
				return s
			}
		}
	case '[':
		var s strings.Builder
		for _, v := range rawjson.List(value) {
			s.WriteString(spoken(v))
		}
		return s.String()
	}
	return ""
}
