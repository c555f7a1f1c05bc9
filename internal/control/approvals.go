package control

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/rawjson"
)

// DecideMCPApproval decides a tool call for which a run asked for approval, and starts the
// run that goes on with the decision. Deciding the same again answers the same; deciding it
// otherwise is a Conflict, and so is a run that has not asked, and a request that has
// expired. Scope write:agents.
func (c *Control) DecideMCPApproval(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.RunID, in rota.MCPApprovalCreate, w Write) (rota.MCPApproval, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "decide_mcp_approval", on("agent_id", agent), on("run_id", id)); err != nil {
		return rota.MCPApproval{}, err
	}
	use, err := c.limitReached(ctx, who.Owner)
	if err != nil {
		return rota.MCPApproval{}, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.MCPApproval, error) {
		run, err := tx.Run(ctx, who.Owner, agent, id)
		if err != nil {
			return rota.MCPApproval{}, err
		}
		a, err := tx.Approval(ctx, who.Owner, in.ApprovalRequestID)
		if errors.Is(err, rota.NotFound) || err == nil && (a.RunID == nil || *a.RunID != id) {
			return rota.MCPApproval{}, rota.Errorf(rota.Conflict, "the run has no approval request %q", in.ApprovalRequestID)
		}
		if err != nil {
			return rota.MCPApproval{}, err
		}
		a = a.At(now)
		if a.Status != rota.ApprovalPending {
			return decided(ctx, tx, who, run, a, in.Approve)
		}
		if use != nil {
			return rota.MCPApproval{}, use.Err()
		}
		reason, _ := in.Reason.Get()
		next, err := c.goOn(ctx, tx, who, run, a, in.Approve, reason, now)
		if err != nil {
			return rota.MCPApproval{}, err
		}
		if err := decide(ctx, tx, who, a, in.Approve, reason, string(next.ID), now); err != nil {
			return rota.MCPApproval{}, err
		}
		return approvalAnswer(a, in.Approve, id, next), nil
	})
}

func approvalAnswer(a rota.Approval, approved bool, from rota.RunID, next rota.Run) rota.MCPApproval {
	return rota.MCPApproval{Object: rota.ObjectMCPApproval, ApprovalRequestID: a.ID, Approved: approved, SourceRunID: from, ContinuationRun: next}
}

// decided answers a decision on what was decided before: the same again, or a Conflict.
func decided(ctx context.Context, tx Tx, who auth.Caller, run rota.Run, a rota.Approval, approve bool) (rota.MCPApproval, error) {
	if a.Status == rota.ApprovalExpired {
		return rota.MCPApproval{}, rota.Errorf(rota.Conflict, "the approval request expired at %s", a.ExpiresAt)
	}
	if approve != (a.Status == rota.ApprovalApproved) {
		return rota.MCPApproval{}, rota.Errorf(rota.Conflict, "the approval request was %s at %s", a.Status, a.DecidedAt)
	}
	next, err := tx.Run(ctx, who.Owner, run.AgentID, rota.RunID(*a.ContinuationID))
	if errors.Is(err, rota.NotFound) {
		return rota.MCPApproval{}, rota.Errorf(rota.Conflict, "the approval request was %s at %s; what went on with that was %s", a.Status, a.DecidedAt, *a.ContinuationID)
	}
	if err == nil {
		next, err = whole(ctx, tx, who, next)
	}
	return approvalAnswer(a, approve, run.ID, next), err
}

// decide writes a decision. It is a Conflict if another one was first.
func decide(ctx context.Context, tx Tx, who auth.Caller, a rota.Approval, approve bool, reason, continuation string, now time.Time) error {
	a.Status = rota.ApprovalDenied
	if approve {
		a.Status = rota.ApprovalApproved
	}
	by, at := string(who.Key), rota.InstantOf(now)
	a.DecidedAt, a.DecidedBy, a.ContinuationID = &at, &by, &continuation
	if reason != "" {
		a.Reason = &reason
	}
	first, err := tx.Decide(ctx, a)
	if err == nil && !first {
		err = rota.Errorf(rota.Conflict, "the approval request was decided meanwhile")
	}
	return err
}

