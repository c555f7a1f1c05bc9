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
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/console"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/httpapi"
	"github.com/rota-run/rota/internal/mcpserver"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/sqlite"
)

const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeader         = 32 << 10 // bytes of a request before its body
	shutdownTimeout   = 5 * time.Second

	maxResponseBody = 32 << 20 // bytes of the request of a response

	stopTimeout  = 10 * time.Second // after the drain timeout
	closeTimeout = 5 * time.Second
)

// Run runs a server until ctx ends, then stops it: it takes no more requests,
// lets runs finish for the drain timeout, and leaves the rest to be resumed by
// the next start. A part that does not stop then, because something that it waits
// for does not answer, is left as a crash would leave it: Run returns an error.
// What a person should see goes to out, the log to logs.
func Run(ctx context.Context, s settings.Settings, version string, out, logs io.Writer) error {
	log := logger(s, logs)
	if err := openZones(log); err != nil {
		return err
	}
	metrics := newMetrics()
	feed := events.NewFeed(time.After)
	store, err := openStore(ctx, s, metrics, feed, log)
	if err != nil {
		return err
	}
	defer closeStore(store, log)
	metrics.watch(store)
	if err := compareClocks(ctx, store, time.Now, log); err != nil {
		return err
	}
	gw, err := openGateway(s, log)
	if err != nil {
		return err
	}
	defer gw.Close()
	installation, err := register(ctx, store, s)
	if err != nil {
		return err
	}
	parts, err := assemble(parts{
		settings: s, installation: installation, store: store, feed: feed, gateway: gw, metrics: metrics, log: log,
		terminal: &terminal{out: out, on: s.Demo},
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Listen) // before the first key, which is shown once, is made
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer listener.Close()
	words, err := prepare(ctx, s, parts, "http://"+listener.Addr().String())
	if err != nil {
		return err
	}
	greet(ctx, out, parts.control, s, words)
	return parts.serve(ctx, listener, version, log)
}

// register returns the installation that a process works for; none if it only serves.
func register(ctx context.Context, s store.Store, of settings.Settings) (installation string, err error) {
	if !of.Works() {
		return "", nil
	}
	return registerEngine(ctx, s, rota.EngineKind(of.Engine))
}

// prepare puts into the store what callers need, if this process serves any: the first
// key, the demo, and a link to it. It returns what to say of them.
func prepare(ctx context.Context, s settings.Settings, parts server, url string) (greeting, error) {
	g := greeting{url: url}
	if !s.ServesAPI() {
		return g, nil
	}
	var err error
	if g.key, err = firstKey(ctx, parts.store, settings.Secret(s.BootstrapKey), time.Now()); err != nil || !s.Demo {
		return g, err
	}
	if err := addDemo(ctx, parts.control); err != nil {
		return g, fmt.Errorf("add the demo: %w", err)
	}
	g.link, err = parts.signInLink(ctx, url)
	return g, err
}

func openStore(ctx context.Context, s settings.Settings, m *metrics, feed *events.Feed, log *slog.Logger) (store.Store, error) {
	if dir, ok := s.SQLite(); ok {
		keepPrivate(dir, log)
		return sqlite.Open(ctx, dir, sqlite.Options{OnCommit: m.committed, OnChange: feed.Changed})
	}
	db, err := postgres.Open(ctx, s.Database, postgres.Options{Log: log, PoolSize: s.DatabasePoolSize, OnChange: feed.Changed})
	if err != nil {
		return nil, fmt.Errorf("--database: %w", err)
	}
	return db, nil
}

// agree is how far the clocks of machines may be apart.
const agree = time.Second

// compareClocks warns of a clock that is not the database's. Each process judges by
// its own what is due, and what was missed.
func compareClocks(ctx context.Context, s store.Store, now func() time.Time, log *slog.Logger) error {
	db, ok := s.(*postgres.Store)
	if !ok {
		return nil // it is in this machine
	}
	ahead, err := db.Ahead(ctx, now)
	if ahead.Abs() > agree && err == nil {
		log.Warn("the clock of this machine differs from the database's: schedules fire early or late", "ahead", ahead.Round(time.Millisecond))
	}
	return err
}

func closeStore(store store.Store, log *slog.Logger) {
	closed := make(chan error, 1)
	go func() { closed <- store.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			log.Error("the database could not be closed", "err", err)
		}
	case <-time.After(closeTimeout):
		log.Error("the database does not answer, and was not closed")
	}
}

// serve runs the engine and the HTTP server until ctx ends or one of them
// fails.
func (s server) serve(ctx context.Context, l net.Listener, version string, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	stopping, stopped := context.WithCancelCause(context.Background())
	bounded := newConnections(l, s.connections, log)
	web := &http.Server{
		ConnState:         bounded.note,
		MaxHeaderBytes:    maxHeader,
		Handler:           s.handler(version, log),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return stopping },
	}
	group.Go(func() error {
		err := web.Serve(bounded)
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
	group.Go(func() error {
		<-ctx.Done()
		log.Info("stopping", "drain_timeout", s.drain)
		stopped(rota.Errorf(rota.Unavailable, "the server is stopping")) // ends the event streams
		return shutdown(web)
	})
	group.Go(func() error { return s.engine.Run(ctx) })
	group.Go(func() error {
		s.keeper.Run(ctx)
		return nil
	})
	group.Go(func() error {
		s.responder.Run(ctx)
		return nil
	})
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	select {
	case err := <-done:
		return err
	case <-after(ctx, s.drain+stopTimeout):
		return fmt.Errorf("the server did not stop within %s of its drain timeout, because something that it waits for does not answer; what it was doing goes on at the next start", stopTimeout)
	}
}

// after returns a channel that is closed some time after ctx has ended.
func after(ctx context.Context, d time.Duration) <-chan struct{} {
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(d, func() { close(late) }) })
	return late
}

func shutdown(web *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := web.Shutdown(ctx); err != nil {
		return web.Close()
	}
	return nil
}

// pages returns the pages for people, unless the settings leave them out.
func (s server) pages(version string, log *slog.Logger) map[string]http.Handler {
	if !s.console {
		return nil
	}
	return console.Pages(console.Config{
		Control: s.control, Limits: s.limits, System: system(version), Now: time.Now, Log: log, Status: httpapi.Status, Decode: httpapi.Decoder(), Events: httpapi.EventWriter(time.Now, log),
		Sessions: s.sessions(),
	})
}

func (s server) sessions() auth.Sessions {
	read := s.store.Reader()
	return auth.Sessions{Keys: read, Reader: read, Store: ports.Limiter(s.store)}
}

func (s server) handler(version string, log *slog.Logger) http.Handler {
	cfg := httpapi.Config{
		Control:   s.control,
		Keys:      s.store.Reader(),
		Limits:    s.limits,
		Ready:     newReadiness(s.store).check,
		Metrics:   s.metrics.handler(),
		Memory:    s.memory,
		MaxBody:   maxResponseBody,
		Log:       log,
		Now:       time.Now,
		System:    system(version),
		OnRequest: s.metrics.request,
		OnIgnored: s.metrics.ignore,
		Origins:   s.origins,
		PublicURL: s.publicURL,
		MCP:       mcpserver.New,
		Pages:     s.pages(version, log),
	}
	if !s.api {
		return httpapi.NewProbes(cfg, "this process has the role worker and serves no API: ask one that has the role api or all")
	}
	return httpapi.New(cfg)
}
