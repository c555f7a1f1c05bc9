package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// lined returns a timer of every minute that missed its times up to the given
// instant, and what has been put in line.
func lined(t *testing.T, until time.Duration, change func(*rota.Policy)) (rota.Timer, []rota.Occurrence) {
	t.Helper()
	d := Decide(planned(t, everyMinute, change), at(until), at(until))
	var line []rota.Occurrence
	for _, o := range d.Records {
		if o.Outcome == rota.Buffered {
			line = append(line, o)
		}
	}
	require.Equal(t, d.Timer.Backlog, len(line))
	return d.Timer, line
}

func madeUpAll(p *rota.Policy) { p.Missed = rota.MissedAll }

func TestCatchUpIsOutdated(t *testing.T) {
	const now = 210 * time.Second
	tests := []struct {
		name string
		with func(*rota.Policy)
		then func(*rota.Timer)
		at   time.Duration
		want string
	}{
		{name: "its turn comes", at: now, want: "fired 3m0s"},
		{name: "just in time", with: func(p *rota.Policy) { p.MaxLatenessSeconds = 60 }, at: 4 * time.Minute, want: "fired 3m0s"},
		{name: "too late", with: func(p *rota.Policy) { p.MaxLatenessSeconds = 60 }, at: 4*time.Minute + time.Millisecond, want: "missed too_late 3m0s"},
		{
			name: "a newer one ran", then: func(t *rota.Timer) { t.LastRunAt, t.RanFor = at(now+time.Second), at(3*time.Minute+time.Second) },
			at: 4 * time.Minute, want: "missed superseded 3m0s",
		},
		{
			name: "an older one ran since", then: func(t *rota.Timer) { t.LastRunAt = at(now + time.Second) },
			at: 4 * time.Minute, want: "fired 3m0s",
		},
		{
			name: "a newer one waits", then: func(t *rota.Timer) { t.Backlog, t.BacklogTo = 2, at(4*time.Minute) },
			at: 4 * time.Minute, want: "missed superseded 3m0s",
		},
		{
			name: "all, and a newer one ran", with: madeUpAll, then: func(t *rota.Timer) { t.LastRunAt, t.RanFor = at(now+time.Second), at(now) },
			at: 4 * time.Minute, want: "fired 1m0s",
		},
		{
			name: "the last run was taken", then: func(t *rota.Timer) { t.Policy.MaxRuns, t.RunCount = new(int64(2)), 2 },
			at: now, want: "blocked max_runs 3m0s",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			timer, line := lined(t, now, tt.with)
			if tt.then != nil {
				tt.then(&timer)
			}
			d := CatchUp(timer, line[0], at(tt.at))
			require.Equal(t, []string{tt.want}, outcomes(d.Records))
			require.Equal(t, timer.Backlog-1, d.Timer.Backlog)
		})
	}
}

func TestCatchUpBackfillIsNeverOutdated(t *testing.T) {
	timer, line := lined(t, 210*time.Second, nil)
	line[0].Trigger = rota.TriggerBackfill
	timer.LastRunAt, timer.RanFor = at(10*time.Hour), at(10*time.Hour)
	d := CatchUp(timer, line[0], at(100*time.Hour))
	require.Equal(t, []string{"fired 3m0s"}, outcomes(d.Records))
	require.Equal(t, rota.TriggerBackfill, d.Records[0].Trigger)
}

func TestCatchUpCompletes(t *testing.T) {
	t.Run("once", func(t *testing.T) {
		d := Decide(planned(t, onceAt(time.Minute), nil), at(time.Hour), at(time.Hour))
		require.Equal(t, rota.ScheduleActive, d.Timer.Status, "it has not run yet")
		require.Zero(t, d.Timer.DueAt)
		d = CatchUp(d.Timer, d.Records[0], at(time.Hour))
		require.Equal(t, rota.ScheduleCompleted, d.Timer.Status)
	})
	t.Run("max_runs", func(t *testing.T) {
		timer, line := lined(t, 210*time.Second, func(p *rota.Policy) {
			p.Missed, p.Overlap, p.MaxRuns = rota.MissedAll, rota.OverlapAllowAll, new(int64(2))
		})
		require.Len(t, line, 3)
		var got []string
		for _, o := range line {
			d := CatchUp(timer, o, at(210*time.Second))
			got, timer = append(got, outcomes(d.Records)...), d.Timer
		}
		require.Equal(t, []string{"fired 1m0s", "fired 2m0s", "blocked max_runs 3m0s"}, got)
		require.Equal(t, rota.ScheduleCompleted, timer.Status)
	})
}

// The backlog of a timer waits for open runs, unless they may be at work at
// once, and for what was buffered, which is newer.
func TestCatchUpPlace(t *testing.T) {
	timer, _ := lined(t, 210*time.Second, madeUpAll)
	require.Equal(t, at(3*time.Minute), timer.CatchUp(), "the newest of three")

	timer.OpenRuns = 1
	require.Zero(t, timer.CatchUp())
	timer.Policy.Overlap = rota.OverlapAllowAll
	require.Equal(t, at(3*time.Minute), timer.CatchUp())

	timer.OpenRuns, timer.Buffered = 0, at(time.Hour)
	require.Zero(t, timer.CatchUp())
	require.Zero(t, rota.Timer{}.CatchUp())
}

func TestPauseForgetsTheBacklog(t *testing.T) {
	timer, _ := lined(t, 210*time.Second, madeUpAll)
	paused, err := Pause(timer, rota.PauseReason{})
	require.NoError(t, err)
	require.Zero(t, paused.Backlog)
	require.Zero(t, paused.CatchUp())
}

func TestDropped(t *testing.T) {
	pause := func(t rota.Timer) rota.Timer { return rest(t, rota.SchedulePaused, nil) }
	late := planned(t, everyMinute, func(p *rota.Policy) { p.JitterSeconds = 600 })
	require.Empty(t, Dropped(late, pause(late), time.Time{}, at(59*time.Second)), "it has not come")
	require.Equal(t, []string{"blocked not_active 1m0s"}, outcomes(Dropped(late, pause(late), time.Time{}, at(time.Minute))))
	require.Equal(t, []string{"blocked not_active 1m0s..3m0s=3"}, outcomes(Dropped(late, pause(late), time.Time{}, at(210*time.Second))))
	require.Empty(t, Dropped(late, late, time.Time{}, at(210*time.Second)), "it still waits")

	ending := planned(t, everyMinute, func(p *rota.Policy) { p.JitterSeconds, p.EndAt = 600, instant(2*time.Minute) })
	require.Equal(t, []string{"blocked not_active 1m0s..2m0s=2"}, outcomes(Dropped(ending, pause(ending), time.Time{}, at(210*time.Second))))
	require.Equal(t, []string{"blocked not_active 1m0s..2m0s=2"}, outcomes(Dropped(ending, Delete(ending), time.Time{}, at(time.Hour))))
}

func TestSettlePutsWhatItDropsOnRecord(t *testing.T) {
	timer := planned(t, everyMinute, func(p *rota.Policy) { p.JitterSeconds, p.PauseAfterFailures = 600, new(1) })
	timer.OpenRuns = 1
	d := Settle(timer, rota.Result{Phase: rota.PhaseFailed, CompletedAt: at(90 * time.Second)})
	require.Equal(t, rota.SchedulePaused, d.Timer.Status)
	require.Equal(t, []string{"blocked not_active 1m0s"}, outcomes(d.Records))
}
