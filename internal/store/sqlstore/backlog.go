package sqlstore

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// backlogLook bounds how many timers one call looks at. Those that it leaves
// do not hold up the others for long: what waits too long is given up.
const backlogLook = 100

// FireBacklog takes timers whose backlog may go on, those with the newest
// first, and does with the oldest occurrence of each what decide says, until
// limit runs have started. It reports whether it left any that decide has
// not refused.
func (q Queries) FireBacklog(ctx context.Context, now time.Time, limit int, decide rota.DecideBacklog) ([]rota.Fire, bool, error) {
	waiting, err := all(ctx, q.db, scanBacklog, `SELECT `+timerColumns+`, `+nextModel+`, `+occurrenceColumns+`,
		(SELECT MAX(n.scheduled_for) FROM occurrences n WHERE n.schedule_id = o.schedule_id AND n.scheduled_for > o.scheduled_for AND n.outcome = 'fired')
		FROM timers t JOIN agents a ON a.id = t.agent_id JOIN occurrences o ON o.schedule_id = t.schedule_id AND o.scheduled_for =
		(SELECT MIN(w.scheduled_for) FROM occurrences w WHERE w.schedule_id = t.schedule_id AND w.outcome <> 'fired' AND w.outcome = 'buffered')
		WHERE t.catch_up IS NOT NULL AND a.deleted_at IS NULL AND (t.end_user = a.end_user OR NOT `+notShared+`) ORDER BY t.catch_up DESC, t.schedule_id DESC LIMIT ?`+q.lockAny("t"), backlogLook)
	if err != nil {
		return nil, false, err
	}
	b := q.newBatch(now, len(waiting))
	left := false
	for _, w := range waiting {
		if b.started >= limit {
			left = true
			break
		}
		if d, ok := decide(w.timer, w.oldest); ok {
			b.add(w.timer, d)
			left = left || !d.Timer.CatchUp().IsZero()
		}
	}
	fires, err := b.write(ctx)
	return fires, left || len(b.decided) > 0 && len(waiting) == backlogLook, err
}

// A backlog is a timer and the oldest occurrence that waits in it.
type backlog struct {
	timer  rota.Timer
	oldest rota.Occurrence
}

func scanBacklog(row Scanner) (backlog, error) {
	var b backlog
	timer, timerDone := timerDest(&b.timer)
	occurrence, occurrenceDone := occurrenceDest(&b.oldest)
	var ran msTime
	err := row.Scan(append(append(append(timer, &b.timer.Model), occurrence...), &ran)...)
	timerDone()
	occurrenceDone()
	b.timer.RanFor = ran.Time
	return b, err
}
