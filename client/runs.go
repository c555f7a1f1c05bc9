package client

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

// Runs are the runs of agents.
type Runs struct{ s *sender }

// Create starts a run and returns it as it waits in the queue. [Runs.Events]
// follows it.
func (r Runs) Create(ctx context.Context, agent rota.AgentID, body rota.RunCreate, opts ...CallOption) (rota.Run, error) {
	return call[rota.Run](ctx, r.s, http.MethodPost, agentPath(agent, "runs"), body, opts)
}

// List returns one page of an agent's runs. A zero page is the newest 20; see
// [Pages] for more.
func (r Runs) List(ctx context.Context, agent rota.AgentID, p rota.Page, opts ...CallOption) (rota.List[rota.Run], error) {
	return list[rota.Run](ctx, r.s, agentPath(agent, "runs"), p, opts)
}

// All returns one page of the runs, whatever their agent.
func (r Runs) All(ctx context.Context, f rota.RunFilter, p rota.Page, opts ...CallOption) (rota.List[rota.Run], error) {
	filter := query("agent_id", string(f.AgentID), "schedule_id", string(f.ScheduleID), "phase", string(f.Phase),
		"error_code", f.ErrorCode, "trigger", string(f.Trigger), "from", instant(f.From), "to", instant(f.To), "q", f.Q,
		"unseen", flag(f.Unseen), "as_of", instant(f.AsOf))
	return list[rota.Run](ctx, r.s, []string{"runs"}, p, with(with(opts, filter), metadata(f.Metadata)))
}

// Get returns a run.
func (r Runs) Get(ctx context.Context, agent rota.AgentID, id rota.RunID, opts ...CallOption) (rota.Run, error) {
	return call[rota.Run](ctx, r.s, http.MethodGet, runPath(agent, id), nil, opts)
}

// Find returns a run whose agent the caller does not know.
func (r Runs) Find(ctx context.Context, id rota.RunID, opts ...CallOption) (rota.Run, error) {
	return call[rota.Run](ctx, r.s, http.MethodGet, []string{"runs", string(id)}, nil, opts)
}

// Acknowledge acknowledges that a run failed or is incomplete.
func (r Runs) Acknowledge(ctx context.Context, id rota.RunID, opts ...CallOption) (rota.Run, error) {
	return call[rota.Run](ctx, r.s, http.MethodPost, []string{"runs", string(id), "acknowledge"}, nil, opts)
}

// AcknowledgeAll acknowledges every run that failed or is incomplete and that body matches,
// and says how many those were.
func (r Runs) AcknowledgeAll(ctx context.Context, body rota.AcknowledgeRuns, opts ...CallOption) (rota.Acknowledgements, error) {
	return call[rota.Acknowledgements](ctx, r.s, http.MethodPost, []string{"runs", "acknowledge"}, body, opts)
}

// Cancel ends a run that has not ended, and returns it.
func (r Runs) Cancel(ctx context.Context, agent rota.AgentID, id rota.RunID, opts ...CallOption) (rota.Run, error) {
	return call[rota.Run](ctx, r.s, http.MethodPost, runPath(agent, id, "cancel"), nil, opts)
}

// Delete deletes a run that has ended, for good. One that has not is a rota.Conflict.
func (r Runs) Delete(ctx context.Context, agent rota.AgentID, id rota.RunID, opts ...CallOption) (rota.Deleted[rota.RunID], error) {
	return call[rota.Deleted[rota.RunID]](ctx, r.s, http.MethodDelete, runPath(agent, id), nil, opts)
}

// Wake gives a sleeping run new input.
func (r Runs) Wake(ctx context.Context, agent rota.AgentID, id rota.RunID, body rota.RunWakeCreate, opts ...CallOption) (rota.RunWake, error) {
	return call[rota.RunWake](ctx, r.s, http.MethodPost, runPath(agent, id, "wake"), body, opts)
}

// Approvals returns one page of the calls that need an approval, or needed one, whatever
// their agent. The filter's Now is not used: the server has its own.
func (r Runs) Approvals(ctx context.Context, f rota.ApprovalFilter, p rota.Page, opts ...CallOption) (rota.List[rota.Approval], error) {
	filter := query("agent_id", string(f.AgentID), "schedule_id", string(f.ScheduleID), "run_id", string(f.RunID), "status", string(f.Status))
	return list[rota.Approval](ctx, r.s, []string{"approvals"}, p, with(opts, filter))
}

// Approval returns a call that needs an approval, or needed one.
func (r Runs) Approval(ctx context.Context, id string, opts ...CallOption) (rota.Approval, error) {
	return call[rota.Approval](ctx, r.s, http.MethodGet, []string{"approvals", id}, nil, opts)
}

// DecideMCPApproval approves or denies a tool call for which a run asked for
// approval.
func (r Runs) DecideMCPApproval(ctx context.Context, agent rota.AgentID, id rota.RunID, body rota.MCPApprovalCreate, opts ...CallOption) (rota.MCPApproval, error) {
	return call[rota.MCPApproval](ctx, r.s, http.MethodPost, runPath(agent, id, "mcp-approvals"), body, opts)
}

func runPath(agent rota.AgentID, id rota.RunID, more ...string) []string {
	return append(agentPath(agent, "runs", string(id)), more...)
}
