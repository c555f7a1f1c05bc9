package sqlstore

import (
	"context"

	"github.com/rota-run/rota"
)

// AddRunSteps puts steps of the tool loop of a run on record. It reports false, and does
// nothing, if the attempt is over. The response that the provider had begun is forgotten:
// it is among the steps, or nothing has come of it.
func (q Queries) AddRunSteps(ctx context.Context, a rota.Attempt, steps ...rota.ResponseStep) (bool, error) {
	n, err := q.exec(ctx, `UPDATE open_runs SET steps = steps + ?, response_id = NULL WHERE run_id = ? AND phase = 'running' AND `+ofAttempt,
		len(steps), a.Run, a.Attempt)
	if err != nil || n == 0 {
		return false, err
	}
	return true, q.insertRunSteps(ctx, a.Run, steps)
}

func (q Queries) insertRunSteps(ctx context.Context, id rota.RunID, steps []rota.ResponseStep) error {
	rows := make([][]any, len(steps))
	for i, s := range steps {
		rows[i] = []any{id, s.Number, s.Kind, s.At.UnixMilli(), js(s)}
	}
	return q.db.Write(ctx, Step{`INSERT INTO run_steps (run_id, number, kind, at, data) SELECT ?, ?, ?, ?, ?` + fromEach, rows})
}

// RunSteps returns the steps of the tool loop of a run, in order.
func (q Queries) RunSteps(ctx context.Context, id rota.RunID) ([]rota.ResponseStep, error) {
	return all(ctx, q.db, scanStep, `SELECT s.data, s.number, s.kind, s.at FROM run_steps s WHERE s.run_id = ? ORDER BY s.number`, id)
}

func scanStep(row Scanner) (rota.ResponseStep, error) {
	var (
		s  rota.ResponseStep
		at msTime
	)
	err := row.Scan(jsonText{&s}, &s.Number, &s.Kind, &at)
	s.At = at.Time
	return s, err
}
