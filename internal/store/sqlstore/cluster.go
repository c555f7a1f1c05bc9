package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
)

// Leadership says which kind of engine leads.
func (q Queries) Leadership(ctx context.Context) (cluster.Leadership, error) {
	return one(ctx, q.db, "engine", scanLeadership, selectLeadership)
}

// holdLeadership is Leadership for who is about to change it, or to do what must
// not happen twice at once.
func (q Queries) holdLeadership(ctx context.Context) (cluster.Leadership, error) {
	return one(ctx, q.db, "engine", scanLeadership, selectLeadership+q.lock("e"))
}

const selectLeadership = `SELECT e.kind, e.installation, e.since, e.seen_at, e.ahead_until, e.zone_data FROM engine e WHERE e.id = 1`

func scanLeadership(row Scanner) (cluster.Leadership, error) {
	var l cluster.Leadership
	var since, seen, ahead int64
	err := row.Scan(&l.Kind, &l.Installation, &since, &seen, &ahead, &l.ZoneData)
	l.Since, l.SeenAt, l.AheadUntil = orZero(since), orZero(seen), orZero(ahead)
	return l, err
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

// SaveLeadership stores l. It returns Conflict if the stored kind is no longer
// before. Switching to an engine outside clears the destination of the exports.
func (q Queries) SaveLeadership(ctx context.Context, before rota.EngineKind, l cluster.Leadership) error {
	if l.Kind != before {
		if err := q.lockAllTimers(ctx); err != nil {
			return err
		}
	}
	now, err := q.holdLeadership(ctx)
	if err != nil {
		return err
	}
	if now.Kind != before {
		return rota.Errorf(rota.Conflict, "the engine of this database is %s now", now.Kind)
	}
	set := ""
	if l.Kind == rota.EngineTemporal && before != l.Kind {
		set = q.ifShared(clearDestination)
	}
	return q.write(ctx, `UPDATE engine SET kind = ?, installation = ?, since = ?, seen_at = ?, ahead_until = ?, zone_data = ?`+set+` WHERE id = 1`,
		l.Kind, l.Installation, zeroMS(l.Since), zeroMS(l.SeenAt), zeroMS(l.AheadUntil), l.ZoneData)
}

// Busy counts the runs that are worked on. Of the transactions that ask, each
// waits until the one before has ended, so that together they claim no more than
// one alone may.
func (q Queries) Busy(ctx context.Context) (map[rota.OwnerAt]int, error) {
	if _, err := q.holdLeadership(ctx); err != nil {
		return nil, err
	}
	busy := make(map[rota.OwnerAt]int)
	return busy, q.countBusy(ctx, busy, runsAtWork)
}

const runsAtWork = `SELECT o.owner, o.provider, COUNT(*) FROM open_runs o WHERE o.phase = 'running' GROUP BY o.owner, o.provider`

// countBusy adds what a query counts by owner and provider.
func (q Queries) countBusy(ctx context.Context, busy map[rota.OwnerAt]int, query string, args ...any) error {
	return q.db.Query(ctx, func(row Scanner) error {
		var at rota.OwnerAt
		var n int
		err := row.Scan(ownerColumn{&at.Owner}, &at.Provider, &n)
		busy[at] += n
		return err
	}, query, args...)
}
