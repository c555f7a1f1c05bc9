package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

type whyCmd struct {
	Schedule string `arg:"" placeholder:"SCHEDULE" help:"Name or id of the schedule."`
	Time     string `arg:"" placeholder:"TIME" help:"The time that is asked about, on the schedule's clock: 09:00 is the last time that it was nine, 2026-12-01T09:00 a certain day."`
	zoneFlag
}

// Run says what became of a time of a schedule, or why it is none of its times.
func (c *whyCmd) Run(ctx context.Context, s *session) error {
	found, err := c.find(ctx, s)
	if err != nil {
		return err
	}
	zone := zoneOf(found)
	if c.Timezone != "" {
		if zone, err = c.location(); err != nil {
			return err
		}
	}
	at, err := lastTime(c.Time, zone, time.Now())
	if err != nil {
		return err
	}
	f := rota.OccurrenceFilter{From: at, To: at.Add(time.Minute - time.Millisecond)}
	l, err := s.Schedules.Occurrences(ctx, found.AgentID, found.ID, f, rota.Page{Limit: maxPage}, s.call...)
	switch {
	case err != nil:
		return err
	case s.json:
		return s.printJSON(s.answer)
	}
	for _, o := range l.Data {
		if err := printCard(s.out, s.width, occurrenceCard(o)); err != nil {
			return err
		}
	}
	for _, w := range l.Warnings {
		if _, err := fmt.Fprintln(s.out, clean(w.Message)); err != nil {
			return err
		}
	}
	return nil
}

// find returns the one schedule that has the name, or the id.
func (c *whyCmd) find(ctx context.Context, s *session) (rota.Schedule, error) {
	l, err := s.Schedules.All(ctx, rota.ScheduleFilter{Name: c.Schedule}, rota.Page{Limit: maxPage}, s.call...)
	if err != nil {
		return rota.Schedule{}, err
	}
	switch len(l.Data) {
	case 1:
		return l.Data[0], nil
	case 0:
		return c.byID(ctx, s)
	}
	var ids []string
	for _, found := range l.Data {
		ids = append(ids, string(found.ID))
	}
	return rota.Schedule{}, usagef("%d schedules have the name %q: name one by its id: %s", len(ids), c.Schedule, strings.Join(ids, ", "))
}

// byID returns the schedule of an id. Its agent is looked for.
func (c *whyCmd) byID(ctx context.Context, s *session) (rota.Schedule, error) {
	l, err := s.Schedules.All(ctx, rota.ScheduleFilter{ID: rota.ScheduleID(c.Schedule)}, rota.Page{Limit: 1}, s.call...)
	if err != nil {
		return rota.Schedule{}, err
	}
	if len(l.Data) == 0 {
		return rota.Schedule{}, fmt.Errorf("%w: no schedule has the name or the id %q", errNothing, c.Schedule)
	}
	return l.Data[0], nil
}

// lastTime returns the moment that text means. A time of day is the last one that a
// clock in the zone has shown.
func lastTime(text string, zone *time.Location, now time.Time) (time.Time, error) {
	clock, err := time.Parse("15:04", text)
	if err != nil {
		var m moment
		if err := m.UnmarshalText([]byte(text)); err != nil {
			return time.Time{}, usagef("TIME: %q is not a time such as 09:00, 2026-12-01T09:00, or 2026-12-01T09:00:00+01:00", text)
		}
		return m.in(zone)
	}
	local := now.In(zone)
	at := time.Date(local.Year(), local.Month(), local.Day(), clock.Hour(), clock.Minute(), 0, 0, zone)
	if at.After(now) {
		at = time.Date(local.Year(), local.Month(), local.Day()-1, clock.Hour(), clock.Minute(), 0, 0, zone)
	}
	return at, nil
}
