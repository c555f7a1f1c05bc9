//go:build !race

// Ten years are run without the race detector: with so many timers of a synctest
// bubble, it has crashed itself (a null pointer below runtime.(*timer).maybeRunChan,
// Go 1.26.8). The other tests of this package let the same goroutines meet under it.

package embedded_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlite/sqlitetest"
	"github.com/rota-run/rota/internal/zoneinfo"
)

// A rule is a cron expression in the words of a civil calendar: on these days,
// at this time of the clock.
type rule struct {
	expression string
	zone       string
	on         func(time.Time) bool
	hour, min  int
}

func sundays(d time.Time) bool { return d.Weekday() == time.Sunday }

var rules = []rule{
	{"30 2 * * SUN", "America/New_York", sundays, 2, 30}, // clocks are changed on Sundays
	{"45 1 * * SUN", "Australia/Lord_Howe", sundays, 1, 45},
	{"0 8 * * MON", "Asia/Kathmandu", func(d time.Time) bool { return d.Weekday() == time.Monday }, 8, 0},
	{"0 0 * * SUN", "America/Sao_Paulo", sundays, 0, 0},
	{"59 23 * * 6,0", "Africa/Cairo", func(d time.Time) bool { return d.Weekday()%6 == 0 }, 23, 59},
	{"0 9 1 * *", "Europe/Berlin", func(d time.Time) bool { return d.Day() == 1 }, 9, 0},
	{"0 0 31 * *", "UTC", func(d time.Time) bool { return d.Day() == 31 }, 0, 0},
	{"0 12 29 2 *", "Pacific/Auckland", func(d time.Time) bool { return d.Day() == 29 && d.Month() == time.February }, 12, 0},
	{"15 6 13 * FRI", "Europe/London", func(d time.Time) bool { return d.Day() == 13 || d.Weekday() == time.Friday }, 6, 15},
	{"@yearly", "Pacific/Apia", func(d time.Time) bool { return d.YearDay() == 1 }, 0, 0},
}

// times returns the instants of a rule after one and up to another. A time that
// the clock skips is the first instant after the gap; one that it shows twice
// is the first.
func (r rule) times(t *testing.T, after, until time.Time) []time.Time {
	t.Helper()
	loc, err := zoneinfo.Load(r.zone)
	require.NoError(t, err)
	var out []time.Time
	for d := after.In(loc).AddDate(0, 0, -1); d.Before(until.AddDate(0, 0, 2)); d = d.AddDate(0, 0, 1) {
		y, m, day := d.Date()
		if !r.on(time.Date(y, m, day, 12, 0, 0, 0, time.UTC)) {
			continue
		}
		wanted := time.Date(y, m, day, r.hour, r.min, 0, 0, time.UTC)
		at := first(wanted, loc)
		if at.After(after) && !at.After(until) && !slices.ContainsFunc(out, at.Equal) {
			out = append(out, at)
		}
	}
	return out
}

// first returns when a clock first shows a wall-clock time, or a later one.
func first(wall time.Time, loc *time.Location) time.Time {
	shows := func(at time.Time) time.Time {
		_, offset := at.In(loc).Zone()
		return at.Add(time.Duration(offset) * time.Second)
	}
	at := wall.Add(-15 * time.Hour)
	for _, step := range []time.Duration{time.Hour, time.Minute} {
		for shows(at).Before(wall) {
			at = at.Add(step)
		}
		if step == time.Hour {
			at = at.Add(-step)
		}
	}
	return at
}

// TestTenYears lets a mixed rota run for ten years, and looks at each of its
// times: it has fired, on time, and nothing else has.
func TestTenYears(t *testing.T) {
	if testing.Short() {
		t.Skip("many seconds")
	}
	inBubble(t, func(r *rig) {
		r.stop()
		r.dir, r.look, r.takes = sqlitetest.Dir(t), 30*24*time.Hour, 0
		r.open()
		r.addAgent("large")
		r.start()
		begun := rota.InstantOf(time.Now()).Time
		end := begun.AddDate(10, 0, 0)
		want := map[rota.ScheduleID][]time.Time{}
		for _, rule := range rules {
			id := r.addSchedule(time.Hour, func(t *rota.Timer) {
				t.Spec = rota.Spec{Type: rota.Cron, CronExpression: rule.expression, Timezone: rule.zone}
			})
			want[id] = rule.times(t, begun, end)
		}
		for _, every := range []time.Duration{60 * time.Hour, 7 * 24 * time.Hour, 366 * 24 * time.Hour} {
			id := r.addSchedule(every, nil)
			for at := begun.Add(every); !at.After(end); at = at.Add(every) {
				want[id] = append(want[id], at)
			}
		}
		once := begun.AddDate(8, 1, 28)
		want[r.addSchedule(0, func(t *rota.Timer) {
			t.Spec = rota.Spec{Type: rota.Once, RunAt: once.Format(time.RFC3339), Timezone: "UTC"}
		})] = []time.Time{once}
		from, until := rota.InstantOf(begun.AddDate(3, 0, 0)), rota.InstantOf(begun.AddDate(4, 0, 0))
		span := rules[8]
		want[r.addSchedule(0, func(t *rota.Timer) {
			t.Spec = rota.Spec{Type: rota.Cron, CronExpression: span.expression, Timezone: span.zone}
			t.Policy.StartAt, t.Policy.EndAt, t.Policy.MaxRuns = &from, &until, new(int64(40))
		})] = span.times(t, from.Time, until.Time)[:40]

		r.pass(end.Sub(begun))
		fires := 0
		for id, times := range want {
			require.Equal(r, times, r.fired(id))
			fires += len(times)
		}
		t.Logf("%d fires of %d schedules", fires, len(want))
	})
}

// fired returns the nominal times on record, each of which has fired without
// any lateness.
func (r *rig) fired(id rota.ScheduleID) []time.Time {
	r.Helper()
	l, err := r.store.Occurrences(r.Context(), owner, r.agent.ID, id, rota.OccurrenceFilter{}, rota.Page{Limit: 1 << 20, Ascending: true})
	require.NoError(r, err)
	var out []time.Time
	for _, o := range l.Data {
		require.Equal(r, rota.Fired, o.Outcome)
		require.Zero(r, *o.LatenessMS)
		out = append(out, o.ScheduledFor.Time)
	}
	return out
}
