package gateway

import (
	"cmp"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/rota-run/rota/internal/rawjson"
)

// asksToWait returns how long the headers of an answer ask to wait; zero if they
// do not say.
func asksToWait(h http.Header, now time.Time) time.Duration {
	var exact, own, others time.Duration
	for name, values := range h {
		unit := waitUnit(plain(name))
		d := longest(values, cmp.Or(unit, time.Second), now)
		switch {
		case unit == 0:
		case unit < time.Second:
			exact = max(exact, d)
		case name == "Retry-After":
			own = max(own, d)
		default:
			others = max(others, d)
		}
	}
	return cmp.Or(exact, own, others)
}

// waitUnit returns in what a header or a member with this plain name says how long to
// wait, or zero if it does not. A time at which to come back has a unit too.
func waitUnit(name string) time.Duration {
	for _, hint := range []string{"retryafter", "retrydelay", "retryin", "resetafter", "resetin", "resetsin", "resetat", "resetsat", "waitsec", "backoff", "cooldown", "estimatedtime"} {
		if strings.Contains(name, hint) {
			return unitOf(name)
		}
	}
	return 0
}

func unitOf(name string) time.Duration {
	for _, end := range []string{"ms", "msec", "msecs", "millis", "milliseconds"} {
		if strings.HasSuffix(name, end) {
			return time.Millisecond
		}
	}
	if strings.HasSuffix(name, "minutes") {
		return time.Minute
	}
	return time.Second
}

// longest returns the longest span that one of the values asks for.
func longest(values []string, unit time.Duration, now time.Time) (d time.Duration) {
	for _, v := range values {
		if n := span(v, unit, now); n > 0 {
			d = max(d, n)
			continue
		}
		first, _, _ := strings.Cut(v, ",") // a list, or a proxy's way to join two headers
		first, _, _ = strings.Cut(first, ";")
		d = max(d, span(strings.Trim(first, `" `), unit, now))
	}
	return d
}

// untilReset returns when the limit that was hit begins anew, by the headers that
// OpenAI, Anthropic, others in their way, and the draft of the IETF describe; zero if
// they do not say.
func untilReset(h http.Header, now time.Time) (reset time.Duration) {
	all := map[string]string{}
	for name, values := range h {
		all[plain(name)] = strings.Join(values, ",")
	}
	for name, value := range all {
		if !strings.Contains(name, "ratelimit") || !strings.Contains(name, "reset") {
			continue
		}
		if left := all[strings.Replace(name, "reset", "remaining", 1)]; left == "" || left == "0" {
			reset = max(reset, span(value, unitOf(name), now))
		}
	}
	for limit := range strings.SplitSeq(all["ratelimit"], ",") {
		if m := usedUp.FindStringSubmatch(limit); m != nil {
			reset = max(reset, span(m[1], time.Second, now))
		}
	}
	return reset
}

// "default";r=0;t=30, of a newer draft of the IETF.
var usedUp = regexp.MustCompile(`;\s*r=0\s*;.*\bt=([0-9]+)`)

// "Please try again in 7.66s", "retry after 20 seconds", "your quota resets in 5m".
var inWords = regexp.MustCompile(`(?i)\b(?:(?:try(?:ing)? again|retry(?:ing)?|wait|come back|available|available again|resets?)[:\s]+(?:in|after|for|at least)?[:\s]*(?:about\s+)?((?:[0-9.]+(?:ms|h|m|s))+\b|[0-9.]+\s*(?:milliseconds|seconds?|secs?|minutes?|mins?|hours?))\b|retry[-_]after"?\s*[:=]\s*"?([0-9.]+))`)

// waitIn returns how long an error's object, its names spelled plainly, asks to wait;
// zero if it does not say.
func waitIn(o rawjson.Object) (most time.Duration) {
	for _, m := range o {
		if unit := waitUnit(m.Name); unit > 0 {
			most = max(most, waitOf(m.Value, unit))
		}
	}
	return most
}

// waitOf returns what a member says: 3, "3s", a date, {"seconds":3,"nanos":0}.
func waitOf(value []byte, unit time.Duration) time.Duration {
	if isObject(value) {
		value, unit = member(value, "seconds"), time.Second
	}
	return span(words(value), unit, time.Now())
}

// waitInWords returns how long a text for people asks to wait.
func waitInWords(s string) time.Duration {
	if m := inWords.FindStringSubmatch(s); m != nil {
		return span(m[1]+m[2], time.Second, time.Now())
	}
	return 0
}
