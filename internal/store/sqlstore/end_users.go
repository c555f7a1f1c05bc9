package sqlstore

import (
	"context"

	"github.com/rota-run/rota"
)

// EndUsers returns a page of the end users of an account that have an agent, also if
// it is deleted, in the order of their names.
func (q Queries) EndUsers(ctx context.Context, account string, p rota.Page) (rota.List[rota.EndUser], error) {
	return listing[rota.EndUser]{
		query: `SELECT u.end_user,
			(SELECT COUNT(*) FROM agents a WHERE a.account = u.account AND a.end_user = u.end_user AND a.deleted_at IS NULL),
			(SELECT COUNT(*)` + timersOfUser + ` AND t.status = 'active'),
			(SELECT COUNT(*)` + timersOfUser + ` AND t.status = 'paused'),
			(SELECT COALESCE(SUM(t.open_runs), 0)` + timersOfUser + `),
			(SELECT MAX(t.last_run_at)` + timersOfUser + `)
			FROM (SELECT DISTINCT x.account, x.end_user FROM agents x) u WHERE u.account = ? AND u.end_user <> ''`,
		key:  "u.end_user",
		args: []any{account},
		scan: scanEndUser,
		id:   func(u rota.EndUser) string { return u.EndUser },
	}.page(ctx, q.db, p)
}

const timersOfUser = ` FROM schedules s CROSS JOIN timers t WHERE t.schedule_id = s.id AND s.account = u.account AND s.end_user = u.end_user
	AND s.deleted_at IS NULL`

func scanEndUser(row Scanner) (rota.EndUser, error) {
	u := rota.EndUser{Object: rota.ObjectEndUser}
	var last msTime
	err := row.Scan(&u.EndUser, &u.Agents, &u.ActiveSchedules, &u.PausedSchedules, &u.OpenRuns, &last)
	u.LastRunAt = last.orNil()
	return u, err
}
