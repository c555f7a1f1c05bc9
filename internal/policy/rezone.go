package policy

import (
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// furthest is more than new zone data can move the times of a schedule: no zone is
// further from UTC, nor moves its clock by more.
const furthest = 26 * time.Hour

// Rezone returns an active timer with its next time as today's zone data have it, when
// it was planned by others: the first after the last time on record. That may have
// passed; then it is due. A mark to skip a time moves with it.
//
// Only cron expressions follow the clock of a zone. Other timers, those that rest, and
// those of zones that are no longer known, stay as they are.
func Rezone(t rota.RecordedTimer, now time.Time) rota.Timer {
	if t.Status != rota.ScheduleActive || t.Spec.Type != rota.Cron || t.NextRunAt.IsZero() {
		return t.Timer
	}
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil {
		return t.Timer
	}
	last := t.Last
	if last.IsZero() { // it may no longer be on record
		last = t.LastRunAt
	}
	after := later(later(last, t.Anchor), t.NextRunAt.Add(-furthest))
	next, _ := nextNominal(t.Policy, cal, after)
	if next.Equal(t.NextRunAt) && len(t.Skips) == 0 {
		return t.Timer
	}
	moved := t.Timer
	moved.Skips = nil
	for _, mark := range t.Skips {
		moved.Skips = append(moved.Skips, moveMark(t.Policy, cal, after, mark))
	}
	if next.Equal(t.NextRunAt) {
		return moved
	}
	return aimAnew(moved, next, now)
}

// moveMark returns the nominal time after an instant that is nearest to a mark, if one
// is near enough to be the same time by other zone data.
func moveMark(p rota.Policy, cal calendar.Calendar, after time.Time, mark rota.Instant) rota.Instant {
	nearest := mark
	distance := furthest
	for at, ok := nextNominal(p, cal, later(after, mark.Add(-furthest))); ok; at, ok = nextNominal(p, cal, at) {
		d := at.Sub(mark.Time).Abs()
		if d >= distance {
			break // from here on, they are further away
		}
		nearest, distance = rota.InstantOf(at), d
	}
	return nearest
}
