package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
)

// Destination returns where the engine outside has all schedules, or is getting them.
func (x External) Destination(ctx context.Context) (cluster.Destination, error) {
	return one(ctx, x.db, "engine", scanDestination, `SELECT e.namespace, e.queue FROM engine e WHERE e.id = 1`)
}

func scanDestination(row Scanner) (cluster.Destination, error) {
	var d cluster.Destination
	err := row.Scan(&d.Namespace, &d.Queue)
	return d, err
}

func (x External) saveDestination(ctx context.Context, d cluster.Destination) error {
	return x.write(ctx, `UPDATE engine SET namespace = ?, queue = ? WHERE id = 1`, d.Namespace, d.Queue)
}

// Unsynced returns up to limit schedules that the engine outside has to get at
// now, the longest waiting first. Until lease, or until they change again,
// nobody else gets them.
func (x External) Unsynced(ctx context.Context, now, lease time.Time, limit int) ([]cluster.Unsynced, error) {
	unsynced, err := all(ctx, x.db, scanUnsynced, `SELECT `+timerColumns+`, '', COALESCE(s.name, ''), s.temporal_schedule_id IS NOT NULL
		FROM timers t JOIN schedules s ON s.id = t.schedule_id
		WHERE t.sync_at <= ? ORDER BY t.sync_at, t.schedule_id LIMIT ?`+x.lockAny("t"), now.UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	leased := make([][]any, 0, len(unsynced))
	for _, u := range unsynced {
		leased = append(leased, []any{lease.UnixMilli(), u.Timer.ScheduleID})
	}
	return unsynced, x.db.Write(ctx, Step{`UPDATE timers SET sync_at = ?` + fromEach + `WHERE schedule_id = ?`, leased})
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
func (x External) Synced(ctx context.Context, id rota.ScheduleID, lease, nextSync time.Time, exported bool) error {
	if err := x.write(ctx, `UPDATE timers SET sync_at = ? WHERE schedule_id = ? AND sync_at = ?`,
		ms(nextSync), id, lease.UnixMilli()); err != nil {
		return err
	}
	var name any
	if exported {
		name = string(id)
	}
	return x.write(ctx, `UPDATE schedules SET temporal_schedule_id = ?
		WHERE id = ? AND COALESCE(temporal_schedule_id, '') <> COALESCE(?, '')`, name, id, name)
}

// Exported returns schedules that the engine outside has, in the order of their
// ids, and whether they are paused.
func (x External) Exported(ctx context.Context, after rota.ScheduleID, limit int) (map[rota.ScheduleID]bool, error) {
	exported := make(map[rota.ScheduleID]bool)
	err := x.db.Query(ctx, func(row Scanner) error {
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
func (x External) Resync(ctx context.Context, id rota.ScheduleID, now time.Time) (bool, error) {
	n, err := x.exec(ctx, `UPDATE timers SET sync_at = ? WHERE schedule_id = ?`, now.UnixMilli(), id)
	return n > 0, err
}

// ResyncAll marks up to limit schedules as unsynced, in the order of their ids,
// and returns the last one. When there are no more, it returns none, and stores
// the destination that all of them get to from now on.
func (x External) ResyncAll(ctx context.Context, to cluster.Destination, after rota.ScheduleID, limit int) (rota.ScheduleID, error) {
	ids, err := all(ctx, x.db, scanText, `SELECT t.schedule_id FROM timers t WHERE t.schedule_id > ? AND t.status <> 'deleted'
		ORDER BY t.schedule_id LIMIT ?`+x.lock("t"), after, limit)
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", x.saveDestination(ctx, to)
	}
	lists := make([][]any, len(ids))
	for i, id := range ids {
		lists[i] = []any{id}
	}
	last := rota.ScheduleID(ids[len(ids)-1])
	return last, x.db.Write(ctx, Step{`UPDATE timers SET sync_at = 0` + fromEach + `WHERE schedule_id = ?`, lists})
}

// Forget notes that no engine outside has any schedule, nor has to get one.
func (x External) Forget(ctx context.Context) error {
	for _, query := range []string{
		`UPDATE timers SET sync_at = NULL WHERE sync_at IS NOT NULL`,
		`UPDATE schedules SET temporal_schedule_id = NULL WHERE temporal_schedule_id IS NOT NULL`,
	} {
		if err := x.write(ctx, query); err != nil {
			return err
		}
	}
	return x.saveDestination(ctx, cluster.Destination{})
}
