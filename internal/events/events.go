// Package events carries the events of open runs from the worker to watchers.
//
// A run has a log while it is open. The worker appends and never waits for a
// reader. Readers walk the log at their own pace, from the start or from where
// they left off. When the run ends, the log ends; the result of the run is then in
// the store.
package events

import (
	"context"
	"io"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/rota-run/rota"
)

// MaxLogBytes bounds one run's log. Beyond it, the oldest events are dropped; the
// sequence numbers show the gap.
const MaxLogBytes = 16 << 20

// MaxBytes bounds all logs of a hub together, unless Limit has set another bound.
// Beyond it, a log that grows drops its oldest events.
const MaxBytes = 64 << 20

// An Event is one event of the Responses API.
type Event struct {
	Seq  int64  // grows within a run, also across its attempts
	Data []byte // the event as JSON; must not be changed
}

// attemptSpan is how many sequence numbers each attempt has, so that those of a
// later attempt never repeat earlier ones, even after a crash.
const attemptSpan = 1_000_000

// FirstSeq returns the first sequence number of a run's attempt-th attempt (1
// is the first).
func FirstSeq(attempt int) int64 { return int64(attempt-1) * attemptSpan }

// A Hub holds the logs of the runs that this process works on or that it has
// readers for. Its methods may be called from any goroutine.
type Hub struct {
	hooks  Hooks
	shared bool         // other processes may read the logs
	limit  int64        // of bytes
	bytes  atomic.Int64 // of the logs that the hub has, and of those that still have readers

	mu   sync.Mutex // guards logs, and the counts in them
	logs map[rota.RunID]*Log
}

// Hooks tell other processes about readers and workers. They must not block, and
// may call the hub.
type Hooks struct {
	// Awaited is called when a run has readers here and is not worked on here:
	// when the first reader comes, and when the work here stops.
	Awaited func(rota.RunID)

	// Opened is called when this process begins to work on a run.
	Opened func(rota.RunID)
}

// NewHub returns a hub without logs.
func NewHub() *Hub {
	nobody := func(rota.RunID) {}
	return &Hub{hooks: Hooks{Awaited: nobody, Opened: nobody}, limit: MaxBytes, logs: make(map[rota.RunID]*Log)}
}

// Limit sets the bound of all logs together, in bytes, before the hub is used.
func (h *Hub) Limit(bytes int64) { h.limit = bytes }

// Hook sets the hooks, both of them, before the hub is used.
func (h *Hub) Hook(hooks Hooks) { h.hooks, h.shared = hooks, true }

// Open returns the log of a run for a worker. It lives until End. A worker that
// stops before the run ends calls Rest.
func (h *Hub) Open(id rota.RunID) *Log {
	l := h.open(id)
	h.hooks.Opened(id)
	return l
}

func (h *Hub) open(id rota.RunID) *Log {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.log(id)
	l.own = true
	l.workers++
	return l
}

// Rest says that the worker which called Open has stopped. Unless the run has
// ended, the log stays: the run may go on, here or in another process. If nobody reads
// it, and no other process may, it forgets its events: a run may wait for long.
func (h *Hub) Rest(id rota.RunID, l *Log) {
	if h.rest(id, l) {
		h.hooks.Awaited(id)
	}
}

func (h *Hub) rest(id rota.RunID, l *Log) (awaited bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.workers--
	if l.workers == 0 && l.readers == 0 && !h.shared {
		l.forget()
	}
	return h.logs[id] == l && l.awaited()
}

// End ends the run's log. Readers still get what they have not read.
func (h *Hub) End(id rota.RunID) {
	h.mu.Lock()
	l := h.logs[id]
	delete(h.logs, id)
	if l != nil && l.readers == 0 {
		l.leave()
	}
	h.mu.Unlock()
	if l != nil {
		l.end()
	}
}

// Read returns a reader of the run's events after the sequence number. It
// waits for a run that has not started. The caller must close it.
func (h *Hub) Read(id rota.RunID, after int64) *Reader {
	l, first := h.join(id)
	if first {
		h.hooks.Awaited(id)
	}
	return &Reader{hub: h, id: id, log: l, after: after}
}

// join reports whether the reader is the first of a run that is not worked on
// here.
func (h *Hub) join(id rota.RunID) (l *Log, first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l = h.log(id)
	l.readers++
	return l, l.readers == 1 && l.awaited()
}

// Follow returns a reader of the whole log of a run that this process works on
// or has worked on, and false if there is none. It does not count as a reader for
// Awaits, and need not be closed.
func (h *Hub) Follow(id rota.RunID) (*Reader, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.logs[id]
	if l == nil || !l.own {
		return nil, false
	}
	return &Reader{log: l, after: -1}, true
}

