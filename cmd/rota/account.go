package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

// endUserFlag says whose things a list across agents is about.
type endUserFlag struct {
	EndUser *string `placeholder:"USER" help:"What this end user has; * for the account and all of its end users. Needs the scope read:account."`
}

// options returns the options of a call of the list.
func (f endUserFlag) options(s *session) []client.CallOption {
	if f.EndUser == nil {
		return s.call
	}
	return append(s.call[:len(s.call):len(s.call)], client.OfEndUser(*f.EndUser))
}

// endUserColumn is the first column of a list across agents that is about an end user.
func endUserColumn[T any](f endUserFlag, user func(T) *string) []column[T] {
	if f.EndUser == nil {
		return nil
	}
	return []column[T]{{"END USER", func(v T) string { return text(user(v)) }}}
}

type occurrencesCmd struct {
	List        occurrencesList        `cmd:"" help:"List what became of the times of all schedules." example:"rota occurrences list --end-user '*' --outcome missed --from 2026-12-01T00:00"`
	Acknowledge occurrencesAcknowledge `cmd:"" help:"Say that you have seen that occurrences were missed or blocked: they need nobody any more." example:"rota occurrences acknowledge --reason worker_lost --dry-run"`
}

type occurrencesList struct {
	endUserFlag
	AgentID    rota.AgentID    `placeholder:"ID" help:"Only those of this agent."`
	ScheduleID rota.ScheduleID `placeholder:"ID" help:"Only those of this schedule."`
	Outcome    *rota.Outcome   `enum:"fired,skipped_overlap,skipped_requested,buffered,missed,blocked" placeholder:"OUTCOME" help:"Only those with this outcome: fired, skipped_overlap, skipped_requested, buffered, missed or blocked."`
	Trigger    *rota.Trigger   `enum:"schedule,manual,backfill" placeholder:"TRIGGER" help:"Only those with this trigger: schedule, manual or backfill."`
	Phase      *rota.Phase     `enum:"queued,running,waiting,completed,failed,cancelled,incomplete" placeholder:"PHASE" help:"Only those whose run is in this phase: queued, running, waiting, completed, failed, cancelled or incomplete."`
	ErrorCode  string          `placeholder:"CODE" help:"Only those whose run failed or was cancelled with this code, such as timeout."`
	Search     string          `placeholder:"TEXT" help:"Only those with this in their reason or in the name of their schedule; capitals do not count."`
	Reason     string          `placeholder:"CODE" help:"Only those whose reason has this code, such as worker_lost."`
	Unseen     bool            `help:"Only those that were missed or blocked and that nobody has acknowledged."`
	betweenFlags
	totalFlag
	Part listFlags `embed:""`
}

func (c *occurrencesList) Run(ctx context.Context, s *session) error {
	from, to, zone, err := c.betweenFlags.read()
	if err != nil {
		return err
	}
	f := rota.OccurrenceFilter{
		AgentID: c.AgentID, ScheduleID: c.ScheduleID, Outcome: rota.Outcome(text(c.Outcome)), Trigger: rota.Trigger(text(c.Trigger)), From: from, To: to,
		Phase: rota.Phase(text(c.Phase)), ErrorCode: c.ErrorCode, Q: c.Search,
		Reason: c.Reason, Unseen: c.Unseen,
	}
	columns := endUserColumn(c.endUserFlag, func(o rota.Occurrence) *string { return o.EndUser })
	columns = append(columns, column[rota.Occurrence]{"SCHEDULE", func(o rota.Occurrence) string { return string(o.ScheduleID) }})
	return many(s, c.of(c.Part), append(columns, occurrenceColumns(zone)...), func(p rota.Page) (rota.List[rota.Occurrence], error) {
		return s.Schedules.AllOccurrences(ctx, f, p, c.options(s)...)
	})
}

type runsList struct {
	endUserFlag
	AgentID    rota.AgentID    `placeholder:"ID" help:"Only runs of this agent."`
	ScheduleID rota.ScheduleID `placeholder:"ID" help:"Only runs of this schedule."`
	Phase      *rota.Phase     `enum:"queued,running,waiting,completed,failed,cancelled,incomplete" placeholder:"PHASE" help:"Only runs in this phase: queued, running, waiting, completed, failed, cancelled or incomplete."`
	ErrorCode  string          `placeholder:"CODE" help:"Only runs that failed or were cancelled with this code, such as timeout."`
	Trigger    *rota.Trigger   `enum:"api,schedule,manual,backfill" placeholder:"TRIGGER" help:"Only runs with this trigger: api, schedule, manual or backfill."`
	Unseen     bool            `help:"Only those that failed or are incomplete and that nobody has acknowledged."`
	betweenFlags
	searchFlags
	totalFlag
	Part listFlags `embed:""`
}

