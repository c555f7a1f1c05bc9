package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/limits"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/relay"
	"github.com/rota-run/rota/internal/responder"
	"github.com/rota-run/rota/internal/runner"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/toolbox"
	"github.com/rota-run/rota/internal/upkeep"
	"github.com/rota-run/rota/internal/vault"
)

// server is the parts of a running server that others need.
type server struct {
	store     store.Store
	engine    rota.Engine
	responder *responder.Responder
	control   *control.Control
	metrics   *metrics
	limits    *auth.Limiter
	keeper    *limits.Keeper
	memory    *budget.Budget // of requests
	drain     time.Duration
	api       bool // it serves the API
	origins   []string

	connections int // of callers, at once

	publicURL string
	console   bool // it serves pages for people
}

// parts are what a server is made from.
type parts struct {
	settings     settings.Settings
	installation string // of a process that works
	store        store.Store
	feed         *events.Feed // of what the store commits
	gateway      *gateway.Gateway
	metrics      *metrics
	log          *slog.Logger
	terminal     *terminal

	// set by assemble
	operations *operations
	hub        *events.Hub
	memory     memory
	peers      peers
	limits     *limits.Keeper
	tools      *toolbox.Toolbox
	responses  *responder.Busy
}

func assemble(p parts) (server, error) {
	p.settings = fitFiles(p.settings, openFiles(), p.log)
	p.hub = events.NewHub()
	p.memory = p.openMemory()
	p.peers = p.connect()
	p.limits = &limits.Keeper{Server: p.settings.AllLimits(), Store: ports.Limits(p.store), Log: p.log}
	tokens, err := openTokens(p.settings)
	if err != nil {
		return server{}, err
	}
	p.tools = toolbox.New(tokens.Secret, p.settings.Networks(), &vault.Vault{Store: ports.Vault(p.store), Secret: tokens.Secret, Now: time.Now}, time.Now)
	p.operations, p.responses = new(operations), new(responder.Busy)
	eng, err := p.engine()
	if err != nil {
		return server{}, err
	}
	answers := &responder.Responder{
		Store: ports.Responder(p.store), Gateway: p.gateway, Now: time.Now, Log: p.log, Memory: p.memory.runs,
		Worker: rota.NewWorkerName(time.Now()), Wake: make(chan struct{}, 1), Alone: !p.shared(),
		Freed: eng.Changed, Tools: p.tools, Busy: p.responses, Shares: engine.Shares{Providers: bounds(p.gateway), Limits: p.limits},
	}
	s := server{
		responder: answers,
		store:     p.store, engine: eng, metrics: p.metrics, api: p.settings.ServesAPI(), memory: p.memory.requests, origins: p.settings.CORSOrigins, connections: p.settings.MaxConnections, publicURL: p.settings.PublicURL, console: p.settings.Console == "on",
		drain: p.settings.DrainTimeout, keeper: p.limits,
		limits: &auth.Limiter{Store: ports.Limiter(p.store), Default: p.settings.RateLimit, Of: p.limits.Of},
		control: &control.Control{
			Store: ports.Control(p.store), Engine: eng, Hub: p.hub, Feed: p.feed, Models: p.gateway, Responder: answers, MCP: p.tools, Now: time.Now, Rest: rest, Audit: p.log,
			AgentRetention: p.settings.AgentRetention, Kept: p.kept(), MinInterval: p.settings.MinInterval, PauseOnRevoke: p.settings.OnKeyRevoked == "pause",
			Tokens: tokens, Limits: p.limits,
		},
	}
	p.operations.control, p.tools.Own = s.control, s.control.CallOwn
	return s, nil
}

// operations are those that the engine's leader goes on with. They need the engine, and
// so are made after it.
type operations struct{ control *control.Control }

func (o *operations) resume(ctx context.Context) (bool, error) { return o.control.ResumeErasures(ctx) }

// connect connects the process to its peers.
func (p parts) connect() peers {
	db, ok := p.store.(*postgres.Store)
	if !ok {
		return solo{}
	}
	return relay.New(relay.Config{Store: db, Hub: p.hub, Feed: p.feed, Now: time.Now, Log: p.log})
}

// engine returns the engine that the settings ask for.
func (p parts) engine() (rota.Engine, error) {
	if !p.settings.Works() {
		return &clustered{idle{}, p.peers, idle{}}, nil
	}
	run := p.runner()
	if p.settings.Engine == string(rota.EngineTemporal) {
		e, err := p.temporal(run)
		if err != nil {
			return nil, err
		}
		m := &clustered{e, p.peers, temporalReceiver{e.Engine}}
		run.Changed = m.Changed // another process may have to take the step
		return m, nil
	}
	e := p.embedded(run)
	run.Changed = e.Changed
	return &clustered{&electedEngine{e, p.leadAs(rota.EngineEmbedded), p.log, p.metrics.setActive}, p.peers, e}, nil
}

