package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// ruleRetention is why agents are purged.
const ruleRetention = "agent_retention"

// expired selects the agent that can be purged next.
func (q Queries) expired() string {
	return `SELECT a.id, a.account, a.end_user FROM agents a WHERE a.deleted_at IS NOT NULL AND a.retention_expires_at <= ?
		AND NOT EXISTS (SELECT 1 FROM open_runs o CROSS JOIN runs r WHERE r.id = o.run_id AND r.agent_id = a.id)
		AND NOT EXISTS (SELECT 1 FROM erasures e WHERE e.account = a.account AND e.end_user = a.end_user)` + q.ifShared(unknownDeletion) + `
		ORDER BY a.retention_expires_at, a.id LIMIT 1` + q.lockAny("a")
}

// unknownDeletion is a further condition on the agents that expired selects: an engine
// outside knows of all its schedules that are deleted.
const unknownDeletion = ` AND NOT EXISTS (SELECT 1 FROM schedules s JOIN timers t ON t.schedule_id = s.id
	WHERE s.agent_id = a.id AND t.status = 'deleted' AND t.sync_at IS NOT NULL)`

// A doomed agent is one that is being purged.
type doomed struct {
	id    rota.AgentID
	owner rota.Owner
}

func scanDoomed(row Scanner) (doomed, error) {
	var d doomed
	err := row.Scan(&d.id, &d.owner.Account, &d.owner.EndUser)
	return d, err
}

// PurgeDue reports whether PurgeAgent may have something to do.
func (q Queries) PurgeDue(ctx context.Context, now time.Time) (bool, error) {
	first, err := all(ctx, q.db, scanDoomed, q.expired(), now.UnixMilli())
	return len(first) > 0, err
}

// PurgeAgent makes one step of removing the agent whose retention ended first.
func (q Queries) PurgeAgent(ctx context.Context, now time.Time, limit int) (rota.Purge, error) {
	first, err := all(ctx, q.db, scanDoomed, q.expired(), now.UnixMilli())
	if err != nil || len(first) == 0 {
		return rota.Purge{}, err
	}
	d := first[0]
	p := rota.Purge{AgentID: d.id, At: now, Rule: ruleRetention}
	if err := q.purgeSome(ctx, &p, limit); err != nil {
		return p, err
	}
	done := p.Done
	p, err = one(ctx, q.db, "purge", scanPurge, `INSERT INTO purges (agent_id, account, end_user, rule, at, versions, runs, schedules, occurrences)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (agent_id) DO UPDATE SET at = excluded.at, versions = purges.versions + excluded.versions,
		runs = purges.runs + excluded.runs, schedules = purges.schedules + excluded.schedules, occurrences = purges.occurrences + excluded.occurrences
		RETURNING agent_id, at, rule, versions, runs, schedules, occurrences`,
		p.AgentID, d.owner.Account, d.owner.EndUser, p.Rule, now.UnixMilli(), p.Versions, p.Runs, p.Schedules, p.Occurrences)
	p.Done = done
	return p, err
}

func scanPurge(row Scanner) (rota.Purge, error) {
	var p rota.Purge
	var at msTime
	err := row.Scan(&p.AgentID, &at, &p.Rule, &p.Versions, &p.Runs, &p.Schedules, &p.Occurrences)
	p.At = at.Time
	return p, err
}

// purgeSome removes rows of the first kind that is left, in the order in which they
// refer to each other. The schedules end first, so that an engine outside is told.
func (q Queries) purgeSome(ctx context.Context, p *rota.Purge, limit int) error {
	ended := int64(0)
	for _, kind := range []struct {
		query string
		count *int64
	}{
		{`UPDATE timers SET ` + restDeleted + q.ifShared(setUnsynced) + ` WHERE schedule_id IN (SELECT t.schedule_id FROM schedules s
			JOIN timers t ON t.schedule_id = s.id WHERE s.agent_id = ? AND t.status <> 'deleted' ORDER BY s.id LIMIT ?)`, &ended},
		{`DELETE FROM occurrences WHERE (schedule_id, scheduled_for) IN (SELECT o.schedule_id, o.scheduled_for FROM schedules s
			JOIN occurrences o ON o.schedule_id = s.id WHERE s.agent_id = ? LIMIT ?)`, &p.Occurrences},
		{`DELETE FROM approvals WHERE id IN (SELECT x.id FROM approvals x WHERE x.agent_id = ? ORDER BY x.id LIMIT ?)`, &ended},
		{`DELETE FROM runs WHERE id IN (SELECT r.id FROM runs r WHERE r.agent_id = ? ORDER BY r.id LIMIT ?)`, &p.Runs},
		{`DELETE FROM items WHERE (log, position) IN (SELECT i.log, i.position FROM responses r JOIN items i ON i.response_id = r.id
			WHERE r.agent_id = ? AND (i.log = r.id OR EXISTS (SELECT 1 FROM conversations c WHERE c.id = i.log AND (c.agent_id = r.agent_id OR c.deleted_at IS NOT NULL))) LIMIT ?)`, &ended},
		{`DELETE FROM responses WHERE id IN (SELECT r.id FROM responses r WHERE r.agent_id = ? ORDER BY r.id LIMIT ?)`, &ended},
		{`DELETE FROM items WHERE (log, position) IN (SELECT i.log, i.position FROM conversations c JOIN items i ON i.log = c.id
			WHERE c.agent_id = ? AND NOT EXISTS (SELECT 1 FROM responses r WHERE r.id = i.response_id) LIMIT ?)`, &ended},
		{`DELETE FROM conversations WHERE id IN (SELECT c.id FROM conversations c WHERE c.agent_id = ? ORDER BY c.id LIMIT ?)`, &ended},
		{`DELETE FROM schedule_versions WHERE (schedule_id, version) IN (SELECT v.schedule_id, v.version FROM schedules s
			JOIN schedule_versions v ON v.schedule_id = s.id WHERE s.agent_id = ? LIMIT ?)`, &ended},
		{`DELETE FROM timers WHERE schedule_id IN (SELECT t.schedule_id FROM schedules s
			JOIN timers t ON t.schedule_id = s.id WHERE s.agent_id = ? ORDER BY s.id LIMIT ?)`, &ended},
		{`DELETE FROM schedules WHERE id IN (SELECT s.id FROM schedules s WHERE s.agent_id = ? ORDER BY s.id LIMIT ?)`, &p.Schedules},
		{`DELETE FROM agent_versions WHERE agent_id = ? AND version IN (SELECT v.version FROM agent_versions v WHERE v.agent_id = agent_versions.agent_id
			ORDER BY v.version LIMIT ?)`, &p.Versions},
	} {
		n, err := q.exec(ctx, kind.query, p.AgentID, limit)
		if *kind.count = n; err != nil || n > 0 {
			return err
		}
	}
	p.Done = true
	if err := q.write(ctx, `DELETE FROM agent_references WHERE agent_id = ?`, p.AgentID); err != nil {
		return err
	}
	return q.write(ctx, `DELETE FROM agents WHERE id = ?`, p.AgentID)
}
