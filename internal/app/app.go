// Package app puts a server together from its parts. It is the only package
// that knows every adapter.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/httpapi"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/relay"
	"github.com/rota-run/rota/internal/runner"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/sqlite"
)

const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 5 * time.Second
)

// Run runs a server until ctx ends, then stops it: it takes no more requests,
// lets runs finish for the drain timeout, and leaves the rest to be resumed by
// the next start. What a person should see goes to out, the log to logs.
func Run(ctx context.Context, s settings.Settings, version string, out, logs io.Writer) error {
	log := logger(s, logs)
	metrics := newMetrics()
	store, err := openStore(ctx, s, metrics)
	if err != nil {
		return err
	}
	defer closeStore(store, log)
	metrics.watch(store)

	gw, err := openGateway(s)
	if err != nil {
		return err
	}
	defer gw.Close()
	parts := assemble(s, store, gw, metrics, log, &terminal{out: out, on: s.Demo})
	key, err := firstKey(ctx, store, s.BootstrapKey, time.Now())
	if err != nil {
		return err
	}
	if s.Demo {
		if err := addDemo(ctx, parts.control); err != nil {
			return fmt.Errorf("add the demo: %w", err)
		}
	}
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	greet(ctx, out, parts.control, "http://"+listener.Addr().String(), key, s.Demo)
	return parts.serve(ctx, listener, version, log)
}

func openStore(ctx context.Context, s settings.Settings, m *metrics) (rota.Store, error) {
	if dir, ok := s.SQLite(); ok {
		return sqlite.Open(ctx, dir, sqlite.Options{OnCommit: m.committed})
	}
	db, err := postgres.Open(ctx, s.Database, postgres.Options{})
	if err != nil {
		return nil, fmt.Errorf("--database: %w", err)
	}
	return db, nil
}

func closeStore(store rota.Store, log *slog.Logger) {
	if err := store.Close(); err != nil {
		log.Error("the database could not be closed", "err", err)
	}
}

// server is the parts of a running server that others need.
type server struct {
	store   rota.Store
	engine  rota.Engine
	control *control.Control
	metrics *metrics
	drain   time.Duration
}

func assemble(s settings.Settings, store rota.Store, gw *gateway.Gateway, m *metrics, log *slog.Logger, t *terminal) server {
	hub := events.NewHub()
	told := func(rota.RunID) {} // the other processes are told that a run has ended
	run := &runner.Runner{
		Store: store, Gateway: gw, Hub: hub, Settle: policy.Settle, Now: time.Now, Log: log,
		OnDone: func(w rota.Work, r rota.Result, output string) {
			m.ended(w, r)
			t.ended(w, r, output)
			told(w.Run.ID)
		},
	}
	local := embedded.New(embedded.Config{
		Store: store, Decide: policy.Decide, Settle: policy.Settle, Attempt: run.Attempt, Now: time.Now, Log: log,
		Provider:          func(model string) string { p, _ := gw.Resolve(model); return p },
		CatchUp:           policy.CatchUp,
		MaxConcurrentRuns: s.MaxConcurrentRuns,
		CatchupRate:       s.CatchupRate,
		Providers:         bounds(gw),
		DrainTimeout:      s.DrainTimeout,
		OnDecide:          m.decided,
		OnStart:           m.started,
		OnBlock:           func(id rota.RunID) { hub.End(id); told(id) },
		Deposed:           postgres.ErrLost,
		OnReady: func(r rota.Recovered) {
			if r != (rota.Recovered{}) {
				log.Warn("took over unfinished runs", "resumed", r.Resumed, "lost", r.Lost)
			}
		},
	})
	run.Changed = local.Changed
	engine := rota.Engine(&alone{Engine: local, active: m.setActive})
	if db, ok := store.(*postgres.Store); ok {
		words := relay.New(relay.Config{
			Store: db, Hub: hub, Now: time.Now, Log: log, Changed: local.Changed, Ended: local.Cancel,
		})
		told = words.Ended
		engine = &shared{engine: local, relay: words, db: db, log: log, active: m.setActive}
	}
	return server{
		store: store, engine: engine, metrics: m, drain: s.DrainTimeout,
		control: &control.Control{
			Store: store, Engine: engine, Hub: hub, Models: gw, Settle: policy.Settle, Now: time.Now, MinInterval: s.MinInterval,
			PauseOnRevoke: s.OnKeyRevoked == "pause",
		},
	}
}

func bounds(gw *gateway.Gateway) []engine.Provider {
	var out []engine.Provider
	for _, p := range gw.Providers() {
		out = append(out, engine.Provider{Name: p.Name, Max: p.MaxConcurrent})
	}
	return out
}

// serve runs the engine and the HTTP server until ctx ends or one of them
// fails.
func (s server) serve(ctx context.Context, l net.Listener, version string, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	stopping, stopped := context.WithCancelCause(context.Background())
	web := &http.Server{
		Handler:           s.handler(version, log),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return stopping },
	}
	group.Go(func() error {
		err := web.Serve(l)
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
	group.Go(func() error {
		<-ctx.Done()
		stopped(rota.Errorf(rota.Unavailable, "the server is stopping")) // ends the event streams
		return shutdown(web)
	})
	group.Go(func() error { return s.engine.Run(ctx) })
	return group.Wait()
}

func shutdown(web *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := web.Shutdown(ctx); err != nil {
		return web.Close()
	}
	return nil
}

func (s server) handler(version string, log *slog.Logger) http.Handler {
	return httpapi.New(httpapi.Config{
		Control:   s.control,
		Keys:      s.store,
		Ready:     s.store.Ping,
		Metrics:   s.metrics.handler(),
		Log:       log,
		Now:       time.Now,
		Version:   version,
		OnRequest: s.metrics.request,
	})
}

func logger(s settings.Settings, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // one of the enum
	if s.Demo && level == slog.LevelInfo {
		level = slog.LevelWarn // the terminal shows the runs
	}
	o := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
