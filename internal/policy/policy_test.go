package policy

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func at(after time.Duration) time.Time { return start.Add(after) }

func instant(after time.Duration) *rota.Instant { return rota.InstantOrNil(at(after)) }

var (
	everyMinute = rota.Spec{Type: rota.Interval, IntervalSeconds: 60, Timezone: "UTC"}
	hourly      = rota.Spec{Type: rota.Cron, CronExpression: "0 * * * *", Timezone: "UTC"}
)

func onceAt(after time.Duration) rota.Spec {
	return rota.Spec{Type: rota.Once, RunAt: rota.InstantOf(at(after)).String(), Timezone: "UTC"}
}

// planned returns a timer that was planned at the start.
func planned(t *testing.T, spec rota.Spec, change func(*rota.Policy)) rota.Timer {
	t.Helper()
	timer := rota.Timer{ScheduleID: "asch_1", Spec: spec, Anchor: start, Policy: rota.DefaultPolicy()}
	if change != nil {
		change(&timer.Policy)
	}
	timer, err := Plan(timer, start)
	require.NoError(t, err)
	return timer
}

func TestPlan(t *testing.T) {
	tests := []struct {
		name   string
		spec   rota.Spec
		policy func(*rota.Policy)
		runs   int64
		next   time.Time // zero: completed
	}{
		{name: "interval", spec: everyMinute, next: at(time.Minute)},
		{name: "cron", spec: hourly, next: at(time.Hour)},
		{name: "once ahead", spec: onceAt(time.Second), next: at(time.Second)},
		{name: "once behind", spec: onceAt(-time.Second)},
		{name: "once now", spec: onceAt(0)},
		{name: "start_at is a nominal time", spec: hourly, policy: func(p *rota.Policy) { p.StartAt = instant(5 * time.Hour) }, next: at(5 * time.Hour)},
		{name: "start_at is none", spec: hourly, policy: func(p *rota.Policy) { p.StartAt = instant(5*time.Hour + 1e6) }, next: at(6 * time.Hour)},
		{name: "start_at behind", spec: hourly, policy: func(p *rota.Policy) { p.StartAt = instant(-5 * time.Hour) }, next: at(time.Hour)},
		{name: "end_at on the next time", spec: hourly, policy: func(p *rota.Policy) { p.EndAt = instant(time.Hour) }, next: at(time.Hour)},
		{name: "end_at before the next time", spec: hourly, policy: func(p *rota.Policy) { p.EndAt = instant(time.Hour - 1e6) }},
		{name: "once after end_at", spec: onceAt(time.Hour), policy: func(p *rota.Policy) { p.EndAt = instant(time.Minute) }},
		{name: "once before start_at", spec: onceAt(time.Hour), policy: func(p *rota.Policy) { p.StartAt = instant(2 * time.Hour) }},
		{name: "a run is left", spec: hourly, policy: func(p *rota.Policy) { p.MaxRuns = new(int64(3)) }, runs: 2, next: at(time.Hour)},
		{name: "no run is left", spec: hourly, policy: func(p *rota.Policy) { p.MaxRuns = new(int64(3)) }, runs: 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			timer := rota.Timer{
				Spec: tt.spec, Anchor: start, Policy: rota.DefaultPolicy(), RunCount: tt.runs,
				Status: rota.SchedulePaused, PauseReason: &rota.PauseReason{Code: rota.PausedManually},
			}
			if tt.policy != nil {
				tt.policy(&timer.Policy)
			}
			got, err := Plan(timer, start)
			require.NoError(t, err)
			require.Equal(t, tt.next, got.NextRunAt)
			require.Equal(t, tt.next, got.DueAt)
			require.Nil(t, got.PauseReason)
			want := rota.ScheduleActive
			if tt.next.IsZero() {
				want = rota.ScheduleCompleted
			}
			require.Equal(t, want, got.Status)
		})
	}
	_, err := Plan(rota.Timer{Spec: rota.Spec{Type: rota.Cron, CronExpression: "x", Timezone: "UTC"}}, start)
	require.ErrorIs(t, err, rota.Invalid)
}

