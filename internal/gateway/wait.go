package gateway

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota/internal/rawjson"
)

const (
	maxRetryAfter = 24 * time.Hour

	// Numbers from these on are times, not spans: seconds and milliseconds since 1970.
	epochSeconds = 1e9
	epochMillis  = 1e12
)

// asksToWait returns how long the headers of an answer ask to wait; zero if they
// do not say.
func asksToWait(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if d := longest(h.Values(name), time.Millisecond, now); d > 0 {
			return d
		}
	}
	for _, name := range []string{"Retry-After", "X-Retry-After", "X-Ratelimit-Reset-After"} {
		if d := longest(h.Values(name), time.Second, now); d > 0 {
			return d
		}
	}
	return 0
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
// OpenAI, Anthropic and the draft of the IETF describe; zero if they do not say.
func untilReset(h http.Header, now time.Time) (reset time.Duration) {
	for _, names := range [...][2]string{
		{"X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests"},
		{"X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens"},
		{"X-Ratelimit-Remaining", "X-Ratelimit-Reset"},
		{"Ratelimit-Remaining", "Ratelimit-Reset"},
		{"Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset"},
		{"Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset"},
		{"Anthropic-Ratelimit-Input-Tokens-Remaining", "Anthropic-Ratelimit-Input-Tokens-Reset"},
		{"Anthropic-Ratelimit-Output-Tokens-Remaining", "Anthropic-Ratelimit-Output-Tokens-Reset"},
	} {
		if left := h.Get(names[0]); left == "" || left == "0" {
			reset = max(reset, span(h.Get(names[1]), time.Second, now))
		}
	}
	for _, limit := range strings.Split(strings.Join(h.Values("Ratelimit"), ","), ",") {
		if m := usedUp.FindStringSubmatch(limit); m != nil {
			reset = max(reset, span(m[1], time.Second, now))
		}
	}
	return reset
}

// "default";r=0;t=30, of a newer draft of the IETF.
var usedUp = regexp.MustCompile(`;\s*r=0\s*;.*\bt=([0-9]+)`)

// span returns the time that a header asks for: a number of units, a time since
// 1970, a date, or a span such as 6m0s, PT6M or 6 minutes. It is zero if it is past or none of these.
func span(s string, unit time.Duration, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		switch {
		case math.IsNaN(n) || math.IsInf(n, 0) || n <= 0:
			return 0
		case unit == time.Second && n >= epochMillis:
			return bounded(float64(time.UnixMilli(int64(min(n, 1e15))).Sub(now)))
		case unit == time.Second && n >= epochSeconds:
			return bounded(float64(time.Unix(int64(n), 0).Sub(now)))
		}
		return bounded(n * float64(unit))
	}
	if d, err := time.ParseDuration(strings.ToLower(strings.TrimPrefix(s, "PT"))); err == nil {
		return bounded(float64(d))
	}
	if m := unitInWords.FindStringSubmatch(s); m != nil {
		n, _ := strconv.ParseFloat(m[1], 64) // what is no number is zero
		return bounded(n * float64(unitNamed(m[2])))
	}
	if at, err := http.ParseTime(s); err == nil {
		return bounded(float64(at.Sub(now)))
	}
	for _, layout := range []string{time.RFC3339, time.RFC1123Z, time.RFC1123} {
		if at, err := time.Parse(layout, s); err == nil {
			return bounded(float64(at.Sub(now)))
		}
	}
	return 0
}

// "20 seconds", "1 min".
var unitInWords = regexp.MustCompile(`(?i)^([0-9.]+)\s*(ms|milli|s|sec|m|min|h|hour)[a-z]*\.?$`)

func unitNamed(name string) time.Duration {
	switch name = strings.ToLower(name); {
	case name == "ms", name == "milli":
		return time.Millisecond
	case name[0] == 's':
		return time.Second
	case name[0] == 'm':
		return time.Minute
	}
	return time.Hour
}

func bounded(d float64) time.Duration {
	return time.Duration(max(0, min(d, float64(maxRetryAfter))))
}

// "Please try again in 7.66s", "retry after 20 seconds".
var inWords = regexp.MustCompile(`(?i)\b(?:try again|retry|wait|come back)\s+(?:in|after|for|at least)?\s*(?:about\s+)?((?:[0-9.]+(?:ms|h|m|s))+\b|[0-9.]+\s*(?:milliseconds|seconds?|secs?|minutes?|mins?|hours?))\b`)

// waitIn returns how long an error's object, its names spelled plainly, asks to wait;
// zero if it does not say.
func waitIn(o rawjson.Object) (most time.Duration) {
	var none time.Time // these are never dates
	for name, unit := range map[string]time.Duration{
		"retryafter": time.Second, "retryafterseconds": time.Second, "retrydelay": time.Second, "estimatedtime": time.Second,
		"retryafterms": time.Millisecond,
	} {
		if v := words(o.Get(name)); v != "" {
			most = max(most, span(v, unit, none))
		}
	}
	return most
}

// waitInWords returns how long a text for people asks to wait.
func waitInWords(s string) time.Duration {
	if m := inWords.FindStringSubmatch(s); m != nil {
		return span(m[1], time.Second, time.Time{})
	}
	return 0
}
