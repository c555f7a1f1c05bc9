package sqlstore

import (
	"context"

	"github.com/rota-run/rota"
)

const versionColumns = `v.id, v.agent_id, v.version, v.version = a.version, v.restored_from_version, v.configuration, v.created_at`

func scanVersion(row Scanner) (rota.AgentVersion, error) {
	v := rota.AgentVersion{Object: rota.ObjectAgentVersion}
	var created msTime
	err := row.Scan(&v.ID, &v.AgentID, &v.Version, &v.IsCurrent, &v.RestoredFromVersion, jsonText{&v.AgentConfig}, &created)
	v.CreatedAt = created.instant()
	return v, err
}

// AgentVersion returns a version of an agent.
func (q Queries) AgentVersion(ctx context.Context, o rota.Owner, id rota.AgentID, version int64) (rota.AgentVersion, error) {
	return one(ctx, q.db, "version", scanVersion, `SELECT `+versionColumns+` FROM agent_versions v JOIN agents a ON a.id = v.agent_id
		WHERE v.agent_id = ? AND v.version = ? AND a.account = ? AND a.end_user = ?`, id, version, o.Account, o.EndUser)
}

// AgentVersions returns the versions of an agent, in their order.
func (q Queries) AgentVersions(ctx context.Context, o rota.Owner, id rota.AgentID, p rota.Page) (rota.List[rota.AgentVersion], error) {
	return listing[rota.AgentVersion]{
		query: `SELECT ` + versionColumns + ` FROM agent_versions v JOIN agents a ON a.id = v.agent_id
			WHERE v.agent_id = ? AND a.account = ? AND a.end_user = ?`,
		key:  "v.version",
		args: []any{id, o.Account, o.EndUser},
		scan: scanVersion,
		id:   func(v rota.AgentVersion) string { return string(v.ID) },
		find: `SELECT w.version FROM agent_versions w WHERE w.agent_id = v.agent_id AND w.id = ?`,
	}.page(ctx, q.db, p)
}

// addVersion keeps the configuration that an agent has now.
func (q Queries) addVersion(ctx context.Context, a rota.Agent, restored *int64) error {
	return q.write(ctx, `INSERT INTO agent_versions (agent_id, version, id, restored_from_version, configuration, created_at)
		VALUES (?, ?, ?, ?, ?, ?)`, a.ID, a.Version, rota.NewAgentVersionID(a.UpdatedAt.Time), restored, js(a.AgentConfig), a.UpdatedAt.UnixMilli())
}
