package main

import (
	"context"

	"github.com/rota-run/rota"
)

type approvalsCmd struct {
	List approvalsList `cmd:"" help:"List the calls that need an approval, or needed one, of all agents. Decide one with agent-runs decide." example:"rota approvals list --status pending"`
}

type approvalsList struct {
	endUserFlag
	AgentID    rota.AgentID         `placeholder:"ID" help:"Only those of this agent."`
	ScheduleID rota.ScheduleID      `placeholder:"ID" help:"Only those of this schedule."`
	RunID      rota.RunID           `placeholder:"ID" help:"Only those of this run."`
	Status     *rota.ApprovalStatus `enum:"pending,approved,denied,expired" placeholder:"STATUS" help:"Only those that stand like this: pending, approved, denied or expired."`
	Part       listFlags            `embed:""`
}

func (c *approvalsList) Run(ctx context.Context, s *session) error {
	f := rota.ApprovalFilter{AgentID: c.AgentID, ScheduleID: c.ScheduleID, RunID: c.RunID, Status: rota.ApprovalStatus(text(c.Status))}
	columns := append(endUserColumn(c.endUserFlag, func(a rota.Approval) *string { return a.EndUser }),
		column[rota.Approval]{"ID", func(a rota.Approval) string { return a.ID }},
		column[rota.Approval]{"STATUS", func(a rota.Approval) string { return string(a.Status) }},
		column[rota.Approval]{"TOOL", func(a rota.Approval) string { return a.ServerLabel + "." + a.Name }},
		column[rota.Approval]{"AGENT", func(a rota.Approval) string { return text(a.AgentID) }},
		column[rota.Approval]{"RUN", func(a rota.Approval) string { return text(a.RunID) }},
		column[rota.Approval]{"ARGUMENTS", func(a rota.Approval) string { return a.Arguments }},
	)
	return many(s, c.Part, columns, func(p rota.Page) (rota.List[rota.Approval], error) {
		return s.Runs.Approvals(ctx, f, p, c.options(s)...)
	})
}
