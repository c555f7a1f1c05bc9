package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var owner = rota.Owner{Account: "bench"}

const seedBatch = 1000

// seedFile is seed for a new SQLite database in a directory.
func seedFile(ctx context.Context, dir string, n int, every time.Duration, anchor func(i int) time.Time) error {
	s, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	return seed(ctx, s, n, every, anchor)
}

// seed fills a new database with interval schedules of one agent. anchor
// returns where the i-th is counted from.
func seed(ctx context.Context, s store.Store, n int, every time.Duration, anchor func(i int) time.Time) error {
	now := time.Now()
	a := rota.Agent{
		ID: rota.NewAgentID(now), CreatedAt: rota.InstantOf(now), UpdatedAt: rota.InstantOf(now), Version: 1,
		AgentConfig: rota.AgentConfig{
			Name: "bench", Model: "any", Tools: []rota.Object{}, ToolChoice: rota.AnyOf("auto"), Metadata: map[string]string{},
		},
	}
	if err := s.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, owner, a) }); err != nil {
		return err
	}
	for from := 0; from < n; from += seedBatch {
		err := s.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
			for i := from; i < min(from+seedBatch, n); i++ {
				if err := addSchedule(ctx, tx, a.ID, i, every, anchor(i), now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func addSchedule(ctx context.Context, tx sqlstore.Queries, agent rota.AgentID, i int, every time.Duration, anchor, now time.Time) error {
	anchor = rota.InstantOf(anchor).Time
	s := rota.Schedule{
		ID: rota.NewScheduleID(now), AgentID: agent, Input: rota.InputText(fmt.Sprintf("schedule %d", i)),
		Metadata: map[string]string{}, CreatedAt: rota.InstantOf(now), UpdatedAt: rota.InstantOf(now), Version: 1,
	}
	policy := rota.DefaultPolicy()
	policy.Overlap = rota.OverlapAllowAll // a skip would hide that the server is behind
	t := rota.Timer{
		ScheduleID: s.ID, AgentID: agent, Owner: owner, Status: rota.ScheduleActive, Anchor: anchor, Policy: policy,
		Spec:      rota.Spec{Type: rota.Interval, IntervalSeconds: int64(every / time.Second), Timezone: "UTC"},
		NextRunAt: anchor.Add(every), DueAt: anchor.Add(every),
	}
	return tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t})
}
