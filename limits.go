package rota

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits bound what an end user or an account may have. What is nil has its
// default; 0, or an empty list, is no limit.
type Limits struct {
	// Workers is how many of its runs are worked on at the same time. The default of
	// an end user is three quarters, rounded up, of the workers that the others leave.
	Workers *int `json:"workers" yaml:"workers" endUser:"three quarters" account:"0" help:"Runs and background responses that are worked on at once. Three quarters, rounded up, of the workers that the others leave free: of --max-concurrent-runs, or of those for responses, and of the provider's max_concurrent. A number is a fixed bound in place of that share." doc:"Runs and background responses that are worked on at once; 0 is no limit. Null: of an end user, three quarters of the workers that the others leave free; of an account, no limit."`

	// OpenRuns is how many of its runs may wait or be worked on.
	OpenRuns *int `json:"open_runs" yaml:"open_runs" endUser:"100000" account:"0" help:"Runs that have not ended, and responses that are kept. A call that would start one more is refused with 429; an occurrence that falls due is on record as blocked, with the reason limit_reached." doc:"Runs that have not ended, and responses that are kept; 0 is no limit."`

	// Requests are how many it may make in a time.
	Requests []RateLimit `json:"requests" nullable:"true" yaml:"requests" endUser:"none" account:"none" help:"Requests in a time, such as 600/minute, in all processes together; one for each of second, minute, hour and day, as a list or separated by commas. More are refused with 429. They count beside the limits of keys." doc:"Requests in a time, such as 600/minute; an empty list is no limit."`

	// Bytes is how much it may have stored.
	Bytes *int64 `json:"bytes" yaml:"bytes" endUser:"0" account:"0" help:"Bytes of what is stored: agents and schedules with their versions, function tools, runs with their inputs and answers, and occurrences that started no run; each counts 500 more than its text. Calls that would store more are refused with 429; an occurrence that falls due is on record as blocked, with the reason limit_reached." doc:"Bytes that are stored; 0 is no limit."`
}

// DefaultOpenRuns is the limit of open runs that an end user has by default.
const DefaultOpenRuns = 100_000

// BoundsOpenRuns reports whether there is a limit of open runs.
func (l Limits) BoundsOpenRuns() bool { return l.OpenRuns != nil && *l.OpenRuns > 0 }

// BoundsBytes reports whether there is a limit of what is stored.
func (l Limits) BoundsBytes() bool { return l.Bytes != nil && *l.Bytes > 0 }

// over returns the limits, with those of the others where they say nothing.
func (l Limits) over(others Limits) Limits {
	if l.Workers == nil {
		l.Workers = others.Workers
	}
	if l.OpenRuns == nil {
		l.OpenRuns = others.OpenRuns
	}
	if l.Requests == nil {
		l.Requests = others.Requests
	}
	if l.Bytes == nil {
		l.Bytes = others.Bytes
	}
	return l
}

// Above returns the name of a limit that is above that of the others; empty if there
// is none.
func (l Limits) Above(others Limits) string {
	switch {
	case above(l.Workers, others.Workers):
		return "workers"
	case above(l.OpenRuns, others.OpenRuns):
		return "open_runs"
	case above(l.Bytes, others.Bytes):
		return "bytes"
	}
	for _, most := range others.Requests {
		i := slices.IndexFunc(l.Requests, func(r RateLimit) bool { return r.Per == most.Per })
		if i < 0 || l.Requests[i].Requests > most.Requests {
			return "requests"
		}
	}
	return ""
}

// above reports whether a limit is above another; 0 and nil are none.
func above[T int | int64](a, b *T) bool {
	return b != nil && *b > 0 && (a == nil || *a == 0 || *a > *b)
}

// AllLimits are the limits that each end user has, and those that each account has
// for all its end users together.
type AllLimits struct {
	EndUser Limits `json:"end_user" yaml:"end_user"`
	Account Limits `json:"account" yaml:"account"`
}

