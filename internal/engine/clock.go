package engine

import (
	"log/slog"
	"time"

	"github.com/rota-run/rota"
)

// Outage is how long nobody may look at what is due before that counts as
// downtime: what falls due in it is missed, not merely late.
const Outage = 10 * time.Second

// A Clock reads the wall clock and knows since when the engine has been looking.
// If nobody has looked for an Outage, by the wall clock or by the process's own,
// what fell due in between was missed: the process was frozen, the machine slept,
// the database could not be written, or the clock was set forward.
type Clock struct {
	Since time.Time // when the engine came up, or the last outage ended; never later than the last read

	read   func() time.Time
	back   time.Duration // how far the clock was set back
	now    reading       // the last read
	looked reading       // the last look
}

// A reading is one moment by two clocks.
type reading struct {
	wall   time.Time // not monotonic
	passed time.Time // the process's own
}

// reading reads both clocks.
func (c *Clock) reading() reading { return reading{c.read().Round(0), time.Now()} }

// whole returns the wall clock's time in whole milliseconds.
func (r reading) whole() time.Time { return rota.InstantOf(r.wall).Time }

// NewClock returns a clock that reads the time with read, and reads it once.
func NewClock(read func() time.Time) Clock {
	c := Clock{read: read}
	c.now = c.reading()
	c.Since, c.looked = c.now.whole(), c.now
	return c
}

// Now reads the wall clock and returns the time, in whole milliseconds.
func (c *Clock) Now() time.Time {
	before := c.now
	c.now = c.reading()
	if back := c.now.passed.Sub(before.passed) - c.now.wall.Sub(before.wall); back >= Outage {
		c.back += back
	}
	now := c.now.whole()
	if c.away() >= Outage || now.Before(c.Since) {
		c.Since = now
	}
	return now
}

// Until returns the time from the last read until an instant. It is exact: a timer
// of that length ends in the instant's millisecond.
func (c *Clock) Until(at time.Time) time.Duration { return at.Sub(c.now.wall) }

// Looked notes that the engine has looked at everything that was due at the last
// read. It returns how long nobody had looked before, or 0 if that was no outage.
func (c *Clock) Looked() time.Duration {
	away := c.away()
	c.looked = c.now
	if away < Outage {
		return 0
	}
	return away
}

// SetBack returns how far the clock was set back since [Clock.Forgive] was last
// called, by the process's own clock; 0 if that was less than an Outage.
func (c *Clock) SetBack() time.Duration { return c.back }

// Forgive forgets how far the clock was set back.
func (c *Clock) Forgive() { c.back = 0 }

// Report calls Looked and logs what it returns. onOutage is called if an outage has
// ended; it may be nil.
func (c *Clock) Report(log *slog.Logger, onOutage func()) {
	if away := c.Looked(); away > 0 {
		log.Warn("nobody could look at what was due; what fell due meanwhile is missed", "for", away.Round(time.Millisecond), "until", c.Since)
		if onOutage != nil {
			onOutage()
		}
	}
}

// away returns the time from the last look to the last read.
func (c *Clock) away() time.Duration {
	return max(c.now.wall.Sub(c.looked.wall), c.now.passed.Sub(c.looked.passed))
}
