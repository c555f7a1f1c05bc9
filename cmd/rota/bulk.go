package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rota-run/rota"
)

type schedulesCmd struct {
	List    schedulesList    `cmd:"" help:"List the schedules of all agents." example:"rota schedules list --status paused"`
	Preview schedulesPreview `cmd:"" help:"See what a schedule would do, before there is one." example:"rota schedules preview --cron '0 9 * * MON-FRI' --timezone Europe/Madrid --count 3"`
	Pause   schedulesPause   `cmd:"" help:"Pause many schedules." example:"rota schedules pause --metadata team=ops --note 'the provider is down' --dry-run"`
	Trigger schedulesTrigger `cmd:"" help:"Let many schedules run now." example:"rota schedules trigger --metadata team=ops --dry-run"`
	Resume  schedulesResume  `cmd:"" help:"Resume many paused schedules." example:"rota schedules resume --metadata team=ops"`
}

type schedulesList struct {
	endUserFlag
	AgentID     rota.AgentID         `placeholder:"ID" help:"Only schedules of this agent."`
	Status      *rota.ScheduleStatus `enum:"active,paused,completed" placeholder:"STATUS" help:"Only schedules that are active, paused or completed."`
	PauseReason *rota.PauseCode      `enum:"manual,failures,key_revoked,agent_deleted,agent_unshared" placeholder:"REASON" help:"Only schedules that are paused for this reason: manual, failures, key_revoked, agent_deleted or agent_unshared."`
	Name        string               `placeholder:"NAME" help:"Only schedules with this name."`
	searchFlags
	totalFlag
	Part sortedFlags `embed:""`
}

func (c *schedulesList) Run(ctx context.Context, s *session) error {
	f := rota.ScheduleFilter{
		AgentID: c.AgentID, Status: rota.ScheduleStatus(text(c.Status)), PauseReason: rota.PauseCode(text(c.PauseReason)),
		Name: c.Name, Metadata: c.Metadata, Q: c.Search,
	}
	agent := column[rota.Schedule]{"AGENT", func(s rota.Schedule) string { return string(s.AgentID) }}
	columns := append(endUserColumn(c.endUserFlag, func(s rota.Schedule) *string { return s.EndUser }), agent)
	columns = append(columns, scheduleColumns()...)
	return many(s, c.of(c.Part.part()), columns, func(p rota.Page) (rota.List[rota.Schedule], error) {
		return s.Schedules.All(ctx, f, p, c.options(s)...)
	})
}

// matchFlags choose schedules. Whoever means all of them says so: a filter that
// was forgotten must not stop everything.
type matchFlags struct {
	AgentID  *rota.AgentID     `placeholder:"ID" help:"Only schedules of this agent."`
	Metadata map[string]string `mapsep:"none" placeholder:"KEY=VALUE" help:"Only schedules with this note; may be repeated, and then with all of them."`
	Name     *string           `placeholder:"NAME" help:"Only schedules with this name."`
	Search   *string           `placeholder:"TEXT" help:"Only schedules with this in their name, description, key or input; capitals do not count."`
	All      bool              `help:"All schedules."`
	EndUser  *string           `placeholder:"USER" help:"Those of this end user; * for those of the account and all of its end users. Needs the scope write:account."`
	DryRun   bool              `help:"Count them, and change nothing."`
}

func (m matchFlags) check() error {
	if m.All == (m.AgentID != nil || m.Metadata != nil || m.Name != nil || m.Search != nil) {
		return usagef("give --agent-id, --metadata, --name or --search, or several of them; or --all")
	}
	return nil
}

type schedulesPause struct {
	Match matchFlags `embed:""`
	Note  noteFlag   `embed:""`
}

func (c *schedulesPause) Run(ctx context.Context, s *session) error {
	if err := c.Match.check(); err != nil {
		return err
	}
	body := rota.BulkPause{AgentID: some(c.Match.AgentID), Metadata: c.Match.Metadata, Note: clearable(c.Note.Note), Name: some(c.Match.Name), Q: some(c.Match.Search), EndUser: some(c.Match.EndUser), DryRun: onlyIf(c.Match.DryRun)}
	return changed(s, "no schedule that matches is active")(s.Schedules.PauseAll(ctx, body, s.call...))
}

type schedulesTrigger struct {
	Match matchFlags `embed:""`
}

func (c *schedulesTrigger) Run(ctx context.Context, s *session) error {
	if err := c.Match.check(); err != nil {
		return err
	}
	body := rota.BulkTrigger{AgentID: some(c.Match.AgentID), Metadata: c.Match.Metadata, Name: some(c.Match.Name), Q: some(c.Match.Search), EndUser: some(c.Match.EndUser), DryRun: onlyIf(c.Match.DryRun)}
	return changed(s, "no schedule that matches is active")(s.Schedules.TriggerAll(ctx, body, s.call...))
}

type schedulesResume struct {
	Match       matchFlags      `embed:""`
	PauseReason *rota.PauseCode `enum:"manual,failures,key_revoked,agent_deleted,agent_unshared" placeholder:"REASON" help:"Only schedules that were paused for this reason, by default manual: manual, failures, key_revoked, agent_deleted or agent_unshared."`
}

func (c *schedulesResume) Run(ctx context.Context, s *session) error {
	if err := c.Match.check(); err != nil {
		return err
	}
	body := rota.BulkResume{AgentID: some(c.Match.AgentID), Metadata: c.Match.Metadata, Reason: some(c.PauseReason), Name: some(c.Match.Name), Q: some(c.Match.Search), EndUser: some(c.Match.EndUser), DryRun: onlyIf(c.Match.DryRun)}
	reason := rota.PausedManually
	body.Reason.Apply(&reason)
	return changed(s, "no schedule that matches is paused for the reason "+string(reason))(s.Schedules.ResumeAll(ctx, body, s.call...))
}

// changed prints how many schedules a call has changed, and fails with what is said
// if there were none.
func changed(s *session, none string) func(rota.BulkResult, error) error {
	return func(b rota.BulkResult, err error) error {
		if err := show(s, bulkCard)(b, err); err != nil || b.Changed > 0 {
			return err
		}
		return fmt.Errorf("%w: %s, of those that this key and --on-behalf-of can see", errNothing, none)
	}
}

func bulkCard(b rota.BulkResult) []line {
	if b.DryRun {
		return []line{{"would change", strconv.Itoa(b.Changed)}}
	}
	return []line{{"changed", strconv.Itoa(b.Changed)}}
}
