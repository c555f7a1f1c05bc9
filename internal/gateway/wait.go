package gateway

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
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
	if d := span(h.Get("Retry-After-Ms"), time.Millisecond, now); d > 0 {
		return d
	}
	return span(h.Get("Retry-After"), time.Second, now)
}

// untilReset returns when the limit that was hit begins anew, by the headers that
// OpenAI, Anthropic and the draft of the IETF describe; zero if they do not say.
func untilReset(h http.Header, now time.Time) (longest time.Duration) {
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
			longest = max(longest, span(h.Get(names[1]), time.Second, now))
		}
	}
	return longest
}

// span returns the time that a header asks for: a number of units, a time since
// 1970, a date, or a span such as 6m0s. It is zero if it is past or none of these.
func span(s string, unit time.Duration, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		switch {
		case math.IsNaN(n) || n <= 0:
			return 0
		case unit == time.Second && n >= epochMillis:
			return bounded(float64(time.UnixMilli(int64(min(n, 1e15))).Sub(now)))
		case unit == time.Second && n >= epochSeconds:
			return bounded(float64(time.Unix(int64(n), 0).Sub(now)))
		}
		return bounded(n * float64(unit))
	}
	if d, err := time.ParseDuration(s); err == nil {
		return bounded(float64(d))
	}
	if at, err := http.ParseTime(s); err == nil {
		return bounded(float64(at.Sub(now)))
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return bounded(float64(at.Sub(now)))
	}
	return 0
}

func bounded(d float64) time.Duration {
	return time.Duration(max(0, min(d, float64(maxRetryAfter))))
}

// "Please try again in 7.66s", "retry after 20 seconds".
var inWords = regexp.MustCompile(`(?i)\b(?:try again|retry)\s+(?:in|after)\s+((?:[0-9.]+(?:ms|h|m|s))+|[0-9.]+\s*(?:milliseconds|seconds?|minutes?))`)

// waitIn returns how long an error's object asks to wait; zero if it does not say.
func waitIn(object []byte) (longest time.Duration) {
	var none time.Time // these are never dates
	for name, unit := range map[string]time.Duration{
		"retry_after": time.Second, "retryAfter": time.Second, "retry_after_seconds": time.Second, "retryDelay": time.Second,
		"retry_after_ms": time.Millisecond, "retryAfterMs": time.Millisecond,
	} {
		if v := words(member(object, name)); v != "" {
			longest = max(longest, span(v, unit, none))
		}
	}
	if m := inWords.FindStringSubmatch(text(member(object, "message"))); m != nil {
		longest = max(longest, spelled(m[1]))
	}
	return longest
}

func spelled(s string) time.Duration {
	n, unit, _ := strings.Cut(s, " ")
	switch {
	case strings.HasPrefix(unit, "milli"):
		n += "ms"
	case unit != "":
		n += unit[:1]
	}
	return span(n, time.Second, time.Time{})
}
