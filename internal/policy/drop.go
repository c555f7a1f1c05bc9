package policy

import (
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// Dropped returns what to put on record when a change takes nominal times from a
// timer that have come and have not started: of an active one, because of their
// jitter, because the engine was busy, or because max_runs no longer leaves room
// for the one that waits for a run to end; of a paused one, because it was paused.
// last is the last nominal time that is on record, and matters of a paused one alone.
func Dropped(before, after rota.Timer, last, now time.Time) []rota.Occurrence {
	d := decision{Decision: rota.Decision{Timer: before}, now: now}
	if !before.Buffered.IsZero() && after.Buffered.IsZero() && exhausted(after) {
		d.record(before.Buffered, rota.Blocked, usedUp(after.Policy))
		d.Records[0].Was = rota.Buffered
	}
	from, until, why := dropped(before, after, last, now)
	if from.IsZero() {
		return d.Records
	}
	var err error
	if d.cal, err = calendar.Parse(before.Spec, before.Anchor); err != nil {
		return d.Records // Decide pauses such a timer
	}
	d.drop(from, until, why)
	return d.Records
}

// dropped returns the instants between which a change takes nominal times from a
// timer; zero if it takes none.
func dropped(before, after rota.Timer, last, now time.Time) (from, until time.Time, why rota.Reason) {
	switch before.Status {
	case rota.ScheduleActive:
		if first := before.NextRunAt; !first.After(now) && !after.NextRunAt.Equal(first) {
			return first, now, notActive
		}
	case rota.SchedulePaused:
		rests := after.Status == rota.SchedulePaused
		restored := rests && !after.PauseReason.At.Equal(before.PauseReason.At.Time)
		sameTimes := after.Anchor.Equal(before.Anchor) && sameInstant(after.Policy.StartAt, before.Policy.StartAt)
		if exhausted(before) || rests && sameTimes && !restored {
			break
		}
		from = later(later(before.PauseReason.At.Time, before.Anchor), last).Add(time.Millisecond)
		if restored {
			return from, now, absent
		}
		return from, now, WhilePaused(*before.PauseReason)
	}
	return time.Time{}, time.Time{}, rota.Reason{}
}

// Open returns what will be on record of the pause of a timer if it ends now; nothing
// if the timer is not paused. gone says that its agent is deleted, and last is the
// last nominal time that is on record.
func Open(t rota.Timer, gone bool, last, now time.Time) []rota.Occurrence {
	if t.Status != rota.SchedulePaused {
		return nil
	}
	after := t
	after.Status = rota.ScheduleActive
	if gone && t.PauseReason.Code == rota.PausedByDeletion {
		after = Restore(t, now)
	}
	records := Dropped(t, after, last, now)
	for i := range records {
		records[i].ID = rota.OccurrenceIDAt(records[i].ScheduleID, records[i].ScheduledFor)
		records[i].Open = true
	}
	return records
}

// drop puts on record that the nominal times from one instant up to another will
// not start.
func (d *decision) drop(from, until time.Time, why rota.Reason) {
	end := until.Add(time.Millisecond)
	for s := d.count(from, end); s.count > 0; s = d.count(s.last.Add(time.Millisecond), end) {
		d.recordSpan(s, rota.Blocked, why)
	}
}

// GivesUp returns why what waits in a timer will not start when it has become another
// one; nil if nothing waits, or it may start.
func GivesUp(before, after rota.Timer) *rota.Reason {
	if !waits(before) || waits(after) {
		return nil
	}
	why := notActive
	return &why
}

// waits reports whether an occurrence waits in the timer.
func waits(t rota.Timer) bool { return !t.Buffered.IsZero() || t.Backlog > 0 }

// blocked returns an occurrence whose run did not start.
func blocked(o rota.Occurrence, why rota.Reason) rota.Occurrence {
	o.Was, o.Outcome, o.Reason = o.Outcome, rota.Blocked, &why
	return o
}

// notActive is why an occurrence that waited did not start.
var notActive = rota.Reason{Code: "not_active", Message: "the schedule was changed while the occurrence waited"}

// absent is why an occurrence of a deleted agent did not start.
var absent = rota.Reason{Code: rota.RunErrAgentDeleted, Message: "the agent was deleted"}

// WhilePaused is why an occurrence of a paused schedule did not start.
func WhilePaused(why rota.PauseReason) rota.Reason {
	text := "the schedule was paused (" + string(why.Code)
	if why.Note != nil {
		text += ": " + *why.Note
	}
	return rota.Reason{Code: rota.RunErrPaused, Message: text + ")"}
}

// Leave returns a timer as it rests for a reason; one that is not active keeps its
// status, and nothing waits in it any more.
func Leave(t rota.Timer, why rota.PauseReason) rota.Timer {
	if t.Status == rota.ScheduleActive {
		return rest(t, rota.SchedulePaused, &why)
	}
	t.Buffered, t.Backlog, t.BacklogTo = time.Time{}, 0, time.Time{}
	return t
}

// Delete returns the timer of a schedule that is deleted.
func Delete(t rota.Timer) rota.Timer { return rest(t, rota.ScheduleDeleted, nil) }
