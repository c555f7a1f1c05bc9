// Command gateway measures what it costs to ask a model through Rota rather than
// directly. It prints what docs/performance.md says.
//
// A scripted provider, the server and the one who asks are processes of their own on
// this machine. Everything is measured through Rota and directly at the same provider,
// in turns, and with -agentic through vLLM's agentic-api too. Rota is the whole product,
// over a SQLite file that survives a power cut.
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
	rounds   int
	streams  int
	pace     int
	duration time.Duration
	silent   int
	turns    int
	agentic  string
	json     bool

	as  string // what this process is, if not the one that measures
	dir string
	url string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 2000, "how often the time to the first token is taken; 0 leaves it out")
	flag.IntVar(&o.streams, "streams", 500, "streams at once of the throughput; 0 leaves it out")
	flag.IntVar(&o.pace, "pace", 50, "deltas per second of each of them")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "how long each of them lasts")
	flag.IntVar(&o.silent, "silent", 500, "streams at once that say nothing, to measure memory; 0 leaves it out")
	flag.IntVar(&o.turns, "turns", 1000, "turns of a conversation that goes on; 0 leaves it out")
	flag.StringVar(&o.agentic, "agentic", "", "the program agentic-server, to measure it beside (pip install agentic-api==0.9.0)")
	flag.BoolVar(&o.json, "json", false, "print JSON instead of tables")
	flag.StringVar(&o.as, "as", "", "be the provider or the server (used by this command)")
	flag.StringVar(&o.dir, "dir", "", "directory of the server (used by this command)")
	flag.StringVar(&o.url, "url", "", "provider of the server (used by this command)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	switch o.as {
	case "provider":
		return provide(ctx)
	case "server":
		return serve(ctx, o.dir, o.url)
	}
	if min(o.rounds, o.streams, o.silent, o.turns) < 0 || o.pace < 1 || o.duration < time.Second {
		return fmt.Errorf("-rounds, -streams, -silent and -turns must not be negative, -pace must be positive, and -duration 1s or more")
	}
	r, err := measure(ctx, o)
	if err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	r.print(os.Stdout)
	return nil
}

// measure takes all that is asked for, with processes that are new for each part: what
// one part leaves behind is no cost of the next.
func measure(ctx context.Context, o options) (*report, error) {
	r := &report{o: o}
	parts := []struct {
		on  bool
		run func(context.Context, []*target) error
	}{
		{o.rounds > 0, func(ctx context.Context, all []*target) (err error) {
			r.First, err = first(ctx, all, o.rounds, false)
			return err
		}},
		{o.rounds > 0, func(ctx context.Context, all []*target) (err error) {
			r.Stored, err = first(ctx, all, (o.rounds+3)/4, true)
			return err
		}},
		{o.streams > 0, func(ctx context.Context, all []*target) (err error) { r.Paced, err = paced(ctx, all, o); return err }},
		{o.silent > 0, func(ctx context.Context, all []*target) (err error) {
			r.Silent, err = silent(ctx, all[1:], o.silent)
			return err
		}},
		{o.turns > 0, func(ctx context.Context, all []*target) (err error) {
			r.Turns, err = turns(ctx, all[:2], o.turns)
			return err
		}},
	}
	for _, p := range parts {
		if !p.on {
			continue
		}
		if err := with(ctx, o.agentic, p.run); err != nil {
			return nil, err
		}
	}
	return r, nil
}
