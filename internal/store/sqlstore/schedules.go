package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"time"

	"github.com/rota-run/rota"
)

const scheduleColumns = `s.id, s.agent_id, s.key, s.name, s.description, s.input, s.conversation, s.previous_response_id, s.context_management, s.metadata,
	s.temporal_schedule_id, s.version, s.versioned_at, s.created_at, s.updated_at, COALESCE(s.deleted_at, a.deleted_at), COALESCE(s.key_id, ''), s.origin, ` + timerColumns

const scheduleTables = ` FROM schedules s JOIN timers t ON t.schedule_id = s.id JOIN agents a ON a.id = s.agent_id `

// restDeleted leaves a deleted schedule's timer with nothing to do.
const restDeleted = `status = 'deleted', next_run_at = NULL, due_at = NULL, buffered = NULL, backlog = 0, backlog_to = NULL,
	catch_up = NULL, pause_reason = NULL, skips = NULL`

func scanSchedule(row Scanner) (rota.Schedule, error) {
	s, err := scanTimedSchedule(row)
	return s.Schedule, err
}

func scanTimedSchedule(row Scanner) (rota.TimedSchedule, error) {
	s := rota.TimedSchedule{Schedule: rota.Schedule{Object: rota.ObjectSchedule}}
	var versioned, created, updated, deleted msTime
	dest, done := timerDest(&s.Timer)
	err := row.Scan(append([]any{
		&s.ID, &s.AgentID, &s.Key, &s.Name, &s.Description,
		rawText{&s.Input.RawMessage},
		rawText{&s.Conversation.RawMessage},
		&s.PreviousResponseID,
		rawText{&s.ContextManagement.RawMessage},
		jsonText{&s.Metadata},
		&s.TemporalScheduleID, &s.Version, &versioned, &created, &updated, &deleted, &s.MadeBy,
		jsonText{&s.Origin},
	}, dest...)...)
	done()
	s.VersionedAt, s.CreatedAt, s.UpdatedAt, s.DeletedAt = versioned.instant(), created.instant(), updated.instant(), deleted.orNil()
	s.Schedule = s.WithTimer(s.Timer)
	return s, err
}

// Schedule returns a schedule; one that is deleted only if deleted is true.
func (q Queries) Schedule(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, deleted bool) (rota.Schedule, error) {
	query := `SELECT ` + scheduleColumns + scheduleTables + `
		WHERE s.id = ? AND s.agent_id = ? AND s.account = ? AND s.end_user = ?`
	if !deleted {
		query += ` AND s.deleted_at IS NULL`
	}
	return one(ctx, q.db, "schedule", scanSchedule, query+q.lock("t, s"), id, a, o.Account, o.EndUser)
}

// TimedSchedule returns a schedule that is not deleted, and its timer.
func (q Queries) TimedSchedule(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID) (rota.TimedSchedule, error) {
	return one(ctx, q.db, "schedule", scanTimedSchedule, `SELECT `+scheduleColumns+scheduleTables+`
		WHERE s.id = ? AND s.agent_id = ? AND s.account = ? AND s.end_user = ? AND s.deleted_at IS NULL`+q.lock("t, s"),
		id, a, o.Account, o.EndUser)
}

// ScheduleByKey returns the schedule of an agent that has the key and is not deleted,
// and its timer.
func (q Queries) ScheduleByKey(ctx context.Context, o rota.Owner, a rota.AgentID, key string) (rota.TimedSchedule, error) {
	return one(ctx, q.db, "schedule", scanTimedSchedule, `SELECT `+scheduleColumns+scheduleTables+`
		WHERE s.agent_id = ? AND s.key = ? AND s.account = ? AND s.end_user = ? AND s.deleted_at IS NULL`+q.lock("t, s"),
		a, key, o.Account, o.EndUser)
}

// Schedules returns a page of an agent's schedules.
func (q Queries) Schedules(ctx context.Context, o rota.Owner, a rota.AgentID, p rota.Page) (rota.List[rota.Schedule], error) {
	return listing[rota.Schedule]{
		query: `SELECT ` + scheduleColumns + scheduleTables + `
			WHERE s.agent_id = ? AND s.account = ? AND s.end_user = ? AND s.deleted_at IS NULL`,
		key:  "s.id",
		args: []any{a, o.Account, o.EndUser},
		scan: scanSchedule,
		id:   func(s rota.Schedule) string { return string(s.ID) },
	}.page(ctx, q.db, p)
}

