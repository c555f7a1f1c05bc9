package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/rota-run/rota"
)

type approvalsCmd struct {
	List    approvalsList    `cmd:"" help:"List the calls that need an approval, or needed one, of all agents." example:"rota approvals list --status pending"`
	Get     approvalsGet     `cmd:"" help:"Show a call that needs an approval, or needed one." example:"rota approvals get $APPROVAL"`
	Approve approvalsApprove `cmd:"" help:"Let a run make a call for which it asked. Shows the run that goes on." example:"rota approvals approve $APPROVAL --reason 'checked'"`
	Deny    approvalsDeny    `cmd:"" help:"Do not let a run make a call for which it asked. Shows the run that goes on." example:"rota approvals deny $APPROVAL --reason 'not on a Sunday'"`
}

type approvalsGet struct {
	ID string `arg:"" help:"Id of the approval request."`
	utcFlag
}

func (c *approvalsGet) Run(ctx context.Context, s *session) error {
	zone, err := c.location()
	if err != nil {
		return err
	}
	return show(s, func(a rota.Approval) []line { return approvalLines(a, zone) })(s.Runs.Approval(ctx, c.ID, s.call...))
}

func approvalLines(a rota.Approval, zone *time.Location) []line {
	return []line{
		{"id", a.ID},
		{"status", string(a.Status)},
		{"end user", text(a.EndUser)},
		{"agent", text(a.AgentID)},
		{"schedule", text(a.ScheduleID)},
		{"run", text(a.RunID)},
		{"response", text(a.ResponseID)},
		{"tool", a.ServerLabel + "." + a.Name},
		{"server", a.ServerURL},
		{"arguments", a.Arguments},
		{"created", stampIn(&a.CreatedAt, zone)},
		{"expires", stampIn(&a.ExpiresAt, zone)},
		{"decided", stampIn(a.DecidedAt, zone)},
		{"decided by", text(a.DecidedBy)},
		{"reason", text(a.Reason)},
		{"went on", text(a.ContinuationID)},
	}
}

// decisionFlags are those of a decision about a call.
type decisionFlags struct {
	ID     string  `arg:"" help:"Id of the approval request."`
	Reason *string `placeholder:"TEXT" help:"Why, for the model."`
}

type approvalsApprove struct{ decisionFlags }

func (c *approvalsApprove) Run(ctx context.Context, s *session) error { return c.decide(ctx, s, true) }

type approvalsDeny struct{ decisionFlags }

func (c *approvalsDeny) Run(ctx context.Context, s *session) error { return c.decide(ctx, s, false) }

func (f decisionFlags) decide(ctx context.Context, s *session, approve bool) error {
	a, err := s.Runs.Approval(ctx, f.ID, s.call...)
	if err != nil {
		return err
	}
	if a.RunID == nil || a.AgentID == nil {
		return fmt.Errorf("no run but %s asked for this: the response that goes on from it decides, with an item mcp_approval_response in its input", cmp.Or(text(a.ResponseID), "a response"))
	}
	body := rota.MCPApprovalCreate{ApprovalRequestID: a.ID, Approve: approve, Reason: clearable(f.Reason)}
	return showDecision(s)(s.Runs.DecideMCPApproval(ctx, *a.AgentID, *a.RunID, body, s.call...))
}

// showDecision prints the run that goes on with a decision.
func showDecision(s *session) func(rota.MCPApproval, error) error {
	return show(s, func(a rota.MCPApproval) []line { return runCard(a.ContinuationRun) })
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
