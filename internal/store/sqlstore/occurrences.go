package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

const occurrenceColumns = `o.id, o.account, o.end_user, o.agent_id, o.schedule_id, o.schedule_version, o.scheduled_for, o.scheduled_until, o.count, o.outcome, o.reason,
	o.run_id, o.trigger, o.lateness_ms, o.recorded_at, o.acknowledged_at, o.acknowledged_by`

const occurrenceRunColumns = `, COALESCE(w.phase, r.phase), r.error_code, r.acknowledged_at, r.acknowledged_by,
	(SELECT string_agg(c.id, ',') FROM runs c` + wentOn + `)`

// wentOn are the runs c that went on from the run of an occurrence o: no other run of a
// schedule was started by a call.
const wentOn = ` WHERE c.trigger = 'api' AND c.schedule_id = o.schedule_id AND c.scheduled_for = o.scheduled_for`

// lastRun joins the last run of an occurrence o, as r, and as w if it has not ended.
const lastRun = ` LEFT JOIN runs r ON r.id = COALESCE((SELECT MAX(c.id) FROM runs c` + wentOn + `), o.run_id)
	LEFT JOIN open_runs w ON w.run_id = r.id`

func occurrenceDest(o *rota.Occurrence) ([]any, func()) {
	var scheduled, until, recorded msTime
	var seen acknowledgement
	o.Object = rota.ObjectOccurrence
	return []any{
		&o.ID, &o.Account,
		userText{&o.EndUser},
		&o.AgentID, &o.ScheduleID, &o.ScheduleVersion, &scheduled, &until, &o.Count, &o.Outcome,
		jsonText{&o.Reason},
		&o.RunID, &o.Trigger, &o.LatenessMS, &recorded, &seen.at, &seen.by,
	}, func() {
		o.Acknowledged = seen.orNil()
		o.ScheduledFor, o.ScheduledUntil, o.RecordedAt = scheduled.instant(), until.orNil(), recorded.instant()
		if o.RunID != nil {
			o.RunIDs = []rota.RunID{*o.RunID}
		}
	}
}

// scanOccurrence reads an occurrence with how its run stands.
func scanOccurrence(row Scanner) (rota.Occurrence, error) {
	var o rota.Occurrence
	var phase, code, more sql.NullString
	var seen acknowledgement
	dest, done := occurrenceDest(&o)
	err := row.Scan(append(dest, &phase, &code, &seen.at, &seen.by, &more)...)
	done()
	if more.Valid {
		ids := strings.Split(more.String, ",")
		slices.Sort(ids) // identifiers sort by time
		for _, id := range ids {
			o.RunIDs = append(o.RunIDs, rota.RunID(id))
		}
	}
	if o.Acknowledged == nil {
		o.Acknowledged = seen.orNil()
	}
	if phase.Valid {
		o.Run = &rota.OccurrenceRun{Phase: rota.Phase(phase.String), ErrorCode: ptr[string](code)}
	}
	return o, err
}

