package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// SleepRun lets a run that is worked on wait in the queue until it goes on, with its steps
// on record. It reports false, and does nothing, if the attempt is over.
func (q Queries) SleepRun(ctx context.Context, s rota.RunSleep) (bool, error) {
	mine, err := q.AddRunSteps(ctx, s.Attempt, s.Steps...)
	if err != nil || !mine {
		return mine, err
	}
	return true, q.write(ctx, `UPDATE open_runs SET phase = 'waiting', ready_at = ?, sleep = ?, history = ?`+q.ifShared(clearWorker)+`
		WHERE run_id = ? AND phase = 'running' AND `+ofAttempt, s.Until.UnixMilli(), js(s.Sleep), js(s.Attempts), s.Attempt.Run, s.Attempt.Attempt)
}

// WakeRun lets a run that sleeps go on now, with what woke says came of its call of sleep.
// It reports false, and does nothing, if the run does not sleep.
func (q Queries) WakeRun(ctx context.Context, id rota.RunID, now time.Time, woke rota.Awake) (bool, error) {
	n, err := q.exec(ctx, `UPDATE open_runs SET ready_at = ?, steps = steps + 1, sleep = NULL WHERE run_id = ? AND sleep IS NOT NULL`, now.UnixMilli(), id)
	if err != nil || n == 0 {
		return false, err
	}
	called, err := one(ctx, q.db, "step", scanStep, `SELECT s.data, s.number, s.kind, s.at FROM run_steps s WHERE s.run_id = ?
		ORDER BY s.number DESC LIMIT 1`, id)
	if err != nil {
		return false, err
	}
	return true, q.insertRunSteps(ctx, id, []rota.ResponseStep{woke(called)})
}

// SleepResponse lets a response that a worker has wait until it goes on, with its steps on
// record. It reports false, and does nothing, if the response has ended or another worker
// has it.
func (q Queries) SleepResponse(ctx context.Context, s rota.ResponseSleep) (bool, error) {
	n, err := q.exec(ctx, `UPDATE open_responses SET worker = NULL, lease_until = ?, sleep = ? WHERE response_id = ? AND worker = ?`,
		s.Until.UnixMilli(), js(s.Sleep), s.ID, s.Worker)
	if err != nil || n == 0 {
		return false, err
	}
	return true, q.AddSteps(ctx, s.ID, s.Steps...)
}

// WakeResponse lets a response that sleeps go on now, with what woke says came of its call
// of sleep. It reports false, and does nothing, if the response does not sleep.
func (q Queries) WakeResponse(ctx context.Context, id rota.ResponseID, now time.Time, woke rota.Awake) (bool, error) {
	n, err := q.exec(ctx, `UPDATE open_responses SET lease_until = ?, sleep = NULL WHERE response_id = ? AND sleep IS NOT NULL`, now.UnixMilli(), id)
	if err != nil || n == 0 {
		return false, err
	}
	called, err := one(ctx, q.db, "step", scanStep, `SELECT s.data, s.number, s.kind, s.at FROM response_steps s WHERE s.response_id = ?
		ORDER BY s.number DESC LIMIT 1`, id)
	if err != nil {
		return false, err
	}
	return true, q.AddSteps(ctx, id, woke(called))
}
