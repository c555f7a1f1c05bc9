package temporal

import (
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// Times is what Temporal is told about when a schedule is due. Temporal knows
// whole seconds: it wakes for a nominal time with a fraction when its second
// begins.
type Times struct {
	// Spec matches every nominal time before Until, and nothing else. It is in
	// UTC and has no jitter. If it has neither calendars nor intervals, there
	// is nothing to wait for before Until.
	Spec client.ScheduleSpec

	// Until is the first nominal time that Spec leaves out; zero if it leaves
	// out none. The times have to be compiled again before then.
	Until time.Time
}

// theEnd is the last second that Temporal knows.
func theEnd() time.Time { return time.Date(2100, 12, 31, 23, 59, 59, 0, time.UTC) }

// A reach says how far a compilation goes. Whatever comes first ends it, but
// the first time is always in.
type reach struct {
	horizon   time.Duration
	times     int
	calendars int
}

// standard balances three things: how often a schedule has to be compiled, how
// much Temporal has to look at for each next time (together at most some 20 kB),
// and for how long times stay that new zone data have made wrong.
var standard = reach{
	horizon:   100 * 24 * time.Hour,
	times:     10_000, // a week of every minute
	calendars: 100,
}

// Compile returns the nominal times of a schedule from an instant on, by its
// spec, its anchor, and the span of its policy. It is pure. The error is that
// of calendar.Parse.
//
// An interval is an interval in Temporal too, until the year 2100, with which
// Temporal's time ends. Everything else is written down as times in UTC, which
// calendars then say in fewer words. So how Temporal reads cron expressions,
// what it does when clocks are changed, and which zone data it has make no
// difference.
func Compile(t rota.Timer, from time.Time) (Times, error) {
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil {
		return Times{}, err
	}
	s := span{cal: cal, start: t.Policy.StartAt, end: t.Policy.EndAt}
	if t.Spec.Type == rota.Interval {
		return s.interval(t.Anchor, time.Duration(t.Spec.IntervalSeconds)*time.Second), nil
	}
	return s.calendars(from, standard), nil
}

// A span is the nominal times of a calendar between two instants, both
// included; nil is no bound.
type span struct {
	cal        calendar.Calendar
	start, end *rota.Instant
}

// next returns the first time of the span after an instant.
func (s span) next(after time.Time) (time.Time, bool) {
	if s.start != nil && after.Before(s.start.Time) {
		after = s.start.Add(-time.Millisecond)
	}
	next, ok := s.cal.Next(after)
	if !ok || s.end != nil && next.After(s.end.Time) {
		return time.Time{}, false
	}
	return next, true
}

// interval returns the times of an interval that was set at an instant, of which
// none was due before it.
func (s span) interval(set time.Time, every time.Duration) Times {
	until, _ := s.next(theEnd())
	first, ok := s.next(set)
	start := wholeSecond(first)
	if !ok || start.After(theEnd()) {
		return Times{Until: until}
	}
	spec := client.ScheduleSpec{
		Intervals: []client.ScheduleIntervalSpec{{Every: every, Offset: sinceEpoch(start, every)}},
		StartAt:   start,
	}
	if s.end != nil {
		_, last := s.cal.Span(first.Add(-time.Millisecond), s.end.Time, 1)
		spec.EndAt = wholeSecond(last)
	}
	return Times{Spec: spec, Until: until}
}

// sinceEpoch returns how long before t the last multiple of every since 1970
// was.
func sinceEpoch(t time.Time, every time.Duration) time.Duration {
	step := int64(every / time.Second)
	offset := t.Unix() % step
	if offset < 0 {
		offset += step
	}
	return time.Duration(offset) * time.Second
}

func (s span) calendars(from time.Time, r reach) Times {
	times, until := s.times(from, r)
	products := fold(times)
	for len(products) > r.calendars {
		half := len(times) / 2
		times, until = times[:half], times[half]
		products = fold(times)
	}
	out := Times{Until: until}
	for _, p := range products {
		out.Spec.Calendars = append(out.Spec.Calendars, p.calendar())
	}
	return out
}

// times returns the times from an instant on, as far as the reach goes, and
// the first that lies beyond; zero if none does.
func (s span) times(from time.Time, r reach) (times []time.Time, beyond time.Time) {
	for after := from.Add(-time.Millisecond); ; {
		next, ok := s.next(after)
		switch {
		case !ok:
			return times, time.Time{}
		case len(times) == r.times, len(times) > 0 && next.Sub(from) > r.horizon, next.After(theEnd()):
			return times, next
		}
		times, after = append(times, next), next
	}
}

// wholeSecond rounds down.
func wholeSecond(t time.Time) time.Time { return t.Truncate(time.Second) }