func TestPause(t *testing.T) {
	why := rota.PauseReason{Code: rota.PausedManually, At: rota.InstantOf(start)}
	active := planned(t, hourly, nil)
	active.Buffered = at(-time.Hour)
	paused, err := Pause(active, why)
	require.NoError(t, err)
	require.Equal(t, rota.SchedulePaused, paused.Status)
	require.Equal(t, &why, paused.PauseReason)
	require.Zero(t, paused.NextRunAt)
	require.Zero(t, paused.DueAt)
	require.Zero(t, paused.Buffered)

	again, err := Pause(paused, rota.PauseReason{Code: rota.PausedByFailures})
	require.NoError(t, err)
	require.Equal(t, paused, again, "it keeps its reason")

	_, err = Pause(rota.Timer{Status: rota.ScheduleCompleted}, why)
	require.ErrorIs(t, err, rota.Conflict)
}

func TestResume(t *testing.T) {
	paused, err := Pause(planned(t, hourly, nil), rota.PauseReason{Code: rota.PausedByFailures})
	require.NoError(t, err)
	paused.ConsecutiveFailures = 5
	got, err := Resume(paused, at(150*time.Minute))
	require.NoError(t, err)
	require.Equal(t, rota.ScheduleActive, got.Status)
	require.Equal(t, at(3*time.Hour), got.NextRunAt, "what fell due while it was paused is not made up for")
	require.Zero(t, got.ConsecutiveFailures)
	require.Nil(t, got.PauseReason)

	same, err := Resume(got, at(10*time.Hour))
	require.NoError(t, err)
	require.Equal(t, got, same)

	_, err = Resume(rota.Timer{Status: rota.ScheduleCompleted}, start)
	require.ErrorIs(t, err, rota.Conflict)

	once, err := Pause(planned(t, onceAt(time.Hour), nil), rota.PauseReason{})
	require.NoError(t, err)
	once, err = Resume(once, at(2*time.Hour))
	require.NoError(t, err)
	require.Equal(t, rota.ScheduleCompleted, once.Status, "its only time has passed")
}

func TestSettle(t *testing.T) {
	ended := func(p rota.Phase) rota.Result {
		return rota.Result{Phase: p, ResponseID: "resp_2", CompletedAt: at(90 * time.Second)}
	}
	timer := planned(t, hourly, nil)
	timer.OpenRuns, timer.RunCount, timer.ConsecutiveFailures, timer.LastResponseID = 2, 7, 3, "resp_1"

	done := settle(timer, ended(rota.PhaseCompleted))
	require.Equal(t, 1, done.OpenRuns)
	require.Zero(t, done.ConsecutiveFailures)
	require.Equal(t, "resp_2", done.LastResponseID)
	require.Equal(t, timer.DueAt, done.DueAt)

	unnamed := ended(rota.PhaseCompleted)
	unnamed.ResponseID = ""
	require.Equal(t, "resp_1", settle(timer, unnamed).LastResponseID)

	failed := settle(timer, ended(rota.PhaseFailed))
	require.Equal(t, 4, failed.ConsecutiveFailures)
	require.Equal(t, "resp_1", failed.LastResponseID)
	require.Equal(t, rota.ScheduleActive, failed.Status)

	cancelled := settle(timer, ended(rota.PhaseCancelled))
	require.Equal(t, 3, cancelled.ConsecutiveFailures)
	require.EqualValues(t, 7, cancelled.RunCount)

	blocked := ended(rota.PhaseCancelled)
	blocked.Blocked = true
	require.EqualValues(t, 6, settle(timer, blocked).RunCount, "it never started")

	require.Zero(t, settle(rota.Timer{}, ended(rota.PhaseCompleted)).OpenRuns, "never below zero")
}

func TestSettlePausesAfterFailures(t *testing.T) {
	timer := planned(t, hourly, func(p *rota.Policy) { p.PauseAfterFailures = new(2) })
	timer.OpenRuns, timer.Buffered = 1, at(-time.Minute)
	r := rota.Result{Phase: rota.PhaseFailed, CompletedAt: at(time.Minute)}
	timer = settle(timer, r)
	require.Equal(t, rota.ScheduleActive, timer.Status)
	timer = settle(timer, r)
	require.Equal(t, rota.SchedulePaused, timer.Status)
	note := "2 runs failed in a row"
	require.Equal(t, &rota.PauseReason{Code: rota.PausedByFailures, Note: &note, At: *instant(time.Minute)}, timer.PauseReason)
	require.Zero(t, timer.DueAt)
	require.Zero(t, timer.Buffered)

	completed := timer
	completed.Status, completed.PauseReason = rota.ScheduleCompleted, nil
	require.Equal(t, rota.ScheduleCompleted, settle(completed, r).Status, "there is nothing to pause")
}

