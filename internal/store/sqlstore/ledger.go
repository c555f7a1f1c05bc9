package sqlstore

import (
	"context"
	"reflect"
	"strings"

	"github.com/rota-run/rota"
)

// Every outcome is written here. What it is, and over which other one, has been
// decided: see [rota.Occurrence.Was].

// Record puts outcomes on record that start no run. A nominal time that has
// a final outcome keeps it.
func (q Queries) Record(ctx context.Context, outcomes []rota.Occurrence) error {
	if len(outcomes) == 0 {
		return nil
	}
	named := make([]rota.Occurrence, len(outcomes))
	for i, o := range outcomes {
		o.ID = rota.OccurrenceIDAt(o.ScheduleID, o.ScheduledFor)
		named[i] = o
	}
	_, err := q.record(ctx, named, nil)
	return err
}

// GiveUp puts on record that what waits in the timers of schedules will not start.
func (q Queries) GiveUp(ctx context.Context, schedules []rota.ScheduleID, why rota.Reason) error {
	if len(schedules) == 0 {
		return nil
	}
	waiting, err := all(ctx, q.db, scanRow, `SELECT `+occurrenceColumns+` FROM `+q.list("given")+` JOIN occurrences o
		ON o.schedule_id = given.value AND o.outcome <> 'fired' AND o.outcome = 'buffered'`, js(schedules))
	if err != nil {
		return err
	}
	for i := range waiting {
		o := &waiting[i]
		o.Was, o.Outcome, o.Reason = o.Outcome, rota.Blocked, &why
	}
	return q.Record(ctx, waiting)
}

// Withdraw takes nominal times of a schedule off the record.
func (q Queries) Withdraw(ctx context.Context, id rota.ScheduleID, times []rota.Instant) error {
	if len(times) == 0 {
		return nil
	}
	_, err := q.takeOff(ctx, id, times)
	return err
}

// SplitSpan puts parts in the place of the span that begins at a nominal
// time.
func (q Queries) SplitSpan(ctx context.Context, id rota.ScheduleID, at rota.Instant, parts []rota.Occurrence) error {
	gone, err := q.takeOff(ctx, id, []rota.Instant{at})
	if err != nil {
		return err
	}
	if len(gone) == 0 || gone[0].ScheduledUntil == nil {
		return notFound("span")
	}
	return q.Record(ctx, parts)
}

// takeOff removes rows, and returns what they were.
func (q Queries) takeOff(ctx context.Context, id rota.ScheduleID, times []rota.Instant) ([]rota.Occurrence, error) {
	at := make([]int64, len(times))
	for i, t := range times {
		at[i] = t.UnixMilli()
	}
	gone, err := all(ctx, q.db, scanRow, `DELETE FROM occurrences WHERE schedule_id = ?
		AND scheduled_for IN (SELECT CAST(given.value AS BIGINT) FROM `+q.list("given")+`) RETURNING `+removedColumns, id, js(at))
	for i := range gone {
		q.pending.noteOccurrence(&gone[i])
		q.pending.count(&gone[i], gone[i].Outcome, -1)
	}
	return gone, err
}

// removedColumns are occurrenceColumns where the table has no other name.
var removedColumns = strings.ReplaceAll(occurrenceColumns, "o.", "")

// record puts outcomes on record and carries out more steps, in one round trip. It
// returns which of the outcomes their nominal times do not take, by their place.
func (q Queries) record(ctx context.Context, outcomes []rota.Occurrence, more []Step) (void map[int]bool, err error) {
	steps := recordSteps(outcomes)
	affected, err := q.db.Exec(ctx, append(steps, more...)...)
	if err != nil {
		return nil, err
	}
	if affected[0]+affected[1] < int64(len(outcomes)) {
		if void, err = q.reconcile(ctx, outcomes); err != nil {
			return nil, err
		}
	}
	for i := range outcomes {
		if !void[i] {
			q.pending.outcome(&outcomes[i])
		}
	}
	return void, nil
}

