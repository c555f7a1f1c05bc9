package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// Recover returns the runs that a dead process left running to the queue,
// ends those that lost says end, and moves the runs of providers that are not
// listed to the first that is. It leaves the attempts that workers of an engine
// outside have.
func (q Queries) Recover(ctx context.Context, now time.Time, providers []string, lost rota.Lost, settle rota.Settle) (rota.Recovered, error) {
	var done rota.Recovered
	running, err := all(ctx, q.db, scanCutOff, `SELECT o.run_id, t.policy, o.history FROM open_runs o
		JOIN timers t ON t.schedule_id = o.schedule_id WHERE o.phase = 'running'`+q.ifShared(noWorker))
	if err != nil {
		return done, err
	}
	for _, c := range running {
		result, ends := lost(c, now)
		if !ends {
			continue
		}
		end, err := q.FinishRun(ctx, c.Run, result, settle)
		if err != nil {
			return done, err
		}
		done.Lost = append(done.Lost, c.Run)
		if end.Paused != nil {
			done.Paused = append(done.Paused, *end.Paused)
		}
	}
	n, err := q.exec(ctx, `UPDATE open_runs SET phase = 'waiting' WHERE phase = 'running'`+q.ifShared(noWorker))
	done.Resumed = int(n)
	if err != nil {
		return done, err
	}
	return done, q.Rehome(ctx, providers)
}

func scanCutOff(row Scanner) (rota.CutOff, error) {
	c := rota.CutOff{Policy: rota.DefaultPolicy()}
	err := row.Scan(&c.Run, policyText{&c.Policy}, jsonText{&c.Attempts})
	return c, err
}

// Rehome moves the runs that wait under providers that are not listed to the
// first that is. Recover does that too.
func (q Queries) Rehome(ctx context.Context, providers []string) error {
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
		if err := q.write(ctx, `UPDATE open_runs SET provider = ?, response_id = NULL
			WHERE provider = ? AND phase <> 'running'`, providers[0], p); err != nil {
			return err
		}
	}
	return nil
}
