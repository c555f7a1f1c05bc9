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

// peers are the processes that have the same database.
type peers interface {
	// Changed tells them that something has changed.
	Changed()

	// Ended tells them that a run has ended.
	Ended(rota.RunID)

	// Run carries words and events until ctx ends. What they say goes to news.
	Run(ctx context.Context, news relay.Receiver)
}

// solo is the others of a process that has the database to itself.
type solo struct{}

// Changed implements others.
func (solo) Changed() {}

// Ended implements others.
func (solo) Ended(rota.RunID) {}

// Run implements others.
func (solo) Run(ctx context.Context, _ relay.Receiver) { <-ctx.Done() }

// A clustered is the engine of a process that has the database together with
// others: it tells them what its callers change, and hears the same of them.
type clustered struct {
	rota.Engine
	peers    peers
	receiver relay.Receiver
}

// Changed implements [rota.Engine].
func (m *clustered) Changed() {
	m.Engine.Changed()
	m.peers.Changed()
}

// Cancel implements [rota.Engine].
func (m *clustered) Cancel(id rota.RunID) {
	m.Engine.Cancel(id)
	m.peers.Ended(id)
}

// Run implements [rota.Engine].
func (m *clustered) Run(ctx context.Context) error {
	rest, stop := context.WithCancel(context.WithoutCancel(ctx)) // runs end while the engine drains
	var group sync.WaitGroup
	group.Go(func() { m.peers.Run(rest, m.receiver) })
	err := m.Engine.Run(ctx)
	stop()
	group.Wait()
	return err
}

// A leadFunc calls work while this process keeps time.
type leadFunc func(ctx context.Context, work func(context.Context) error) error

// An electedEngine is the embedded engine, which runs while the database is held.
type electedEngine struct {
	*embedded.Engine
	lead   leadFunc
	log    *slog.Logger
	active func(bool)
}

// Run implements [rota.Engine].
func (h *electedEngine) Run(ctx context.Context) error {
	return h.lead(ctx, func(ctx context.Context) error {
		h.log.Info("this process is the leader")
		h.active(true)
		err := h.Engine.Run(ctx)
		h.active(false)
		h.log.Info("this process is no longer the leader", "cause", context.Cause(ctx))
		return err
	})
}

// temporalReceiver is what the engine on Temporal makes of news.
type temporalReceiver struct{ *temporal.Engine }

// Changed implements relay.Receiver.
func (h temporalReceiver) Changed() { h.ChangedElsewhere() }

// An idle is the engine of a process that works on nothing.
type idle struct{}

// Changed implements [rota.Engine] and relay.Receiver.
func (idle) Changed() {}

// Cancel implements [rota.Engine] and relay.Receiver.
func (idle) Cancel(rota.RunID) {}

// Run implements [rota.Engine].
func (idle) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
