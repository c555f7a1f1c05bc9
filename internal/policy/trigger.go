package policy

import (
	"time"

	"github.com/rota-run/rota"
)

// Trigger says what becomes of a timer that somebody asks to run now, in
// whatever state it is. The nominal time is now; the overlap policy applies,
// and the run counts towards max_runs.
func Trigger(t rota.Timer, now time.Time) rota.Decision {
	d := decision{Decision: rota.Decision{Timer: t}, now: now}
	d.overlap(now)
	for i := range d.Records {
		d.Records[i].Trigger = rota.TriggerManual
	}
	if t.Status == rota.ScheduleActive && exhausted(d.Timer) {
		d.Timer = aim(d.Timer, time.Time{})
		d.Records = append(d.Records, Dropped(t, d.Timer, time.Time{}, now)...)
	}
	return d.Decision
}
