package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// outcomes writes records as "outcome reason offset", with the offset of a span's
// end and its count.
func outcomes(records []rota.Occurrence) []string {
	var out []string
	for _, o := range records {
		s := string(o.Outcome)
		if o.Reason != nil {
			s += " " + o.Reason.Code
		}
		s += fmt.Sprint(" ", o.ScheduledFor.Sub(start))
		if o.ScheduledUntil != nil {
			s += fmt.Sprintf("..%s=%d", o.ScheduledUntil.Sub(start), o.Count)
		}
		out = append(out, s)
	}
	return out
}

func TestDecideOverlap(t *testing.T) {
	tests := []struct {
		overlap  rota.Overlap
		open     int
		buffered time.Duration
		want     []string
		wait     time.Time
	}{
		{overlap: rota.OverlapSkip, want: []string{"fired 1m0s"}},
		{overlap: rota.OverlapSkip, open: 1, want: []string{"skipped_overlap overlap 1m0s"}},
		{overlap: rota.OverlapBufferOne, want: []string{"fired 1m0s"}},
		{overlap: rota.OverlapBufferOne, open: 1, want: []string{"buffered overlap 1m0s"}, wait: at(time.Minute)},
		{overlap: rota.OverlapBufferOne, open: 1, buffered: -time.Minute, want: []string{"skipped_overlap overlap 1m0s"}, wait: at(-time.Minute)},
		{overlap: rota.OverlapBufferOne, buffered: -time.Minute, want: []string{"fired -1m0s", "buffered overlap 1m0s"}, wait: at(time.Minute)},
		{overlap: rota.OverlapAllowAll, open: 7, want: []string{"fired 1m0s"}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.overlap, tt.open, tt.buffered), func(t *testing.T) {
			timer := planned(t, everyMinute, func(p *rota.Policy) { p.Overlap = tt.overlap })
			timer.OpenRuns, timer.LastRunID = tt.open, "arun_9"
			if tt.buffered != 0 {
				timer.Buffered = at(tt.buffered)
			}
			now := at(time.Minute + 1500*time.Millisecond)
			d := Decide(timer, now, start)
			require.Equal(t, tt.want, outcomes(d.Records))
			require.Equal(t, tt.wait, d.Timer.Buffered)
			require.Equal(t, at(2*time.Minute), d.Timer.NextRunAt)
			fired := 0
			for _, o := range d.Records {
				require.EqualValues(t, now.Sub(o.ScheduledFor.Time).Milliseconds(), *o.LatenessMS)
				require.Equal(t, now, o.RecordedAt.Time)
				require.EqualValues(t, 1, o.Count)
				if o.Outcome == rota.Fired {
					fired++
				}
			}
			require.EqualValues(t, fired, d.Timer.RunCount)
			require.Equal(t, tt.open+fired, d.Timer.OpenRuns)
			if fired > 0 {
				require.Equal(t, now, d.Timer.LastRunAt)
			}
		})
	}
}

func TestDecideNamesTheRunInTheWay(t *testing.T) {
	timer := planned(t, everyMinute, nil)
	timer.OpenRuns, timer.LastRunID = 1, "arun_9"
	d := Decide(timer, at(time.Minute), start)
	require.Equal(t, "run arun_9 had not ended", d.Records[0].Reason.Message)

	timer.OpenRuns, timer.Buffered, timer.Policy.Overlap = 0, start, rota.OverlapBufferOne
	d = Decide(timer, at(time.Minute), start)
	require.Equal(t, "it waits for another run of the schedule to end", d.Records[1].Reason.Message,
		"the one in the way starts now, arun_9 has ended")
}

func TestDecideNothingDue(t *testing.T) {
	timer := planned(t, everyMinute, nil)
	d := Decide(timer, at(time.Minute-time.Millisecond), start)
	require.Empty(t, d.Records)
	require.Equal(t, timer, d.Timer)
}

