package rota

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A RateLimit is how many requests a key may make in a time, written like
// 600/minute: 1 to 999999 in a second, a minute, an hour or a day. As many may be
// made at once; they come back evenly over the time.
type RateLimit struct {
	Requests int
	Per      Period
}

// A Period is the time that a rate limit is about.
type Period string

const (
	PerSecond Period = "second"
	PerMinute Period = "minute"
	PerHour   Period = "hour"
	PerDay    Period = "day"
)

// Duration returns how long the period is; zero if there is no such period.
func (p Period) Duration() time.Duration {
	switch p {
	case PerSecond:
		return time.Second
	case PerMinute:
		return time.Minute
	case PerHour:
		return time.Hour
	case PerDay:
		return 24 * time.Hour
	}
	return 0
}

// RateLimitPattern is what a RateLimit looks like.
const RateLimitPattern = `^[1-9][0-9]{0,5}/(second|minute|hour|day)$`

var rateLimit = regexp.MustCompile(RateLimitPattern)

// String returns the limit as it is written.
func (l RateLimit) String() string { return strconv.Itoa(l.Requests) + "/" + string(l.Per) }

// MarshalText writes the limit.
func (l RateLimit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a limit. The error says how one is written.
func (l *RateLimit) UnmarshalText(b []byte) error {
	if !rateLimit.Match(b) {
		return fmt.Errorf("a rate limit is 1 to 999999 requests per second, minute, hour or day, such as 600/minute, not %q", b)
	}
	n, per, _ := strings.Cut(string(b), "/")
	l.Requests, _ = strconv.Atoi(n) // six digits at most
	l.Per = Period(per)
	return nil
}

// ParseRateLimits reads limits that are separated by commas. The error says how one is
// written.
func ParseRateLimits(text string) ([]RateLimit, error) {
	var limits []RateLimit
	for one := range strings.SplitSeq(text, ",") {
		var l RateLimit
		if err := l.UnmarshalText([]byte(strings.TrimSpace(one))); err != nil {
			return nil, err
		}
		limits = append(limits, l)
	}
	return limits, nil
}

// SamePeriod returns a period that two of the limits are about, if there is one.
// One of them would have no meaning.
func SamePeriod(limits []RateLimit) (p Period, found bool) {
	seen := make(map[Period]bool)
	for _, l := range limits {
		if seen[l.Per] {
			return l.Per, true
		}
		seen[l.Per] = true
	}
	return "", false
}

// Spent is what a key has used of its rate limits: for each period, when the last
// of its requests will have come back, in nanoseconds since 1970.
type Spent map[Period]int64
