package enginetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/policy"
)

// An observed schedule is what a story knows of a schedule: how it was last read,
// and what was on record of it. It predicts no outcome; it checks what must be true
// of any.
type observed struct {
	*stage
	name          string // in messages
	rota.Schedule        // as it was last read

	plan, before plan        // the one in force, and the one that this step has replaced or the same
	walked       time.Time   // every nominal time of the plan up to here is on record
	exhausted    bool        // all the runs that the plan allows have been taken
	rests        bool        // it was paused or deleted at the last look too
	dropped      []time.Time // those of the plan before that had come without an outcome
	backfilled   bool        // by this step
	from         time.Time   // what is on record before this is final

	rows map[int64]rota.Occurrence // by the first nominal time
	runs []*run
}

// A plan is where nominal times come from.
type plan struct {
	policy rota.Policy
	cal    calendar.Calendar
	anchor time.Time // of an interval without a start
	made   time.Time
	from   time.Time // its times are later
}

// next returns the first nominal time after another.
func (p plan) next(after time.Time) (time.Time, bool) {
	if s := p.policy.StartAt; s != nil && after.Before(s.Time) {
		after = s.Add(-time.Millisecond)
	}
	n, ok := p.cal.Next(after)
	return n, ok && (p.policy.EndAt == nil || !n.After(p.policy.EndAt.Time))
}

// nth returns the nominal time after as many others, or the last.
func (p plan) nth(after time.Time, others int) (time.Time, bool) {
	n, ok := p.next(after)
	for next, more := n, ok; more && others >= 0; others-- {
		n = next
		next, more = p.next(n)
	}
	return n, ok
}

// has reports whether an instant is a nominal time.
func (p plan) has(at time.Time) bool {
	n, ok := p.next(at.Add(-time.Millisecond))
	return ok && n.Equal(at)
}

// counts reports whether a row stands for as many nominal times as it says.
func (p plan) counts(o rota.Occurrence) bool {
	n, count := o.ScheduledFor.Time, int64(1)
	for ok := true; ok && n.Before(end(o)) && count <= o.Count; count++ {
		n, ok = p.next(n)
	}
	return p.has(o.ScheduledFor.Time) && n.Equal(end(o)) && count == o.Count
}

// sameTimes reports whether a policy has the same times as another.
func sameTimes(a, b rota.Policy) bool {
	times := func(p rota.Policy) []any { return []any{p.StartAt, p.EndAt, p.MaxRuns, p.JitterSeconds} }
	return reflect.DeepEqual(times(a), times(b))
}

// end returns the last nominal time that a row stands for.
func end(o rota.Occurrence) time.Time {
	if o.ScheduledUntil != nil {
		return o.ScheduledUntil.Time
	}
	return o.ScheduledFor.Time
}

func runID(o rota.Occurrence) rota.RunID {
	if o.RunID == nil {
		return ""
	}
	return *o.RunID
}

// replan notes what a call has made of the schedule: a new one, or one that has
// another policy and perhaps another spec.
func (r *observed) replan(got rota.Schedule, anew bool, now time.Time) {
	old := r.plan
	r.plan.policy = got.Policy
	if !anew && sameTimes(old.policy, got.Policy) {
		return
	}
	if anew {
		r.anchor(got.Spec, now)
	}
	for active := r.Status == rota.ScheduleActive && !r.exhausted; active; {
		n, ok := old.next(later(r.walked, last(r.dropped)))
		if active = ok && !n.After(now); active {
			r.dropped = append(r.dropped, n)
		}
	}
	r.walked, r.exhausted = now, false
	if next := got.NextRunAt; next != nil && !next.After(now) { // it waits for its jitter, or has just passed
		r.walked = next.Add(-time.Millisecond)
	}
	r.plan.made, r.plan.from = now, r.walked
}

// anchor gives the plan the times of a spec.
func (r *observed) anchor(s rota.Spec, at time.Time) {
	var err error
	r.plan.cal, err = calendar.Parse(s, at)
	require.NoError(r, err)
	r.plan.anchor = at
}

