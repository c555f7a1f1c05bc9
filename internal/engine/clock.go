package engine

import (
	"time"

	"github.com/rota-run/rota"
)

// jump is how far the wall clock may run ahead of the process's own clock between
// two reads. More counts as downtime.
const jump = time.Minute

// A Clock reads the wall clock and knows since when the engine has been up. If
// the machine slept or its clock was set forward, the wall clock has jumped. What
// fell due in between was missed, not merely late.
type Clock struct {
	Since time.Time // when the engine came up, or the last jump ended; never later than the last read

	read   func() time.Time
	wall   time.Time // the last read
	passed time.Time // the same moment by the process's own clock
}

// NewClock returns a clock that reads the time with read, and reads it once.
func NewClock(read func() time.Time) Clock {
	now := rota.InstantOf(read()).Time
	return Clock{read: read, Since: now, wall: now, passed: time.Now()}
}

// Now reads the wall clock and returns the time, in whole milliseconds.
func (c *Clock) Now() time.Time {
	now, passed := rota.InstantOf(c.read()).Time, time.Now()
	if now.Sub(c.wall) > passed.Sub(c.passed)+jump || now.Before(c.Since) {
		c.Since = now
	}
	c.wall, c.passed = now, passed
	return now
}
