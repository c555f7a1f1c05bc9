package engine

import (
	"time"

	"github.com/rota-run/rota"
)

// jump is how far the wall clock may run ahead of the process between two looks
// before it counts as a time in which nobody looked.
const jump = time.Minute

// A Clock reads the wall clock and knows since when somebody looks at it. If a
// machine slept, or its clock was set forward, the wall clock has gone on and
// the process has not: what fell due in between was missed, not merely late.
type Clock struct {
	Since time.Time // when looking began, or began again; never later than the last look

	read   func() time.Time
	wall   time.Time // the last look
	passed time.Time // the same in the time of the process
}

// NewClock returns a clock that reads so, and looks for the first time.
func NewClock(read func() time.Time) Clock {
	now := rota.InstantOf(read()).Time
	return Clock{read: read, Since: now, wall: now, passed: time.Now()}
}

// Now returns the time, in whole milliseconds.
func (c *Clock) Now() time.Time {
	now, passed := rota.InstantOf(c.read()).Time, time.Now()
	if now.Sub(c.wall) > passed.Sub(c.passed)+jump || now.Before(c.Since) {
		c.Since = now
	}
	c.wall, c.passed = now, passed
	return now
}
