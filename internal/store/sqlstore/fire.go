package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/rota-run/rota"
)

// A batch is what was decided of timers that fall due together. It is written
// all at once, so that a database across a network is asked as often for many
// as for one.
type batch struct {
	Queries
	now     time.Time
	decided []decided
	records []rota.Occurrence
	of      []int // the index of the decision that each record is of
	started int   // records that start a run
}

// decided is a timer, what was decided of it, and how many runs came of that.
type decided struct {
	before rota.Timer
	rota.Decision
	fires int64
}

// newBatch returns a batch for so many timers.
func (q Queries) newBatch(now time.Time, timers int) *batch {
	return &batch{
		Queries: q, now: now,
		decided: make([]decided, 0, timers), records: make([]rota.Occurrence, 0, timers), of: make([]int, 0, timers),
	}
}

func (b *batch) add(before rota.Timer, d rota.Decision) {
	for _, o := range d.Records {
		o.Object, o.ID = rota.ObjectOccurrence, rota.OccurrenceIDAt(o.ScheduleID, o.ScheduledFor)
		if o.Outcome == rota.Fired {
			id := b.newRunID()
			o.RunID, o.RunIDs = &id, []rota.RunID{id}
		}
		b.records, b.of = append(b.records, o), append(b.of, len(b.decided))
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
	for why, schedules := range b.givenUp() {
		if err := b.GiveUp(ctx, schedules, why); err != nil {
			return nil, err
		}
	}
	fires, start := b.start(nil)
	void, err := b.record(ctx, b.records, start)
	if err != nil || len(void) == 0 {
		return fires, err
	}
	return b.startAgain(ctx, fires, void)
}

// startAgain is for the rare batch of which a nominal time had its outcome
// already: it takes back what was started, and starts what is on record.
func (b *batch) startAgain(ctx context.Context, fires []rota.Fire, void map[int]bool) ([]rota.Fire, error) {
	runs := make([][]any, 0, len(fires))
	for _, f := range fires {
		runs = append(runs, []any{f.Run})
	}
	fires, start := b.start(void)
	return fires, b.db.Write(ctx, append([]Step{
		{`DELETE FROM open_runs WHERE run_id IN (SELECT ?` + fromEach + `)`, runs},
		{`DELETE FROM runs WHERE id IN (SELECT ?` + fromEach + `)`, runs},
	}, start...)...)
}

// start returns the runs of the batch, except those that are void, and the steps
// that start them and write the timers. Whatever the decision was, a nominal
// time that has an outcome must not run again.
func (b *batch) start(void map[int]bool) ([]rota.Fire, []Step) {
	fires, runs, queue := make([]rota.Fire, 0, b.started), make([][]any, 0, b.started), make([][]any, 0, b.started)
	all := slices.Clone(b.decided)
	for i := range b.records {
		o, d := &b.records[i], &all[b.of[i]]
		switch {
		case o.Outcome != rota.Fired:
		case void[i]:
			d.Timer = d.Timer.WithoutRun()
		default:
			d.fires++
			d.Timer.LastRunID = *o.RunID
			fires = append(fires, rota.Fire{Occurrence: *o, Run: *o.RunID, At: b.now})
			runs = append(runs, b.runRow(o, d))
			queue = append(queue, queueRow(*o.RunID, &o.ScheduleID, d.before.Owner, d.Provider, b.now.UnixMilli()))
		}
	}
	return fires, []Step{{addScheduledRun, runs}, {enqueue, queue}, b.saveState(timersAfter(all)...)}
}

// givenUp returns the schedules in which something waits that will not start, by the
// reason. Of several reasons for one batch there is no order that matters.
func (b *batch) givenUp() map[rota.Reason][]rota.ScheduleID {
	var of map[rota.Reason][]rota.ScheduleID
	for i := range b.decided {
		d := &b.decided[i]
		if d.GivenUp == nil {
			continue
		}
		if of == nil {
			of = make(map[rota.Reason][]rota.ScheduleID)
		}
		of[*d.GivenUp] = append(of[*d.GivenUp], d.Timer.ScheduleID)
	}
	return of
}

// timersAfter returns the timers as they are after what was decided of them.
func timersAfter(all []decided) []rota.Timer {
	timers := make([]rota.Timer, 0, len(all))
	for i := range all {
		d := &all[i]
		if d.fires == 0 {
			d.Timer.LastRunAt = d.before.LastRunAt
		}
		timers = append(timers, d.Timer)
	}
	return timers
}

// addScheduledRun starts the run of an occurrence, a runRow, with the
// schedule's content, the version of its agent that it is pinned to or else the one
// that the agent has, and the trigger that is on record. A schedule that continues a response goes on from its last completed run.
const addScheduledRun = `INSERT INTO runs (id, account, end_user, agent_id, agent_version, function_tools, schedule_id, schedule_version, scheduled_for, trigger, input,
	conversation, previous_response_id, context_management, guest, metadata, created_at, phase, attempts, fire)
	SELECT ?, s.account, s.end_user, s.agent_id, COALESCE(?, a.version), (` + functionsOf + `COALESCE(?, a.version)), s.id, ?, ?,
	(SELECT o.trigger FROM occurrences o WHERE o.schedule_id = s.id AND o.scheduled_for = ?), s.input, s.conversation,
	CASE WHEN s.previous_response_id IS NOT NULL THEN COALESCE(?, s.previous_response_id) END,
	s.context_management, a.end_user <> s.end_user, s.metadata, ?, 'queued', 0, ? FROM schedules s JOIN agents a ON a.id = s.agent_id` + andEach + `WHERE s.id = ?`

func (b *batch) runRow(o *rota.Occurrence, d *decided) []any {
	fireContext := rota.FireContext{
		Timezone:  d.Timer.Spec.Timezone,
		LastRunAt: rota.InstantOrNil(d.before.LastRunAt),
		RunCount:  d.before.RunCount + d.fires,
	}
	at := o.ScheduledFor.UnixMilli()
	return []any{
		*o.RunID, d.Timer.AgentVersion, d.Timer.AgentVersion, d.Timer.ScheduleVersion, at, at, orNull(&d.Timer.LastResponseID), b.now.UnixMilli(), js(fireContext), o.ScheduleID,
	}
}
