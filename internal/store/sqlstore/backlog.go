package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// backlogLook bounds how many timers one call looks at. Those that it leaves
// do not hold up the others for long: what waits too long is given up.
const backlogLook = 100

// FireBacklog implements [rota.Queue].
func (q Queries) FireBacklog(ctx context.Context, now time.Time, limit int, decide rota.DecideBacklog) ([]rota.Fire, bool, error) {
	timers, err := all(ctx, q.db, scanTimer, `SELECT `+timerColumns+`, a.model FROM timers t JOIN agents a ON a.id = t.agent_id
		WHERE t.catch_up IS NOT NULL ORDER BY t.catch_up DESC, t.schedule_id DESC LIMIT ?`, backlogLook)
	if err != nil {
		return nil, false, err
	}
	b := batch{Queries: q, now: now}
	acted, left := false, false
	for _, t := range timers {
		if len(b.fires) >= limit {
			return b.fires, true, nil
		}
		d, err := b.fireOldest(ctx, t, decide)
		if err != nil {
			return nil, false, err
		}
		acted = acted || d != nil
		left = left || d != nil && !d.Timer.CatchUp().IsZero()
	}
	return b.fires, left || acted && len(timers) == backlogLook, nil
}

// fireOldest does with the oldest occurrence in a timer's backlog what decide
// says. It returns the decision, or nil if there is none yet.
func (b *batch) fireOldest(ctx context.Context, t rota.Timer, decide rota.DecideBacklog) (*rota.Decision, error) {
	waiting, err := all(ctx, b.db, scanOccurrence, `SELECT `+occurrenceColumns+` FROM occurrences o
		WHERE o.schedule_id = ? AND o.outcome <> 'fired' AND o.outcome = 'buffered' ORDER BY o.scheduled_for LIMIT 1`, t.ScheduleID)
	if err != nil || len(waiting) == 0 {
		return nil, err
	}
	d, ok := decide(t, waiting[0])
	if !ok {
		return nil, nil
	}
	return &d, b.fire(ctx, t, d)
}

// Record implements [rota.ScheduleWriter].
func (q Queries) Record(ctx context.Context, outcomes []rota.Occurrence) error {
	for _, o := range outcomes {
		o.ID = occurrenceID(o.ScheduleID, o.ScheduledFor)
		if _, err := q.addOccurrence(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// SplitSpan implements [rota.ScheduleWriter].
func (q Queries) SplitSpan(ctx context.Context, id rota.ScheduleID, at rota.Instant, parts []rota.Occurrence) error {
	n, err := q.db.Exec(ctx, `DELETE FROM occurrences WHERE schedule_id = ? AND scheduled_for = ? AND scheduled_until IS NOT NULL`,
		id, at.UnixMilli())
	if err := must("span", n, err); err != nil {
		return err
	}
	return q.Record(ctx, parts)
}
