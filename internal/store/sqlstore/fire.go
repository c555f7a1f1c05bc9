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

// A record is an occurrence, the index of the decision that it is of, and
// whether it was written.
type record struct {
	rota.Occurrence
	of      int
	written bool
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
		b.records = append(b.records, record{Occurrence: o, of: len(b.decided)})
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
	if err := b.putOnRecord(ctx); err != nil {
		return nil, err
	}
	fires, runs, queue := make([]rota.Fire, 0, b.started), make([][]any, 0, b.started), make([][]any, 0, b.started)
	for i := range b.records {
		r := &b.records[i]
		d := &b.decided[r.of]
		switch {
		case r.Outcome != rota.Fired:
		case !r.written: // it has an outcome: whatever the decision was, it must not run again
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
	_, err := b.db.ExecEach(ctx, Step{addScheduledRun, runs}, Step{enqueue, queue}, Step{saveState, b.timers()})
	return fires, err
}

// putOnRecord writes the occurrences. That one was not is rare, and which is
// then asked.
func (b *batch) putOnRecord(ctx context.Context) error {
	occurrences := make([]rota.Occurrence, 0, len(b.records))
	for i := range b.records {
		occurrences = append(occurrences, b.records[i].Occurrence)
	}
	n, err := b.addOccurrences(ctx, occurrences)
	for i := 0; i < len(b.records) && err == nil; i++ {
		r := &b.records[i]
		if r.written = int(n) == len(occurrences); !r.written && r.Outcome == rota.Fired {
			r.written, err = b.onRecord(ctx, &r.Occurrence)
		}
	}
	return err
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

// addScheduledRun starts the run of an occurrence, a runRow, with the
// schedule's content. A schedule that continues a response goes on from its
// last completed run.
const addScheduledRun = `INSERT INTO runs (id, account, end_user, agent_id, schedule_id, scheduled_for, trigger, input,
	conversation, previous_response_id, metadata, created_at, phase, attempts, fire)
	SELECT ?, s.account, s.end_user, s.agent_id, s.id, ?, ?, s.input, s.conversation,
	CASE WHEN s.previous_response_id IS NOT NULL THEN COALESCE(?, s.previous_response_id) END,
	s.metadata, ?, 'queued', 0, ? FROM schedules s` + andEach + `WHERE s.id = ?`

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
