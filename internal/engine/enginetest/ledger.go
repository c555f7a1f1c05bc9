package enginetest

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/policy"
)

// An observed schedule is what a story knows of a schedule: how it was last read, which
// plans it had, and its runs. It predicts no outcome. When the story ends, it is held
// against the record.
type observed struct {
	*stage
	name          string        // in messages
	rota.Schedule               // as it was last read
	was           rota.Schedule // at the look before

	plans      []plan // the last is in force
	demands    []demand
	walked     time.Time      // up to here, the demands speak of all times of the plan
	rests      bool           // it was paused or deleted at the last look too
	paused     bool           // it has ever been
	marks      []rota.Instant // that were ever seen
	manual     int64          // runs of triggers since the last look
	mayCatchUp bool           // a time waits that may start when there is a worker
	runs       []*run
	madeUp     map[time.Time]int64 // runs of times that were missed, by when the gap began
}

// A plan is where nominal times come from, and what is to become of them.
type plan struct {
	rota.Policy
	cal         calendar.Calendar
	made, until time.Time // until is zero while it is in force
}

// A demand says that each nominal time of a plan, after one instant and up to another,
// must be on record when the story ends.
type demand struct {
	plan     plan
	from, to time.Time
}

// next returns the first nominal time after another.
func (p plan) next(after time.Time) (time.Time, bool) {
	if s := p.StartAt; s != nil && after.Before(s.Time) {
		after = s.Add(-time.Millisecond)
	}
	n, ok := p.cal.Next(after)
	return n, ok && (p.EndAt == nil || !n.After(p.EndAt.Time))
}

// counts reports whether a row stands for as many nominal times as it says.
func (p plan) counts(o rota.Occurrence) bool {
	n, ok := p.next(o.ScheduledFor.Add(-time.Millisecond))
	first, count := n, int64(1)
	for ; ok && n.Before(end(o)) && count <= o.Count; count++ {
		n, ok = p.next(n)
	}
	return ok && first.Equal(o.ScheduledFor.Time) && n.Equal(end(o)) && count == o.Count
}

// end returns the last nominal time that a row stands for.
func end(o rota.Occurrence) time.Time {
	if o.ScheduledUntil != nil {
		return o.ScheduledUntil.Time
	}
	return o.ScheduledFor.Time
}

// plan returns the plan in force.
func (r *observed) plan() plan { return r.plans[len(r.plans)-1] }

// between reports whether something is true of a plan that was in force between two
// instants, by a clock that may have been set back.
func (r *observed) between(from, to time.Time, is func(plan) bool) bool {
	from, to = from.Add(-longestSetBack), to.Add(longestSetBack)
	return slices.ContainsFunc(r.plans, func(p plan) bool {
		return !p.made.After(to) && (p.until.IsZero() || !p.until.Before(from)) && is(p)
	})
}

// replan notes the plan of the schedule if it is another. What has come by the old one
// must be on record, but what comes by the new one is only what is after now, or what
// waits for its jitter.
func (r *observed) replan(now time.Time) {
	timed, err := r.store.Reader().TimedSchedule(r.Context(), caller.Owner, r.AgentID, r.ID)
	if errors.Is(err, rota.NotFound) {
		return
	}
	require.NoError(r, err)
	t := timed.Timer
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	require.NoError(r, err)
	if n := len(r.plans); n > 0 {
		old := &r.plans[n-1]
		if old.cal == cal && reflect.DeepEqual(old.Policy, t.Policy) {
			return
		}
		old.until = now
		if r.NextRunAt != nil {
			r.demand(now)
		}
	}
	r.plans = append(r.plans, plan{Policy: t.Policy, cal: cal, made: now})
	if r.walked = now; !t.NextRunAt.IsZero() && !t.NextRunAt.After(now) {
		r.walked = t.NextRunAt.Add(-time.Millisecond)
	}
}

// demand notes that every time of the plan up to an instant must be on record.
func (r *observed) demand(to time.Time) {
	if to.After(r.walked) {
		r.demands = append(r.demands, demand{r.plan(), r.walked, to})
		r.walked = to
	}
}

// rewind notes that the clock was set back, and that the engine has noticed. Times that
// are ahead now come once more, and an interval may be counted from now.
func (r *observed) rewind(now time.Time) {
	for i := range r.demands {
		r.demands[i].to = earlier(r.demands[i].to, now)
	}
	r.walked = earlier(r.walked, now)
	r.replan(now)
}

// observe reads the schedule.
func (r *observed) observe(now time.Time) {
	r.replan(now)
	r.was, r.Schedule = r.Schedule, r.read(r.Schedule)
	r.rests = r.was.Status == r.Status && (r.Status == rota.SchedulePaused || r.Status == rota.ScheduleDeleted)
	r.paused = r.paused || r.PauseReason != nil
	r.marks, r.manual = append(r.marks, r.Skips...), 0
}

