package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/policy"
)

// An observed schedule is what a story knows of a schedule: what callers asked
// for, and what the API showed of it so far. It predicts no outcome; it holds
// what must be true of any of them.
type observed struct {
	*stage
	name          string // in messages
	rota.Schedule        // as it was last read

	plan, before plan           // the one in force, and the one that this step has replaced or the same
	walked       time.Time      // every nominal time up to here is on record
	exhausted    bool           // all the runs that the plan allows have been taken
	rests        bool           // it was paused or deleted at the last look too
	skips        map[int64]bool // times that are marked to be skipped
	dropped      []time.Time    // those of a plan that this step has replaced that had come without an outcome
	backfilled   time.Time      // the first time that a backfill of this step may change; zero if none

	rows map[int64]rota.Occurrence // by the first nominal time
	runs []*run
}

// A plan is where nominal times come from.
type plan struct {
	spec   rota.Spec
	policy rota.Policy
	anchor time.Time
	cal    calendar.Calendar
	made   time.Time
}

// with returns the schedule's plan with a spec, if there is one, and a policy.
func (r *observed) with(spec rota.Opt[rota.Spec], p rota.Policy, now time.Time) plan {
	next := r.plan
	if spec.Apply(&next.spec); !spec.IsZero() {
		next.anchor = now
	}
	next.policy, next.made = p, now
	var err error
	next.cal, err = calendar.Parse(next.spec, next.anchor)
	require.NoError(r, err)
	return next
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

// leavesTime reports whether a schedule that has the plan from now on has a time
// to come. That of once may have just passed.
func (p plan) leavesTime(now time.Time) bool {
	if p.spec.Type == rota.Once {
		now = now.Add(-time.Minute)
	}
	_, ok := p.next(now)
	return ok
}

// has reports whether an instant is a nominal time.
func (p plan) has(at time.Time) bool {
	n, ok := p.next(at.Add(-time.Millisecond))
	return ok && n.Equal(at)
}

// counts reports whether a row stands for as many nominal times as it says.
func (p plan) counts(o rota.Occurrence) bool {
	n, count := o.ScheduledFor.Time, int64(1)
	for ok := true; n.Before(end(o)) && count <= o.Count; count++ {
		if n, ok = p.next(n); !ok {
			return false
		}
	}
	return p.has(o.ScheduledFor.Time) && n.Equal(end(o)) && count == o.Count
}

// end returns the last nominal time that a row stands for.
func end(o rota.Occurrence) time.Time {
	if o.ScheduledUntil != nil {
		return o.ScheduledUntil.Time
	}
	return o.ScheduledFor.Time
}

// start begins to look for the nominal times of a plan that is in force from now on.
func (r *observed) start(now time.Time) {
	r.walked, r.exhausted = now, false
	if next := r.NextRunAt; next != nil && !next.After(now) { // it waits for its jitter, or has just passed
		r.walked = next.Add(-time.Millisecond)
	}
}

// replan notes that the schedule has been given another plan.
func (r *observed) replan(next plan, anew bool, nextRunAt *rota.Instant) {
	a, b := r.plan.policy, next.policy
	if !anew && equal(a.StartAt, b.StartAt) && equal(a.EndAt, b.EndAt) && equal(a.MaxRuns, b.MaxRuns) && a.JitterSeconds == b.JitterSeconds {
		next.made, r.plan = r.plan.made, next
		return
	}
	for n, ok := r.plan.next(r.walked); ok && !n.After(next.made) && r.Status == rota.ScheduleActive && !r.exhausted; n, ok = r.plan.next(n) {
		r.dropped = append(r.dropped, n)
	}
	if anew {
		clear(r.skips)
	}
	r.plan, r.NextRunAt = next, nextRunAt
	r.start(next.made)
}

// rewind notes that the clock was set back, and that the engine has noticed. What was
// decided of times that are ahead now, and neither started nor was asked for, is off the
// record, and an interval may be counted from now.
func (r *observed) rewind() {
	timed, err := r.store.Reader().TimedSchedule(r.Context(), caller.Owner, r.AgentID, r.ID)
	if errors.Is(err, rota.NotFound) {
		return
	}
	require.NoError(r, err)
	now := r.wall()
	for n, o := range r.rows {
		if !end(o).After(now) || o.RunID != nil || o.Trigger == rota.TriggerManual || o.Outcome == rota.SkippedRequested {
			continue
		}
		delete(r.rows, n)
		r.exhausted = false
		if !o.ScheduledFor.After(now) { // a span has lost its end
			f := rota.OccurrenceFilter{From: o.ScheduledFor.Time, To: o.ScheduledFor.Time}
			r.rows[n] = r.occurrences(r, f, rota.Page{Limit: 1})[0]
		}
	}
	r.walked = earlier(r.walked, now)
	if anchor := timed.Timer.Anchor; !anchor.Equal(r.plan.anchor) && r.plan.spec.Type == rota.Interval && r.plan.spec.StartAt == "" {
		r.plan.anchor, r.plan.made, r.walked = anchor, now, now
		r.plan.cal, err = calendar.Parse(r.plan.spec, anchor)
		require.NoError(r, err)
	}
}

// observe reads the schedule, and checks what has become of it since the last look.
func (r *observed) observe(now time.Time) {
	was := r.Schedule
	r.Schedule = r.read(was)
	rested := was.Status == r.Status && (was.Status == rota.SchedulePaused || was.Status == rota.ScheduleDeleted)
	got := r.news(was)
	r.checkSplits(got)
	manual := int64(0)
	for _, o := range got {
		known := r.rows[o.ScheduledFor.UnixMilli()]
		r.rows[o.ScheduledFor.UnixMilli()] = o
		r.checkChange(known, o)
		part := !r.backfilled.IsZero() && o.Trigger != rota.TriggerBackfill // of a span that was split
		if o.Outcome != known.Outcome && o.RunID == nil && !part {
			r.holds(r.excused(o, was, r.plan) || r.excused(o, was, r.before), "%s is %s for %v", o.ScheduledFor, o.Outcome, o.Reason)
		}
		if o.RunID != nil && (known.RunID == nil || *known.RunID != *o.RunID) {
			r.begin(o)
			if o.Trigger == rota.TriggerManual {
				manual++
			}
			r.holds(o.Trigger == rota.TriggerManual || !rested, "it was %s, and %s has started", r.Status, o.ScheduledFor)
		}
	}
	if most := r.plan.policy.MaxRuns; most != nil {
		r.holds(r.RunCount <= max(*most, was.RunCount)+manual, "%d runs, and now %d: max_runs is %d", was.RunCount, r.RunCount, *most)
	}
	r.checkFields()
	if r.plan.policy.MaxRuns != nil && was.PauseReason != nil {
		// Before the pause, what waited may have had the last run: then no time was to come.
		r.walked = later(r.walked, was.PauseReason.At.Time)
	}
	if r.Status != rota.SchedulePaused && !rested {
		r.checkWalk(now, r.NextRunAt)
	}
	r.rests, r.before, r.dropped, r.backfilled = rested, r.plan, nil, time.Time{}
}

// news reads the rows that are new or may have changed since the last look.
func (r *observed) news(was rota.Schedule) []rota.Occurrence {
	from := earlier(r.seen, r.walked).Add(-time.Minute)
	if was.PauseReason != nil { // what it kept from starting is on record when it is over
		from = earlier(from, was.PauseReason.At.Time)
	}
	for _, n := range r.dropped {
		from = earlier(from, n)
	}
	for _, o := range r.rows {
		x := r.stage.runs[runID(o)]
		split := o.ScheduledUntil != nil && !r.backfilled.IsZero() && !end(o).Before(r.backfilled)
		if o.Outcome == rota.Buffered || x != nil && !x.checked || split {
			from = earlier(from, o.ScheduledFor.Time)
		}
	}
	if !r.backfilled.IsZero() {
		from = earlier(from, r.backfilled)
	}
	return r.occurrences(r, rota.OccurrenceFilter{From: from}, rota.Page{Limit: 100, Ascending: true})
}

func runID(o rota.Occurrence) rota.RunID {
	if o.RunID == nil {
		return ""
	}
	return *o.RunID
}

// checkSplits checks that a span that a backfill has split has lost no time. One
// that is from before the spec may stay whole: its times are others.
func (r *observed) checkSplits(got []rota.Occurrence) {
	for _, span := range r.rows {
		if r.backfilled.IsZero() || span.ScheduledUntil == nil || end(span).Before(r.backfilled) {
			continue
		}
		count, whole := int64(0), false
		for _, o := range got {
			_, known := r.rows[o.ScheduledFor.UnixMilli()]
			within := !o.ScheduledFor.Before(span.ScheduledFor.Time) && !o.ScheduledFor.After(end(span))
			first := o.ScheduledFor.Equal(span.ScheduledFor.Time)
			whole = whole || first && o.Count == span.Count
			if within && o.Trigger != rota.TriggerManual && (!known || first) {
				count += o.Count
			}
		}
		r.holds(count == span.Count || whole && span.ScheduledFor.Before(r.plan.anchor),
			"%s to %s stood for %d times, and a backfill has made %d of them", span.ScheduledFor, end(span), span.Count, count)
	}
}

// checkChange checks a row that is new or was another. An outcome that is final
// stays as it is: only what is buffered gets another, what a backfill lines up,
// and a run that was blocked.
func (r *observed) checkChange(was, o rota.Occurrence) {
	if was.Outcome == "" {
		r.checkRow(o)
		return
	}
	same := was.Outcome == o.Outcome && (was.RunID == nil || runID(was) == runID(o)) && (was.Count == o.Count || !r.backfilled.IsZero())
	waited := was.Outcome == rota.Buffered && was.Count == o.Count
	blocked := was.Outcome == rota.Fired && o.Outcome == rota.Blocked && runID(o) == runID(was)
	backfilled := was.Outcome != rota.Fired && o.Trigger == rota.TriggerBackfill && !r.backfilled.IsZero()
	r.holds(same || waited || blocked || backfilled, "%s was %s %s, and is %s %s", o.ScheduledFor, was.Outcome, runID(was), o.Outcome, runID(o))
}

// checkRow checks a row that is new: the times that it stands for, and that it is
// on record when the first is due, or when a plan that has it was made.
func (r *observed) checkRow(o rota.Occurrence) {
	at := later(o.RecordedAt.Time, r.recorded) // by a clock that may have been set back
	if o.Trigger == rota.TriggerManual {
		r.holds(o.Count == 1, "a trigger stands for %d times", o.Count)
		return
	}
	plans, n := []plan{r.plan, r.before}, o.ScheduledFor.Time
	r.holds(slices.ContainsFunc(plans, func(p plan) bool { return p.counts(o) }), "%s to %s are not %d nominal times", n, end(o), o.Count)
	r.holds(!at.Before(end(o)) && !at.After(r.wall()), "%s is %s at %s", o.ScheduledFor, o.Outcome, at)
	if o.Trigger == rota.TriggerBackfill || o.Outcome == rota.Blocked || !r.backfilled.IsZero() && o.Outcome == rota.MissedOutcome {
		return
	}
	onTime := slices.ContainsFunc(plans, func(p plan) bool {
		due := policy.Due(r.ID, p.policy, n)
		latest := later(n.Add(time.Duration(p.policy.JitterSeconds)*time.Second), p.made) // one that is due later may be before it in line
		waited := p.policy.Overlap == rota.OverlapBufferOne                               // for a run to end
		return !at.Before(due) && (r.away(due, at) || o.Outcome != rota.MissedOutcome && (!at.After(latest) || waited))
	})
	r.holds(onTime, "%s is %s at %s, before or after it was due", o.ScheduledFor, o.Outcome, at)
	r.holds(o.RunID == nil || !r.skips[n.UnixMilli()], "%s is marked to be skipped, and has started", o.ScheduledFor)
}

// excused reports whether a reason not to start can be that of a row, under a plan.
func (r *observed) excused(o rota.Occurrence, was rota.Schedule, p plan) bool {
	late := o.RecordedAt.Sub(end(o)) > time.Duration(p.policy.MaxLatenessSeconds)*time.Second
	changed := was.Status != r.Status || was.Version != r.Version || p.policy.MaxRuns != nil || r.isDeleted(r.AgentID)
	paused := was.PauseReason != nil
	absent := paused && was.PauseReason.Code == rota.PausedByDeletion && !r.isDeleted(r.AgentID)
	return map[string]bool{
		"overlap":  p.policy.Overlap != rota.OverlapAllowAll,
		"catch_up": p.policy.Missed != rota.MissedSkip, "backfill": !r.backfilled.IsZero(),
		"policy_skip": p.policy.Missed == rota.MissedSkip, "superseded": p.policy.Missed != rota.MissedAll,
		"too_many": p.policy.Missed == rota.MissedAll, "too_late": late,
		"requested": r.skips[o.ScheduledFor.UnixMilli()], "max_runs": p.policy.MaxRuns != nil,
		"not_active": changed, rota.RunErrPaused: paused, rota.RunErrAgentDeleted: absent,
	}[o.Reason.Code]
}

// away reports whether nobody looked for a while between two instants.
func (s *stage) away(from, to time.Time) bool {
	return slices.ContainsFunc(s.gaps, func(g gap) bool { return from.Before(g.to) && !g.from.After(to) })
}

// begin checks that the run of an occurrence is its own, and that the overlap
// policy let it begin.
func (r *observed) begin(o rota.Occurrence) {
	x := r.run(*o.RunID)
	r.holds(x.of == nil, "%s has the run of another occurrence", o.ScheduledFor)
	r.holds(x.ScheduleID != nil && *x.ScheduleID == r.ID && x.ScheduledFor.Equal(o.ScheduledFor.Time) && x.Trigger == o.Trigger,
		"the run of %s says that it is of another occurrence", o.ScheduledFor)
	x.of, x.began = r, later(o.RecordedAt.Time, r.seen)
	for _, other := range r.runs {
		over := !other.ended.IsZero() && !other.ended.After(x.began) || !x.ended.IsZero() && !x.ended.After(other.began)
		may := r.plan.policy.Overlap == rota.OverlapAllowAll || r.before.policy.Overlap == rota.OverlapAllowAll
		r.holds(over || may, "%s started at %s, and another run had not ended", o.ScheduledFor, x.began)
	}
	r.runs = append(r.runs, x)
}

// checkFields checks that the fields of the schedule agree with its record.
func (r *observed) checkFields() {
	var started, count, waiting, overlapping int64
	for _, o := range r.rows {
		if o.RunID != nil {
			started++
			if o.Outcome != rota.Blocked {
				count++
			}
		}
		if o.Outcome == rota.Buffered {
			waiting++
			if o.Reason.Code == "overlap" {
				overlapping++
			}
		}
	}
	r.holds(r.RunCount == count, "run_count is %d, and %d have started", r.RunCount, count)
	open := slices.ContainsFunc(r.runs, func(x *run) bool { return x.ended.IsZero() })
	r.holds(overlapping == 0 || overlapping == 1 && open, "%d times wait for a run to end (one has not: %t)", overlapping, open)
	active, completed := r.Status == rota.ScheduleActive, r.Status == rota.ScheduleCompleted
	r.holds(active || r.NextRunAt == nil && (waiting == 0 || completed && overlapping == 0),
		"it is %s: %d times wait, and the next is %v", r.Status, waiting, r.NextRunAt)
	r.holds(!active || waiting > 0 || r.NextRunAt != nil, "it is active, and nothing is to come")
	most := r.plan.policy.MaxRuns
	r.exhausted = r.exhausted || most != nil && started+waiting >= *most
}

// checkWalk checks that every nominal time that has come is on record, that the
// first that is not is the next, and that this one is still to start. Those of a
// plan that was replaced are on record too, or still to come.
func (r *observed) checkWalk(now time.Time, next *rota.Instant) {
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
		if o.ScheduledUntil != nil && o.ScheduledFor.Before(n) && !end(o).Before(n) {
			return true
		}
	}
	return false
}

