package upkeep_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/limits"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/store/sqlite/sqlitetest"
	"github.com/rota-run/rota/internal/upkeep"
)

type idle struct{}

func (idle) Run(context.Context) error { return nil }
func (idle) Changed()                  {}
func (idle) Cancel(rota.RunID)         {}

type models struct{}

func (models) Models(context.Context) []rota.Model { return nil }

func (models) Resolve(model string) (provider, name string, err error) { return "test", model, nil }

// TestRetention: a deleted agent is there for thirty days, and then it is not; one
// that is restored meanwhile stays.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sqlitetest.Open(t)
		who := auth.Caller{Key: "key_1", Owner: rota.Owner{Account: "acme"}, Scopes: rota.AllScopes()}
		c := &control.Control{
			Store: ports.Control(store), Engine: idle{}, Hub: events.NewHub(), Models: models{}, Now: time.Now, Audit: slog.New(slog.DiscardHandler),
			MinInterval: time.Second, AgentRetention: 30 * 24 * time.Hour, Limits: &limits.Keeper{},
		}
		var log bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			(&upkeep.Upkeep{Store: ports.Upkeep(store), Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))}).Run(ctx)
		}()
		var ids []rota.AgentID
		for range 2 {
			a, err := c.CreateAgent(t.Context(), who, rota.AgentCreate{Name: "a", Model: "m"}, control.Write{})
			require.NoError(t, err)
			in := rota.ScheduleCreate{Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 60}, Input: rota.InputText("hi")}
			_, err = c.CreateSchedule(t.Context(), who, a.ID, in, control.Write{})
			require.NoError(t, err)
			r, err := c.StartRun(t.Context(), who, a.ID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
			require.NoError(t, err)
			_, err = c.CancelRun(t.Context(), who, a.ID, r.ID, control.Write{})
			require.NoError(t, err)
			_, err = c.DeleteAgent(t.Context(), who, a.ID, control.Write{})
			require.NoError(t, err)
			ids = append(ids, a.ID)
		}
		time.Sleep(30*24*time.Hour - time.Second)
		_, err := c.Agent(t.Context(), who, ids[0])
		require.NoError(t, err)
		_, err = c.RestoreAgent(t.Context(), who, ids[1], control.Write{})
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)
		_, err = c.Agent(t.Context(), who, ids[0])
		require.ErrorIs(t, err, rota.NotFound)
		_, err = c.Agent(t.Context(), who, ids[1])
		require.NoError(t, err)
		stop()
		<-done
		require.Contains(t, log.String(), "agent_id="+string(ids[0])+" rule=agent_retention versions=1 runs=1 schedules=1 occurrences=0")
		require.NotContains(t, log.String(), ids[1])
	})
}

// TestAges: what has ended is kept as long as its account says, or else the server; what
// has not ended stays.
func TestAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sqlitetest.Open(t)
		kept := control.Retention{Runs: 48 * time.Hour}
		c := &control.Control{
			Store: ports.Control(store), Engine: idle{}, Hub: events.NewHub(), Models: models{}, Now: time.Now, Audit: slog.New(slog.DiscardHandler),
			MinInterval: time.Second, Limits: &limits.Keeper{}, Kept: kept,
		}
		var runs, open []rota.RunID
		var who []auth.Caller
		for _, account := range []string{"acme", "keeps", "short"} {
			me := auth.Caller{Key: "key_1", Owner: rota.Owner{Account: account}, Scopes: rota.AllScopes()}
			who = append(who, me)
			_, err := c.CreateKey(t.Context(), me, rota.KeyCreate{Name: account})
			require.NoError(t, err)
			a, err := c.CreateAgent(t.Context(), me, rota.AgentCreate{Name: "a", Model: "m"}, control.Write{})
			require.NoError(t, err)
			for i := range 2 {
				r, err := c.StartRun(t.Context(), me, a.ID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
				require.NoError(t, err)
				if i == 1 {
					open = append(open, r.ID)
					continue
				}
				_, err = c.CancelRun(t.Context(), me, a.ID, r.ID, control.Write{})
				require.NoError(t, err)
				runs = append(runs, r.ID)
			}
		}
		_, err := c.PutRetention(t.Context(), who[0], rota.RetentionPut{RunsSeconds: rota.Some[int64](60)}, control.Write{})
		require.ErrorContains(t, err, "runs_seconds: must be 0, for ever, or at least 3600")
		_, err = c.PutRetention(t.Context(), who[1], rota.RetentionPut{RunsSeconds: rota.Some[int64](0)}, control.Write{})
		require.NoError(t, err)
		_, err = c.PutRetention(t.Context(), who[2], rota.RetentionPut{RunsSeconds: rota.Some[int64](7200)}, control.Write{})
		require.NoError(t, err)

		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			(&upkeep.Upkeep{Store: ports.Upkeep(store), Now: time.Now, Log: slog.New(slog.DiscardHandler), Kept: kept.Of}).Run(ctx)
		}()
		there := func() (n []bool) {
			for i, r := range runs {
				_, err := c.RunByID(t.Context(), who[i], r)
				n = append(n, err == nil)
			}
			return n
		}
		time.Sleep(2*time.Hour - time.Second)
		require.Equal(t, []bool{true, true, true}, there())
		time.Sleep(2 * time.Minute)
		require.Equal(t, []bool{true, true, false}, there())
		time.Sleep(46 * time.Hour)
		require.Equal(t, []bool{false, true, false}, there())
		stop()
		<-done
		for i, r := range open {
			_, err := c.RunByID(t.Context(), who[i], r)
			require.NoError(t, err, "it has not ended")
		}
	})
}
