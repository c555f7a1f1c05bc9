package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
)

// External is every query, and those that an engine outside of the process needs:
// which attempts its workers have, and which schedules it has. Their columns exist
// in shared databases only, so they fail on others.
type External struct{ Queries }

// Of these columns, the queries that any engine makes write the following, if the
// database is shared.
const (
	// syncNow is when an engine outside has to get a schedule whose timer was just
	// changed: long ago; or never, if the engine is in the process.
	syncNow = `(SELECT CASE WHEN e.kind = 'temporal' THEN 0 END FROM engine e WHERE e.id = 1)`

	// setUnsynced and the others are further columns of a SET.
	setUnsynced      = `, sync_at = ` + syncNow
	setUnsyncedIfNew = `, sync_at = CASE WHEN status = ? THEN sync_at ELSE ` + syncNow + ` END` // given the new status
	clearWorker      = `, worker_since = NULL`
	clearDestination = `, namespace = '', queue = ''`

	// noWorker is a further condition on open_runs.
	noWorker = ` AND worker_since IS NULL`
)

// TakeRun gives a claimed run to the one worker that asks first for this
// attempt. Others get NotFound, as do all when the attempt is over.
func (x External) TakeRun(ctx context.Context, a rota.Attempt, now time.Time) (rota.Work, error) {
	n, err := x.exec(ctx, `UPDATE open_runs SET worker_since = ?
		WHERE run_id = ? AND attempts = ? AND phase = 'running'`+noWorker, now.UnixMilli(), a.Run, a.Attempt)
	if err := must("attempt", n, err); err != nil {
		return rota.Work{}, err
	}
	return one(ctx, x.db, "attempt", scanWork, selectWork+` WHERE o.run_id = ?`, a.Run)
}

// Unstarted returns the attempts that were claimed before an instant and that no
// worker has begun.
func (x External) Unstarted(ctx context.Context, before time.Time) ([]cluster.Claim, error) {
	return all(ctx, x.db, scanClaim, selectClaim+`WHERE o.phase = 'running' AND o.worker_since IS NULL AND o.started_at < ?`, before.UnixMilli())
}

// Claimed returns the attempts that workers are working on.
func (x External) Claimed(ctx context.Context) ([]cluster.Claim, error) {
	return all(ctx, x.db, scanClaim, selectClaim+`WHERE o.phase = 'running' AND o.worker_since IS NOT NULL`)
}

// selectClaim reads what scanClaim scans.
const selectClaim = `SELECT o.run_id, o.attempts, o.provider, o.worker_since, t.policy FROM open_runs o
	LEFT JOIN timers t ON t.schedule_id = o.schedule_id `

func scanClaim(row Scanner) (cluster.Claim, error) {
	c := cluster.Claim{Policy: rota.DefaultPolicy()}
	var since msTime
	err := row.Scan(&c.At.Run, &c.At.Attempt, &c.Provider, &since, policyText{&c.Policy})
	c.Since = since.Time
	return c, err
}

// ReturnRun does for one attempt whose worker is lost what Recover does for
// all. It does nothing if the attempt is over.
func (x External) ReturnRun(ctx context.Context, a rota.Attempt, now time.Time, lost rota.Lost, settle rota.Settle) (rota.Finish, error) {
	running, err := all(ctx, x.db, scanCutOff, `SELECT o.run_id, t.policy, o.history FROM open_runs o
		LEFT JOIN timers t ON t.schedule_id = o.schedule_id
		WHERE o.run_id = ? AND o.attempts = ? AND o.phase = 'running'`, a.Run, a.Attempt)
	if err != nil || len(running) == 0 {
		return rota.Finish{}, err
	}
	if end, ends := lost(running[0], now); ends {
		end.Attempt = a.Attempt
		return x.FinishRun(ctx, a.Run, end, settle)
	}
	return rota.Finish{}, x.write(ctx, `UPDATE open_runs SET phase = 'waiting'`+clearWorker+`
		WHERE run_id = ? AND attempts = ? AND phase = 'running'`, a.Run, a.Attempt)
}
