package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// ledger records what Decide does with a timer whenever it is due, up to an instant.
type ledger []rota.Occurrence

// decides lets a timer be decided at an instant until nothing is due.
func (l *ledger) decides(t rota.Timer, now, since time.Time) rota.Timer {
	for !t.DueAt.IsZero() && !t.DueAt.After(now) {
		d := Decide(t, now, since)
		for _, o := range d.Records {
			if o.Outcome == rota.Fired {
				id := rota.RunID("run_" + o.ScheduledFor.String())
				o.RunID = &id
				d.Timer.OpenRuns = 0
			}
			*l = append(*l, o)
		}
		t = d.Timer
	}
	return t
}

// runs lets a timer be decided at each of its times, up to an instant.
func (l *ledger) runs(t rota.Timer, until time.Time) rota.Timer {
	for t.Status == rota.ScheduleActive && !t.DueAt.IsZero() && !t.DueAt.After(until) {
		t = l.decides(t, t.DueAt, start)
	}
	return t
}

// after returns the rows that are about times after an instant.
func (l ledger) after(now time.Time) (rows []rota.Occurrence) {
	for _, o := range l {
		if o.ScheduledFor.After(now) || o.ScheduledUntil != nil && o.ScheduledUntil.After(now) {
			rows = append(rows, o)
		}
	}
	return rows
}

func TestRewindAfterAMomentAhead(t *testing.T) {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		spec   rota.Spec
		policy func(*rota.Policy)
		ahead  time.Duration
		next   time.Duration // after the start; the clock is right again after 5 s
	}{
		"an interval, a day":           {spec: everyMinute, ahead: day, next: time.Minute},
		"an interval, a year":          {spec: everyMinute, ahead: year, next: time.Minute},
		"an interval, all made up for": {spec: everyMinute, policy: func(p *rota.Policy) { p.Missed = rota.MissedAll }, ahead: year, next: time.Minute},
		"an interval with a start": {
			spec:  rota.Spec{Type: rota.Interval, IntervalSeconds: 60, StartAt: rota.InstantOf(start).String(), Timezone: "UTC"},
			ahead: day, next: time.Minute,
		},
		"every hour":                 {spec: hourly, ahead: day, next: time.Hour},
		"every hour, a year":         {spec: hourly, ahead: year, next: time.Hour},
		"every hour, nothing is due": {spec: hourly, ahead: time.Minute, next: time.Hour},
		"once":                       {spec: onceAt(time.Hour), policy: func(p *rota.Policy) { p.MaxLatenessSeconds = 60 }, ahead: day, next: time.Hour},
		"the end":                    {spec: hourly, policy: func(p *rota.Policy) { p.EndAt = instant(90 * time.Minute); p.MaxLatenessSeconds = 60 }, ahead: day, next: time.Hour},
		"jitter":                     {spec: hourly, policy: func(p *rota.Policy) { p.JitterSeconds = 600 }, ahead: day, next: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			var l ledger
			timer := planned(t, c.spec, c.policy)
			wrong, now := at(c.ahead), at(5*time.Second)
			timer = l.decides(timer, wrong, wrong)
			got := Rewind(timer, l.after(now), time.Time{}, now)
			require.Equal(t, rota.ScheduleActive, got.Timer.Status)
			require.Equal(t, at(c.next), got.Timer.NextRunAt)
			require.Equal(t, Due("asch_1", timer.Policy, at(c.next)), got.Timer.DueAt)
			require.Zero(t, got.Timer.Backlog, "what had been lined up has not come")
			require.False(t, got.Timer.LastRunAt.After(now))
			require.Empty(t, got.Splits)
			for _, o := range l.after(now) {
				if o.RunID == nil {
					require.Contains(t, got.Withdrawn, o.ScheduledFor)
				} else {
					require.NotContains(t, got.Withdrawn, o.ScheduledFor)
				}
			}
			require.Equal(t, got.Timer, Rewind(got.Timer, nil, time.Time{}, now).Timer, "and so it stays")
		})
	}
}

func TestRewindDoesNotRunATimeTwice(t *testing.T) {
	var l ledger
	timer := l.runs(planned(t, hourly, nil), at(3*time.Hour+time.Minute))
	now := at(90 * time.Minute)
	got := Rewind(timer, l.after(now), time.Time{}, now)
	require.Empty(t, got.Withdrawn)
	require.Equal(t, at(4*time.Hour), got.Timer.NextRunAt, "hours 2 and 3 have run")

	l = nil
	timer = l.runs(planned(t, everyMinute, nil), at(time.Hour))
	now = at(30 * time.Minute)
	got = Rewind(timer, l.after(now), time.Time{}, now)
	require.Equal(t, now.Add(time.Minute+time.Millisecond), got.Timer.NextRunAt, "an interval is counted anew, beside its old times")
}

