// Package policy decides. It holds the transitions of a [rota.Timer]: what
// becomes of an occurrence that is due, of a schedule whose run has ended, of
// one that is paused, resumed or planned anew. Nothing in it reads a clock, a
// database or the network; both engines and package control call it.
package policy

import (
	"cmp"
	"hash/fnv"
	"math"
	"strconv"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// Plan returns the timer with its next times computed as of now, for a
// schedule that is new, resumed, or has another spec or span. A timer for
// which no time is left is completed.
func Plan(t rota.Timer, now time.Time) (rota.Timer, error) {
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil {
		return t, err
	}
	return plan(t, cal, now), nil
}

func plan(t rota.Timer, cal calendar.Calendar, after time.Time) rota.Timer {
	t.Status = rota.ScheduleActive
	t.PauseReason = nil
	return advance(t, cal, after)
}

// Pause returns the timer as it rests for the given reason. A schedule that
// is completed cannot be paused; one that is paused keeps its reason.
func Pause(t rota.Timer, why rota.PauseReason) (rota.Timer, error) {
	switch t.Status {
	case rota.SchedulePaused:
		return t, nil
	case rota.ScheduleCompleted:
		return t, rota.Errorf(rota.Conflict, "the schedule is completed; give it a new time instead")
	}
	return rest(t, rota.SchedulePaused, &why), nil
}

// Restore returns the timer of a schedule whose agent was deleted, which paused
// it, and is restored: that pause is over, and another begins.
func Restore(t rota.Timer, now time.Time) rota.Timer {
	why := *t.PauseReason
	why.At = rota.InstantOf(now)
	t.PauseReason = &why
	return t
}

// Resume returns the timer with its next time computed as of now. An active
// schedule stays as it is; a completed one cannot be resumed.
func Resume(t rota.Timer, now time.Time) (rota.Timer, error) {
	switch t.Status {
	case rota.ScheduleActive:
		return t, nil
	case rota.ScheduleCompleted:
		return t, rota.Errorf(rota.Conflict, "the schedule is completed; give it a new time instead")
	}
	t.ConsecutiveFailures = 0
	return Plan(t, now)
}

// Settle says what becomes of the timer of a schedule when one of its runs has
// ended: too many failures in a row pause it.
//
// The occurrence of a run that is blocked is blocked as well.
func Settle(t rota.Timer, r rota.Result) rota.Decision {
	after := settle(t, r)
	d := rota.Decision{Timer: after, GivenUp: GivesUp(t, after)}
	if o := r.Occurrence; r.Blocked && o != nil {
		d.Records = append(d.Records, blocked(*o, rota.Reason(*r.Error)))
	}
	d.Records = append(d.Records, Dropped(t, after, time.Time{}, r.CompletedAt)...)
	return d
}

func settle(t rota.Timer, r rota.Result) rota.Timer {
	t.OpenRuns = max(t.OpenRuns-1, 0)
	if r.Blocked {
		t.RunCount-- // it never started
	}
	switch r.Phase {
	case rota.PhaseCompleted:
		t.ConsecutiveFailures = 0
		t.LastResponseID = cmp.Or(r.ResponseID, t.LastResponseID) // without an id there is nothing to go on from
	case rota.PhaseIncomplete:
		t.LastResponseID = cmp.Or(r.ResponseID, t.LastResponseID)
	case rota.PhaseFailed:
		t.ConsecutiveFailures++
	}
	limit := t.Policy.PauseAfterFailures
	if t.Status == rota.ScheduleActive && limit != nil && t.ConsecutiveFailures >= *limit {
		note := strconv.Itoa(t.ConsecutiveFailures) + " runs failed in a row"
		at := rota.InstantOf(r.CompletedAt)
		return rest(t, rota.SchedulePaused, &rota.PauseReason{Code: rota.PausedByFailures, Note: &note, At: at})
	}
	if !t.Buffered.IsZero() && t.OpenRuns == 0 && t.Status == rota.ScheduleActive {
		t.DueAt = r.CompletedAt
	}
	return t
}

// rest returns the timer with nothing left to do.
func rest(t rota.Timer, s rota.ScheduleStatus, why *rota.PauseReason) rota.Timer {
	t.Status, t.PauseReason = s, why
	t.NextRunAt, t.DueAt, t.Buffered = time.Time{}, time.Time{}, time.Time{}
	t.Backlog, t.BacklogTo = 0, time.Time{}
	return t
}

// advance moves the timer to the first nominal time after the given one, and
// forgets the marks on those before.
func advance(t rota.Timer, cal calendar.Calendar, after time.Time) rota.Timer {
	next, _ := nextNominal(t.Policy, cal, after)
	if exhausted(t) {
		next = time.Time{}
	}
	t.Skips = stillAhead(t.Skips, after)
	return aim(t, next)
}

// aim gives an active timer its next nominal time. If that is zero, there is
// none: the timer is completed, once nothing waits in it. What waits for a run
// to end gives way if max_runs leaves it no place.
func aim(t rota.Timer, next time.Time) rota.Timer {
	if runsLeft(t) < 0 {
		t.Buffered = time.Time{}
	}
	switch {
	case !next.IsZero():
		t.NextRunAt, t.DueAt = next, Due(t.ScheduleID, t.Policy, next)
	case t.Buffered.IsZero() && t.Backlog == 0:
		t = rest(t, rota.ScheduleCompleted, nil)
	default:
		t.NextRunAt, t.DueAt = time.Time{}, time.Time{}
	}
	return t
}

// exhausted reports whether the timer has started all the runs that it may.
func exhausted(t rota.Timer) bool { return runsLeft(t) <= 0 }

// runsLeft returns how many runs the timer may start besides the one that
// waits in it. Its backlog gets what the times that fall due leave.
func runsLeft(t rota.Timer) int64 {
	if t.Policy.MaxRuns == nil {
		return math.MaxInt64
	}
	left := *t.Policy.MaxRuns - t.RunCount
	if !t.Buffered.IsZero() {
		left--
	}
	return left
}

// nextNominal returns the first nominal time after the given one within the
// policy's span.
func nextNominal(p rota.Policy, cal calendar.Calendar, after time.Time) (time.Time, bool) {
	if p.StartAt != nil && after.Before(p.StartAt.Time) {
		after = p.StartAt.Add(-time.Millisecond)
	}
	next, ok := cal.Next(after)
	if !ok || p.EndAt != nil && next.After(p.EndAt.Time) {
		return time.Time{}, false
	}
	return next, true
}

// Due returns when the occurrence of a schedule at a nominal time is to start:
// the nominal time and its jitter, which is always the same for the same
// occurrence.
func Due(id rota.ScheduleID, p rota.Policy, nominal time.Time) time.Time {
	if p.JitterSeconds == 0 {
		return nominal
	}
	h := fnv.New64a()
	h.Write([]byte(id))
	h.Write(strconv.AppendInt(nil, nominal.UnixMilli(), 10))
	jitter := h.Sum64() % uint64(p.JitterSeconds*1000+1)
	return nominal.Add(time.Duration(jitter) * time.Millisecond)
}
