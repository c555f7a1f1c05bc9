package app

import (
	"context"
	"log/slog"
	"sync"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/relay"
	"github.com/rota-run/rota/internal/store/postgres"
)

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
// others what its callers change.
type shared struct {
	engine *embedded.Engine
	relay  *relay.Relay
	db     *postgres.Store
	log    *slog.Logger
	active func(bool)
}

var _ rota.Engine = (*shared)(nil)

// Changed implements [rota.Engine].
func (s *shared) Changed() {
	s.engine.Changed()
	s.relay.Changed()
}

// Cancel implements [rota.Engine].
func (s *shared) Cancel(id rota.RunID) {
	s.engine.Cancel(id)
	s.relay.Ended(id)
}

// Run implements [rota.Engine].
func (s *shared) Run(ctx context.Context) error {
	rest, stop := context.WithCancel(context.WithoutCancel(ctx)) // runs end while the engine drains
	var group sync.WaitGroup
	group.Go(func() { s.relay.Run(rest) })
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
