package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
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
			return a.over(err)
		}
		data := e.data
		if !utf8.Valid(data) { // an event stream is UTF-8, whatever its server thinks
			data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
		}
		var cut error
		if e.cut {
			cut = events.err
		}
		if r, ended, err := a.whole(e.kind, data, cut); ended {
			b.drain(a.end)
			return r, err
		}
		if a.size() > maxEvent {
			return a.cutOff(errTooLarge)
		}
	}
}

// whole takes what an event of the stream has as its data.
func (a *attempt) whole(framing string, data []byte, cut error) (r Response, ended bool, err error) {
	if len(data) > len("{}") && isObject(data) {
		return a.take(unwrapped(framing, data))
	}
	return a.all(framing, separate(data), cut)
}

// all takes events in order, the last of which may be cut off, by err. It reports
// whether one ended the response.
func (a *attempt) all(framing string, events [][]byte, cut error) (r Response, ended bool, err error) {
	for i, data := range events {
		broken := cut
		if i < len(events)-1 {
			broken = nil
		}
		if r, ended, err = a.data(framing, data, broken); ended {
			return r, ended, err
		}
	}
	return Response{}, false, nil
}

// data takes the data of one event, and reports whether it ended the response. What
// is no JSON may be so because it was cut off, by the error cut.
func (a *attempt) data(framing string, data []byte, cut error) (r Response, ended bool, err error) {
	data = unquoted(data)
	switch {
	case len(data) == 0:
	case strings.EqualFold(strings.Trim(string(data), `"`), endOfStream), framing == "done" && string(data) == "{}":
		a.closed = true
		if a.chat != nil {
			r, err = a.endChat(true)
			return r, true, err
		}
		if a.failed || a.draft.whole(true) {
			r, err = a.cutOff(io.EOF)
			return r, true, err
		}
	case isObject(data):
		return a.take(unwrapped(framing, data))
	case cut != nil:
		r, err = a.cutOff(cut)
		return r, true, err
	case framing == "error":
		a.fail(said(data))
	default:
		a.junk = true
	}
	return Response{}, false, nil
}

// unwrapped returns an event that its server has put into another object, as
// {"event":…,"data":…}, or whose name has the name event.
func unwrapped(framing string, data []byte) (string, []byte) {
	if member(data, "type") != nil {
		return framing, data
	}
	name := text(member(data, "event"))
	if name == "" {
		return framing, data
	}
	if inner := unquoted(member(data, "data")); isObject(inner) {
		return name, inner
	}
	return name, data
}

// unquoted returns an object that came as a text, and everything else as it is.
func unquoted(data []byte) []byte {
	if bytes.HasPrefix(data, []byte(`"{`)) {
		if inner := []byte(text(data)); isObject(inner) {
			return inner
		}
	}
	return data
}

// separate returns the events in data that has several of them: lines that no blank
// line parts, objects one behind the other, or a list. Other data are returned as they
// are.
func separate(data []byte) [][]byte {
	if isObject(data) {
		return [][]byte{data}
	}
	var all [][]byte
	if bytes.HasPrefix(data, []byte("[")) && json.Valid(data) {
		for _, e := range rawjson.List(data) {
			all = append(all, bytes.TrimSpace(e))
		}
	} else {
		all = objectsOf(data)
	}
	if len(all) == 0 || !isObject(all[0]) {
		return [][]byte{data}
	}
	return all
}

// objectsOf returns the objects at the beginning of data, and then its lines from the
// first on that is none.
func objectsOf(data []byte) (all [][]byte) {
	for whole := true; len(data) > 0; data = bytes.TrimSpace(data) {
		var object json.RawMessage
		from := json.NewDecoder(bytes.NewReader(data))
		if whole = whole && (data[0] != '{' || from.Decode(&object) == nil); whole && data[0] == '{' {
			all, data = append(all, object), data[from.InputOffset():]
			continue
		}
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		all, data = append(all, bytes.TrimSpace(line)), rest
	}
	return all
}

// over makes an answer of a stream that has ended.
func (a *attempt) over(err error) (Response, error) {
	if a.chat != nil && errors.Is(err, io.EOF) {
		return a.endChat(false)
	}
	return a.cutOff(err)
}

// take takes an event, or a chunk of a chat, and reports whether it ended the response.
func (a *attempt) take(framing string, data []byte) (r Response, ended bool, err error) {
	if a.chat == nil && a.id == "" && isChat(data) {
		a.converse(a.asked)
	}
	if a.chat != nil {
		a.chunk(framing, data)
		return Response{}, false, nil
	}
	return a.event(framing, data)
}