// begin checks that the schedule let a run begin: its status, its marks, the overlap
// policy, and what is to become of missed times.
func (r *observed) begin(x *run) {
	p, at := r.plan(), x.ScheduledFor
	r.holds(x.Trigger == rota.TriggerManual || !r.rests, "it was %s, and %s has started", r.Status, at)
	r.holds(x.Trigger != rota.TriggerSchedule || !slices.Contains(r.was.Skips, *at), "%s is marked to be skipped, and has started", at)
	for _, other := range r.runs {
		over := !other.ended.IsZero() && !other.ended.After(x.began) || !x.ended.IsZero() && !x.ended.After(other.began)
		may := r.between(r.seen, x.began, func(p plan) bool { return p.Overlap == rota.OverlapAllowAll })
		r.holds(over || may, "%s started at %s, and another run had not ended", at, x.began)
	}
	r.runs = append(r.runs, x)
	if x.Trigger == rota.TriggerManual {
		r.manual++
	}
	if p.JitterSeconds > 0 || x.Trigger != rota.TriggerSchedule { // what waits for its jitter may keep others from being missed
		return
	}
	for _, g := range r.gaps {
		if at.After(g.from) && at.Before(g.to) && g.to.Sub(g.from) >= engine.Outage && p.made.Before(g.from) && !g.again {
			r.madeUp[g.from]++
			most := map[rota.Missed]int64{rota.MissedSkip: 0, rota.MissedLatest: 1, rota.MissedAll: math.MaxInt64}[p.Missed]
			r.holds(r.madeUp[g.from] <= most, "%d runs of times that were missed: the policy is %s", r.madeUp[g.from], p.Missed)
		}
	}
}

// check checks that the fields of the schedule agree with each other: what is next is a
// time of the plan that is still to start, and when nothing is, there is a reason.
func (r *observed) check(now time.Time) {
	p, next, overlapping, line := r.plan(), r.NextRunAt, 0, 0
	for _, o := range r.occurrences(r.Schedule, rota.OccurrenceFilter{Outcome: rota.Buffered}) {
		if line++; o.Reason.Code == "overlap" {
			overlapping, line = overlapping+1, line-1
		}
	}
	open := slices.ContainsFunc(r.runs, func(x *run) bool { return x.ended.IsZero() })
	r.mayCatchUp = line > 0 && overlapping == 0 && !r.gone[r.AgentID] && (p.Overlap == rota.OverlapAllowAll || !open)
	r.holds(overlapping == 0 || overlapping == 1 && open, "%d times wait for a run to end (one has not: %t)", overlapping, open)
	idle := overlapping+line == 0 || r.Status == rota.ScheduleCompleted && overlapping == 0
	r.holds(r.Status == rota.ScheduleActive && (!idle || next != nil) || r.Status != rota.ScheduleActive && next == nil && idle,
		"it is %s: %d times wait, and the next is %v", r.Status, overlapping+line, next)
	if most := p.MaxRuns; most != nil {
		r.holds(r.RunCount <= max(*most, r.was.RunCount)+r.manual, "%d runs, and now %d: max_runs is %d", r.was.RunCount, r.RunCount, *most)
	}
	switch {
	case next != nil:
		n, ok := p.next(next.Add(-time.Millisecond))
		due := policy.Due(r.ID, p.Policy, n)
		r.holds(ok && n.Equal(next.Time) && due.After(now), "the next is %s, the plan has %s, and that was due at %s", next, n, due)
		r.demand(next.Add(-time.Millisecond))
	case r.Status == rota.SchedulePaused && p.MaxRuns != nil: // what waited before may have had the last run: then no time was to come
		r.walked = later(r.walked, r.PauseReason.At.Time)
	case r.Status != rota.SchedulePaused && r.was.NextRunAt != nil && p.MaxRuns == nil:
		n, ok := p.next(now)
		r.holds(!ok || r.Status == rota.ScheduleDeleted, "%s is to come, and next_run_at is null", n)
		r.demand(now)
	}
}

