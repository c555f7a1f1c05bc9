package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/limits"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlstore"
	"github.com/rota-run/rota/internal/store/storetest"
)

// TestRoundTrips: how often the database is asked in the transactions that are
// made most, commit included. The first time, a connection prepares statements.
func TestRoundTrips(t *testing.T) {
	var w wire
	s := open(t, postgrestest.URL(t)+"&pool_max_conns=1", postgres.Dialing(w.dial))
	defer s.Close()
	f := storetest.NewField(t, s, 1000)
	key := rota.Key{ID: "key_1", Account: "acme"}
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, key, []byte("hash")) }))
	calls := operations(s)
	page, err := calls.AllSchedules(t.Context(), bench, "", rota.ScheduleFilter{}, rota.Page{Limit: 2})
	require.NoError(t, err)
	trips := make(map[string]int64)
	count := func(what string, do func()) {
		before := w.trips.Load()
		do()
		trips[what] = w.trips.Load() - before
	}
	for round := range 2 {
		var work []rota.Work
		count("100 fires", func() { f.Fire(t) })
		count("100 runs begin", func() { work = f.Claim(t) })
		count("100 runs end, in a transaction of each", func() {
			for i := range work {
				f.Finish(t, work[i:i+1])
			}
		})
		count("a request is counted", func() {
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
				spent, err := tx.Spent(ctx, key.ID)
				if err != nil {
					return err
				}
				return tx.SaveSpent(ctx, key.ID, spent)
			}))
		})
		count("a row is added", func() {
			more := rota.Key{ID: rota.KeyID(fmt.Sprint("key_more_", round)), Account: "acme"}
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, more, []byte(more.ID)) }))
		})
	}
	for round := range 2 {
		one := page.Data[round]
		count("a schedule is paused", func() {
			_, err := calls.PauseSchedule(t.Context(), bench, one.AgentID, one.ID, rota.SchedulePause{}, control.Write{})
			require.NoError(t, err)
		})
		count("a schedule is resumed", func() {
			_, err := calls.ResumeSchedule(t.Context(), bench, one.AgentID, one.ID, rota.SchedulePause{}, control.Write{})
			require.NoError(t, err)
		})
		count("999 schedules are forecast", func() {
			_, err := calls.Forecast(t.Context(), bench, "", time.Time{}, time.Time{}, time.Hour)
			require.NoError(t, err)
		})
		count("999 schedules are paused", func() {
			_, err := calls.PauseSchedules(t.Context(), bench, rota.BulkPause{}, control.Write{})
			require.NoError(t, err)
		})
		_, err := calls.ResumeSchedules(t.Context(), bench, rota.BulkResume{}, control.Write{})
		require.NoError(t, err)
		count("a schedule is deleted", func() {
			_, err := calls.DeleteSchedule(t.Context(), bench, one.AgentID, one.ID, control.Write{})
			require.NoError(t, err)
		})
	}
	require.Equal(t, map[string]int64{
		"100 fires": 3, "100 runs begin": 2, "100 runs end, in a transaction of each": 300, "a request is counted": 2, "a row is added": 2,
		"a schedule is paused": 4, "a schedule is resumed": 5, "a schedule is deleted": 4, "999 schedules are forecast": 21, "999 schedules are paused": 1030,
	}, trips)
}

// bench is the caller that owns what is in a field.
var bench = auth.Caller{Key: "key_1", Owner: rota.Owner{Account: "bench"}, Scopes: rota.AllScopes()}

// noEngine is an engine that does nothing.
type noEngine struct{}

func (noEngine) Run(context.Context) error { return nil }
func (noEngine) Changed()                  {}
func (noEngine) Cancel(rota.RunID)         {}

func operations(s store.Store) *control.Control {
	return &control.Control{Store: ports.Control(s), Engine: noEngine{}, Hub: events.NewHub(), Now: time.Now, Audit: slog.New(slog.DiscardHandler), Limits: &limits.Keeper{}}
}