// SchedulesOf returns up to limit schedules of an owner, also deleted ones, after a
// schedule, in the order of their ids.
func (q Queries) SchedulesOf(ctx context.Context, o rota.Owner, after rota.ScheduleID, limit int) ([]rota.Schedule, error) {
	return all(ctx, q.db, scanSchedule, `SELECT `+scheduleColumns+scheduleTables+` WHERE s.account = ? AND s.end_user = ? AND s.id > ?
		ORDER BY s.id LIMIT ?`, o.Account, o.EndUser, after, limit)
}

// AllSchedules returns the schedules of owners with their timers, whatever their
// agent.
func (q Queries) AllSchedules(ctx context.Context, o rota.Owners, f rota.ScheduleFilter, p rota.Page) (rota.List[rota.TimedSchedule], error) {
	l := listing[rota.TimedSchedule]{
		query: `SELECT ` + scheduleColumns + scheduleTables + ` WHERE a.deleted_at IS NULL`,
		key:   "s.id",
		scan:  scanTimedSchedule,
		id:    func(s rota.TimedSchedule) string { return string(s.ID) },
		lock:  q.lock("t, s"),
	}
	l.where(` AND s.deleted_at IS NULL`)
	l.owned("s", o, f.AgentID == "" && f.ID == "")
	if f.ID != "" {
		l.where(` AND s.id = ?`, f.ID)
	}
	if f.AgentID != "" {
		l.where(` AND s.agent_id = ?`, f.AgentID)
	}
	if f.Status == rota.SchedulePaused {
		l.paused(o)
		f.Status = ""
	}
	n := q.narrowSchedules(f)
	by, sorted := scheduleSort(p.Sort)
	if n.asked || sorted {
		l.look("schedules s", "s.id", maxLook)
		l.where(n.text, n.args...)
	}
	if f.Runnable {
		l.where(` AND (s.end_user = a.end_user OR NOT ` + notShared + `)`)
	}
	if sorted {
		l.sort(by)
	}
	return l.page(ctx, q.db, p)
}

// paused narrows a list to the schedules of owners that are paused. They are few, as a
// rule, and have an index of their own.
func (l *listing[T]) paused(o rota.Owners) {
	among, args := ` AND s.id IN (SELECT p.schedule_id FROM timers p WHERE p.status = 'paused' AND p.account = ?`, []any{o.Account}
	if !o.All {
		among, args = among+` AND p.end_user = ?`, append(args, o.EndUser)
	}
	l.where(among+`)`, args...)
}

// narrowSchedules returns the conditions of a filter that no index answers.
func (q Queries) narrowSchedules(f rota.ScheduleFilter) narrowing {
	var n narrowing
	n.is("t.status", string(f.Status))
	n.is("COALESCE("+q.member("t.pause_reason", "code")+", '')", string(f.PauseReason))
	n.is("COALESCE(s.name, '')", f.Name)
	q.has(&n, "s.metadata", f.Metadata)
	q.contains(&n, f.Q, "COALESCE(s.name, '')", "COALESCE(s.description, '')", "COALESCE(s.key, '')", "s.input")
	return n
}

// scheduleSort is an order of a list of schedules besides that of their creation.
func scheduleSort(by rota.Sort) (sorting[rota.TimedSchedule], bool) {
	s := sorting[rota.TimedSchedule]{tie: "s.id", id: func(s rota.TimedSchedule) string { return string(s.ID) }}
	switch by {
	case rota.SortName:
		s.key, s.text = `COALESCE(s.name, '')`, func(s rota.TimedSchedule) string { return *cmp.Or(s.Name, new(string)) }
	case rota.SortNextRun:
		s.key, s.number = `COALESCE(t.next_run_at, 9223372036854775807)`, nextRun
	}
	return s, s.key != ""
}

// nextRun is the next nominal time of a schedule, as it is sorted.
func nextRun(s rota.TimedSchedule) int64 {
	if s.Timer.NextRunAt.IsZero() {
		return math.MaxInt64
	}
	return s.Timer.NextRunAt.UnixMilli()
}

