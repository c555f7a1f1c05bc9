package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/rota-run/rota"
)

// BeginErasure notes that all of an end user is to be deleted, until nothing is left.
func (q Queries) BeginErasure(ctx context.Context, o rota.Owner, now time.Time) error {
	return q.write(ctx, `INSERT INTO erasures (account, end_user, at, agents, versions, schedules, occurrences, runs, cancelled_runs, function_tools, keys, answers, responses, conversations, mcp_servers, memory_stores)
		VALUES (?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT (account, end_user) DO UPDATE SET at = excluded.at`, o.Account, o.EndUser, now.UnixMilli())
}

// Erasures returns up to limit end users that are to be deleted, and of whom nobody has
// deleted anything since an instant.
func (q Queries) Erasures(ctx context.Context, since time.Time, limit int) ([]rota.Owner, error) {
	return all(ctx, q.db, scanOwner, `SELECT e.account, e.end_user FROM erasures e WHERE e.at < ? ORDER BY e.at LIMIT ?`, since.UnixMilli(), limit)
}

func scanOwner(row Scanner) (rota.Owner, error) {
	var o rota.Owner
	err := row.Scan(&o.Account, &o.EndUser)
	return o, err
}

// OpenRunIDs returns up to limit runs of an owner that have not ended.
func (q Queries) OpenRunIDs(ctx context.Context, o rota.Owner, limit int) ([]rota.RunID, error) {
	ids, err := all(ctx, q.db, scanText, `SELECT w.run_id FROM open_runs w WHERE w.owner = ? AND w.phase = 'running'
		UNION ALL SELECT w.run_id FROM open_runs w WHERE w.owner = ? AND w.phase <> 'running' LIMIT ?`, ownerText(o), ownerText(o), limit)
	return runIDs(ids), err
}

// EraseSome deletes up to limit rows of the first kind of which there is something left
// of an end user, and counts them; cancelled is how many runs have been cancelled for it
// since the last step. It returns what has been deleted so far, all of it if Deleted,
// and whether there was anything. It leaves runs that have not ended, and schedules of whose end an engine outside does
// not know yet. It is NotFound if the erasure has not begun, or is over.
func (q Queries) EraseSome(ctx context.Context, o rota.Owner, cancelled int64, now time.Time, limit int) (e rota.Erasure, some bool, err error) {
	q.pending.noteOwners(rota.Owners{Owner: o})
	e, err = one(ctx, q.db, "erasure", scanErasure, `SELECT e.agents, e.versions, e.schedules, e.occurrences, e.runs, e.cancelled_runs,
		e.function_tools, e.keys, e.answers, e.responses, e.conversations, e.mcp_servers, e.memory_stores FROM erasures e WHERE e.account = ? AND e.end_user = ?`+q.lock("e"), o.Account, o.EndUser)
	if err != nil {
		return e, false, err
	}
	e.ID, e.CancelledRuns = o.EndUser, e.CancelledRuns+cancelled
	if some, err = q.eraseKind(ctx, o, &e, now, limit); err != nil {
		return e, false, err
	}
	if !some {
		if e.Deleted, err = q.erased(ctx, o); err != nil {
			return e, false, err
		}
	}
	if e.Deleted {
		return e, true, q.db.Write(ctx, Single(`DELETE FROM requests_spent WHERE owner = ?`, ownerText(o)),
			Single(`DELETE FROM erasures WHERE account = ? AND end_user = ?`, o.Account, o.EndUser))
	}
	return e, some, q.write(ctx, `UPDATE erasures SET at = ?, agents = ?, versions = ?, schedules = ?, occurrences = ?, runs = ?, cancelled_runs = ?,
		function_tools = ?, keys = ?, answers = ?, responses = ?, conversations = ?, mcp_servers = ?, memory_stores = ? WHERE account = ? AND end_user = ?`, now.UnixMilli(), e.Agents, e.Versions, e.Schedules, e.Occurrences,
		e.Runs, e.CancelledRuns, e.FunctionTools, e.Keys, e.Answers, e.Responses, e.Conversations, e.MCPServers, e.MemoryStores, o.Account, o.EndUser)
}

func scanErasure(row Scanner) (rota.Erasure, error) {
	e := rota.Erasure{Object: rota.ObjectErasure}
	err := row.Scan(&e.Agents, &e.Versions, &e.Schedules, &e.Occurrences, &e.Runs, &e.CancelledRuns, &e.FunctionTools, &e.Keys, &e.Answers, &e.Responses, &e.Conversations, &e.MCPServers, &e.MemoryStores)
	return e, err
}

