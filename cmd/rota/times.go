package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/settings"
)

// A moment is a point in time as people type it: with an offset, or as
// wall-clock time in a zone that another flag names.
type moment string

// UnmarshalText reads what --at reads.
func (m *moment) UnmarshalText(text []byte) error {
	*m = moment(wallClock(string(text)))
	if _, err := m.in(time.UTC); err != nil {
		return fmt.Errorf("%q is not a time such as 2026-12-01T09:00, or 2026-12-01T09:00:00+01:00", text)
	}
	return nil
}

// in returns the time that is meant, or zero if there is none. A wall-clock
// time that the zone skips or repeats is read as that of a schedule that runs
// once.
func (m *moment) in(zone *time.Location) (time.Time, error) {
	if m == nil {
		return time.Time{}, nil
	}
	cal, err := calendar.Parse(rota.Spec{Type: rota.Once, RunAt: string(*m), Timezone: zone.String()}, time.Time{})
	if err != nil {
		return time.Time{}, err
	}
	at, _ := cal.Next(time.Time{}) // the only one
	return at, nil
}

// hasOffset reports whether the moment is the same in every zone.
func (m *moment) hasOffset() bool {
	_, err := time.Parse(time.RFC3339Nano, string(*m))
	return err == nil
}

// wallClock completes a time without seconds, and leaves alone what it does not
// know.
func wallClock(at string) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, at); err == nil {
			return t.Format("2006-01-02T15:04:05")
		}
	}
	if t, err := time.Parse("2006-01-02T15:04Z07:00", at); err == nil {
		return t.Format(time.RFC3339)
	}
	return at
}

// zoneFlag is the zone of the times that a verb reads and shows.
type zoneFlag struct {
	Timezone string `placeholder:"ZONE" help:"IANA time zone of the times, such as Europe/Madrid; by default the schedule's; across schedules, UTC."`
}

func (z zoneFlag) location() (*time.Location, error) {
	cal, err := calendar.Parse(rota.Spec{Type: rota.Cron, CronExpression: "@daily", Timezone: z.Timezone}, time.Time{})
	if err != nil {
		return nil, usagef("--timezone: %s", rota.Public(err).Msg)
	}
	return cal.Location(), nil
}

// utcFlag is the zone of the times that a verb shows, of things that have none.
type utcFlag struct {
	Timezone string `placeholder:"ZONE" help:"IANA time zone to show times in, such as Europe/Madrid; by default UTC."`
}

func (z utcFlag) location() (*time.Location, error) { return zoneFlag(z).location() }

// locationOf is location for a verb about one schedule, whose zone is the default. It
// is asked for only if it matters: if a time is shown, or one of those given has no
// offset.
func (z zoneFlag) locationOf(ctx context.Context, s *session, id scheduleID, shown bool, given ...*moment) (*time.Location, error) {
	wall := slices.ContainsFunc(given, func(m *moment) bool { return m != nil && !m.hasOffset() })
	if z.Timezone != "" || !shown && !wall {
		return z.location()
	}
	found, err := s.Schedules.Get(ctx, id.AgentID, id.ScheduleID, append(s.call, client.IncludeDeleted())...)
	if err != nil {
		return nil, err
	}
	return zoneOf(found), nil
}

// zoneOf returns the zone of a schedule, or UTC if this program does not know it.
func zoneOf(s rota.Schedule) *time.Location {
	if zone, err := (zoneFlag{s.Spec.Timezone}).location(); err == nil {
		return zone
	}
	return time.UTC
}

// betweenFlags are the ends of a span of time.
type betweenFlags struct {
	From *moment `placeholder:"TIME" help:"From this time on, such as 2026-12-01T09:00, in the time zone, or with an offset."`
	To   *moment `placeholder:"TIME" help:"Up to this time."`
	zoneFlag
}

// read returns the ends, which are zero if they are open, and the zone.
func (b betweenFlags) read() (from, to time.Time, zone *time.Location, err error) {
	if zone, err = b.location(); err != nil {
		return from, to, zone, err
	}
	from, to, err = b.in(zone)
	return from, to, zone, err
}

// in returns the ends as they are meant in a zone.
func (b betweenFlags) in(zone *time.Location) (from, to time.Time, err error) {
	if from, err = b.From.in(zone); err != nil {
		return from, to, err
	}
	to, err = b.To.in(zone)
	return from, to, err
}

// nominal returns a nominal time to the millisecond, as far as it has any: it
// names an occurrence.
func nominal(t time.Time) string { return t.Format("2006-01-02T15:04:05.999Z07:00") }

// A span is a duration in whole seconds, which may count days: 1d12h.
type span time.Duration

const day = 24 * time.Hour

// UnmarshalText reads days and what time.ParseDuration reads.
func (s *span) UnmarshalText(text []byte) error {
	var days int
	rest := string(text)
	if number, after, ok := strings.Cut(rest, "d"); ok {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return errSpan(text)
		}
		days, rest = int(n), after
	}
	var d time.Duration
	if rest != "" || days == 0 {
		var err error
		if d, err = time.ParseDuration(rest); err != nil || d < 0 || d%time.Second != 0 {
			return errSpan(text)
		}
	}
	*s = span(time.Duration(days)*day + d)
	return nil
}

func errSpan(text []byte) error {
	if _, err := strconv.ParseFloat(string(text), 64); err == nil {
		return settings.WrongDuration(string(text))
	}
	return fmt.Errorf("%q is not a time in whole seconds such as 90s, 1h30m or 7d", text)
}

// String returns what UnmarshalText reads, without units that are zero.
func (s span) String() string {
	d := time.Duration(s)
	text := ""
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / unit.size; n > 0 {
			text += strconv.FormatInt(int64(n), 10) + unit.name
			d %= unit.size
		}
	}
	if text == "" {
		return "0s"
	}
	return text
}

func (s span) seconds() int64 { return int64(time.Duration(s) / time.Second) }

// seconds is some for a field in seconds.
func seconds(flag *span) rota.Opt[int64] {
	if flag == nil {
		return rota.Opt[int64]{}
	}
	return rota.Some(flag.seconds())
}

// spanOf returns a number of seconds as people write it.
func spanOf(seconds int64) string { return span(time.Duration(seconds) * time.Second).String() }
