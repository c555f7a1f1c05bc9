package policy

import (
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// First returns the timer's first nominal time at or after an instant, within its
// policy's span, and false if there is none.
func First(t rota.Timer, cal calendar.Calendar, at time.Time) (time.Time, bool) {
	return nextNominal(t.Policy, cal, at.Add(-time.Millisecond))
}

// Upcoming returns the timer's nominal times strictly after an instant and
// before another (zero: none), at most count, within the span and the number
// of runs that its policy leaves. Those that are marked to be skipped are among
// them, and take no run.
func Upcoming(t rota.Timer, cal calendar.Calendar, after time.Time, count int, before time.Time) []time.Time {
	var out []time.Time
	for runs := runsLeft(t); len(out) < count && runs > 0; {
		next, ok := nextNominal(t.Policy, cal, after)
		if !ok || !before.IsZero() && !next.Before(before) {
			break
		}
		if !marked(t, next) {
			runs--
		}
		out = append(out, next)
		after = next
	}
	return out
}