// SchedulesMadeBy returns up to limit active schedules that a key of the account
// made, for whatever end user, in the order of their ids.
func (q Queries) SchedulesMadeBy(ctx context.Context, account string, key rota.KeyID, after rota.ScheduleID, limit int) ([]rota.TimedSchedule, error) {
	return all(ctx, q.db, scanTimedSchedule, `SELECT `+scheduleColumns+scheduleTables+`
		WHERE s.key_id = ? AND s.account = ? AND s.deleted_at IS NULL AND t.status = 'active' AND s.id > ? ORDER BY s.id LIMIT ?`+q.lock("t, s"),
		key, account, after, limit)
}

// AddSchedule adds a schedule and its timer: the fields that a timer has are
// taken from the timer. It is a Conflict if another schedule of the agent has its key.
func (q Queries) AddSchedule(ctx context.Context, s rota.TimedSchedule) error {
	q.pending.noteTimers([]rota.Timer{s.Timer})
	t := s.Timer
	if err := q.addKeyed(ctx, "schedule", s.Key, `INSERT INTO schedules (id, account, end_user, agent_id, key, name, description, input, conversation,
		previous_response_id, context_management, metadata, temporal_schedule_id, version, versioned_at, created_at, updated_at, key_id, origin)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.ScheduleID, t.Owner.Account, t.Owner.EndUser, t.AgentID, s.Key, s.Name, s.Description, rawOrNil(s.Input.RawMessage), rawOrNil(s.Conversation.RawMessage),
		s.PreviousResponseID, rawOrNil(s.ContextManagement.RawMessage), js(s.Metadata), s.TemporalScheduleID, s.Version, s.VersionedAt.UnixMilli(), s.CreatedAt.UnixMilli(), s.UpdatedAt.UnixMilli(),
		orNull(&s.MadeBy), originOf(s.Schedule)); err != nil {
		return err
	}
	if err := q.noteGuest(ctx, t.Owner, t.AgentID); err != nil {
		return err
	}
	return q.write(ctx, `INSERT INTO timers (status, spec, policy, anchor, schedule_version, agent_version, pinned_model, next_run_at, due_at, open_runs, buffered,
		run_count, consecutive_failures, last_run_at, last_run_id, last_response_id, pause_reason, skips,
		backlog, backlog_to, catch_up, schedule_id, agent_id, account, end_user`+q.ifShared(`, sync_at`)+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?`+q.ifShared(`, `+syncNow)+`)`,
		append(append(timerContent(t), timerState(t)...), t.ScheduleID, t.AgentID, t.Owner.Account, t.Owner.EndUser)...)
}

func originOf(s rota.Schedule) any {
	if s.Origin == nil {
		return nil
	}
	return js(s.Origin)
}

// Planned returns up to limit schedules that agents have planned themselves and that are
// not over: those of an agent, or of all of the owner's if that is empty.
func (q Queries) Planned(ctx context.Context, o rota.Owner, a rota.AgentID, limit int) ([]rota.Schedule, error) {
	return all(ctx, q.db, scanSchedule, `SELECT `+scheduleColumns+scheduleTables+`
		WHERE s.account = ? AND s.end_user = ? AND (s.agent_id = ? OR ? = '') AND s.origin IS NOT NULL AND s.deleted_at IS NULL
		AND a.deleted_at IS NULL AND t.status <> 'completed' ORDER BY s.id LIMIT ?`, o.Account, o.EndUser, a, a, limit)
}

// SaveSchedule writes a schedule and its timer back. What waits in the timer before and
// not afterwards must have been given up. Runs that have not started take over the
// content, and go on from the response goesOn.
func (q Queries) SaveSchedule(ctx context.Context, s rota.TimedSchedule, goesOn *string) error {
	q.pending.noteTimers([]rota.Timer{s.Timer})
	t := s.Timer
	n, err := q.exec(ctx, `UPDATE schedules SET name = ?, description = ?, input = ?, conversation = ?, previous_response_id = ?,
		context_management = ?, metadata = ?, version = ?, versioned_at = ?, updated_at = ?
		WHERE id = ? AND account = ? AND end_user = ? AND deleted_at IS NULL`,
		s.Name, s.Description, rawOrNil(s.Input.RawMessage), rawOrNil(s.Conversation.RawMessage), s.PreviousResponseID,
		rawOrNil(s.ContextManagement.RawMessage), js(s.Metadata), s.Version, s.VersionedAt.UnixMilli(), s.UpdatedAt.UnixMilli(), t.ScheduleID, t.Owner.Account, t.Owner.EndUser)
	if err := must("schedule", n, err); err != nil {
		return err
	}
	if err := q.SaveTimers(ctx, []rota.Timer{t}); err != nil {
		return err
	}
	if t.OpenRuns == 0 {
		return nil
	}
	return q.db.Write(ctx, q.takeOver(s, goesOn)...)
}

// takeOver returns the steps that give runs that have not started the content of their
// schedule, and the version of the agent if it is pinned to another one. A run that goes on
// from another one stays as it is.
func (q Queries) takeOver(s rota.TimedSchedule, goesOn *string) []Step {
	t, unstarted := s.Timer, `(SELECT o.run_id FROM open_runs o WHERE o.schedule_id = ? AND o.phase = 'queued'`+q.lock("o")+`)`
	steps := []Step{Single(`UPDATE runs SET input = ?, conversation = ?, previous_response_id = ?, context_management = ?, metadata = ?,
		schedule_version = ? WHERE trigger <> 'api' AND id IN `+unstarted,
		rawOrNil(s.Input.RawMessage), rawOrNil(s.Conversation.RawMessage), orNull(goesOn),
		rawOrNil(s.ContextManagement.RawMessage), js(s.Metadata), t.ScheduleVersion, t.ScheduleID)}
	if t.AgentVersion == nil {
		return steps
	}
	return append(steps, Single(`UPDATE runs SET agent_version = ?, function_tools = (SELECT (`+functionsOf+`?) FROM agents a WHERE a.id = runs.agent_id)
		WHERE agent_version <> ? AND trigger <> 'api' AND id IN `+unstarted, *t.AgentVersion, *t.AgentVersion, *t.AgentVersion, t.ScheduleID))
}

// Timer returns the timer of a schedule that is not deleted.
func (q Queries) Timer(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID) (rota.Timer, error) {
	return one(ctx, q.db, "schedule", scanTimer, `SELECT `+timerColumns+ofNoAgent+` FROM timers t
		WHERE t.schedule_id = ? AND t.agent_id = ? AND t.account = ? AND t.end_user = ? AND t.status <> 'deleted'`+q.lock("t"),
		id, a, o.Account, o.EndUser)
}

// Due returns the next nominal time of a schedule, and when it is to be acted
// on; zero if there is nothing to do.
func (q Queries) Due(ctx context.Context, id rota.ScheduleID) (nominal, due time.Time, err error) {
	err = q.db.Query(ctx, func(row Scanner) error {
		var next, at msTime
		err := row.Scan(&next, &at)
		nominal, due = next.Time, at.Time
		return err
	}, `SELECT t.next_run_at, t.due_at FROM timers t WHERE t.schedule_id = ?`, id)
	return nominal, due, err
}

// DeleteSchedule deletes the schedule. Runs that have started go on; those that have
// not are blocked when they are claimed. What waits in its timer must have been given up.
func (q Queries) DeleteSchedule(ctx context.Context, o rota.Owner, a rota.AgentID, id rota.ScheduleID, now time.Time) error {
	q.pending.noteSchedule(o, a, id)
	n, err := q.exec(ctx, `UPDATE schedules SET deleted_at = ?, updated_at = ?, version = version + 1
		WHERE id = ? AND agent_id = ? AND account = ? AND end_user = ? AND deleted_at IS NULL`,
		now.UnixMilli(), now.UnixMilli(), id, a, o.Account, o.EndUser)
	if err := must("schedule", n, err); err != nil {
		return err
	}
	return q.write(ctx, `UPDATE timers SET `+restDeleted+q.ifShared(setUnsynced)+` WHERE schedule_id = ?`, id)
}

const timerColumns = `t.schedule_id, t.agent_id, t.account, t.end_user, t.status, t.spec, t.policy, t.anchor, t.schedule_version, t.agent_version, t.pinned_model,
	t.next_run_at, t.due_at, t.open_runs, t.buffered, t.run_count, t.consecutive_failures,
	t.last_run_at, t.last_run_id, t.last_response_id, t.pause_reason, t.skips, t.backlog, t.backlog_to`

func timerDest(t *rota.Timer) ([]any, func()) {
	var anchor, next, due, buffered, backlog, last msTime
	var pinned, lastRun, lastResponse sql.NullString
	return []any{
		&t.ScheduleID, &t.AgentID, &t.Owner.Account, &t.Owner.EndUser, &t.Status,
		jsonText{&t.Spec},
		policyText{&t.Policy},
		&anchor, &t.ScheduleVersion, &t.AgentVersion, &pinned, &next, &due, &t.OpenRuns, &buffered, &t.RunCount, &t.ConsecutiveFailures,
		&last, &lastRun, &lastResponse,
		jsonText{&t.PauseReason},
		jsonText{&t.Skips},
		&t.Backlog, &backlog,
	}, func() {
		t.Anchor, t.NextRunAt, t.DueAt, t.LastRunAt = anchor.Time, next.Time, due.Time, last.Time
		t.Buffered, t.BacklogTo = buffered.Time, backlog.Time
		t.PinnedModel, t.LastRunID, t.LastResponseID = pinned.String, rota.RunID(lastRun.String), lastResponse.String
	}
}

// ofAgent and ofNoAgent follow timerColumns, for scanTimer: what there is to know of
// the timer's agent, or nothing.
const (
	ofAgent   = `, ` + nextModel + `, a.deleted_at, CASE WHEN ` + notShared + ` AND t.end_user <> a.end_user THEN a.unshared_at END`
	ofNoAgent = `, '', NULL, NULL`
)

// nextModel is the model of the runs that a timer starts, whose agent is aliased a.
const nextModel = `COALESCE(t.pinned_model, a.model)`

// scanTimer reads timerColumns and what follows of the timer's agent.
func scanTimer(row Scanner) (rota.Timer, error) {
	var t rota.Timer
	var deleted, unshared msTime
	dest, done := timerDest(&t)
	err := row.Scan(append(dest, &t.Model, &deleted, &unshared)...)
	done()
	t.AgentDeletedAt, t.AgentUnsharedAt = deleted.Time, unshared.Time
	return t, err
}

// timerContent is what people write of a timer.
func timerContent(t rota.Timer) []any {
	return []any{t.Status, js(t.Spec), js(t.Policy), t.Anchor.UnixMilli(), t.ScheduleVersion, t.AgentVersion, orNull(&t.PinnedModel)}
}

// timerState is what firing writes of a timer.
func timerState(t rota.Timer) []any {
	var why any
	if t.PauseReason != nil {
		why = js(t.PauseReason)
	}
	var skips any
	if len(t.Skips) > 0 {
		skips = js(t.Skips)
	}
	return []any{
		ms(t.NextRunAt), ms(t.DueAt), t.OpenRuns, ms(t.Buffered), t.RunCount, t.ConsecutiveFailures,
		ms(t.LastRunAt), orNull(&t.LastRunID), orNull(&t.LastResponseID), why, skips,
		t.Backlog, ms(t.BacklogTo), ms(t.CatchUp()),
	}
}

// saveState writes back what firing changed of timers.
func (q Queries) saveState(all ...rota.Timer) Step {
	rows := make([][]any, len(all))
	for i, t := range all {
		rows[i] = append(timerState(t), t.Status)
		if q.shared {
			rows[i] = append(rows[i], t.Status)
		}
		rows[i] = append(rows[i], t.ScheduleID)
	}
	return Step{`UPDATE timers SET next_run_at = ?, due_at = ?, open_runs = ?, buffered = ?, run_count = ?,
	consecutive_failures = ?, last_run_at = ?, last_run_id = ?, last_response_id = ?, pause_reason = ?, skips = ?,
	backlog = ?, backlog_to = ?, catch_up = ?, status = ?` + q.ifShared(setUnsyncedIfNew) + fromEach + `WHERE schedule_id = ?`, rows}
}
