package main

import (
	"context"
	"strconv"

	"github.com/rota-run/rota"
)

type agentSchedulesVersions struct {
	scheduleID
	Part listFlags `embed:""`
}

func (c *agentSchedulesVersions) Run(ctx context.Context, s *session) error {
	return many(s, c.Part, scheduleVersionColumns(), func(p rota.Page) (rota.List[rota.ScheduleVersion], error) {
		return s.Schedules.Versions(ctx, c.AgentID, c.ScheduleID, p, s.call...)
	})
}

type agentSchedulesVersion struct {
	scheduleID
	Version int64 `required:"" placeholder:"N" help:"Number of the version: the schedule_version of a run or an occurrence."`
}

func (c *agentSchedulesVersion) Run(ctx context.Context, s *session) error {
	return show(s, scheduleVersionCard)(s.Schedules.Version(ctx, c.AgentID, c.ScheduleID, c.Version, s.call...))
}

func scheduleVersionColumns() []column[rota.ScheduleVersion] {
	return []column[rota.ScheduleVersion]{
		{"VERSION", func(v rota.ScheduleVersion) string { return strconv.FormatInt(v.Version, 10) }},
		{"CURRENT", func(v rota.ScheduleVersion) string { return yes(v.IsCurrent) }},
		{"WHEN", func(v rota.ScheduleVersion) string { return specText(v.Spec) }},
		{"AGENT VERSION", func(v rota.ScheduleVersion) string { return number(v.AgentVersion) }},
		{"CREATED", func(v rota.ScheduleVersion) string { return stamp(&v.CreatedAt) }},
	}
}

func scheduleVersionCard(v rota.ScheduleVersion) []line {
	return []line{
		{"schedule", string(v.ScheduleID)},
		{"agent", string(v.AgentID)},
		{"version", strconv.FormatInt(v.Version, 10)},
		{"current", yes(v.IsCurrent)},
		{"name", text(v.Name)},
		{"when", specText(v.Spec)},
		{"input", anyText(v.Input.Any)},
		{"conversation", anyText(v.Conversation.Any)},
		{"previous response", text(v.PreviousResponseID)},
		{"policy", policyText(v.Policy)},
		{"metadata", metadataText(v.Metadata)},
		{"agent version", number(v.AgentVersion)},
		{"created", stamp(&v.CreatedAt)},
	}
}
