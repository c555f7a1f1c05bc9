package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/rota-run/rota"
	"github.com/tmaxmax/go-sse"
)

const (
	// maxResumes is how often in a row a stream is resumed without a new event.
	maxResumes  = 5
	firstResume = 500 * time.Millisecond // doubles each time
)

// An Event is one event of the Responses API.
type Event struct {
	ID   string          // its place in the stream, for [AfterEvent]
	Type string          // such as "response.output_text.delta"
	Data json.RawMessage // the whole event
}

// Terminal reports whether the event ends a response. A run that asks the
// model again goes on after such an event.
func (e Event) Terminal() bool {
	switch e.Type {
	case "response.completed", "response.failed", "response.incomplete", "response.cancelled", "error":
		return true
	}
	return false
}

// Events follows a run: it yields the events that the run has had and those to
// come, each once, and ends after the last one. A run that has ended has one.
//
// If the connection breaks, it is resumed after the last event, at most five
// times without a new one; between the attempts Events waits, half a second
// and twice as long each time, or as long as the server asks. If that is in
// vain, or anything else fails, the error comes last, with an empty Event.
func (r Runs) Events(ctx context.Context, agent rota.AgentID, id rota.RunID, opts ...CallOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w := &watch{s: r.s, path: runPath(agent, id, "events"), options: newCallOptions(opts)}
		w.options.header.Set("Accept", "text/event-stream")
		if err := w.follow(ctx, func(e Event) bool { return yield(e, nil) }); err != nil {
			yield(Event{}, err)
		}
	}
}

// A watch is a stream across its connections.
type watch struct {
	s       *sender
	path    []string
	options callOptions // its Last-Event-ID is where to resume
	opened  bool        // a connection stood
	lost    bool        // an event came without an id: resuming would repeat it
	resumes int         // attempts since the last event
}

// follow yields until the stream ends or the consumer has enough, which are
// no errors.
func (w *watch) follow(ctx context.Context, yield func(Event) bool) error {
	for {
		done, err := w.connect(ctx, yield)
		if done {
			return nil
		}
		if !w.resumable(err) {
			return err
		}
		if err := sleep(ctx, w.delay(err)); err != nil {
			return err
		}
	}
}

// connect reads one connection to its end. It reports whether nothing more is
// to come, or why the connection ended early.
func (w *watch) connect(ctx context.Context, yield func(Event) bool) (done bool, err error) {
	req, err := w.s.request(ctx, http.MethodGet, w.path, nil, w.options)
	if err != nil {
		return false, err
	}
	resp, err := w.s.do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	w.opened = true
	return w.read(req, resp.Body, yield)
}

func (w *watch) read(req *http.Request, body io.Reader, yield func(Event) bool) (bool, error) {
	terminal := false
	for raw, err := range sse.Read(body, &sse.ReadConfig{MaxEventSize: w.s.maxAnswer}) {
		if errors.Is(err, bufio.ErrTooLong) {
			return false, rota.Errorf(rota.TooLarge, "an event is longer than %d bytes", w.s.maxAnswer)
		}
		if err != nil {
			return terminal, unreachable(req, err)
		}
		e, err := decodeEvent(raw)
		if err != nil {
			return false, err
		}
		w.note(e)
		if !yield(e) {
			return true, nil
		}
		terminal = e.Terminal()
	}
	return terminal, rota.Errorf(rota.Unavailable, "the stream of events was cut off")
}

func decodeEvent(raw sse.Event) (Event, error) {
	e := Event{ID: raw.LastEventID, Data: json.RawMessage(raw.Data)}
	var body struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(e.Data, &body); err != nil {
		return e, &rota.Error{Code: rota.Internal, Msg: "an event is not JSON", Err: err}
	}
	e.Type = body.Type
	return e, nil
}

// note remembers where to go on.
func (w *watch) note(e Event) {
	w.resumes = 0
	w.lost = e.ID == ""
	if !w.lost {
		w.options.header.Set("Last-Event-ID", e.ID)
	}
}

func (w *watch) resumable(err error) bool {
	retryable := errors.Is(err, rota.Unavailable) || errors.Is(err, rota.RateLimited)
	return retryable && w.opened && !w.lost && w.resumes < maxResumes
}

// delay returns how long to wait before the next attempt, and counts it.
func (w *watch) delay(err error) time.Duration {
	d := firstResume << w.resumes
	w.resumes++
	var e *rota.Error
	if errors.As(err, &e) {
		d = max(d, e.RetryAfter)
	}
	return d
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
