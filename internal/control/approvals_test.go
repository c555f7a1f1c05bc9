package control_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

const notes = "https://notes.example.com"

// asks ends a run with two calls that need an approval.
func (w *world) asks(url string) rota.Run {
	w.Helper()
	a, err := w.CreateAgent(w.Context(), caller, body[rota.AgentCreate](w, `{"name":"a","model":"mock/small","tools":[{"type":"mcp","server_label":"notes","server_url":"`+url+`"}]}`), control.Write{})
	require.NoError(w, err)
	r, err := w.StartRun(w.Context(), caller, a.ID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.NoError(w, err)
	w.claim()
	output := `{"id":"resp_1","output":[{"type":"mcp_list_tools","id":"mcpl_1","server_label":"notes","tools":[]},
		{"type":"mcp_approval_request","id":"mcpr_1","server_label":"notes","name":"save","arguments":"{}"},
		{"type":"mcp_approval_request","id":"mcpr_2","server_label":"notes","name":"drop","arguments":"{}"}]}`
	end := rota.Result{Phase: rota.PhaseCompleted, Response: rota.Any{RawMessage: json.RawMessage(output)}, CompletedAt: w.now}
	for _, id := range []string{"mcpr_1", "mcpr_2"} {
		end.Approvals = append(end.Approvals, rota.Approval{
			ID: id, Owner: caller.Owner, AgentID: &r.AgentID, RunID: &r.ID, ServerLabel: "notes", ServerURL: notes, Name: "save", Arguments: "{}",
			CreatedAt: rota.InstantOf(w.now), ExpiresAt: rota.InstantOf(w.now.Add(rota.ApprovalLife)),
		})
	}
	require.NoError(w, w.db.Update(w.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FinishRun(ctx, r.ID, end, policy.Settle)
		return err
	}))
	return r
}

func (w *world) decide(r rota.Run, id string, approve bool) (rota.MCPApproval, error) {
	return w.DecideMCPApproval(w.Context(), caller, r.AgentID, r.ID, rota.MCPApprovalCreate{ApprovalRequestID: id, Approve: approve, Reason: rota.Some("checked")}, control.Write{})
}

func (w *world) approvals(f rota.ApprovalFilter) (all []rota.Approval) {
	w.Helper()
	l, err := w.Approvals(w.Context(), caller, "", f, rota.Page{Limit: 10})
	require.NoError(w, err)
	return l.Data
}

// A request is decided once. The run that goes on has the version of the agent that asked.
func TestAnApprovalIsDecidedOnce(t *testing.T) {
	w := newWorld(t)
	r := w.asks(notes)
	require.Len(t, w.approvals(rota.ApprovalFilter{Status: rota.ApprovalPending}), 2)
	_, err := w.UpdateAgent(w.Context(), caller, r.AgentID, body[rota.AgentUpdate](t, `{"tools":[{"type":"mcp","server_label":"notes","server_url":"https://evil.example.com"}]}`), control.Write{})
	require.NoError(t, err)
	changed := w.engine.changed

	w.at(time.Minute)
	got, err := w.decide(r, "mcpr_1", true)
	require.NoError(t, err)
	require.True(t, got.Approved)
	require.Equal(t, rota.ObjectMCPApproval, got.Object)
	require.Equal(t, r.ID, got.SourceRunID)
	require.Greater(t, w.engine.changed, changed)
	next := got.ContinuationRun
	require.Equal(t, rota.RunQueued, next.Status)
	require.EqualValues(t, 1, next.AgentVersion)
	var kinds []string
	for _, i := range rawjson.List(next.Input.RawMessage) {
		kinds = append(kinds, rawjson.Text(rawjson.Get(i, "type")))
	}
	require.Equal(t, []string{"message", "mcp_approval_request", "mcp_approval_response"}, kinds)

	again, err := w.decide(r, "mcpr_1", true)
	require.NoError(t, err)
	require.Equal(t, got, again)
	_, err = w.decide(r, "mcpr_1", false)
	require.ErrorIs(t, err, rota.Conflict)
	require.ErrorContains(t, err, "was approved at 2026-11-23T09:01:00.000Z")
	_, err = w.decide(r, "mcpr_none", true)
	require.ErrorIs(t, err, rota.Conflict)

	other := w.startAnother(r)
	_, err = w.decide(other, "mcpr_2", true)
	require.ErrorIs(t, err, rota.Conflict, "of another run")

	l := w.approvals(rota.ApprovalFilter{Status: rota.ApprovalApproved})
	require.Len(t, l, 1)
	require.Equal(t, "key_1", *l[0].DecidedBy)
	require.Equal(t, "checked", *l[0].Reason)
	require.Equal(t, string(next.ID), *l[0].ContinuationID)
	require.Len(t, w.approvals(rota.ApprovalFilter{RunID: r.ID}), 2)
	require.Empty(t, w.approvals(rota.ApprovalFilter{RunID: other.ID}))
}

// startAnother starts another run of the agent.
func (w *world) startAnother(r rota.Run) rota.Run {
	w.Helper()
	other, err := w.StartRun(w.Context(), caller, r.AgentID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.NoError(w, err)
	return other
}

func TestAnApprovalExpires(t *testing.T) {
	w := newWorld(t)
	r := w.asks(notes)
	w.at(rota.ApprovalLife)
	_, err := w.decide(r, "mcpr_1", true)
	require.ErrorIs(t, err, rota.Conflict)
	require.ErrorContains(t, err, "expired at 2026-11-30T09:00:00.000Z")
	require.Empty(t, w.approvals(rota.ApprovalFilter{Status: rota.ApprovalPending}))
	expired := w.approvals(rota.ApprovalFilter{Status: rota.ApprovalExpired})
	require.Len(t, expired, 2)
	require.Equal(t, rota.ApprovalExpired, expired[0].Status)
}

// A decision holds for the server that was asked about.
func TestACallOfAnotherServerIsNotApproved(t *testing.T) {
	w := newWorld(t)
	r := w.asks("https://evil.example.com")
	_, err := w.decide(r, "mcpr_1", true)
	require.ErrorIs(t, err, rota.Conflict)
	require.ErrorContains(t, err, "is another one by now")
	_, err = w.decide(r, "mcpr_1", false)
	require.NoError(t, err)
}

// Nobody else sees a request, or decides it.
func TestApprovalsAreOfTheirOwner(t *testing.T) {
	w := newWorld(t)
	r := w.asks(notes)
	for _, owner := range []rota.Owner{{Account: "other"}, {Account: "acme", EndUser: "ada"}} {
		stranger := caller
		stranger.Owner = owner
		_, err := w.DecideMCPApproval(w.Context(), stranger, r.AgentID, r.ID, rota.MCPApprovalCreate{ApprovalRequestID: "mcpr_1", Approve: true}, control.Write{})
		require.ErrorIs(t, err, rota.NotFound)
		l, err := w.Approvals(w.Context(), stranger, "", rota.ApprovalFilter{}, rota.Page{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, l.Data)
	}
}
