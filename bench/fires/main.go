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
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

type options struct {
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
	flag.IntVar(&o.schedules, "schedules", 10_000, "schedules of the steady load")
	flag.Float64Var(&o.rate, "rate", 1000, "fires per second of the steady load; 0 leaves it out")
	flag.DurationVar(&o.duration, "duration", 20*time.Second, "how long the steady load lasts")
	flag.IntVar(&o.herd, "herd", 0, "schedules that fall due at the same instant; 0 leaves it out")
	flag.IntVar(&o.idle, "idle", 0, "schedules that are never due, to measure start and memory; 0 leaves it out")
	flag.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	flag.StringVar(&o.serve, "serve", "", "serve this directory and print how it started (used by -idle)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "fires:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
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
