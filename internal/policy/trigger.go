package policy

import (
	"time"

	"github.com/rota-run/rota"
)

// Trigger says what becomes of a timer that somebody asks to run now, in
// whatever state it is. at is the nominal time of that occurrence, which is now
// or shortly after, if another occurrence has that millisecond. The overlap
// policy applies, and the run counts towards max_runs.
func Trigger(t rota.Timer, at, now time.Time) rota.Decision {
	d := decision{Decision: rota.Decision{Timer: t}, now: now}
	d.overlap(at)
	for i := range d.Records {
		o := &d.Records[i]
		o.Trigger, *o.LatenessMS = rota.TriggerManual, max(*o.LatenessMS, 0)
	}
	if t.Status == rota.ScheduleActive && exhausted(d.Timer) {
		d.Timer = aim(d.Timer, time.Time{})
		d.Records = append(d.Records, Dropped(t, d.Timer, time.Time{}, now)...)
	}
	return d.Decision
}