func TestDecideRestsWhatIsNotActive(t *testing.T) {
	why := &rota.PauseReason{Code: rota.PausedManually}
	timer := planned(t, everyMinute, nil)
	timer.Status, timer.PauseReason = rota.SchedulePaused, why
	d := Decide(timer, at(time.Hour), start)
	require.Empty(t, d.Records)
	require.Zero(t, d.Timer.DueAt)
	require.Equal(t, rota.SchedulePaused, d.Timer.Status)
	require.Equal(t, why, d.Timer.PauseReason)
}

func TestDecidePausesWhatHasNoAgent(t *testing.T) {
	timer := planned(t, everyMinute, nil)
	timer.AgentDeletedAt, timer.Buffered = at(90*time.Second), start
	d := Decide(timer, at(time.Hour), start)
	require.Equal(t, []string{"blocked not_active 1m0s"}, outcomes(d.Records), "the pause has the others")
	require.Equal(t, rota.SchedulePaused, d.Timer.Status)
	require.Equal(t, rota.PauseReason{Code: rota.PausedByDeletion, At: rota.InstantOf(at(90 * time.Second))}, *d.Timer.PauseReason)
	require.Zero(t, d.Timer.DueAt)
	require.Zero(t, d.Timer.Buffered)
}

func TestDecidePausesWhatHasNoTimes(t *testing.T) {
	timer := planned(t, everyMinute, nil)
	timer.Spec.Timezone = "Mars/Olympus"
	d := Decide(timer, at(time.Hour), start)
	require.Empty(t, d.Records)
	require.Equal(t, rota.SchedulePaused, d.Timer.Status)
	require.Contains(t, *d.Timer.PauseReason.Note, "Mars/Olympus")
	require.Equal(t, at(time.Hour), d.Timer.PauseReason.At.Time)
}

func TestDecideLateIsNotMissed(t *testing.T) {
	timer := planned(t, everyMinute, func(p *rota.Policy) { p.Missed, p.MaxLatenessSeconds = rota.MissedSkip, 0 })
	d := Decide(timer, at(time.Hour), at(time.Minute))
	require.Equal(t, []string{"fired 1m0s"}, outcomes(d.Records), "however late")
	require.Equal(t, at(2*time.Minute), d.Timer.DueAt, "the next is due at once")
}

