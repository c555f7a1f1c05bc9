// Package events carries the events of running runs from the worker to those
// who watch.
//
// A run has a log while it runs. The worker appends, and never waits for a
// reader: readers walk the log at their own pace, each from the start or from
// where it left off. When the run ends, the log ends; what came of the run is
// then in the store.
package events

import (
	"context"
	"io"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/rota-run/rota"
)

// MaxLogBytes bounds what one run's log keeps. When a run says more, its
// oldest events are forgotten; the sequence numbers show the gap.
const MaxLogBytes = 16 << 20

// An Event is one event of the Responses API.
type Event struct {
	Seq  int64  // grows within a run, also across its attempts
	Data []byte // the event as JSON; must not be changed
}

// attemptSpan is how many sequence numbers an attempt of a run has, so that
// those of a later one never repeat, whatever crashes lie between.
const attemptSpan = 1_000_000

// FirstSeq returns the first sequence number of a run's attempt-th attempt (1
// is the first).
func FirstSeq(attempt int) int64 { return int64(attempt-1) * attemptSpan }

// A Hub holds the logs of the runs that this process works on, or that
// somebody waits for. Its methods may be called from any goroutine.
type Hub struct {
	mu   sync.Mutex // guards logs, and the counts in them
	logs map[rota.RunID]*Log
}

// NewHub returns a hub without logs.
func NewHub() *Hub { return &Hub{logs: make(map[rota.RunID]*Log)} }

// Open returns the log of a run that is worked on. It lives until End.
func (h *Hub) Open(id rota.RunID) *Log {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.log(id)
	l.worked = true
	return l
}

// End ends the run's log. Readers still get what they have not read.
func (h *Hub) End(id rota.RunID) {
	h.mu.Lock()
	l := h.logs[id]
	delete(h.logs, id)
	h.mu.Unlock()
	if l != nil {
		l.end()
	}
}

// Read returns a reader of the run's events after the sequence number. It
// waits for a run that has not started. The caller must close it.
func (h *Hub) Read(id rota.RunID, after int64) *Reader {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.log(id)
	l.readers++
	return &Reader{hub: h, id: id, log: l, after: after}
}

func (h *Hub) log(id rota.RunID) *Log {
	l := h.logs[id]
	if l == nil {
		l = &Log{grown: make(chan struct{})}
		h.logs[id] = l
	}
	return l
}

// leave lets go of a log that nobody reads or works on.
func (h *Hub) leave(id rota.RunID, l *Log) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.readers--
	if l.readers == 0 && !l.worked && h.logs[id] == l {
		delete(h.logs, id)
	}
}

// A Log is the events of one run.
type Log struct {
	readers int  // guarded by the hub's mutex
	worked  bool // likewise

	mu     sync.Mutex // guards what follows
	events []Event    // in the order of Seq
	bytes  int
	ended  bool
	grown  chan struct{} // closed and replaced when events or ended change
}

// Append adds an event. It does not block. The log keeps e.Data.
func (l *Log) Append(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	l.bytes += len(e.Data)
	for l.bytes > MaxLogBytes && len(l.events) > 1 {
		l.bytes -= len(l.events[0].Data)
		l.events = l.events[1:]
	}
	l.wake()
}

func (l *Log) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		l.wake()
	}
}

func (l *Log) wake() {
	close(l.grown)
	l.grown = make(chan struct{})
}

// A Reader walks a log. One goroutine may use it.
type Reader struct {
	hub    *Hub
	id     rota.RunID
	log    *Log
	after  int64
	closed atomic.Bool
}

// Close lets go of the log. It may be called from any goroutine, and again.
func (r *Reader) Close() {
	if !r.closed.Swap(true) {
		r.hub.leave(r.id, r.log)
	}
}

// Next returns the next event. It blocks until there is one, and returns
// io.EOF when the log has ended, or ctx's error.
func (r *Reader) Next(ctx context.Context) (Event, error) {
	for {
		e, ok, ended, grown := r.look()
		switch {
		case ok:
			r.after = e.Seq
			return e, nil
		case ended:
			return Event{}, io.EOF
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		}
	}
}

// After returns the sequence number of the last event that Next returned.
func (r *Reader) After() int64 { return r.after }

func (r *Reader) look() (e Event, ok, ended bool, grown <-chan struct{}) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := after(l.events, r.after); i < len(l.events) {
		return l.events[i], true, false, nil
	}
	return Event{}, false, l.ended, l.grown
}

// after returns the index of the first event with a greater sequence number.
func after(events []Event, seq int64) int {
	return sort.Search(len(events), func(i int) bool { return events[i].Seq > seq })
}
