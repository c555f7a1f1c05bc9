package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
	"github.com/rota-run/rota/internal/responses/chat"
)

// A Protocol is what a provider speaks.
type Protocol string

// The protocols.
const (
	ProtocolAuto      Protocol = "auto"      // found out: see [Provider.Protocol]
	ProtocolResponses Protocol = "responses" // POST {BaseURL}/responses
	ProtocolChat      Protocol = "chat"      // POST {BaseURL}/chat/completions
)

// A conversion is what one question to a server that speaks chat completions needs.
type conversion struct {
	answer *chat.Answer
	r      Response // how the response ended, once it has
	err    error
}

// askChat asks over chat completions. What the provider answers is translated event
// by event.
func (a *attempt) askChat(req Request) (Response, error) {
	body, notSent, err := chat.Request(req.Body, true)
	if err != nil {
		return Response{}, &Error{Code: rota.RunErrRejected, Message: "this cannot be asked over chat completions: " + err.Error(), Err: err}
	}
	asked := req.Body
	req.Body = body
	if req.IdempotencyKey != "" {
		req.IdempotencyKey += "-chat"
	}
	r, err := a.inquire(req, func(req Request) (Response, error) {
		a.converse(asked)
		return a.put(a.provider.chatEndpoint, req.Body, req.IdempotencyKey, (*attempt).unstreamedChat)
	})
	a.omitted = slices.DeleteFunc(a.omitted, func(name string) bool { return name == "stream_options" }) // nobody asked for it
	a.omitted = slices.Compact(slices.Sorted(slices.Values(append(a.omitted, notSent...))))
	return r, err
}

// converse takes what comes for chat completions.
func (a *attempt) converse(asked []byte) {
	c := &conversion{}
	c.answer = chat.NewAnswer(asked, randomID, func(e responses.Event) { a.translated(c, Event(e)) })
	a.chat = c
}

// isChat reports whether a server answers with chat completions, whatever it was asked.
func isChat(data []byte) bool {
	object, choices := text(member(data, "object")), rawjson.List(member(data, "choices"))
	if object != "" && !strings.HasPrefix(object, "chat.completion") || member(data, "type") != nil || len(choices) == 0 {
		return false
	}
	return member(choices[0], "delta") != nil || member(choices[0], "message") != nil
}

// translated passes an event on. It is valid and whole: there is nothing to repair.
func (a *attempt) translated(c *conversion, e Event) {
	object := member(e.Data, "response")
	if a.id == "" {
		a.begin(text(member(object, "id")))
	}
	a.on(e)
	if responses.Terminal(e.Type) {
		c.r, c.err = a.finish(strings.TrimPrefix(e.Type, responseEvent), object, failureOf(e.Data))
	}
}

// chunk takes a chunk of a chat, or an error in its place.
func (a *attempt) chunk(kind string, data []byte) {
	if isError(kind, data) {
		a.fail(failureOf(data))
		return
	}
	a.chat.answer.Chunk(data, time.Now().Unix())
	if a.failed {
		a.fail(failure{})
	}
}

// endChat ends a stream of chunks. done says that its server has said so.
func (a *attempt) endChat(done bool) (Response, error) {
	if a.failed || !a.chat.answer.End(done, time.Now().Unix()) {
		if done && !a.failed {
			return Response{}, badResponse("the provider ended the chat without an answer")
		}
		return a.cutOff(io.EOF)
	}
	r, err := a.chat.r, a.chat.err
	r.Usage = a.usage()
	return r, err
}

// unstreamedChat takes a chat that came as one object, though a stream was asked for.
func (a *attempt) unstreamedChat(raw []byte) (Response, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case !isObject(raw):
		return Response{}, badResponse("the provider's answer is not JSON, though it says so")
	case member(raw, "choices") != nil:
		a.chunk("", raw)
		return a.endChat(true)
	case says(raw, "error") || isError("", raw):
		return Response{}, failureOf(raw).failed()
	default:
		return Response{}, badResponse("the provider sent one JSON object that is no chat completion")
	}
}

// rest returns a response object with what has come of an answer that is not whole, or
// nil.
func (a *attempt) rest(status, why string) []byte {
	if a.chat != nil {
		return a.chat.answer.Rest(status, why, time.Now().Unix())
	}
	return a.draft.rest(status, why)
}

// size returns about how many bytes of the answer are held, beside what is being read.
func (a *attempt) size() int {
	if a.chat != nil {
		return a.chat.answer.Size()
	}
	return a.draft.size
}

// usage returns what the provider has told of it. The objects of a chat have zeros
// where nothing is known.
func (a *attempt) usage() []byte {
	if a.chat != nil {
		return a.chat.answer.Usage()
	}
	return a.draft.usage
}

// ask asks over the protocol that the provider speaks, and finds that out if it has to.
func (a *attempt) ask(req Request) (Response, error) {
	p := a.provider
	if p.speaks() == ProtocolChat {
		return a.askChat(req)
	}
	a.asked = req.Body
	r, err := a.inquire(req, func(req Request) (Response, error) {
		a.chat = nil
		return a.put(p.endpoint, p.body(req.Body, req.NoStore), req.IdempotencyKey, (*attempt).unstreamed)
	})
	if err == nil || a.id != "" {
		p.answered.Store(true)
	}
	if p.Protocol == ProtocolResponses || p.answered.Load() || !lacksPath(err) {
		return r, err
	}
	a.forget()
	r, inChat := a.askChat(req)
	if lacksPath(inChat) {
		a.chat = nil
		return r, err
	}
	if inChat == nil || a.id != "" || answersChats(inChat) {
		p.learnChat()
	}
	return r, inChat
}

// lacksPath reports whether an error says that the provider has no such path.
func lacksPath(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.told.status != 0 && e.told.lacksPath()
}

// answersChats reports whether an error came from a provider that has the path of
// chats. A 404 for another reason, such as its model, may be why the Responses API
// seemed not to be there.
func answersChats(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.told.status {
	case 0, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return false
	default:
		return true
	}
}
