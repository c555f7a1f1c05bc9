package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/rota-run/rota"
)

// FireDue takes up to limit timers that are due at now, the longest due
// first, and does with each what decide says. Before, it calls look with all of
// them, if there are any; look may be nil.
func (q Queries) FireDue(ctx context.Context, now time.Time, limit int, look func(context.Context, []rota.Timer) error, decide rota.Decide) ([]rota.Fire, error) {
	due, err := all(ctx, q.db, scanTimer, `SELECT `+timerColumns+ofAgent+` FROM timers t JOIN agents a ON a.id = t.agent_id
		WHERE t.due_at <= ? ORDER BY t.due_at, t.schedule_id LIMIT ?`+q.lockAny("t"), now.UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	if look != nil && len(due) > 0 {
		if err := look(ctx, due); err != nil {
			return nil, err
		}
	}
	b := q.newBatch(now, len(due))
	for _, t := range due {
		b.add(t, decide(t))
	}
	return b.write(ctx)
}

// Fire does with one timer what was decided, due or not.
func (q Queries) Fire(ctx context.Context, now time.Time, before rota.Timer, d rota.Decision) ([]rota.Fire, error) {
	b := q.newBatch(now, 1)
	b.add(before, d)
	return b.write(ctx)
}

// ofAttempt lets pass the open run that is at an attempt, or at any if that is 0.
const ofAttempt = `attempts = COALESCE(NULLIF(?, 0), attempts)`

// RequeueRun puts a claimed run back as if it had not been claimed, under
// another provider. One that a worker has taken stays as it is. Its conversation is
// free until it is claimed again.
//
// It, SetResponse, DelayRun and FinishRun do nothing if the attempt is over:
// a worker that was thought lost has no say in the attempt after its own.
func (q Queries) RequeueRun(ctx context.Context, a rota.Attempt, provider string) error {
	if err := q.write(ctx, `UPDATE conversations SET busy = NULL WHERE busy = ? AND id = (SELECT conversation_id FROM open_runs
		WHERE run_id = ? AND phase = 'running'`+q.ifShared(noWorker)+` AND `+ofAttempt+`)`, a.Run, a.Run, a.Attempt); err != nil {
		return err
	}
	return q.write(ctx, `UPDATE open_runs SET phase = CASE WHEN attempts = 1 THEN 'queued' ELSE 'waiting' END,
		attempts = attempts - 1, provider = ?, response_id = NULL,
		started_at = CASE WHEN attempts = 1 THEN NULL ELSE first_start END,
		first_start = CASE WHEN attempts = 1 THEN NULL ELSE first_start END
		WHERE run_id = ? AND phase = 'running'`+q.ifShared(noWorker)+` AND `+ofAttempt, provider, a.Run, a.Attempt)
}

// SetResponse notes the id of the response that the provider has begun.
func (q Queries) SetResponse(ctx context.Context, a rota.Attempt, responseID string) error {
	return q.write(ctx, `UPDATE open_runs SET response_id = ? WHERE run_id = ? AND `+ofAttempt, responseID, a.Run, a.Attempt)
}

// DelayRun makes a running run wait for its next attempt. What had come of an
// answer is kept until a later attempt brings more.
func (q Queries) DelayRun(ctx context.Context, d rota.Delay) error {
	q.pending.noteRun(d.Owner, "", nil, d.Attempt.Run)
	failures := 0
	if d.Answered {
		failures = 1
	}
	if part := textOrNil(d.Response.RawMessage); part != nil {
		err := q.write(ctx, `UPDATE runs SET response = ? WHERE id = (SELECT run_id FROM open_runs WHERE run_id = ? AND phase = 'running' AND `+ofAttempt+`)`,
			part, d.Attempt.Run, d.Attempt.Attempt)
		if err != nil {
			return err
		}
	}
	return q.write(ctx, `UPDATE open_runs SET phase = 'waiting', ready_at = ?, failures = failures + ?, response_id = NULL,
		provider = ?, history = ?`+q.ifShared(clearWorker)+` WHERE run_id = ? AND phase = 'running' AND `+ofAttempt,
		d.Until.UnixMilli(), failures, d.Provider, js(d.Attempts), d.Attempt.Run, d.Attempt.Attempt)
}

// FinishRun ends a run and settles its schedule's timer. If the run had
// ended before, nothing changes. If it was blocked, settle gets its occurrence.
func (q Queries) FinishRun(ctx context.Context, id rota.RunID, r rota.Result, settle rota.Settle) (rota.Finish, error) {
	timers, err := all(ctx, q.db, scanTimer, `SELECT `+timerColumns+ofNoAgent+` FROM open_runs o
		JOIN timers t ON t.schedule_id = o.schedule_id WHERE o.run_id = ?`+q.lock("t"), id)
	if err != nil {
		return rota.Finish{}, err
	}
	open, err := one(ctx, q.db, "open run", scanOpen, `DELETE FROM open_runs WHERE run_id = ? AND `+ofAttempt+`
		RETURNING phase, started_at, first_start, attempts, response_id, model, history, conversation_id, owner, steps, schedule_id,
		CASE WHEN schedule_id IS NULL THEN (SELECT r.agent_id FROM runs r WHERE r.id = open_runs.run_id) END`, id, r.Attempt)
	if isNotFound(err) {
		return rota.Finish{}, nil
	}
	if err != nil {
		return rota.Finish{}, err
	}
	done := rota.Finish{Ended: true}
	q.pending.ended(open.owner, r)
	if len(timers) > 0 {
		open.agent = timers[0].AgentID
	}
	q.pending.noteRun(open.owner, open.agent, open.schedule, id)
	if open.steps > 0 {
		if err := q.write(ctx, `DELETE FROM run_steps WHERE run_id = ?`, id); err != nil {
			return done, err
		}
	}
	if err := q.endRun(ctx, id, open, r); err != nil {
		return done, err
	}
	if err := q.addApprovals(ctx, r.Approvals); err != nil {
		return done, err
	}
	if done.Due, err = q.endTurn(ctx, id, open, r); err != nil || len(timers) == 0 {
		return done, err
	}
	if r.Blocked {
		if r.Occurrence, err = q.occurrenceOf(ctx, id); err != nil {
			return done, err
		}
	}
	due, paused, err := q.settle(ctx, timers[0], r, settle)
	done.Due, done.Paused = done.Due || due, paused
	return done, err
}

// occurrenceOf returns the occurrence that a run is of; nil if it is no longer on record.
func (q Queries) occurrenceOf(ctx context.Context, id rota.RunID) (*rota.Occurrence, error) {
	o, err := one(ctx, q.db, "occurrence", scanRow, `SELECT `+occurrenceColumns+` FROM runs r
		JOIN occurrences o ON o.schedule_id = r.schedule_id AND o.scheduled_for = r.scheduled_for
		WHERE r.id = ? AND o.run_id = r.id`, id)
	if isNotFound(err) {
		return nil, nil
	}
	return &o, err
}

// settle lets a run's end change its schedule's timer, and reports whether the
// timer is due at once, and whether that has paused the schedule.
func (q Queries) settle(ctx context.Context, before rota.Timer, r rota.Result, settle rota.Settle) (bool, *rota.Paused, error) {
	d := settle(before, r)
	after := d.Timer
	if err := q.Record(ctx, d.Records); err != nil {
		return false, nil, err
	}
	if d.GivenUp != nil {
		if err := q.GiveUp(ctx, []rota.ScheduleID{before.ScheduleID}, *d.GivenUp); err != nil {
			return false, nil, err
		}
	}
	due := !after.DueAt.IsZero() && !after.DueAt.After(r.CompletedAt) || !after.CatchUp().IsZero()
	paused := rota.PausedBy(before, after)
	if paused != nil {
		q.pending.noteSchedule(before.Owner, before.AgentID, before.ScheduleID)
	}
	return due, paused, q.db.Write(ctx, q.saveState(after))
}

// An openRun is what open_runs knows of a run.
type openRun struct {
	phase                 rota.Phase
	startedAt, firstStart msTime
	attempts              int
	responseID, model     sql.NullString
	history               []rota.RunAttempt
	conversation          *rota.ConversationID // that it holds, or waits in line for
	owner                 rota.Owner
	steps                 int // of its tool loop, on record
	schedule              *rota.ScheduleID
	agent                 rota.AgentID // of a run that is of no schedule
}

func scanOpen(row Scanner) (openRun, error) {
	var o openRun
	var agent sql.NullString
	err := row.Scan(&o.phase, &o.startedAt, &o.firstStart, &o.attempts, &o.responseID, &o.model, jsonText{&o.history}, &o.conversation, ownerColumn{&o.owner}, &o.steps,
		&o.schedule, &agent)
	o.agent = rota.AgentID(agent.String)
	return o, err
}

// ended returns the attempts of the run when it ends.
func (o openRun) ended(r rota.Result) []rota.RunAttempt {
	run := rota.Run{Phase: o.phase, Attempt: o.attempts, Attempts: o.history}.WithLastAttempt(o.model.String, o.startedAt.Time)
	if o.phase != rota.PhaseRunning {
		return run.Attempts
	}
	last := &run.Attempts[len(run.Attempts)-1]
	if r.Last != nil {
		*last = *r.Last
		return run.Attempts
	}
	last.EndedAt, last.Usage = rota.InstantOrNil(r.CompletedAt), r.Usage.Or(rota.AnyOf(nil))
	if r.Error != nil {
		last.Code, last.Message = &r.Error.Code, &r.Error.Message
	}
	return run.Attempts
}

// NextWake returns the earliest time after which FireDue or a claim may
// find something: the first due time, and the first time after now at which
// a run is ready that is not running. A queued run is ready later than now
// if the clock was set back. It is zero if there is nothing to wait for.
func (q Queries) NextWake(ctx context.Context, now time.Time) (time.Time, error) {
	times, err := all(ctx, q.db, scanTime, `SELECT MIN(t.due_at) FROM timers t WHERE t.due_at IS NOT NULL
		UNION ALL SELECT MIN(o.ready_at) FROM open_runs o WHERE o.phase <> 'running' AND o.ready_at > ?`, now.UnixMilli())
	var first time.Time
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first, err
}

// OpenRuns counts the runs that have not ended, of all owners: a figure
// for the operator.
func (q Queries) OpenRuns(ctx context.Context) (map[rota.Phase]int, error) {
	rows, err := all(ctx, q.db, scanCount, `SELECT o.phase, COUNT(*) FROM open_runs o GROUP BY o.phase`)
	counts := make(map[rota.Phase]int)
	for _, c := range rows {
		counts[c.phase] = c.n
	}
	return counts, err
}

// PausedSchedules counts the schedules that are paused, whoever's they are.
func (q Queries) PausedSchedules(ctx context.Context) (int, error) {
	return one(ctx, q.db, "count", scanNumber, `SELECT COUNT(*) FROM timers t WHERE t.status = 'paused'`)
}

func scanNumber(row Scanner) (int, error) {
	var n int
	err := row.Scan(&n)
	return n, err
}

// OpenRunsOf counts the runs that have not ended of owners, and of whole accounts, and
// responses that are kept with them.
func (q Queries) OpenRunsOf(ctx context.Context, owners []rota.Owner, accounts []string) (rota.OpenRuns, error) {
	const lowest, highest = "\x01", "\U0010FFFF" // what may follow: nothing, and any end user
	open := rota.OpenRuns{Owner: make(map[rota.Owner]int), Account: make(map[string]int)}
	of := make([]string, len(owners))
	for i, o := range owners {
		of[i] = ownerText(o)
	}
	err := q.openRuns(ctx, of, lowest, func(o rota.Owner, n int) { open.Owner[o] = n })
	if err != nil || len(accounts) == 0 {
		return open, err
	}
	of = make([]string, len(accounts))
	for i, a := range accounts {
		of[i] = ownerText(rota.Owner{Account: a})
	}
	return open, q.openRuns(ctx, of, highest, func(o rota.Owner, n int) { open.Account[o.Account] = n })
}

// openRuns counts the open runs and responses of owners whose text begins with one of those
// given, and goes on with less than end. In a transaction of a shared database it
// asks once, elsewhere once for each.
func (q Queries) openRuns(ctx context.Context, of []string, end string, add func(rota.Owner, int)) error {
	if len(of) == 0 {
		return nil
	}
	if q.shared {
		return q.openRunsOf(ctx, q.list("given"), js(of), end, add)
	}
	for _, one := range of {
		if err := q.openRunsOf(ctx, `(SELECT CAST(? AS TEXT) AS value) given`, one, end, add); err != nil {
			return err
		}
	}
	return nil
}

func (q Queries) openRunsOf(ctx context.Context, values, arg, end string, add func(rota.Owner, int)) error {
	const of = `o.owner >= given.value AND o.owner < given.value || CAST(? AS TEXT)`
	runs, responses := `SELECT COUNT(*) FROM open_runs o WHERE `+of+` AND o.phase `, `SELECT COUNT(*) FROM open_responses o WHERE `+of
	return q.db.Query(ctx, func(row Scanner) error {
		var owner rota.Owner
		var n int
		err := row.Scan(ownerColumn{&owner}, &n)
		add(owner, n)
		return err
	}, `SELECT given.value, (`+runs+`<> 'running') + (`+runs+`= 'running') + (`+responses+`) FROM `+values, end, end, end, arg)
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
