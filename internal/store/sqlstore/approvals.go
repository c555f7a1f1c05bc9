package sqlstore

import (
	"context"
	"database/sql"

	"github.com/rota-run/rota"
)

const approvalColumns = `p.id, p.account, p.end_user, p.agent_id, p.schedule_id, p.run_id, p.response_id, p.server_label, p.server_url, p.name, p.arguments,
	p.created_at, p.expires_at, p.status, p.decided_at, p.decided_by, p.reason, p.continuation_id`

func scanApproval(row Scanner) (rota.Approval, error) {
	a := rota.Approval{Object: rota.ObjectApproval}
	var (
		agent, schedule, run, response, by, reason, next sql.NullString
		created, expires, decided                        msTime
	)
	err := row.Scan(&a.ID, &a.Owner.Account, &a.Owner.EndUser, &agent, &schedule, &run, &response, &a.ServerLabel, &a.ServerURL, &a.Name, &a.Arguments,
		&created, &expires, &a.Status, &decided, &by, &reason, &next)
	a.EndUser, a.AgentID, a.ScheduleID, a.RunID, a.ResponseID = a.Owner.User(), ptr[rota.AgentID](agent), ptr[rota.ScheduleID](schedule), ptr[rota.RunID](run), ptr[rota.ResponseID](response)
	a.DecidedBy, a.Reason, a.ContinuationID = ptr[string](by), ptr[string](reason), ptr[string](next)
	a.CreatedAt, a.ExpiresAt, a.DecidedAt = created.instant(), expires.instant(), decided.orNil()
	return a, err
}

// addApprovals adds requests for approvals. One that is there stays.
func (q Queries) addApprovals(ctx context.Context, all []rota.Approval) error {
	rows := make([][]any, len(all))
	for i, a := range all {
		rows[i] = []any{
			a.ID, a.Owner.Account, a.Owner.EndUser, orNull(a.AgentID), orNull(a.ScheduleID), orNull(a.RunID), orNull(a.ResponseID),
			a.ServerLabel, a.ServerURL, a.Name, a.Arguments, a.CreatedAt.UnixMilli(), a.ExpiresAt.UnixMilli(),
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return q.db.Write(ctx, Step{`INSERT INTO approvals (id, account, end_user, agent_id, schedule_id, run_id, response_id, server_label, server_url, name, arguments, created_at, expires_at, status)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending'` + fromEach, rows})
}

// Approval returns a request for an approval. In a transaction nobody else changes it until
// that ends. It is as it was decided: whether it has expired is for the caller to see.
func (q Queries) Approval(ctx context.Context, o rota.Owner, id string) (rota.Approval, error) {
	return one(ctx, q.db, "approval", scanApproval, `SELECT `+approvalColumns+` FROM approvals p
		WHERE p.id = ? AND p.account = ? AND p.end_user = ?`+q.lock("p"), id, o.Account, o.EndUser)
}

// AllApprovals returns a page of the requests for approvals of owners.
func (q Queries) AllApprovals(ctx context.Context, o rota.Owners, f rota.ApprovalFilter, p rota.Page) (rota.List[rota.Approval], error) {
	l := listing[rota.Approval]{
		query: `SELECT ` + approvalColumns + ` FROM approvals p WHERE true`,
		key:   "p.id",
		scan:  scanApproval,
		id:    func(a rota.Approval) string { return a.ID },
	}
	l.owned("p", o, true)
	if f.AgentID != "" {
		l.where(` AND p.agent_id = ?`, f.AgentID)
	}
	if f.ScheduleID != "" {
		l.where(` AND p.schedule_id = ?`, f.ScheduleID)
	}
	if f.RunID != "" {
		l.where(` AND p.run_id = ?`, f.RunID)
	}
	switch f.Status {
	case "":
	case rota.ApprovalPending:
		l.where(` AND p.status = 'pending' AND p.expires_at > ?`, f.Now.UnixMilli())
	case rota.ApprovalExpired:
		l.where(` AND p.status = 'pending' AND p.expires_at <= ?`, f.Now.UnixMilli())
	default:
		l.where(` AND p.status = ?`, f.Status)
	}
	list, err := l.page(ctx, q.db, p)
	for i := range list.Data {
		list.Data[i] = list.Data[i].At(f.Now)
	}
	return list, err
}

// Decide writes how a request for an approval was decided. It reports false, and does
// nothing, if it was decided before.
func (q Queries) Decide(ctx context.Context, a rota.Approval) (bool, error) {
	n, err := q.exec(ctx, `UPDATE approvals SET status = ?, decided_at = ?, decided_by = ?, reason = ?, continuation_id = ? WHERE id = ? AND status = 'pending'`,
		a.Status, a.DecidedAt.UnixMilli(), orNull(a.DecidedBy), orNull(a.Reason), orNull(a.ContinuationID), a.ID)
	return n > 0, err
}

// AddContinuation stores a run that goes on from another one of the same agent, with its
// version and its functions, and queues it under the provider. It is a run of the same
// occurrence, if there is one: its schedule has one more open run.
func (q Queries) AddContinuation(ctx context.Context, o rota.Owner, r rota.Run, from rota.RunID, provider string) error {
	n, err := q.exec(ctx, `INSERT INTO runs (id, account, end_user, agent_id, agent_version, function_tools, schedule_id, schedule_version, scheduled_for, fire,
		trigger, input, conversation, previous_response_id, context_management, no_deltas, guest, metadata, created_at, phase, attempts)
		SELECT ?, r.account, r.end_user, r.agent_id, r.agent_version, r.function_tools, r.schedule_id, r.schedule_version, r.scheduled_for, r.fire,
		?, ?, r.conversation, ?, r.context_management, r.no_deltas, r.guest, ?, ?, 'queued', 0
		FROM runs r WHERE r.id = ? AND r.account = ? AND r.end_user = ?`,
		r.ID, r.Trigger, rawOrNil(r.Input.RawMessage), r.PreviousResponseID, js(r.Metadata), r.CreatedAt.UnixMilli(), from, o.Account, o.EndUser)
	if err := must("run", n, err); err != nil {
		return err
	}
	if r.ScheduleID != nil {
		if err := q.write(ctx, `UPDATE timers SET open_runs = open_runs + 1, last_run_id = ? WHERE schedule_id = ?`, r.ID, *r.ScheduleID); err != nil {
			return err
		}
	}
	return q.write(ctx, enqueue, queueRow(r.ID, r.ScheduleID, o, provider, r.CreatedAt.UnixMilli())...)
}

// deleteApprovals deletes the requests of runs that are deleted.
func (q Queries) deleteApprovals(ctx context.Context, runs [][]any) error {
	return q.db.Write(ctx, Step{`DELETE FROM approvals WHERE run_id IN (SELECT ?` + fromEach + `)`, runs})
}