func TestSettleWakesWhatWaits(t *testing.T) {
	timer := planned(t, hourly, nil)
	timer.OpenRuns, timer.Buffered = 2, at(-time.Minute)
	r := rota.Result{Phase: rota.PhaseCompleted, CompletedAt: at(time.Minute)}
	timer = settle(timer, r)
	require.Equal(t, at(time.Hour), timer.DueAt, "one is still at work")
	timer = settle(timer, r)
	require.Equal(t, at(time.Minute), timer.DueAt)
}

func TestDue(t *testing.T) {
	p := rota.DefaultPolicy()
	require.Equal(t, start, Due("asch_1", p, start))
	p.JitterSeconds = 30
	seen := map[time.Duration]bool{}
	for i := range 1000 {
		nominal := at(time.Duration(i) * time.Hour)
		due := Due("asch_1", p, nominal)
		require.Equal(t, due, Due("asch_1", p, nominal), "always the same")
		late := due.Sub(nominal)
		require.GreaterOrEqual(t, late, time.Duration(0))
		require.LessOrEqual(t, late, 30*time.Second)
		seen[late/time.Second] = true
	}
	require.GreaterOrEqual(t, len(seen), 30, "they are spread")
	require.NotEqual(t, Due("asch_1", p, start), Due("asch_2", p, start), "each schedule has its own")
}

func TestRetryDelay(t *testing.T) {
	r := rota.Retry{MaxWaitSeconds: 3600}
	full := time.Second
	for round := 1; round < 100; round++ {
		d := RetryDelay(r, "arun_1", round, 0)
		require.LessOrEqual(t, d, full)
		require.Greater(t, d, full/2)
		full = min(2*full, time.Minute)
	}
	require.Equal(t, 17*time.Minute, RetryDelay(r, "arun_1", 1, 17*time.Minute))
	require.Equal(t, time.Hour, RetryDelay(r, "arun_1", 1, 24*time.Hour), "the policy bounds what a provider may ask for")
	require.Greater(t, RetryDelay(r, "arun_1", 50, time.Second), 30*time.Second, "the longer of the two")
	require.NotEqual(t, RetryDelay(r, "arun_1", 5, 0), RetryDelay(r, "arun_2", 5, 0), "runs that failed together are spread out")
}

// TestFailed follows runs of two fallback models, letter by letter: f is a failure
// that a repetition may mend, x one that it may not, o one after output, c a crash.
// A digit is the model that is asked, _ a wait, ! the end.
func TestFailed(t *testing.T) {
	for story, want := range map[string]string{
		"fff":       "012_0",
		"xxx":       "012!",
		"xfx":       "012_0",
		"o":         "0_0",
		"fo":        "01_0",
		"ffffff":    "012_012!",
		"oo":        "0_0!",
		"fcf":       "0112",
		"cccf":      "00001",
		"fffxxx":    "012_012!",
		"xxfxxcxff": "012_0122!",
	} {
		w := rota.Work{Policy: rota.DefaultPolicy(), Agent: rota.AgentConfig{Model: "0", FallbackModels: []string{"1", "2"}}}
		w.Policy.Retry.MaxAttempts = 2
		got := w.Model()
		for i, event := range story {
			round, _ := rota.NextAttempt(w.Run.Attempts)
			a := rota.RunAttempt{Number: i + 1, Round: round, Model: w.Model(), EndedAt: instant(0), Retryable: event != 'x'}
			again := true
			if event == 'c' {
				a.EndedAt = nil
			} else {
				a, again = Failed(w, a, event == 'o')
			}
			w.Run.Attempts = append(w.Run.Attempts, a)
			if a.WaitMS != nil {
				got += "_"
			}
			if !again {
				got += "!"
				break
			}
			got += w.Model()
		}
		require.Equal(t, want, got, story)
	}
}