// recordSteps returns the two steps that put outcomes on record: where there is
// none, and over another one.
func recordSteps(outcomes []rota.Occurrence) []Step {
	fresh, later := make([][]any, 0, len(outcomes)), [][]any(nil)
	for i := range outcomes {
		if o := &outcomes[i]; o.Was == "" {
			fresh = append(fresh, occurrenceRow(o))
		} else {
			later = append(later, replacementRow(o))
		}
	}
	return []Step{{addOccurrence, fresh}, {replaceOccurrence, later}}
}

// reconcile is for the rare outcomes of which some are not on record, because their
// nominal times had other ones than expected. It puts them on record if they may
// take the place of those.
func (q Queries) reconcile(ctx context.Context, outcomes []rota.Occurrence) (void map[int]bool, err error) {
	void = make(map[int]bool)
	for i := range outcomes {
		o := &outcomes[i]
		row, err := one(ctx, q.db, "occurrence", scanRow, `SELECT `+occurrenceColumns+` FROM occurrences o
			WHERE o.schedule_id = ? AND o.scheduled_for = ?`, o.ScheduleID, o.ScheduledFor.UnixMilli())
		switch {
		case isNotFound(err): // it was to replace one that is gone
			o.Was = ""
			err = q.db.Write(ctx, Single(addOccurrence, occurrenceRow(o)...))
		case err != nil:
		case isOn(row, *o):
		case o.Replaces(row):
			o.Was = row.Outcome
			if row.Outcome == rota.Buffered {
				o.Trigger = row.Trigger
			}
			err = q.db.Write(ctx, Single(replaceOccurrence, replacementRow(o)...))
		default:
			void[i] = true
		}
		if err != nil {
			return nil, err
		}
	}
	return void, nil
}

// isOn reports whether a row is the one that was written for an outcome. The trigger
// of what waited is that of the row.
func isOn(row, o rota.Occurrence) bool {
	if o.RunID != nil {
		return row.RunID != nil && *row.RunID == *o.RunID && row.Outcome == o.Outcome
	}
	o.Trigger = row.Trigger
	return reflect.DeepEqual(occurrenceRow(&row), occurrenceRow(&o))
}

// addOccurrence puts an outcome on record, an occurrenceRow, unless its nominal time
// has one.
const addOccurrence = `INSERT INTO occurrences (schedule_id, scheduled_for, scheduled_until, id, account, end_user, agent_id, count, outcome, reason,
	run_id, trigger, lateness_ms, recorded_at, schedule_version) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?` + fromEach + `WHERE true
	ON CONFLICT (schedule_id, scheduled_for) DO NOTHING`

func occurrenceRow(o *rota.Occurrence) []any {
	return []any{
		o.ScheduleID, o.ScheduledFor.UnixMilli(), instantMS(o.ScheduledUntil), o.ID, o.Account, userOf(o.EndUser), o.AgentID, o.Count, o.Outcome, reasonText(o.Reason),
		orNull(o.RunID), o.Trigger, o.LatenessMS, o.RecordedAt.UnixMilli(), o.ScheduleVersion,
	}
}

// replaceOccurrence puts an outcome on record in the place of another one, a
// replacementRow. Whoever asked for what waits has asked for what becomes of it.
const replaceOccurrence = `UPDATE occurrences SET outcome = ?, reason = ?, run_id = ?, lateness_ms = ?, recorded_at = ?, schedule_version = ?,
	acknowledged_at = NULL, acknowledged_by = NULL, trigger = CASE WHEN outcome = 'buffered' THEN trigger ELSE ? END` + fromEach + `
	WHERE schedule_id = ? AND scheduled_for = ? AND outcome = ? AND count = ?`

func replacementRow(o *rota.Occurrence) []any {
	return []any{
		o.Outcome, reasonText(o.Reason), orNull(o.RunID), o.LatenessMS, o.RecordedAt.UnixMilli(), o.ScheduleVersion, o.Trigger,
		o.ScheduleID, o.ScheduledFor.UnixMilli(), o.Was, o.Count,
	}
}

func reasonText(why *rota.Reason) any {
	if why == nil {
		return nil
	}
	return js(why)
}
