package sqlstore

import (
	"context"

	"github.com/rota-run/rota"
)

// LiveTimers returns up to limit timers of the schedules on an owner's agent, whosever they
// are, that have something to do, after a schedule, in the order of their ids: those of
// active schedules, and those in which something waits.
func (q Queries) LiveTimers(ctx context.Context, o rota.Owner, a rota.AgentID, after rota.ScheduleID, limit int) ([]rota.Timer, error) {
	return all(ctx, q.db, scanTimer, `SELECT `+timerColumns+ofNoAgent+` FROM `+schedulesOn+`
		WHERE s.agent_id = ? AND a.account = ? AND a.end_user = ? AND s.deleted_at IS NULL AND s.id > ?
		AND (t.status = 'active' OR t.buffered IS NOT NULL OR t.backlog > 0) ORDER BY s.id LIMIT ?`+q.lock("t, s"),
		a, o.Account, o.EndUser, after, limit)
}

// schedulesOn are the schedules on an agent, with it.
const schedulesOn = `schedules s JOIN timers t ON t.schedule_id = s.id JOIN agents a ON a.id = s.agent_id`

// RestTimers pauses schedules. timers are theirs as they are: one that is not active
// keeps its status. What waits in them must have been given up.
func (q Queries) RestTimers(ctx context.Context, timers []rota.Timer, why rota.PauseReason) error {
	q.pending.noteTimers(timers)
	var active, schedules, others [][]any
	for _, t := range timers {
		if t.Status == rota.ScheduleActive {
			active = append(active, []any{js(why), t.ScheduleID})
			schedules = append(schedules, []any{why.At.UnixMilli(), t.ScheduleID})
		} else {
			others = append(others, []any{t.ScheduleID})
		}
	}
	const nothingWaits = ` buffered = NULL, backlog = 0, backlog_to = NULL, catch_up = NULL`
	return q.db.Write(ctx,
		Step{`UPDATE timers SET status = 'paused', pause_reason = ?, next_run_at = NULL, due_at = NULL,` + nothingWaits +
			q.ifShared(setUnsynced) + fromEach + `WHERE schedule_id = ?`, active},
		Step{touchSchedule, schedules},
		Step{`UPDATE timers SET` + nothingWaits + q.ifShared(setUnsynced) + fromEach + `WHERE schedule_id = ?`, others})
}

// touchSchedule is the statement for an instant and a schedule that changes.
const touchSchedule = `UPDATE schedules SET updated_at = ?, version = version + 1` + fromEach + `WHERE id = ?`

// PausedTimers returns up to limit timers of the paused schedules on an owner's agent,
// whosever they are, after a schedule, in the order of their ids.
func (q Queries) PausedTimers(ctx context.Context, o rota.Owner, a rota.AgentID, after rota.ScheduleID, limit int) ([]rota.PausedTimer, error) {
	return all(ctx, q.db, scanPausedTimer, `SELECT `+timerColumns+`, t.low_water, (`+lastRecorded+`)
		FROM `+schedulesOn+`
		WHERE s.agent_id = ? AND a.account = ? AND a.end_user = ? AND s.deleted_at IS NULL AND s.id > ?
		AND t.status = 'paused' ORDER BY s.id LIMIT ?`+q.lock("t, s"), a, o.Account, o.EndUser, after, limit)
}

func scanPausedTimer(row Scanner) (rota.PausedTimer, error) {
	var t rota.PausedTimer
	var low, last msTime
	dest, done := timerDest(&t.Timer)
	err := row.Scan(append(dest, &low, &last)...)
	done()
	t.LastOnRecord = last.Time
	if t.LastOnRecord.Before(low.Time) {
		t.LastOnRecord = low.Time
	}
	return t, err
}

// SavePauses gives paused schedules the reasons that are in their timers.
func (q Queries) SavePauses(ctx context.Context, timers []rota.Timer) error {
	q.pending.noteTimers(timers)
	reasons, schedules := make([][]any, 0, len(timers)), make([][]any, 0, len(timers))
	for _, t := range timers {
		reasons = append(reasons, []any{js(t.PauseReason), t.ScheduleID})
		schedules = append(schedules, []any{t.PauseReason.At.UnixMilli(), t.ScheduleID})
	}
	return q.db.Write(ctx,
		Step{`UPDATE timers SET pause_reason = ?` + q.ifShared(setUnsynced) + fromEach + `WHERE schedule_id = ?`, reasons},
		Step{touchSchedule, schedules})
}
