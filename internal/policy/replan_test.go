package policy

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func minuteFrom(after time.Duration) rota.Spec {
	return rota.Spec{Type: rota.Interval, IntervalSeconds: 60, StartAt: rota.InstantOf(at(after)).String(), Timezone: "UTC"}
}

type replanCase struct {
	name   string
	timer  rota.Timer
	spec   rota.Opt[rota.Spec]
	policy func(*rota.Policy)
	at     time.Duration
	status rota.ScheduleStatus
	next   time.Duration // zero: none
	anchor time.Duration
}

func replanCases(t *testing.T) []replanCase {
	late := rota.InstantOf(at(2 * time.Hour))
	waiting := planned(t, everyMinute, func(p *rota.Policy) { p.JitterSeconds = 1800 })
	paused, err := Pause(planned(t, everyMinute, nil), rota.PauseReason{})
	require.NoError(t, err)
	over := planned(t, everyMinute, func(p *rota.Policy) { p.MaxRuns = new(int64(1)) })
	over.RunCount = 1
	ran := over
	over = rest(over, rota.ScheduleCompleted, nil)
	return []replanCase{
		{
			name: "a new schedule", timer: rota.Timer{}, spec: rota.Some(everyMinute), at: 90 * time.Second,
			status: rota.ScheduleActive, next: 150 * time.Second, anchor: 90 * time.Second,
		},
		{
			name: "nothing", timer: planned(t, everyMinute, nil), at: 90 * time.Second,
			status: rota.ScheduleActive, next: time.Minute,
		},
		{
			name: "the same interval", timer: planned(t, everyMinute, nil), spec: rota.Some(everyMinute), at: 30 * time.Second,
			status: rota.ScheduleActive, next: 90 * time.Second, anchor: 30 * time.Second,
		},
		{
			name: "an overlap", timer: planned(t, everyMinute, nil), policy: func(p *rota.Policy) { p.Overlap = rota.OverlapAllowAll }, at: 90 * time.Second,
			status: rota.ScheduleActive, next: time.Minute,
		},
		{
			name: "an end", timer: planned(t, everyMinute, nil), policy: func(p *rota.Policy) { p.EndAt = &late }, at: 30 * time.Second,
			status: rota.ScheduleActive, next: time.Minute,
		},
		{
			name: "what waits still does", timer: waiting, policy: func(p *rota.Policy) { p.JitterSeconds = 3600 }, at: 90 * time.Second,
			status: rota.ScheduleActive, next: time.Minute,
		},
		{
			name: "what waits is dropped by a spec", timer: waiting, spec: rota.Some(everyMinute), at: 90 * time.Second,
			status: rota.ScheduleActive, next: 150 * time.Second, anchor: 90 * time.Second,
		},
		{
			name: "what waits is dropped by a start", timer: waiting, policy: func(p *rota.Policy) { p.StartAt = &late }, at: 90 * time.Second,
			status: rota.ScheduleActive, next: 2 * time.Hour,
		},
		{
			name: "an interval that starts ahead", timer: planned(t, everyMinute, nil), spec: rota.Some(minuteFrom(10 * time.Minute)), at: 30 * time.Second,
			status: rota.ScheduleActive, next: 10 * time.Minute, anchor: 30 * time.Second,
		},
		{
			name: "an interval that started in the past", timer: rota.Timer{}, spec: rota.Some(minuteFrom(-10*time.Hour + time.Second)), at: 90 * time.Second,
			status: rota.ScheduleActive, next: 121 * time.Second, anchor: 90 * time.Second,
		},
		{
			name: "a start bounds, and moves nothing", timer: planned(t, everyMinute, nil),
			policy: func(p *rota.Policy) { p.StartAt = instant(90 * time.Second) }, at: 30 * time.Second,
			status: rota.ScheduleActive, next: 2 * time.Minute,
		},
		{
			name: "once that has just passed", timer: planned(t, everyMinute, nil), spec: rota.Some(onceAt(time.Minute)), at: 119 * time.Second,
			status: rota.ScheduleActive, next: time.Minute, anchor: 119 * time.Second,
		},
		{
			name: "a paused one", timer: paused, spec: rota.Some(hourly), at: 90 * time.Second,
			status: rota.SchedulePaused, anchor: 90 * time.Second,
		},
		{
			name: "as many runs as have started", timer: ran, policy: func(p *rota.Policy) { p.MaxRuns, p.EndAt = new(int64(1)), &late }, at: 90 * time.Second,
			status: rota.ScheduleCompleted,
		},
		{
			name: "a completed one", timer: over, policy: func(p *rota.Policy) { p.MaxRuns = new(int64(2)) }, at: 90 * time.Second,
			status: rota.ScheduleActive, next: 2 * time.Minute,
		},
	}
}

