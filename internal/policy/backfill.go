package policy

import (
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// A Backfill is what becomes of nominal times of the past that somebody asks
// to run.
type Backfill struct {
	rota.Decision // puts the times into the backlog

	Times  []time.Time // what waits in the backlog afterwards, the oldest first
	Splits []Split     // the spans that lose them
}

// A Split is a span on record of which parts remain.
type Split struct {
	At    rota.Instant
	Parts []rota.Occurrence
}

// PlanBackfill returns what becomes of the timer's nominal times from one
// instant up to another, both included, that have come and have not started a
// run. ledger holds what is on record between the two. Nothing is planned if there are
// more than rota.MaxBackfill times, or more than max_runs leaves, or if one is at or
// before lowWater: its outcome may have been deleted, and nobody knows whether it ran.
func PlanBackfill(t rota.Timer, ledger []rota.Occurrence, lowWater, from, to, now time.Time) (Backfill, error) {
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil {
		return Backfill{}, err
	}
	b := backfill{decision: decision{Decision: rota.Decision{Timer: t}, cal: cal, now: now}, from: from, to: earlier(to, now)}
	if t.Status == rota.ScheduleActive && !t.NextRunAt.IsZero() {
		b.to = earlier(b.to, t.NextRunAt.Add(-time.Millisecond)) // what is next is not of the past
	}
	if start := t.Policy.StartAt; start != nil {
		b.from = later(b.from, start.Time)
	}
	if last := t.Policy.EndAt; last != nil {
		b.to = earlier(b.to, last.Time)
	}
	times := b.count(b.from, b.to.Add(time.Millisecond))
	if times.count > rota.MaxBackfill {
		return Backfill{}, rota.InvalidField("to", "must be nearer to from: there are more than %d times between them", rota.MaxBackfill)
	}
	if times.count > 0 && !times.first.After(lowWater) {
		return Backfill{}, rota.InvalidField("from", "must be after %s: the record of the times up to then has been deleted for its age, so that nobody knows which have run", rota.InstantOf(lowWater))
	}
	for at, ok := b.decision.from(b.from); ok && !at.After(b.to); at, ok = nextNominal(t.Policy, cal, at) {
		b.add(at, ledger)
	}
	if left := max(runsLeft(t)-int64(t.Backlog), 0); int64(len(b.times)) > left {
		return Backfill{}, rota.Errorf(rota.Conflict, "max_runs leaves %d runs, and there are %d times", left, len(b.times))
	}
	return Backfill{Decision: b.Decision, Times: b.times, Splits: b.split(ledger)}, nil
}

type backfill struct {
	decision
	from, to time.Time
	times    []time.Time
}

// add puts a time into the backlog, unless a run was started for it or waits.
func (b *backfill) add(at time.Time, ledger []rota.Occurrence) {
	var was rota.Outcome
	for _, o := range ledger {
		switch {
		case !o.ScheduledFor.Equal(at):
		case o.Outcome == rota.Fired, o.Outcome == rota.Buffered, b.foreign(o):
			return
		case o.ScheduledUntil == nil:
			was = o.Outcome
		}
	}
	b.times = append(b.times, at)
	b.Timer.Backlog++
	b.Timer.BacklogTo = later(b.Timer.BacklogTo, at)
	b.record(at, rota.Buffered, rota.Reason{Code: "backfill", Message: "somebody asked for it; it starts when its turn comes"})
	row := &b.Records[len(b.Records)-1]
	row.Trigger, row.Was = rota.TriggerBackfill, was
}

// foreign reports whether a row is a span of other times than the calendar's:
// it is from a time when the schedule was another, and stays as it is.
func (b *backfill) foreign(o rota.Occurrence) bool {
	if o.ScheduledUntil == nil {
		return false
	}
	s := b.whole(o.ScheduledFor.Time, o.ScheduledUntil.Add(time.Millisecond))
	return s.count != o.Count || !s.first.Equal(o.ScheduledFor.Time) || !s.last.Equal(o.ScheduledUntil.Time)
}

// whole is count, with the times that the policy's span no longer has: they are on
// record from when it had them.
func (b *backfill) whole(from, end time.Time) span {
	d := b.decision
	d.Timer.Policy.StartAt, d.Timer.Policy.EndAt = nil, nil
	return d.count(from, end)
}

// split takes the times of the backfill out of the spans on record.
func (b *backfill) split(ledger []rota.Occurrence) []Split {
	if len(b.times) == 0 {
		return nil
	}
	var out []Split
	for _, o := range ledger {
		if o.ScheduledUntil == nil || b.foreign(o) {
			continue
		}
		first, end := o.ScheduledFor.Time, o.ScheduledUntil.Add(time.Millisecond)
		older := b.whole(first, earlier(b.from, end))
		newer := b.whole(later(b.to.Add(time.Millisecond), first), end)
		if older.count+newer.count == o.Count {
			continue
		}
		s := Split{At: o.ScheduledFor}
		for _, rest := range []span{older, newer} {
			if rest.count > 0 {
				s.Parts = append(s.Parts, rest.row(o))
			}
		}
		out = append(out, s)
	}
	return out
}

// row returns the part of a row that is about the span.
func (s span) row(o rota.Occurrence) rota.Occurrence {
	o.ScheduledFor, o.ScheduledUntil, o.Count = rota.InstantOf(s.first), nil, s.count
	if s.count > 1 {
		o.ScheduledUntil = rota.InstantOrNil(s.last)
	}
	return o
}
