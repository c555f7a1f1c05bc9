package calendar

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rota-run/rota"
)

// FuzzNext checks what holds for every expression, zone and time.
func FuzzNext(f *testing.F) {
	for i, c := range oracleCases {
		f.Add(c.expression, uint16(i*31), int64(1_700_000_000_000+int64(i)*7_654_321_000))
	}
	for _, s := range []string{"@daily", "0 0 29 2 */7", "0 0 30 2 *", "1-2-3 * * * *", "*/0 * * * *", "0 9 * * MON#2", "TZ=UTC 0 0 * * *", "5/ * ? L *", "* * * * 5-7/2", ","} {
		f.Add(s, uint16(400), int64(1_735_600_000_000))
	}
	names := zoneNames()
	f.Fuzz(func(t *testing.T, expression string, zone uint16, ms int64) {
		spec := cronSpec(expression, names[int(zone)%len(names)])
		cal, err := Parse(spec, time.Time{})
		if err != nil {
			requireInvalid(t, err, expressionField)
			return
		}
		again := mustParse(t, cronSpec(cal.expression, spec.Timezone), time.Time{})
		if again != cal {
			t.Fatalf("%q becomes another calendar once normalized to %q", expression, cal.expression)
		}
		checkTimes(t, cal, time.UnixMilli(ms))
		if s := cal.Describe(); s == "" || strings.Contains(s, "%!") {
			t.Fatalf("%q is described as %q", expression, s)
		}
	})
}

// checkTimes follows the times of a calendar for a few steps.
func checkTimes(t *testing.T, cal Calendar, start time.Time) {
	t.Helper()
	at := start
	for range 20 {
		next, ok := cal.Next(at)
		if !ok {
			if at.Year() < 9900 {
				t.Fatalf("%q has no time after %s", cal.expression, at)
			}
			return
		}
		if !next.After(at) && at.Year() >= 1 {
			t.Fatalf("%q: %s is not after %s", cal.expression, next, at)
		}
		for _, between := range []time.Time{next.Add(-1), next.Add(-time.Millisecond), at.Add(next.Sub(at) / 2)} {
			if between.Before(at) || between.Year() < 1 {
				continue
			}
			if same, _ := cal.Next(between); !same.Equal(next) {
				t.Fatalf("%q: %s comes after %s, but %s after %s", cal.expression, next, at, same, between)
			}
		}
		at = next
	}
	if n, last := cal.Span(start, at, 20); start.Year() >= 1 && (n != 20 || !last.Equal(at)) {
		t.Fatalf("%q: Span counts %d up to %s, want 20 up to %s", cal.expression, n, last, at)
	}
}

// requireInvalid checks that err is the caller's fault, and names the field.
func requireInvalid(tb testing.TB, err error, path string) string {
	tb.Helper()
	var e *rota.Error
	if !errors.As(err, &e) || e.Code != rota.Invalid || e.Field != path || e.Msg == "" {
		tb.Fatalf("got %v, want an Invalid error of %s", err, path)
	}
	return e.Msg
}
