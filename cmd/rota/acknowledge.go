package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rota-run/rota"
)

// seenFlags choose what is acknowledged. Whoever means all of it says so.
type seenFlags struct {
	AgentID    *rota.AgentID    `placeholder:"ID" help:"Only those of this agent."`
	ScheduleID *rota.ScheduleID `placeholder:"ID" help:"Only those of this schedule."`
	Trigger    *rota.Trigger    `enum:"api,schedule,manual,backfill" placeholder:"TRIGGER" help:"Only those with this trigger: schedule, manual, backfill; of runs, also api."`
	Search     *string          `placeholder:"TEXT" help:"Only those with this in their reason or error, their input or the name of their schedule; capitals do not count."`
	All        bool             `help:"All of them."`
	EndUser    *string          `placeholder:"USER" help:"Those of this end user; * for those of the account and all of its end users. Needs the scope write:account."`
	DryRun     bool             `help:"Count them, and change nothing."`
	betweenFlags
}

// check refuses an id with flags that choose, and a call that chooses nothing. more is whether
// a flag besides these chooses.
func (f seenFlags) check(id string, more bool) error {
	narrowed := more || f.AgentID != nil || f.ScheduleID != nil || f.Trigger != nil || f.Search != nil || f.From != nil || f.To != nil
	switch {
	case id != "" && (narrowed || f.All || f.EndUser != nil || f.DryRun):
		return usagef("give an id, or flags that say which")
	case id == "" && f.All == narrowed:
		return usagef("give an id, or flags that say which; or --all")
	}
	return nil
}

type occurrencesAcknowledge struct {
	ID      string        `arg:"" optional:"" placeholder:"ID" help:"Id of one occurrence."`
	Outcome *rota.Outcome `enum:"missed,blocked" placeholder:"OUTCOME" help:"Only those with this outcome: missed or blocked."`
	Reason  *string       `placeholder:"CODE" help:"Only those whose reason has this code, such as worker_lost."`
	Match   seenFlags     `embed:""`
}

func (c *occurrencesAcknowledge) Run(ctx context.Context, s *session) error {
	if err := c.Match.check(c.ID, c.Outcome != nil || c.Reason != nil); err != nil {
		return err
	}
	if c.ID != "" {
		return show(s, occurrenceCard)(s.Schedules.Acknowledge(ctx, rota.OccurrenceID(c.ID), s.call...))
	}
	from, to, _, err := c.Match.read()
	if err != nil {
		return err
	}
	m := c.Match
	return seen(s)(s.Schedules.AcknowledgeAll(ctx, rota.AcknowledgeOccurrences{
		AgentID: some(m.AgentID), ScheduleID: some(m.ScheduleID), Outcome: some(c.Outcome), Reason: some(c.Reason), Trigger: some(m.Trigger),
		Q: some(m.Search), From: someTime(from), To: someTime(to), EndUser: some(m.EndUser), DryRun: onlyIf(m.DryRun),
	}, s.call...))
}

type runsAcknowledge struct {
	ID        string            `arg:"" optional:"" placeholder:"ID" help:"Id of one run."`
	Phase     *rota.Phase       `enum:"failed,incomplete" placeholder:"PHASE" help:"Only those in this phase: failed or incomplete."`
	ErrorCode *string           `placeholder:"CODE" help:"Only those that failed with this code, such as timeout."`
	Metadata  map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"Only those with this note; may be repeated, and then with all of them."`
	Match     seenFlags         `embed:""`
}

func (c *runsAcknowledge) Run(ctx context.Context, s *session) error {
	if err := c.Match.check(c.ID, c.Phase != nil || c.ErrorCode != nil || c.Metadata != nil); err != nil {
		return err
	}
	from, to, zone, err := c.Match.read()
	if err != nil {
		return err
	}
	if c.ID != "" {
		return show(s, runCardIn(zone))(s.Runs.Acknowledge(ctx, rota.RunID(c.ID), s.call...))
	}
	m := c.Match
	return seen(s)(s.Runs.AcknowledgeAll(ctx, rota.AcknowledgeRuns{
		AgentID: some(m.AgentID), ScheduleID: some(m.ScheduleID), Phase: some(c.Phase), ErrorCode: some(c.ErrorCode), Trigger: some(m.Trigger),
		Metadata: c.Metadata, Q: some(m.Search), From: someTime(from), To: someTime(to), EndUser: some(m.EndUser), DryRun: onlyIf(m.DryRun),
	}, s.call...))
}

// seen prints how many a call has acknowledged, and fails if there were none.
func seen(s *session) func(rota.Acknowledgements, error) error {
	return func(a rota.Acknowledgements, err error) error {
		if err := show(s, acknowledgedCard)(a, err); err != nil || a.Acknowledged > 0 {
			return err
		}
		return fmt.Errorf("%w: nothing that matches needs anybody, of what this key and --on-behalf-of can see", errNothing)
	}
}

func acknowledgedCard(a rota.Acknowledgements) []line {
	if a.DryRun {
		return []line{{"would acknowledge", strconv.Itoa(a.Acknowledged)}}
	}
	return []line{{"acknowledged", strconv.Itoa(a.Acknowledged)}}
}