func TestFailedWaitsAsLongAsAProviderOfTheRoundAskedFor(t *testing.T) {
	w := rota.Work{Policy: rota.DefaultPolicy(), Agent: rota.AgentConfig{Model: "0", FallbackModels: []string{"1"}}}
	asked := int64(90_000)
	first, again := Failed(w, rota.RunAttempt{Number: 1, Round: 1, EndedAt: instant(0), Retryable: true, RetryAfterMS: &asked}, false)
	require.True(t, again)
	require.Nil(t, first.WaitMS)
	w.Run.Attempts = []rota.RunAttempt{first}
	second, again := Failed(w, rota.RunAttempt{Number: 2, Round: 1, EndedAt: instant(0)}, false)
	require.True(t, again)
	require.Equal(t, asked, *second.WaitMS)
}

func TestSkipAndUnskip(t *testing.T) {
	timer := planned(t, hourly, func(p *rota.Policy) { p.EndAt = instant(200 * time.Hour) })
	for _, h := range []time.Duration{3, 1, 2, 3} {
		var err error
		timer, err = Skip(timer, *instant(h * time.Hour), start)
		require.NoError(t, err)
	}
	require.Equal(t, []rota.Instant{*instant(time.Hour), *instant(2 * time.Hour), *instant(3 * time.Hour)}, timer.Skips)
	before := timer.Skips
	timer = Unskip(timer, *instant(2 * time.Hour))
	require.Equal(t, []rota.Instant{*instant(time.Hour), *instant(3 * time.Hour)}, timer.Skips)
	require.Len(t, before, 3, "the timer before is as it was")
	require.Equal(t, timer, Unskip(timer, *instant(2 * time.Hour)))

	for name, bad := range map[string]time.Duration{
		"none of its times": 90 * time.Minute, "passed": -time.Hour, "now": 0, "after its end": 201 * time.Hour,
	} {
		_, err := Skip(timer, *instant(bad), start)
		var e *rota.Error
		require.True(t, errors.As(err, &e), name)
		require.Equal(t, "scheduled_for", e.Field, name)
	}
	decided := timer
	decided.NextRunAt = at(2 * time.Hour)
	_, err := Skip(decided, *instant(time.Hour), start)
	require.ErrorIs(t, err, rota.Invalid, "it has an outcome already")
	over := timer
	over.Status, over.NextRunAt = rota.ScheduleCompleted, time.Time{}
	_, err = Skip(over, *instant(time.Hour), start)
	require.ErrorIs(t, err, rota.Invalid, "there is nothing to skip")

	for h := 1; len(timer.Skips) < rota.MaxSkips; h++ {
		timer, err = Skip(timer, *instant(time.Duration(h) * time.Hour), start)
		require.NoError(t, err)
	}
	_, err = Skip(timer, *instant(150 * time.Hour), start)
	require.ErrorIs(t, err, rota.Conflict)
}

func TestUpcoming(t *testing.T) {
	timer := planned(t, hourly, func(p *rota.Policy) { p.MaxRuns, p.EndAt = new(int64(3)), instant(6*time.Hour) })
	timer.Skips = []rota.Instant{*instant(2 * time.Hour)}
	cal, err := calendar.Parse(timer.Spec, timer.Anchor)
	require.NoError(t, err)
	hours := func(hs ...time.Duration) (out []time.Time) {
		for _, h := range hs {
			out = append(out, at(h*time.Hour))
		}
		return out
	}
	require.Equal(t, hours(1, 2, 3, 4), Upcoming(timer, cal, start, 10, time.Time{}), "one that is skipped takes no run")
	require.Equal(t, hours(1, 2), Upcoming(timer, cal, start, 2, time.Time{}))
	require.Equal(t, hours(2, 3), Upcoming(timer, cal, at(time.Hour), 10, at(4*time.Hour)))
	require.Equal(t, hours(5, 6), Upcoming(timer, cal, at(4*time.Hour), 10, time.Time{}), "up to end_at")
	timer.RunCount, timer.Buffered = 1, start
	require.Equal(t, hours(1), Upcoming(timer, cal, start, 10, time.Time{}), "what waits takes a run")
	timer.RunCount = 3
	require.Empty(t, Upcoming(timer, cal, start, 10, time.Time{}))
}
