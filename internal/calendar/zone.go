package calendar

import (
	"errors"
	"math"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/zoneinfo"
)

// An instant is a point in time: milliseconds since 1970 in UTC.
type instant int64

// A wall is a wall-clock time, in milliseconds since the clock showed 1970.
type wall int64

const (
	minute = 60_000
	day    = 24 * 60 * minute

	firstInstant instant = -62_135_596_800_000 // the year 1 begins
	lastInstant  instant = 253_402_128_000_000 // two days before the year 9999 ends, so that jitter and zones do not lead out of it
	forever      instant = math.MaxInt64

	// No zone is further than this from UTC, nor moves its clock by more.
	widest = 26 * 60 * minute
)

// instantOf cuts off what is finer than a millisecond, and what lies outside
// of the years 1 to 9999 but for their last two days.
func instantOf(t time.Time) instant {
	switch y := t.UTC().Year(); {
	case y < 1:
		return firstInstant
	case y > 9999:
		return lastInstant
	default:
		return min(instant(t.UnixMilli()), lastInstant)
	}
}

func (t instant) time() time.Time { return time.UnixMilli(int64(t)).UTC() }

func (w wall) time() time.Time { return time.UnixMilli(int64(w)).UTC() }

// A stretch is a time in which a clock runs evenly, up to but excluding end.
// Two stretches in a row may have the same offset.
type stretch struct {
	offset int64 // milliseconds that the clock is ahead of UTC
	end    instant
}

func (s stretch) wall(t instant) wall    { return wall(int64(t) + s.offset) }
func (s stretch) instant(w wall) instant { return instant(int64(w) - s.offset) }

// stretchAt returns the stretch of loc that t lies in.
func stretchAt(loc *time.Location, t instant) stretch {
	at := t.time().In(loc)
	_, seconds := at.Zone()
	_, end := at.ZoneBounds()
	s := stretch{offset: int64(seconds) * 1000, end: forever}
	if !end.IsZero() {
		s.end = instant(end.UnixMilli())
	}
	// Where a zone follows a yearly rule, package time ends every year after
	// 365 days, also leap years.
	if s.end <= t {
		s.end += day
	}
	return s
}

// shown returns the latest wall-clock time that the clock of loc has shown up
// to and including t.
func shown(loc *time.Location, t instant) wall {
	s := stretchAt(loc, t-widest)
	latest := s.wall(min(t, s.end-1))
	for s.end <= t {
		s = stretchAt(loc, s.end)
		latest = max(latest, s.wall(min(t, s.end-1)))
	}
	return latest
}

// reach returns the first instant at which the clock of loc shows w or later.
func reach(loc *time.Location, w wall) instant {
	t := instant(w) - widest
	for {
		s := stretchAt(loc, t)
		// If the clock has jumped over w, the instant computed lies before t.
		if at := max(t, s.instant(w)); at < s.end {
			return at
		}
		t = s.end
	}
}

func loadZone(name string) (*time.Location, error) {
	loc, err := zoneinfo.Load(name)
	if errors.Is(err, zoneinfo.ErrNoZone) {
		return nil, rota.InvalidField(timezoneField, "%q is not a time zone; %s", name, similarZone(name))
	}
	if err != nil {
		return nil, &rota.Error{
			Code: rota.Invalid, Field: timezoneField, Err: err,
			Msg: "there is no data for the time zone " + name + "; UTC always works",
		}
	}
	return loc, nil
}

// similarZone says what would be accepted, such as the zone whose city was
// given.
func similarZone(name string) string {
	given := strings.ReplaceAll(strings.TrimSpace(name), " ", "_")
	hint := "accepted is an IANA name such as Europe/Madrid, or UTC"
	for _, z := range zoneNames() {
		if strings.EqualFold(z, given) || strings.EqualFold(city(z), given) {
			hint = "did you mean " + z + "?"
		}
	}
	return hint
}

// zoneNames returns the names of all zones.
func zoneNames() []string {
	data, err := zoneinfo.Current()
	if err != nil {
		return nil
	}
	return data.Names()
}

// city returns the last part of a zone's name.
func city(zone string) string { return zone[strings.LastIndexByte(zone, '/')+1:] }
