package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

const agentColumns = `a.id, a.key, a.name, a.description, a.model, a.instructions, a.tools, a.tool_choice,
	a.parallel_tool_calls, a.max_tool_calls, a.fallback_models, a.text, a.reasoning, a.metadata, a.version,
	a.created_at, a.updated_at, a.deleted_at, a.retention_expires_at, a.end_user, a.visibility`

// agentDest returns where the columns of an agent go, and what completes it
// when they have been scanned.
func agentDest(a *rota.Agent) ([]any, func()) {
	var created, updated, deleted, retained msTime
	a.Object = rota.ObjectAgent
	return []any{
		&a.ID, &a.Key, &a.Name, &a.Description, &a.Model, &a.Instructions,
		jsonText{&a.Tools},
		rawText{&a.ToolChoice.RawMessage},
		&a.ParallelToolCalls, &a.MaxToolCalls,
		jsonText{&a.FallbackModels},
		rawText{&a.Text.RawMessage},
		rawText{&a.Reasoning.RawMessage},
		jsonText{&a.Metadata},
		&a.Version, &created, &updated, &deleted, &retained,
		userText{&a.EndUser},
		&a.Visibility,
	}, func() {
		a.CreatedAt, a.UpdatedAt = created.instant(), updated.instant()
		a.DeletedAt, a.RetentionExpiresAt = deleted.orNil(), retained.orNil()
	}
}

func scanAgent(row Scanner) (rota.Agent, error) {
	var a rota.Agent
	dest, done := agentDest(&a)
	err := row.Scan(dest...)
	done()
	return a, err
}

// Agent returns an agent that is not deleted.
func (q Queries) Agent(ctx context.Context, o rota.Owner, id rota.AgentID) (rota.Agent, error) {
	return one(ctx, q.db, "agent", scanAgent, `SELECT `+agentColumns+` FROM agents a
		WHERE a.id = ? AND a.account = ? AND a.end_user = ?`+q.lockShared("a"), id, o.Account, o.EndUser)
}

// VisibleAgent returns an agent that is the owner's, or shared with it.
func (q Queries) VisibleAgent(ctx context.Context, o rota.Owner, id rota.AgentID) (rota.Agent, error) {
	return one(ctx, q.db, "agent", scanAgent, `SELECT `+agentColumns+` FROM agents a
		WHERE a.id = ? AND a.account = ? AND (a.end_user = ? OR a.visibility = 'workspace')`+q.lockShared("a"), id, o.Account, o.EndUser)
}

// AgentByKey returns the agent with the key that is not deleted.
func (q Queries) AgentByKey(ctx context.Context, o rota.Owner, key string) (rota.Agent, error) {
	return one(ctx, q.db, "agent", scanAgent, `SELECT `+agentColumns+` FROM agents a
		WHERE a.account = ? AND a.end_user = ? AND a.key = ? AND a.deleted_at IS NULL`+q.lockShared("a"), o.Account, o.EndUser, key)
}

// Agents returns a page of an owner's agents that are deleted, or of those that are not.
func (q Queries) Agents(ctx context.Context, o rota.Owner, deleted bool, p rota.Page) (rota.List[rota.Agent], error) {
	return q.AllAgents(ctx, rota.Owners{Owner: o}, rota.AgentFilter{Deleted: deleted}, p)
}

