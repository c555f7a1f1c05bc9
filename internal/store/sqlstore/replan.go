package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// RecordedTimers returns up to limit timers of schedules that are not deleted, in the
// order of their ids, each with the last time that is on record of it: see
// LastOnRecord.
func (q Queries) RecordedTimers(ctx context.Context, after rota.ScheduleID, limit int) ([]rota.RecordedTimer, error) {
	return all(ctx, q.db, scanRecordedTimer, `SELECT `+timerColumns+`, '', t.low_water, (`+lastRecorded+`)
		FROM timers t WHERE t.schedule_id > ? AND t.status <> 'deleted' ORDER BY t.schedule_id LIMIT ?`+q.lock("t"), after, limit)
}

func scanRecordedTimer(row Scanner) (rota.RecordedTimer, error) {
	var t rota.RecordedTimer
	var low, last msTime
	dest, done := timerDest(&t.Timer)
	err := row.Scan(append(dest, &t.Model, &low, &last)...)
	done()
	t.Last, t.LowWater = last.Time, low.Time
	if t.Last.Before(low.Time) {
		t.Last = low.Time
	}
	return t, err
}

// OnRecordAfter returns up to limit rows of a schedule that are about times after an
// instant, in order. The first may be a span that began before.
func (q Queries) OnRecordAfter(ctx context.Context, id rota.ScheduleID, at time.Time, limit int) ([]rota.Occurrence, error) {
	rows, err := all(ctx, q.db, scanRow, `SELECT `+occurrenceColumns+` FROM occurrences o WHERE o.schedule_id = ? AND o.scheduled_for =
		(SELECT MAX(x.scheduled_for) FROM occurrences x WHERE x.schedule_id = ? AND x.scheduled_for <= ? AND x.trigger <> 'manual')
		AND o.scheduled_until > ?`, id, id, at.UnixMilli(), at.UnixMilli())
	if err != nil {
		return nil, err
	}
	later, err := all(ctx, q.db, scanRow, `SELECT `+occurrenceColumns+` FROM occurrences o
		WHERE o.schedule_id = ? AND o.scheduled_for > ? ORDER BY o.scheduled_for LIMIT ?`, id, at.UnixMilli(), limit)
	return append(rows, later...), err
}

// scanRow reads an occurrence as it is on record.
func scanRow(row Scanner) (rota.Occurrence, error) {
	var o rota.Occurrence
	dest, done := occurrenceDest(&o)
	err := row.Scan(dest...)
	done()
	return o, err
}

// SaveTimers writes timers back that have been planned anew.
func (q Queries) SaveTimers(ctx context.Context, timers []rota.Timer) error {
	rows := make([][]any, len(timers))
	for i, t := range timers {
		rows[i] = append(append(timerContent(t), timerState(t)...), t.ScheduleID)
	}
	return q.db.Write(ctx, Step{q.saveTimer(), rows})
}

// saveTimer is the statement that writes a timer back as somebody has changed it.
func (q Queries) saveTimer() string {
	return `UPDATE timers SET status = ?, spec = ?, policy = ?, anchor = ?, schedule_version = ?, agent_version = ?, pinned_model = ?, next_run_at = ?, due_at = ?,
		open_runs = ?, buffered = ?, run_count = ?, consecutive_failures = ?, last_run_at = ?, last_run_id = ?,
		last_response_id = ?, pause_reason = ?, skips = ?, backlog = ?, backlog_to = ?, catch_up = ?` + q.ifShared(setUnsynced) + fromEach + `WHERE schedule_id = ?`
}

// WaitingAfter returns up to limit runs that wait in the queue until an instant has
// passed, those that wait the longest first.
func (q Queries) WaitingAfter(ctx context.Context, at time.Time, limit int) ([]rota.WaitingRun, error) {
	return all(ctx, q.db, scanWaiting, `SELECT o.run_id, o.ready_at, o.history FROM open_runs o
		WHERE o.phase <> 'running' AND o.ready_at > ? ORDER BY o.ready_at DESC LIMIT ?`+q.lock("o"), at.UnixMilli(), limit)
}

func scanWaiting(row Scanner) (rota.WaitingRun, error) {
	var w rota.WaitingRun
	var ready msTime
	err := row.Scan(&w.ID, &ready, jsonText{&w.Attempts})
	w.ReadyAt = ready.Time
	return w, err
}

// SetReady gives runs that wait in the queue another time from which they may start.
func (q Queries) SetReady(ctx context.Context, runs []rota.WaitingRun) error {
	rows := make([][]any, len(runs))
	for i, r := range runs {
		rows[i] = []any{r.ReadyAt.UnixMilli(), r.ID}
	}
	return q.db.Write(ctx, Step{`UPDATE open_runs SET ready_at = ?` + fromEach + `WHERE run_id = ? AND phase <> 'running'`, rows})
}
