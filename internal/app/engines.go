package app

import (
	"context"
	"log/slog"
	"sync"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/engine/temporal"
	"github.com/rota-run/rota/internal/relay"
)

// peers are the other processes with the same database.
type peers interface {
	// Changed tells them that something has changed.
	Changed()

	// Ended tells them that a run has ended.
	Ended(rota.RunID)

	// Run carries messages and events until ctx ends. Theirs go to receiver.
	Run(ctx context.Context, receiver relay.Receiver)
}

// solo stands for the peers of a process that has the database to itself.
type solo struct{}

// Changed implements others.
func (solo) Changed() {}

// Ended implements others.
func (solo) Ended(rota.RunID) {}

// Run implements others.
func (solo) Run(ctx context.Context, _ relay.Receiver) { <-ctx.Done() }

// A clustered engine shares its database with peers. It tells them what its
// callers change, and receives the same from them.
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

// A leadFunc calls work while this process is the leader.
type leadFunc func(ctx context.Context, work func(context.Context) error) error

// An electedEngine is the embedded engine of a process that may become the leader.
// It runs while the process leads.
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
		h.log.Info("this process is no longer the leader", "cause", engine.Cause(ctx))
		return err
	})
}

// A temporalReceiver passes messages of peers to the Temporal engine.
type temporalReceiver struct{ *temporal.Engine }

// Changed implements relay.Receiver.
func (h temporalReceiver) Changed() { h.ChangedElsewhere() }

// An idle engine does nothing: its process only serves the API.
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
