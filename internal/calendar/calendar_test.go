package calendar

import (
	"strings"
	"testing"
	"time"

	"github.com/rota-run/rota"
)

func TestEveryZoneLoads(t *testing.T) {
	for _, name := range zoneNames() {
		if loc := mustLoad(t, name); loc.String() != name {
			t.Errorf("%s loads as %s", name, loc)
		}
	}
}

func TestZonesAreRefused(t *testing.T) {
	for name, hint := range map[string]string{
		"Local":                "such as Europe/Madrid",
		"europe/madrid":        "did you mean Europe/Madrid?",
		"Europe/Madrid\n":      "did you mean Europe/Madrid?",
		"Madrid":               "did you mean Europe/Madrid?",
		"America/New York":     "did you mean America/New_York?",
		"../../etc/passwd":     "such as",
		"Europe/../UTC":        "such as",
		"/UTC":                 "such as",
		"posix/Europe/Madrid":  "such as",
		"right/Europe/Madrid":  "such as",
		"localtime":            "such as",
		"posixrules":           "such as",
		"CEST":                 "such as",
		"+02:00":               "such as",
		" UTC":                 "did you mean UTC?",
		"utc":                  "did you mean",
		"Europe/Madrid\x00":    "such as",
		"Mars/Olympus_Mons":    "such as",
		"America/Argentina":    "such as",
		"Europe\\Madrid":       "such as",
		strings.Repeat("a", 9): "such as",
	} {
		_, err := Parse(cronSpec("@daily", name), time.Time{})
		if msg := requireInvalid(t, err, timezoneField); !strings.Contains(msg, hint) {
			t.Errorf("%q: the message %q lacks %q", name, msg, hint)
		}
	}
}

func TestSpec(t *testing.T) {
	once := func(at, zone string) rota.Spec { return rota.Spec{Type: rota.Once, RunAt: at, Timezone: zone} }
	interval := func(start, zone string) rota.Spec {
		return rota.Spec{Type: rota.Interval, IntervalSeconds: 60, StartAt: start, Timezone: zone}
	}
	for _, tt := range []struct{ in, want rota.Spec }{
		{once("2026-12-01T09:00:00Z", ""), once("2026-12-01T09:00:00.000Z", "UTC")},
		{once("2026-12-01T09:00:00.1239Z", "UTC"), once("2026-12-01T09:00:00.123Z", "UTC")},
		{once("2026-12-01T09:00:00+05:45", "UTC"), once("2026-12-01T03:15:00.000Z", "UTC")},
		{once("2026-12-01T09:00", "Europe/Madrid"), once("2026-12-01T08:00:00.000Z", "Europe/Madrid")},
		{once("2026-12-01T09:00:05", "Europe/Madrid"), once("2026-12-01T08:00:05.000Z", "Europe/Madrid")},
		{once("2026-12-01T09:00:05.123", "Europe/Madrid"), once("2026-12-01T08:00:05.123Z", "Europe/Madrid")},
		{once("2026-12-01T09:00", ""), once("2026-12-01T09:00:00.000Z", "UTC")},
		// The gap of Madrid is 02:00 to 03:00.
		{once("2026-03-29T01:59:59.999", "Europe/Madrid"), once("2026-03-29T00:59:59.999Z", "Europe/Madrid")},
		{once("2026-03-29T02:00", "Europe/Madrid"), once("2026-03-29T01:00:00.000Z", "Europe/Madrid")},
		{once("2026-03-29T02:59:59.999", "Europe/Madrid"), once("2026-03-29T01:00:00.000Z", "Europe/Madrid")},
		{once("2026-03-29T03:00", "Europe/Madrid"), once("2026-03-29T01:00:00.000Z", "Europe/Madrid")},
		{once("2026-03-29T03:00:00.001", "Europe/Madrid"), once("2026-03-29T01:00:00.001Z", "Europe/Madrid")},
		// It shows 02:00 to 03:00 twice.
		{once("2026-10-25T02:30", "Europe/Madrid"), once("2026-10-25T00:30:00.000Z", "Europe/Madrid")},
		{once("2026-10-25T03:00", "Europe/Madrid"), once("2026-10-25T02:00:00.000Z", "Europe/Madrid")},
		{once("2011-12-30T12:00", "Pacific/Apia"), once("2011-12-30T10:00:00.000Z", "Pacific/Apia")},
		{rota.Spec{Type: rota.Interval, IntervalSeconds: 60}, rota.Spec{Type: rota.Interval, IntervalSeconds: 60, Timezone: "UTC"}},
		{interval("2026-03-29T02:30", "Europe/Madrid"), interval("2026-03-29T01:00:00.000Z", "Europe/Madrid")},
		{interval("2026-12-01t09:00:00.1239z", ""), interval("2026-12-01T09:00:00.123Z", "UTC")},
		{once("2026-12-01t09:00:00z", ""), once("2026-12-01T09:00:00.000Z", "UTC")},
		{cronSpec("  0\t9 *  * MON-FRI ", ""), cronSpec("0 9 * * MON-FRI", "UTC")},
		{cronSpec(" @Daily ", "Asia/Tokyo"), cronSpec("@Daily", "Asia/Tokyo")},
	} {
		c, err := Parse(tt.in, time.Time{})
		if got := c.Spec(); err != nil || got != tt.want {
			t.Errorf("the spec of %+v is %+v, %v; want %+v", tt.in, got, err, tt.want)
		}
		if again, err := Parse(c.Spec(), time.Time{}); err != nil || again.Spec() != c.Spec() {
			t.Errorf("the spec is not stable: %+v, %v", again.Spec(), err)
		}
	}
}

func TestSpecsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		path string
		spec rota.Spec
	}{
		{typeField, rota.Spec{}},
		{typeField, rota.Spec{Type: "CRON", CronExpression: "@daily"}},
		{runAtField, rota.Spec{Type: rota.Once}},
		{runAtField, rota.Spec{Type: rota.Once, RunAt: "tomorrow"}},
		{runAtField, rota.Spec{Type: rota.Once, RunAt: "2026-12-01"}},
		{runAtField, rota.Spec{Type: rota.Once, RunAt: "2026-12-01 09:00:00Z"}},
		{runAtField, rota.Spec{Type: rota.Once, RunAt: "2026-12-01T9:00:00Z"}},
		{runAtField, rota.Spec{Type: rota.Once, RunAt: "2026-12-01T24:00:00Z"}},
		{runAtField, rota.Spec{Type: rota.Once, RunAt: "2026-02-29T09:00:00Z"}},
		{runAtField, rota.Spec{Type: rota.Once, RunAt: "2026-12-01T09:00:00+99:00"}},
		{runAtField, rota.Spec{Type: rota.Once, RunAt: "2026-12-01T09:00:00,5Z"}},
		{runAtField, rota.Spec{Type: rota.Once, RunAt: "0000-12-01T09:00:00Z"}},
		{runAtField, rota.Spec{Type: rota.Once, RunAt: "9999-12-31T23:00:00-02:00"}},
		{runAtField, rota.Spec{Type: rota.Cron, CronExpression: "@daily", RunAt: "2026-12-01T09:00:00Z"}},
		{runAtField, rota.Spec{Type: rota.Interval, IntervalSeconds: 5, RunAt: "2026-12-01T09:00:00Z"}},
		{intervalField, rota.Spec{Type: rota.Interval}},
		{intervalField, rota.Spec{Type: rota.Interval, IntervalSeconds: -1}},
		{intervalField, rota.Spec{Type: rota.Interval, IntervalSeconds: rota.MaxIntervalSeconds + 1}},
		{intervalField, rota.Spec{Type: rota.Cron, CronExpression: "@daily", IntervalSeconds: 5}},
		{startAtField, rota.Spec{Type: rota.Interval, IntervalSeconds: 5, StartAt: "tomorrow"}},
		{startAtField, rota.Spec{Type: rota.Interval, IntervalSeconds: 5, StartAt: "9999-12-31T23:00:00-02:00"}},
		{startAtField, rota.Spec{Type: rota.Cron, CronExpression: "@daily", StartAt: "2026-12-01T09:00:00Z"}},
		{startAtField, rota.Spec{Type: rota.Once, RunAt: "2026-12-01T09:00:00Z", StartAt: "2026-12-01T09:00:00Z"}},
		{expressionField, rota.Spec{Type: rota.Cron}},
		{expressionField, rota.Spec{Type: rota.Cron, CronExpression: " \t"}},
		{expressionField, rota.Spec{Type: rota.Once, RunAt: "2026-12-01T09:00:00Z", CronExpression: "@daily"}},
		{timezoneField, rota.Spec{Type: rota.Interval, IntervalSeconds: 5, Timezone: "Nowhere"}},
	} {
		_, err := Parse(tt.spec, time.Time{})
		requireInvalid(t, err, tt.path)
	}
}

