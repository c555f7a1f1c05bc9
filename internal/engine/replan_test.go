package engine_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/engine"
)

func TestWhetherAClockWasAhead(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	r := engine.Replanner{Log: slog.New(slog.DiscardHandler), NotBefore: now.AddDate(0, -1, 0)}
	for name, c := range map[string]struct {
		now        time.Time
		seen       time.Duration // after now
		back       time.Duration
		underWay   time.Duration // after now
		was        bool
		aheadUntil time.Duration
	}{
		"seen before":              {now: now, seen: -time.Hour},
		"clocks differ a little":   {now: now, seen: 9 * time.Second},
		"seen later":               {now: now, seen: time.Hour, was: true, aheadUntil: time.Hour},
		"set back":                 {now: now, seen: -time.Second, back: time.Minute, was: true, aheadUntil: time.Minute},
		"set back, and seen later": {now: now, seen: time.Hour, back: time.Minute, was: true, aheadUntil: time.Hour},
		"under way":                {now: now, seen: -time.Second, underWay: time.Hour, aheadUntil: time.Hour},
		"set back again":           {now: now, back: time.Minute, underWay: time.Hour, was: true, aheadUntil: time.Hour},
		"a clock that is not set":  {now: now.AddDate(-50, 0, 0), seen: 50 * 365 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			l := cluster.Leadership{SeenAt: c.now.Add(c.seen)}
			if c.underWay != 0 {
				l.AheadUntil = c.now.Add(c.underWay)
			}
			got, was := r.Seen(l, c.now, c.back)
			require.Equal(t, c.was, was)
			if c.aheadUntil == 0 {
				require.Zero(t, got.AheadUntil)
			} else {
				require.Equal(t, c.now.Add(c.aheadUntil), got.AheadUntil)
			}
			if c.now.Equal(now) {
				require.Equal(t, now, got.SeenAt)
			} else {
				require.Equal(t, l, got)
			}
		})
	}
}
