package temporal

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"pgregory.net/rapid"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/engine/temporal/temporaltest"
	"github.com/rota-run/rota/internal/zoneinfo"
)

func instant(tb require.TestingT, s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	require.NoError(tb, err)
	return t
}

func cron(expression, zone string) rota.Timer {
	return rota.Timer{Spec: rota.Spec{Type: rota.Cron, CronExpression: expression, Timezone: zone}}
}

func one(n int) []client.ScheduleRange { return step(n, n, 1) }

func step(from, to, by int) []client.ScheduleRange {
	return []client.ScheduleRange{{Start: from, End: to, Step: by}}
}

func TestCompileOnce(t *testing.T) {
	timer := rota.Timer{Spec: rota.Spec{Type: rota.Once, RunAt: "2031-05-06T07:08:09.250Z"}}
	got, err := Compile(timer, instant(t, "2026-01-01T00:00:00Z"))
	require.NoError(t, err)
	require.Equal(t, Times{Spec: client.ScheduleSpec{Calendars: []client.ScheduleCalendarSpec{{
		Second: one(9), Minute: one(8), Hour: one(7), DayOfMonth: one(6), Month: one(5), Year: one(2031),
	}}}}, got)

	got, err = Compile(timer, instant(t, "2031-05-06T07:08:09.251Z"))
	require.NoError(t, err)
	require.Zero(t, got, "it has passed")
}

func TestCompileInterval(t *testing.T) {
	start, end := rota.InstantOf(instant(t, "2026-01-01T02:00:00Z")), rota.InstantOf(instant(t, "2026-01-01T06:00:00.250Z"))
	timer := rota.Timer{
		Spec:   rota.Spec{Type: rota.Interval, IntervalSeconds: 3600},
		Anchor: instant(t, "2026-01-01T00:30:00.250Z"),
		Policy: rota.Policy{StartAt: &start, EndAt: &end},
	}
	got, err := Compile(timer, time.Time{})
	require.NoError(t, err)
	require.Equal(t, Times{Spec: client.ScheduleSpec{
		Intervals: []client.ScheduleIntervalSpec{{Every: time.Hour, Offset: 30 * time.Minute}},
		StartAt:   instant(t, "2026-01-01T02:30:00Z"),
		EndAt:     instant(t, "2026-01-01T05:30:00Z"),
	}}, got)
}

// TestCompileCron shows what a person finds in Temporal.
func TestCompileCron(t *testing.T) {
	got, err := Compile(cron("*/15 9-17 * * *", "Europe/Madrid"), instant(t, "2026-10-15T00:00:00Z"))
	require.NoError(t, err)
	minutes, year := step(0, 45, 15), one(2026)
	require.Equal(t, []client.ScheduleCalendarSpec{
		{Second: one(0), Minute: minutes, Hour: step(7, 15, 1), DayOfMonth: step(15, 24, 1), Month: one(10), Year: year},
		{Second: one(0), Minute: minutes, Hour: step(8, 16, 1), DayOfMonth: step(25, 31, 1), Month: one(10), Year: year},
		{Second: one(0), Minute: minutes, Hour: step(8, 16, 1), DayOfMonth: step(1, 30, 1), Month: one(11), Year: year},
		{Second: one(0), Minute: minutes, Hour: step(8, 16, 1), DayOfMonth: step(1, 31, 1), Month: one(12), Year: year},
		{Second: one(0), Minute: minutes, Hour: step(8, 16, 1), DayOfMonth: step(1, 22, 1), Month: one(1), Year: one(2027)},
	}, got.Spec.Calendars)
	require.Equal(t, instant(t, "2027-01-23T08:00:00Z"), got.Until)
}

func TestReach(t *testing.T) {
	from := instant(t, "2026-03-01T00:00:00Z")
	for _, tt := range []struct {
		expression, from, until string
	}{
		{"* * * * *", "2026-03-01T00:00:00Z", "2026-03-07T22:40:00Z"},  // 10,000 times
		{"0 0 * * *", "2026-03-01T00:00:00Z", "2026-06-10T00:00:00Z"},  // 100 days
		{"0 0 29 2 *", "2026-03-01T00:00:00Z", "2032-02-29T00:00:00Z"}, // the first is in, however far
		{"0 0 29 2 *", "2099-01-01T00:00:00Z", "2104-02-29T00:00:00Z"}, // Temporal's time ends before it
	} {
		got, err := Compile(cron(tt.expression, "UTC"), instant(t, tt.from))
		require.NoError(t, err)
		require.Equal(t, instant(t, tt.until), got.Until, tt.expression)
	}

	s := span{cal: parse(t, cron("7 0 1,3,4,9,22 * *", "UTC"))}
	whole, few := s.calendars(from, standard), s.calendars(from, reach{standard.horizon, standard.times, 1})
	require.Len(t, whole.Spec.Calendars, 2, "March to May, and June as far as it goes")
	require.Len(t, few.Spec.Calendars, 1, "as much as one calendar can say")
	require.True(t, few.Until.Before(whole.Until))
}

