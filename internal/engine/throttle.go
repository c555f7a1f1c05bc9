package engine

import (
	"time"

	"golang.org/x/time/rate"
)

// A Throttle bounds how many runs per second start from backlogs, evenly spread.
type Throttle struct{ limit *rate.Limiter }

// NewThrottle returns a throttle that allows so many runs per second.
func NewThrottle(perSecond int) Throttle {
	return Throttle{rate.NewLimiter(rate.Limit(perSecond), (perSecond+99)/100)}
}

// Allowed returns how many runs may start now.
func (b Throttle) Allowed(now time.Time) int { return int(b.limit.TokensAt(now)) }

// Started counts runs that have started.
func (b Throttle) Started(now time.Time, runs int) { b.limit.AllowN(now, runs) }

// Wait returns how long it takes from now until the next run may start.
func (b Throttle) Wait(now time.Time) time.Duration {
	missing := 1 - b.limit.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing*float64(time.Second)/float64(b.limit.Limit())) + time.Millisecond // steps are at whole ones
}
