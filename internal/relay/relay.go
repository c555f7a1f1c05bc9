// Package relay connects the processes that share a database: what a run says
// in the one that works on it reaches those who watch in another, and each
// hears of what the others change.
//
// Processes send each other words. A word is a hint, may come twice and may be
// lost; the store has the truth.
//
//   - something has changed
//     ?RUN@SENDER  somebody watches the run at the sender, which says so again and again
//     +RUN         the store has more of what the run says
//     RUN          the run has ended
//
// A process that works on a run, and hears that it is watched, mirrors the
// run's log into the store, from its beginning. The one that watches reads what
// it does not have yet into a log of its own. Of runs that nobody watches
// elsewhere, nothing is written.
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
	watchEvery   = 5 * time.Second  // between two looks at what is watched here
	watchTTL     = 3 * watchEvery   // how long a run counts as watched elsewhere after the last word of it
	forgetEvery  = time.Minute      // between two times that the store is told to forget
	mirrorMaxAge = 30 * time.Minute // after which a mirror writes a log anew, before the store forgets its beginning

	storeTimeout = 5 * time.Second // how long the store may take for one thing
	flushTimeout = time.Second     // how long the end of a process waits to tell the others
)

// A Store is what the processes have together.
type Store interface {
	// Notify sends words to every process, this one too.
	Notify(ctx context.Context, messages []string) error

	// Listen calls heard, one call at a time, for each word, until ctx ends, and
	// with "" whenever it has begun to hear: words may have been missed.
	Listen(ctx context.Context, log *slog.Logger, receive func(message string))

	// AppendEvents keeps events of a run for the other processes: all or none,
	// for longer than half an hour from now, also those that are there already.
	AppendEvents(ctx context.Context, id rota.RunID, batch []events.Event, now time.Time) error

	// ForgetEvents forgets those that need not be kept any more at now.
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
	Now   func() time.Time
	Log   *slog.Logger
}

// Receiver is what a process wants to hear of the others. Both must not block.
type Receiver interface {
	Changed()          // another process has changed something, or may have
	Cancel(rota.RunID) // a run has ended, perhaps in another process
}

// A Relay is one process's side. Run it; its other methods may be called from
// any goroutine and do not block.
type Relay struct {
	cfg      Config
	self     string // what tells this process from the others
	receiver Receiver

	outbox *set[string]     // to send
	unread *set[rota.RunID] // of which there is more to read
	ends   *set[rota.RunID] // to end when they have been read
	missed chan struct{}    // holds one token when words may have been missed

	mirrorCtx   context.Context // that of the mirrors: they begin when a hub says so
	stopMirrors context.CancelFunc

	mu               sync.Mutex // guards what follows
	watchedElsewhere map[rota.RunID]time.Time
	mirrors          map[rota.RunID]*mirror

	writing sync.WaitGroup
}

// New returns a relay. It hooks itself to the hub.
func New(cfg Config) *Relay {
	r := &Relay{
		cfg: cfg, self: rand.Text(),
		outbox: newSet[string](), unread: newSet[rota.RunID](), ends: newSet[rota.RunID](),
		missed: make(chan struct{}, 1), watchedElsewhere: make(map[rota.RunID]time.Time), mirrors: make(map[rota.RunID]*mirror),
	}
	r.mirrorCtx, r.stopMirrors = context.WithCancel(context.Background())
	cfg.Hub.Hook(events.Hooks{Awaited: r.announceWatch, Opened: r.onOpen})
	return r
}

// Changed tells the other processes that something has changed.
func (r *Relay) Changed() { r.outbox.add("*") }

// Ended tells the other processes that a run has ended, when they can read what
// it said. The caller ends its log, before or after.
func (r *Relay) Ended(id rota.RunID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.mirrors[id]; m != nil {
		m.announceEnd = true
		return
	}
	r.outbox.add(string(id))
}

// Run carries words and events until ctx ends, and then what is left, for
// some seconds at most. It is called once. What the others say goes to news.
func (r *Relay) Run(ctx context.Context, receiver Receiver) {
	r.receiver = receiver
	rest, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	group.Go(func() { r.send(rest) })
	group.Go(func() { r.cfg.Store.Listen(ctx, r.cfg.Log, r.receive) })
	group.Go(func() { r.read(ctx) })
	group.Go(func() { r.forgetEvents(ctx) })
	r.repeatWatches(ctx)
	r.close()
	stop()
	group.Wait()
}

// close ends the mirrors, when they have written what is there.
func (r *Relay) close() {
	r.mu.Lock()
	r.stopMirrors()
	r.mu.Unlock()
	r.writing.Wait()
}

// announceWatch says that somebody here watches a run.
func (r *Relay) announceWatch(id rota.RunID) { r.outbox.add("?" + string(id) + "@" + r.self) }

// receive takes a word that a process has sent.
func (r *Relay) receive(message string) {
	switch {
	case message == "":
		r.announceWatches()
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
	case message[0] == '+':
		r.unread.add(rota.RunID(message[1:]))
	default:
		r.onEnd(rota.RunID(message))
	}
}

// announceWatches says of all runs that are watched here that they are.
func (r *Relay) announceWatches() {
	for id, watched := range r.cfg.Hub.Idle() {
		if watched {
			r.announceWatch(id)
		}
	}
}

// send sends the words that wait, all at once, until ctx ends.
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

// flush sends what waits. While the store cannot take it, it tries again.
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
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
