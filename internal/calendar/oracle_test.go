package calendar

import (
	"slices"
	"testing"
	"time"
)

// The oracle states the rule without looking at how it is computed. It knows
// an expression as a predicate on a wall-clock time, it walks real time minute
// by minute, and it asks package time only what a clock shows at an instant.
//
//   - In real time, a minute has a fire if what the clock shows matches.
//   - Otherwise every matching wall-clock minute has one fire: the first minute
//     that shows it, or, if none does, the minute that shows a later time while
//     the minute before showed an earlier one.
type oracleCase struct {
	expression string
	realTime   bool
	matches    func(w time.Time) bool
}

func hours(from, to int, minutes ...int) func(time.Time) bool {
	return func(w time.Time) bool {
		return from <= w.Hour() && w.Hour() <= to && (minutes == nil || slices.Contains(minutes, w.Minute()))
	}
}

var oracleCases = []oracleCase{
	{"0 0 * * *", false, hours(0, 0, 0)},
	{"30 0 * * *", false, hours(0, 0, 30)},
	{"30 1 * * *", false, hours(1, 1, 30)},
	{"15 2 * * *", false, hours(2, 2, 15)},
	{"30 2 * * *", false, hours(2, 2, 30)},
	{"0 3 * * *", false, hours(3, 3, 0)},
	{"* 1-2 * * *", false, hours(1, 2)},
	{"*/20 0-5,22-23 * * *", false, func(w time.Time) bool { return w.Minute()%20 == 0 && (w.Hour() <= 5 || w.Hour() >= 22) }},
	{"0,59 0-23 * * *", false, hours(0, 23, 0, 59)},
	{"0-23/9 0/2 * * *", false, func(w time.Time) bool { return w.Minute() < 24 && w.Minute()%9 == 0 && w.Hour()%2 == 0 }},
	{"30 2 * * 7", false, func(w time.Time) bool { return w.Weekday() == time.Sunday && hours(2, 2, 30)(w) }},
	{"10 0,2,3 1-7 * SAT-SUN", false, func(w time.Time) bool {
		weekend := w.Weekday() == time.Saturday || w.Weekday() == time.Sunday
		return (w.Day() <= 7 || weekend) && slices.Contains([]int{0, 2, 3}, w.Hour()) && w.Minute() == 10
	}},
	{"45 2 */2 * SUN", false, func(w time.Time) bool { return w.Day()%2 == 1 && w.Weekday() == time.Sunday && hours(2, 2, 45)(w) }},
	{"5 2 25-31 3,10 *", false, func(w time.Time) bool {
		return w.Day() >= 25 && (w.Month() == time.March || w.Month() == time.October) && hours(2, 2, 5)(w)
	}},
	{"* * * * *", true, func(time.Time) bool { return true }},
	{"0 * * * *", true, hours(0, 23, 0)},
	{"45 */2 * * *", true, func(w time.Time) bool { return w.Hour()%2 == 0 && w.Minute() == 45 }},
	{"*/25 * * * SUN", true, func(w time.Time) bool { return w.Minute()%25 == 0 && w.Weekday() == time.Sunday }},
	{"30 *,7 8-14 * 0", true, func(w time.Time) bool {
		return w.Minute() == 30 && (w.Weekday() == time.Sunday || 8 <= w.Day() && w.Day() <= 14)
	}},
}

// A walk is real time, minute by minute, with what a clock showed.
type walk struct {
	from  int64 // Unix minutes
	shown []int64
	walls []time.Time // shown, to be read as UTC
}

// walkAround walks from before to after t. What is read from the clock in the
// first part, lead, says only which times have been shown already.
func walkAround(loc *time.Location, t time.Time, lead, before, after time.Duration) walk {
	start := t.Add(-before - lead)
	n := int((lead + before + after) / time.Minute)
	w := walk{from: start.Unix() / 60, shown: make([]int64, n), walls: make([]time.Time, n)}
	for i := range n {
		at := time.Unix((w.from+int64(i))*60, 0).In(loc)
		_, offset := at.Zone()
		w.shown[i] = w.from + int64(i) + int64(offset)/60
		w.walls[i] = time.Unix(w.shown[i]*60, 0).UTC()
	}
	return w
}

