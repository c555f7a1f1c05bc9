package gateway

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
)

const (
	responseEvent = "response." // what the types of events begin with
	endOfStream   = "[DONE]"    // what some servers send behind the last event

	// errorGrace is how long a stream may stay silent behind an event that tells of
	// an error: often another one follows, with details and usage.
	errorGrace = time.Second
)

var errFailed = errors.New("the stream went silent after an error")

// stream reads events until the one that ends the response.
func (a *attempt) stream(b *body) (Response, error) {
	events := newEventReader(b)
	events.room = a.hold
	for {
		e, err := events.next()
		if err != nil {
			return a.cutOff(err)
		}
		data := e.data
		if !utf8.Valid(data) { // an event stream is UTF-8, whatever its server thinks
			data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
		}
		switch {
		case len(data) == 0:
			continue
		case string(data) == endOfStream:
			if a.failed || a.draft.whole() {
				b.drain(a.end)
				return a.cutOff(io.EOF)
			}
			continue
		case isObject(data):
		case e.cut:
			return a.cutOff(events.err)
		case e.kind == "error":
			a.fail(failure{text: string(data)})
			continue
		default:
			a.junk = true
			continue
		}
		if r, ended, err := a.event(e.kind, data); ended {
			b.drain(a.end)
			return r, err
		}
		if a.draft.size > maxEvent {
			return a.cutOff(errTooLarge)
		}
	}
}

// event passes an event on and reports whether it ended the response.
func (a *attempt) event(framing string, data []byte) (r Response, ended bool, err error) {
	e := Event{Type: text(member(data, "type")), Data: data}
	if e.Type == "" {
		e.Type = framing
	}
	if a.id == "" {
		a.begin(responseID(data))
	}
	status := endedBy(e.Type, data)
	switch {
	case status != "":
		e = a.ending(e, status)
		a.on(e)
		r, err = a.finish(status, member(e.Data, "response"), failureOf(data))
		return r, true, err
	case isError(e.Type, data):
		a.on(e)
		a.fail(failureOf(data))
		a.draft.addUsage(member(data, "usage"))
	default:
		a.draft.add(e.Type, data)
		a.on(e)
		if a.failed {
			a.fail(failure{})
		}
	}
	return Response{}, false, nil
}

func responseID(event []byte) string {
	if id := text(member(member(event, "response"), "id")); id != "" {
		return id
	}
	return text(member(event, "response_id"))
}

// endedBy returns the status of the response that an event ends, or nothing if it
// ends none.
func endedBy(kind string, data []byte) string {
	status, ok := strings.CutPrefix(kind, responseEvent)
	switch {
	case !ok:
		return ""
	case status == "done":
		return "completed"
	case terminal(status):
		return status
	default:
		return ""
	}
}

// terminal reports whether a response of this status has ended.
func terminal(status string) bool {
	switch status {
	case "completed", "failed", "incomplete", "cancelled", "canceled":
		return true
	default:
		return false
	}
}

// isError reports whether an event tells of an error of the whole response.
func isError(kind string, data []byte) bool {
	switch {
	case kind == "error", kind == responseEvent+"error", text(member(data, "object")) == "error":
		return true
	case strings.HasPrefix(kind, responseEvent):
		return false
	default:
		return says(data, "error") && member(data, "response") == nil
	}
}

// ending returns the event that ends a response with a response that has what
// only earlier events told.
func (a *attempt) ending(e Event, status string) Event {
	a.draft.addUsage(member(e.Data, "usage"))
	object := member(e.Data, "response")
	if len(object) > 0 && object[0] == '{' {
		a.draft.addUsage(member(object, "usage"))
		if whole := a.draft.fill(object); !bytes.Equal(whole, object) {
			e.Data = withMember(e.Data, "response", whole)
		}
		return e
	}
	if rest := a.draft.rest(status, status); rest != nil {
		e.Data = withMember(e.Data, "response", rest)
	}
	return e
}

// fail notes an error that the stream tells of. The answer may still come; a
// stream that stays silent from now on has ended.
func (a *attempt) fail(f failure) {
	a.said = a.said.and(f)
	a.failed = true
	if a.grace == nil {
		a.grace = time.AfterFunc(errorGrace, func() { a.end(errFailed) })
		return
	}
	a.grace.Reset(errorGrace)
}

// cutOff explains a stream that ended before its response did, unless all of the
// answer has come.
func (a *attempt) cutOff(err error) (Response, error) {
	switch {
	case a.caller.Err() != nil:
		return Response{}, interrupted(a.caller, a.ctx)
	case a.failed:
		return Response{}, a.said.failed()
	case errors.Is(err, io.EOF) && a.draft.whole():
		return a.finish("completed", a.draft.rest("completed", ""), failure{})
	case errors.Is(err, io.EOF) && a.junk:
		return Response{}, badResponse("the provider sent an event that is not a JSON object")
	default:
		return Response{}, a.explain(err, broken)
	}
}

