package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/rota-run/rota"
)

// maxTrouble bounds how many rows of each kind are counted to find where there is trouble.
const maxTrouble = 1000

// Troubled returns the schedules of owners with the most times that were missed or blocked,
// or whose runs failed or are incomplete, the most first, from one instant to another. It
// counts the newest thousand of each kind.
func (q Queries) Troubled(ctx context.Context, o rota.Owners, from, to time.Time, limit int) ([]rota.Troubled, error) {
	counts := make(map[rota.ScheduleID]int64)
	count := func(query string, args []any, order string) error {
		return q.db.Query(ctx, func(row Scanner) error {
			var id rota.ScheduleID
			var n int64
			err := row.Scan(&id, &n)
			counts[id] += n
			return err
		}, query+` ORDER BY `+order+` DESC LIMIT ?`, append(args, maxTrouble)...)
	}
	for _, outcome := range []rota.Outcome{rota.MissedOutcome, rota.Blocked} {
		l := occurrenceListing(o, rota.OccurrenceFilter{Outcome: outcome})
		l.where(` AND o.id >= ? AND o.id < ?`, "occ_"+idAt(from), "occ_"+idAt(to))
		if err := count(`SELECT o.schedule_id, o.count FROM occurrences o WHERE true`+l.terms, l.args, "o.id"); err != nil {
			return nil, err
		}
	}
	for _, phase := range []rota.Phase{rota.PhaseFailed, rota.PhaseIncomplete} {
		l := runListing(o, rota.RunFilter{Phase: phase})
		l.where(` AND r.id >= ? AND r.id < ? AND r.schedule_id IS NOT NULL`, "arun_"+idAt(from), "arun_"+idAt(to))
		if err := count(`SELECT r.schedule_id, 1 FROM runs r WHERE true`+l.terms, l.args, "r.id"); err != nil {
			return nil, err
		}
	}
	all := make([]rota.Troubled, 0, len(counts))
	for id, n := range counts {
		all = append(all, rota.Troubled{ScheduleID: id, Count: n})
	}
	slices.SortFunc(all, func(a, b rota.Troubled) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.ScheduleID, a.ScheduleID))
	})
	return all[:min(len(all), limit)], nil
}

// Lane returns up to limit entries of a schedule's record that are about nominal times from
// one instant to another, both included, the newest first. The oldest may be a span that began
// before.
func (q Queries) Lane(ctx context.Context, o rota.Owner, id rota.ScheduleID, from, to time.Time, limit int) ([]rota.LaneEntry, error) {
	entries, err := all(ctx, q.db, scanLaneEntry, laneEntries+` AND o.scheduled_for >= ? AND o.scheduled_for <= ?
		ORDER BY o.scheduled_for DESC LIMIT ?`, id, o.Account, o.EndUser, from.UnixMilli(), to.UnixMilli(), limit)
	if err != nil || len(entries) == limit {
		return entries, err
	}
	span, err := all(ctx, q.db, scanLaneEntry, laneEntries+` AND o.scheduled_for = (SELECT x.scheduled_for FROM occurrences x
		WHERE x.schedule_id = ? AND x.scheduled_for < ? AND x.trigger <> 'manual' ORDER BY x.scheduled_for DESC LIMIT 1) AND o.scheduled_until >= ?`,
		id, o.Account, o.EndUser, id, from.UnixMilli(), from.UnixMilli())
	return append(entries, span...), err
}

const laneEntries = `SELECT o.scheduled_for, COALESCE(o.scheduled_until, o.scheduled_for), o.count, o.outcome, COALESCE(w.phase, r.phase)
	FROM occurrences o` + lastRun + `
	WHERE o.schedule_id = ? AND o.account = ? AND o.end_user = ?`

func scanLaneEntry(row Scanner) (rota.LaneEntry, error) {
	var e rota.LaneEntry
	var from, to msTime
	var phase sql.NullString
	err := row.Scan(&from, &to, &e.Count, &e.Outcome, &phase)
	e.From, e.To, e.Phase = from.Time, to.Time, rota.Phase(phase.String)
	return e, err
}