// An erasable is a kind of rows that an end user can have. Its query ends with account,
// end user and limit.
type erasable struct {
	query string
	count *int64
	args  []any
}

// eraseKind deletes rows of the first kind that is left, in the order in which they
// refer to each other, and reports whether there were any. First, nothing is let in or
// started any more.
func (q Queries) eraseKind(ctx context.Context, o rota.Owner, e *rota.Erasure, now time.Time, limit int) (bool, error) {
	for _, kind := range slices.Concat(q.erasableLLM(e), q.erasableAgents(e, now)) {
		n, err := q.exec(ctx, kind.query, append(kind.args, o.Account, o.EndUser, limit)...)
		if *kind.count += n; err != nil || n > 0 {
			return n > 0, err
		}
	}
	return q.eraseTallies(ctx, o, limit)
}

// erasableLLM are keys, and what there is of responses and conversations.
func (q Queries) erasableLLM(e *rota.Erasure) []erasable {
	uncounted := new(int64)
	return []erasable{
		{`DELETE FROM keys WHERE id IN (SELECT k.id FROM keys k WHERE k.account = ? AND k.end_user = ? ORDER BY k.id LIMIT ?)`, &e.Keys, nil},
		{`DELETE FROM approvals WHERE id IN (SELECT x.id FROM approvals x WHERE x.account = ? AND x.end_user = ? ORDER BY x.id LIMIT ?)`, uncounted, nil},
		{`DELETE FROM open_responses WHERE response_id IN (SELECT w.response_id FROM responses r JOIN open_responses w ON w.response_id = r.id
			WHERE r.account = ? AND r.end_user = ? LIMIT ?)`, uncounted, nil},
		{`DELETE FROM response_steps WHERE (response_id, number) IN (SELECT x.response_id, x.number FROM responses r
			JOIN response_steps x ON x.response_id = r.id WHERE r.account = ? AND r.end_user = ? LIMIT ?)`, uncounted, nil},
		{`DELETE FROM items WHERE (log, position) IN (SELECT i.log, i.position FROM responses r
			JOIN items i ON i.log = r.id WHERE r.account = ? AND r.end_user = ? LIMIT ?)`, uncounted, nil},
		{`DELETE FROM items WHERE (log, position) IN (SELECT i.log, i.position FROM conversations c
			JOIN items i ON i.log = c.id WHERE c.account = ? AND c.end_user = ? LIMIT ?)`, uncounted, nil},
		{`DELETE FROM responses WHERE id IN (SELECT r.id FROM responses r WHERE r.account = ? AND r.end_user = ? ORDER BY r.id LIMIT ?)`, &e.Responses, nil},
		{`DELETE FROM conversations WHERE id IN (SELECT c.id FROM conversations c WHERE c.account = ? AND c.end_user = ? ORDER BY c.id LIMIT ?)`, &e.Conversations, nil},
	}
}

