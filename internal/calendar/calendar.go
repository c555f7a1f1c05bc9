// Package calendar computes the times of a schedule: once, every so many
// seconds, or by a cron expression, in any time zone. It is pure: it reads no
// clock, and nothing but zone data.
//
// Two ideas carry it.
//
// A wall-clock time is a number of its own, of the type wall: what the clock
// of a zone shows, counted as if the clock were in UTC. An instant is the same
// for a point in time. Only a zone turns one into the other, so the two cannot
// be confused, and cron expressions are matched without any thought of zones.
//
// A wall-clock time happens when the clock first shows it or a later one. For
// a time that the clock repeats this is the first pass; for one that the clock
// skips it is the first instant after the gap; and it never runs backwards, so
// that everything follows from two questions to a zone: what is the latest that
// its clock has shown so far (shown), and when will it get as far as this
// (reach). See docs/calendar.md for what that means for users.
package calendar

import (
	"time"

	"github.com/rota-run/rota"
)

// A Calendar gives the nominal times of a schedule. It is immutable and cheap
// to copy, and safe for concurrent use. The zero Calendar has no times. Times
// lie in the years 1 to 9999 but for their last two days, and are whole
// milliseconds.
type Calendar struct {
	kind       rota.SpecType
	loc        *time.Location
	at         instant // once: the only time; interval: one interval before its first time
	every      int64   // interval: milliseconds
	starts     bool    // interval: it has a start_at
	cron       cron
	expression string // cron, with single spaces
}

// Next returns the first nominal time strictly after after, in UTC, and false
// if there is none. It does not allocate.
func (c Calendar) Next(after time.Time) (time.Time, bool) {
	t, ok := c.next(instantOf(after))
	if !ok || t > lastInstant {
		return time.Time{}, false
	}
	return t.time(), true
}

func (c Calendar) next(after instant) (instant, bool) {
	switch c.kind {
	case rota.Once:
		return c.at, c.at > after
	case rota.Interval:
		return c.at + instant((c.ticks(after)+1)*c.every), true
	case rota.Cron:
		return c.cron.next(c.loc, after)
	default:
		return 0, false
	}
}

// first returns the first time of an interval.
func (c Calendar) first() instant { return c.at + instant(c.every) }

// ticks counts the times of an interval that are not after t.
func (c Calendar) ticks(t instant) int64 {
	if t < c.at {
		return 0
	}
	return int64(t-c.at) / c.every
}

// Span counts the nominal times after after up to and including until, and
// returns the last that it counted, in UTC; last is zero if n is. The times of
// an interval are always counted in full. Of a cron expression Span counts at
// most limit, so that the work is bounded; a caller who gets n >= limit goes on
// from last.
func (c Calendar) Span(after, until time.Time, limit int) (n int, last time.Time) {
	if c.kind == rota.Interval {
		return c.ticksBetween(instantOf(after), instantOf(until))
	}
	for n < limit {
		t, ok := c.Next(after)
		if !ok || t.After(until) {
			break
		}
		n, last, after = n+1, t, t
	}
	return n, last
}

func (c Calendar) ticksBetween(after, until instant) (int, time.Time) {
	upto := c.ticks(until)
	n := upto - c.ticks(after)
	if n <= 0 {
		return 0, time.Time{}
	}
	return int(n), (c.at + instant(upto*c.every)).time()
}

// Location returns the zone of the schedule, UTC for the zero Calendar.
func (c Calendar) Location() *time.Location {
	if c.loc == nil {
		return time.UTC
	}
	return c.loc
}
