package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/events"
)

const (
	// keepAlive is how long a stream may be silent before a comment shows that it
	// lives. The published Python client gives up after five seconds.
	keepAlive = 2 * time.Second

	// writeTimeout is how long a client may take for what is written at once.
	writeTimeout = 30 * time.Second

	// readAhead is how many events may wait for the client to read.
	readAhead = 8
)

// A stream is the answer of an operation that sends events.
type stream struct {
	control.EventReader
	admitted func() error // asks whether its request would still be let in; nil for always
	named    bool         // events are framed as those of responses: with their types, and without ids
}

// ended reports whether there is nothing left to send to a client that connects
// again, which is told not to do so any more.
func (s stream) ended(r *http.Request) bool {
	return s.EventReader == nil && r.Header.Get(headerLastEventID) != ""
}

// send writes the events of s until they end, the client goes or reads too
// slowly, the server stops, or the request would not be let in any more. A stream
// that does not reach its end is cut off, so that nobody takes it for whole.
func (a *api) send(w http.ResponseWriter, r *http.Request, s stream) {
	g := gate{admitted: s.admitted, now: a.Now, asked: a.Now()}
	h := w.Header()
	h.Set("Content-Type", mediaEvents)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	if s.EventReader == nil {
		return
	}
	err := s.transmit(r.Context(), w, g)
	if err == nil {
		return
	}
	if r.Context().Err() == nil && !errors.Is(err, errClient) && !errors.Is(err, errNotAdmitted) {
		a.logError(w, r, slog.LevelError, err)
	}
	panic(http.ErrAbortHandler)
}

// EventWriter returns a function that answers as operations do that stream events.
func EventWriter(now func() time.Time, log *slog.Logger) func(http.ResponseWriter, *http.Request, control.EventReader, func() error) {
	a := &api{Config: Config{Now: now, Log: log}}
	return func(w http.ResponseWriter, r *http.Request, events control.EventReader, admitted func() error) {
		a.send(w, r, stream{EventReader: events, admitted: admitted})
	}
}

// transmit returns nil when the events have ended and are written.
func (s stream) transmit(ctx context.Context, w http.ResponseWriter, g gate) error {
	ctx, cancel := context.WithCancel(ctx)
	ahead := s.read(ctx)
	defer ahead.wait()
	defer cancel()

	t := transmitter{w: w, rc: http.NewResponseController(w), gate: &g, named: s.named}
	if err := t.flush(); err != nil {
		return err
	}
	if err := t.run(ahead); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// An aheadReader reads events in a goroutine of its own, so that waiting for
// one can be given up without losing it.
type aheadReader struct {
	events chan events.Event // closed at the end
	err    error             // why it ended; set before events is closed
}

func (s stream) read(ctx context.Context) *aheadReader {
	a := &aheadReader{events: make(chan events.Event, readAhead)}
	go func() {
		defer close(a.events)
		for a.err == nil {
			var e events.Event
			if e, a.err = s.Next(ctx); a.err == nil {
				a.err = a.offer(ctx, e)
			}
		}
	}()
	return a
}

func (a *aheadReader) offer(ctx context.Context, e events.Event) error {
	select {
	case a.events <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns when the goroutine has ended.
func (a *aheadReader) wait() {
	for range a.events {
	}
}

// askEvery is how long a stream may go on before it is asked again whether its
// request would be let in.
const askEvery = time.Second

// errNotAdmitted marks the end of what opened the stream.
var errNotAdmitted = errors.New("the request would not be let in any more")

// A gate ends a stream whose key was revoked or has expired.
type gate struct {
	admitted func() error
	now      func() time.Time
	asked    time.Time
}

// pass is called before each write.
func (g *gate) pass() error {
	if g.admitted == nil {
		return nil
	}
	now := g.now()
	if now.Sub(g.asked).Abs() < askEvery { // the clock may be set back
		return nil
	}
	g.asked = now
	if err := g.admitted(); err != nil {
		return errors.Join(errNotAdmitted, err)
	}
	return nil
}

// errClient marks failures to write, which are the client's.
var errClient = errors.New("the client does not read")

// A transmitter writes events to one client.
type transmitter struct {
	w     io.Writer
	rc    *http.ResponseController
	gate  *gate
	named bool // see stream
}

// run writes until the events end, and returns why they did.
func (t transmitter) run(ahead *aheadReader) error {
	for {
		var frame func() error
		select {
		case e, ok := <-ahead.events:
			if !ok {
				return ahead.err
			}
			frame = func() error { return writeEvent(t.w, t.headOf(e), e) }
		case <-time.After(keepAlive):
			frame = func() error { return writeAll(t.w, []byte(": keep-alive\n\n")) }
		}
		if err := t.gate.pass(); err != nil {
			return err
		}
		if err := t.write(frame); err != nil {
			return err
		}
		if len(ahead.events) > 0 {
			continue // one flush for what is there already
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
}

func (t transmitter) write(frame func() error) error {
	if err := t.extend(); err != nil {
		return err
	}
	if err := frame(); err != nil {
		return errors.Join(errClient, err)
	}
	return nil
}

// writeEvent writes an event without a copy of it: there may be many watchers.
func writeEvent(w io.Writer, head []byte, e events.Event) error {
	if err := writeAll(w, head); err != nil {
		return err
	}
	for rest, more := e.Data, true; more; {
		var line []byte
		line, rest, more = cutLine(rest)
		if err := writeAll(w, []byte("data: "), line, []byte{'\n'}); err != nil {
			return err
		}
	}
	return writeAll(w, []byte{'\n'})
}

// headOf returns the line before the data of an event: its number, or its type, with
// which the data of the events of responses begin.
func (t transmitter) headOf(e events.Event) []byte {
	if !t.named {
		return append(strconv.AppendInt([]byte("id: "), e.Seq, 10), '\n')
	}
	kind, _ := bytes.CutPrefix(e.Data, []byte(`{"type":"`))
	kind, _, _ = bytes.Cut(kind, []byte(`"`))
	return slices.Concat([]byte("event: "), kind, []byte{'\n'})
}

// cutLine returns the first line, and what follows it.
func cutLine(b []byte) (line, rest []byte, more bool) {
	i := bytes.IndexAny(b, "\r\n")
	switch {
	case i < 0:
		return b, nil, false
	case bytes.HasPrefix(b[i:], []byte("\r\n")):
		return b[:i], b[i+2:], true
	default:
		return b[:i], b[i+1:], true
	}
}

func writeAll(w io.Writer, pieces ...[]byte) error {
	for _, p := range pieces {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

func (t transmitter) flush() error {
	if err := t.extend(); err != nil {
		return err
	}
	if err := t.rc.Flush(); err != nil {
		return errors.Join(errClient, err)
	}
	return nil
}

// extend gives the client time for what comes next. Connections compare their
// deadlines with the system's clock, whatever time the server is told.
func (t transmitter) extend() error {
	err := t.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) { // recorders of tests have no connection
		return errors.Join(errClient, err)
	}
	return nil
}