// rewind notes that the clock was set back, and that the engine has noticed. What was
// decided of times that are ahead now, and neither started nor was asked for, is off the
// record, and an interval may be counted from now.
func (r *observed) rewind() {
	now := r.wall()
	timed, err := r.store.Reader().TimedSchedule(r.Context(), caller.Owner, r.AgentID, r.ID)
	if errors.Is(err, rota.NotFound) {
		return
	}
	require.NoError(r, err)
	for n, o := range r.rows {
		if !end(o).After(now) || o.RunID != nil || o.Trigger == rota.TriggerManual || o.Outcome == rota.SkippedRequested {
			continue
		}
		delete(r.rows, n)
		r.exhausted = false
		if !o.ScheduledFor.After(now) { // a span has lost its end
			r.rows[n] = r.ledgerFrom(r.Schedule, o.ScheduledFor.Time)[0]
		}
	}
	r.walked, r.from, r.plan.from = earlier(r.walked, now), earlier(r.from, now), earlier(r.plan.from, now)
	if s := r.Spec; s.Type == rota.Interval && s.StartAt == "" && !timed.Timer.Anchor.Equal(r.plan.anchor) {
		r.anchor(s, timed.Timer.Anchor)
		r.plan.made, r.plan.from, r.walked = now, now, now
	}
}

// observe reads the schedule, and checks what has become of it since the last look.
func (r *observed) observe(now time.Time) {
	was, from, manual := r.Schedule, r.from, int64(0)
	r.Schedule = r.read(was)
	rested := was.Status == r.Status && (was.Status == rota.SchedulePaused || was.Status == rota.ScheduleDeleted)
	if r.backfilled {
		from = time.Time{}
	}
	for _, o := range r.ledgerFrom(r.Schedule, from) {
		known := r.rows[o.ScheduledFor.UnixMilli()]
		r.rows[o.ScheduledFor.UnixMilli()] = o
		r.checkRow(known, o, was)
		if o.RunID == nil || runID(known) == *o.RunID {
			continue
		}
		r.begin(o)
		r.holds(o.Trigger == rota.TriggerManual || !rested, "it was %s, and %s has started", r.Status, o.ScheduledFor)
		if o.Trigger == rota.TriggerManual {
			manual++
		}
	}
	if most := r.plan.policy.MaxRuns; most != nil {
		r.holds(r.RunCount <= max(*most, was.RunCount)+manual, "%d runs, and now %d: max_runs is %d", was.RunCount, r.RunCount, *most)
		if why := was.PauseReason; why != nil && why.At.After(r.walked) { // what waited before may have had the last run: then no time was to come
			r.walked, r.plan.from = why.At.Time, why.At.Time
		}
	}
	r.checkFields()
	if r.Status != rota.SchedulePaused && !rested {
		r.checkWalk(now)
	}
	r.rests, r.before, r.dropped, r.backfilled = rested, r.plan, nil, false
}

// checkRow checks a row that is new or may be another now. An outcome that is final
// stays: only what waits gets another, what a backfill takes up, and a run that was
// blocked.
func (r *observed) checkRow(was, o rota.Occurrence, s rota.Schedule) {
	waited, same := was.Outcome == rota.Buffered && was.Count == o.Count, was.Outcome == o.Outcome && was.Count == o.Count
	stays := runID(was) == runID(o) && (same || was.Outcome == rota.Fired && o.Outcome == rota.Blocked)
	backfilled := r.backfilled && was.Outcome != rota.Fired
	r.holds(was.Outcome == "" || waited || stays || backfilled, "%s was %s %s, and is %s %s", o.ScheduledFor, was.Outcome, runID(was), o.Outcome, runID(o))
	if o.RunID == nil && o.Outcome != was.Outcome && !r.backfilled {
		r.holds(r.excuses(r.plan, o, s) || r.excuses(r.before, o, s), "%s is %s for %v", o.ScheduledFor, o.Outcome, o.Reason)
	}
	if was.Outcome == "" && o.Trigger != rota.TriggerManual {
		counts := r.plan.counts(o) || r.before.counts(o)
		r.holds(counts && !end(o).After(r.wall()), "%s to %s are not %d nominal times that have come", o.ScheduledFor, end(o), o.Count)
		if o.Outcome != rota.Blocked && !r.backfilled {
			r.holds(r.onTime(r.plan, o) || r.onTime(r.before, o), "%s is %s at %s, before or after it was due", o.ScheduledFor, o.Outcome, o.RecordedAt)
		}
		r.holds(o.RunID == nil || !slices.Contains(s.Skips, o.ScheduledFor), "%s is marked to be skipped, and has started", o.ScheduledFor)
	}
}

