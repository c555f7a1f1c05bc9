package sqlstore

import (
	"context"

	"github.com/rota-run/rota"
)

// EndUsers returns a page of the end users of an account that have an agent, also if
// it is deleted, or have used one that is shared, in the order of their names.
func (q Queries) EndUsers(ctx context.Context, account string, p rota.Page) (rota.List[rota.EndUser], error) {
	return listing[rota.EndUser]{
		query: `SELECT u.end_user,
			(SELECT COUNT(*) FROM agents a WHERE a.account = u.account AND a.end_user = u.end_user AND a.deleted_at IS NULL),
			(SELECT COUNT(*) FROM schedules s WHERE s.account = u.account AND s.end_user = u.end_user AND s.deleted_at IS NULL),
			(SELECT COUNT(*)` + timersOfUser + ` AND t.status = 'paused'),
			(SELECT COUNT(*)` + timersOfUser + ` AND t.status = 'completed'),
			(SELECT COUNT(*)` + openRunsOfUser + ` AND o.phase = 'running') + (SELECT COUNT(*)` + openRunsOfUser + ` AND o.phase <> 'running'),
			(SELECT MAX((SELECT r.created_at FROM runs r WHERE r.agent_id = a.id ORDER BY r.id DESC LIMIT 1))
				FROM agents a WHERE a.account = u.account AND a.end_user = u.end_user),
			(SELECT r.created_at FROM runs r WHERE r.account = u.account AND r.end_user = u.end_user AND r.guest ORDER BY r.id DESC LIMIT 1)
			FROM (SELECT x.account, x.end_user FROM agents x UNION SELECT g.account, g.end_user FROM guests g) u WHERE u.account = ? AND u.end_user <> ''`,
		key:  "u.end_user",
		args: []any{account},
		scan: scanEndUser,
		id:   func(u rota.EndUser) string { return u.EndUser },
	}.page(ctx, q.db, p)
}

// Indexes answer these without the rows, which are many.
const (
	timersOfUser   = ` FROM timers t WHERE t.account = u.account AND t.end_user = u.end_user`
	openRunsOfUser = ` FROM open_runs o WHERE o.owner = u.account || '/' || u.end_user`
)

func scanEndUser(row Scanner) (rota.EndUser, error) {
	u := rota.EndUser{Object: rota.ObjectEndUser}
	var last, asGuest msTime
	var completed int64
	err := row.Scan(&u.EndUser, &u.Agents, &u.ActiveSchedules, &u.PausedSchedules, &completed, &u.OpenRuns, &last, &asGuest)
	u.ActiveSchedules -= u.PausedSchedules + completed
	if last.Before(asGuest.Time) {
		last = asGuest
	}
	u.LastRunAt = last.orNil()
	return u, err
}