func TestCompileRefusesWhatTheCalendarDoes(t *testing.T) {
	_, err := Compile(cron("0 0 30 2 *", "UTC"), time.Time{})
	require.ErrorIs(t, err, rota.Invalid)
}

func parse(tb require.TestingT, t rota.Timer) calendar.Calendar {
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	require.NoError(tb, err)
	return cal
}

// requireSameTimes asks Temporal's code for all that it makes of what was
// compiled, and beyond, and wants the times of the calendar.
func requireSameTimes(tb require.TestingT, m *temporaltest.Matcher, s span, got Times, from, beyond time.Time) {
	want := []time.Time{}
	for after := from.Add(-time.Millisecond); ; {
		next, ok := s.next(after)
		if !ok || next.After(beyond) || !got.Until.IsZero() && !next.Before(got.Until) {
			break
		}
		want, after = append(want, wholeSecond(next)), next
	}
	have, err := m.Times(got.Spec, wholeSecond(from).Add(-time.Second), wholeSecond(beyond))
	require.NoError(tb, err)
	if !slices.Equal(want, have) { // which is quick
		require.Equal(tb, want, have)
	}
}

// Every field of an expression, and every rule for days and hours.
var expressions = []string{
	"* * * * *", "*/7 * * * *", "0 * * * *", "45 */2 * * *", "30 *,7 8-14 * 0",
	"0 0 * * *", "30 0-3 * * *", "*/20 0-5,22-23 * * *", "30 2 * * 7", "15 1,2,3 1-7,25-31 * SAT-SUN",
	"45 2 */2 * SUN", "5 2 25-31 3,4,9,10 *", "59 23 * * *", "0-23/9 0/2 * * *",
}

// TestEveryTransition holds what is compiled against Temporal's own code around
// every change of every clock from 2024 to 2037, and around some stranger ones;
// with -short, of every 25th zone.
func TestEveryTransition(t *testing.T) {
	m := temporaltest.NewMatcher(t)
	data, err := zoneinfo.Current()
	require.NoError(t, err)
	seen := map[string]bool{}
	for i, zone := range data.Names() {
		if testing.Short() && i%25 != 0 {
			continue
		}
		for _, at := range transitions(t, zone, 2024, 2038) {
			// Zones that do the same at the same time are one case.
			if rule := fmt.Sprint(at.Unix(), offset(zone, at, -1), offset(zone, at, 0)); !seen[rule] {
				seen[rule] = true
				compare(t, m, zone, at, 4*time.Hour, 9*time.Hour)
			}
		}
	}
	t.Logf("%d transitions", len(seen))
	require.Greater(t, len(seen), 20)
	for _, zone := range []string{"Pacific/Apia", "Asia/Pyongyang", "America/Caracas", "Africa/Cairo"} {
		for _, at := range transitions(t, zone, 2009, 2019) {
			compare(t, m, zone, at, 26*time.Hour, 52*time.Hour)
		}
	}
}

func compare(t *testing.T, m *temporaltest.Matcher, zone string, at time.Time, before, horizon time.Duration) {
	t.Helper()
	from := at.Add(-before)
	for _, e := range expressions {
		s := span{cal: parse(t, cron(e, zone))}
		got := s.calendars(from, reach{horizon, standard.times, standard.calendars})
		requireSameTimes(t, m, s, got, from, from.Add(horizon+24*time.Hour))
	}
}

// transitions returns when the clock of a zone is changed between two years.
func transitions(t *testing.T, zone string, from, to int) (all []time.Time) {
	loc, err := zoneinfo.Load(zone)
	require.NoError(t, err)
	for at := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC).In(loc); ; {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.Year() >= to {
			return all
		}
		if !end.After(at) { // package time ends leap years a day early
			end = at.AddDate(0, 0, 1)
		}
		if offset(zone, end, -1) != offset(zone, end, 0) {
			all = append(all, end)
		}
		at = end
	}
}

// offset returns how far a clock is ahead of UTC, some seconds after t.
func offset(zone string, t time.Time, seconds int) int {
	loc, _ := zoneinfo.Load(zone)
	_, offset := t.Add(time.Duration(seconds) * time.Second).In(loc).Zone()
	return offset
}