// fires returns the Unix minutes of the walk in which the case has a fire.
func (w walk) fires(c oracleCase) (all []int64) {
	seen := make(map[int64]bool, len(w.shown))
	seen[w.shown[0]] = true
	for i := 1; i < len(w.shown); i++ {
		fire := c.matches(w.walls[i]) && (c.realTime || !seen[w.shown[i]])
		for skipped := w.shown[i-1] + 1; skipped < w.shown[i] && !c.realTime; skipped++ {
			fire = fire || !seen[skipped] && c.matches(time.Unix(skipped*60, 0).UTC())
			seen[skipped] = true
		}
		seen[w.shown[i]] = true
		if fire {
			all = append(all, w.from+int64(i))
		}
	}
	return all
}

// compare checks the calendar against the oracle in the last part of the walk,
// after skip minutes: as a chain of fires, and from many minutes in between.
func (w walk) compare(t *testing.T, c oracleCase, zone string, skip int) {
	t.Helper()
	cal := mustParse(t, cronSpec(c.expression, zone), time.Time{})
	end := w.from + int64(len(w.shown)) - 1
	fires := w.fires(c)
	for after := w.from + int64(skip); ; {
		i, _ := slices.BinarySearch(fires, after+1)
		got, ok := cal.Next(time.Unix(after*60, 0))
		if i == len(fires) {
			if ok && got.Unix() <= end*60 {
				t.Fatalf("%q in %s after %s: got %s, want none before %s", c.expression, zone, stamp(after), got, stamp(end))
			}
			return
		}
		if !ok || got.Unix() != fires[i]*60 {
			t.Fatalf("%q in %s after %s: got %s, want %s", c.expression, zone, stamp(after), got, stamp(fires[i]))
		}
		after = min(fires[i], after+23)
	}
}

func stamp(minute int64) string { return time.Unix(minute*60, 0).UTC().Format(time.RFC3339) }

// transitions finds the minutes between two years in which the clock changes,
// by looking at it once a day.
func transitions(loc *time.Location, from, to int) (all []time.Time) {
	offset := func(minute int64) int {
		_, o := time.Unix(minute*60, 0).In(loc).Zone()
		return o
	}
	const daily = 24 * 60
	end := time.Date(to, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / 60
	for m := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / 60; m < end; m += daily {
		if offset(m) == offset(m+daily) {
			continue
		}
		lo, hi := m, m+daily
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; offset(mid) == offset(m) {
				lo = mid
			} else {
				hi = mid
			}
		}
		all = append(all, time.Unix(hi*60, 0))
	}
	return all
}

// TestEveryTransition compares with the oracle around every transition of every
// zone from 2024 to 2037; with -short, of every 25th zone.
func TestEveryTransition(t *testing.T) {
	count := 0
	for i, zone := range zoneNames() {
		if testing.Short() && i%25 != 0 {
			continue
		}
		loc := mustLoad(t, zone)
		for _, at := range transitions(loc, 2024, 2038) {
			count++
			w := walkAround(loc, at, 150*time.Minute, time.Hour, 3*time.Hour)
			for _, c := range oracleCases {
				w.compare(t, c, zone, 150)
			}
		}
	}
	t.Logf("%d transitions", count)
	if count < 100 {
		t.Fatalf("only %d transitions found", count)
	}
}