// goOn starts the run that goes on with a decision, by the version of the agent that the
// first run had: its server is the one that was asked about.
func (c *Control) goOn(ctx context.Context, tx Tx, who auth.Caller, run rota.Run, a rota.Approval, approve bool, reason string, now time.Time) (rota.Run, error) {
	current, err := live(ctx, tx, who, run.AgentID)
	if err != nil {
		return run, err
	}
	if run, err = whole(ctx, tx, who, run); err != nil {
		return run, err
	}
	if approve {
		if err := c.stillThere(ctx, tx, agentOwner(who, current), run, a); err != nil {
			return run, err
		}
	}
	decision := answer.Decision(a.ID, approve, reason)
	next := rota.Run{
		ID: rota.NewRunID(now), Trigger: rota.TriggerAPI, ScheduleID: run.ScheduleID, Metadata: run.Metadata, CreatedAt: rota.InstantOf(now),
		Input: rota.Input{Any: rota.Any{RawMessage: rawjson.EncodeList([]json.RawMessage{decision})}},
	}
	switch {
	case !run.Remembers():
		input := run.Input
		if run.Request != nil && len(run.Request.Input.RawMessage) > 0 {
			input = run.Request.Input // as it was sent
		}
		next.Input = answer.Continued(input.RawMessage, rawjson.List(rawjson.Get(run.GatewayResponse.RawMessage, "output")), a.ID, decision)
	case run.Conversation.IsZero():
		next.PreviousResponseID = run.GatewayResponseID
	}
	provider, _, _ := c.Models.Resolve(current.Model)
	if err := tx.AddContinuation(ctx, who.Owner, next, run.ID, provider); err != nil {
		return run, err
	}
	return tx.Run(ctx, who.Owner, run.AgentID, next.ID)
}

// stillThere says why a call cannot be approved: a server of the vault, the agent's owner's, is another one by
// now. All else is as the version of the agent has it.
func (c *Control) stillThere(ctx context.Context, tx Tx, o rota.Owner, run rota.Run, a rota.Approval) error {
	version, err := tx.AgentVersion(ctx, o, run.AgentID, run.AgentVersion)
	if err != nil {
		return err
	}
	tools, err := withStored(ctx, tx, o, version.RawTools())
	if err == nil && (has(tools, a) || run.Guest && hasOrigin(tools, a)) {
		return nil
	}
	return rota.Errorf(rota.Conflict, "the call was asked for of the server %q at %s, which is another one by now, or is not there: deny it", a.ServerLabel, a.ServerURL)
}

// has reports whether tools have the server of a call that needs an approval.
func has(tools []json.RawMessage, a rota.Approval) bool {
	servers, _ := answer.ReadServers(tools)
	return slices.ContainsFunc(servers, func(s answer.Server) bool { return s.Label == a.ServerLabel && s.URL == a.ServerURL })
}

// hasOrigin is has for a guest of an agent, who is told no more of an address.
func hasOrigin(tools []json.RawMessage, a rota.Approval) bool {
	servers, _ := answer.ReadServers(tools)
	return slices.ContainsFunc(servers, func(s answer.Server) bool { return s.Label == a.ServerLabel && answer.Origin(s.URL) == a.ServerURL })
}

// decideInput writes the decisions in the input of a response. Each is the first on its
// request, which must not have expired, and is of the server that was asked about. Requests
// that are not on record are those of responses that are not kept.
func decideInput(ctx context.Context, tx Tx, who auth.Caller, r answer.Request, continuation rota.ResponseID, now time.Time) error {
	for n, i := range r.Input {
		if i.Type != "mcp_approval_response" {
			continue
		}
		at := "input." + strconv.Itoa(n)
		text := func(name string) string { return rawjson.Text(rawjson.Get(i.Raw(), name)) }
		a, err := tx.Approval(ctx, who.Owner, text("approval_request_id"))
		if errors.Is(err, rota.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		approve := rawjson.Kind(rawjson.Get(i.Raw(), "approve")) == 't'
		switch a = a.At(now); {
		case a.Status == rota.ApprovalExpired:
			return rota.InvalidField(at, "the mcp_approval_request %q expired at %s", a.ID, a.ExpiresAt)
		case a.Status != rota.ApprovalPending:
			return rota.InvalidField(at, "the mcp_approval_request %q was decided before: it was %s at %s", a.ID, a.Status, a.DecidedAt)
		case approve && !has(rawjson.List(r.Rest.Get("tools")), a):
			return rota.InvalidField(at, "the call was asked for of the server %q at %s: tools must have it", a.ServerLabel, a.ServerURL)
		}
		if err := decide(ctx, tx, who, a, approve, text("reason"), string(continuation), now); err != nil {
			return err
		}
	}
	return nil
}

// Approval returns a request for an approval, of whatever agent. Scope read:agents.
func (c *Control) Approval(ctx context.Context, who auth.Caller, id string) (rota.Approval, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "approval", on("approval_id", id)); err != nil {
		return rota.Approval{}, err
	}
	a, err := c.Store.Approval(ctx, who.Owner, id)
	return a.At(c.Now()), err
}

// Approvals returns a page of the requests for approvals: the caller's, or those of an end
// user, see [Control.owners]. Scope read:agents.
func (c *Control) Approvals(ctx context.Context, who auth.Caller, endUser string, f rota.ApprovalFilter, p rota.Page) (rota.List[rota.Approval], error) {
	o, err := c.owners(ctx, who, "approvals", endUser)
	if err != nil {
		return rota.List[rota.Approval]{}, err
	}
	f.Now = c.Now()
	return c.Store.AllApprovals(ctx, o, f, p)
}
