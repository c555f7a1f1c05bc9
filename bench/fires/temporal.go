package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/rota-run/rota/internal/engine/temporal/temporaltest"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

const (
	shown = 50 * time.Millisecond // that each schedule has until Temporal knows it, before the first nominal time
	grace = 15 * time.Second      // in which what the window has left over may still come
	tail  = time.Second           // by which what counts as fired in the window may be late
)

// A rig is one Temporal server and one PostgreSQL server.
type rig struct {
	options
	database string
	address  string
	client   client.Client
}

// A window is the nominal times that are measured: those of n schedules,
// evenly spread, from first on for a time.
type window struct {
	first     time.Time // in whole seconds
	d         time.Duration
	every     time.Duration // of each schedule, in whole seconds
	schedules int
}

// beside measures the server on Temporal and bare schedules of Temporal, in
// turn.
func beside(ctx context.Context, o options) (*versus, error) {
	r, stop, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer stop()
	v := new(versus)
	for i := range o.rounds {
		round, err := r.round(ctx, i)
		if err != nil {
			return nil, err
		}
		v.Rounds = append(v.Rounds, round)
	}
	v.compare()
	return v, nil
}

// start starts the servers. stop ends them.
func start(ctx context.Context, o options) (r *rig, stop func(), err error) {
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	dir, err := os.MkdirTemp("", "fires")
	if err != nil {
		return nil, nil, err
	}
	stops = append(stops, func() { os.RemoveAll(dir) })
	r = &rig{options: o}
	database, stopDatabase, err := postgrestest.Serve()
	if err != nil {
		return nil, nil, err
	}
	r.database, stops = database, append(stops, stopDatabase)
	server := &temporaltest.Server{File: filepath.Join(dir, "temporal.db")}
	if err := server.Start(); err != nil {
		return nil, nil, err
	}
	r.address, stops = server.Address, append(stops, server.Stop)
	quiet := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	r.client, err = client.DialContext(ctx, client.Options{HostPort: r.address, Logger: quiet})
	if err != nil {
		return nil, nil, err
	}
	return r, stop, nil
}

// round measures both, in an order that alternates.
func (r *rig) round(ctx context.Context, i int) (round, error) {
	var got round
	steps := []func() error{
		func() (err error) { got.Bare, err = r.bare(ctx, i); return err },
		func() (err error) { got.Ours, got.Decided, err = r.ours(ctx, i); return err },
	}
	for k := range steps {
		if err := steps[(i+k)%len(steps)](); err != nil {
			return got, err
		}
	}
	return got, nil
}

// next returns a window that leaves time to prepare. Before its first nominal
// time, nothing is due.
func (r *rig) next() window {
	ready := time.Now().Add(2*lead + time.Duration(r.schedules)*shown)
	return window{
		first: ready.Truncate(time.Second).Add(time.Second), d: r.duration.Round(time.Second),
		every:     max(time.Second, time.Duration(float64(r.schedules)/r.rate*float64(time.Second)).Round(time.Second)),
		schedules: r.schedules,
	}
}

// now returns the window itself, or, if preparing took too long, the first that
// leaves some time before it and has the same nominal times.
func (w window) now() window {
	for time.Until(w.first) < lead {
		w.first = w.first.Add(w.every)
	}
	return w
}

// nominal returns a schedule's first nominal time of the window.
func (w window) nominal(i int) time.Time {
	return w.first.Add(time.Duration(i) * (w.every / time.Duration(w.schedules)))
}

func (w window) end() time.Time { return w.first.Add(w.d) }

func (w window) has(nominal time.Time) bool {
	return !nominal.Before(w.first) && nominal.Before(w.end())
}

// due counts the nominal times.
func (w window) due() (n int) {
	for i := range w.schedules {
		for at := w.nominal(i); at.Before(w.end()); at = at.Add(w.every) {
			n++
		}
	}
	return n
}

// await returns when the window is over and count, which counts what has come of
// it, says that all has, or when it has waited for the rest for long enough.
func (w window) await(ctx context.Context, count func() int) error {
	due, over := w.due(), w.end().Add(grace)
	pause(ctx, time.Until(w.end()))
	for count() < due && time.Now().Before(over) && ctx.Err() == nil {
		pause(ctx, 100*time.Millisecond)
	}
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
