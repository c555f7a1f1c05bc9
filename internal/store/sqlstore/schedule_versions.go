package sqlstore

import (
	"context"

	"github.com/rota-run/rota"
)

const scheduleVersionColumns = `v.schedule_id, s.agent_id, v.version, v.configuration, v.created_at`

func scanScheduleVersion(row Scanner) (rota.ScheduleVersion, error) {
	v := rota.ScheduleVersion{Object: rota.ObjectScheduleVersion}
	var created msTime
	err := row.Scan(&v.ScheduleID, &v.AgentID, &v.Version, jsonText{&v.ScheduleConfig}, &created)
	v.ID, v.CreatedAt = rota.ScheduleVersionIDOf(v.ScheduleID, v.Version), created.instant()
	return v, err
}

// FormerVersion returns a version that a schedule has had.
func (q Queries) FormerVersion(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, version int64) (rota.ScheduleVersion, error) {
	return one(ctx, q.db, "version", scanScheduleVersion, `SELECT `+scheduleVersionColumns+` FROM schedule_versions v JOIN schedules s ON s.id = v.schedule_id
		WHERE v.schedule_id = ? AND v.version = ? AND s.agent_id = ? AND s.account = ? AND s.end_user = ?`, id, version, a, o.Account, o.EndUser)
}

// ScheduleVersions returns the versions of a schedule, in their order: the one that it
// has without its configuration.
func (q Queries) ScheduleVersions(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, p rota.Page) (rota.List[rota.ScheduleVersion], error) {
	return listing[rota.ScheduleVersion]{
		query: `SELECT ` + scheduleVersionColumns + ` FROM schedules s JOIN (
			SELECT f.schedule_id, f.version, f.configuration, f.created_at FROM schedule_versions f WHERE f.schedule_id = ? UNION ALL
			SELECT c.id, t.schedule_version, NULL, c.versioned_at FROM schedules c JOIN timers t ON t.schedule_id = c.id WHERE c.id = ?
			) v ON v.schedule_id = s.id WHERE s.id = ? AND s.agent_id = ? AND s.account = ? AND s.end_user = ?`,
		key:   "v.version",
		args:  []any{id, id, id, a, o.Account, o.EndUser},
		scan:  scanScheduleVersion,
		id:    func(v rota.ScheduleVersion) string { return string(v.ID) },
		place: func(id string) any { return rota.ScheduleVersionID(id).Number() },
	}.page(ctx, q.db, p)
}

// KeepVersion keeps a version that a schedule ceases to have, and forgets the oldest if
// there are more than [rota.MaxScheduleVersions] with the one that follows.
func (q Queries) KeepVersion(ctx context.Context, v rota.ScheduleVersion) error {
	return q.db.Write(ctx,
		Single(`INSERT INTO schedule_versions (schedule_id, version, configuration, created_at) VALUES (?, ?, ?, ?)`,
			v.ScheduleID, v.Version, js(v.ScheduleConfig), v.CreatedAt.UnixMilli()),
		Single(`DELETE FROM schedule_versions WHERE schedule_id = ? AND version <= ?`, v.ScheduleID, v.Version+1-rota.MaxScheduleVersions))
}
