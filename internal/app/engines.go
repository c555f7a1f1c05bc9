package app

import (
	"context"
	"log/slog"
	"sync"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine/embedded"
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

// A keeper is the engine of a process that keeps time while it holds the
// database. It tells the others what its callers change.
type keeper struct {
	engine *embedded.Engine
	others others
	hold   func(ctx context.Context, work func(context.Context) error) error
	log    *slog.Logger
	active func(bool)
}

var _ rota.Engine = (*keeper)(nil)

// Changed implements [rota.Engine].
func (k *keeper) Changed() {
	k.engine.Changed()
	k.others.Changed()
}

// Cancel implements [rota.Engine].
func (k *keeper) Cancel(id rota.RunID) {
	k.engine.Cancel(id)
	k.others.Ended(id)
}

// Run implements [rota.Engine].
func (k *keeper) Run(ctx context.Context) error {
	rest, stop := context.WithCancel(context.WithoutCancel(ctx)) // runs end while the engine drains
	var group sync.WaitGroup
	group.Go(func() { k.others.Run(rest, k.engine) })
	err := k.hold(ctx, k.term)
	stop()
	group.Wait()
	return err
}

// term keeps time while the database is held.
func (k *keeper) term(ctx context.Context) error {
	k.log.Info("this process keeps time")
	k.active(true)
	err := k.engine.Run(ctx)
	k.active(false)
	k.log.Info("this process no longer keeps time", "cause", context.Cause(ctx))
	return err
}

// A teller is the engine of a process that works on nothing: it tells the
// others what its callers change.
type teller struct{ others others }

var _ rota.Engine = (*teller)(nil)

// Changed implements [rota.Engine].
func (t *teller) Changed() { t.others.Changed() }

// Cancel implements [rota.Engine].
func (t *teller) Cancel(id rota.RunID) { t.others.Ended(id) }

// Run implements [rota.Engine].
func (t *teller) Run(ctx context.Context) error {
	t.others.Run(ctx, deaf{})
	return nil
}

// deaf has no use for news.
type deaf struct{}

// Changed implements relay.News.
func (deaf) Changed() {}

// Cancel implements relay.News.
func (deaf) Cancel(rota.RunID) {}
