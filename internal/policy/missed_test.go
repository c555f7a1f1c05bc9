package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestDecideMissed(t *testing.T) {
	skip := func(p *rota.Policy) { p.Missed = rota.MissedSkip }
	all := func(p *rota.Policy) { p.Missed, p.Overlap = rota.MissedAll, rota.OverlapAllowAll }
	tests := []struct {
		name string
		spec rota.Spec
		with func(*rota.Policy)
		down time.Duration // from the start until the engine looks again
		want []string
		next time.Duration
	}{
		{name: "latest", spec: everyMinute, down: 210 * time.Second, want: []string{"missed superseded 1m0s..2m0s=2", "buffered catch_up 3m0s"}, next: 4 * time.Minute},
		{name: "latest, one", spec: everyMinute, down: 90 * time.Second, want: []string{"buffered catch_up 1m0s"}, next: 2 * time.Minute},
		{name: "latest, two", spec: everyMinute, down: 150 * time.Second, want: []string{"missed superseded 1m0s", "buffered catch_up 2m0s"}, next: 3 * time.Minute},
		{name: "latest, cron", spec: hourly, down: 210 * time.Minute, want: []string{"missed too_late 1h0m0s..2h0m0s=2", "buffered catch_up 3h0m0s"}, next: 4 * time.Hour},
		{name: "latest, too old", spec: everyMinute, with: func(p *rota.Policy) { p.MaxLatenessSeconds = 29 }, down: 210 * time.Second, want: []string{"missed too_late 1m0s..3m0s=3"}, next: 4 * time.Minute},
		{name: "latest, just not too old", spec: everyMinute, with: func(p *rota.Policy) { p.MaxLatenessSeconds = 30 }, down: 210 * time.Second, want: []string{"missed too_late 1m0s..2m0s=2", "buffered catch_up 3m0s"}, next: 4 * time.Minute},
		{name: "once", spec: onceAt(time.Minute), down: time.Hour, want: []string{"buffered catch_up 1m0s"}},
		{name: "once, too old", spec: onceAt(time.Minute), down: 2 * time.Hour, want: []string{"missed too_late 1m0s"}},
		{name: "skip", spec: everyMinute, with: skip, down: 210 * time.Second, want: []string{"missed policy_skip 1m0s..3m0s=3"}, next: 4 * time.Minute},
		{name: "skip, once", spec: onceAt(time.Minute), with: skip, down: time.Hour, want: []string{"missed policy_skip 1m0s"}},
		{name: "all", spec: everyMinute, with: all, down: 210 * time.Second, want: []string{"buffered catch_up 1m0s", "buffered catch_up 2m0s", "buffered catch_up 3m0s"}, next: 4 * time.Minute},
		{
			name: "all, some too old", spec: everyMinute, with: func(p *rota.Policy) { all(p); p.MaxLatenessSeconds = 100 }, down: 210 * time.Second,
			want: []string{"missed too_late 1m0s", "buffered catch_up 2m0s", "buffered catch_up 3m0s"}, next: 4 * time.Minute,
		},
		{
			name: "all, one at a time", spec: everyMinute, with: func(p *rota.Policy) { p.Missed = rota.MissedAll }, down: 150 * time.Second,
			want: []string{"buffered catch_up 1m0s", "buffered catch_up 2m0s"}, next: 3 * time.Minute,
		},
		{
			name: "all, one waits", spec: everyMinute, with: func(p *rota.Policy) { p.Missed, p.Overlap = rota.MissedAll, rota.OverlapBufferOne }, down: 210 * time.Second,
			want: []string{"buffered catch_up 1m0s", "buffered catch_up 2m0s", "buffered catch_up 3m0s"}, next: 4 * time.Minute,
		},
		{
			name: "up to end_at", spec: everyMinute, with: func(p *rota.Policy) { p.EndAt = instant(3 * time.Minute) }, down: 30 * time.Minute,
			want: []string{"missed superseded 1m0s..2m0s=2", "buffered catch_up 3m0s"},
		},
		{name: "at the very moment", spec: everyMinute, down: time.Minute, want: []string{"fired 1m0s"}, next: 2 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			timer := planned(t, tt.spec, tt.with)
			d := Decide(timer, at(tt.down), at(tt.down))
			require.Equal(t, tt.want, outcomes(d.Records))
			timer = caughtUp(t, d, at(tt.down))
			if tt.next == 0 {
				require.Equal(t, rota.ScheduleCompleted, timer.Status)
				return
			}
			require.Equal(t, at(tt.next), timer.NextRunAt)
		})
	}
}