// AllAgents returns a page of the agents of owners.
func (q Queries) AllAgents(ctx context.Context, o rota.Owners, f rota.AgentFilter, p rota.Page) (rota.List[rota.Agent], error) {
	l := listing[rota.Agent]{
		query: `SELECT ` + agentColumns + ` FROM agents a WHERE true`,
		key:   "a.id",
		scan:  scanAgent,
		id:    func(a rota.Agent) string { return string(a.ID) },
	}
	if f.Deleted {
		l.where(` AND a.deleted_at IS NOT NULL`)
	} else {
		l.where(` AND a.deleted_at IS NULL`)
	}
	if f.Shared {
		l.where(` AND a.account = ? AND a.id IN (SELECT x.id FROM agents x WHERE x.account = ? AND x.end_user = ? AND x.deleted_at IS NULL
			UNION ALL SELECT y.id FROM agents y WHERE y.account = ? AND y.visibility = 'workspace' AND y.deleted_at IS NULL)`, o.Account, o.Account, o.EndUser, o.Account)
	} else {
		l.owned("a", o, true)
	}
	n := q.narrowAgents(f)
	if n.asked || p.Sort == rota.SortName {
		l.look("agents a", "a.id", maxLook)
		l.where(n.text, n.args...)
	}
	if p.Sort == rota.SortName {
		l.sort(sorting[rota.Agent]{
			key: "a.name", tie: "a.id",
			id:   func(a rota.Agent) string { return string(a.ID) },
			text: func(a rota.Agent) string { return a.Name },
		})
	}
	return l.page(ctx, q.db, p)
}

// narrowAgents returns the conditions of a filter that no index answers.
func (q Queries) narrowAgents(f rota.AgentFilter) narrowing {
	var n narrowing
	n.is("a.name", f.Name)
	q.has(&n, "a.metadata", f.Metadata)
	q.contains(&n, f.Q, "a.name", "COALESCE(a.description, '')", "COALESCE(a.key, '')", "a.model", "COALESCE(a.instructions, '')")
	return n
}