// Over returns the limits, with those of the others where they say nothing.
func (l AllLimits) Over(others AllLimits) AllLimits {
	return AllLimits{EndUser: l.EndUser.over(others.EndUser), Account: l.Account.over(others.Account)}
}

// BoundBytes reports whether there is a limit of what is stored.
func (l AllLimits) BoundBytes() bool { return l.EndUser.BoundsBytes() || l.Account.BoundsBytes() }

// OpenRuns counts runs that have not ended, and responses with them.
type OpenRuns struct {
	Owner   map[Owner]int
	Account map[string]int
}

// Add counts n more runs of an owner.
func (r OpenRuns) Add(o Owner, n int) {
	r.Owner[o] += n
	r.Account[o.Account] += n
}

// Stored is how many bytes an account has stored.
type Stored struct {
	Account int64
	EndUser int64 // what of them is of one end user
}

// A StoredPlace is how far a count of what is stored has come.
type StoredPlace struct {
	Kind  int // of what is counted
	After string
}

// StoredBytes is a part of what an end user has stored.
type StoredBytes struct {
	EndUser string
	Bytes   int64
}

// The limits, as the settings name them.
const (
	limitEndUser = "end_user"
	limitAccount = "account"
)

// A LimitUse is a limit that is reached.
type LimitUse struct {
	Limit string `json:"limit" doc:"Its name in the settings, such as end_user.open_runs."`
	Used  int64  `json:"used"`
	Max   int64  `json:"max"`
}

// Reached returns the limit that keeps an owner from starting another run; nil if
// there is none.
func (l AllLimits) Reached(o Owner, open OpenRuns) *LimitUse {
	if l.EndUser.BoundsOpenRuns() && open.Owner[o] >= *l.EndUser.OpenRuns {
		return &LimitUse{limitEndUser + ".open_runs", int64(open.Owner[o]), int64(*l.EndUser.OpenRuns)}
	}
	if l.Account.BoundsOpenRuns() && open.Account[o.Account] >= *l.Account.OpenRuns {
		return &LimitUse{limitAccount + ".open_runs", int64(open.Account[o.Account]), int64(*l.Account.OpenRuns)}
	}
	return nil
}

// Full returns the limit that keeps an owner from storing more; nil if there is none.
func (l AllLimits) Full(s Stored) *LimitUse {
	if l.EndUser.BoundsBytes() && s.EndUser >= *l.EndUser.Bytes {
		return &LimitUse{limitEndUser + ".bytes", s.EndUser, *l.EndUser.Bytes}
	}
	if l.Account.BoundsBytes() && s.Account >= *l.Account.Bytes {
		return &LimitUse{limitAccount + ".bytes", s.Account, *l.Account.Bytes}
	}
	return nil
}

// Reason says why an occurrence started no run.
func (u LimitUse) Reason() *Reason { return &Reason{Code: ReasonLimitReached, Message: u.message()} }

// Err is the answer to a call that would exceed the limit.
func (u LimitUse) Err() error {
	advice, wait := "try again when some have ended", openRunsRetry
	if u.ofBytes() {
		advice, wait = "delete some of it, or have the limit raised", bytesRetry
	}
	return &Error{Code: LimitReached, Msg: u.message() + ": " + advice, RetryAfter: wait, Limit: &u}
}

// How long a caller should wait. Nobody knows when a run ends, or when something is
// deleted.
const (
	openRunsRetry = 10 * time.Second
	bytesRetry    = time.Minute
)

func (u LimitUse) ofBytes() bool { return strings.HasSuffix(u.Limit, ".bytes") }

func (u LimitUse) message() string {
	of, _, _ := strings.Cut(u.Limit, ".")
	who := "the " + strings.ReplaceAll(of, "_", " ")
	if u.ofBytes() {
		return fmt.Sprintf("%s has stored %d bytes, and may store %d (limits.%s)", who, u.Used, u.Max, u.Limit)
	}
	return fmt.Sprintf("%s has %d runs and responses that have not ended, and may have %d (limits.%s)", who, u.Used, u.Max, u.Limit)
}