func TestExpressionLength(t *testing.T) {
	longest := strings.Repeat("0,", 123) + "0 * * * *"
	longest += strings.Repeat(",*", (maxExpression-len(longest))/2)
	if len(longest) < maxExpression-1 {
		t.Fatal("the longest expression is", len(longest))
	}
	mustParse(t, cronSpec(longest, ""), time.Time{})
	_, err := Parse(cronSpec(longest+",*", ""), time.Time{})
	requireInvalid(t, err, expressionField)
}

func TestSameExpressions(t *testing.T) {
	for a, b := range map[string]string{
		"0 9 * * 1-5":         "0 9 * * mon-Fri",
		"0 9 * jan,DEC 5-7":   "0 9 * 1,12 fri-sun",
		"5/15 8/4 * * *":      "5,20,35,50 8,12,16,20 * * *",
		"0 0 20/5 3/3 5/1":    "0 0 20,25,30 3,6,9,12 5,6",
		"0 0 * * 7/2":         "0 0 * * 0",
		"0 0 * * 0-7/7":       "0 0 * * SUN-SUN",
		"0 0 * * 1-7/2":       "0 0 * * MON,WED,FRI,SUN",
		"00 09 01 01 *":       "0 9 1 1 *",
		"1-1 2 3 4 *":         "1 2 3 4 *",
		"*/99 0 * * *":        "0 0 * * *",
		"0-59/1 0 * * *":      "0-59 0 * * *",
		"@HOURLY":             "0 * * * *",
		"@daily":              "@midnight",
		"@yearly":             "@annually",
		"@weekly":             "0 0 * * 0",
		"@monthly":            "0 0 1 * *",
		"0 0 1-10/3,29 * *":   "0 0 1,4,7,10,29 * *",
		"0 0 31 2-4 *":        "0 0 31 2,3,4 *",
		"0 0 29 FEB TUE":      "0 0 29 2 2",
		"10-50/20,0 12 * * *": "0,10,30,50 12 * * *",
	} {
		left, right := mustParse(t, cronSpec(a, ""), time.Time{}), mustParse(t, cronSpec(b, ""), time.Time{})
		if left.cron != right.cron {
			t.Errorf("%q is %+v, and %q is %+v", a, left.cron, b, right.cron)
		}
	}
}

func TestInterval(t *testing.T) {
	anchor := instantAt(t, "2026-01-01T00:00:00.250Z")
	c := mustParse(t, rota.Spec{Type: rota.Interval, IntervalSeconds: 90}, anchor)
	for after, want := range map[string]string{
		"0001-01-01T00:00:00Z":           "2026-01-01T00:01:30.250Z",
		"2025-12-31T23:58:30.250Z":       "2026-01-01T00:01:30.250Z",
		"2026-01-01T00:00:00.250Z":       "2026-01-01T00:01:30.250Z",
		"2026-01-01T00:01:30.249999999Z": "2026-01-01T00:01:30.250Z",
		"2026-01-01T00:01:30.25Z":        "2026-01-01T00:03:00.250Z",
		"2026-01-01T00:01:30.250000001Z": "2026-01-01T00:03:00.250Z",
		"2126-01-01T00:00:00Z":           "2126-01-01T00:00:00.250Z",
	} {
		if got, ok := c.Next(instantAt(t, after)); !ok || !got.Equal(instantAt(t, want)) {
			t.Errorf("after %s: got %s, %t, want %s", after, got, ok, want)
		}
	}
	if got, ok := c.Next(instantAt(t, "9999-12-31T23:59:59.999Z")); ok {
		t.Errorf("after the year 9999 there is %s", got)
	}
}

