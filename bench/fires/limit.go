package main

import (
	"context"
	"os"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

const (
	limitSchedules = 10_000
	limitBatch     = 100
	limitTime      = 5 * time.Second
)

// storeLimit writes what a fire writes, from due to ended, as fast as the store
// takes it: no engine, no clock, no HTTP.
func storeLimit(ctx context.Context) (*limit, error) {
	dir, err := os.MkdirTemp("", "fires")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	past := time.Now().Add(-24 * time.Hour)
	err = seedFile(ctx, dir, limitSchedules, time.Second, func(i int) time.Time { return past.Add(time.Duration(i) * 100 * time.Microsecond) })
	if err != nil {
		return nil, err
	}
	s, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	done, start := 0, time.Now()
	for time.Since(start) < limitTime {
		n, err := cycle(ctx, s)
		if err != nil {
			return nil, err
		}
		done += n
	}
	return &limit{Batch: limitBatch, PerSecond: float64(done) / time.Since(start).Seconds()}, nil
}

// cycle takes one batch from due to ended, in two transactions.
func cycle(ctx context.Context, s store.Store) (int, error) {
	var work []rota.Work
	now := time.Now()
	err := s.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FireDue(ctx, now, limitBatch, nil, func(t rota.Timer) rota.Decision {
			d := policy.Decide(t, t.DueAt, t.DueAt)
			d.Provider = "any"
			return d
		})
		if err == nil {
			work, _, err = tx.ClaimAll(ctx, now, limitBatch, func([]rota.Work) bool { return true }, policy.MayStart)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	end := rota.Result{Phase: rota.PhaseCompleted, ResponseID: "resp_x", Response: rota.AnyOf("done"), CompletedAt: now}
	return len(work), s.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
		for _, w := range work {
			if _, err := tx.FinishRun(ctx, w.Run.ID, end, policy.Settle); err != nil {
				return err
			}
		}
		return nil
	})
}
