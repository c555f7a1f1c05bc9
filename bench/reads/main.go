// Command reads measures how long reading takes when there is much to read: pages for
// people, lists, counts. It fills a SQLite file with schedules, the occurrences of a
// day and their runs, serves it, and asks for one thing after the other. The server
// fires meanwhile what falls due.
//
// Beside it stands the health check of the same server, the least that an answer can
// take. It prints what docs/performance.md says.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

type options struct {
	schedules   int
	occurrences int
	endUsers    int
	rounds      int
	calm        bool
	dir         string
}

func main() {
	var o options
	flag.IntVar(&o.schedules, "schedules", 100_000, "schedules")
	flag.IntVar(&o.occurrences, "occurrences", 1_000_000, "occurrences of the last 24 hours, each with a run unless it was missed")
	flag.IntVar(&o.endUsers, "end-users", 100, "end users, to whom the schedules belong in turn")
	flag.IntVar(&o.rounds, "rounds", 40, "how often each is read")
	flag.BoolVar(&o.calm, "calm", false, "everything has run; else one schedule of 200 was missed, and the runs of another failed")
	flag.StringVar(&o.dir, "dir", "", "the directory of the database, which is kept and used again (default: a new one, which is removed)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "reads:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.schedules < 1 || o.occurrences < o.schedules || o.endUsers < 1 || o.rounds < 1 {
		return fmt.Errorf("-schedules, -end-users and -rounds must be positive, and -occurrences at least -schedules")
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "reads")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.dir = dir
	}
	filled := filepath.Join(o.dir, "filled")
	if _, err := os.Stat(filled); err != nil {
		began := time.Now()
		if err := fill(ctx, o); err != nil {
			return err
		}
		if err := os.WriteFile(filled, nil, 0o600); err != nil {
			return err
		}
		fmt.Printf("filled in %s\n", time.Since(began).Round(time.Second))
	}
	return serving(ctx, o.dir, func(ctx context.Context, url string) error { return readAll(ctx, o, url) })
}
