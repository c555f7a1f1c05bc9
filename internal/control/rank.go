package control

import (
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// rank brings a key that the caller makes or changes to what the caller may give,
// where the caller did not ask for more, and returns an error where it did: a key
// never outranks its maker in account, end user, scopes, rate limits or time.
func rank(who auth.Caller, k *rota.Key, now time.Time) error {
	for _, step := range []func(auth.Caller, *rota.Key) error{rankOwner, rankScopes, rankLimits} {
		if err := step(who, k); err != nil {
			return err
		}
	}
	return rankTime(who, k, now)
}

// rankOwner holds a key to the caller's account, unless the caller may make keys
// for any, and to the end user for whom the caller acts.
func rankOwner(who auth.Caller, k *rota.Key) error {
	if k.Account != who.Owner.Account {
		if err := who.Require(rota.WriteAccounts); err != nil {
			return err
		}
	}
	user := who.Owner.EndUser
	if user == "" {
		return nil
	}
	if k.Account != who.Owner.Account {
		return denied("account", "whoever acts for an end user makes keys for the own account only")
	}
	if k.EndUser == nil {
		k.EndUser = &user
	}
	if *k.EndUser != user {
		return denied("end_user", "whoever acts for an end user makes keys for that end user only")
	}
	return nil
}

func rankScopes(who auth.Caller, k *rota.Key) error {
	if len(k.Scopes) == 0 {
		return rota.InvalidField("scopes", "is required: the key in use has none of those that a key has by default")
	}
	for _, s := range k.Scopes {
		if !slices.Contains(who.Scopes, s) {
			return denied("scopes", "a key cannot give a scope that it does not have: "+string(s))
		}
	}
	return nil
}

// rankLimits gives a key the limits of its maker for each period for which it has
// none of its own.
func rankLimits(who auth.Caller, k *rota.Key) error {
	if per, twice := rota.SamePeriod(k.RateLimits); twice {
		return rota.InvalidField("rate_limits", "must have one limit for a %s, not two", per)
	}
	for _, most := range who.RateLimits {
		i := slices.IndexFunc(k.RateLimits, func(l rota.RateLimit) bool { return l.Per == most.Per })
		switch {
		case i < 0:
			k.RateLimits = append(k.RateLimits, most)
		case k.RateLimits[i].Requests > most.Requests:
			return denied("rate_limits", "a key cannot give more than it has: "+most.String())
		}
	}
	return nil
}

// rankTime lets no key outlive its maker.
func rankTime(who auth.Caller, k *rota.Key, now time.Time) error {
	if k.ExpiresAt == nil {
		k.ExpiresAt = who.Expires
	}
	switch {
	case k.ExpiresAt == nil:
		return nil
	case !k.ExpiresAt.After(now):
		return rota.InvalidField("expires_at", "must be in the future; the server's time is %s", rota.InstantOf(now))
	case who.Expires != nil && k.ExpiresAt.After(who.Expires.Time):
		return denied("expires_at", "a key cannot outlive the one that makes it, which expires at "+who.Expires.String())
	}
	return nil
}

// outranks returns an error unless the caller could have made the key, and so may
// change it, end it, or be given its secret. Keys of other end users do not exist
// for whoever acts for one.
func outranks(who auth.Caller, k rota.Key) error {
	if err := sameUser(who, k); err != nil {
		return err
	}
	for _, s := range k.Scopes {
		if !slices.Contains(who.Scopes, s) {
			return rota.Errorf(rota.Denied, "that key has a scope that the key in use lacks: %s", s)
		}
	}
	made := k
	made.RateLimits = slices.Clone(k.RateLimits)
	if err := rankLimits(who, &made); err != nil || len(made.RateLimits) != len(k.RateLimits) {
		return rota.Errorf(rota.Denied, "that key may make more requests than the key in use")
	}
	if who.Expires != nil && (k.ExpiresAt == nil || k.ExpiresAt.After(who.Expires.Time)) {
		return rota.Errorf(rota.Denied, "that key outlives the key in use, which expires at %s", who.Expires)
	}
	return nil
}

// sameUser returns NotFound, as the store says it, for keys of others than the end user
// for whom the caller acts.
func sameUser(who auth.Caller, k rota.Key) error {
	if user := who.Owner.EndUser; user != "" && (k.EndUser == nil || *k.EndUser != user) {
		return rota.Errorf(rota.NotFound, "no such key")
	}
	return nil
}

func denied(field, msg string) error {
	return &rota.Error{Code: rota.Denied, Field: field, Msg: msg}
}
