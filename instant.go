package rota

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// An Instant is a point in time as the API speaks of it: UTC, in whole
// milliseconds, "2026-11-23T05:31:56.000Z".
type Instant struct{ time.Time }

const instantLayout = "2006-01-02T15:04:05.000Z"

// InstantOf returns t as the API shows it; what is finer than a millisecond
// is cut off.
func InstantOf(t time.Time) Instant { return Instant{t.UTC().Truncate(time.Millisecond)} }

// InstantOrNil is InstantOf for a time that may be zero, which becomes nil.
func InstantOrNil(t time.Time) *Instant {
	if t.IsZero() {
		return nil
	}
	i := InstantOf(t)
	return &i
}

// String returns the wire form.
func (i Instant) String() string { return i.UTC().Format(instantLayout) }

// MarshalText returns the wire form.
func (i Instant) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// MarshalJSON returns the wire form as a JSON string.
func (i Instant) MarshalJSON() ([]byte, error) { return []byte(`"` + i.String() + `"`), nil }

// rfc3339 is what time.Parse is not strict about: two digits for the hour, a point
// before a fraction, and an offset of less than a day.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// UnmarshalText accepts any RFC 3339 time, its letters in either case, that lies
// in the years 1 to 9999 of UTC: what is later has no wire form.
func (i *Instant) UnmarshalText(b []byte) error {
	text := strings.ToUpper(string(b))
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !rfc3339.MatchString(text) {
		return fmt.Errorf("%q is not an RFC 3339 time such as 2026-11-23T05:31:56Z", b)
	}
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return fmt.Errorf("%q is not in the years 1 to 9999 of UTC", b)
	}
	*i = InstantOf(t)
	return nil
}

// UnmarshalJSON accepts any RFC 3339 time in a JSON string.
func (i *Instant) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("%s is not an RFC 3339 time in a string", b)
	}
	return i.UnmarshalText(b[1 : len(b)-1])
}
