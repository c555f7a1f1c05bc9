// Package relay connects the processes that share a database. It carries the
// events of a run from the worker's process to watchers in others, and tells each
// process what the others change.
//
// Processes send each other messages. A message is a hint: it may come twice and
// may be lost. The store is the source of truth.
//
//   - something has changed
//     ?RUN@SENDER  a caller of the sender watches the run; repeated every few seconds
//     +RUN         the store has more events of the run
//     RUN          the run has ended
//     !SENDER@…    the sender has changed these things
//
// When the worker's process hears that a run is watched, it mirrors the run's log
// into the store, from its beginning. The watcher's process reads the events that
// it does not have yet into its own log. Nothing is written for runs that nobody
// watches from another process.
package relay

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
)

const (
	watchEvery   = 5 * time.Second  // between two messages that a run is watched here
	watchTTL     = 3 * watchEvery   // how long a run counts as watched elsewhere after the last message
	forgetEvery  = time.Minute      // between two deletions of old events
	mirrorMaxAge = 30 * time.Minute // after which a new mirror replaces it, before the store deletes its first events

	storeTimeout = 5 * time.Second // for one call of the store
	flushTimeout = time.Second     // for the last messages when the process stops
)

// A Store is what the processes share.
type Store interface {
	// Notify sends messages to every process, including this one.
	Notify(ctx context.Context, messages []string) error

	// Listen calls receive for each message, one call at a time, until ctx ends.
	// Whenever it has connected, it calls receive with "": messages may have been
	// missed.
	Listen(ctx context.Context, log *slog.Logger, receive func(message string))

	// AppendEvents stores events of a run for the other processes: all or none. It
	// keeps them, and those already stored, for more than half an hour from now.
	AppendEvents(ctx context.Context, id rota.RunID, batch []events.Event, now time.Time) error

	// ForgetEvents deletes events that need not be kept any more at now.
	ForgetEvents(ctx context.Context, now time.Time) error

	// EventsAfter calls each for the kept events of a run that have a greater
	// sequence number, in their order.
	EventsAfter(ctx context.Context, id rota.RunID, seq int64, each func(events.Event)) error

	// EndedAmong returns those of the runs that have ended, or are not there.
	EndedAmong(ctx context.Context, ids []rota.RunID) ([]rota.RunID, error)
}

// Config is what a Relay needs. All fields are required.
type Config struct {
	Store Store
	Hub   *events.Hub
	Feed  *events.Feed
	Now   func() time.Time
	Log   *slog.Logger
}

// A Receiver gets what other processes announce. Its methods must not block.
type Receiver interface {
	Changed()          // another process has changed something, or may have
	Cancel(rota.RunID) // a run has ended, perhaps in another process
}

// A Relay is one process's side. Run it; its other methods may be called from
// any goroutine and do not block.
type Relay struct {
	cfg      Config
	self     string // names this process in messages
	receiver Receiver

	outbox  *set[string]     // to send
	unread  *set[rota.RunID] // runs with more events to read
	ends    *set[rota.RunID] // runs to end when their events have been read
	changes *changes         // to tell
	missed  chan struct{}    // holds one token when messages may have been missed

	mirrorCtx   context.Context // of the mirrors, which start from the hub's hooks
	stopMirrors context.CancelFunc

	mu               sync.Mutex // guards what follows
	watchedElsewhere map[rota.RunID]time.Time
	mirrors          map[rota.RunID]*mirror

	writing sync.WaitGroup
}

// New returns a relay. It hooks itself to the hub and the feed.
func New(cfg Config) *Relay {
	r := &Relay{
		cfg: cfg, self: rand.Text(),
		outbox: newSet[string](), unread: newSet[rota.RunID](), ends: newSet[rota.RunID](),
		changes: newChanges(),
		missed:  make(chan struct{}, 1), watchedElsewhere: make(map[rota.RunID]time.Time), mirrors: make(map[rota.RunID]*mirror),
	}
	r.mirrorCtx, r.stopMirrors = context.WithCancel(context.Background())
	cfg.Hub.Hook(events.Hooks{Awaited: r.announceWatch, Opened: r.onOpen})
	cfg.Feed.Tell(r.changes.add)
	return r
}

// Changed tells the other processes that something has changed.
func (r *Relay) Changed() { r.outbox.add("*") }

// Ended tells the other processes that a run has ended, once they can read its
// events. The caller ends its log, before or after.
func (r *Relay) Ended(id rota.RunID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.mirrors[id]; m != nil {
		m.announceEnd = true
		return
	}
	r.outbox.add(string(id))
}

// Run carries messages and events until ctx ends, and then what is left, for some
// seconds at most. It is called once. Messages of others go to receiver.
func (r *Relay) Run(ctx context.Context, receiver Receiver) {
	r.receiver = receiver
	rest, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	group.Go(func() { r.send(rest) })
	group.Go(func() { r.tellChanges(ctx) })
	group.Go(func() { r.cfg.Store.Listen(ctx, r.cfg.Log, r.receive) })
	group.Go(func() { r.read(ctx) })
	group.Go(func() { r.forgetEvents(ctx) })
	r.repeatWatches(ctx)
	r.close()
	stop()
	group.Wait()
}

// close lets the mirrors write what is there, and ends them.
func (r *Relay) close() {
	r.mu.Lock()
	r.stopMirrors()
	r.mu.Unlock()
	r.writing.Wait()
}

// announceWatch sends that a run is watched here.
func (r *Relay) announceWatch(id rota.RunID) { r.outbox.add("?" + string(id) + "@" + r.self) }

// receive handles a message.
func (r *Relay) receive(message string) {
	switch {
	case message == "":
		r.announceWatches()
		r.cfg.Feed.Missed()
		select {
		case r.missed <- struct{}{}:
		default:
		}
		r.receiver.Changed()
	case message == "*":
		r.receiver.Changed()
	case message[0] == '?':
		id, sender, _ := strings.Cut(message[1:], "@")
		if sender != r.self {
			r.onWatch(rota.RunID(id))
		}
	case message[0] == '!':
		sender, changes, _ := strings.Cut(message[1:], "@")
		if sender != r.self {
			r.onChanges(changes)
		}
	case message[0] == '+':
		r.unread.add(rota.RunID(message[1:]))
	default:
		r.onEnd(rota.RunID(message))
	}
}

// announceWatches sends which runs are watched here.
func (r *Relay) announceWatches() {
	for id, watched := range r.cfg.Hub.Idle() {
		if watched {
			r.announceWatch(id)
		}
	}
}

// send sends the waiting messages, all at once, until ctx ends.
func (r *Relay) send(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-r.outbox.more:
			r.flush(ctx)
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	r.flush(last)
}

// flush sends the waiting messages. It retries while the store fails.
func (r *Relay) flush(ctx context.Context) {
	messages := r.outbox.drain()
	for len(messages) > 0 {
		err := r.notify(ctx, messages)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			r.outbox.add(messages...)
			return
		}
		r.cfg.Log.Error("the other processes could not be told; it is tried again", "err", err)
		pause(ctx, time.Second)
	}
}

func (r *Relay) notify(ctx context.Context, messages []string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return r.cfg.Store.Notify(ctx, messages)
}

// pause blocks for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
