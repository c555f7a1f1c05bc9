package policy

import (
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// Dropped returns what to put on record when a change takes nominal times from
// an active timer that have come and have not started yet, for their jitter or
// because the engine was busy.
func Dropped(before, after rota.Timer, now time.Time) []rota.Occurrence {
	first := before.NextRunAt
	if before.Status != rota.ScheduleActive || first.IsZero() || first.After(now) || after.NextRunAt.Equal(first) {
		return nil
	}
	cal, err := calendar.Parse(before.Spec, before.Anchor)
	if err != nil {
		return nil // Decide pauses such a timer
	}
	d := decision{Decision: rota.Decision{Timer: before}, cal: cal, now: now}
	d.drop(first, notActive)
	return d.Records
}

// drop puts on record that the nominal times from an instant up to now will not
// start.
func (d *decision) drop(from time.Time, why rota.Reason) {
	end := d.now.Add(time.Millisecond)
	for s := d.count(from, end); s.count > 0; s = d.count(s.last.Add(time.Millisecond), end) {
		d.recordSpan(s, rota.Blocked, why)
	}
}

// notActive is why an occurrence that waited did not start.
var notActive = rota.Reason{Code: "not_active", Message: "the schedule was changed while the occurrence waited"}

// Delete says what becomes of the timer of a schedule that is deleted.
func Delete(t rota.Timer, now time.Time) rota.Decision {
	after := rest(t, rota.ScheduleDeleted, nil)
	return rota.Decision{Timer: after, Records: Dropped(t, after, now)}
}
