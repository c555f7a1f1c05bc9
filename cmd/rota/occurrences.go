package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/rota-run/rota"
)

type agentSchedulesOccurrences struct {
	scheduleID
	Outcome *rota.Outcome `enum:"fired,skipped_overlap,skipped_requested,buffered,missed,blocked" placeholder:"OUTCOME" help:"Only those with this outcome: fired, skipped_overlap, skipped_requested, buffered, missed or blocked."`
	betweenFlags
	Part listFlags `embed:""`
}

func (c *agentSchedulesOccurrences) Run(ctx context.Context, s *session) error {
	zone, err := c.locationOf(ctx, s, c.scheduleID, !s.json, c.From, c.To)
	if err != nil {
		return err
	}
	from, to, err := c.in(zone)
	if err != nil {
		return err
	}
	f := rota.OccurrenceFilter{Outcome: rota.Outcome(text(c.Outcome)), From: from, To: to}
	return many(s, c.Part, occurrenceColumns(zone), func(p rota.Page) (rota.List[rota.Occurrence], error) {
		return s.Schedules.Occurrences(ctx, c.AgentID, c.ScheduleID, f, p, s.call...)
	})
}

type agentSchedulesTrigger struct {
	scheduleID
	Watch bool `help:"Follow the run to its end, as runs watch does."`
}

// Run with Watch leaves standard output to the run, and fails if the run does or
// if none was started.
func (c *agentSchedulesTrigger) Run(ctx context.Context, s *session) error {
	o, err := s.Schedules.Trigger(ctx, c.AgentID, c.ScheduleID, s.call...)
	if err != nil || !c.Watch {
		return show(s, occurrenceCard)(o, err)
	}
	if o.RunID == nil {
		return fmt.Errorf("there is no run to watch: %s: %s", o.Outcome, reasonText(o))
	}
	if err := printCard(s.err, s.width, occurrenceCard(o)); err != nil {
		return err
	}
	return watch(ctx, s, c.AgentID, *o.RunID)
}

type agentSchedulesBackfill struct {
	scheduleID
	From  moment `required:"" placeholder:"TIME" help:"The first time that counts, such as 2026-12-01T00:00, in the time zone, or with an offset."`
	To    moment `required:"" placeholder:"TIME" help:"The last one; not in the future."`
	Start bool   `help:"Let them run. Without it, nothing is written."`
	zoneFlag
}

func (c *agentSchedulesBackfill) Run(ctx context.Context, s *session) error {
	zone, err := c.locationOf(ctx, s, c.scheduleID, false, &c.From, &c.To)
	if err != nil {
		return err
	}
	from, to, err := betweenFlags{From: &c.From, To: &c.To}.in(zone)
	if err != nil {
		return err
	}
	body := rota.BackfillCreate{From: rota.InstantOf(from), To: rota.InstantOf(to), DryRun: rota.Some(!c.Start)}
	return show(s, backfillCard)(s.Schedules.Backfill(ctx, c.AgentID, c.ScheduleID, body, s.call...))
}

func backfillCard(b rota.Backfill) []line {
	what := "started, one after the other"
	if b.DryRun {
		what = "none yet: this was a dry run"
	}
	return []line{
		{"times", strconv.Itoa(b.Count)},
		{"runs", what},
		{"which", tableText(plannedColumns(b.Data), b.Data)},
	}
}

// occurrenceFlags name one nominal time of a schedule.
type occurrenceFlags struct {
	scheduleID
	ScheduledFor moment `required:"" placeholder:"TIME" help:"One of the times ahead, such as 2026-12-24T09:00, in the time zone, or with an offset."`
	zoneFlag
}

func (f occurrenceFlags) skip(ctx context.Context, s *session) (rota.OccurrenceSkip, error) {
	zone, err := f.locationOf(ctx, s, f.scheduleID, false, &f.ScheduledFor)
	if err != nil {
		return rota.OccurrenceSkip{}, err
	}
	at, err := f.ScheduledFor.in(zone)
	return rota.OccurrenceSkip{ScheduledFor: rota.InstantOf(at)}, err
}

type agentSchedulesSkip struct {
	occurrenceFlags
}

func (c *agentSchedulesSkip) Run(ctx context.Context, s *session) error {
	body, err := c.skip(ctx, s)
	if err != nil {
		return err
	}
	return show(s, scheduleCard)(s.Schedules.Skip(ctx, c.AgentID, c.ScheduleID, body, s.call...))
}

type agentSchedulesUnskip struct {
	occurrenceFlags
}

func (c *agentSchedulesUnskip) Run(ctx context.Context, s *session) error {
	body, err := c.skip(ctx, s)
	if err != nil {
		return err
	}
	return show(s, scheduleCard)(s.Schedules.Unskip(ctx, c.AgentID, c.ScheduleID, body, s.call...))
}

func occurrenceColumns(zone *time.Location) []column[rota.Occurrence] {
	return []column[rota.Occurrence]{
		{"SCHEDULED FOR", func(o rota.Occurrence) string { return scheduledText(o, zone) }},
		{"COUNT", func(o rota.Occurrence) string { return strconv.FormatInt(o.Count, 10) }},
		{"OUTCOME", outcomeText},
		{"TRIGGER", func(o rota.Occurrence) string { return string(o.Trigger) }},
		{"RUN", func(o rota.Occurrence) string { return text(o.RunID) }},
		{"PHASE", phaseText},
		{"REASON", reasonText},
	}
}

func occurrenceCard(o rota.Occurrence) []line {
	return []line{
		{"id", string(o.ID)},
		{"schedule", string(o.ScheduleID)},
		{"agent", string(o.AgentID)},
		{"end user", text(o.EndUser)},
		{"scheduled for", scheduledText(o, time.UTC)},
		{"outcome", string(o.Outcome)},
		{"reason", reasonText(o)},
		{"run", text(o.RunID)},
		{"phase", phaseText(o)},
		{"trigger", string(o.Trigger)},
		{"recorded", stamp(&o.RecordedAt)},
	}
}

// scheduledText returns the nominal time of an occurrence; of a span, its
// first and last.
func scheduledText(o rota.Occurrence, zone *time.Location) string {
	if o.ScheduledUntil == nil {
		return nominal(o.ScheduledFor.In(zone))
	}
	return nominal(o.ScheduledFor.In(zone)) + " to " + nominal(o.ScheduledUntil.In(zone))
}

// outcomeText returns the outcome, and whether it is on record yet.
func outcomeText(o rota.Occurrence) string {
	if o.Open {
		return string(o.Outcome) + " (so far)"
	}
	return string(o.Outcome)
}

// phaseText returns how the run of an occurrence stands, or ended.
func phaseText(o rota.Occurrence) string {
	switch {
	case o.Run == nil:
		return ""
	case o.Run.ErrorCode != nil:
		return string(o.Run.Phase) + " (" + *o.Run.ErrorCode + ")"
	}
	return string(o.Run.Phase)
}

func reasonText(o rota.Occurrence) string {
	if o.Reason == nil {
		return ""
	}
	return o.Reason.Message
}