// caughtUp returns the timer when each occurrence that a decision has put into
// the backlog has started.
func caughtUp(t *testing.T, d rota.Decision, now time.Time) rota.Timer {
	t.Helper()
	timer := d.Timer
	for _, o := range d.Records {
		if o.Outcome != rota.Buffered {
			continue
		}
		require.False(t, timer.CatchUp().IsZero())
		fired := CatchUp(timer, o, now)
		require.Equal(t, []string{"fired " + o.ScheduledFor.Sub(start).String()}, outcomes(fired.Records))
		timer = settle(fired.Timer, rota.Result{Phase: rota.PhaseCompleted, CompletedAt: now})
		if timer.Policy.Missed != rota.MissedAll {
			break
		}
	}
	require.Zero(t, timer.Backlog)
	require.Zero(t, timer.BacklogTo)
	return timer
}

func TestDecideMissedAllHasALimit(t *testing.T) {
	for _, spec := range []rota.Spec{everyMinute, {Type: rota.Cron, CronExpression: "* * * * *", Timezone: "UTC"}} {
		timer := planned(t, spec, func(p *rota.Policy) {
			p.Missed, p.Overlap, p.MaxLatenessSeconds = rota.MissedAll, rota.OverlapAllowAll, 86400
		})
		d := Decide(timer, at(130*time.Minute+time.Second), at(130*time.Minute+time.Second))
		require.Equal(t, "missed too_many 1m0s..30m0s=30", outcomes(d.Records)[0])
		require.Len(t, d.Records, 101)
		require.Equal(t, "buffered catch_up 31m0s", outcomes(d.Records)[1], "the oldest first")
		require.Equal(t, "buffered catch_up 2h10m0s", outcomes(d.Records)[100])
	}
}

func TestDecideMissedMarks(t *testing.T) {
	timer := planned(t, everyMinute, nil)
	timer.Skips = []rota.Instant{*instant(time.Minute), *instant(3 * time.Minute), *instant(9 * time.Minute)}
	d := Decide(timer, at(210*time.Second), at(210*time.Second))
	require.Equal(t, []string{"missed superseded 1m0s..2m0s=2", "skipped_requested requested 3m0s"}, outcomes(d.Records))
	require.Equal(t, []rota.Instant{*instant(9 * time.Minute)}, d.Timer.Skips)
}

// What is to start later than the engine looks was not missed.
func TestDecideMissedLeavesJitterAlone(t *testing.T) {
	timer := planned(t, hourly, func(p *rota.Policy) { p.JitterSeconds, p.MaxLatenessSeconds = 3600, 86400 })
	last := at(10 * time.Hour)
	due := Due(timer.ScheduleID, timer.Policy, last)
	since := due.Add(-time.Millisecond)
	d := Decide(timer, since, since)
	require.Equal(t, last, d.Timer.NextRunAt, "it is still to come")
	require.Equal(t, due, d.Timer.DueAt)
	require.Equal(t, []string{"missed superseded 1h0m0s..8h0m0s=8", "buffered catch_up 9h0m0s"}, outcomes(d.Records))

	d = Decide(d.Timer, due, since)
	require.Equal(t, "fired 10h0m0s", outcomes(d.Records)[0], "what is due now does not wait for the backlog")

	d = Decide(timer, due.Add(time.Millisecond), due.Add(time.Millisecond))
	require.Equal(t, "buffered catch_up 10h0m0s", outcomes(d.Records)[1])
}

var everySecond = rota.Spec{Type: rota.Interval, IntervalSeconds: 1, Timezone: "UTC"}

// A long downtime is handled in few decisions, each of which does little.
func TestDecideLongDowntime(t *testing.T) {
	const year = 365 * 24 * time.Hour
	minutely := rota.Spec{Type: rota.Cron, CronExpression: "* * * * *", Timezone: "America/New_York"}
	for _, spec := range []rota.Spec{everySecond, minutely} {
		timer := planned(t, spec, nil)
		now := at(year + 500*time.Millisecond)
		var missed, keptTimes, decisions int64
		for !timer.DueAt.After(now) {
			d := Decide(timer, now, now)
			decisions++
			for _, o := range d.Records {
				if o.Outcome == rota.Buffered {
					keptTimes++
					require.Equal(t, at(year), o.ScheduledFor.Time)
					continue
				}
				missed += o.Count
			}
			timer = d.Timer
		}
		every := time.Second
		if spec.Type == rota.Cron {
			every = time.Minute
		}
		require.EqualValues(t, 1, keptTimes)
		require.EqualValues(t, year/every-1, missed)
		require.LessOrEqual(t, decisions, int64(year/every)/maxSteps+2)
	}
}

func BenchmarkMissed(b *testing.B) {
	const year = 365 * 24 * time.Hour
	for name, spec := range map[string]rota.Spec{
		"interval": everySecond,
		"cron":     {Type: rota.Cron, CronExpression: "* * * * *", Timezone: "America/New_York"},
	} {
		b.Run(name, func(b *testing.B) {
			p := rota.DefaultPolicy()
			p.Missed, p.MaxLatenessSeconds = rota.MissedAll, 31_622_400
			timer, err := Plan(rota.Timer{Spec: spec, Anchor: start, Policy: p}, start)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				Decide(timer, at(year), at(year))
			}
		})
	}
}