// erasableAgents are agents and what they have.
func (q Queries) erasableAgents(e *rota.Erasure, now time.Time) []erasable {
	uncounted := new(int64)
	return []erasable{
		{`UPDATE agents SET deleted_at = ?, retention_expires_at = ? WHERE id IN (SELECT a.id FROM agents a
			WHERE a.account = ? AND a.end_user = ? AND a.deleted_at IS NULL ORDER BY a.id LIMIT ?)`, uncounted, []any{now.UnixMilli(), now.UnixMilli()}},
		{`UPDATE timers SET ` + restDeleted + q.ifShared(setUnsynced) + ` WHERE schedule_id IN (SELECT t.schedule_id FROM schedules s
			JOIN timers t ON t.schedule_id = s.id WHERE s.account = ? AND s.end_user = ? AND t.status <> 'deleted' LIMIT ?)`, uncounted, nil},
		{`DELETE FROM occurrences WHERE (schedule_id, scheduled_for) IN (SELECT o.schedule_id, o.scheduled_for FROM schedules s
			JOIN occurrences o ON o.schedule_id = s.id WHERE s.account = ? AND s.end_user = ? LIMIT ?)`, &e.Occurrences, nil},
		{`DELETE FROM runs WHERE id IN (SELECT r.id FROM agents a CROSS JOIN runs r WHERE r.agent_id = a.id
			AND a.account = ? AND a.end_user = ? AND r.phase <> 'queued' LIMIT ?)`, &e.Runs, nil},
		{`DELETE FROM runs WHERE id IN (SELECT r.id FROM runs r WHERE r.account = ? AND r.end_user = ? AND r.guest AND r.phase <> 'queued' LIMIT ?)`, &e.Runs, nil},
		{`DELETE FROM guests WHERE (account, end_user) IN (SELECT g.account, g.end_user FROM guests g WHERE g.account = ? AND g.end_user = ? LIMIT ?)`, uncounted, nil},
		{`DELETE FROM schedule_versions WHERE (schedule_id, version) IN (SELECT v.schedule_id, v.version FROM schedules s
			JOIN schedule_versions v ON v.schedule_id = s.id WHERE s.account = ? AND s.end_user = ? LIMIT ?)`, uncounted, nil},
		{`DELETE FROM timers WHERE schedule_id IN (SELECT t.schedule_id FROM schedules s JOIN timers t ON t.schedule_id = s.id
			WHERE s.account = ? AND s.end_user = ? AND t.status = 'deleted'` + q.ifShared(` AND t.sync_at IS NULL`) + ` LIMIT ?)`, uncounted, nil},
		{`DELETE FROM schedules WHERE id IN (SELECT s.id FROM schedules s WHERE s.account = ? AND s.end_user = ?
			AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.schedule_id = s.id) LIMIT ?)`, &e.Schedules, nil},
		{`DELETE FROM agent_references WHERE (agent_id, target) IN (SELECT x.agent_id, x.target FROM agents a JOIN agent_references x ON x.agent_id = a.id
			WHERE a.account = ? AND a.end_user = ? LIMIT ?)`, uncounted, nil},
		{`DELETE FROM agent_versions WHERE (agent_id, version) IN (SELECT v.agent_id, v.version FROM agents a JOIN agent_versions v ON v.agent_id = a.id
			WHERE a.account = ? AND a.end_user = ? AND ` + unused + ` LIMIT ?)`, &e.Versions, nil},
		{`DELETE FROM agents WHERE id IN (SELECT a.id FROM agents a WHERE a.account = ? AND a.end_user = ? AND ` + unused + ` LIMIT ?)`, &e.Agents, nil},
		{`DELETE FROM function_tools WHERE id IN (SELECT f.id FROM function_tools f WHERE f.account = ? AND f.end_user = ? ORDER BY f.id LIMIT ?)`, &e.FunctionTools, nil},
		{`DELETE FROM mcp_credentials WHERE id IN (SELECT c.id FROM mcp_credentials c WHERE c.account = ? AND c.end_user = ? LIMIT ?)`, uncounted, nil},
		{`DELETE FROM mcp_servers WHERE id IN (SELECT s.id FROM mcp_servers s WHERE s.account = ? AND s.end_user = ? ORDER BY s.id LIMIT ?)`, &e.MCPServers, nil},
		{`DELETE FROM memory_entries WHERE id IN (SELECT n.id FROM memory_entries n WHERE n.account = ? AND n.end_user = ? LIMIT ?)`, uncounted, nil},
		{`DELETE FROM memory_stores WHERE id IN (SELECT m.id FROM memory_stores m WHERE m.account = ? AND m.end_user = ? ORDER BY m.id LIMIT ?)`, &e.MemoryStores, nil},
		{`DELETE FROM answers WHERE (account, end_user, key) IN (SELECT x.account, x.end_user, x.key FROM answers x
			WHERE x.account = ? AND x.end_user = ? LIMIT ?)`, &e.Answers, nil},
		{`DELETE FROM purges WHERE agent_id IN (SELECT p.agent_id FROM purges p WHERE p.account = ? AND p.end_user = ? LIMIT ?)`, uncounted, nil},
	}
}

// unused is a condition on agents that have nothing but versions any more.
const unused = `NOT EXISTS (SELECT 1 FROM runs r WHERE r.agent_id = a.id) AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.agent_id = a.id)`

// erased reports whether nothing of an end user is left that EraseSome had to leave.
func (q Queries) erased(ctx context.Context, o rota.Owner) (bool, error) {
	left, err := all(ctx, q.db, scanText, `SELECT a.id FROM agents a WHERE a.account = ? AND a.end_user = ?
		UNION ALL SELECT s.id FROM schedules s WHERE s.account = ? AND s.end_user = ?
		UNION ALL SELECT w.run_id FROM open_runs w WHERE w.owner = ? AND w.phase = 'running'
		UNION ALL SELECT w.run_id FROM open_runs w WHERE w.owner = ? AND w.phase <> 'running' LIMIT 1`,
		o.Account, o.EndUser, o.Account, o.EndUser, ownerText(o), ownerText(o))
	return len(left) == 0, err
}
