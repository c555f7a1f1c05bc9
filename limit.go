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

// Limits bound what an end user or an account may have at once. What is nil has
// its default; 0 is no limit.
type Limits struct {
	// Workers is how many of its runs are worked on at the same time. The default of
	// an end user is three quarters, rounded up, of the workers that the others leave.
	Workers *int `yaml:"workers" endUser:"three quarters" account:"0" help:"Runs that are worked on at once. Three quarters, rounded up, of the workers that the others leave free: of --max-concurrent-runs, and of the provider's max_concurrent. A number is a fixed bound in place of that share."`

	// OpenRuns is how many of its runs may wait or be worked on.
	OpenRuns *int `yaml:"open_runs" endUser:"100000" account:"0" help:"Runs that have not ended. A call that would start one more is refused with 429; an occurrence that falls due is on record as blocked, with the reason limit_reached."`
}

// DefaultOpenRuns is the limit of open runs that an end user has by default.
const DefaultOpenRuns = 100_000

// BoundsOpenRuns reports whether there is a limit of open runs.
func (l Limits) BoundsOpenRuns() bool { return l.OpenRuns != nil && *l.OpenRuns > 0 }

// AllLimits are the limits that each end user has, and those that each account has
// for all its end users together.
type AllLimits struct {
	EndUser Limits `yaml:"end_user"`
	Account Limits `yaml:"account"`
}

// OpenRuns counts runs that have not ended.
type OpenRuns struct {
	Owner   map[Owner]int
	Account map[string]int
}

// Add counts n more runs of an owner.
func (r OpenRuns) Add(o Owner, n int) {
	r.Owner[o] += n
	r.Account[o.Account] += n
}

// A LimitUse is a limit that is reached.
type LimitUse struct {
	Limit string `json:"limit" doc:"Its name in the settings, such as end_user.open_runs."`
	Used  int    `json:"used"`
	Max   int    `json:"max"`
}

// Reached returns the limit that keeps an owner from starting another run; nil if
// there is none.
func (l AllLimits) Reached(o Owner, open OpenRuns) *LimitUse {
	if l.EndUser.BoundsOpenRuns() && open.Owner[o] >= *l.EndUser.OpenRuns {
		return &LimitUse{"end_user.open_runs", open.Owner[o], *l.EndUser.OpenRuns}
	}
	if l.Account.BoundsOpenRuns() && open.Account[o.Account] >= *l.Account.OpenRuns {
		return &LimitUse{"account.open_runs", open.Account[o.Account], *l.Account.OpenRuns}
	}
	return nil
}

// Reason says why an occurrence started no run.
func (u LimitUse) Reason() *Reason { return &Reason{Code: ReasonLimitReached, Message: u.message()} }

// Err is the answer to a call that would start one more run.
func (u LimitUse) Err() error {
	return &Error{Code: LimitReached, Msg: u.message() + ": try again when some have ended", RetryAfter: limitRetry, Limit: &u}
}

// limitRetry is how long a caller should wait who has too many runs. Nobody knows
// when one of them ends.
const limitRetry = 10 * time.Second

func (u LimitUse) message() string {
	who, _, _ := strings.Cut(u.Limit, ".")
	return fmt.Sprintf("the %s has %d runs that have not ended, and may have %d (limits.%s)", strings.ReplaceAll(who, "_", " "), u.Used, u.Max, u.Limit)
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