func (c *runsList) Run(ctx context.Context, s *session) error {
	from, to, zone, err := c.betweenFlags.read()
	if err != nil {
		return err
	}
	f := rota.RunFilter{
		AgentID: c.AgentID, ScheduleID: c.ScheduleID, Phase: rota.Phase(text(c.Phase)), ErrorCode: c.ErrorCode,
		Trigger: rota.Trigger(text(c.Trigger)), From: from, To: to, Metadata: c.Metadata, Q: c.Search, Unseen: c.Unseen,
	}
	columns := endUserColumn(c.endUserFlag, func(r rota.Run) *string { return r.EndUser })
	columns = append(columns, column[rota.Run]{"AGENT", func(r rota.Run) string { return string(r.AgentID) }})
	return many(s, c.of(c.Part), append(columns, runColumns(zone)...), func(p rota.Page) (rota.List[rota.Run], error) {
		return s.Runs.All(ctx, f, p, c.options(s)...)
	})
}

type endUsersCmd struct {
	List   endUsersList   `cmd:"" help:"List the end users, by name, with what they have." example:"rota end-users list --all"`
	Export endUsersExport `cmd:"" help:"Print everything that an end user has, a JSON object on each line. What is not whole does not end with one whose object is end_user.export.end." example:"rota end-users export ana > ana.jsonl"`
	Delete endUsersDelete `cmd:"" help:"Delete an end user with everything that is theirs, for good. Runs that have not ended are cancelled." example:"rota end-users delete ana --yes"`
}

type endUsersExport struct {
	EndUser string `arg:"" help:"The end user."`
}

func (c *endUsersExport) Run(ctx context.Context, s *session) error {
	return s.EndUsers.Export(ctx, c.EndUser, s.out, s.call...)
}

type endUsersDelete struct {
	EndUser string `arg:"" help:"The end user."`
	Yes     bool   `help:"Says that it is meant: nothing comes back."`
}

func (c *endUsersDelete) Run(ctx context.Context, s *session) error {
	if !c.Yes {
		return usageError{errors.New("end-users delete: everything that " + c.EndUser + " has would be deleted, and nothing comes back: say --yes, perhaps after rota end-users export")}
	}
	return show(s, erasureCard)(s.EndUsers.Delete(ctx, c.EndUser, s.call...))
}

func erasureCard(e rota.Erasure) []line {
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []line{
		{"deleted", e.ID},
		{"agents", count(e.Agents)},
		{"versions", count(e.Versions)},
		{"schedules", count(e.Schedules)},
		{"occurrences", count(e.Occurrences)},
		{"runs", count(e.Runs)},
		{"cancelled runs", count(e.CancelledRuns)},
		{"function tools", count(e.FunctionTools)},
		{"keys", count(e.Keys)},
		{"memory stores", count(e.MemoryStores)},
	}
}

type endUsersList struct {
	Limit  int    `placeholder:"N" help:"How many at once, 1 to 100; the server's default is 20."`
	After  string `placeholder:"USER" help:"Only those whose names follow this one."`
	Before string `placeholder:"USER" xor:"part" help:"Only those whose names precede this one."`
	All    bool   `xor:"part" help:"The list to its end."`
}

func (c *endUsersList) Run(ctx context.Context, s *session) error {
	part := listFlags{Limit: c.Limit, Order: "asc", After: c.After, Before: c.Before, All: c.All}
	return many(s, part, userColumns(), func(p rota.Page) (rota.List[rota.EndUser], error) {
		return s.EndUsers.List(ctx, p, s.call...)
	})
}

func userColumns() []column[rota.EndUser] {
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []column[rota.EndUser]{
		{"END USER", func(u rota.EndUser) string { return u.EndUser }},
		{"AGENTS", func(u rota.EndUser) string { return count(u.Agents) }},
		{"ACTIVE", func(u rota.EndUser) string { return count(u.ActiveSchedules) }},
		{"PAUSED", func(u rota.EndUser) string { return count(u.PausedSchedules) }},
		{"OPEN RUNS", func(u rota.EndUser) string { return count(u.OpenRuns) }},
		{"LAST RUN", func(u rota.EndUser) string { return stamp(u.LastRunAt) }},
	}
}