// finish makes an answer of the response object that ended with the status. told
// is what its event says of a failure.
func (a *attempt) finish(status string, object []byte, told failure) (Response, error) {
	if len(object) == 0 || object[0] != '{' {
		if status == "failed" || a.failed {
			return Response{}, a.said.and(told).failed()
		}
		return Response{}, badResponse("the provider ended the response without sending it")
	}
	r := readResponse(object)
	if status == "completed" && terminal(r.Status) {
		status = r.Status
	}
	a.draft.addUsage(r.Usage)
	switch status {
	case "completed", "incomplete":
		return a.answer(status, &r, object), nil
	case "failed":
		e := told.and(a.said).failed()
		e.Response = object
		return Response{}, e
	default:
		return Response{}, &Error{
			Code: rota.RunErrProvider, Message: "the provider cancelled the response", Answered: true, Response: object,
		}
	}
}

func (a *attempt) answer(status string, r *response, object []byte) Response {
	return Response{
		ID: a.id, Status: status, Body: object, Usage: a.draft.usage, Output: r.text(), ToolActivity: r.usedTools(),
	}
}

// response is what Rota reads of a response object.
type response struct {
	Status     string
	OutputText string
	Usage      []byte
	Output     []item
}

func readResponse(object []byte) response {
	r := response{
		Status: text(member(object, "status")), OutputText: text(member(object, "output_text")), Usage: member(object, "usage"),
	}
	for _, i := range rawjson.List(member(object, "output")) {
		r.Output = append(r.Output, readItem(i))
	}
	return r
}

// An item is one of a response's output, as JSON.
type item []byte

func readItem(raw []byte) item { return item(bytes.TrimSpace(raw)) }

// kind returns the item's type; one without is a message.
func (i item) kind() string {
	if kind := text(member(i, "type")); kind != "" {
		return kind
	}
	return "message"
}

// text returns what an item of the type message says.
func (i item) text() string {
	var all []string
	i.each(func(said []byte) { all = append(all, text(said)) })
	return strings.Join(all, "")
}

// silent reports whether an item of the type message says nothing.
func (i item) silent() bool {
	silent := true
	i.each(func(said []byte) { silent = silent && isEmpty(said) })
	return silent
}

// each calls fn with each value in which an item of the type message says something.
func (i item) each(fn func(said []byte)) {
	content := member(i, "content")
	if !isEmpty(content) {
		fn(content)
		return
	}
	for _, p := range rawjson.List(content) {
		fn(member(p, "text"))
		fn(member(p, "refusal"))
	}
}

// text returns what the model said.
func (r *response) text() string {
	if r.OutputText != "" {
		return r.OutputText
	}
	var all []string
	for _, i := range r.Output {
		if i.kind() == "message" {
			all = append(all, i.text())
		}
	}
	return strings.Join(all, "")
}

func (r *response) usedTools() bool {
	for _, i := range r.Output {
		if kind := i.kind(); kind != "message" && kind != "reasoning" {
			return true
		}
	}
	return false
}

// unstreamed takes an answer to a question that asked for a stream, but that is
// JSON. A response that has ended is an answer all the same: it was paid for.
func (a *attempt) unstreamed(raw []byte) (Response, error) {
	if !isObject(raw) {
		return Response{}, badResponse("the provider's answer is not JSON, though it says so")
	}
	object := raw
	if inner := member(raw, "response"); len(inner) > 0 && inner[0] == '{' {
		object = inner
	}
	if status := text(member(object, "status")); terminal(status) {
		a.begin(text(member(object, "id")))
		return a.ended(status, object, raw)
	}
	if says(raw, "error") || isError("", raw) {
		return Response{}, failureOf(raw).failed()
	}
	return Response{}, badResponse("the provider sent one JSON object that is no response, though stream:true was asked for")
}

// stored takes a response that had already begun, as one object. If it has
// ended, that is all that there is to know of it.
func (a *attempt) stored(raw []byte) (Response, error) {
	if !isObject(raw) {
		return Response{}, badResponse("the provider's answer is not JSON, though it says so")
	}
	if status := text(member(raw, "status")); terminal(status) {
		return a.ended(status, raw, raw)
	}
	if says(raw, "error") {
		return Response{}, failureOf(raw).failed()
	}
	return Response{}, &Error{
		Code: rota.RunErrStreamEnded, Retryable: true,
		Message: "the response is under way, but the provider does not stream it again",
	}
}

// ended takes a response object that came without a stream.
func (a *attempt) ended(status string, object, whole []byte) (Response, error) {
	object = a.draft.fill(object)
	a.on(Event{Type: responseEvent + status, Data: terminalEvent(status, object)})
	return a.finish(status, object, failureOf(whole))
}

func terminalEvent(status string, object []byte) []byte {
	e := append([]byte(`{"type":"`+responseEvent), status...)
	e = append(e, `","response":`...)
	return append(append(e, object...), '}')
}
