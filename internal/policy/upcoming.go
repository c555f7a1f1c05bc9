package policy

import (
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// Upcoming returns the timer's nominal times strictly after an instant and
// before another (zero: none), at most count, within the span and the number
// of runs that its policy leaves.
func Upcoming(t rota.Timer, cal calendar.Calendar, after time.Time, count int, before time.Time) []time.Time {
	if t.Policy.MaxRuns != nil {
		count = min(count, int(max(0, *t.Policy.MaxRuns-t.RunCount)))
	}
	var out []time.Time
	for len(out) < count {
		next, ok := nextNominal(t.Policy, cal, after)
		if !ok || !before.IsZero() && !next.Before(before) {
			break
		}
		out = append(out, next)
		after = next
	}
	return out
}