// AddAgent adds an agent and its first version. It is a Conflict if another agent of the
// owner has its key.
func (q Queries) AddAgent(ctx context.Context, o rota.Owner, a rota.Agent) error {
	q.pending.noteAgent(o, a.ID)
	if err := q.addKeyed(ctx, "agent", a.Key, `INSERT INTO agents (id, account, end_user, key, name, description, model, instructions, tools,
		tool_choice, parallel_tool_calls, max_tool_calls, fallback_models, text, reasoning, metadata, version, created_at, updated_at, visibility)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.ID, o.Account, o.EndUser, a.Key, a.Name, a.Description, a.Model, a.Instructions, js(a.Tools),
		rawOrNil(a.ToolChoice.RawMessage), a.ParallelToolCalls, a.MaxToolCalls, js(a.FallbackModels), rawOrNil(a.Text.RawMessage),
		rawOrNil(a.Reasoning.RawMessage), js(a.Metadata), a.Version, a.CreatedAt.UnixMilli(), a.UpdatedAt.UnixMilli(), a.Visibility); err != nil {
		return err
	}
	if err := q.addVersion(ctx, a, nil); err != nil {
		return err
	}
	return q.refer(ctx, a)
}

// addKeyed adds a row that may have a key, which no other row of its kind may have.
func (q Queries) addKeyed(ctx context.Context, noun string, key *string, insert string, args ...any) error {
	if key == nil {
		return q.write(ctx, insert, args...)
	}
	n, err := q.exec(ctx, insert+` ON CONFLICT DO NOTHING`, args...)
	if err == nil && n == 0 {
		err = &rota.Error{Code: rota.Conflict, Field: "key", Msg: "another " + noun + " has this key: put it under its key to change it"}
	}
	return err
}

// SaveAgent writes an agent back that has another configuration, and adds its
// version, which must be new. restored is the version that the configuration is
// a copy of; nil if it is none.
func (q Queries) SaveAgent(ctx context.Context, o rota.Owner, a rota.Agent, restored *int64) error {
	q.pending.noteAgent(o, a.ID)
	n, err := q.exec(ctx, `UPDATE agents SET name = ?, description = ?, model = ?, instructions = ?, tools = ?,
		tool_choice = ?, parallel_tool_calls = ?, max_tool_calls = ?, fallback_models = ?, text = ?, reasoning = ?, metadata = ?,
		version = ?, updated_at = ?
		WHERE id = ? AND account = ? AND end_user = ? AND deleted_at IS NULL`,
		a.Name, a.Description, a.Model, a.Instructions, js(a.Tools), rawOrNil(a.ToolChoice.RawMessage),
		a.ParallelToolCalls, a.MaxToolCalls, js(a.FallbackModels), rawOrNil(a.Text.RawMessage), rawOrNil(a.Reasoning.RawMessage), js(a.Metadata),
		a.Version, a.UpdatedAt.UnixMilli(), a.ID, o.Account, o.EndUser)
	if err := must("agent", n, err); err != nil {
		return err
	}
	if err := q.addVersion(ctx, a, restored); err != nil {
		return err
	}
	return q.refer(ctx, a)
}

// SetVisibility says who can see an agent that is not deleted. The schedules of others on one
// that becomes private are still to be paused: see RestTimers.
func (q Queries) SetVisibility(ctx context.Context, o rota.Owner, id rota.AgentID, v rota.Visibility, now time.Time) error {
	q.pending.noteAgent(o, id)
	var since any
	if v == rota.Private {
		since = now.UnixMilli()
	}
	n, err := q.exec(ctx, `UPDATE agents SET visibility = ?, unshared_at = ?, updated_at = ?
		WHERE id = ? AND account = ? AND end_user = ? AND deleted_at IS NULL`, v, since, now.UnixMilli(), id, o.Account, o.EndUser)
	return must("agent", n, err)
}

// refer keeps what the tools of an agent refer to in its version: function tools, and
// agents.
func (q Queries) refer(ctx context.Context, a rota.Agent) error {
	var rows [][]any
	for _, id := range a.FunctionReferences() {
		rows = append(rows, []any{a.ID, a.Version, string(id)})
	}
	for _, id := range a.AgentTools() {
		rows = append(rows, []any{a.ID, a.Version, string(id)})
	}
	if len(rows) == 0 {
		return nil
	}
	return q.db.Write(ctx, Step{`INSERT INTO agent_references (agent_id, version, target) SELECT ?, ?, ?` + fromEach + `WHERE true
		ON CONFLICT DO NOTHING`, rows})
}

// AgentUser returns another agent, not deleted, that has this one as a tool; empty if
// there is none.
func (q Queries) AgentUser(ctx context.Context, o rota.Owner, id rota.AgentID) (rota.AgentID, error) {
	users, err := all(ctx, q.db, scanText, `SELECT a.id FROM agent_references e JOIN agents a ON a.id = e.agent_id AND a.version = e.version
		WHERE e.target = ? AND e.agent_id <> ? AND a.account = ? AND a.end_user = ? AND a.deleted_at IS NULL ORDER BY a.id LIMIT 1`,
		id, id, o.Account, o.EndUser)
	if err != nil || len(users) == 0 {
		return "", err
	}
	return rota.AgentID(users[0]), nil
}

// DeleteAgent deletes an agent, so that it can be restored until an instant. Its
// schedules are still to be paused: see RestTimers.
func (q Queries) DeleteAgent(ctx context.Context, o rota.Owner, id rota.AgentID, now, until time.Time) error {
	q.pending.noteAgent(o, id)
	n, err := q.exec(ctx, `UPDATE agents SET deleted_at = ?, retention_expires_at = ?, updated_at = ?
		WHERE id = ? AND account = ? AND end_user = ? AND deleted_at IS NULL`,
		now.UnixMilli(), until.UnixMilli(), now.UnixMilli(), id, o.Account, o.EndUser)
	return must("agent", n, err)
}

// RestoreAgent takes a deletion back. It is a Conflict if there is none, if the agent is
// being purged, or if another one has its key by now.
func (q Queries) RestoreAgent(ctx context.Context, o rota.Owner, id rota.AgentID, now time.Time) error {
	q.pending.noteAgent(o, id)
	n, err := q.exec(ctx, `UPDATE agents SET deleted_at = NULL, retention_expires_at = NULL, updated_at = ?
		WHERE id = ? AND account = ? AND end_user = ? AND deleted_at IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM purges p WHERE p.agent_id = agents.id)
		AND NOT EXISTS (SELECT 1 FROM agents k WHERE k.account = agents.account AND k.end_user = agents.end_user
			AND k.key = agents.key AND k.deleted_at IS NULL)`,
		now.UnixMilli(), id, o.Account, o.EndUser)
	if err == nil && n == 0 {
		err = rota.Errorf(rota.Conflict, "the agent is not deleted, or another agent has its key by now")
	}
	return err
}
