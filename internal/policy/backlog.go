package policy

import (
	"fmt"
	"time"

	"github.com/rota-run/rota"
)

// line puts a missed nominal time that the policy makes up for at the end of
// the timer's backlog. It starts when its turn comes.
func (d *decision) line(at time.Time) {
	if d.skipped(at) {
		return
	}
	d.Timer.Backlog++
	d.Timer.BacklogTo = later(d.Timer.BacklogTo, at)
	d.record(at, rota.Buffered, rota.Reason{Code: "catch_up", Message: unwatched + "; it starts when its turn comes"})
}

// CatchUp says what becomes of the oldest occurrence in a timer's backlog when
// its turn has come: it starts, unless there is no longer a reason to. The timer
// must have a backlog.
func CatchUp(t rota.Timer, o rota.Occurrence, now time.Time) rota.Decision {
	d := decision{Decision: rota.Decision{Timer: t}, now: now}
	if d.Timer.Backlog--; d.Timer.Backlog == 0 {
		d.Timer.BacklogTo = time.Time{}
	}
	if outcome, why := outdated(d.Timer, o, now); outcome != "" {
		d.record(o.ScheduledFor.Time, outcome, why)
	} else {
		d.fire(o.ScheduledFor.Time)
	}
	d.Records[0].Trigger, d.Records[0].Was = o.Trigger, rota.Buffered
	if d.Timer.Status == rota.ScheduleActive && (d.Timer.NextRunAt.IsZero() || exhausted(d.Timer)) {
		d.Timer = aim(d.Timer, time.Time{})
		d.Records = append(d.Records, Dropped(t, d.Timer, time.Time{}, now)...)
	}
	return d.Decision
}

// outdated returns what becomes of an occurrence that waited until there was no
// reason to start it, or "". A newer one takes its place if that has started a run or
// waits too; that a run has started since is not enough, because an older one may wait
// in front of it.
func outdated(t rota.Timer, o rota.Occurrence, now time.Time) (rota.Outcome, rota.Reason) {
	p, missed := t.Policy, o.Trigger == rota.TriggerSchedule
	switch {
	case exhausted(t):
		return rota.Blocked, usedUp(p)
	case missed && now.Sub(o.ScheduledFor.Time) > time.Duration(p.MaxLatenessSeconds)*time.Second:
		return rota.MissedOutcome, tooLate(p)
	case missed && p.Missed != rota.MissedAll && later(t.RanFor, t.BacklogTo).After(o.ScheduledFor.Time):
		return rota.MissedOutcome, superseded
	}
	return "", rota.Reason{}
}

// usedUp is why an occurrence did not start when max_runs was reached.
func usedUp(p rota.Policy) rota.Reason {
	return rota.Reason{Code: "max_runs", Message: fmt.Sprintf("the schedule had started its %d runs", *p.MaxRuns)}
}