func TestRewindKeepsWhatSomebodyAskedFor(t *testing.T) {
	id := rota.RunID("run_1")
	row := func(after time.Duration, o rota.Outcome, by rota.Trigger) rota.Occurrence {
		return rota.Occurrence{ScheduleID: "asch_1", ScheduledFor: rota.InstantOf(at(after)), Count: 1, Outcome: o, Trigger: by}
	}
	blocked := row(4*time.Hour, rota.Blocked, rota.TriggerSchedule)
	blocked.RunID = &id
	ahead := []rota.Occurrence{
		row(time.Hour, rota.SkippedRequested, rota.TriggerSchedule),
		row(2*time.Hour, rota.SkippedOverlap, rota.TriggerSchedule),
		row(3*time.Hour, rota.Buffered, rota.TriggerSchedule),
		row(3*time.Hour+1, rota.Fired, rota.TriggerManual),
		blocked,
		row(5*time.Hour, rota.Buffered, rota.TriggerSchedule),
		row(6*time.Hour, rota.Buffered, rota.TriggerBackfill),
	}
	timer := planned(t, hourly, func(p *rota.Policy) { p.MaxRuns = new(int64(3)) })
	timer.Buffered, timer.Backlog, timer.BacklogTo, timer.RunCount = at(5*time.Hour), 3, at(6*time.Hour), 2
	timer.NextRunAt, timer.DueAt = time.Time{}, time.Time{}
	got := Rewind(timer, ahead, time.Time{}, start)
	require.Equal(t, []rota.Instant{ahead[1].ScheduledFor, ahead[2].ScheduledFor, ahead[5].ScheduledFor, ahead[6].ScheduledFor}, got.Withdrawn)
	require.Zero(t, got.Timer.Buffered)
	require.Equal(t, 1, got.Timer.Backlog, "of times that have come")
	require.Equal(t, start, got.Timer.BacklogTo)
	require.Equal(t, at(2*time.Hour), got.Timer.NextRunAt, "the last run has its place again")
}

func TestRewindCutsASpan(t *testing.T) {
	var l ledger
	timer := planned(t, hourly, func(p *rota.Policy) { p.Missed = rota.MissedSkip })
	timer = l.decides(timer, at(24*time.Hour+time.Minute), at(24*time.Hour+time.Minute))
	require.Len(t, l, 1)
	now := at(5 * time.Hour)
	got := Rewind(timer, l.after(now), time.Time{}, now)
	require.Empty(t, got.Withdrawn)
	require.Len(t, got.Splits, 1)
	require.Len(t, got.Splits[0].Parts, 1)
	part := got.Splits[0].Parts[0]
	require.EqualValues(t, 5, part.Count)
	require.Equal(t, at(time.Hour), part.ScheduledFor.Time)
	require.Equal(t, now, part.ScheduledUntil.Time, "a time that is now has come")
	require.Equal(t, at(6*time.Hour), got.Timer.NextRunAt)
}

func TestRewindOfSchedulesThatRest(t *testing.T) {
	ran := planned(t, onceAt(time.Hour), nil)
	var l ledger
	ran = l.decides(ran, at(time.Hour), start)
	require.Equal(t, rota.ScheduleCompleted, ran.Status)
	got := Rewind(ran, l.after(start), time.Time{}, start)
	require.Equal(t, rota.ScheduleCompleted, got.Timer.Status, "it has run, and runs once")
	require.Equal(t, start, got.Timer.LastRunAt)

	paused, err := Pause(planned(t, hourly, nil), rota.PauseReason{Code: rota.PausedManually, At: rota.InstantOf(at(24 * time.Hour))})
	require.NoError(t, err)
	got = Rewind(paused, []rota.Occurrence{{ScheduledFor: rota.InstantOf(at(time.Hour)), Outcome: rota.MissedOutcome, Count: 1}}, time.Time{}, start)
	require.Equal(t, rota.SchedulePaused, got.Timer.Status)
	require.Equal(t, start, got.Timer.PauseReason.At.Time)
	require.Equal(t, at(24*time.Hour), paused.PauseReason.At.Time, "and the reason that was given is not changed")
	require.Len(t, got.Withdrawn, 1)

	due := planned(t, hourly, nil)
	got = Rewind(due, nil, time.Time{}, at(time.Hour))
	require.Equal(t, due, got.Timer, "it is due, and not decided yet")

	waits := planned(t, hourly, func(p *rota.Policy) { p.Overlap = rota.OverlapBufferOne })
	waits.Buffered, waits.DueAt = at(-time.Hour), at(24*time.Hour) // its run ended when the clock was ahead
	got = Rewind(waits, nil, time.Time{}, start)
	require.Equal(t, start, got.Timer.DueAt)
	require.Equal(t, at(-time.Hour), got.Timer.Buffered)

	nowhere := planned(t, hourly, nil)
	nowhere.Spec.Timezone = "Nowhere/Now"
	require.Equal(t, nowhere, Rewind(nowhere, nil, time.Time{}, start).Timer)
}

