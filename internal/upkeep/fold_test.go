package upkeep_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/upkeep"
)

// logged is a store with so much to fold.
type logged struct {
	due
	parts, asked atomic.Int64
	fails        atomic.Bool
}

func (l *logged) TalliesLogged(context.Context) (bool, error) {
	l.asked.Add(1)
	return l.parts.Load() > 0, nil
}

func (l *logged) Update(ctx context.Context, fn func(context.Context, upkeep.Tx) error) error {
	return fn(ctx, l)
}

func (l *logged) FoldTallies(context.Context) (bool, error) {
	if l.fails.Load() {
		return false, errors.New("the disk is full")
	}
	return l.parts.Add(-1) >= 0, nil
}

// TestFold: what was counted is added up every few seconds, part after part, also after
// a failure.
func TestFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(logged)
		ctx, stop := context.WithCancel(t.Context())
		go (&upkeep.Upkeep{Store: l, Now: time.Now, Log: slog.New(slog.DiscardHandler)}).Fold(ctx)
		time.Sleep(time.Minute - time.Second)
		require.EqualValues(t, 12, l.asked.Load())
		l.parts.Store(10)
		l.fails.Store(true)
		time.Sleep(10 * time.Second)
		require.EqualValues(t, 10, l.parts.Load())
		l.fails.Store(false)
		time.Sleep(6 * time.Second)
		require.Zero(t, l.parts.Load())
		stop()
		synctest.Wait()
	})
}
