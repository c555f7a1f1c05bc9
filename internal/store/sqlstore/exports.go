package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
)

// Exports are the queries about schedules that an engine outside has to know:
// those that were made, changed or deleted, or of which it knows too few times.
type Exports struct{ q Queries }

// Exports returns the queries about what an engine outside has to know.
func (q Queries) Exports() Exports { return Exports{q} }

// syncNow is when an engine outside has to get what was just changed: long ago;
// or never, if there is none.
const syncNow = `(SELECT CASE WHEN e.kind = 'temporal' THEN 0 END FROM engine e WHERE e.id = 1)`

// Destination returns where the engine outside has all schedules, or is getting them.
func (e Exports) Destination(ctx context.Context) (cluster.Destination, error) {
	return one(ctx, e.q.db, "engine", scanDestination, `SELECT e.namespace, e.queue FROM engine e WHERE e.id = 1`)
}

func scanDestination(row Scanner) (cluster.Destination, error) {
	var d cluster.Destination
	err := row.Scan(&d.Namespace, &d.Queue)
	return d, err
}

func (e Exports) saveDestination(ctx context.Context, d cluster.Destination) error {
	return e.q.write(ctx, `UPDATE engine SET namespace = ?, queue = ? WHERE id = 1`, d.Namespace, d.Queue)
}

// Unsynced returns up to limit schedules that the engine outside has to get at
// now, the longest waiting first. Until lease, or until they change again,
// nobody else gets them.
func (e Exports) Unsynced(ctx context.Context, now, lease time.Time, limit int) ([]cluster.Unsynced, error) {
	unsynced, err := all(ctx, e.q.db, scanUnsynced, `SELECT `+timerColumns+`, '', COALESCE(s.name, ''), s.temporal_schedule_id IS NOT NULL
		FROM timers t JOIN schedules s ON s.id = t.schedule_id
		WHERE t.tell_at <= ? ORDER BY t.tell_at, t.schedule_id LIMIT ?`+e.q.take("t"), now.UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	leased := make([][]any, 0, len(unsynced))
	for _, u := range unsynced {
		leased = append(leased, []any{lease.UnixMilli(), u.Timer.ScheduleID})
	}
	return unsynced, e.q.db.Write(ctx, Step{`UPDATE timers SET tell_at = ?` + fromEach + `WHERE schedule_id = ?`, leased})
}

func scanUnsynced(row Scanner) (cluster.Unsynced, error) {
	var u cluster.Unsynced
	dest, done := timerDest(&u.Timer)
	err := row.Scan(append(dest, &u.Timer.Model, &u.Name, &u.Exported)...)
	done()
	return u, err
}

// Synced notes that the engine outside has got a schedule, unless that has
// changed since it was leased, and when it has to get it again; zero for never.
// If exported is true, the schedule's temporal_schedule_id is its id from now on,
// else null.
func (e Exports) Synced(ctx context.Context, id rota.ScheduleID, lease, again time.Time, exported bool) error {
	if err := e.q.write(ctx, `UPDATE timers SET tell_at = ? WHERE schedule_id = ? AND tell_at = ?`,
		ms(again), id, lease.UnixMilli()); err != nil {
		return err
	}
	var name any
	if exported {
		name = string(id)
	}
	return e.q.write(ctx, `UPDATE schedules SET temporal_schedule_id = ?
		WHERE id = ? AND COALESCE(temporal_schedule_id, '') <> COALESCE(?, '')`, name, id, name)
}

// Exported returns schedules that the engine outside has, in the order of their
// ids, and whether they are paused.
func (e Exports) Exported(ctx context.Context, after rota.ScheduleID, limit int) (map[rota.ScheduleID]bool, error) {
	exported := make(map[rota.ScheduleID]bool)
	err := e.q.db.Query(ctx, func(row Scanner) error {
		var id rota.ScheduleID
		var status rota.ScheduleStatus
		err := row.Scan(&id, &status)
		exported[id] = status == rota.SchedulePaused
		return err
	}, `SELECT s.id, t.status FROM schedules s JOIN timers t ON t.schedule_id = s.id
		WHERE s.id > ? AND s.temporal_schedule_id IS NOT NULL ORDER BY s.id LIMIT ?`, after, limit)
	return exported, err
}

// Resync marks a schedule as unsynced at now, and reports whether there is one,
// if only a deleted one.
func (e Exports) Resync(ctx context.Context, id rota.ScheduleID, now time.Time) (bool, error) {
	n, err := e.q.exec(ctx, `UPDATE timers SET tell_at = ? WHERE schedule_id = ?`, now.UnixMilli(), id)
	return n > 0, err
}

// ResyncAll marks up to limit schedules as unsynced, in the order of their ids,
// and returns the last one. When there are no more, it returns none, and stores
// the destination that all of them get to from now on.
func (e Exports) ResyncAll(ctx context.Context, to cluster.Destination, after rota.ScheduleID, limit int) (rota.ScheduleID, error) {
	ids, err := all(ctx, e.q.db, scanText, `SELECT t.schedule_id FROM timers t WHERE t.schedule_id > ? AND t.status <> 'deleted'
		ORDER BY t.schedule_id LIMIT ?`+e.q.hold("t"), after, limit)
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", e.saveDestination(ctx, to)
	}
	lists := make([][]any, len(ids))
	for i, id := range ids {
		lists[i] = []any{id}
	}
	last := rota.ScheduleID(ids[len(ids)-1])
	return last, e.q.db.Write(ctx, Step{`UPDATE timers SET tell_at = 0` + fromEach + `WHERE schedule_id = ?`, lists})
}

// Forget notes that no engine outside has any schedule, nor has to get one.
func (e Exports) Forget(ctx context.Context) error {
	for _, query := range []string{
		`UPDATE timers SET tell_at = NULL WHERE tell_at IS NOT NULL`,
		`UPDATE schedules SET temporal_schedule_id = NULL WHERE temporal_schedule_id IS NOT NULL`,
	} {
		if err := e.q.write(ctx, query); err != nil {
			return err
		}
	}
	return e.saveDestination(ctx, cluster.Destination{})
}
