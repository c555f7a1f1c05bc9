package enginetest

import (
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
	name string // in messages
	rota.Schedule

	plan      plan
	before    plan           // the one that this step has replaced, or the same
	walked    time.Time      // every nominal time up to here is on record
	exhausted bool           // all the runs that the plan allows have been taken
	deleted   bool           // and its last times were looked at
	stopped   bool           // it was paused or deleted at the last look too
	skips     map[int64]bool // times that are marked to be skipped
	left      time.Time      // up to here the plan before was on record when it was replaced; zero if none was
	refilled  time.Time      // the first time that a backfill of this step may change; zero if none

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

// next returns the first nominal time after another.
func (p plan) next(after time.Time) (time.Time, bool) {
	if s := p.policy.StartAt; s != nil && after.Before(s.Time) {
		after = s.Add(-time.Millisecond)
	}
	n, ok := p.cal.Next(after)
	return n, ok && (p.policy.EndAt == nil || !n.After(p.policy.EndAt.Time))
}

// has reports whether an instant is a nominal time.
func (p plan) has(at time.Time) bool {
	n, ok := p.next(at.Add(-time.Millisecond))
	return ok && n.Equal(at)
}

// due returns when a nominal time is to start.
func (p plan) due(id rota.ScheduleID, n time.Time) time.Time {
	return policy.Due(id, p.policy, n)
}

// counts reports whether a span has as many nominal times as it says.
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

// create notes what a schedule was given when it was made.
func (r *observed) create(spec rota.Spec, p rota.Policy, now time.Time) {
	r.set(rota.Some(spec), p, now)
	r.before = r.plan
	r.start(now, r.NextRunAt)
}

// start begins to look for the nominal times of a plan that is in force from now on.
func (r *observed) start(now time.Time, next *rota.Instant) {
	r.plan.made, r.walked, r.exhausted = now, now, false
	if next != nil && !next.After(now) { // it waits for its jitter, or has just passed
		r.walked = next.Add(-time.Millisecond)
	}
}

// set gives the plan a spec and a policy.
func (r *observed) set(spec rota.Opt[rota.Spec], p rota.Policy, now time.Time) {
	spec.Apply(&r.plan.spec)
	r.plan.policy = p
	if !spec.IsZero() {
		r.plan.anchor = now
	}
	var err error
	r.plan.cal, err = calendar.Parse(r.plan.spec, r.plan.anchor)
	require.NoError(r, err)
}

// replan notes that the schedule has been given a spec or a policy.
func (r *observed) replan(spec rota.Opt[rota.Spec], p rota.Policy, got rota.Schedule, now time.Time) {
	old := r.plan.policy
	changed := !spec.IsZero() || !equal(p.StartAt, old.StartAt) || !equal(p.EndAt, old.EndAt) || !equal(p.MaxRuns, old.MaxRuns) || p.JitterSeconds != old.JitterSeconds
	if !spec.IsZero() {
		clear(r.skips)
	}
	r.set(spec, p, now)
	if changed && r.Status == rota.ScheduleActive && !r.exhausted {
		r.left = r.walked
	}
	if changed {
		r.start(now, got.NextRunAt)
	}
}

// checkLeft checks that what had come of a plan that was replaced is on record,
// or still to come.
func (r *observed) checkLeft() {
	if r.left.IsZero() {
		return
	}
	for n, ok := r.before.next(r.left); ok && !n.After(r.plan.made); n, ok = r.before.next(n) {
		r.holds(r.covered(n) || r.NextRunAt != nil && n.Equal(r.NextRunAt.Time), "%s has no outcome, and the plan that it was in is over", n)
	}
	r.left = time.Time{}
}

// observe reads the schedule, and checks what has become of it since the last look.
func (r *observed) observe(now time.Time) {
	was := r.Schedule
	s, err := r.control.Schedule(r.Context(), caller, r.AgentID, r.ID, true)
	require.NoError(r, err)
	r.Schedule = s
	var begun, blocked int64
	for _, o := range r.news(was.PauseReason) {
		known, had := r.rows[o.ScheduledFor.UnixMilli()]
		r.rows[o.ScheduledFor.UnixMilli()] = o
		if had {
			r.checkChange(known, o)
		} else {
			r.checkRow(o)
		}
		if o.RunID != nil && known.RunID == nil {
			r.begin(o)
			if o.Trigger != rota.TriggerManual && !overlaps(known) { // what waits for a run to end has its place in max_runs
				begun++
			}
		}
		if o.Outcome == rota.Blocked && o.RunID != nil && known.Outcome != rota.Blocked {
			blocked++
		}
	}
	r.stopped = was.Status == r.Status
	r.checkStarts(was, begun, blocked)
	r.checkFields()
	r.checkLeft()
	if !r.deleted && r.Status != rota.SchedulePaused {
		r.checkWalk(now, r.NextRunAt)
	}
	r.deleted = r.Status == rota.ScheduleDeleted
	r.before, r.refilled = r.plan, time.Time{}
}

// news reads again the rows that may have changed since the last look. A span
// that a backfill has split is forgotten first, and what a pause kept from
// starting is on record when that is over.
func (r *observed) news(pause *rota.PauseReason) []rota.Occurrence {
	from := earlier(r.seen, r.walked).Add(-time.Minute)
	if pause != nil {
		from = earlier(from, pause.At.Time)
	}
	if !r.left.IsZero() {
		from = earlier(from, r.left)
	}
	for _, o := range r.rows {
		if x := r.stage.runs[runID(o)]; o.Outcome == rota.Buffered || x != nil && x.ended.IsZero() {
			from = earlier(from, o.ScheduledFor.Time)
		}
	}
	for _, x := range r.runs {
		if x.Attempts == 0 && x.ScheduledFor != nil && !x.checked { // it may have been blocked
			from = earlier(from, x.ScheduledFor.Time)
		}
	}
	if !r.refilled.IsZero() {
		from = earlier(from, r.refilled)
		for key, o := range r.rows {
			if o.ScheduledUntil != nil && !end(o).Before(r.refilled) {
				from = earlier(from, o.ScheduledFor.Time)
				delete(r.rows, key)
			}
		}
	}
	return r.occurrences(r, rota.OccurrenceFilter{From: from}, rota.Page{Limit: 100, Ascending: true})
}

func runID(o rota.Occurrence) rota.RunID {
	if o.RunID == nil {
		return ""
	}
	return *o.RunID
}

// checkChange checks that an outcome that is final stays as it is: only what is
// buffered gets another, what a backfill lines up, and a run that was blocked.
func (r *observed) checkChange(was, o rota.Occurrence) {
	blocked := was.Outcome == rota.Fired && o.Outcome == rota.Blocked && runID(o) == runID(was)
	backfilled := was.Outcome != rota.Fired && o.Trigger == rota.TriggerBackfill && !r.refilled.IsZero()
	r.holds(was.Outcome == o.Outcome || was.Outcome == rota.Buffered || blocked || backfilled, "%s was %s, and is %s", o.ScheduledFor, was.Outcome, o.Outcome)
}

// checkRow checks a row that is new.
func (r *observed) checkRow(o rota.Occurrence) {
	at := later(o.RecordedAt.Time, r.seen) // by a clock that may have been set back
	n := o.ScheduledFor.Time
	if o.Trigger == rota.TriggerManual {
		r.holds(o.Count == 1, "a trigger stands for %d times", o.Count)
		return
	}
	plans := []plan{r.plan, r.before}
	r.holds(!r.refilled.IsZero() || slices.ContainsFunc(plans, func(p plan) bool { return p.counts(o) }),
		"%s to %s does not stand for %d nominal times", n, end(o), o.Count)
	if o.Trigger == rota.TriggerBackfill {
		return
	}
	early := !slices.ContainsFunc(plans, func(p plan) bool { return !at.Before(p.due(r.ID, n)) })
	if o.Outcome == rota.Blocked {
		early = at.Before(end(o))
	}
	r.holds(!early && !at.Before(end(o)), "%s is %s at %s, before it is due", o.ScheduledFor, o.Outcome, o.RecordedAt)
	r.holds(o.RunID == nil || !r.skips[n.UnixMilli()], "%s is marked to be skipped, and has started", o.ScheduledFor)
	if o.Outcome == rota.MissedOutcome && r.refilled.IsZero() {
		r.holds(slices.ContainsFunc(plans, func(p plan) bool { return r.away(p.due(r.ID, n), at) }), "%s is missed, and somebody looked", o.ScheduledFor)
	}
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

// checkStarts checks that occurrences could start since the last look.
func (r *observed) checkStarts(was rota.Schedule, begun, blocked int64) {
	rested := was.Status == rota.SchedulePaused || was.Status == rota.ScheduleDeleted
	r.holds(begun == 0 || !rested || r.Status != was.Status, "it is %s, and %d times have started", r.Status, begun)
	if most := r.plan.policy.MaxRuns; most != nil && equal(most, r.before.policy.MaxRuns) {
		r.holds(begun == 0 || was.RunCount+begun <= *most+blocked, "%d runs, and %d more: max_runs is %d", was.RunCount, begun, *most)
	}
}

// overlaps reports whether an occurrence waits for another run to end.
func overlaps(o rota.Occurrence) bool {
	return o.Outcome == rota.Buffered && o.Reason.Code == "overlap"
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
			if overlaps(o) {
				overlapping++
			}
		}
	}
	r.holds(r.RunCount == count, "run_count is %d, and %d have started", r.RunCount, count)
	r.holds(overlapping <= 1, "%d times wait for a run to end", overlapping)
	open := slices.ContainsFunc(r.runs, func(x *run) bool { return x.ended.IsZero() })
	r.holds(overlapping == 0 || open, "a time waits for a run to end, and all have ended")
	active, completed := r.Status == rota.ScheduleActive, r.Status == rota.ScheduleCompleted
	r.holds(active || r.NextRunAt == nil && (waiting == 0 || completed && overlapping == 0),
		"it is %s: %d times wait, and the next is %v", r.Status, waiting, r.NextRunAt)
	r.holds(!active || waiting > 0 || r.NextRunAt != nil, "it is active, and nothing is to come")
	most := r.plan.policy.MaxRuns
	r.exhausted = r.exhausted || most != nil && started+waiting >= *most
}