// checkLedger checks that a schedule's whole record is what was seen of it,
// whichever way it is read, that nothing waits in it any more, and that no time of
// its last plan is on record twice.
func (r *observed) checkLedger() {
	rows := r.occurrences(r, rota.OccurrenceFilter{}, rota.Page{Limit: 7, Ascending: true})
	back := r.occurrences(r, rota.OccurrenceFilter{}, rota.Page{Limit: 5})
	slices.Reverse(back)
	require.Equal(r, rows, back, "%s: the record, read both ways", r.name)
	var last time.Time
	for _, o := range rows {
		was := r.rows[o.ScheduledFor.UnixMilli()]
		r.holds(was.Outcome == o.Outcome && was.Count == o.Count && o.Outcome != rota.Buffered, "%s is %s of %d times, and was %s of %d", o.ScheduledFor, o.Outcome, o.Count, was.Outcome, was.Count)
		if o.Trigger != rota.TriggerManual && !o.ScheduledFor.Before(r.plan.made) {
			r.holds(o.ScheduledFor.After(last), "%s is on record twice", o.ScheduledFor)
			last = end(o)
		}
	}
	r.holds(len(rows) == len(r.rows), "%d rows on record, and %d were seen", len(rows), len(r.rows))
}

// holds fails unless what must be is.
func (r *observed) holds(ok bool, otherwise string, args ...any) {
	r.Helper()
	if !ok {
		require.FailNow(r, r.name+": "+fmt.Sprintf(otherwise, args...))
	}
}