// Occurrences returns what became of a schedule's nominal times, in their
// order. Those of a deleted schedule can still be read.
func (q Queries) Occurrences(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, f rota.OccurrenceFilter, p rota.Page) (rota.List[rota.Occurrence], error) {
	l := listing[rota.Occurrence]{
		query: `SELECT ` + occurrenceColumns + occurrenceRunColumns + ` FROM occurrences o JOIN schedules s ON s.id = o.schedule_id` + lastRun + ` WHERE o.schedule_id = ? AND s.agent_id = ? AND s.account = ? AND s.end_user = ?`,
		key:   "o.scheduled_for",
		args:  []any{id, a, o.Account, o.EndUser},
		scan:  scanOccurrence,
		id:    func(o rota.Occurrence) string { return string(o.ID) },
		place: func(id string) any { return nominal(rota.OccurrenceID(id)) },
	}
	l.ended(f.Outcome)
	if !f.From.IsZero() {
		l.where(` AND COALESCE(o.scheduled_until, o.scheduled_for) >= ?`, f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		l.where(` AND o.scheduled_for <= ?`, f.To.UnixMilli())
	}
	return l.page(ctx, q.db, p)
}

// OccurrencesAt returns what is on record for an instant: the occurrence of that nominal
// time, and a span that ends with it.
func (q Queries) OccurrencesAt(ctx context.Context, o rota.Owner, id rota.ScheduleID, at time.Time) ([]rota.Occurrence, error) {
	return all(ctx, q.db, scanOccurrence, `SELECT `+occurrenceColumns+occurrenceRunColumns+occurrenceTables+`
		WHERE o.schedule_id = ? AND o.scheduled_for = ? AND o.account = ? AND o.end_user = ?
		UNION ALL SELECT `+occurrenceColumns+occurrenceRunColumns+occurrenceTables+`
		WHERE o.account = ? AND o.scheduled_until = ? AND o.schedule_id = ? AND o.end_user = ?`,
		id, at.UnixMilli(), o.Account, o.EndUser, o.Account, at.UnixMilli(), id, o.EndUser)
}

const occurrenceTables = ` FROM occurrences o` + lastRun

// Ledger returns up to limit rows of a schedule that are about nominal times from one
// instant to another, both included, in order. The first may be a span that began
// before. It reads few rows besides, however long the ledger is.
func (q Queries) Ledger(ctx context.Context, o rota.Owner, id rota.ScheduleID, from, to time.Time, limit int) ([]rota.Occurrence, error) {
	span, err := all(ctx, q.db, scanRow, `SELECT `+occurrenceColumns+` FROM occurrences o WHERE o.schedule_id = ? AND o.scheduled_for =
		(SELECT x.scheduled_for FROM occurrences x WHERE x.schedule_id = ? AND x.scheduled_for < ? AND x.trigger <> 'manual'
		ORDER BY x.scheduled_for DESC LIMIT 1) AND o.scheduled_until >= ? AND o.account = ? AND o.end_user = ?`,
		id, id, from.UnixMilli(), from.UnixMilli(), o.Account, o.EndUser)
	if err != nil {
		return nil, err
	}
	rows, err := all(ctx, q.db, scanRow, `SELECT `+occurrenceColumns+` FROM occurrences o WHERE o.schedule_id = ? AND o.scheduled_for >= ?
		AND o.scheduled_for <= ? AND o.account = ? AND o.end_user = ? ORDER BY o.scheduled_for LIMIT ?`,
		id, from.UnixMilli(), to.UnixMilli(), o.Account, o.EndUser, limit-len(span))
	return append(span, rows...), err
}

// LastOnRecord returns the last nominal time of a schedule that has an outcome, or had
// one that was deleted for its age, apart from the times of triggers; zero if none has.
func (q Queries) LastOnRecord(ctx context.Context, id rota.ScheduleID) (time.Time, error) {
	last, err := all(ctx, q.db, scanLater, `SELECT t.low_water, (`+lastRecorded+`) FROM timers t WHERE t.schedule_id = ?`, id)
	if err != nil || len(last) == 0 {
		return time.Time{}, err
	}
	return last[0], nil
}

// lastRecorded selects the last nominal time of a timer t that is on record, apart from
// the times of triggers.
const lastRecorded = `SELECT COALESCE(o.scheduled_until, o.scheduled_for) FROM occurrences o
	WHERE o.schedule_id = t.schedule_id AND o.trigger <> 'manual' ORDER BY o.scheduled_for DESC LIMIT 1`

// scanLater reads the later of two times.
func scanLater(row Scanner) (time.Time, error) {
	var a, b msTime
	err := row.Scan(&a, &b)
	if a.Before(b.Time) {
		return b.Time, err
	}
	return a.Time, err
}

// nominal returns the nominal time that an identifier names, as it is stored;
// of what is no identifier of an occurrence, one before all others.
func nominal(id rota.OccurrenceID) int64 {
	u, err := hex.DecodeString(strings.TrimPrefix(string(id), "occ_"))
	if err != nil || len(u) != 16 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(u) >> 16)
}
