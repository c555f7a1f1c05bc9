package rota

// ObjectAccountLimits is the object field of AccountLimits.
const ObjectAccountLimits = "account.limits"

// AccountLimits are what an account and each of its end users may have, and what
// they have.
type AccountLimits struct {
	Object string `json:"object" enum:"account.limits"`
	ID     string `json:"id" doc:"The account."`
	AllLimits
	Own  AllLimits `json:"own" doc:"What of this was set for the account. What is null is as the server's settings say."`
	Used LimitsUse `json:"used" doc:"What the account has, with all its end users together."`

	UsedByEndUser *LimitsUse `json:"used_by_end_user" doc:"What the end user has whom the parameter end_user names; null if it names none."`
}

// LimitsUse is what somebody has of what limits bound.
type LimitsUse struct {
	Workers  int64         `json:"workers" doc:"Runs that are worked on."`
	OpenRuns int64         `json:"open_runs" doc:"Runs that have not ended, and responses that are kept."`
	Requests []RequestsUse `json:"requests" doc:"For each limit of requests."`
	Bytes    int64         `json:"bytes" doc:"Bytes that are stored."`
}

// RequestsUse is how many requests of a limit are used.
type RequestsUse struct {
	Limit RateLimit `json:"limit"`
	Used  int       `json:"used" doc:"Requests that have not come back yet."`
}

// AccountLimitsSet is the body that sets the limits of an account.
type AccountLimitsSet struct {
	EndUser LimitsSet `json:"end_user,omitzero" doc:"What each end user may have."`
	Account LimitsSet `json:"account,omitzero" doc:"What the account may have, with all its end users together."`
}

// LimitsSet are limits; what is left out, or null, is as the server's settings say.
type LimitsSet struct {
	Workers  *int         `json:"workers,omitempty" minimum:"0" maximum:"1000000000" nullable:"true" doc:"Runs that are worked on at once; 0 is no limit."`
	OpenRuns *int         `json:"open_runs,omitempty" minimum:"0" maximum:"1000000000" nullable:"true" doc:"Runs that have not ended, and responses that are kept; 0 is no limit."`
	Requests *[]RateLimit `json:"requests,omitempty" maxItems:"4" nullable:"true" doc:"Requests in a time, each like 600/minute, one for each of second, minute, hour and day; an empty list is no limit."`
	Bytes    *int64       `json:"bytes,omitempty" minimum:"0" maximum:"9007199254740991" nullable:"true" doc:"Bytes that are stored; 0 is no limit."`
}

// Limits returns the limits that the body sets.
func (s AccountLimitsSet) Limits() AllLimits {
	return AllLimits{EndUser: s.EndUser.limits(), Account: s.Account.limits()}
}

func (s LimitsSet) limits() Limits {
	l := Limits{Workers: s.Workers, OpenRuns: s.OpenRuns, Bytes: s.Bytes}
	if s.Requests != nil {
		l.Requests = append([]RateLimit{}, *s.Requests...)
	}
	return l
}
