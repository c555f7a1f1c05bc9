package relay_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/relay"
)

const run = rota.RunID("arun_1")

// A database is a relay.Store in memory, for bubbles of time.
type database struct {
	mu        sync.Mutex // guards what follows
	rows      map[rota.RunID][]events.Event
	ended     map[rota.RunID]bool
	listeners map[chan string]bool
	last      time.Time // when something was written
	written   int       // rows, whether they were there or not
	deaf      bool      // words are lost
	sent      int       // messages
	broken    bool      // nothing can be written
}

func newDatabase() *database {
	return &database{
		rows: make(map[rota.RunID][]events.Event), ended: make(map[rota.RunID]bool), listeners: make(map[chan string]bool),
	}
}

// set changes the database.
func (d *database) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *database) count() (rows, written int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.rows[run]), d.written
}

// messages returns how many have been sent.
func (d *database) messages() int {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent
}

// Notify implements relay.Store.
func (d *database) Notify(_ context.Context, messages []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent += len(messages)
	for l := range d.listeners {
		for _, w := range messages {
			if !d.deaf {
				l <- w
			}
		}
	}
	return nil
}

// Listen implements relay.Store.
func (d *database) Listen(ctx context.Context, _ *slog.Logger, receive func(string)) {
	messages := make(chan string, 10_000)
	d.set(func() { d.listeners[messages] = true })
	defer d.set(func() { delete(d.listeners, messages) })
	receive("")
	for {
		select {
		case w := <-messages:
			receive(w)
		case <-ctx.Done():
			return
		}
	}
}

// reconnect has every listener begin to hear again.
func (d *database) reconnect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for l := range d.listeners {
		l <- ""
	}
}

// AppendEvents implements relay.Store.
func (d *database) AppendEvents(_ context.Context, id rota.RunID, batch []events.Event, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = now
	if d.broken {
		return errors.New("broken")
	}
	for _, e := range batch {
		d.written++
		i, there := slices.BinarySearchFunc(d.rows[id], e, func(a, b events.Event) int { return cmp.Compare(a.Seq, b.Seq) })
		if !there {
			d.rows[id] = slices.Insert(d.rows[id], i, e)
		}
	}
	return nil
}

// ForgetEvents implements relay.Store. All is old here after two minutes.
func (d *database) ForgetEvents(_ context.Context, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.last) > 2*time.Minute {
		clear(d.rows)
	}
	return nil
}

// EventsAfter implements relay.Store.
func (d *database) EventsAfter(_ context.Context, id rota.RunID, seq int64, each func(events.Event)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.rows[id] {
		if e.Seq > seq {
			each(e)
		}
	}
	return nil
}

// EndedAmong implements relay.Store.
func (d *database) EndedAmong(_ context.Context, ids []rota.RunID) (out []rota.RunID, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		if d.ended[id] {
			out = append(out, id)
		}
	}
	return out, nil
}

// A process is a hub and its relay.
type process struct {
	*testing.T
	hub   *events.Hub
	feed  *events.Feed
	relay *relay.Relay
	stop  func() // ends the process in good order
	hears chan struct{}
	log   *events.Log

	mu      sync.Mutex // guards what follows
	changes int
	ends    []rota.RunID
}

// start returns when the process hears words.
func start(t *testing.T, store relay.Store) *process {
	p := &process{T: t, hub: events.NewHub(), feed: events.NewFeed(time.After), hears: make(chan struct{}, 1)}
	p.relay = relay.New(relay.Config{Store: store, Hub: p.hub, Feed: p.feed, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.relay.Run(ctx, p); close(done) }()
	p.stop = func() { cancel(); <-done }
	t.Cleanup(p.stop)
	<-p.hears
	return p
}

// Changed implements relay.Receiver.
func (p *process) Changed() {
	p.note(func() { p.changes++ })
	select {
	case p.hears <- struct{}{}:
	default:
	}
}

// Cancel implements relay.Receiver.
func (p *process) Cancel(id rota.RunID) { p.note(func() { p.ends = append(p.ends, id) }) }

func (p *process) note(what func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what()
}

// received returns what the process has heard.
func (p *process) received() (changes int, ends []rota.RunID) {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changes, slices.Clone(p.ends)
}

// begin begins an attempt at the run.
func (p *process) begin() { p.log = p.hub.Open(run) }

// say says the events with the numbers from a to below b.
func (p *process) say(a, b int64) {
	for seq := a; seq < b; seq++ {
		p.log.Append(events.Event{Seq: seq, Data: []byte(strconv.FormatInt(seq, 10))})
	}
}

// end ends the run, as those who work on it do.
func (p *process) end() {
	p.hub.End(run)
	p.relay.Ended(run)
}

// watch begins to read what the run says.
func (p *process) watch() *watcher {
	r := p.hub.Read(run, -1)
	p.Cleanup(r.Close)
	return &watcher{p, r}
}

type watcher struct {
	*process
	reader *events.Reader
}

// sees requires the next events to be those from a to below b.
func (w *watcher) sees(a, b int64) {
	w.Helper()
	for seq := a; seq < b; seq++ {
		e, err := w.reader.Next(w.Context())
		require.NoError(w, err)
		require.Equal(w, seq, e.Seq)
		require.Equal(w, strconv.FormatInt(seq, 10), string(e.Data))
	}
}

// seesEnd requires that nothing more comes.
func (w *watcher) seesEnd() {
	w.Helper()
	e, err := w.reader.Next(w.Context())
	require.ErrorIs(w, err, io.EOF, "event %d", e.Seq)
}
