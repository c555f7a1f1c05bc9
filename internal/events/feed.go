package events

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rota-run/rota"
)

const (
	// MaxFeed is how many changes a feed keeps for readers that come back, or that are
	// slow.
	MaxFeed = 4096

	// FeedPause is how long a reader of a feed gathers changes after it has looked.
	FeedPause = 250 * time.Millisecond

	// seqSpace bounds where the numbers of a feed begin.
	seqSpace = 1 << 52
)

// A Feed carries what is changed, by whatever process, to those who look on. Each change
// has a number. The numbers of a feed begin anywhere, so that those of another feed, of
// another process or of another start, are not taken for its own.
//
// Its methods may be called from any goroutine, and do not block.
type Feed struct {
	after func(time.Duration) <-chan time.Time
	tell  func([]rota.Change) // what this process has changed, to the others; nil for none

	mu    sync.Mutex // guards what follows
	kept  []fed      // the last changes, in the order of their numbers, which have no gap
	next  int64      // the number of the next change
	grown chan struct{}
}

// fed is a change with its number. The zero Change stands for changes of anybody.
type fed struct {
	seq int64
	rota.Change
}

// NewFeed returns a feed without changes. after is [time.After].
func NewFeed(after func(time.Duration) <-chan time.Time) *Feed {
	return &Feed{after: after, next: 1 + rand.Int64N(seqSpace), grown: make(chan struct{})}
}

// Tell sets what is called with the changes of this process, before the feed is used. It
// must not block.
func (f *Feed) Tell(tell func([]rota.Change)) { f.tell = tell }

// Changed adds changes that this process has committed.
func (f *Feed) Changed(changes []rota.Change) {
	f.Receive(changes)
	if f.tell != nil {
		f.tell(changes)
	}
}

// Receive adds changes that another process has committed.
func (f *Feed) Receive(changes []rota.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range changes {
		f.kept = append(f.kept, fed{f.next, c})
		f.next++
	}
	if over := len(f.kept) - MaxFeed; over > MaxFeed/4 {
		f.kept = append(f.kept[:0], f.kept[over:]...)
	}
	close(f.grown)
	f.grown = make(chan struct{})
}

// Missed says that any number of changes of other processes may have been missed.
func (f *Feed) Missed() { f.Receive([]rota.Change{{}}) }

// Mark returns the number of the last change. A reader that starts after it misses
// nothing of what comes later.
func (f *Feed) Mark() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next - 1
}

// Read returns a reader of the changes that pass, after a number: that of a message, or a
// [Feed.Mark]. If that is negative, it begins with now.
func (f *Feed) Read(after int64, pass func(rota.Change) bool) *FeedReader {
	return &FeedReader{feed: f, after: after, pass: pass}
}

// A FeedReader turns changes into messages: at most one in each FeedPause, with at most
// [rota.MaxChanges] changes. One goroutine may use it. It holds no changes, so it need not
// be closed.
type FeedReader struct {
	feed  *Feed
	after int64
	pass  func(rota.Change) bool
	pause <-chan time.Time // until the next look; nil before the first
}

// Next returns the next message and its number. It blocks until there is one, and returns
// ctx's error when that ends.
func (r *FeedReader) Next(ctx context.Context) (int64, rota.Changes, error) {
	if r.after < 0 {
		r.after = r.feed.Mark()
		return r.after, message(rota.ChangesStarted), nil
	}
	for {
		if err := r.rest(ctx); err != nil {
			return 0, rota.Changes{}, err
		}
		m, grown := r.look()
		if m.Type != "" {
			return r.after, m, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return 0, rota.Changes{}, context.Cause(ctx)
		}
	}
}

// rest waits until the reader may look again.
func (r *FeedReader) rest(ctx context.Context) error {
	if r.pause == nil {
		return nil
	}
	select {
	case <-r.pause:
		r.pause = nil
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// look takes what there is. The message has no type if that is nothing.
func (r *FeedReader) look() (rota.Changes, <-chan struct{}) {
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.next - 1
	if r.after == last {
		return rota.Changes{}, f.grown
	}
	r.pause = f.after(FeedPause)
	behind := last - r.after
	r.after = last
	if behind < 0 || behind > int64(len(f.kept)) { // it is too slow, or the number is another feed's
		return message(rota.ChangesReset), nil
	}
	return gather(f.kept[int64(len(f.kept))-behind:], r.pass), f.grown
}

// gather returns a message of the changes that pass, each once.
func gather(kept []fed, pass func(rota.Change) bool) rota.Changes {
	seen := make(map[rota.Change]bool)
	m := rota.Changes{Data: []rota.Change{}}
	for _, c := range kept {
		switch {
		case c.Change == rota.Change{}:
			return message(rota.ChangesReset)
		case !pass(c.Change) || seen[c.Change]:
			continue
		case c.Kind == "" || len(m.Data) == rota.MaxChanges:
			return message(rota.ChangesMany)
		}
		seen[c.Change] = true
		m.Type, m.Data = rota.ChangesSome, append(m.Data, c.Change)
	}
	return m
}

func message(t rota.ChangesType) rota.Changes { return rota.Changes{Type: t, Data: []rota.Change{}} }
