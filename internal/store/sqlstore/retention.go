package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// KeptFor returns how long an account keeps what has ended, as far as it has settings
// of its own.
func (q Queries) KeptFor(ctx context.Context, account string) (rota.KeptFor, error) {
	own, err := all(ctx, q.db, scanKeptFor, `SELECT t.account, t.runs, t.occurrences FROM retentions t WHERE t.account = ?`, account)
	if err != nil || len(own) == 0 {
		return rota.KeptFor{Account: account}, err
	}
	return own[0], nil
}

// AllKeptFor returns that of every account that has had a key.
func (q Queries) AllKeptFor(ctx context.Context) ([]rota.KeptFor, error) {
	return all(ctx, q.db, scanKeptFor, `WITH RECURSIVE each_account (account) AS (
		SELECT MIN(k.account) FROM keys k WHERE k.account > ''
		UNION ALL
		SELECT (SELECT MIN(k.account) FROM keys k WHERE k.account > e.account) FROM each_account e WHERE e.account IS NOT NULL
	) SELECT e.account, t.runs, t.occurrences FROM each_account e LEFT JOIN retentions t ON t.account = e.account WHERE e.account IS NOT NULL`)
}

func scanKeptFor(row Scanner) (rota.KeptFor, error) {
	var k rota.KeptFor
	err := row.Scan(&k.Account, &k.Runs, &k.Occurrences)
	return k, err
}

// SaveKeptFor writes that of an account.
func (q Queries) SaveKeptFor(ctx context.Context, k rota.KeptFor) error {
	return q.write(ctx, `INSERT INTO retentions (account, runs, occurrences) VALUES (?, ?, ?)
		ON CONFLICT (account) DO UPDATE SET runs = excluded.runs, occurrences = excluded.occurrences`, k.Account, k.Runs, k.Occurrences)
}

// OldRuns returns up to limit runs of an account that ended before an instant, after
// a run, in the order of their ids.
func (q Queries) OldRuns(ctx context.Context, account string, before time.Time, after rota.RunID, limit int) ([]rota.RunID, error) {
	const near = time.Second // the time in an identifier may be later than created_at
	old, err := all(ctx, q.db, scanText, `SELECT r.id FROM runs r WHERE r.account = ? AND r.id > ? AND r.id < ?
		AND r.phase IN ('completed', 'failed', 'cancelled', 'incomplete') AND r.completed_at < ? ORDER BY r.id LIMIT ?`,
		account, after, "arun_"+idAt(before.Add(near)), before.UnixMilli(), limit)
	return runIDs(old), err
}

func runIDs(texts []string) []rota.RunID {
	ids := make([]rota.RunID, len(texts))
	for i, id := range texts {
		ids[i] = rota.RunID(id)
	}
	return ids
}

// DeleteEnded deletes runs that have ended, and returns how many. What refers to them
// goes on referring to them.
func (q Queries) DeleteEnded(ctx context.Context, runs []rota.RunID) (int64, error) {
	rows := make([][]any, len(runs))
	for i, id := range runs {
		rows[i] = []any{id}
	}
	if err := q.deleteApprovals(ctx, rows); err != nil {
		return 0, err
	}
	return q.count(ctx, Step{`DELETE FROM runs WHERE id IN (SELECT ?` + fromEach + `) AND phase <> 'queued'`, rows})
}

// count carries out a step and returns how many rows it changed.
func (q Queries) count(ctx context.Context, s Step) (int64, error) {
	if len(s.Lists) == 0 {
		return 0, nil
	}
	n, err := q.db.Exec(ctx, s)
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

// OldOccurrences returns up to limit occurrences of an account whose times, and the
// putting on record, were before an instant, after an occurrence, in the order of
// their ids. What waits to start, and what has a run that has not ended, is not old.
func (q Queries) OldOccurrences(ctx context.Context, account string, before time.Time, after rota.OccurrenceID, limit int) ([]rota.OldOccurrence, error) {
	return all(ctx, q.db, scanOldOccurrence, `SELECT o.id, o.schedule_id, o.scheduled_for, COALESCE(o.scheduled_until, o.scheduled_for), o.recorded_at, o.trigger
		FROM occurrences o WHERE o.account = ? AND o.id > ? AND o.id < ? AND COALESCE(o.scheduled_until, o.scheduled_for) < ? AND o.recorded_at < ?
		AND o.outcome <> 'buffered' AND NOT EXISTS (SELECT 1 FROM open_runs w WHERE w.run_id = o.run_id) ORDER BY o.id LIMIT ?`,
		account, after, "occ_"+idAt(before), before.UnixMilli(), before.UnixMilli(), limit)
}

func scanOldOccurrence(row Scanner) (rota.OldOccurrence, error) {
	var o rota.OldOccurrence
	var at, last, recorded msTime
	var trigger rota.Trigger
	err := row.Scan(&o.ID, &o.ScheduleID, &at, &last, &recorded, &trigger)
	o.ScheduledFor, o.Last, o.RecordedAt, o.Asked = at.instant(), last.instant(), recorded.instant(), trigger == rota.TriggerManual
	return o, err
}

// DeleteOccurrences deletes occurrences that nobody has changed since they were read,
// and returns how many. Each schedule keeps in mind the last nominal time that it
// loses: see LastOnRecord.
func (q Queries) DeleteOccurrences(ctx context.Context, old []rota.OldOccurrence) (int64, error) {
	last := make(map[rota.ScheduleID]time.Time)
	rows := make([][]any, len(old))
	for i, o := range old {
		rows[i] = []any{o.ScheduleID, o.ScheduledFor.UnixMilli(), o.RecordedAt.UnixMilli()}
		if !o.Asked && o.Last.After(last[o.ScheduleID]) {
			last[o.ScheduleID] = o.Last.Time
		}
	}
	var marks [][]any
	for id, at := range last {
		marks = append(marks, []any{at.UnixMilli(), id, at.UnixMilli()})
	}
	if err := q.db.Write(ctx, Step{`UPDATE timers SET low_water = ?` + fromEach + `WHERE schedule_id = ? AND COALESCE(low_water, 0) < ?`, marks}); err != nil {
		return 0, err
	}
	return q.count(ctx, Step{`DELETE FROM occurrences WHERE (schedule_id, scheduled_for, recorded_at)
		IN (SELECT ?, CAST(? AS BIGINT), CAST(? AS BIGINT)` + fromEach + `) AND outcome <> 'buffered'`, rows})
}

// LowWater returns the last nominal time of a schedule whose outcome has been deleted
// for its age; zero if none has. What is not on record up to then may have run.
func (q Queries) LowWater(ctx context.Context, id rota.ScheduleID) (time.Time, error) {
	marks, err := all(ctx, q.db, scanTime, `SELECT t.low_water FROM timers t WHERE t.schedule_id = ?`, id)
	if err != nil || len(marks) == 0 {
		return time.Time{}, err
	}
	return marks[0], nil
}
