package policy

import (
	"fmt"
	"time"

	"github.com/rota-run/rota"
)

const (
	maxMadeUp = 100    // missed occurrences that missed: all makes up for
	maxSteps  = 50_000 // times of a cron expression that one decision counts
)

// makeUp handles the nominal times that fell due before since, while nobody
// was looking. If they are very many, it handles the older ones, and leaves the
// rest to the next decision. It returns the last that it handled.
func (d *decision) makeUp(since time.Time) time.Time {
	p, first := d.Timer.Policy, d.Timer.NextRunAt
	end := d.missedUntil(since)
	keep := map[rota.Missed]int{rota.MissedLatest: 1, rota.MissedSkip: 0, rota.MissedAll: maxMadeUp}[p.Missed]
	oldest := d.now.Add(-time.Duration(p.MaxLatenessSeconds) * time.Second)
	from := d.tail(earlier(later(first, oldest), end), end, keep)

	dropped := d.count(first, from)
	if dropped.count >= maxSteps {
		d.missed(dropped, oldest)
		return dropped.last
	}
	var keptTimes []time.Time
	for at, ok := d.from(from); ok && at.Before(end); at, ok = nextNominal(p, d.cal, at) {
		keptTimes = append(keptTimes, at)
		if len(keptTimes) > keep {
			dropped.add(keptTimes[0])
			keptTimes = keptTimes[1:]
		}
	}
	d.missed(dropped, oldest)
	for _, at := range keptTimes {
		d.line(at)
	}
	if len(keptTimes) > 0 {
		return keptTimes[len(keptTimes)-1]
	}
	return later(first, dropped.last)
}

// missedUntil returns the end of what was missed: since, or the first nominal
// time before it that is not to start before since, because of its jitter.
func (d *decision) missedUntil(since time.Time) time.Time {
	p := d.Timer.Policy
	longest := time.Duration(p.JitterSeconds) * time.Second
	for at, ok := d.from(later(d.Timer.NextRunAt, since.Add(-longest))); ok && at.Before(since); at, ok = nextNominal(p, d.cal, at) {
		if !Due(d.Timer.ScheduleID, p, at).Before(since) {
			return at
		}
	}
	return since
}

// tail returns an instant, not before oldest, so near to end that there are few
// nominal times between them, but enough of them if oldest allows it.
func (d *decision) tail(oldest, end time.Time, enough int) time.Time {
	for back := time.Minute; ; back *= 2 {
		from := end.Add(-back)
		if !from.After(oldest) {
			return oldest
		}
		if d.count(from, end).count >= int64(enough) {
			return from
		}
	}
}

// from returns the first nominal time at or after the given one.
func (d *decision) from(at time.Time) (time.Time, bool) {
	return nextNominal(d.Timer.Policy, d.cal, at.Add(-time.Millisecond))
}

// count returns the span of the nominal times from one instant up to but
// excluding another, or its beginning.
func (d *decision) count(from, end time.Time) span {
	until := end.Add(-time.Millisecond)
	if start := d.Timer.Policy.StartAt; start != nil {
		from = later(from, start.Time)
	}
	if last := d.Timer.Policy.EndAt; last != nil && last.Before(until) {
		until = last.Time
	}
	n, last := d.cal.Span(from.Add(-time.Millisecond), until, maxSteps)
	if n == 0 {
		return span{}
	}
	first, _ := d.from(from)
	return span{first: first, last: last, count: int64(n)}
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

// missed puts a span on record, in one row.
func (d *decision) missed(s span, oldest time.Time) {
	if s.count == 0 {
		return
	}
	d.recordSpan(s, rota.MissedOutcome, missedReason(d.Timer.Policy, s.last, oldest))
}

// recordSpan puts one outcome of a whole span on record, in one row.
func (d *decision) recordSpan(s span, o rota.Outcome, why rota.Reason) {
	d.record(s.first, o, why)
	row := &d.Records[len(d.Records)-1]
	*row = s.row(*row)
}

// unwatched is why an occurrence was missed.
const unwatched = "the server was down, frozen or without its database when it fell due, or its clock jumped"

func missedReason(p rota.Policy, last, oldest time.Time) rota.Reason {
	switch {
	case p.Missed == rota.MissedSkip:
		return rota.Reason{Code: "policy_skip", Message: unwatched + "; the policy's missed is skip"}
	case last.Before(oldest):
		return tooLate(p)
	case p.Missed == rota.MissedAll:
		return rota.Reason{Code: "too_many", Message: fmt.Sprintf(unwatched+"; at most %d occurrences are made up for", maxMadeUp)}
	default:
		return superseded
	}
}

var superseded = rota.Reason{
	Code:    "superseded",
	Message: unwatched + "; the policy's missed is latest, and a newer occurrence took its place",
}

func tooLate(p rota.Policy) rota.Reason {
	return rota.Reason{Code: "too_late", Message: fmt.Sprintf(unwatched+"; max_lateness_seconds is %d", p.MaxLatenessSeconds)}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
