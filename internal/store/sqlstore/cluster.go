package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// Keeping implements [rota.ClusterReader].
func (q Queries) Keeping(ctx context.Context) (rota.Keeping, error) {
	return one(ctx, q.db, "engine", scanKeeping, selectKeeping)
}

// holdKeeping is Keeping for who is about to change it, or to do what must not
// happen twice at once.
func (q Queries) holdKeeping(ctx context.Context) (rota.Keeping, error) {
	return one(ctx, q.db, "engine", scanKeeping, selectKeeping+q.hold("e"))
}

const selectKeeping = `SELECT e.kind, e.installation, e.since, e.seen_at, e.namespace, e.queue FROM engine e WHERE e.id = 1`

func scanKeeping(row Scanner) (rota.Keeping, error) {
	var k rota.Keeping
	var since, seen int64
	err := row.Scan(&k.Kind, &k.Installation, &since, &seen, &k.Place.Namespace, &k.Place.Queue)
	k.Since, k.SeenAt = orZero(since), orZero(seen)
	return k, err
}

// orZero reads an instant that is stored as 0 if there is none.
func orZero(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// zeroMS returns t as orZero reads it.
func zeroMS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// SaveKeeping implements [rota.Cluster].
func (q Queries) SaveKeeping(ctx context.Context, before rota.EngineKind, k rota.Keeping) error {
	if k.Kind != before {
		if err := q.holdEveryTimer(ctx); err != nil {
			return err
		}
	}
	now, err := q.holdKeeping(ctx)
	if err != nil {
		return err
	}
	if now.Kind != before {
		return rota.Errorf(rota.Conflict, "the engine of this database is %s now", now.Kind)
	}
	if err := q.write(ctx, `UPDATE engine SET kind = ?, installation = ?, since = ?, seen_at = ? WHERE id = 1`,
		k.Kind, k.Installation, zeroMS(k.Since), zeroMS(k.SeenAt)); err != nil {
		return err
	}
	if k.Kind == before || k.Kind != rota.EngineTemporal {
		return nil
	}
	return q.savePlace(ctx, rota.Place{})
}

func (q Queries) savePlace(ctx context.Context, p rota.Place) error {
	return q.write(ctx, `UPDATE engine SET namespace = ?, queue = ? WHERE id = 1`, p.Namespace, p.Queue)
}

// Busy implements [rota.Cluster].
func (q Queries) Busy(ctx context.Context) (map[string]int, error) {
	if _, err := q.holdKeeping(ctx); err != nil {
		return nil, err
	}
	busy := make(map[string]int)
	err := q.db.Query(ctx, func(row Scanner) error {
		var provider string
		var n int
		err := row.Scan(&provider, &n)
		busy[provider] = n
		return err
	}, `SELECT o.provider, COUNT(*) FROM open_runs o WHERE o.phase = 'running' GROUP BY o.provider`)
	return busy, err
}

// Due implements [rota.ScheduleReader].
func (q Queries) Due(ctx context.Context, id rota.ScheduleID) (nominal, due time.Time, err error) {
	err = q.db.Query(ctx, func(row Scanner) error {
		var next, at msTime
		err := row.Scan(&next, &at)
		nominal, due = next.Time, at.Time
		return err
	}, `SELECT t.next_run_at, t.due_at FROM timers t WHERE t.schedule_id = ?`, id)
	return nominal, due, err
}

// TakeRun implements [rota.Cluster].
func (q Queries) TakeRun(ctx context.Context, a rota.Attempt, now time.Time) (rota.Work, error) {
	n, err := q.exec(ctx, `UPDATE open_runs SET carried = ?
		WHERE run_id = ? AND attempts = ? AND phase = 'running' AND carried = 0`, now.UnixMilli(), a.Run, a.Attempt)
	if err := must("attempt", n, err); err != nil {
		return rota.Work{}, err
	}
	return one(ctx, q.db, "attempt", scanWork, selectWork+` WHERE o.run_id = ?`, a.Run)
}

// Stranded implements [rota.ClusterReader].
func (q Queries) Stranded(ctx context.Context, before time.Time) ([]rota.Work, error) {
	return all(ctx, q.db, scanAttempt, selectAttempt+`WHERE o.phase = 'running' AND o.carried = 0 AND o.started_at < ?`, before.UnixMilli())
}

// Taken implements [rota.ClusterReader].
func (q Queries) Taken(ctx context.Context) ([]rota.Work, error) {
	return all(ctx, q.db, scanAttempt, selectAttempt+`WHERE o.phase = 'running' AND o.carried > 0`)
}

// selectAttempt reads what scanAttempt scans.
const selectAttempt = `SELECT o.run_id, o.attempts, o.provider, o.carried, t.policy FROM open_runs o
	LEFT JOIN timers t ON t.schedule_id = o.schedule_id `

func scanAttempt(row Scanner) (rota.Work, error) {
	w := rota.Work{Policy: rota.DefaultPolicy()}
	var taken int64
	err := row.Scan(&w.Run.ID, &w.Run.Attempts, &w.Provider, &taken, policyText{&w.Policy})
	w.TakenAt = orZero(taken)
	return w, err
}

// Untold implements [rota.Mirror].
func (q Queries) Untold(ctx context.Context, now, lease time.Time, limit int) ([]rota.Untold, error) {
	untold, err := all(ctx, q.db, scanUntold, `SELECT `+timerColumns+`, '', COALESCE(s.name, ''), s.temporal_schedule_id IS NOT NULL
		FROM timers t JOIN schedules s ON s.id = t.schedule_id
		WHERE t.tell_at <= ? ORDER BY t.tell_at, t.schedule_id LIMIT ?`+q.take("t"), now.UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	leased := make([][]any, 0, len(untold))
	for _, u := range untold {
		leased = append(leased, []any{lease.UnixMilli(), u.Timer.ScheduleID})
	}
	return untold, q.db.Write(ctx, Step{`UPDATE timers SET tell_at = ?` + fromEach + `WHERE schedule_id = ?`, leased})
}

func scanUntold(row Scanner) (rota.Untold, error) {
	var u rota.Untold
	dest, done := timerDest(&u.Timer)
	err := row.Scan(append(dest, &u.Timer.Model, &u.Name, &u.Shown)...)
	done()
	return u, err
}

// Told implements [rota.Mirror].
func (q Queries) Told(ctx context.Context, id rota.ScheduleID, lease, again time.Time, shown bool) error {
	if err := q.write(ctx, `UPDATE timers SET tell_at = ? WHERE schedule_id = ? AND tell_at = ?`,
		ms(again), id, lease.UnixMilli()); err != nil {
		return err
	}
	var shownAs any
	if shown {
		shownAs = string(id)
	}
	return q.write(ctx, `UPDATE schedules SET temporal_schedule_id = ?
		WHERE id = ? AND COALESCE(temporal_schedule_id, '') <> COALESCE(?, '')`, shownAs, id, shownAs)
}

// Shown implements [rota.ClusterReader].
func (q Queries) Shown(ctx context.Context, after rota.ScheduleID, limit int) (map[rota.ScheduleID]bool, error) {
	shown := make(map[rota.ScheduleID]bool)
	err := q.db.Query(ctx, func(row Scanner) error {
		var id rota.ScheduleID
		var status rota.ScheduleStatus
		err := row.Scan(&id, &status)
		shown[id] = status == rota.SchedulePaused
		return err
	}, `SELECT s.id, t.status FROM schedules s JOIN timers t ON t.schedule_id = s.id
		WHERE s.id > ? AND s.temporal_schedule_id IS NOT NULL ORDER BY s.id LIMIT ?`, after, limit)
	return shown, err
}

// Retell implements [rota.Mirror].
func (q Queries) Retell(ctx context.Context, id rota.ScheduleID, now time.Time) (bool, error) {
	n, err := q.exec(ctx, `UPDATE timers SET tell_at = ? WHERE schedule_id = ?`, now.UnixMilli(), id)
	return n > 0, err
}

// TellAnew implements [rota.Mirror].
func (q Queries) TellAnew(ctx context.Context, p rota.Place, after rota.ScheduleID, limit int) (rota.ScheduleID, error) {
	ids, err := all(ctx, q.db, scanText, `SELECT t.schedule_id FROM timers t WHERE t.schedule_id > ? AND t.status <> 'deleted'
		ORDER BY t.schedule_id LIMIT ?`+q.hold("t"), after, limit)
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", q.savePlace(ctx, p)
	}
	lists := make([][]any, len(ids))
	for i, id := range ids {
		lists[i] = []any{id}
	}
	last := rota.ScheduleID(ids[len(ids)-1])
	return last, q.db.Write(ctx, Step{`UPDATE timers SET tell_at = 0` + fromEach + `WHERE schedule_id = ?`, lists})
}

// Forget implements [rota.Mirror].
func (q Queries) Forget(ctx context.Context) error {
	for _, query := range []string{
		`UPDATE timers SET tell_at = NULL WHERE tell_at IS NOT NULL`,
		`UPDATE schedules SET temporal_schedule_id = NULL WHERE temporal_schedule_id IS NOT NULL`,
	} {
		if err := q.write(ctx, query); err != nil {
			return err
		}
	}
	return q.savePlace(ctx, rota.Place{})
}
