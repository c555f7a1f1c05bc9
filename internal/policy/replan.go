package policy

import (
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// pastTolerance is how far in the past the time of a once schedule may lie.
const pastTolerance = time.Minute

// Replan returns the timer with the spec and the policy that somebody gives its
// schedule: a new one, whose timer has neither, or one that is changed. Without
// a spec, the timer keeps the one that it has. shortest is the shortest interval
// that is accepted.
//
// The next time is computed as of now if the times change, and stays if they do
// not. A paused schedule stays paused, a completed one becomes active, and an active
// one that has started as many runs as its policy now allows is completed. A time
// that has come and waits for its jitter still waits, unless there is a spec: then
// it is dropped, see Dropped.
//
// The error is Invalid and names the field: of a spec or a policy that cannot
// be, or that leave no time for a run.
func Replan(t rota.Timer, spec rota.Opt[rota.Spec], p rota.Policy, shortest time.Duration, now time.Time) (rota.Timer, error) {
	before := t.Policy
	t.Policy = p
	given, set := spec.Get()
	if !set && sameTimes(before, p) {
		return t, nil
	}
	if set {
		t.Skips = nil // they were times of the spec before
	} else {
		given = t.Spec
	}
	t, cal, err := compile(t, given, set, shortest, now)
	if err != nil {
		return t, err
	}
	if set {
		if err := checkOnce(t, cal, now); err != nil {
			return t, err
		}
	} else if waits, ok := stillWaits(t, cal, now); ok {
		return waits, nil
	}
	planned, err := replan(t, cal, now)
	if err != nil || t.Status == rota.SchedulePaused {
		return t, err
	}
	return planned, nil
}

// HasSpec reports whether the times of a spec that somebody sends are those that the
// timer has.
func HasSpec(t rota.Timer, spec rota.Spec) bool {
	cal, err := calendar.Parse(spec, t.Anchor)
	return err == nil && cal.Spec() == t.Spec
}

// SetSpec gives the timer a spec that somebody sent, as of now. The error is
// Invalid and names the field.
func SetSpec(t rota.Timer, spec rota.Spec, shortest time.Duration, now time.Time) (rota.Timer, calendar.Calendar, error) {
	t, cal, err := compile(t, spec, true, shortest, now)
	if err != nil {
		return t, cal, err
	}
	return t, cal, checkOnce(t, cal, now)
}

// compile returns the calendar of a spec, and the timer with it. anew says that
// somebody has just sent it.
func compile(t rota.Timer, spec rota.Spec, anew bool, shortest time.Duration, now time.Time) (rota.Timer, calendar.Calendar, error) {
	if anew {
		t.Anchor = rota.InstantOf(now).Time
	}
	cal, err := calendar.Parse(spec, t.Anchor)
	if err != nil {
		return t, cal, err
	}
	if floor := int64(shortest / time.Second); anew && spec.Type == rota.Interval && spec.IntervalSeconds < floor {
		return t, cal, rota.InvalidField("schedule.interval_seconds", "must be at least %d on this server", floor)
	}
	t.Spec = cal.Spec()
	return t, cal, nil
}

// stillWaits returns the timer as it waits for a time that has come, and false
// if it waits for none, or if its policy no longer has that time.
func stillWaits(t rota.Timer, cal calendar.Calendar, now time.Time) (rota.Timer, bool) {
	if t.Status != rota.ScheduleActive || t.NextRunAt.IsZero() || t.NextRunAt.After(now) {
		return t, false
	}
	waits, err := replan(t, cal, t.NextRunAt.Add(-time.Millisecond))
	return waits, err == nil && waits.NextRunAt.Equal(t.NextRunAt)
}

// checkOnce refuses the time of a once schedule that lies too far in the past.
// One that has only just passed is still run.
func checkOnce(t rota.Timer, cal calendar.Calendar, now time.Time) error {
	if t.Spec.Type != rota.Once {
		return nil
	}
	if _, ok := cal.Next(now.Add(-pastTolerance)); !ok {
		return rota.InvalidField("schedule.run_at", "must not be more than %d seconds in the past; the server's time is %s",
			int(pastTolerance.Seconds()), rota.InstantOf(now))
	}
	return nil
}

// replan computes the timer's next time and refuses one that has none, unless it is
// because max_runs was lowered to what has started: then that completes it.
func replan(t rota.Timer, cal calendar.Calendar, now time.Time) (rota.Timer, error) {
	if err := CheckSpan(t.Policy); err != nil {
		return t, err
	}
	after := now
	if t.Spec.Type == rota.Once {
		after = now.Add(-pastTolerance)
	}
	completes := t.Status != rota.ScheduleCompleted && t.RunCount > 0 && exhausted(t)
	t = plan(t, cal, after)
	if !t.DueAt.IsZero() && t.DueAt.Before(now) {
		t.DueAt = now // that is when it became due
	}
	if t.Status == rota.ScheduleCompleted && !completes {
		return t, rota.InvalidField("policy", "leaves no time for a run: see start_at, end_at and max_runs")
	}
	return t, nil
}

// CheckSpan returns Invalid if the policy leaves no room for a run.
func CheckSpan(p rota.Policy) error {
	if p.StartAt != nil && p.EndAt != nil && !p.StartAt.Before(p.EndAt.Time) {
		return rota.InvalidField("policy.end_at", "must be after policy.start_at (%s)", p.StartAt)
	}
	return nil
}

// sameTimes reports whether two policies give a spec the same times.
func sameTimes(a, b rota.Policy) bool {
	return sameInstant(a.StartAt, b.StartAt) && sameInstant(a.EndAt, b.EndAt) &&
		a.JitterSeconds == b.JitterSeconds && equal(a.MaxRuns, b.MaxRuns)
}

func sameInstant(a, b *rota.Instant) bool { return a == b || a != nil && b != nil && a.Equal(b.Time) }

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }
