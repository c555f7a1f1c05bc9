package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// Recover implements [rota.Queue].
func (q Queries) Recover(ctx context.Context, now time.Time, providers []string, settle rota.Settle) (rota.Recovered, error) {
	var done rota.Recovered
	if err := q.rehome(ctx, providers); err != nil {
		return done, err
	}
	running, err := all(ctx, q.db, scanCutOff, `SELECT o.run_id, t.policy FROM open_runs o
		JOIN timers t ON t.schedule_id = o.schedule_id WHERE o.phase = 'running'`)
	if err != nil {
		return done, err
	}
	why := rota.RunError{Code: rota.RunErrWorkerLost, Message: "the server died during the run, and the policy's retry.on_crash is never"}
	for _, c := range running {
		if c.policy.Retry.OnCrash != rota.OnCrashNever {
			continue
		}
		end := rota.Result{Phase: rota.PhaseFailed, Error: &why, CompletedAt: now}
		if _, err := q.FinishRun(ctx, c.id, end, settle); err != nil {
			return done, err
		}
		done.Lost++
	}
	n, err := q.db.Exec(ctx, `UPDATE open_runs SET phase = 'waiting' WHERE phase = 'running'`)
	done.Resumed = int(n)
	return done, err
}

// A cutOff is a run of a schedule that a dead process left running.
type cutOff struct {
	id     rota.RunID
	policy rota.Policy
}

func scanCutOff(row Scanner) (cutOff, error) {
	c := cutOff{policy: rota.DefaultPolicy()}
	err := row.Scan(&c.id, policyText{&c.policy})
	return c, err
}

// rehome moves the runs of providers that are gone to the first of those that
// there are.
func (q Queries) rehome(ctx context.Context, providers []string) error {
	held, err := all(ctx, q.db, scanText, `SELECT DISTINCT o.provider FROM open_runs o`)
	if err != nil {
		return err
	}
	known := make(map[string]bool)
	for _, p := range providers {
		known[p] = true
	}
	for _, p := range held {
		if known[p] {
			continue
		}
		if _, err := q.db.Exec(ctx, `UPDATE open_runs SET provider = ?, response_id = NULL WHERE provider = ?`, providers[0], p); err != nil {
			return err
		}
	}
	return nil
}