// TestStrangeTransitions walks further around clocks that did what none does
// from 2024 on: lose a day, repeat most of one, change twice within a day's
// reach, or change by an odd amount.
func TestStrangeTransitions(t *testing.T) {
	for _, tt := range []struct {
		zone     string
		from, to int
		want     int
	}{
		{"Pacific/Apia", 2009, 2013, 6},
		{"Pacific/Kwajalein", 1993, 1994, 1},
		{"Pacific/Kwajalein", 1969, 1970, 1},
		{"Pacific/Kiritimati", 1994, 1996, 1},
		{"America/Caracas", 2007, 2017, 2},
		{"Asia/Pyongyang", 2015, 2019, 2},
		{"Asia/Kathmandu", 1985, 1987, 1},
		{"Europe/Dublin", 1967, 1975, 10},
		{"Europe/Lisbon", 1991, 1998, 12},
		{"Europe/London", 1940, 1948, 18},
		{"Africa/Cairo", 2010, 2016, 8},
		{"Antarctica/Troll", 2005, 2010, 10},
		{"Antarctica/Casey", 2016, 2024, 12},
		{"America/New_York", 2038, 2045, 14},
		{"Australia/Lord_Howe", 1980, 1990, 18},
	} {
		loc := mustLoad(t, tt.zone)
		found := transitions(loc, tt.from, tt.to)
		if len(found) != tt.want {
			t.Errorf("%s from %d to %d: %d transitions, want %d", tt.zone, tt.from, tt.to, len(found), tt.want)
		}
		for _, at := range found {
			w := walkAround(loc, at, 26*time.Hour, 26*time.Hour, 50*time.Hour)
			for _, c := range oracleCases {
				w.compare(t, c, tt.zone, 26*60)
			}
		}
	}
}

// TestNewYear walks over the end of leap years, where package time reports the
// end of a zone's year a day early.
func TestNewYear(t *testing.T) {
	for _, zone := range []string{"America/New_York", "Australia/Sydney", "Europe/Berlin", "America/Santiago"} {
		loc := mustLoad(t, zone)
		for _, year := range []int{2024, 2025, 2028, 2048, 2100} {
			w := walkAround(loc, time.Date(year, 12, 31, 12, 0, 0, 0, time.UTC), time.Hour, 36*time.Hour, 48*time.Hour)
			for _, c := range oracleCases {
				w.compare(t, c, zone, 60)
			}
		}
	}
}

// TestDays compares the days of four centuries with a look at each of them.
func TestDays(t *testing.T) {
	for _, tt := range []struct {
		cron    cron
		matches func(time.Time) bool
	}{
		{cron{days: 1 << 29, months: 1 << 2, weekdays: 1}, func(d time.Time) bool {
			return d.Day() == 29 && d.Month() == time.February && d.Weekday() == time.Sunday
		}},
		{cron{days: 1<<31 | 1<<13, months: 0x1ffe, weekdays: 1 << 5}, func(d time.Time) bool {
			return (d.Day() == 13 || d.Day() == 31) && d.Weekday() == time.Friday
		}},
		{cron{days: 1<<31 | 1<<13, months: 1<<4 | 1<<12, weekdays: 1<<6 | 1<<2, either: true}, func(d time.Time) bool {
			return (d.Month() == time.April || d.Month() == time.December) &&
				(d.Day() == 13 || d.Day() == 31 || d.Weekday() == time.Saturday || d.Weekday() == time.Tuesday)
		}},
		{cron{days: 1<<32 - 2, months: 1 << 1, weekdays: 0x7f}, func(d time.Time) bool { return d.Month() == time.January }},
	} {
		next, ok := tt.cron.dayFrom(-40 * 365)
		for d := int64(-40 * 365); d < 360*365; d++ {
			if !tt.matches(time.Unix(d*86_400, 0).UTC()) {
				continue
			}
			if !ok || next != d {
				t.Fatalf("%+v: got day %d, %t, want %d", tt.cron, next, ok, d)
			}
			next, ok = tt.cron.dayFrom(d + 1)
		}
	}
}

// TestNever holds the reasoning about month lengths against four centuries.
func TestNever(t *testing.T) {
	exists := map[[2]int]bool{}
	for d := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2400; d = d.AddDate(0, 0, 1) {
		exists[[2]int{int(d.Month()), d.Day()}] = true
	}
	for month := 1; month <= 12; month++ {
		for dom := 1; dom <= 31; dom++ {
			c := cron{days: 1 << dom, months: 1 << month, weekdays: 1}
			if c.never() == exists[[2]int{month, dom}] {
				t.Errorf("day %d of month %d: never is %t", dom, month, c.never())
			}
			if _, ok := c.dayFrom(0); ok == c.never() {
				t.Errorf("day %d of month %d on a Sunday: found is %t", dom, month, ok)
			}
		}
	}
}
