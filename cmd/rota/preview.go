package main

import (
	"context"
	"slices"

	"github.com/rota-run/rota"
)

// countFlag is how many times to show.
type countFlag struct {
	Count int `placeholder:"N" help:"How many times, 1 to 100; the server's default is 10."`
}

type agentSchedulesUpcoming struct {
	scheduleID
	countFlag
}

func (c *agentSchedulesUpcoming) Run(ctx context.Context, s *session) error {
	return show(s, previewCard)(s.Schedules.Upcoming(ctx, c.AgentID, c.ScheduleID, c.Count, s.call...))
}

type schedulesPreview struct {
	Fields previewFlags `embed:""`
	Body   bodyFlag     `embed:""`
}

// previewFlags are those of a schedule that say when it runs.
type previewFlags struct {
	When whenFlags `embed:""`
	countFlag
	After  *moment     `placeholder:"TIME" help:"Only times after this one, such as 2026-12-01T09:00, in the time zone, or with an offset; by default, now."`
	Policy policyFlags `embed:"" group:"policy"`
}

func (c *schedulesPreview) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	spec, err := c.Fields.When.spec()
	if err != nil {
		return err
	}
	if raw == nil && spec.IsZero() {
		return usagef("give --every, --at or --cron; or --body")
	}
	body := rota.PreviewCreate{Policy: c.Fields.Policy.update()}
	if c.Fields.After != nil {
		zone, err := zoneFlag{text(c.Fields.When.Timezone)}.location()
		if err != nil {
			return err
		}
		after, err := c.Fields.After.in(zone)
		if err != nil {
			return err
		}
		body.After = rota.Some(rota.InstantOf(after))
	}
	if c.Fields.Count != 0 {
		body.Count = rota.Some(c.Fields.Count)
	}
	spec.Apply(&body.Spec)
	return show(s, previewCard)(s.Schedules.Preview(ctx, body, append(s.call, raw...)...))
}

func previewCard(p rota.Preview) []line {
	warnings := ""
	for _, w := range p.Warnings {
		warnings += w.Message + "\n"
	}
	return []line{
		{"when", p.Description},
		{"warning", warnings},
		{"times", tableText(plannedColumns(p.Data), p.Data)},
	}
}

// plannedColumns has columns for jitter and for skips only if there are any.
func plannedColumns(times []rota.PlannedTime) []column[rota.PlannedTime] {
	columns := []column[rota.PlannedTime]{
		{"SCHEDULED FOR", func(t rota.PlannedTime) string { return nominal(t.ScheduledFor.UTC()) }},
		{"LOCAL", func(t rota.PlannedTime) string { return t.Local }},
	}
	if slices.ContainsFunc(times, func(t rota.PlannedTime) bool { return t.StartsAt != nil && *t.StartsAt != t.ScheduledFor }) {
		columns = append(columns, column[rota.PlannedTime]{"STARTS", func(t rota.PlannedTime) string { return stamp(t.StartsAt) }})
	}
	if !slices.ContainsFunc(times, func(t rota.PlannedTime) bool { return t.Skipped }) {
		return columns
	}
	return append(columns, column[rota.PlannedTime]{"SKIPPED", func(t rota.PlannedTime) string {
		if t.Skipped {
			return "yes"
		}
		return ""
	}})
}
