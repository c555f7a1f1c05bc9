package calendar

import (
	"regexp"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// The fields that errors name.
const (
	typeField       = "schedule.type"
	runAtField      = "schedule.run_at"
	intervalField   = "schedule.interval_seconds"
	startAtField    = "schedule.start_at"
	expressionField = "schedule.cron_expression"
	timezoneField   = "schedule.timezone"
)

// Parse validates spec and compiles it. An interval without start_at is counted
// from anchor, of which whole milliseconds count: its first time is one interval
// later. One with start_at has that as its first time. Other types ignore
// anchor. Whether a time has passed is not checked.
//
// The error is a *rota.Error with the code Invalid and the Field at fault, one
// of schedule.type, schedule.run_at, schedule.interval_seconds,
// schedule.start_at, schedule.cron_expression and schedule.timezone. Its message says what would have
// been accepted.
//
// The first use of a zone reads its data; later ones do not block.
func Parse(spec rota.Spec, anchor time.Time) (Calendar, error) {
	if err := refuseStrayFields(spec); err != nil {
		return Calendar{}, err
	}
	loc, err := loadZone(spec.Timezone)
	if err != nil {
		return Calendar{}, err
	}
	c := Calendar{kind: spec.Type, loc: loc}
	switch spec.Type {
	case rota.Once:
		c.at, err = parseMoment(runAtField, spec.RunAt, loc)
	case rota.Interval:
		err = c.parseInterval(spec, anchor)
	case rota.Cron:
		c.expression = strings.Join(strings.Fields(spec.CronExpression), " ")
		c.cron, err = parseExpression(c.expression)
	}
	if err != nil {
		return Calendar{}, err
	}
	return c, nil
}

// Spec returns the form of the spec that is stored and answered: the zone "UTC"
// when there was none; run_at and start_at in UTC with milliseconds, whatever
// finer being cut off; the expression with single spaces. Parsing that gives the
// same Calendar.
//
// A run_at or start_at without an offset was wall-clock time in the zone. If the
// clock shows it twice, the first is meant; if the clock skips it, the first
// instant after the gap.
func (c Calendar) Spec() rota.Spec {
	spec := rota.Spec{Type: c.kind, Timezone: c.loc.String(), CronExpression: c.expression, IntervalSeconds: c.every / 1000}
	switch {
	case c.kind == rota.Once:
		spec.RunAt = rota.InstantOf(c.at.time()).String()
	case c.starts:
		spec.StartAt = rota.InstantOf(c.first().time()).String()
	}
	return spec
}

// refuseStrayFields returns an error unless the type is known and the fields of
// the other types are empty.
func refuseStrayFields(s rota.Spec) error {
	switch s.Type {
	case rota.Once, rota.Interval, rota.Cron:
	default:
		return rota.InvalidField(typeField, "%q is not a type; once, interval and cron are", s.Type)
	}
	for _, f := range [...]struct {
		owner rota.SpecType
		set   bool
		path  string
	}{
		{rota.Once, s.RunAt != "", runAtField},
		{rota.Interval, s.IntervalSeconds != 0, intervalField},
		{rota.Interval, s.StartAt != "", startAtField},
		{rota.Cron, s.CronExpression != "", expressionField},
	} {
		if f.set && f.owner != s.Type {
			return rota.InvalidField(f.path, "%s belongs to the type %s, and the type is %s; leave it out", strings.TrimPrefix(f.path, "schedule."), f.owner, s.Type)
		}
	}
	return nil
}

func (c *Calendar) parseInterval(spec rota.Spec, anchor time.Time) error {
	seconds := spec.IntervalSeconds
	if seconds < 1 || seconds > rota.MaxIntervalSeconds {
		return rota.InvalidField(intervalField, "%d is out of range; whole seconds from 1 to %d are accepted", seconds, rota.MaxIntervalSeconds)
	}
	c.at, c.every = instantOf(anchor), seconds*1000
	if spec.StartAt == "" {
		return nil
	}
	start, err := parseMoment(startAtField, spec.StartAt, c.loc)
	c.at, c.starts = start-instant(c.every), true
	return err
}

// momentForm is RFC 3339, with optional seconds and an optional offset.
var momentForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(?:\.\d{1,9})?)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?$`)

// parseMoment reads an instant, or a wall-clock time of the zone.
func parseMoment(field, s string, loc *time.Location) (instant, error) {
	s = strings.ToUpper(s) // t and z are accepted
	parts := momentForm.FindStringSubmatch(s)
	if parts == nil {
		return 0, rota.InvalidField(field, "%q is not a time; accepted are 2026-12-01T09:00:00Z, with another offset 2026-12-01T09:00:00+01:00, "+
			"and without one 2026-12-01T09:00:00, which is wall-clock time in schedule.timezone", s)
	}
	layout := "2006-01-02T15:04"
	if parts[1] != "" {
		layout += ":05"
	}
	if parts[2] != "" {
		layout += "Z07:00"
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return 0, rota.InvalidField(field, "%q does not exist: a part of it is out of range", s)
	}
	at := instant(t.UnixMilli())
	if parts[2] == "" {
		at = reach(loc, wall(at))
	}
	if at < firstInstant || at > lastInstant {
		return 0, rota.InvalidField(field, "%q is out of range; times from the year 1 to 9999-12-30T00:00:00Z are accepted", s)
	}
	return at, nil
}
