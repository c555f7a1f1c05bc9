package embedded

import (
	"time"

	"github.com/rota-run/rota"
)

// jump is how far the wall clock may run ahead of the process between two looks
// before it counts as a time in which nobody looked.
const jump = time.Minute

// A clock reads the wall clock and knows since when somebody looks at it. If a
// machine slept, or its clock was set forward, the wall clock has gone on and
// the process has not: what fell due in between was missed, not merely late.
type clock struct {
	read   func() time.Time
	since  time.Time // when looking began, or began again; never later than the last look
	wall   time.Time // the last look
	passed time.Time // the same in the time of the process
}

func newClock(read func() time.Time) clock {
	now := rota.InstantOf(read()).Time
	return clock{read: read, since: now, wall: now, passed: time.Now()}
}

// look returns the time, in whole milliseconds.
func (c *clock) look() time.Time {
	now, passed := rota.InstantOf(c.read()).Time, time.Now()
	if now.Sub(c.wall) > passed.Sub(c.passed)+jump || now.Before(c.since) {
		c.since = now
	}
	c.wall, c.passed = now, passed
	return now
}
