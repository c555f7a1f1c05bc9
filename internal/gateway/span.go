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

// span returns the time that a header asks for: a number of units, a time since
// 1970, a date, or a span such as 6m0s, PT6M, 0:06:00 or 6 minutes. It is zero if it is past or none of these.
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
	if d, ok := duration(s); ok {
		return bounded(d)
	}
	return bounded(float64(date(s).Sub(now)))
}

// duration reads a span that has its units in it, in nanoseconds.
func duration(s string) (float64, bool) {
	if d, err := time.ParseDuration(strings.ToLower(s)); err == nil {
		return float64(d), true
	}
	if m := isoSpan.FindStringSubmatch(s); m != nil {
		return sum(m[1:], 24*time.Hour, time.Hour, time.Minute, time.Second), true
	}
	if m := clockSpan.FindStringSubmatch(s); m != nil {
		return sum(m[1:], time.Hour, time.Minute, time.Second), true
	}
	if m := unitInWords.FindStringSubmatch(s); m != nil {
		return sum(m[1:2], unitNamed(m[2])), true
	}
	return 0, false
}

var (
	isoSpan     = regexp.MustCompile(`(?i)^P(?:([0-9.]+)D)?T?(?:([0-9.]+)H)?(?:([0-9.]+)M)?(?:([0-9.]+)S)?$`)
	clockSpan   = regexp.MustCompile(`^(?:([0-9]+):)?([0-9]+):([0-9]{2}(?:\.[0-9]+)?)$`)
	unitInWords = regexp.MustCompile(`(?i)(?:^|\s)([0-9.]+)\s*(ms|milli|s|sec|m|min|h|hour)[a-z]*\.?$`) // "20 seconds", "about 1 min"
)

// sum adds up numbers of units; what is no number is zero.
func sum(numbers []string, units ...time.Duration) (total float64) {
	for i, s := range numbers {
		n, err := strconv.ParseFloat(s, 64)
		if err == nil {
			total += n * float64(units[i])
		}
	}
	return total
}

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

// date reads a date as servers write them; one without a zone is in UTC. It is the
// zero time if it is none.
func date(s string) time.Time {
	s = strings.ToUpper(s) // names of days and months are read in any case, GMT is not
	if at, err := http.ParseTime(s); err == nil {
		return at
	}
	for _, layout := range []string{
		time.RFC3339, time.RFC1123Z, time.RFC1123, "Mon, 2 Jan 2006 15:04:05 MST", "2 Jan 2006 15:04:05 MST",
		"2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 MST",
	} {
		if at, err := time.Parse(layout, s); err == nil {
			return at
		}
	}
	return time.Time{}
}

func bounded(d float64) time.Duration {
	return time.Duration(max(0, min(d, float64(maxRetryAfter))))
}
