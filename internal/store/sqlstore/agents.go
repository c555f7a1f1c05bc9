package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

const agentColumns = `a.id, a.name, a.description, a.model, a.instructions, a.tools, a.tool_choice,
	a.parallel_tool_calls, a.max_tool_calls, a.fallback_models, a.text, a.reasoning, a.metadata, a.version,
	a.created_at, a.updated_at, a.deleted_at, a.retention_expires_at`

// agentDest returns where the columns of an agent go, and what completes it
// when they have been scanned.
func agentDest(a *rota.Agent) ([]any, func()) {
	var created, updated, deleted, retained msTime
	a.Object = rota.ObjectAgent
	return []any{
		&a.ID, &a.Name, &a.Description, &a.Model, &a.Instructions,
		jsonText{&a.Tools},
		rawText{&a.ToolChoice.RawMessage},
		&a.ParallelToolCalls, &a.MaxToolCalls,
		jsonText{&a.FallbackModels},
		rawText{&a.Text.RawMessage},
		rawText{&a.Reasoning.RawMessage},
		jsonText{&a.Metadata},
		&a.Version, &created, &updated, &deleted, &retained,
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
		WHERE a.id = ? AND a.account = ? AND a.end_user = ? AND a.deleted_at IS NULL`+q.share("a"), id, o.Account, o.EndUser)
}

// Agents returns a page of the owner's agents.
func (q Queries) Agents(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.Agent], error) {
	return listing[rota.Agent]{
		query: `SELECT ` + agentColumns + ` FROM agents a WHERE a.account = ? AND a.end_user = ? AND a.deleted_at IS NULL`,
		key:   "a.id",
		args:  []any{o.Account, o.EndUser},
		scan:  scanAgent,
		id:    func(a rota.Agent) string { return string(a.ID) },
	}.page(ctx, q.db, p)
}

// AddAgent adds an agent and its first version.
func (q Queries) AddAgent(ctx context.Context, o rota.Owner, a rota.Agent) error {
	if err := q.write(ctx, `INSERT INTO agents (id, account, end_user, name, description, model, instructions, tools,
		tool_choice, parallel_tool_calls, max_tool_calls, fallback_models, text, reasoning, metadata, version, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.ID, o.Account, o.EndUser, a.Name, a.Description, a.Model, a.Instructions, js(a.Tools),
		rawOrNil(a.ToolChoice.RawMessage), a.ParallelToolCalls, a.MaxToolCalls, js(a.FallbackModels), rawOrNil(a.Text.RawMessage),
		rawOrNil(a.Reasoning.RawMessage), js(a.Metadata), a.Version, a.CreatedAt.UnixMilli(), a.UpdatedAt.UnixMilli()); err != nil {
		return err
	}
	return q.addVersion(ctx, a, nil)
}

// SaveAgent writes an agent back that has another configuration, and adds its
// version, which must be new. restored is the version that the configuration is
// a copy of; nil if it is none.
func (q Queries) SaveAgent(ctx context.Context, o rota.Owner, a rota.Agent, restored *int64) error {
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
	return q.addVersion(ctx, a, restored)
}

// DeleteAgent deletes the agent and its schedules. Runs that have started
// go on; ClaimRuns blocks those that have not.
func (q Queries) DeleteAgent(ctx context.Context, o rota.Owner, id rota.AgentID, now time.Time) error {
	n, err := q.exec(ctx, `UPDATE agents SET deleted_at = ?, updated_at = ?, version = version + 1
		WHERE id = ? AND account = ? AND end_user = ? AND deleted_at IS NULL`,
		now.UnixMilli(), now.UnixMilli(), id, o.Account, o.EndUser)
	if err := must("agent", n, err); err != nil {
		return err
	}
	if err := q.holdTimers(ctx, id); err != nil {
		return err
	}
	if err := q.write(ctx, `UPDATE occurrences SET outcome = 'blocked', reason = ? WHERE outcome <> 'fired' AND outcome = 'buffered'
		AND schedule_id IN (SELECT t.schedule_id FROM schedules s JOIN timers t ON t.schedule_id = s.id
		WHERE s.agent_id = ? AND s.deleted_at IS NULL AND (t.buffered IS NOT NULL OR t.backlog > 0))`,
		notActive, id); err != nil {
		return err
	}
	if err := q.write(ctx, `UPDATE timers SET `+restDeleted+q.ifShared(setUnsynced)+`
		WHERE schedule_id IN (SELECT s.id FROM schedules s WHERE s.agent_id = ? AND s.deleted_at IS NULL)`, id); err != nil {
		return err
	}
	return q.write(ctx, `UPDATE schedules SET deleted_at = ?, updated_at = ?, version = version + 1
		WHERE agent_id = ? AND deleted_at IS NULL`, now.UnixMilli(), now.UnixMilli(), id)
}
