package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/store/postgres"
)

// lastWords bounds how long the end of a process waits to tell the others.
const lastWords = time.Second

// An alone is the engine of a process that has the database to itself.
type alone struct {
	*embedded.Engine
	active func(bool)
}

// Run implements [rota.Engine].
func (a *alone) Run(ctx context.Context) error {
	a.active(true)
	defer a.active(false)
	return a.Engine.Run(ctx)
}

// A shared is the engine of a process that has the database together with
// others. The one that holds the database's lock keeps time. Each tells the
// others what its callers change: the word "" says that something has changed,
// the ID of a run that it has ended.
type shared struct {
	engine *embedded.Engine
	db     *postgres.Store
	hub    *events.Hub
	log    *slog.Logger
	active func(bool)

	wake chan struct{} // holds one token when there are words to send

	mu    sync.Mutex // guards words
	words map[string]bool
}

var _ rota.Engine = (*shared)(nil)

func newShared(e *embedded.Engine, db *postgres.Store, hub *events.Hub, log *slog.Logger, active func(bool)) *shared {
	return &shared{
		engine: e, db: db, hub: hub, log: log, active: active,
		wake: make(chan struct{}, 1), words: make(map[string]bool),
	}
}

// Changed implements [rota.Engine].
func (s *shared) Changed() {
	s.engine.Changed()
	s.tell("")
}

// Cancel implements [rota.Engine].
func (s *shared) Cancel(id rota.RunID) {
	s.engine.Cancel(id)
	s.tell(string(id))
}

// Run implements [rota.Engine].
func (s *shared) Run(ctx context.Context) error {
	rest, stop := context.WithCancel(context.WithoutCancel(ctx)) // runs end while the engine drains
	var group sync.WaitGroup
	group.Go(func() { s.db.Listen(rest, s.log, s.heard) })
	group.Go(func() { s.send(rest) })
	err := s.db.Hold(ctx, s.log, rota.EngineEmbedded, s.term)
	stop()
	group.Wait()
	return err
}

// term keeps time while the lock is held.
func (s *shared) term(ctx context.Context) error {
	s.log.Info("this process keeps time")
	s.active(true)
	err := s.engine.Run(ctx)
	s.active(false)
	s.log.Info("this process no longer keeps time", "cause", context.Cause(ctx))
	return err
}

// heard passes a word on to the engine itself, and so tells nobody again.
func (s *shared) heard(word string) {
	if word == "" {
		s.engine.Changed()
		return
	}
	s.engine.Cancel(rota.RunID(word))
	s.hub.End(rota.RunID(word))
}

// tell has a word sent. It does not block; the same word waits only once.
func (s *shared) tell(word string) {
	s.keep([]string{word})
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// send sends the words that wait, all at once, until ctx ends.
func (s *shared) send(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-s.wake:
			s.flush(ctx)
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	s.flush(last)
}

// flush sends what waits. While the database cannot take it, it tries again.
func (s *shared) flush(ctx context.Context) {
	words := s.take()
	for len(words) > 0 {
		err := s.db.Notify(ctx, words)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			s.keep(words)
			return
		}
		s.log.Error("the other processes could not be told; it is tried again", "err", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (s *shared) keep(words []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range words {
		s.words[w] = true
	}
}

func (s *shared) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var words []string
	for w := range s.words {
		words = append(words, w)
	}
	clear(s.words)
	return words
}
