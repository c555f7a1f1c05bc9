package control

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
)

// firstEvent is how long the events of a response are waited for before its stream
// begins: until then, a model's refusal can be answered as what it is.
const firstEvent = 1500 * time.Millisecond

// stream lets a response begin, and returns its events as they come. ended gets the
// response when it has ended, before its last event is read.
func (c *Control) stream(ctx context.Context, w rota.ResponseWork, ended func(json.RawMessage)) (EventReader, error) {
	s := &answerStream{events: make(chan events.Event, 16), done: make(chan struct{})}
	begun := make(chan struct{}, 1)
	go func() {
		defer close(s.done)
		var object json.RawMessage
		defer func() { ended(object) }()
		object, s.err = c.Responder.Answer(ctx, w, func(e events.Event) {
			select {
			case begun <- struct{}{}:
			default:
			}
			select {
			case s.events <- e:
			case <-ctx.Done():
			}
		})
	}()
	within, cancel := context.WithTimeout(ctx, firstEvent)
	defer cancel()
	select {
	case <-begun:
	case <-within.Done():
	case <-s.done:
		if s.err != nil {
			return nil, s.err
		}
	}
	return s, nil
}

// An answerStream gives the events of a response that is worked on here. Who works on it
// waits for the reader.
type answerStream struct {
	events chan events.Event
	done   chan struct{} // closed when the response has ended, and err is set
	err    error
}

// Next implements [EventReader].
func (s *answerStream) Next(ctx context.Context) (events.Event, error) {
	select {
	case e := <-s.events:
		return e, nil
	default:
	}
	select {
	case e := <-s.events:
		return e, nil
	case <-s.done:
		if len(s.events) > 0 {
			return <-s.events, nil
		}
		if s.err != nil {
			return events.Event{}, s.err
		}
		return events.Event{}, io.EOF
	case <-ctx.Done():
		return events.Event{}, context.Cause(ctx)
	}
}