// What changes the times of a schedule plans it anew, and nothing else does.
func TestReplan(t *testing.T) {
	for _, tt := range replanCases(t) {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.timer.Policy
			if tt.policy != nil {
				tt.policy(&p)
			}
			if tt.timer.Anchor.IsZero() {
				p = rota.DefaultPolicy()
			}
			got, err := Replan(tt.timer, tt.spec, p, time.Second, at(tt.at))
			require.NoError(t, err)
			require.Equal(t, tt.status, got.Status)
			require.Equal(t, at(tt.anchor), got.Anchor)
			require.Equal(t, p, got.Policy)
			if tt.next == 0 {
				require.Zero(t, got.NextRunAt)
				return
			}
			require.Equal(t, at(tt.next), got.NextRunAt)
			require.False(t, got.DueAt.Before(got.NextRunAt))
		})
	}
}

func TestReplanRefuses(t *testing.T) {
	timer := planned(t, everyMinute, nil)
	early := rota.InstantOf(at(time.Second))
	for name, tt := range map[string]struct {
		spec   rota.Opt[rota.Spec]
		policy func(*rota.Policy)
		field  string
	}{
		"no such type":                 {spec: rota.Some(rota.Spec{Type: "daily"}), field: "schedule.type"},
		"an interval below the floor":  {spec: rota.Some(rota.Spec{Type: rota.Interval, IntervalSeconds: 4}), field: "schedule.interval_seconds"},
		"once a minute ago":            {spec: rota.Some(onceAt(-time.Minute)), field: "schedule.run_at"},
		"an end before the first time": {policy: func(p *rota.Policy) { p.EndAt = &early }, field: "policy"},
		"an end before the start":      {policy: func(p *rota.Policy) { p.StartAt, p.EndAt = instant(time.Hour), &early }, field: "policy.end_at"},
		"no run left":                  {policy: func(p *rota.Policy) { p.MaxRuns = new(int64(0)) }, field: "policy"},
		"once after the end":           {spec: rota.Some(onceAt(time.Hour)), policy: func(p *rota.Policy) { p.EndAt = &early }, field: "policy"},
	} {
		p := timer.Policy
		if tt.policy != nil {
			tt.policy(&p)
		}
		_, err := Replan(timer, tt.spec, p, 5*time.Second, start)
		var e *rota.Error
		require.True(t, errors.As(err, &e), name)
		require.Equal(t, rota.Invalid, e.Code, name)
		require.Equal(t, tt.field, e.Field, name)
	}
}

// Marks to skip a time belong to the spec.
func TestReplanForgetsMarks(t *testing.T) {
	timer, err := Skip(planned(t, hourly, nil), *instant(2 * time.Hour), start)
	require.NoError(t, err)
	p := timer.Policy
	p.MaxRuns = new(int64(9))
	keptTimes, err := Replan(timer, rota.Opt[rota.Spec]{}, p, 0, start)
	require.NoError(t, err)
	require.Len(t, keptTimes.Skips, 1)
	dropped, err := Replan(timer, rota.Some(everyMinute), p, 0, start)
	require.NoError(t, err)
	require.Empty(t, dropped.Skips)
}

func TestCheckSpan(t *testing.T) {
	require.NoError(t, CheckSpan(rota.Policy{}))
	require.NoError(t, CheckSpan(rota.Policy{StartAt: instant(0)}))
	require.NoError(t, CheckSpan(rota.Policy{EndAt: instant(0)}))
	require.NoError(t, CheckSpan(rota.Policy{StartAt: instant(0), EndAt: instant(1e6)}))
	for _, end := range []time.Duration{0, -time.Hour} {
		err := CheckSpan(rota.Policy{StartAt: instant(0), EndAt: instant(end)})
		var e *rota.Error
		require.True(t, errors.As(err, &e))
		require.Equal(t, rota.Invalid, e.Code)
		require.Equal(t, "policy.end_at", e.Field)
	}
}
