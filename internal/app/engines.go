package app

import (
	"context"
	"log/slog"
	"sync"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/engine/temporal"
	"github.com/rota-run/rota/internal/relay"
)

// others are the processes that have the same database.
type others interface {
	// Changed tells them that something has changed.
	Changed()

	// Ended tells them that a run has ended.
	Ended(rota.RunID)

	// Run carries words and events until ctx ends. What they say goes to news.
	Run(ctx context.Context, news relay.News)
}

// nobody is the others of a process that has the database to itself.
type nobody struct{}

// Changed implements others.
func (nobody) Changed() {}

// Ended implements others.
func (nobody) Ended(rota.RunID) {}

// Run implements others.
func (nobody) Run(ctx context.Context, _ relay.News) { <-ctx.Done() }

// A member is the engine of a process that has the database together with
// others: it tells them what its callers change, and hears the same of them.
type member struct {
	rota.Engine
	others others
	news   relay.News
}

// Changed implements [rota.Engine].
func (m *member) Changed() {
	m.Engine.Changed()
	m.others.Changed()
}

// Cancel implements [rota.Engine].
func (m *member) Cancel(id rota.RunID) {
	m.Engine.Cancel(id)
	m.others.Ended(id)
}

// Run implements [rota.Engine].
func (m *member) Run(ctx context.Context) error {
	rest, stop := context.WithCancel(context.WithoutCancel(ctx)) // runs end while the engine drains
	var group sync.WaitGroup
	group.Go(func() { m.others.Run(rest, m.news) })
	err := m.Engine.Run(ctx)
	stop()
	group.Wait()
	return err
}

// A hold calls work while this process keeps time.
type hold func(ctx context.Context, work func(context.Context) error) error

// A holder is the embedded engine, which runs while the database is held.
type holder struct {
	*embedded.Engine
	hold   hold
	log    *slog.Logger
	active func(bool)
}

// Run implements [rota.Engine].
func (h *holder) Run(ctx context.Context) error {
	return h.hold(ctx, func(ctx context.Context) error {
		h.log.Info("this process keeps time")
		h.active(true)
		err := h.Engine.Run(ctx)
		h.active(false)
		h.log.Info("this process no longer keeps time", "cause", context.Cause(ctx))
		return err
	})
}

// heard is what the engine on Temporal makes of news.
type heard struct{ *temporal.Engine }

// Changed implements relay.News.
func (h heard) Changed() { h.Heard() }

// An idle is the engine of a process that works on nothing.
type idle struct{}

// Changed implements [rota.Engine] and relay.News.
func (idle) Changed() {}

// Cancel implements [rota.Engine] and relay.News.
func (idle) Cancel(rota.RunID) {}

// Run implements [rota.Engine].
func (idle) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