// Idle returns the runs that have a log and are not worked on here, and for
// each whether somebody reads it.
func (h *Hub) Idle() map[rota.RunID]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make(map[rota.RunID]bool)
	for id, l := range h.logs {
		if l.workers == 0 {
			out[id] = l.readers > 0
		}
	}
	return out
}

// Busy returns the runs that are worked on here.
func (h *Hub) Busy() (ids []rota.RunID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, l := range h.logs {
		if l.workers > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// Awaits reports whether a run that is not worked on here has readers, and the
// sequence number of the last event in its log (-1: none).
func (h *Hub) Awaits(id rota.RunID) (last int64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.logs[id]
	if l == nil || !l.awaited() {
		return -1, false
	}
	return l.last(), true
}

// Receive appends an event from another process, if the run has a log here.
func (h *Hub) Receive(id rota.RunID, e Event) {
	h.mu.Lock()
	l := h.logs[id]
	h.mu.Unlock()
	if l != nil {
		l.Append(e)
	}
}

func (h *Hub) log(id rota.RunID) *Log {
	l := h.logs[id]
	if l == nil {
		l = &Log{hub: h, grown: make(chan struct{}), lastSeq: -1}
		h.logs[id] = l
	}
	return l
}

// leave lets go of a log that nobody reads and that is not of this process's
// own work.
func (h *Hub) leave(id rota.RunID, l *Log) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.readers--
	if l.readers > 0 {
		return
	}
	if !l.own && h.logs[id] == l {
		delete(h.logs, id)
	}
	switch {
	case h.logs[id] != l:
		l.leave()
	case l.workers == 0 && !h.shared:
		l.forget()
	}
}

// A Log is the events of one run.
type Log struct {
	readers int  // guarded by the hub's mutex, as are those below
	workers int  // attempts at the run that are under way here
	own     bool // there has been one

	hub *Hub

	mu      sync.Mutex // guards what follows
	events  []Event    // in the order of Seq
	lastSeq int64      // of the last event that there was; -1 before
	bytes   int
	ended   bool
	left    bool          // the hub does not count it any more
	grown   chan struct{} // closed and replaced when events or ended change
}

func (l *Log) awaited() bool { return l.readers > 0 && l.workers == 0 }

// Append adds an event. It does not block. The log keeps e.Data. It ignores an
// event whose sequence number is not above the last one's: an attempt that has
// been superseded may still send some.
func (l *Log) Append(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Seq <= l.lastSeq {
		return
	}
	l.lastSeq = e.Seq
	l.events = append(l.events, e)
	l.add(len(e.Data))
	for (l.bytes > MaxLogBytes || l.hub.bytes.Load() > l.hub.limit) && len(l.events) > 1 {
		l.add(-len(l.events[0].Data))
		l.events[0] = Event{}
		l.events = l.events[1:]
	}
	l.wake()
}

func (l *Log) add(n int) {
	l.bytes += n
	if !l.left {
		l.hub.bytes.Add(int64(n))
	}
}

// leave lets the hub forget the log, which is freed with its last reader.
func (l *Log) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.left {
		l.left = true
		l.hub.bytes.Add(int64(-l.bytes))
	}
}

// forget drops the events.
func (l *Log) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(-l.bytes)
	l.events = nil
}

// last returns the sequence number of the last event, or -1.
func (l *Log) last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastSeq
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
	if !r.closed.Swap(true) && r.hub != nil {
		r.hub.leave(r.id, r.log)
	}
}

// Next returns the next event. It blocks until there is one, and returns
// io.EOF when the log has ended, or ctx's error.
func (r *Reader) Next(ctx context.Context) (Event, error) {
	next, err := r.wait(ctx, 1)
	if err != nil {
		return Event{}, err
	}
	return next[0], nil
}

// NextAll is Next for all available events, up to about size bytes. It returns
// events that are there even if ctx has ended.
func (r *Reader) NextAll(ctx context.Context, size int) ([]Event, error) { return r.wait(ctx, size) }

func (r *Reader) wait(ctx context.Context, size int) ([]Event, error) {
	for {
		next, ended, grown := r.look(size)
		switch {
		case len(next) > 0:
			r.after = next[len(next)-1].Seq
			return next, nil
		case ended:
			return nil, io.EOF
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// After returns the sequence number of the last event that Next returned.
func (r *Reader) After() int64 { return r.after }

// look returns the next events, until they have size bytes.
func (r *Reader) look(size int) (next []Event, ended bool, grown <-chan struct{}) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	from := after(l.events, r.after)
	to := from
	for bytes := 0; to < len(l.events) && bytes < size; to++ {
		bytes += max(1, len(l.events[to].Data))
	}
	return l.events[from:to:to], l.ended, l.grown
}

// after returns the index of the first event with a greater sequence number.
func after(events []Event, seq int64) int {
	return sort.Search(len(events), func(i int) bool { return events[i].Seq > seq })
}