// checkLedger checks the whole record: every time has an outcome, alone or in a span,
// and no time has two; every run has its time, and every outcome a reason.
func (r *observed) checkLedger() {
	rows, spans, last, fired := map[int64]rota.Occurrence{}, []rota.Occurrence(nil), time.Time{}, int64(0)
	for _, o := range r.occurrences(r.Schedule, rota.OccurrenceFilter{}) {
		rows[o.ScheduledFor.UnixMilli()] = o
		if o.Outcome == rota.Fired {
			fired++
		}
		if o.Count > 1 {
			spans = append(spans, o)
		}
		if o.Trigger == rota.TriggerSchedule { // a backfill may run times that are in a span of an old plan
			r.holds(o.ScheduledFor.After(last), "%s is on record twice", o.ScheduledFor)
			last = end(o)
		}
		r.checkRow(o)
	}
	r.holds(r.RunCount == fired, "run_count is %d, and %d have started", r.RunCount, fired)
	for _, x := range r.runs {
		o := rows[x.ScheduledFor.UnixMilli()]
		blocked := x.Phase == rota.PhaseCancelled && len(x.calls) == 0 // a backfill may have run its time again
		r.holds(o.RunID != nil && *o.RunID == x.ID && o.Trigger == x.Trigger || blocked, "%s has another run than %s", x.ScheduledFor, x.ID)
	}
	for _, d := range r.demands {
		for n, ok := d.plan.next(d.from); ok && !n.After(d.to); n, ok = d.plan.next(n) {
			_, alone := rows[n.UnixMilli()]
			r.holds(alone || slices.ContainsFunc(spans, func(o rota.Occurrence) bool { return o.ScheduledFor.Before(n) && !end(o).Before(n) }), "%s has no outcome", n)
		}
	}
}

// checkRow checks that a row stands for nominal times that have come, was put on record
// when it was due, and says why if nothing started.
func (r *observed) checkRow(o rota.Occurrence) {
	lately := func(is func(plan) bool) bool { return r.between(o.ScheduledFor.Time, o.RecordedAt.Time, is) }
	if o.RunID == nil {
		r.holds(o.Outcome != rota.Buffered && lately(func(p plan) bool { return r.excuses(p, o) }), "%s is %s for %v", o.ScheduledFor, o.Outcome, o.Reason)
	} else {
		x := r.stage.runs[*o.RunID]
		r.holds(x != nil && x.of == r && x.ScheduledFor.Equal(o.ScheduledFor.Time), "%s has the run of another occurrence", o.ScheduledFor)
	}
	if o.Trigger == rota.TriggerManual {
		return
	}
	counts := slices.ContainsFunc(r.plans, func(p plan) bool { return p.counts(o) })
	r.holds(counts && !end(o).After(r.wall()), "%s to %s are not %d nominal times that have come", o.ScheduledFor, end(o), o.Count)
	onTime := o.Outcome == rota.Blocked || o.Trigger == rota.TriggerBackfill || lately(func(p plan) bool { return r.onTime(p, o) })
	r.holds(onTime, "%s is %s at %s, before or after it was due", o.ScheduledFor, o.Outcome, o.RecordedAt)
}

// onTime reports whether a row was put on record when the first of its times was
// due by a plan, or when the plan was made; later only if nobody looked, or if it
// waited for a run to end. Nothing is missed while somebody looks.
func (r *observed) onTime(p plan, o rota.Occurrence) bool {
	due, at := policy.Due(r.ID, p.Policy, o.ScheduledFor.Time), o.RecordedAt.Time
	latest := later(o.ScheduledFor.Add(time.Duration(p.JitterSeconds)*time.Second), p.made)                // one that is due later may be before it
	away := slices.ContainsFunc(r.gaps, func(g gap) bool { return due.Before(g.to) && !g.from.After(at) }) // in between
	return !at.Before(due) && (away || o.Outcome != rota.MissedOutcome && (p.Overlap == rota.OverlapBufferOne || !at.After(latest)))
}

// excuses reports whether a plan can be why a row's time did not start.
func (r *observed) excuses(p plan, o rota.Occurrence) bool {
	return map[string]bool{
		"overlap":               p.Overlap != rota.OverlapAllowAll,
		"max_runs":              p.MaxRuns != nil,
		"not_active":            true,
		"policy_skip":           p.Missed == rota.MissedSkip,
		"too_many":              p.Missed == rota.MissedAll,
		"too_late":              o.RecordedAt.Sub(end(o)) > time.Duration(p.MaxLatenessSeconds)*time.Second,
		"superseded":            p.Missed != rota.MissedAll,
		"requested":             slices.Contains(r.marks, o.ScheduledFor),
		rota.RunErrPaused:       r.paused,
		rota.RunErrAgentDeleted: r.paused,
	}[o.Reason.Code]
}

// holds fails unless what must be is.
func (r *observed) holds(ok bool, otherwise string, args ...any) {
	r.Helper()
	if !ok {
		for _, o := range r.occurrences(r.Schedule, rota.OccurrenceFilter{}) {
			r.logf("%s to %v, %d: %s %v by %s at %s, %+v", o.ScheduledFor, o.ScheduledUntil, o.Count, o.Outcome, o.Reason, o.Trigger, o.RecordedAt, o.Run)
		}
		require.FailNow(r, r.name+": "+fmt.Sprintf(otherwise, args...))
	}
}
