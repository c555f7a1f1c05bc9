package sqlstore

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"strings"

	"github.com/rota-run/rota"
)

const occurrenceColumns = `o.id, o.schedule_id, o.scheduled_for, o.scheduled_until, o.count, o.outcome, o.reason,
	o.run_id, o.trigger, o.lateness_ms, o.recorded_at`

func occurrenceDest(o *rota.Occurrence) ([]any, func()) {
	var scheduled, until, recorded msTime
	o.Object = rota.ObjectOccurrence
	return []any{
		&o.ID, &o.ScheduleID, &scheduled, &until, &o.Count, &o.Outcome,
		jsonText{&o.Reason},
		&o.RunID, &o.Trigger, &o.LatenessMS, &recorded,
	}, func() {
		o.ScheduledFor, o.ScheduledUntil, o.RecordedAt = scheduled.instant(), until.orNil(), recorded.instant()
	}
}

func scanOccurrence(row Scanner) (rota.Occurrence, error) {
	var o rota.Occurrence
	dest, done := occurrenceDest(&o)
	err := row.Scan(dest...)
	done()
	return o, err
}

// Occurrences implements [rota.ScheduleReader].
func (q Queries) Occurrences(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, f rota.OccurrenceFilter, p rota.Page) (rota.List[rota.Occurrence], error) {
	l := listing[rota.Occurrence]{
		query: `SELECT ` + occurrenceColumns + ` FROM occurrences o JOIN schedules s ON s.id = o.schedule_id
			WHERE o.schedule_id = ? AND s.agent_id = ? AND s.account = ? AND s.end_user = ?`,
		key:   "o.scheduled_for",
		args:  []any{id, a, o.Account, o.EndUser},
		scan:  scanOccurrence,
		id:    func(o rota.Occurrence) string { return string(o.ID) },
		place: func(id string) any { return nominal(rota.OccurrenceID(id)) },
	}
	switch f.Outcome {
	case "":
	case rota.Fired:
		l.where(` AND o.outcome = ?`, f.Outcome)
	default: // the index of what did not fire knows itself by the first term
		l.where(` AND o.outcome <> 'fired' AND o.outcome = ?`, f.Outcome)
	}
	if !f.From.IsZero() {
		l.where(` AND COALESCE(o.scheduled_until, o.scheduled_for) >= ?`, f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		l.where(` AND o.scheduled_for <= ?`, f.To.UnixMilli())
	}
	return l.page(ctx, q.db, p)
}

const occurrencePrefix = "occ_"

// occurrenceID names a nominal time of a schedule, always in the same way: a
// UUIDv7 made at the nominal time, with bits of the schedule's identifier in
// place of the random ones. So the place of an identifier in a list is in it,
// and whoever records an occurrence a second time gives it the same name.
func occurrenceID(id rota.ScheduleID, at rota.Instant) rota.OccurrenceID {
	h := fnv.New128a()
	h.Write([]byte(id))
	u := h.Sum(nil)
	binary.BigEndian.PutUint64(u, uint64(at.UnixMilli())<<16|0x7000|uint64(u[0]&0x0f)<<8|uint64(u[1]))
	u[8] = u[8]&0x3f | 0x80
	return rota.OccurrenceID(occurrencePrefix + hex.EncodeToString(u))
}

// nominal returns the nominal time that an identifier names, as it is stored;
// of what is no identifier of an occurrence, one before all others.
func nominal(id rota.OccurrenceID) int64 {
	u, err := hex.DecodeString(strings.TrimPrefix(string(id), occurrencePrefix))
	if err != nil || len(u) != 16 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(u) >> 16)
}
