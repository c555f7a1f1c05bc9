package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// A batch is what was decided of timers that fall due together. It is written
// step by step, each step for all of them, so that a database across a network
// is asked as often for many as for one.
type batch struct {
	Queries
	now     time.Time
	decided []decided
	records []record
	started int // records that start a run
}

// decided is a timer, what was decided of it, and how many runs came of that.
type decided struct {
	before rota.Timer
	rota.Decision
	fires int64
}

// A record is an occurrence and the index of the decision that it is of.
type record struct {
	rota.Occurrence
	of int
}

// newBatch returns a batch for so many timers.
func (q Queries) newBatch(now time.Time, timers int) *batch {
	return &batch{Queries: q, now: now, decided: make([]decided, 0, timers), records: make([]record, 0, timers)}
}

func (b *batch) add(before rota.Timer, d rota.Decision) {
	for _, o := range d.Records {
		o.Object, o.ID = rota.ObjectOccurrence, occurrenceID(o.ScheduleID, o.ScheduledFor)
		if o.Outcome == rota.Fired {
			id := b.newRunID()
			o.RunID = &id
		}
		b.records = append(b.records, record{o, len(b.decided)})
	}
	b.decided = append(b.decided, decided{before: before, Decision: d})
}

// newRunID returns an identifier that sorts after the batch's earlier ones.
func (b *batch) newRunID() rota.RunID {
	const apart = 250 * time.Nanosecond // identifiers are this precise
	id := rota.NewRunID(b.now.Add(time.Duration(b.started) * apart))
	b.started++
	return id
}

// write puts the decisions on record and starts their runs.
func (b *batch) write(ctx context.Context) ([]rota.Fire, error) {
	occurrences := make([][]any, 0, len(b.records))
	for i := range b.records {
		occurrences = append(occurrences, occurrenceRow(&b.records[i].Occurrence))
	}
	written, err := b.db.ExecEach(ctx, addOccurrence, occurrences)
	if err != nil {
		return nil, err
	}
	fires, runs, queue := make([]rota.Fire, 0, b.started), make([][]any, 0, b.started), make([][]any, 0, b.started)
	for i := range b.records {
		r := &b.records[i]
		d := &b.decided[r.of]
		switch {
		case r.Outcome != rota.Fired:
		case written[i] == 0: // it has an outcome: whatever the decision was, it must not run again
			d.Timer.OpenRuns--
			d.Timer.RunCount--
		default:
			d.fires++
			d.Timer.LastRunID = *r.RunID
			fires = append(fires, rota.Fire{Occurrence: r.Occurrence, Run: *r.RunID, At: b.now})
			runs = append(runs, b.runRow(&r.Occurrence, d))
			queue = append(queue, queueRow(*r.RunID, &r.ScheduleID, d.Provider, b.now.UnixMilli()))
		}
	}
	return fires, b.execAll(ctx, step{addScheduledRun, runs}, step{enqueue, queue}, step{saveState, b.timers()})
}

// timers returns the rows of the timers as they are afterwards.
func (b *batch) timers() [][]any {
	rows := make([][]any, 0, len(b.decided))
	for i := range b.decided {
		d := &b.decided[i]
		if d.fires == 0 {
			d.Timer.LastRunAt = d.before.LastRunAt
		}
		rows = append(rows, timerRow(d.Timer))
	}
	return rows
}

// A step is one statement for many rows.
type step struct {
	query string
	rows  [][]any
}

func (q Queries) execAll(ctx context.Context, steps ...step) error {
	for _, s := range steps {
		if _, err := q.db.ExecEach(ctx, s.query, s.rows); err != nil {
			return err
		}
	}
	return nil
}

// addOccurrence puts an outcome on record, an occurrenceRow. A nominal time that
// has a final outcome keeps it. Only buffered is not final; and what did not
// fire can be lined up again by a backfill.
const addOccurrence = `INSERT INTO occurrences (schedule_id, scheduled_for, scheduled_until, id, count, outcome, reason,
	run_id, trigger, lateness_ms, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (schedule_id, scheduled_for) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,
	run_id = excluded.run_id, trigger = excluded.trigger, lateness_ms = excluded.lateness_ms, recorded_at = excluded.recorded_at
	WHERE occurrences.outcome = 'buffered' AND excluded.outcome <> 'buffered'
	OR occurrences.outcome NOT IN ('buffered', 'fired') AND occurrences.count = 1 AND excluded.trigger = 'backfill'`

func occurrenceRow(o *rota.Occurrence) []any {
	var why any
	if o.Reason != nil {
		why = js(o.Reason)
	}
	return []any{
		o.ScheduleID, o.ScheduledFor.UnixMilli(), instantMS(o.ScheduledUntil), o.ID, o.Count, o.Outcome, why,
		orNull(o.RunID), o.Trigger, o.LatenessMS, o.RecordedAt.UnixMilli(),
	}
}

// addScheduledRun starts the run of an occurrence, a runRow, with the
// schedule's content. A schedule that continues a response goes on from its
// last completed run.
const addScheduledRun = `INSERT INTO runs (id, account, end_user, agent_id, schedule_id, scheduled_for, trigger, input,
	conversation, previous_response_id, metadata, created_at, phase, attempts, fire)
	SELECT ?, s.account, s.end_user, s.agent_id, s.id, ?, ?, s.input, s.conversation,
	CASE WHEN s.previous_response_id IS NOT NULL THEN COALESCE(?, s.previous_response_id) END,
	s.metadata, ?, 'queued', 0, ? FROM schedules s WHERE s.id = ?`

func (b *batch) runRow(o *rota.Occurrence, d *decided) []any {
	told := rota.FireContext{
		Timezone:  d.Timer.Spec.Timezone,
		LastRunAt: rota.InstantOrNil(d.before.LastRunAt),
		RunCount:  d.before.RunCount + d.fires,
	}
	return []any{
		*o.RunID, o.ScheduledFor.UnixMilli(), o.Trigger, orNull(&d.Timer.LastResponseID), b.now.UnixMilli(), js(told), o.ScheduleID,
	}
}