// leadAs returns the leadFunc of a kind of engine.
func (p parts) leadAs(kind rota.EngineKind) leadFunc {
	return func(ctx context.Context, work func(context.Context) error) error {
		work = p.withUpkeep(work)
		if db, ok := p.store.(*postgres.Store); ok {
			return db.Lead(ctx, p.log, kind, work)
		}
		return work(ctx) // the process has the database to itself
	}
}

func (p parts) kept() control.Retention {
	return control.Retention{Runs: p.settings.RetainRuns, Occurrences: p.settings.RetainOccurrences}
}

// withUpkeep returns work with the upkeep running beside it: both are for the
// leader.
func (p parts) withUpkeep(work func(context.Context) error) func(context.Context) error {
	u := &upkeep.Upkeep{Store: ports.Upkeep(p.store), Now: time.Now, Log: p.log, Kept: p.kept().Of, Resume: p.operations.resume}
	return func(ctx context.Context) error {
		tidying, stop := context.WithCancel(ctx)
		var group sync.WaitGroup
		group.Go(func() { u.Run(tidying) })
		group.Go(func() { u.Fold(tidying) })
		defer group.Wait()
		defer stop()
		return work(ctx)
	}
}

// runner returns what makes attempts. Changed is still to be set.
func (p parts) runner() *runner.Runner {
	return &runner.Runner{
		Store: ports.Runner(p.store), Gateway: p.gateway, Hub: p.hub, Now: time.Now, Log: p.log, LogContents: p.logsContents(), Memory: p.memory.runs,
		Tools:   p.tools,
		OnPause: p.paused,
		OnDone: func(w rota.Work, r rota.Result, output string) {
			p.metrics.ended(r.Phase, code(r.Error))
			p.terminal.ended(w, r, output)
			p.peers.Ended(w.Run.ID)
			p.limits.Wrote(w.Owner, len(w.Run.Input.RawMessage)+len(r.Response.RawMessage))
		},
	}
}

func (p parts) embedded(run *runner.Runner) *embedded.Engine {
	return embedded.New(embedded.Config{
		Store: ports.Embedded(p.store), Attempt: run.Attempt, Now: time.Now, Log: p.log,
		Step:           p.step(),
		CatchupRate:    p.settings.CatchupRate,
		DrainTimeout:   p.settings.DrainTimeout,
		NotBefore:      madeAfter(),
		ZoneData:       p.zoneData(),
		OnDecide:       p.metrics.decided,
		OnStart:        p.metrics.started,
		OnEnd:          p.ended,
		OnPause:        p.paused,
		Shared:         p.shared(),
		LostLeadership: postgres.ErrLost,
		OnReady:        p.tookOver,
		OnOutage:       p.metrics.outages.Inc,
		OnSetBack:      p.metrics.setBacks.Inc,
	})
}

// step returns how an engine of either kind takes what is due.
func (p parts) step() engine.Step {
	return engine.Step{Provider: p.provider, Providers: bounds(p.gateway), MaxConcurrentRuns: p.settings.MaxConcurrentRuns, Limits: p.limits, Responses: p.responses.Load}
}

// shared reports whether other processes may have the same database.
func (p parts) shared() bool {
	_, ok := p.store.(*postgres.Store)
	return ok
}

// provider returns the provider that serves a model.
func (p parts) provider(model string) string {
	name, _, _ := p.gateway.Resolve(model) // with an error, the queue of what fails
	return name
}

// ended announces a run that the engine ended, not a worker.
func (p parts) ended(e engine.Ended) {
	p.metrics.ended(e.Phase, e.Code)
	p.hub.End(e.Run)
	p.peers.Ended(e.Run)
}

// paused tells of a schedule that Rota has paused: nobody has asked for that.
func (p parts) paused(x rota.Paused) {
	p.metrics.paused(x.Reason.Code)
	note := ""
	if x.Reason.Note != nil {
		note = *x.Reason.Note
	}
	p.log.Warn("schedule paused", "schedule_id", x.Schedule, "account", x.Owner.Account, "end_user", x.Owner.EndUser, "reason", x.Reason.Code, "note", note)
}

// logsContents reports whether what callers and providers have written is for the log.
func (p parts) logsContents() bool {
	var level slog.Level
	_ = level.UnmarshalText([]byte(p.settings.LogContents)) // one of the enum
	return p.log.Enabled(context.Background(), level)
}

func (p parts) tookOver(r rota.Recovered) {
	if r.Some() {
		p.log.Warn("took over unfinished runs", "resumed", r.Resumed, "lost", len(r.Lost))
	}
}

func bounds(gw *gateway.Gateway) []engine.Provider {
	var out []engine.Provider
	for _, p := range gw.Providers() {
		out = append(out, engine.Provider{Name: p.Name, Max: p.MaxConcurrent})
	}
	return out
}

// rest waits for d, or until ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	engine.Pause(ctx, d)
	return ctx.Err()
}
