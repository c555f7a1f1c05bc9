package policy

import (
	"fmt"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// Decide says what becomes of a timer that is due at now. since is when the
// engine began to look: a nominal time before it was missed, one after it is
// merely late. Decide makes one step; a timer may be due again at once.
func Decide(t rota.Timer, now, since time.Time) rota.Decision {
	d := decision{Decision: rota.Decision{Timer: t}, now: now}
	if t.Status != rota.ScheduleActive {
		d.Timer = rest(t, t.Status, t.PauseReason)
		return d.Decision
	}
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil { // zone data that no longer has the zone
		note := "its times cannot be computed: " + rota.Public(err).Msg
		d.Timer = rest(t, rota.SchedulePaused, &rota.PauseReason{Code: rota.PausedByFailures, Note: &note, At: rota.InstantOf(now)})
		return d.Decision
	}
	d.cal = cal
	d.fireBuffered()
	d.takeDue(since)
	return d.Decision
}

type decision struct {
	rota.Decision
	cal calendar.Calendar
	now time.Time
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
	if t.NextRunAt.IsZero() {
		d.Timer = rest(*t, rota.ScheduleCompleted, nil)
		return
	}
	t.DueAt = Due(t.ScheduleID, t.Policy, t.NextRunAt)
}

// takeDue handles the nominal time that is due, or the span that was missed.
func (d *decision) takeDue(since time.Time) {
	t := &d.Timer
	if t.NextRunAt.IsZero() || Due(t.ScheduleID, t.Policy, t.NextRunAt).After(d.now) {
		return
	}
	at := t.NextRunAt
	if Due(t.ScheduleID, t.Policy, at).Before(since) {
		at = d.makeUp(since)
	} else {
		d.occur(at)
	}
	d.Timer = advance(*t, d.cal, at)
}

// makeUp handles the span of nominal times from NextRunAt up to since, which
// fell due while nobody was looking. It returns the last of them.
func (d *decision) makeUp(since time.Time) time.Time {
	p := d.Timer.Policy
	keep := map[rota.Missed]int{rota.MissedLatest: 1, rota.MissedSkip: 0, rota.MissedAll: maxMadeUp}[p.Missed]
	oldest := d.now.Add(-time.Duration(p.MaxLatenessSeconds) * time.Second)

	var gone span
	var kept []time.Time
	at, ok := d.Timer.NextRunAt, true
	for ok && at.Before(since) {
		kept = append(kept, at)
		for len(kept) > keep || len(kept) > 0 && kept[0].Before(oldest) {
			gone.add(kept[0])
			kept = kept[1:]
		}
		at, ok = nextNominal(p, d.cal, at)
	}
	if gone.count > 0 {
		d.record(gone.first, rota.MissedOutcome, missedReason(p, gone.last, oldest))
		last := &d.Records[len(d.Records)-1]
		last.Count = gone.count
		if gone.count > 1 {
			last.ScheduledUntil = rota.InstantOrNil(gone.last)
		}
	}
	for _, k := range kept {
		d.occur(k)
	}
	return latest(gone.last, kept)
}

// A span is a row of nominal times.
type span struct {
	first, last time.Time
	count       int64
}

func (s *span) add(at time.Time) {
	if s.count == 0 {
		s.first = at
	}
	s.last = at
	s.count++
}

func latest(gone time.Time, kept []time.Time) time.Time {
	if len(kept) > 0 {
		return kept[len(kept)-1]
	}
	return gone
}

func missedReason(p rota.Policy, last, oldest time.Time) rota.Reason {
	switch {
	case p.Missed == rota.MissedSkip:
		return rota.Reason{Code: "policy_skip", Message: "the server was not running, and the policy's missed is skip"}
	case last.Before(oldest):
		return rota.Reason{Code: "too_late", Message: fmt.Sprintf("the server was not running, and max_lateness_seconds is %d", p.MaxLatenessSeconds)}
	case p.Missed == rota.MissedAll:
		return rota.Reason{Code: "too_many", Message: fmt.Sprintf("the server was not running, and at most %d occurrences are made up for", maxMadeUp)}
	default:
		return rota.Reason{Code: "superseded", Message: "the server was not running, and the policy's missed is latest: a newer occurrence took its place"}
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
	case t.Policy.Overlap == rota.OverlapBufferOne && t.Buffered.IsZero() && t.Status == rota.ScheduleActive:
		t.Buffered = at
		d.record(at, rota.Buffered, rota.Reason{Code: "overlap", Message: "it waits for run " + string(t.LastRunID) + " to end"})
	default:
		d.record(at, rota.SkippedOverlap, rota.Reason{Code: "overlap", Message: "run " + string(t.LastRunID) + " had not ended"})
	}
}

func (d *decision) fire(at time.Time) {
	t := &d.Timer
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
		Object:       rota.ObjectOccurrence,
		ScheduleID:   d.Timer.ScheduleID,
		ScheduledFor: rota.InstantOf(at),
		Count:        1,
		Outcome:      o,
		Trigger:      rota.TriggerSchedule,
		LatenessMS:   &late,
		RecordedAt:   rota.InstantOf(d.now),
	}
}
