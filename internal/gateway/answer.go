package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"github.com/tmaxmax/go-sse"

	"github.com/rota-run/rota"
)

const responseEvent = "response." // what the types of terminal events begin with, before the status

// stream reads events until the one that ends the response.
func (a *attempt) stream(b *body) (Response, error) {
	f := newFrames(b)
	for e, err := range sse.Read(f, &sse.ReadConfig{MaxEventSize: maxEvent}) {
		if err != nil {
			return Response{}, a.explain(err, broken)
		}
		data := []byte(strings.ToValidUTF8(e.Data, "\uFFFD")) // an event stream is UTF-8, whatever its server thinks
		switch {
		case len(data) == 0 || e.Data == "[DONE]":
			continue
		case isObject(data):
		case f.cut:
			return Response{}, a.explain(f.err, broken)
		default:
			return Response{}, badResponse("the provider sent an event that is not a JSON object")
		}
		if r, ended, err := a.event(e.Type, data); ended {
			b.drain(a.end)
			return r, err
		}
	}
	return Response{}, a.explain(io.EOF, broken)
}

// event passes an event on and reports whether it ended the response.
func (a *attempt) event(framing string, data []byte) (r Response, ended bool, err error) {
	e := Event{Type: text(member(data, "type")), Data: data}
	if e.Type == "" {
		e.Type = framing
	}
	if a.id == "" {
		a.begin(text(member(member(data, "response"), "id")))
	}
	a.on(e)
	status, _ := strings.CutPrefix(e.Type, responseEvent)
	switch {
	case terminal(status) && status != e.Type:
		r, err = a.finish(status, member(data, "response"))
		return r, true, err
	case e.Type == "error", e.Type == "" && member(data, "error") != nil:
		return Response{}, true, failureOf(data).failed()
	default:
		return Response{}, false, nil
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

// response is what Rota reads of a response object.
type response struct {
	ID         string          `json:"id"`
	Status     string          `json:"status"`
	Output     []item          `json:"output"`
	OutputText string          `json:"output_text"`
	Usage      json.RawMessage `json:"usage"`
}

type item struct {
	Type    string `json:"type"`
	Content []struct {
		Text    string `json:"text"`
		Refusal string `json:"refusal"`
	} `json:"content"`
}

// finish makes an answer of the response object that ended with the status.
func (a *attempt) finish(status string, object []byte) (Response, error) {
	if len(object) == 0 || object[0] != '{' {
		return Response{}, badResponse("the provider ended the response without sending it")
	}
	var r response
	// A field that is not of its type is left out: the whole is kept anyway.
	_ = json.Unmarshal(object, &r)
	if status == "completed" && terminal(r.Status) {
		status = r.Status
	}
	switch status {
	case "completed", "incomplete":
		return a.answer(status, &r, object), nil
	case "failed":
		e := failureOf(object).failed()
		e.Response = object
		return Response{}, e
	default:
		return Response{}, &Error{
			Code: rota.RunErrProvider, Message: "the provider cancelled the response", Answered: true, Response: object,
		}
	}
}

func (a *attempt) answer(status string, r *response, object []byte) Response {
	answer := Response{ID: a.id, Status: status, Body: object, Output: r.text(), ToolActivity: r.usedTools()}
	if bytes.HasPrefix(r.Usage, []byte("{")) {
		answer.Usage = r.Usage
	}
	return answer
}

// text returns what the model said.
func (r *response) text() string {
	if r.OutputText != "" {
		return r.OutputText
	}
	var s strings.Builder
	for _, i := range r.Output {
		if i.Type != "message" {
			continue
		}
		for _, part := range i.Content {
			s.WriteString(part.Text)
			s.WriteString(part.Refusal)
		}
	}
	return s.String()
}

func (r *response) usedTools() bool {
	for _, i := range r.Output {
		if i.Type != "message" && i.Type != "reasoning" {
			return true
		}
	}
	return false
}

// unstreamed judges an answer to a question that asked for a stream, but that
// is JSON. Even one that looks whole is not taken for an answer: a server that
// overlooks stream may overlook what else was asked of it.
func (a *attempt) unstreamed(raw []byte) (Response, error) {
	if !isObject(raw) {
		return Response{}, badResponse("the provider's answer is not JSON, though it says so")
	}
	if says(raw, "error") {
		return Response{}, failureOf(raw).failed()
	}
	return Response{}, badResponse("the provider sent one JSON object: it ignored stream:true")
}

// stored takes a response that had already begun, as one object. If it has
// ended, that is all that there is to know of it.
func (a *attempt) stored(raw []byte) (Response, error) {
	if !isObject(raw) {
		return Response{}, badResponse("the provider's answer is not JSON, though it says so")
	}
	status := text(member(raw, "status"))
	if terminal(status) {
		a.on(Event{Type: responseEvent + status, Data: terminalEvent(status, raw)})
		return a.finish(status, raw)
	}
	if says(raw, "error") {
		return Response{}, failureOf(raw).failed()
	}
	return Response{}, &Error{
		Code: rota.RunErrStreamEnded, Retryable: true,
		Message: "the response is under way, but the provider does not stream it again",
	}
}

func terminalEvent(status string, object []byte) []byte {
	e := append([]byte(`{"type":"`+responseEvent), status...)
	e = append(e, `","response":`...)
	return append(append(e, object...), '}')
}