func TestDecideCompletes(t *testing.T) {
	tests := []struct {
		name string
		spec rota.Spec
		with func(*rota.Policy)
	}{
		{"once", onceAt(time.Minute), nil},
		{"end_at", everyMinute, func(p *rota.Policy) { p.EndAt = instant(119 * time.Second) }},
		{"max_runs", everyMinute, func(p *rota.Policy) { p.MaxRuns = new(int64(1)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Decide(planned(t, tt.spec, tt.with), at(time.Minute), start)
			require.Equal(t, []string{"fired 1m0s"}, outcomes(d.Records))
			require.Equal(t, rota.ScheduleCompleted, d.Timer.Status)
			require.Zero(t, d.Timer.NextRunAt)
			require.Zero(t, d.Timer.DueAt)
		})
	}
}

func TestDecideBufferedOutlivesTheEnd(t *testing.T) {
	for name, with := range map[string]func(*rota.Policy){
		"end_at":   func(p *rota.Policy) { p.EndAt = instant(119 * time.Second) },
		"max_runs": func(p *rota.Policy) { p.MaxRuns = new(int64(2)) },
	} {
		t.Run(name, func(t *testing.T) {
			timer := planned(t, everyMinute, func(p *rota.Policy) { with(p); p.Overlap = rota.OverlapBufferOne })
			timer.OpenRuns, timer.RunCount = 1, 1
			d := Decide(timer, at(time.Minute), start)
			require.Equal(t, []string{"buffered overlap 1m0s"}, outcomes(d.Records))
			require.Equal(t, rota.ScheduleActive, d.Timer.Status, "something waits")
			require.Zero(t, d.Timer.DueAt, "and there is nothing to do before the run ends")

			ended := settle(d.Timer, rota.Result{Phase: rota.PhaseFailed, CompletedAt: at(90 * time.Second)})
			require.Equal(t, at(90*time.Second), ended.DueAt)
			d = Decide(ended, at(90*time.Second), start)
			require.Equal(t, []string{"fired 1m0s"}, outcomes(d.Records))
			require.Equal(t, rota.ScheduleCompleted, d.Timer.Status)
			require.EqualValues(t, 2, d.Timer.RunCount)
		})
	}
}

func TestDecideSkips(t *testing.T) {
	timer := planned(t, everyMinute, func(p *rota.Policy) { p.MaxRuns = new(int64(1)) })
	timer.Skips = []rota.Instant{*instant(time.Minute), *instant(3 * time.Minute)}
	d := Decide(timer, at(time.Minute), start)
	require.Equal(t, []string{"skipped_requested requested 1m0s"}, outcomes(d.Records))
	require.Equal(t, []rota.Instant{*instant(3 * time.Minute)}, d.Timer.Skips)
	require.Zero(t, d.Timer.RunCount)
	require.Equal(t, rota.ScheduleActive, d.Timer.Status)
	require.Len(t, timer.Skips, 2, "the timer before is as it was")
}

func TestTrigger(t *testing.T) {
	now := at(30 * time.Second)
	active := planned(t, everyMinute, nil)
	d := Trigger(active, now, now)
	require.Equal(t, []string{"fired 30s"}, outcomes(d.Records))
	require.Equal(t, rota.TriggerManual, d.Records[0].Trigger)
	require.Equal(t, at(time.Minute), d.Timer.NextRunAt, "its times go on")
	require.EqualValues(t, 1, d.Timer.RunCount)

	for _, s := range []rota.ScheduleStatus{rota.SchedulePaused, rota.ScheduleCompleted} {
		resting := rest(active, s, nil)
		resting.Policy.Overlap = rota.OverlapBufferOne
		d := Trigger(resting, now, now)
		require.Equal(t, []string{"fired 30s"}, outcomes(d.Records))
		require.Equal(t, s, d.Timer.Status)
		d = Trigger(d.Timer, now.Add(time.Second), now.Add(time.Second))
		require.Equal(t, []string{"skipped_overlap overlap 31s"}, outcomes(d.Records), "nothing waits in what rests")
	}

	busy := active
	busy.OpenRuns, busy.Policy.Overlap = 1, rota.OverlapBufferOne
	d = Trigger(busy, now, now)
	require.Equal(t, []string{"buffered overlap 30s"}, outcomes(d.Records))
	require.Equal(t, now, d.Timer.Buffered)
}

func TestTriggerTakesTheLastRun(t *testing.T) {
	timer := planned(t, everyMinute, func(p *rota.Policy) { p.MaxRuns, p.Overlap = new(int64(2)), rota.OverlapBufferOne })
	timer.RunCount = 1
	d := Trigger(timer, at(time.Second), at(time.Second))
	require.Equal(t, rota.ScheduleCompleted, d.Timer.Status, "no nominal time will come that could not run")
	require.Zero(t, d.Timer.DueAt)

	timer.OpenRuns = 1
	d = Trigger(timer, at(time.Second), at(time.Second))
	require.Equal(t, []string{"buffered overlap 1s"}, outcomes(d.Records))
	require.Equal(t, rota.ScheduleActive, d.Timer.Status)
	require.Zero(t, d.Timer.NextRunAt)
}

func TestIntervalNeverDrifts(t *testing.T) {
	timer := planned(t, everyMinute, func(p *rota.Policy) { p.Overlap, p.JitterSeconds = rota.OverlapAllowAll, 7 })
	for i := 1; i <= 10_000; i++ {
		late := time.Duration(i%97) * 50 * time.Millisecond
		d := Decide(timer, timer.DueAt.Add(late), start)
		require.Len(t, d.Records, 1)
		require.Equal(t, at(time.Duration(i)*time.Minute), d.Records[0].ScheduledFor.Time)
		timer = d.Timer
	}
}
