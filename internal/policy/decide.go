package policy

import (
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// Decide says what becomes of a timer that is due at now. since is when the
// engine began to look: a nominal time before it was missed, one after it is
// merely late. Decide makes one step; a timer may be due again at once. One whose
// agent is deleted, or private and somebody else's, is paused.
func Decide(t rota.Timer, now, since time.Time) rota.Decision {
	d := decision{Decision: rota.Decision{Timer: t}, now: now}
	if t.Status != rota.ScheduleActive {
		d.rest(t.Status, t.PauseReason)
		return d.Decision
	}
	if why := agentGone(t); why != nil { // and nobody has paused the schedule yet
		d.rest(rota.SchedulePaused, why)
		d.Records = Dropped(t, d.Timer, time.Time{}, why.At.Time)
		return d.Decision
	}
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil { // zone data that no longer has the zone
		note := "its times cannot be computed: " + rota.Public(err).Msg
		d.rest(rota.SchedulePaused, &rota.PauseReason{Code: rota.PausedByFailures, Note: &note, At: rota.InstantOf(now)})
		return d.Decision
	}
	d.cal = cal
	d.fireBuffered()
	d.takeDue(earlier(since, now)) // a clock that is set back may be behind it
	return d.Decision
}

// agentGone returns why a timer has no agent to run; nil if it has one.
func agentGone(t rota.Timer) *rota.PauseReason {
	switch {
	case !t.AgentDeletedAt.IsZero():
		return &rota.PauseReason{Code: rota.PausedByDeletion, At: rota.InstantOf(t.AgentDeletedAt)}
	case !t.AgentUnsharedAt.IsZero():
		return &rota.PauseReason{Code: rota.PausedByUnsharing, At: rota.InstantOf(t.AgentUnsharedAt)}
	}
	return nil
}

type decision struct {
	rota.Decision
	cal calendar.Calendar
	now time.Time
}

// rest leaves the timer with nothing to do, and gives up what waits in it.
func (d *decision) rest(s rota.ScheduleStatus, why *rota.PauseReason) {
	before := d.Timer
	d.Timer = rest(before, s, why)
	d.GivenUp = GivesUp(before, d.Timer)
}

// fireBuffered starts the occurrence that waited for the open run to end.
func (d *decision) fireBuffered() {
	t := &d.Timer
	if t.Buffered.IsZero() || t.OpenRuns > 0 {
		return
	}
	at := t.Buffered
	t.Buffered = time.Time{}
	d.fire(at)
	d.Records[len(d.Records)-1].Was = rota.Buffered
	d.Timer = aim(*t, t.NextRunAt)
}

// takeDue handles the nominal time that is due, or the span that was missed.
func (d *decision) takeDue(since time.Time) {
	t := &d.Timer
	at := t.NextRunAt
	due := Due(t.ScheduleID, t.Policy, at)
	if at.IsZero() || due.After(d.now) {
		return
	}
	if later(due, t.DueAt).Before(since) { // it can have been planned when its time had passed
		at = d.makeUp(since)
	} else {
		d.occur(at)
	}
	d.Timer = advance(*t, d.cal, at)
	if exhausted(d.Timer) {
		d.drop(at.Add(time.Millisecond), d.now, usedUp(d.Timer.Policy))
	}
}

// occur handles one nominal time that is due.
func (d *decision) occur(at time.Time) {
	if !exhausted(d.Timer) && !d.skipped(at) {
		d.overlap(at)
	}
}

// overlap starts a run unless another one of the schedule is in its way.
func (d *decision) overlap(at time.Time) {
	t := &d.Timer
	switch {
	case t.OpenRuns == 0 || t.Policy.Overlap == rota.OverlapAllowAll:
		d.fire(at)
	case t.Policy.Overlap == rota.OverlapBufferOne && t.Buffered.IsZero() && t.Status == rota.ScheduleActive && !exhausted(*t):
		t.Buffered = at
		d.record(at, rota.Buffered, rota.Reason{Code: "overlap", Message: "it waits for " + d.other() + " to end"})
	default:
		d.record(at, rota.SkippedOverlap, rota.Reason{Code: "overlap", Message: d.other() + " had not ended"})
	}
}

// other names the run that is in the way. One that this decision starts has no
// id yet.
func (d *decision) other() string {
	started := slices.ContainsFunc(d.Records, func(o rota.Occurrence) bool { return o.Outcome == rota.Fired })
	if started || d.Timer.LastRunID == "" {
		return "another run of the schedule"
	}
	return "run " + string(d.Timer.LastRunID)
}

// fire starts a run, unless its owner may have no more.
func (d *decision) fire(at time.Time) {
	t := &d.Timer
	if t.Refused != nil {
		d.record(at, rota.Blocked, *t.Refused)
		return
	}
	t.OpenRuns++
	t.RunCount++
	t.LastRunAt = d.now
	d.Records = append(d.Records, d.occurrence(at, rota.Fired))
}

func (d *decision) record(at time.Time, o rota.Outcome, why rota.Reason) {
	r := d.occurrence(at, o)
	r.Reason = &why
	d.Records = append(d.Records, r)
}

func (d *decision) occurrence(at time.Time, o rota.Outcome) rota.Occurrence {
	late := d.now.Sub(at).Milliseconds()
	return rota.Occurrence{
		Object:          rota.ObjectOccurrence,
		ScheduleID:      d.Timer.ScheduleID,
		ScheduleVersion: d.Timer.ScheduleVersion,
		AgentID:         d.Timer.AgentID,
		Account:         d.Timer.Owner.Account,
		EndUser:         d.Timer.Owner.User(),
		ScheduledFor:    rota.InstantOf(at),
		Count:           1,
		Outcome:         o,
		Trigger:         rota.TriggerSchedule,
		LatenessMS:      &late,
		RecordedAt:      rota.InstantOf(d.now),
	}
}
