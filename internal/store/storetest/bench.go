package storetest

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

const (
	benchSchedules = 100_000
	benchPeriod    = benchSchedules / 100 * time.Second
)

var benchStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// A Field is a store with schedules of which 100 fall due each second.
type Field struct {
	store store.Store
	now   time.Time
}

// NewField puts schedules into an empty store, a multiple of 1,000.
func NewField(b testing.TB, store store.Store, schedules int) *Field {
	b.Helper()
	f := &Field{store: store, now: benchStart}
	owner := rota.Owner{Account: "bench"}
	agent := rota.Agent{
		ID: rota.NewAgentID(benchStart), CreatedAt: rota.InstantOf(benchStart), UpdatedAt: rota.InstantOf(benchStart),
		AgentConfig: rota.AgentConfig{Name: "bench", Model: "mock/m", ToolChoice: rota.AnyOf("auto")},
	}
	f.update(b, func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, owner, agent) })
	for i := 0; i < schedules; i += 1000 {
		f.update(b, func(ctx context.Context, tx sqlstore.Queries) error {
			for j := i; j < i+1000; j++ {
				s, t := benchSchedule(owner, agent.ID, j)
				if err := tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return f
}

func benchSchedule(o rota.Owner, agent rota.AgentID, i int) (rota.Schedule, rota.Timer) {
	id := rota.NewScheduleID(benchStart.Add(time.Duration(i) * time.Millisecond))
	due := benchStart.Add(time.Duration(i/100+1) * time.Second)
	t := rota.Timer{
		ScheduleID: id, AgentID: agent, Owner: o, Status: rota.ScheduleActive, Policy: rota.DefaultPolicy(),
		Spec:   rota.Spec{Type: rota.Interval, IntervalSeconds: int64(benchPeriod / time.Second), Timezone: "UTC"},
		Anchor: benchStart, NextRunAt: due, DueAt: due,
	}
	s := rota.Schedule{
		ID: id, AgentID: agent, Input: rota.InputText("summarise what happened since the last run, no. " + strconv.Itoa(i)),
		Metadata: map[string]string{"team": "bench"}, CreatedAt: rota.InstantOf(benchStart), UpdatedAt: rota.InstantOf(benchStart),
	}
	return s, t
}

func (f *Field) update(b testing.TB, fn func(context.Context, sqlstore.Queries) error) {
	b.Helper()
	require.NoError(b, f.store.Update(b.Context(), fn))
}

func benchDecide(t rota.Timer, now time.Time) rota.Decision {
	late := now.Sub(t.NextRunAt).Milliseconds()
	o := rota.Occurrence{
		AgentID: t.AgentID, Account: t.Owner.Account, EndUser: t.Owner.User(), ScheduleID: t.ScheduleID, ScheduledFor: rota.InstantOf(t.NextRunAt), Count: 1, Outcome: rota.Fired,
		Trigger: rota.TriggerSchedule, LatenessMS: &late, RecordedAt: rota.InstantOf(now),
	}
	t.OpenRuns++
	t.RunCount++
	t.LastRunAt = now
	t.NextRunAt = t.NextRunAt.Add(benchPeriod)
	t.DueAt = t.NextRunAt
	return rota.Decision{Timer: t, Records: []rota.Occurrence{o}, Provider: "mock"}
}

func benchSettle(t rota.Timer, r rota.Result) rota.Decision {
	t.OpenRuns--
	t.ConsecutiveFailures = 0
	t.LastResponseID = r.ResponseID
	return rota.Decision{Timer: t}
}

// Fire fires the 100 schedules of the next second.
func (f *Field) Fire(b testing.TB) {
	f.now = f.now.Add(time.Second)
	f.update(b, func(ctx context.Context, tx sqlstore.Queries) error {
		fires, err := tx.FireDue(ctx, f.now, 500, nil, func(t rota.Timer) rota.Decision { return benchDecide(t, f.now) })
		if err == nil && len(fires) != 100 {
			err = fmt.Errorf("%d fires", len(fires))
		}
		return err
	})
}

// Claim takes the runs of 100 fires.
func (f *Field) Claim(b testing.TB) []rota.Work {
	var work []rota.Work
	f.update(b, func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		work, _, err = tx.ClaimAll(ctx, f.now, 100, func([]rota.Work) bool { return true }, nil)
		return err
	})
	require.Len(b, work, 100)
	return work
}

// Finish ends runs in one transaction.
func (f *Field) Finish(b testing.TB, work []rota.Work) {
	response := rota.Any{RawMessage: []byte(`{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"done"}]}]}`)}
	usage := rota.Any{RawMessage: []byte(`{"input_tokens":10,"output_tokens":3}`)}
	f.update(b, func(ctx context.Context, tx sqlstore.Queries) error {
		for _, w := range work {
			end := rota.Result{Phase: rota.PhaseCompleted, ResponseID: "resp_1", Response: response, Usage: usage, Tokens: &rota.Tokens{Input: 10, Output: 3, Total: 13}, CompletedAt: f.now}
			if _, err := tx.FinishRun(ctx, w.Run.ID, end, benchSettle); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkFireDue fires 100 of 100,000 schedules of an empty store in each
// transaction.
func BenchmarkFireDue(b *testing.B, store store.Store) {
	f := NewField(b, store, benchSchedules)
	for b.Loop() {
		f.Fire(b)
	}
	b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "fires/s")
}

// BenchmarkCycle is the whole path of a fire, in three transactions for each
// 100: fired, claimed, finished.
func BenchmarkCycle(b *testing.B, store store.Store) {
	f := NewField(b, store, benchSchedules)
	for b.Loop() {
		f.Fire(b)
		f.Finish(b, f.Claim(b))
	}
	b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "cycles/s")
}

// BenchmarkUpdate has many callers, each of whom waits until its own small
// change is durable.
func BenchmarkUpdate(b *testing.B, store store.Store) {
	owner := rota.Owner{Account: "bench"}
	benchUpdates(b, store, func(ctx context.Context, tx sqlstore.Queries, n int64) error {
		key := strconv.FormatInt(n, 10)
		return tx.KeepAnswer(ctx, owner, key, rota.Answer{Fingerprint: []byte("f"), Body: []byte("{}"), At: benchStart}, benchStart)
	})
}

// BenchmarkSpend is BenchmarkUpdate for the rate limit of one key, which all
// callers have: they wait for each other.
func BenchmarkSpend(b *testing.B, store store.Store) {
	k := rota.Key{ID: rota.NewKeyID(benchStart), Account: "bench", Name: "bench", CreatedAt: rota.InstantOf(benchStart)}
	require.NoError(b, store.Update(b.Context(), func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, k, []byte("hash")) }))
	benchUpdates(b, store, func(ctx context.Context, tx sqlstore.Queries, n int64) error {
		if _, err := tx.Spent(ctx, k.ID); err != nil {
			return err
		}
		return tx.SaveSpent(ctx, k.ID, rota.Spent{rota.PerMinute: n})
	})
}

func benchUpdates(b *testing.B, store store.Store, update func(ctx context.Context, tx sqlstore.Queries, n int64) error) {
	var n atomic.Int64
	b.SetParallelism(64)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			err := store.Update(b.Context(), func(ctx context.Context, tx sqlstore.Queries) error { return update(ctx, tx, i) })
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "updates/s")
}
