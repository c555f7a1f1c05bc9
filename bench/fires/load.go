package main

import (
	"context"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/app"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store/sqlite"
)

// lead is how long the server has to start before the first nominal time.
const lead = 3 * time.Second

// steady fires at a constant rate, spread evenly.
func steady(ctx context.Context, o options) (*load, error) {
	every := time.Duration(float64(o.schedules) / o.rate * float64(time.Second)).Round(time.Second)
	step := every / time.Duration(o.schedules)
	return measure(ctx, o.schedules, every, lead+o.duration, func(first time.Time, i int) time.Time {
		return first.Add(time.Duration(i) * step).Add(-every)
	})
}

// herd lets all schedules fall due at one instant, once.
func herd(ctx context.Context, o options) (*load, error) {
	const every = time.Hour
	return measure(ctx, o.herd, every, lead+20*time.Second, func(first time.Time, _ int) time.Time {
		return first.Add(-every)
	})
}

// measure runs a server over n schedules for a time. anchor places the i-th
// schedule so that its first nominal time lies at or after first.
func measure(ctx context.Context, n int, every, d time.Duration, anchor func(first time.Time, i int) time.Time) (*load, error) {
	dir, err := os.MkdirTemp("", "fires")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	m, err := startModel()
	if err != nil {
		return nil, err
	}
	defer m.server.Close()
	first := time.Now().Add(lead + time.Duration(n)*60*time.Microsecond) // after the rows are in
	if err := seedFile(ctx, dir, n, every, func(i int) time.Time { return anchor(first, i) }); err != nil {
		return nil, err
	}
	before, end := usage(), first.Add(d-lead)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	s := defaults()
	s.Data, s.ModelURL, s.DrainTimeout = dir, m.url, time.Minute
	start := time.Now()
	if err := app.Run(ctx, s, "bench", io.Discard, os.Stderr); err != nil {
		return nil, err
	}
	l := &load{Schedules: n, Lateness: percentiles(m.latenesses()), RSS: rss(), Fires: len(m.latenesses())}
	l.Cores = (usage() - before).Seconds() / time.Since(start).Seconds()
	l.Rate = float64(l.Fires) / min(d-lead, span(m)).Seconds()
	return l, l.audit(dir, end.Add(-time.Second))
}

// defaults are the settings of a server as the binary has them, but for a free
// port and a quiet log.
func defaults() settings.Settings {
	return settings.Settings{
		Listen: "127.0.0.1:0", Database: "sqlite", Role: "all", Engine: string(rota.EngineEmbedded), OnKeyRevoked: "keep",
		MaxConcurrentRuns: 256, DrainTimeout: 30 * time.Second, CatchupRate: 10, MinInterval: time.Second,
		LogFormat: "text", LogLevel: "warn", BootstrapKey: "rk_bench_bench_bench_bench",
	}
}

// span is the time from the first call to the last.
func span(m *model) time.Duration {
	if len(m.calls) == 0 {
		return time.Second
	}
	first, last := m.calls[0].at, m.calls[0].at
	for _, c := range m.calls {
		if c.at.Before(first) {
			first = c.at
		}
		if c.at.After(last) {
			last = c.at
		}
	}
	return max(last.Sub(first), time.Millisecond)
}

// audit counts in the file what was lost and what ran twice: each schedule
// must have one completed run for each of its nominal times before end.
func (l *load) audit(dir string, end time.Time) error {
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	if err != nil {
		return err
	}
	defer db.Close()
	err = db.QueryRow(`SELECT COUNT(*) FROM (SELECT 1 FROM runs GROUP BY schedule_id, scheduled_for HAVING COUNT(*) > 1)`).Scan(&l.Duplicates)
	if err != nil {
		return err
	}
	var due, done int
	err = db.QueryRow(`SELECT SUM(MAX(0, (?1 - anchor) / (spec ->> 'interval_seconds' * 1000))),
		(SELECT COUNT(*) FROM runs WHERE phase = 'completed' AND scheduled_for <= ?1) FROM timers`, end.UnixMilli()).Scan(&due, &done)
	l.Lost = due - done
	return err
}

func usage() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