// onTime reports whether a row was put on record when the first of its times was
// due by a plan, or when the plan was made; later only if nobody looked, or if it
// waited for a run to end. Nothing is missed while somebody looks.
func (r *observed) onTime(p plan, o rota.Occurrence) bool {
	due, at := policy.Due(r.ID, p.policy, o.ScheduledFor.Time), later(o.RecordedAt.Time, r.recorded)       // by a clock that may have been set back
	latest := later(o.ScheduledFor.Add(time.Duration(p.policy.JitterSeconds)*time.Second), p.made)         // one that is due later may be before it
	away := slices.ContainsFunc(r.gaps, func(g gap) bool { return due.Before(g.to) && !g.from.After(at) }) // in between
	waited := p.policy.Overlap == rota.OverlapBufferOne
	return !at.Before(due) && (away || o.Outcome != rota.MissedOutcome && (waited || !at.After(latest)))
}

// excuses reports whether a plan can be why a row's time did not start, or not yet.
func (r *observed) excuses(p plan, o rota.Occurrence, was rota.Schedule) bool {
	missed, limited, paused := p.policy.Missed, p.policy.MaxRuns != nil, was.PauseReason != nil
	late := o.RecordedAt.Sub(end(o)) > time.Duration(p.policy.MaxLatenessSeconds)*time.Second
	changed := was.Status != r.Status || was.Version != r.Version || limited || r.isDeleted(r.AgentID)
	if o.Reason.Code == "superseded" {
		newer := slices.ContainsFunc(r.runs, func(x *run) bool { return x.began.After(end(o)) })
		return missed != rota.MissedAll && (newer || len(r.ledgerFrom(r.Schedule, end(o).Add(time.Millisecond))) > 0)
	}
	return map[string]bool{
		"overlap": p.policy.Overlap != rota.OverlapAllowAll, "max_runs": limited, "not_active": changed,
		"catch_up": missed != rota.MissedSkip, "policy_skip": missed == rota.MissedSkip, "too_many": missed == rota.MissedAll,
		"too_late": late, "requested": slices.Contains(was.Skips, o.ScheduledFor),
		rota.RunErrPaused: paused, rota.RunErrAgentDeleted: paused && was.PauseReason.Code == rota.PausedByDeletion,
	}[o.Reason.Code]
}

// begin checks that the run of an occurrence is its own, and that the overlap
// policy let it begin.
func (r *observed) begin(o rota.Occurrence) {
	x := r.run(*o.RunID)
	r.holds(x.of == nil && x.ScheduleID != nil && *x.ScheduleID == r.ID && x.ScheduledFor.Equal(o.ScheduledFor.Time) && x.Trigger == o.Trigger,
		"%s has the run of another occurrence", o.ScheduledFor)
	x.of, x.began = r, later(o.RecordedAt.Time, r.seen)
	for _, other := range r.runs {
		over := !other.ended.IsZero() && !other.ended.After(x.began) || !x.ended.IsZero() && !x.ended.After(other.began)
		may := r.plan.policy.Overlap == rota.OverlapAllowAll || r.before.policy.Overlap == rota.OverlapAllowAll
		r.holds(over || may, "%s started at %s, and another run had not ended", o.ScheduledFor, x.began)
	}
	r.runs = append(r.runs, x)
}

