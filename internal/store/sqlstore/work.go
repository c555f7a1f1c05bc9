package sqlstore

import (
	"context"

	"github.com/rota-run/rota"
)

// WorkRest returns what [rota.Work.Light] leaves out of the work of a run.
func (q Queries) WorkRest(ctx context.Context, id rota.RunID) (rota.WorkRest, error) {
	return one(ctx, q.db, "run", func(row Scanner) (rota.WorkRest, error) {
		var r rota.WorkRest
		var agent rota.AgentConfig
		err := row.Scan(rawText{&r.Input.RawMessage}, jsonText{&agent}, jsonText{&r.Functions})
		r.Tools = agent.Tools
		return r, err
	}, `SELECT r.input, v.configuration, r.function_tools FROM runs r
		JOIN agent_versions v ON v.agent_id = r.agent_id AND v.version = r.agent_version WHERE r.id = ?`, id)
}