// event passes an event on and reports whether it ended the response.
func (a *attempt) event(framing string, data []byte) (r Response, ended bool, err error) {
	e := Event{Type: text(member(data, "type")), Data: data}
	piece := strings.HasPrefix(e.Type, responseEvent) && strings.HasSuffix(e.Type, ".delta") // as nearly all are: no more to find out
	if !piece {
		data = wrapped(framing, data)
		e = Event{Type: cmp.Or(text(member(data, "type")), framing), Data: data}
	}
	if a.id == "" {
		a.begin(responseID(data))
	}
	if piece {
		a.pass(e)
		return Response{}, false, nil
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
		a.pass(e)
	}
	return Response{}, false, nil
}

// pass passes on an event after which the response goes on.
func (a *attempt) pass(e Event) {
	a.draft.add(e.Type, e.Data)
	a.on(e)
	if a.failed {
		a.fail(failure{})
	}
}

// wrapped returns the event of data that is a response without one around it.
func wrapped(framing string, data []byte) []byte {
	status := text(member(data, "status"))
	if text(member(data, "object")) != "response" || status == "" || member(data, "response") != nil {
		return data
	}
	if !strings.HasPrefix(framing, responseEvent) {
		framing = responseEvent + status
	}
	return rawjson.Object{{Name: "type", Value: rawjson.String(framing)}, {Name: "response", Value: data}}.Encode()
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
	case strings.HasPrefix(kind, responseEvent), member(data, "response") != nil:
		return false
	case tells(member(data, "error")), tells(member(data, "errors")), tells(member(data, "fault")):
		return true
	case says(data, "choices"), says(data, "delta"):
		return false
	case kind != "":
		return failureOf(data).text != "" && meaningOf(kind) != unclear || coded(spelled(data))
	default:
		f := failureOf(data)
		return f.means() != unclear || f.text != "" && len(f.codes) > 0 && codeOf(spelled(data)) == f.codes[0]
	}
}

// coded reports whether an object has a code, or a status that is a number, of a failure.
// Words alone may be a warning, or news of a queue.
func coded(o rawjson.Object) bool {
	code := codeOf(o)
	return meaningOf(code) != unclear || statusMeaning(cmp.Or(code, words(o.Get("status")), words(o.Get("statuscode")))) != unclear
}

func codeOf(o rawjson.Object) string { return cmp.Or(words(o.Get("code")), words(o.Get("errorcode"))) }

// tells reports whether the value of a member for errors tells of one.
func tells(value []byte) bool {
	switch string(value) {
	case "", "null", "false", "0", `""`, "{}", "[]":
		return false
	default:
		return true
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
	case errors.Is(err, io.EOF) && a.draft.whole(a.closed):
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
	raw = unquoted(raw)
	if !isObject(raw) {
		return a.unlike(raw)
	}
	object := raw
	for _, name := range []string{"response", "data", "result", "body"} {
		if inner := unquoted(member(raw, name)); isObject(inner) {
			object = inner
			break
		}
	}
	if isChat(object) {
		a.converse(a.asked)
		return a.unstreamedChat(object)
	}
	if status := endedAs(object); status != "" {
		a.begin(text(member(object, "id")))
		return a.ended(status, object, raw)
	}
	if endedBy(text(member(raw, "type")), raw) != "" || isError(text(member(raw, "type")), raw) {
		return a.replay([][]byte{raw})
	}
	return Response{}, failureOf(raw).or(badResponse("the provider sent one JSON object that is no response, though stream:true was asked for"))
}

// endedAs returns the status of a response object that has ended, in small letters, or
// nothing. One without a status that has an output is completed.
func endedAs(object []byte) string {
	status := strings.ToLower(text(member(object, "status")))
	switch {
	case terminal(status):
		return status
	case status != "" || says(object, "error"):
		return ""
	case len(rawjson.List(member(object, "output"))) > 0, !isEmpty(member(object, "output")), !isEmpty(member(object, "output_text")):
		return "completed"
	}
	return ""
}

// unlike takes an answer that is not the one JSON object that it seemed to be: a list
// of events, or lines that each are one.
func (a *attempt) unlike(raw []byte) (Response, error) {
	if len(raw) == 0 {
		return Response{}, a.explain(io.EOF, broken)
	}
	if events := separate(raw); isObject(events[0]) {
		return a.replay(events)
	}
	var whole json.RawMessage
	if isText(raw) && len(raw) < maxField || errors.Is(json.NewDecoder(bytes.NewReader(raw)).Decode(&whole), io.ErrUnexpectedEOF) {
		return Response{}, a.explain(io.EOF, broken) // it was cut off
	}
	return Response{}, said(raw).or(badResponse("the provider's answer is not JSON, though it says so"))
}

// replay takes events that came at once.
func (a *attempt) replay(events [][]byte) (Response, error) {
	if r, ended, err := a.all("", events, io.EOF); ended {
		return r, err
	}
	return a.cutOff(io.EOF)
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
