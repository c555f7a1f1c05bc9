package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/rota-run/rota"
)

// FireDue implements [rota.Queue].
func (q Queries) FireDue(ctx context.Context, now time.Time, limit int, decide rota.Decide) ([]rota.Fire, error) {
	due, err := all(ctx, q.db, scanTimer, `SELECT `+timerColumns+`, a.model FROM timers t JOIN agents a ON a.id = t.agent_id
		WHERE t.due_at <= ? ORDER BY t.due_at, t.schedule_id LIMIT ?`, now.UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	b := batch{Queries: q, now: now}
	for _, t := range due {
		if err := b.fire(ctx, t, decide(t)); err != nil {
			return nil, err
		}
	}
	return b.fires, nil
}

// Fire implements [rota.Queue].
func (q Queries) Fire(ctx context.Context, now time.Time, before rota.Timer, d rota.Decision) ([]rota.Fire, error) {
	b := batch{Queries: q, now: now}
	err := b.fire(ctx, before, d)
	return b.fires, err
}

// A batch is the timers that fall due together.
type batch struct {
	Queries
	now   time.Time
	fires []rota.Fire
}

// fire puts a decision on record and starts its runs.
func (b *batch) fire(ctx context.Context, before rota.Timer, d rota.Decision) error {
	after, first := d.Timer, len(b.fires)
	for _, o := range d.Records {
		run, err := b.record(ctx, o, d, rota.FireContext{
			Timezone:  d.Timer.Spec.Timezone,
			LastRunAt: rota.InstantOrNil(before.LastRunAt),
			RunCount:  before.RunCount + int64(len(b.fires)-first) + 1,
		})
		if err != nil {
			return err
		}
		switch {
		case run != "":
			after.LastRunID = run
		case o.Outcome == rota.Fired: // it has an outcome: whatever the decision was, it must not run again
			after.OpenRuns--
			after.RunCount--
		}
	}
	if len(b.fires) == first {
		after.LastRunAt = before.LastRunAt
	}
	return b.saveState(ctx, after)
}

// record puts an outcome on record and starts its run if it is the first that
// says so. It returns the run, or "" if it started none.
func (b *batch) record(ctx context.Context, o rota.Occurrence, d rota.Decision, f rota.FireContext) (rota.RunID, error) {
	o.Object, o.ID = rota.ObjectOccurrence, occurrenceID(o.ScheduleID, o.ScheduledFor)
	if o.Outcome == rota.Fired {
		id := b.newRunID()
		o.RunID = &id
	}
	isNew, err := b.addOccurrence(ctx, o)
	if err != nil || !isNew || o.Outcome != rota.Fired {
		return "", err
	}
	b.fires = append(b.fires, rota.Fire{Occurrence: o, Run: *o.RunID, At: b.now})
	return *o.RunID, b.addScheduledRun(ctx, d, o, f)
}

// newRunID returns an identifier that sorts after the batch's earlier ones.
func (b *batch) newRunID() rota.RunID {
	const apart = 250 * time.Nanosecond // identifiers are this precise
	return rota.NewRunID(b.now.Add(time.Duration(len(b.fires)) * apart))
}

// addOccurrence puts an outcome on record and reports whether it did: a nominal
// time that has a final outcome keeps it. Only buffered is not final; and what
// did not fire can be lined up again by a backfill.
func (q Queries) addOccurrence(ctx context.Context, o rota.Occurrence) (bool, error) {
	var why any
	if o.Reason != nil {
		why = js(o.Reason)
	}
	n, err := q.db.Exec(ctx, `INSERT INTO occurrences (schedule_id, scheduled_for, scheduled_until, id, count, outcome, reason,
		run_id, trigger, lateness_ms, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (schedule_id, scheduled_for) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,
		run_id = excluded.run_id, trigger = excluded.trigger, lateness_ms = excluded.lateness_ms, recorded_at = excluded.recorded_at
		WHERE occurrences.outcome = 'buffered' AND excluded.outcome <> 'buffered'
		OR occurrences.outcome NOT IN ('buffered', 'fired') AND occurrences.count = 1 AND excluded.trigger = 'backfill'`,
		o.ScheduleID, o.ScheduledFor.UnixMilli(), instantMS(o.ScheduledUntil), o.ID, o.Count, o.Outcome, why,
		orNull(o.RunID), o.Trigger, o.LatenessMS, o.RecordedAt.UnixMilli())
	return n > 0, err
}

// addScheduledRun starts the run of an occurrence with the schedule's content.
// A schedule that continues a response goes on from its last completed run.
func (b *batch) addScheduledRun(ctx context.Context, d rota.Decision, o rota.Occurrence, f rota.FireContext) error {
	if _, err := b.db.Exec(ctx, `INSERT INTO runs (id, account, end_user, agent_id, schedule_id, scheduled_for, trigger, input,
		conversation, previous_response_id, metadata, created_at, phase, attempts, fire)
		SELECT ?, s.account, s.end_user, s.agent_id, s.id, ?, ?, s.input, s.conversation,
		CASE WHEN s.previous_response_id IS NOT NULL THEN COALESCE(?, s.previous_response_id) END,
		s.metadata, ?, 'queued', 0, ? FROM schedules s WHERE s.id = ?`,
		*o.RunID, o.ScheduledFor.UnixMilli(), o.Trigger, orNull(&d.Timer.LastResponseID), b.now.UnixMilli(), js(f), o.ScheduleID); err != nil {
		return err
	}
	return b.enqueue(ctx, *o.RunID, &o.ScheduleID, d.Provider, b.now.UnixMilli())
}

// ClaimRuns implements [rota.Queue].
func (q Queries) ClaimRuns(ctx context.Context, now time.Time, provider string, limit int) ([]rota.Work, error) {
	if limit <= 0 {
		return nil, nil
	}
	work, err := all(ctx, q.db, scanWork, `SELECT `+runColumns+`, r.account, r.end_user, o.provider, o.failures,
		COALESCE(t.status, ''), t.policy, r.fire, COALESCE(s.name, ''), `+agentColumns+`
		FROM open_runs o JOIN runs r ON r.id = o.run_id JOIN agents a ON a.id = r.agent_id
		LEFT JOIN timers t ON t.schedule_id = o.schedule_id LEFT JOIN schedules s ON s.id = o.schedule_id
		WHERE o.provider = ? AND o.phase <> 'running' AND o.ready_at <= ?
		ORDER BY o.ready_at, o.run_id LIMIT ?`, provider, now.UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	for i := range work {
		if err := q.start(ctx, &work[i], now); err != nil {
			return nil, err
		}
	}
	return work, nil
}

func (q Queries) start(ctx context.Context, w *rota.Work, now time.Time) error {
	r := &w.Run
	if w.Blocked != nil {
		return nil // it is finished in the same transaction
	}
	r.Attempts++
	r.Phase, r.StartedAt = rota.PhaseRunning, rota.InstantOrNil(now)
	if r.LatenessMS == nil && r.ScheduledFor != nil {
		late := now.Sub(r.ScheduledFor.Time).Milliseconds()
		r.LatenessMS = &late
	}
	_, err := q.db.Exec(ctx, `UPDATE open_runs SET phase = 'running', started_at = ?, first_start = COALESCE(first_start, ?),
		attempts = ? WHERE run_id = ?`, now.UnixMilli(), now.UnixMilli(), r.Attempts, r.ID)
	return err
}

func scanWork(row Scanner) (rota.Work, error) {
	w := rota.Work{Policy: rota.DefaultPolicy(), Fire: rota.FireContext{Timezone: "UTC"}}
	var status rota.ScheduleStatus
	run, runDone := runDest(&w.Run)
	agent, agentDone := agentDest(&w.Agent)
	dest := append(run, &w.Owner.Account, &w.Owner.EndUser, &w.Provider, &w.Failures, &status, policyText{&w.Policy},
		jsonText{&w.Fire}, &w.Fire.ScheduleName)
	err := row.Scan(append(dest, agent...)...)
	runDone()
	agentDone()
	w.Fire.ScheduledFor = w.Run.CreatedAt
	if w.Run.ScheduledFor != nil {
		w.Fire.ScheduledFor = *w.Run.ScheduledFor
	}
	if w.Run.GatewayResponseID != nil {
		w.ResponseID = *w.Run.GatewayResponseID
	}
	if w.Run.Attempts == 0 {
		w.Blocked = blocked(w, status)
	}
	return w, err
}

// blocked says why a run that has not started must not start.
func blocked(w rota.Work, s rota.ScheduleStatus) *rota.RunError {
	switch {
	case w.Agent.DeletedAt != nil:
		return &rota.RunError{Code: rota.RunErrAgentDeleted, Message: "the agent was deleted before the run began"}
	case s == rota.ScheduleDeleted:
		return &rota.RunError{Code: rota.RunErrDeleted, Message: "the schedule was deleted before the run began"}
	case s == rota.SchedulePaused && w.Run.Trigger != rota.TriggerManual:
		return &rota.RunError{Code: rota.RunErrPaused, Message: "the schedule was paused before the run began"}
	}
	return nil
}

// RequeueRun implements [rota.Queue].
func (q Queries) RequeueRun(ctx context.Context, id rota.RunID, provider string) error {
	_, err := q.db.Exec(ctx, `UPDATE open_runs SET phase = CASE WHEN attempts = 1 THEN 'queued' ELSE 'waiting' END,
		attempts = attempts - 1, provider = ?, response_id = NULL,
		started_at = CASE WHEN attempts = 1 THEN NULL ELSE first_start END,
		first_start = CASE WHEN attempts = 1 THEN NULL ELSE first_start END WHERE run_id = ? AND phase = 'running'`, provider, id)
	return err
}

// SetResponse implements [rota.Queue].
func (q Queries) SetResponse(ctx context.Context, id rota.RunID, responseID string) error {
	_, err := q.db.Exec(ctx, `UPDATE open_runs SET response_id = ? WHERE run_id = ?`, responseID, id)
	return err
}

// DelayRun implements [rota.Queue].
func (q Queries) DelayRun(ctx context.Context, id rota.RunID, at time.Time, answered bool) error {
	failures := 0
	if answered {
		failures = 1
	}
	_, err := q.db.Exec(ctx, `UPDATE open_runs SET phase = 'waiting', ready_at = ?, failures = failures + ?, response_id = NULL
		WHERE run_id = ? AND phase = 'running'`, at.UnixMilli(), failures, id)
	return err
}

// FinishRun implements [rota.Queue].
func (q Queries) FinishRun(ctx context.Context, id rota.RunID, r rota.Result, settle rota.Settle) (rota.Finish, error) {
	open, err := one(ctx, q.db, "open run", scanOpen, `DELETE FROM open_runs WHERE run_id = ?
		RETURNING schedule_id, started_at, first_start, attempts, response_id`, id)
	if isNotFound(err) {
		return rota.Finish{}, nil
	}
	if err != nil {
		return rota.Finish{}, err
	}
	done := rota.Finish{Ended: true}
	if err := q.endRun(ctx, id, open, r); err != nil || !open.scheduleID.Valid {
		return done, err
	}
	if r.Blocked {
		if err := q.blockOccurrence(ctx, id, *r.Error); err != nil {
			return done, err
		}
	}
	done.Due, err = q.settle(ctx, rota.ScheduleID(open.scheduleID.String), r, settle)
	return done, err
}

// blockOccurrence puts on record that the run of an occurrence never started.
func (q Queries) blockOccurrence(ctx context.Context, id rota.RunID, e rota.RunError) error {
	_, err := q.db.Exec(ctx, `UPDATE occurrences SET outcome = 'blocked', reason = ?
		WHERE (schedule_id, scheduled_for) = (SELECT r.schedule_id, r.scheduled_for FROM runs r WHERE r.id = ?) AND run_id = ?`,
		js(rota.Reason(e)), id, id)
	return err
}

// settle lets a run's end change its schedule's timer, and reports whether the
// timer is due at once.
func (q Queries) settle(ctx context.Context, id rota.ScheduleID, r rota.Result, settle rota.Settle) (bool, error) {
	before, err := one(ctx, q.db, "schedule", scanTimer, `SELECT `+timerColumns+`, '' FROM timers t WHERE t.schedule_id = ?`, id)
	if err != nil {
		return false, err
	}
	d := settle(before, r)
	after := d.Timer
	if waits(before) && !waits(after) {
		if err := q.blockBuffered(ctx, id); err != nil {
			return false, err
		}
	}
	if err := q.Record(ctx, d.Records); err != nil {
		return false, err
	}
	due := !after.DueAt.IsZero() && !after.DueAt.After(r.CompletedAt) || !after.CatchUp().IsZero()
	return due, q.saveState(ctx, after)
}

// An openRun is what open_runs knows of a run.
type openRun struct {
	scheduleID            sql.NullString
	startedAt, firstStart msTime
	attempts              int
	responseID            sql.NullString
}

func scanOpen(row Scanner) (openRun, error) {
	var o openRun
	err := row.Scan(&o.scheduleID, &o.startedAt, &o.firstStart, &o.attempts, &o.responseID)
	return o, err
}

// NextWake implements [rota.Queue].
func (q Queries) NextWake(ctx context.Context, now time.Time) (time.Time, error) {
	times, err := all(ctx, q.db, scanTime, `SELECT MIN(t.due_at) FROM timers t WHERE t.due_at IS NOT NULL
		UNION ALL SELECT MIN(o.ready_at) FROM open_runs o WHERE o.phase = 'waiting' AND o.ready_at > ?`, now.UnixMilli())
	var first time.Time
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first, err
}

// OpenRuns implements [rota.Store].
func (q Queries) OpenRuns(ctx context.Context) (map[rota.Phase]int, error) {
	rows, err := all(ctx, q.db, scanCount, `SELECT o.phase, COUNT(*) FROM open_runs o GROUP BY o.phase`)
	counts := make(map[rota.Phase]int)
	for _, c := range rows {
		counts[c.phase] = c.n
	}
	return counts, err
}

type count struct {
	phase rota.Phase
	n     int
}

func scanCount(row Scanner) (count, error) {
	var c count
	err := row.Scan(&c.phase, &c.n)
	return c, err
}

func scanTime(row Scanner) (time.Time, error) {
	var t msTime
	err := row.Scan(&t)
	return t.Time, err
}
