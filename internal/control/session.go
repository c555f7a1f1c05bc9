package control

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/rawjson"
)

// A Session is a connection over which a caller creates one response after the other. It
// remembers the last one if that is not kept, so that the next can go on from there; what
// it remembers is taken from the memory budget. It may not be used by several goroutines
// at once, and must be closed. A nil one remembers nothing.
type Session struct {
	control *Control
	last    rota.ResponseID // empty for none
	turns   []rota.Turn     // up to and with the last
	room    *room
	ended   chan struct{} // closed when the response has ended that was created last; nil if there is none
}

// NewSession returns a session that has nothing to remember yet.
func (c *Control) NewSession() *Session { return &Session{control: c, room: c.room()} }

// Close blocks until the last response has ended, which its context must make it do.
func (s *Session) Close() {
	if s.ended != nil {
		<-s.ended
	}
	s.forget()
}

func (s *Session) forget() {
	s.room.release()
	s.last, s.turns, s.room = "", nil, s.control.room()
}

// CreateResponse has a model answer, as [Control.CreateResponse] does for a stream. body is
// the message response.create. The events must be read to their end before the next
// response is created. A response that fails makes the session forget the one that it was
// to go on from.
func (s *Session) CreateResponse(ctx context.Context, who auth.Caller, body []byte) (EventReader, error) {
	previous := rota.ResponseID(rawjson.Text(rawjson.Get(body, "previous_response_id")))
	body, err := asStream(body)
	var a Answer
	if err == nil {
		a, err = s.control.createResponse(ctx, who, body, Write{}, s)
	}
	if err != nil && s.has(previous) {
		s.forget()
	}
	if stream, ok := a.Events.(*answerStream); ok {
		s.ended = stream.done
	}
	return a.Events, err
}

// asStream returns the request for a stream that a message is.
func asStream(body []byte) ([]byte, error) {
	if !rawjson.IsObject(body) {
		return body, nil // it is refused as what it is
	}
	o := rawjson.ReadObject(body)
	if rawjson.Text(o.Get("type")) != "response.create" {
		return nil, rota.InvalidField("type", "must be response.create: a WebSocket takes no other messages")
	}
	for _, name := range []string{"background", "generate"} {
		if kind := rawjson.Kind(o.Get(name)); name == "background" && kind == 't' || name == "generate" && kind == 'f' {
			return nil, rota.InvalidField(name, "cannot be used over a WebSocket: send the request over HTTP, or leave this out")
		}
	}
	o.Delete("type")
	o.Delete("generate")
	o.Set("stream", json.RawMessage("true"))
	return o.Encode(), nil
}

// has reports whether the session remembers a response.
func (s *Session) has(id rota.ResponseID) bool { return s != nil && id != "" && s.last == id }

// check refuses a response that is kept and goes on from one that is not.
func (s *Session) check(r answer.Request) error {
	if s.has(r.Previous) && r.Store {
		return rota.InvalidField("store", "must be false, as that of the response before, which is not kept")
	}
	return nil
}

// turnsBefore returns what came before a request.
func (s *Session) turnsBefore(ctx context.Context, tx ResponseReader, o rota.Owner, r answer.Request) ([]rota.Turn, error) {
	if s.has(r.Previous) {
		return slices.Clip(s.turns), nil
	}
	return turnsBefore(ctx, tx, o, r)
}

// note remembers a response that has ended.
func (s *Session) note(ctx context.Context, w rota.ResponseWork, object json.RawMessage) {
	if s == nil {
		return
	}
	status := rota.ResponseStatus(rawjson.Text(rawjson.Get(object, "status")))
	if w.Kept || !status.Continues() {
		if w.Previous == nil || s.has(*w.Previous) {
			s.forget()
		}
		return
	}
	turn := rota.Turn{Response: w.ID, Input: w.Input}
	for _, raw := range rawjson.List(rawjson.Get(object, "output")) {
		turn.Output = append(turn.Output, rota.ItemRecord{ID: rawjson.Text(rawjson.Get(raw, "id")), Response: &w.ID, Output: true, Raw: raw})
	}
	turns := append(slices.Clip(w.Turns), turn)
	taken := s.control.room()
	if err := taken.hold(ctx, bytesOf(turns)); err != nil {
		taken.release()
		s.forget()
		return
	}
	s.room.release()
	s.last, s.turns, s.room = w.ID, turns, taken
}

// bytesOf returns how many bytes the items of turns have.
func bytesOf(turns []rota.Turn) (n int) {
	for _, t := range turns {
		for _, i := range slices.Concat(t.Input, t.Output) {
			n += len(i.Raw)
		}
	}
	return n
}
