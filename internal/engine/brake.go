package engine

import (
	"time"

	"golang.org/x/time/rate"
)

// A Brake bounds how many runs per second make up for the past, evenly spread.
type Brake struct{ limit *rate.Limiter }

// NewBrake returns a brake that lets so many runs through per second.
func NewBrake(perSecond int) Brake {
	return Brake{rate.NewLimiter(rate.Limit(perSecond), (perSecond+99)/100)}
}

// MayMakeUp returns how many runs may start now.
func (b Brake) MayMakeUp(now time.Time) int { return int(b.limit.TokensAt(now)) }

// MadeUp notes runs that have started.
func (b Brake) MadeUp(now time.Time, runs int) { b.limit.AllowN(now, runs) }

// Wait returns how long it takes from now until the next run may start.
func (b Brake) Wait(now time.Time) time.Duration {
	missing := 1 - b.limit.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing*float64(time.Second)/float64(b.limit.Limit())) + time.Millisecond // steps are at whole ones
}