// TestAnyCron compiles any expression for any zone, time and span, and holds it
// against Temporal's own code.
func TestAnyCron(t *testing.T) {
	m := temporaltest.NewMatcher(t)
	var most, largest int
	rapid.Check(t, func(t *rapid.T) {
		fields := make([]string, 5)
		for i, bounds := range [][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}} {
			fields[i] = anyField(bounds[0], bounds[1]).Draw(t, "field")
		}
		zone := rapid.SampledFrom([]string{
			"UTC", "America/New_York", "Europe/Madrid", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca",
			"Asia/Kolkata", "Pacific/Chatham", "America/St_Johns", "Africa/Cairo", "Pacific/Kiritimati", "Pacific/Pago_Pago",
		}).Draw(t, "zone")
		timer := cron(strings.Join(fields, " "), zone)
		cal, err := calendar.Parse(timer.Spec, timer.Anchor)
		if err != nil {
			t.Skip(err) // it never matches
		}
		from := time.UnixMilli(rapid.Int64Range(1_735_000_000_000, 4_050_000_000_000).Draw(t, "from")).UTC()
		s := span{cal: cal, start: bound(t, from), end: bound(t, from)}
		timer.Policy = rota.Policy{StartAt: s.start, EndAt: s.end}

		got, err := Compile(timer, from)
		require.NoError(t, err)
		require.LessOrEqual(t, len(got.Spec.Calendars), standard.calendars)
		requireSameTimes(t, m, s, got, from, from.Add(standard.horizon+24*time.Hour))
		most, largest = max(most, len(got.Spec.Calendars)), max(largest, temporaltest.Size(got.Spec))
	})
	t.Logf("at most %d calendars, %d bytes", most, largest)
	require.Less(t, largest, 20_000)
}

// anyField draws a field of an expression.
func anyField(lo, hi int) *rapid.Generator[string] {
	number := rapid.IntRange(lo, hi)
	return rapid.Custom(func(t *rapid.T) string {
		var items []string
		for range rapid.IntRange(1, 4).Draw(t, "items") {
			a, b, every := number.Draw(t, "a"), number.Draw(t, "b"), rapid.IntRange(1, 9).Draw(t, "step")
			items = append(items, rapid.SampledFrom([]string{
				"*", fmt.Sprint(a), fmt.Sprintf("%d-%d", min(a, b), max(a, b)), fmt.Sprintf("*/%d", every), fmt.Sprintf("%d-%d/%d", min(a, b), max(a, b), every),
			}).Draw(t, "item"))
		}
		return strings.Join(items, ",")
	})
}

// bound draws the start or the end of a span: none, or in the year around t.
func bound(t *rapid.T, around time.Time) *rota.Instant {
	if rapid.IntRange(0, 2).Draw(t, "bounded") > 0 {
		return nil
	}
	const halfYear = 183 * 24 * time.Hour
	at := rota.InstantOf(around.Add(time.Duration(rapid.Int64Range(-int64(halfYear), int64(halfYear)).Draw(t, "bound"))))
	return &at
}

// TestAnyInterval does the same for intervals, which are compiled once.
func TestAnyInterval(t *testing.T) {
	m := temporaltest.NewMatcher(t)
	rapid.Check(t, func(t *rapid.T) {
		every := rapid.OneOf(rapid.Int64Range(1, 100), rapid.Int64Range(1, rota.MaxIntervalSeconds)).Draw(t, "every")
		anchor := time.UnixMilli(rapid.Int64Range(1_600_000_000_000, 2_000_000_000_000).Draw(t, "anchor")).UTC()
		timer := rota.Timer{Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: every}, Anchor: anchor}
		s := span{cal: parse(t, timer), start: bound(t, anchor), end: bound(t, anchor)}
		timer.Policy = rota.Policy{StartAt: s.start, EndAt: s.end}

		got, err := Compile(timer, time.Time{})
		require.NoError(t, err)
		require.True(t, got.Until.IsZero() || got.Until.After(theEnd()))
		at := func(seconds int64) time.Time { return anchor.Add(time.Duration(seconds) * time.Second) }
		after := rapid.Int64Range(-2*every, 1000*every).Draw(t, "after")
		requireSameTimes(t, m, s, got, at(after), at(after+50*every))
		if s.end != nil { // and across the end of the span
			end := int64(s.end.Sub(anchor) / time.Second)
			requireSameTimes(t, m, s, got, at(end-3*every), at(end+3*every))
		}
	})
}