// checkWalk checks that every nominal time that has come is on record, that the
// first that is not is the next, and that this one is still to start.
func (r *observed) checkWalk(now time.Time, next *rota.Instant) {
	n, ok := r.plan.next(r.walked)
	for ; ok && !n.After(now) && (next == nil || n.Before(next.Time)) && r.covered(n); n, ok = r.plan.next(n) {
		r.walked = n
	}
	if r.Status != rota.ScheduleActive {
		r.holds(!ok || n.After(now) || r.exhausted, "%s has no outcome", n)
		return
	}
	if next == nil {
		r.holds(!ok || r.exhausted, "%s is to come, and next_run_at is null", n)
		return
	}
	r.holds(ok && n.Equal(next.Time), "next_run_at is %s, and %s has no outcome", next, n)
	due := r.plan.due(r.ID, n)
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
// whichever way it is read, and that nothing waits in it any more.
func (r *observed) checkLedger() {
	rows := r.occurrences(r, rota.OccurrenceFilter{}, rota.Page{Limit: 7, Ascending: true})
	back := r.occurrences(r, rota.OccurrenceFilter{}, rota.Page{Limit: 5})
	slices.Reverse(back)
	require.Equal(r, rows, back, "%s: the record, read both ways", r.name)
	for _, o := range rows {
		was, known := r.rows[o.ScheduledFor.UnixMilli()]
		r.holds(known && was.Outcome == o.Outcome && was.Count == o.Count, "%s is %s of %d times, and was %s of %d", o.ScheduledFor, o.Outcome, o.Count, was.Outcome, was.Count)
		r.holds(o.Outcome != rota.Buffered, "%s still waits", o.ScheduledFor)
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
