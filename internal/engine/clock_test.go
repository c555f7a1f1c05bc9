package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/engine"
)

// wall is a wall clock that can be set.
type wall struct{ ahead time.Duration }

func (w *wall) now() time.Time { return time.Now().Add(w.ahead) }

func TestWhenNobodyLooked(t *testing.T) {
	for name, c := range map[string]struct {
		passes, jumps time.Duration
		away, back    time.Duration
	}{
		"short":             {9 * time.Second, 0, 0, 0},
		"frozen":            {10 * time.Second, 0, 10 * time.Second, 0},
		"asleep or forward": {time.Second, time.Hour, time.Hour + time.Second, 0},
		"back":              {time.Second, -time.Hour, 0, time.Hour},
		"frozen and back":   {time.Minute, -time.Hour, time.Minute, time.Hour},
		"a little back":     {time.Second, -9 * time.Second, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wall{}
				clock := engine.NewClock(w.now)
				since := clock.Since
				time.Sleep(c.passes)
				w.ahead = c.jumps
				now := clock.Now()
				require.Equal(t, c.away > 0 || c.back > 0 || now.Before(since), clock.Since.Equal(now))
				require.Equal(t, c.back, clock.SetBack())
				require.Equal(t, c.away, clock.Looked())
				clock.Forgive()
				require.Zero(t, clock.SetBack())
				require.Zero(t, clock.Looked())
			})
		})
	}
}