func TestSpan(t *testing.T) {
	anchor := instantAt(t, "2026-01-01T00:00:00Z")
	minutely := rota.Spec{Type: rota.Interval, IntervalSeconds: 60}
	once := rota.Spec{Type: rota.Once, RunAt: "2026-01-01T01:00:00Z"}
	for _, tt := range []struct {
		spec               rota.Spec
		after, until, last string
		limit, n           int
	}{
		{minutely, "2026-01-01T00:00:00Z", "2026-01-01T00:00:59Z", "", 9, 0},
		{minutely, "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T00:01:00Z", 9, 1},
		{minutely, "2026-01-01T00:01:00Z", "2026-01-01T00:03:00Z", "2026-01-01T00:03:00Z", 9, 2},
		{minutely, "2025-01-01T00:00:00Z", "2027-01-01T00:00:30Z", "2027-01-01T00:00:00Z", 9, 365 * 24 * 60},
		{minutely, "2026-01-01T00:03:00Z", "2026-01-01T00:01:00Z", "", 9, 0},
		{once, "2026-01-01T00:59:00Z", "2026-01-01T01:00:00Z", "2026-01-01T01:00:00Z", 9, 1},
		{once, "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "", 9, 0},
		{cronSpec("* * * * *", ""), "2026-01-01T00:00:00Z", "2026-01-01T00:05:59Z", "2026-01-01T00:05:00Z", 9, 5},
		{cronSpec("* * * * *", ""), "2026-01-01T00:00:00Z", "2026-01-01T00:15:59Z", "2026-01-01T00:09:00Z", 9, 9},
		{cronSpec("@yearly", ""), "2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z", "", 9, 0},
	} {
		n, last := mustParse(t, tt.spec, anchor).Span(instantAt(t, tt.after), instantAt(t, tt.until), tt.limit)
		var want time.Time
		if tt.last != "" {
			want = instantAt(t, tt.last)
		}
		if n != tt.n || !last.Equal(want) {
			t.Errorf("%+v from %s until %s: got %d, %s; want %d, %s", tt.spec, tt.after, tt.until, n, last, tt.n, want)
		}
	}
}

func TestZeroCalendar(t *testing.T) {
	var c Calendar
	if at, ok := c.Next(time.Time{}); ok {
		t.Errorf("it has the time %s", at)
	}
	if n, last := c.Span(time.Time{}, time.Now(), 5); n != 0 || !last.IsZero() {
		t.Errorf("it has %d times up to %s", n, last)
	}
	if c.Location() != time.UTC || c.Describe() != "never" || c.Warnings(time.Time{}) != nil {
		t.Error("it is not never, in UTC, without warnings")
	}
}

func TestEnds(t *testing.T) {
	c := mustParse(t, cronSpec("0 9 * * *", "Asia/Tokyo"), time.Time{})
	first, ok := c.Next(time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC))
	if !ok || first.Year() != 1 {
		t.Errorf("the first time is %s, %t", first, ok)
	}
	last, ok := c.Next(time.Date(9999, 12, 29, 12, 0, 0, 0, time.UTC))
	if !ok || !last.Equal(instantAt(t, "9999-12-30T00:00:00Z")) {
		t.Errorf("the last time is %s, %t", last, ok)
	}
	if at, ok := c.Next(last); ok {
		t.Errorf("after the last time comes %s", at)
	}
}
