package upkeep_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/upkeep"
)

// due is a store with an agent whose retention ends at an instant.
type due struct {
	upkeep.AgeReader
	at     time.Time
	purged atomic.Int64
}

func (d *due) PurgeDue(_ context.Context, now time.Time) (bool, error) {
	return !now.Before(d.at) && d.purged.Load() == 0, nil
}

func (d *due) Update(ctx context.Context, fn func(context.Context, upkeep.Tx) error) error {
	return fn(ctx, d)
}

func (d *due) PurgeAgent(context.Context, time.Time, int) (rota.Purge, error) {
	d.purged.Add(1)
	return rota.Purge{AgentID: "agt_1", Done: true}, nil
}

func (d *due) TalliesBefore(context.Context, time.Time) (bool, error) { return false, nil }

func (d *due) TalliesLogged(context.Context) (bool, error) { return false, nil }

func (d *due) FoldTallies(context.Context) (bool, error) { return false, nil }

func (d *due) DeleteTallies(context.Context, time.Time, int) (int64, error) { return 0, nil }

func (d *due) DeleteEnded(context.Context, []rota.RunID) (int64, error) { return 0, nil }

func (d *due) DeleteOccurrences(context.Context, []rota.OldOccurrence) (int64, error) { return 0, nil }

// TestAWrongClockPurgesNothing: for an hour after the clock jumped, and after the start,
// it is not believed that a retention has ended.
func TestAWrongClockPurgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		var log bytes.Buffer
		now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		store := &due{at: time.Now().Add(40 * 24 * time.Hour)}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			(&upkeep.Upkeep{Store: store, Now: now, Log: slog.New(slog.NewTextHandler(&log, nil))}).Run(ctx)
		}()
		time.Sleep(24 * time.Hour)
		ahead.Store(int64(50 * 24 * time.Hour))
		time.Sleep(59 * time.Minute)
		ahead.Store(0)
		time.Sleep(2 * time.Hour)
		require.Zero(t, store.purged.Load(), "the clock was wrong for a while")
		ahead.Store(int64(50 * 24 * time.Hour))
		time.Sleep(59 * time.Minute)
		require.Zero(t, store.purged.Load())
		time.Sleep(3 * time.Minute)
		require.EqualValues(t, 1, store.purged.Load(), "it seems to be right")
		stop()
		<-done
		require.Contains(t, log.String(), "the clock jumped forward")

		store = &due{at: time.Now()}
		ctx, stop = context.WithCancel(t.Context())
		go (&upkeep.Upkeep{Store: store, Now: time.Now, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
		time.Sleep(59 * time.Minute)
		require.Zero(t, store.purged.Load(), "within an hour of the start")
		time.Sleep(3 * time.Minute)
		require.EqualValues(t, 1, store.purged.Load())
		stop()
	})
}