// checkFields checks that the fields of the schedule agree with its record, and
// notes up to where that is final.
func (r *observed) checkFields() {
	var count, blocked, waiting, overlapping int64
	r.from = r.walked.Add(-time.Minute) // so long ago can the time of a once schedule be
	if r.PauseReason != nil {           // what it keeps from starting is on record when it is over
		r.from = earlier(r.from, r.PauseReason.At.Time)
	}
	for _, o := range r.rows {
		x := r.stage.runs[runID(o)]
		switch {
		case o.Outcome == rota.Fired:
			count++
		case o.RunID != nil:
			blocked++
		case o.Outcome == rota.Buffered && o.Reason.Code == "overlap":
			overlapping++
			fallthrough
		case o.Outcome == rota.Buffered:
			waiting++
		}
		if o.Outcome == rota.Buffered || x != nil && !x.checked {
			r.from = earlier(r.from, o.ScheduledFor.Time)
		}
	}
	r.holds(r.RunCount == count, "run_count is %d, and %d have started", r.RunCount, count)
	open := slices.ContainsFunc(r.runs, func(x *run) bool { return x.ended.IsZero() })
	r.holds(overlapping == 0 || overlapping == 1 && open, "%d times wait for a run to end (one has not: %t)", overlapping, open)
	active, completed := r.Status == rota.ScheduleActive, r.Status == rota.ScheduleCompleted
	r.holds(active && (waiting > 0 || r.NextRunAt != nil) || !active && r.NextRunAt == nil && (waiting == 0 || completed && overlapping == 0),
		"it is %s: %d times wait, and the next is %v", r.Status, waiting, r.NextRunAt)
	most := r.plan.policy.MaxRuns
	r.exhausted = r.exhausted || most != nil && count+blocked+waiting >= *most
}

// checkWalk checks that every nominal time that has come is on record, that the
// first that is not is the next, and that this one is still to start. Those of a
// plan that was replaced are on record too, or still to come.
func (r *observed) checkWalk(now time.Time) {
	next := r.NextRunAt
	for _, n := range r.dropped {
		r.holds(r.covered(n) || next != nil && !next.After(n) && r.plan.has(n), "%s has no outcome, and the plan that it was in is over", n)
	}
	n, ok := r.plan.next(r.walked)
	for ; ok && !n.After(now) && (next == nil || n.Before(next.Time)) && r.covered(n); n, ok = r.plan.next(n) {
		r.walked = n
	}
	if next == nil {
		r.holds(!ok || r.exhausted || r.Status != rota.ScheduleActive && n.After(now), "%s has no outcome, and next_run_at is null", n)
		return
	}
	r.holds(ok && n.Equal(next.Time), "next_run_at is %s, and %s has no outcome", next, n)
	due := policy.Due(r.ID, r.plan.policy, n)
	r.holds(due.After(now), "%s was due at %s, and nothing came of it", n, due)
}

// covered reports whether a nominal time is on record.
func (r *observed) covered(n time.Time) bool {
	if _, ok := r.rows[n.UnixMilli()]; ok {
		return true
	}
	for _, o := range r.rows {
		if o.ScheduledFor.Before(n) && !end(o).Before(n) {
			return true
		}
	}
	return false
}

// checkLedger checks that a schedule's record is what was seen of it, that nothing
// waits in it any more, and that it has each time of the last plan once.
func (r *observed) checkLedger() {
	var sum, times int64
	rows, last := r.ledger(r.Schedule), r.plan.from
	r.holds(len(rows) == len(r.rows), "%d rows on record, and %d were seen", len(rows), len(r.rows))
	for _, o := range rows {
		was := r.rows[o.ScheduledFor.UnixMilli()]
		r.holds(was.Outcome == o.Outcome && was.Count == o.Count && o.Outcome != rota.Buffered, "%s is %s of %d times, and was %s of %d", o.ScheduledFor, o.Outcome, o.Count, was.Outcome, was.Count)
		switch from := r.plan.from; {
		case o.Trigger == rota.TriggerManual || o.ScheduledFor.After(r.walked) || !r.plan.counts(o):
		case !o.ScheduledFor.After(from): // that of a pause in which the plan was made has some of its times
			r.plan.from, last = later(from, end(o)), later(from, end(o))
		default:
			r.holds(o.ScheduledFor.After(last), "%s is on record twice", o.ScheduledFor)
			last, sum = end(o), sum+o.Count
		}
	}
	for n, ok := r.plan.next(r.plan.from); ok && !n.After(r.walked); n, ok = r.plan.next(n) {
		times++
	}
	r.holds(sum == times, "%d times on record, and %d have come", sum, times)
}

// holds fails unless what must be is.
func (r *observed) holds(ok bool, otherwise string, args ...any) {
	r.Helper()
	if !ok {
		for _, o := range r.ledger(r.Schedule) {
			r.logf("%s to %v, %d: %s %v by %s at %s, %+v", o.ScheduledFor, o.ScheduledUntil, o.Count, o.Outcome, o.Reason, o.Trigger, o.RecordedAt, o.Run)
		}
		require.FailNow(r, r.name+": "+fmt.Sprintf(otherwise, args...))
	}
}
