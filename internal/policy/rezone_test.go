package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// TestRezone: by older zone data, the clock that has 10:00, 11:00, … was off.
func TestRezone(t *testing.T) {
	daily := rota.Spec{Type: rota.Cron, CronExpression: "0 10 * * *", Timezone: "UTC"} // an hour after the start
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		spec            rota.Spec
		policy          func(*rota.Policy)
		last, next, now time.Duration // after the start; last 0: none
		want            time.Duration
	}{
		"right already":             {spec: daily, next: time.Hour, want: time.Hour},
		"an hour late":              {spec: daily, next: 2 * time.Hour, want: time.Hour},
		"an hour early":             {spec: daily, next: 24 * time.Hour, last: -day, want: time.Hour},
		"it has run today":          {spec: daily, last: time.Hour, next: 26 * time.Hour, now: 2 * time.Hour, want: 25 * time.Hour},
		"it ran too early today":    {spec: daily, last: 30 * time.Minute, next: 24*time.Hour + 30*time.Minute, now: 45 * time.Minute, want: time.Hour},
		"it should have run":        {spec: daily, last: -22 * time.Hour, next: 2 * time.Hour, now: 90 * time.Minute, want: time.Hour},
		"while nobody looked":       {spec: daily, last: -22 * time.Hour, next: 2 * time.Hour, now: 50 * time.Hour, want: time.Hour},
		"nothing is on record":      {spec: daily, next: 1000*day + 2*time.Hour, now: 1000 * day, want: 1000*day + time.Hour},
		"every hour":                {spec: hourly, last: time.Hour, next: 2*time.Hour + 30*time.Minute, want: 2 * time.Hour},
		"an interval":               {spec: everyMinute, next: 90 * time.Second, want: 90 * time.Second},
		"after the end of a policy": {spec: daily, policy: func(p *rota.Policy) { p.EndAt = instant(2 * time.Hour) }, last: time.Hour, next: 90 * time.Minute, want: -1},
	} {
		t.Run(name, func(t *testing.T) {
			timer := planned(t, c.spec, c.policy)
			timer.NextRunAt, timer.DueAt = at(c.next), at(c.next)
			recorded := rota.RecordedTimer{Timer: timer}
			if c.last != 0 {
				recorded.Last = at(c.last)
			}
			if name == "nothing is on record" {
				recorded.LastRunAt = at(1000*day - 22*time.Hour)
			}
			got := Rezone(recorded, at(c.now))
			if c.want < 0 {
				require.Equal(t, rota.ScheduleCompleted, got.Status)
				return
			}
			require.Equal(t, at(c.want), got.NextRunAt)
			require.Equal(t, at(c.want), got.DueAt)
			require.Equal(t, rota.ScheduleActive, got.Status)
		})
	}
}

func TestRezoneMovesMarks(t *testing.T) {
	daily := rota.Spec{Type: rota.Cron, CronExpression: "0 10 * * *", Timezone: "UTC"}
	timer := planned(t, daily, nil)
	timer.NextRunAt = at(2 * time.Hour)
	timer.Skips = []rota.Instant{rota.InstantOf(at(26 * time.Hour)), rota.InstantOf(at(49 * time.Hour)), rota.InstantOf(at(72 * time.Hour))}
	got := Rezone(rota.RecordedTimer{Timer: timer}, start)
	want := []rota.Instant{rota.InstantOf(at(25 * time.Hour)), rota.InstantOf(at(49 * time.Hour)), rota.InstantOf(at(73 * time.Hour))}
	require.Equal(t, want, got.Skips)
	require.Equal(t, rota.InstantOf(at(26*time.Hour)), timer.Skips[0], "the timer that was given is as it was")
}

func TestRezoneLeavesTimersThatRest(t *testing.T) {
	paused, err := Pause(planned(t, hourly, nil), rota.PauseReason{Code: rota.PausedManually})
	require.NoError(t, err)
	nowhere := planned(t, hourly, nil)
	nowhere.Spec.Timezone = "Nowhere/Now"
	for _, timer := range []rota.Timer{paused, nowhere} {
		require.Equal(t, timer, Rezone(rota.RecordedTimer{Timer: timer}, start))
	}
}
