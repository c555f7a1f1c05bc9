package policy

import (
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// Skip returns the timer with a nominal time marked to be skipped. It must be
// one that lies ahead: later than now, and not decided yet. There are at most
// rota.MaxSkips marks: one more is a Conflict.
func Skip(t rota.Timer, at rota.Instant, now time.Time) (rota.Timer, error) {
	if err := checkAhead(t, at, now); err != nil {
		return t, err
	}
	i, found := slices.BinarySearchFunc(t.Skips, at, compareInstants)
	switch {
	case found:
		return t, nil
	case len(t.Skips) >= rota.MaxSkips:
		return t, rota.Errorf(rota.Conflict, "%d occurrences are marked to be skipped already", rota.MaxSkips)
	}
	t.Skips = slices.Insert(slices.Clone(t.Skips), i, at)
	return t, nil
}

// Unskip returns the timer without the mark on a nominal time, if it has one.
func Unskip(t rota.Timer, at rota.Instant) rota.Timer {
	t.Skips = slices.DeleteFunc(slices.Clone(t.Skips), func(s rota.Instant) bool { return s.Equal(at.Time) })
	return t
}

// checkAhead returns Invalid unless the time is a nominal one that lies ahead.
func checkAhead(t rota.Timer, at rota.Instant, now time.Time) error {
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil {
		return err
	}
	next, ok := nextNominal(t.Policy, cal, at.Add(-time.Millisecond))
	switch {
	case !at.After(now):
		return rota.InvalidField("scheduled_for", "must be in the future; the server's time is %s", rota.InstantOf(now))
	case at.Before(t.NextRunAt):
		return rota.InvalidField("scheduled_for", "must be a time that lies ahead; the first is %s", rota.InstantOf(t.NextRunAt))
	case !ok, t.Status == rota.ScheduleCompleted:
		return rota.InvalidField("scheduled_for", "must be a time of the schedule; it has none at or after this one")
	case !next.Equal(at.Time):
		return rota.InvalidField("scheduled_for", "must be a time of the schedule; the first at or after this one is %s", rota.InstantOf(next))
	}
	return nil
}

// IsNominal reports whether an instant is one of the timer's times, whether
// decided or not.
func IsNominal(t rota.Timer, at time.Time) bool {
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil {
		return false
	}
	next, ok := nextNominal(t.Policy, cal, at.Add(-time.Millisecond))
	return ok && next.Equal(at)
}

func compareInstants(a, b rota.Instant) int { return a.Compare(b.Time) }

// marked reports whether somebody asked to skip the nominal time.
func marked(t rota.Timer, at time.Time) bool {
	_, found := slices.BinarySearchFunc(t.Skips, rota.InstantOf(at), compareInstants)
	return found
}

// skipped puts a nominal time that is marked on record, and takes the mark
// away.
func (d *decision) skipped(at time.Time) bool {
	if !marked(d.Timer, at) {
		return false
	}
	d.Timer = Unskip(d.Timer, rota.InstantOf(at))
	d.record(at, rota.SkippedRequested, rota.Reason{Code: "requested", Message: "somebody asked to skip it"})
	return true
}

// stillAhead returns the marks on nominal times after the given one.
func stillAhead(skips []rota.Instant, after time.Time) []rota.Instant {
	return slices.DeleteFunc(slices.Clone(skips), func(s rota.Instant) bool { return !s.After(after) })
}