// Whenever a clock is set back, the next time of an interval is no further than its
// length, and no time runs twice.
func TestRewindOfIntervalsAtAnyTime(t *testing.T) {
	for _, every := range []int64{7, 60, 3600} {
		spec := rota.Spec{Type: rota.Interval, IntervalSeconds: every, Timezone: "UTC"}
		length := time.Duration(every) * time.Second
		for _, back := range []time.Duration{10 * time.Second, time.Minute, time.Hour, 5 * time.Hour} {
			var l ledger
			timer := l.runs(planned(t, spec, nil), at(3*time.Hour))
			now := at(3*time.Hour - back)
			got := Rewind(timer, l.after(now), time.Time{}, now)
			wait := got.Timer.NextRunAt.Sub(now)
			require.True(t, wait > 0 && wait <= length+time.Millisecond, "every %s, back %s: the next is in %s", length, back, wait)
			cal, err := calendar.Parse(got.Timer.Spec, got.Timer.Anchor)
			require.NoError(t, err)
			ran := map[time.Time]bool{}
			for _, o := range l.after(now) {
				ran[o.ScheduledFor.Time] = true
			}
			for next, n := got.Timer.NextRunAt, 0; n < 1000; n++ {
				require.False(t, ran[next], "every %s, back %s: %s has run", length, back, next)
				next, _ = cal.Next(next)
			}
		}
	}
}

func TestReadyAgain(t *testing.T) {
	ended := func(after time.Duration, wait *int64) rota.RunAttempt {
		return rota.RunAttempt{EndedAt: instant(after), WaitMS: wait}
	}
	for name, c := range map[string]struct {
		attempts []rota.RunAttempt
		want     time.Duration
	}{
		"queued":                   {nil, 0},
		"cut off":                  {[]rota.RunAttempt{{}}, 0},
		"waits since before":       {[]rota.RunAttempt{ended(-time.Minute, new(int64(7200_000)))}, time.Hour},
		"waits since a time ahead": {[]rota.RunAttempt{ended(59*time.Minute, new(int64(60_000)))}, time.Minute},
		"goes on at once":          {[]rota.RunAttempt{ended(time.Hour, nil)}, 0},
	} {
		w := rota.WaitingRun{ReadyAt: at(time.Hour), Attempts: c.attempts}
		require.Equal(t, at(c.want), ReadyAgain(w, start), name)
	}
}

// TestRewindLeavesWhatWasDeleted: the clock was ahead for so long that outcomes of times
// that are ahead now have been deleted for their age.
func TestRewindLeavesWhatWasDeleted(t *testing.T) {
	timer := rota.Timer{
		ScheduleID: "asch_1", Status: rota.ScheduleActive, Policy: rota.DefaultPolicy(), Anchor: start,
		Spec: rota.Spec{Type: rota.Cron, CronExpression: "* * * * *"}, NextRunAt: at(48 * time.Hour), DueAt: at(48 * time.Hour),
	}
	require.Equal(t, at(time.Hour+time.Minute), Rewind(timer, nil, at(time.Hour), start).Timer.NextRunAt)
	require.Equal(t, at(time.Minute), Rewind(timer, nil, at(-time.Hour), start).Timer.NextRunAt)
	timer.Spec = rota.Spec{Type: rota.Interval, IntervalSeconds: 60}
	require.Equal(t, at(time.Minute+time.Millisecond), Rewind(timer, nil, at(time.Hour), start).Timer.NextRunAt, "an interval is counted anew: its times are others")
}
