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
	expressionField = "schedule.expression"
	timezoneField   = "schedule.timezone"
)

// Parse validates spec and compiles it. An interval is counted from anchor, of
// which whole milliseconds count; other types ignore it. Whether a time has
// passed is not checked.
//
// The error is a *rota.Error with the code Invalid and the Field at fault, one
// of schedule.type, schedule.run_at, schedule.interval_seconds,
// schedule.expression and schedule.timezone. Its message says what would have
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
		c.at, err = parseRunAt(spec.RunAt, loc)
	case rota.Interval:
		c.at = instantOf(anchor)
		c.every, err = parseInterval(spec.IntervalSeconds)
	case rota.Cron:
		c.expression = strings.Join(strings.Fields(spec.Expression), " ")
		c.cron, err = parseExpression(c.expression)
	}
	if err != nil {
		return Calendar{}, err
	}
	return c, nil
}

// Spec returns the form of the spec that is stored and answered: the zone "UTC"
// when there was none; run_at in UTC with milliseconds, whatever finer being cut
// off; the expression with single spaces. Parsing that gives the same Calendar.
//
// A run_at without an offset was wall-clock time in the zone. If the clock shows
// it twice, the first is meant; if the clock skips it, the first instant after
// the gap.
func (c Calendar) Spec() rota.Spec {
	spec := rota.Spec{Type: c.kind, Timezone: c.loc.String(), Expression: c.expression, IntervalSeconds: c.every / 1000}
	if c.kind == rota.Once {
		spec.RunAt = rota.InstantOf(c.at.time()).String()
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
		{rota.Cron, s.Expression != "", expressionField},
	} {
		if f.set && f.owner != s.Type {
			return rota.InvalidField(f.path, "%s belongs to the type %s, and the type is %s; leave it out", strings.TrimPrefix(f.path, "schedule."), f.owner, s.Type)
		}
	}
	return nil
}

func parseInterval(seconds int64) (ms int64, err error) {
	if seconds < 1 || seconds > rota.MaxIntervalSeconds {
		return 0, rota.InvalidField(intervalField, "%d is out of range; whole seconds from 1 to %d are accepted", seconds, rota.MaxIntervalSeconds)
	}
	return seconds * 1000, nil
}

// runAtForm is RFC 3339, with optional seconds and an optional offset.
var runAtForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$`)

func parseRunAt(s string, loc *time.Location) (instant, error) {
	parts := runAtForm.FindStringSubmatch(s)
	if parts == nil {
		return 0, rota.InvalidField(runAtField, "%q is not a time; accepted are 2026-12-01T09:00:00Z, with another offset 2026-12-01T09:00:00+01:00, "+
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
		return 0, rota.InvalidField(runAtField, "%q does not exist: a part of it is out of range", s)
	}
	at := instant(t.UnixMilli())
	if parts[2] == "" {
		at = reach(loc, wall(at))
	}
	if at < firstInstant || at > lastInstant {
		return 0, rota.InvalidField(runAtField, "%q is out of range; the years 1 to 9999 are accepted", s)
	}
	return at, nil
}
