package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/relay"
	"github.com/rota-run/rota/internal/runner"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store/postgres"
)

// server is the parts of a running server that others need.
type server struct {
	store   rota.Store
	engine  rota.Engine
	control *control.Control
	metrics *metrics
	api     bool // it serves the API
}

// parts are what an engine is made from.
type parts struct {
	settings settings.Settings
	store    rota.Store
	gateway  *gateway.Gateway
	metrics  *metrics
	log      *slog.Logger
	terminal *terminal
	hub      *events.Hub
	others   others
}

func assemble(s settings.Settings, store rota.Store, gw *gateway.Gateway, m *metrics, log *slog.Logger, t *terminal) server {
	p := parts{settings: s, store: store, gateway: gw, metrics: m, log: log, terminal: t, hub: events.NewHub()}
	p.others = p.connect()
	e := p.engine()
	return server{
		store: store, engine: e, metrics: m, api: s.ServesAPI(),
		control: &control.Control{
			Store: store, Engine: e, Hub: p.hub, Models: gw, Settle: policy.Settle, Now: time.Now, MinInterval: s.MinInterval,
			PauseOnRevoke: s.OnKeyRevoked == "pause",
		},
	}
}

// connect connects the process with those that have the same database.
func (p parts) connect() others {
	db, ok := p.store.(*postgres.Store)
	if !ok {
		return nobody{}
	}
	return relay.New(relay.Config{Store: db, Hub: p.hub, Now: time.Now, Log: p.log})
}

// engine returns the engine that the settings ask for.
func (p parts) engine() rota.Engine {
	if !p.settings.Works() {
		return &teller{p.others}
	}
	run := p.runner()
	local := p.embedded(run)
	run.Changed = local.Changed
	k := &keeper{engine: local, others: p.others, hold: atOnce, log: p.log, active: p.metrics.setActive}
	if db, ok := p.store.(*postgres.Store); ok {
		k.hold = func(ctx context.Context, work func(context.Context) error) error {
			return db.Hold(ctx, p.log, rota.EngineEmbedded, work)
		}
	}
	return k
}

// runner returns what makes attempts. Changed is still to be set.
func (p parts) runner() *runner.Runner {
	return &runner.Runner{
		Store: p.store, Gateway: p.gateway, Hub: p.hub, Settle: policy.Settle, Now: time.Now, Log: p.log,
		OnDone: func(w rota.Work, r rota.Result, output string) {
			p.metrics.ended(w, r)
			p.terminal.ended(w, r, output)
			p.others.Ended(w.Run.ID)
		},
	}
}

func (p parts) embedded(run *runner.Runner) *embedded.Engine {
	return embedded.New(embedded.Config{
		Store: p.store, Decide: policy.Decide, Settle: policy.Settle, Attempt: run.Attempt, Now: time.Now, Log: p.log,
		Provider:          func(model string) string { name, _ := p.gateway.Resolve(model); return name },
		CatchUp:           policy.CatchUp,
		MaxConcurrentRuns: p.settings.MaxConcurrentRuns,
		CatchupRate:       p.settings.CatchupRate,
		Providers:         bounds(p.gateway),
		DrainTimeout:      p.settings.DrainTimeout,
		OnDecide:          p.metrics.decided,
		OnStart:           p.metrics.started,
		OnBlock:           p.blocked,
		Deposed:           postgres.ErrLost,
		OnReady:           p.tookOver,
	})
}

func (p parts) blocked(id rota.RunID) {
	p.hub.End(id)
	p.others.Ended(id)
}

func (p parts) tookOver(r rota.Recovered) {
	if r != (rota.Recovered{}) {
		p.log.Warn("took over unfinished runs", "resumed", r.Resumed, "lost", r.Lost)
	}
}

func bounds(gw *gateway.Gateway) []engine.Provider {
	var out []engine.Provider
	for _, p := range gw.Providers() {
		out = append(out, engine.Provider{Name: p.Name, Max: p.MaxConcurrent})
	}
	return out
}

// atOnce is the hold of a process that has the database to itself.
func atOnce(ctx context.Context, work func(context.Context) error) error { return work(ctx) }
