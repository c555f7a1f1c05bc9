// Command fires measures how many schedules a server fires per second, and how
// late. It prints what docs/performance.md says.
//
// The load is open: the nominal times are given before the server starts, and
// a server that falls behind is late, not excused. Lateness is taken where it
// matters, at the model: from the nominal time to the moment at which the
// request has arrived there. The server is the whole product: fire, HTTP call
// on loopback, streamed answer, durable end of the run. The model is scripted
// and runs in this process, so that its share of the processor counts against
// the figures.
//
// Beside it, in the same run, stands the limit of the store on this machine:
// the same rows written in batches, with no engine, no clock and no HTTP.
//
// With -engine temporal, the server has a PostgreSQL server and a Temporal
// server, which this command starts, and beside it stand bare schedules of that
// Temporal server, whose workflow does nothing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/rota-run/rota"
)

type options struct {
	engine    string
	rounds    int
	schedules int
	rate      float64
	duration  time.Duration
	herd      int
	idle      int
	json      bool
	serve     string
}

func main() {
	var o options
	flag.StringVar(&o.engine, "engine", "embedded", "embedded, or temporal: the steady load beside bare schedules of Temporal")
	flag.IntVar(&o.rounds, "rounds", 1, "with temporal: how often each is measured")
	flag.IntVar(&o.schedules, "schedules", 10_000, "schedules of the steady load; with temporal the default is 200")
	flag.Float64Var(&o.rate, "rate", 1000, "fires per second of the steady load; 0 leaves it out; with temporal the default is 20")
	flag.DurationVar(&o.duration, "duration", 20*time.Second, "how long the steady load lasts")
	flag.IntVar(&o.herd, "herd", 0, "schedules that fall due at the same instant; 0 leaves it out")
	flag.IntVar(&o.idle, "idle", 0, "schedules that are never due, to measure start and memory; 0 leaves it out")
	flag.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	flag.StringVar(&o.serve, "serve", "", "serve this directory and print how it started (used by -idle)")
	flag.Parse()
	if o.engine == string(rota.EngineTemporal) {
		o.fewer()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "fires:", err)
		os.Exit(1)
	}
}

// fewer gives what was not asked for the defaults for Temporal.
func (o *options) fewer() {
	given := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["schedules"] {
		o.schedules = 200
	}
	if !given["rate"] {
		o.rate = 20
	}
}

func run(ctx context.Context, o options) error {
	switch o.engine {
	case string(rota.EngineTemporal):
		return runBeside(ctx, o)
	case string(rota.EngineEmbedded):
		return runEmbedded(ctx, o)
	}
	return fmt.Errorf("-engine must be embedded or temporal, not %q", o.engine)
}

func runBeside(ctx context.Context, o options) error {
	if o.schedules < 1 || o.rate <= 0 || o.rounds < 1 {
		return errors.New("-schedules, -rate and -rounds must be positive")
	}
	v, err := beside(ctx, o)
	if err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(os.Stdout).Encode(v)
	}
	v.print(os.Stdout)
	return nil
}

func runEmbedded(ctx context.Context, o options) error {
	if o.serve != "" {
		return serveIdle(ctx, o.serve)
	}
	var r report
	steps := []struct {
		on  bool
		run func() error
	}{
		{true, func() (err error) { r.Limit, err = storeLimit(ctx); return }},
		{o.rate > 0, func() (err error) { r.Load, err = steady(ctx, o); return }},
		{o.herd > 0, func() (err error) { r.Herd, err = herd(ctx, o); return }},
		{o.idle > 0, func() (err error) { r.Idle, err = idle(ctx, o); return }},
	}
	for _, s := range steps {
		if !s.on {
			continue
		}
		if err := s.run(); err != nil {
			return err
		}
	}
	if o.json {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	r.print(os.Stdout)
	return nil
}
