package enginetest

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// A reference is a schedule as it should be. What callers asked for, the times
// of the calendar, when nobody was looking, and how the runs went: from this it
// says what must be on record. How that comes about, it does not know.
type reference struct {
	tester
	name   string // in messages
	id     rota.ScheduleID
	agent  rota.AgentID
	status rota.ScheduleStatus

	plan
	decided time.Time // the last decision: times are decided in order
	skips   map[int64]bool
	waits   time.Time // the time that is buffered; zero if none is
	freed   time.Time // when the last one that was buffered started
	line    []queued  // what waits for its turn, the oldest first
	changed time.Time // the first time whose row a backfill has changed; zero if none
	stopped time.Time // since when it has been paused or deleted
	paused  time.Time // when it was last paused, as it is on record
	spent   bool      // all its runs are taken

	rows     map[int64]rota.Occurrence // what is on record for good, by the first nominal time
	rowOf    map[int64]int64           // the row that a nominal time has
	span     rota.Occurrence           // the row that the next times have
	covered  int64                     // how many of them
	runs     []*run                    // in the order in which they began
	count    int64
	failures int
	vague    bool // runs that failed and others ended at the same moment

	asked func(facts) // what a caller has changed since the last look; may be nil
}

// A plan is where nominal times come from.
type plan struct {
	spec   rota.Spec
	policy rota.Policy
	anchor time.Time
	cal    calendar.Calendar
	after  time.Time // times up to here have got what they get
	made   time.Time // nothing in it was missed before
	anew   bool      // it may give other times than the one before it
	keeps  bool      // but keeps the time of that one that waits for its jitter
}

// A queued occurrence is one of the past that waits for its turn.
type queued struct {
	at      time.Time // the nominal time
	since   time.Time
	trigger rota.Trigger
}

// next returns the first nominal time after another.
func (p plan) next(after time.Time) (time.Time, bool) {
	if s := p.policy.StartAt; s != nil && after.Before(s.Time) {
		after = s.Add(-time.Millisecond)
	}
	n, ok := p.cal.Next(after)
	return n, ok && (p.policy.EndAt == nil || !n.After(p.policy.EndAt.Time))
}

// Facts are what a look at the API shows of a schedule.
type facts struct {
	since, now time.Time // the look before, and this one
	dying      bool      // of what is due now some may be decided, and the rest will not be
	gaps       []gap
	rows       map[int64]rota.Occurrence // what is new, and what waited
	schedule   rota.Schedule
	run        func(rota.RunID) *run
}

// A gap is a time in which nobody looked: after from, and before to.
type gap struct {
	from, to time.Time
	missed   bool // what fell due in it was missed, not merely late
	died     bool // so is what fell due at from, unless it was seen to be decided
}

// look returns when somebody looks who can see that something is due: then, or
// when the gap is over that it falls into.
func (f facts) look(due time.Time) time.Time {
	for _, g := range f.gaps {
		if (due.After(g.from) || g.died && due.Equal(g.from)) && due.Before(g.to) {
			return g.to
		}
	}
	return due
}

// missed reports whether what fell due at a time and was decided at another was
// missed in between.
func (f facts) missed(due, decided time.Time) bool {
	return slices.ContainsFunc(f.gaps, func(g gap) bool { return g.missed && due.Before(g.to) && !decided.Before(g.to) })
}

// follow lets everything happen that has happened since the last look, in its
// order. It fails if something happened that should not have, or the other way
// round.
func (r *reference) follow(f facts) {
	if r.asked != nil {
		r.asked(f)
		r.asked = nil
	}
	r.rest(f.since, f)
	for r.step(f) {
	}
	if o := f.rows[r.waits.UnixMilli()]; o.Outcome == rota.Buffered {
		delete(f.rows, r.waits.UnixMilli())
		r.holds(f.dying || r.room(f.now) == occupied, "%s waits, and nothing is in its way", o.ScheduledFor)
	}
	for _, q := range r.line {
		o := f.rows[q.at.UnixMilli()]
		r.holds(o.Outcome == rota.Buffered && o.Trigger == q.trigger, "%s is %s: it should be buffered", rota.InstantOf(q.at), o.Outcome)
		delete(f.rows, q.at.UnixMilli())
	}
	for _, o := range f.rows {
		r.holds(false, "%s is on record for %s, which is none of its times", o.Outcome, o.ScheduledFor)
	}
}

// step lets the first thing happen that has not, and reports whether there was
// one.
func (r *reference) step(f facts) bool {
	end, start, turn := r.firstEnd(), r.waiterStart(f), r.turn(f)
	times, at, missed := r.due(f)
	switch {
	case end != nil && !before(start, end.ended) && !before(turn, end.ended) && !before(at, end.ended) && !r.pausedLater(end, start, turn, times, at, f):
		r.settle(end, f)
	case !start.IsZero() && !before(turn, start) && !before(at, start):
		r.startWaiter(start, f)
	case len(times) > 0 && !before(turn, at):
		r.decide(times, at, missed, f)
	case !turn.IsZero():
		r.takeTurn(turn, f)
	default:
		return false
	}
	return true
}

// before reports whether a happens, and does so before b.
func before(a, b time.Time) bool { return !a.IsZero() && a.Before(b) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// firstEnd returns the run that ended first of those whose end is news.
func (r *reference) firstEnd() *run {
	var first *run
	for _, x := range r.runs {
		if !x.settled && !x.ended.IsZero() && (first == nil || x.ended.Before(first.ended)) {
			first = x
		}
	}
	return first
}

// pausedLater reports whether something that happened when a run failed
// happened before that, since it would not have afterwards.
func (r *reference) pausedLater(end *run, start, turn time.Time, times []time.Time, at time.Time, f facts) bool {
	if end.Phase != rota.PhaseFailed {
		return false
	}
	if len(times) > 0 && at.Equal(end.ended) {
		o, has := f.rows[times[0].UnixMilli()]
		return has && !notActive(o)
	}
	return start.Equal(end.ended) || turn.Equal(end.ended)
}

// settle lets a run end.
func (r *reference) settle(x *run, f facts) {
	x.settled = true
	for _, other := range r.runs {
		r.vague = r.vague || !other.settled && other.ended.Equal(x.ended) && other.Phase != x.Phase
	}
	switch {
	case x.blocked():
		paused := r.status == rota.SchedulePaused && x.Trigger != rota.TriggerManual
		r.holds(paused || r.status == rota.ScheduleDeleted, "a run is blocked, and the schedule is %s", r.status)
		r.count--
	case x.Phase == rota.PhaseFailed:
		r.failures++
	case x.Phase == rota.PhaseCompleted:
		r.failures = 0
	}
	if r.status == rota.ScheduleActive && r.failedTooOften(x, f) {
		r.stop(rota.SchedulePaused, x.ended, f)
		r.paused = x.CompletedAt.Time // by a clock that may have been set back
	}
}

// failedTooOften reports whether a run's end pauses the schedule. If it ended
// together with others, only the schedule knows.
func (r *reference) failedTooOften(x *run, f facts) bool {
	limit := r.policy.PauseAfterFailures
	if why := f.schedule.PauseReason; limit != nil && r.vague {
		return why != nil && why.Code == rota.PausedByFailures && !x.ended.Before(why.At.Time)
	}
	return limit != nil && r.failures >= *limit
}

// stop lets the schedule be paused or deleted: what waits in it is blocked.
func (r *reference) stop(status rota.ScheduleStatus, at time.Time, f facts) {
	switch r.status {
	case rota.ScheduleActive:
		r.abandon(at, f)
	case rota.SchedulePaused:
		r.pass(at, f)
	}
	r.blockWaiting(f)
	r.holds(r.waiting() == 0, "something waits in a schedule that is %s", status)
	r.status, r.stopped, r.paused = status, at, at
}

// pass lets the times of a pause up to an instant go by, as far as they are not on
// record. If somebody had triggered the schedule at the very millisecond of the
// first, that is its only row.
func (r *reference) pass(until time.Time, f facts) {
	after := later(r.paused, r.anchor)
	for n, row := range r.rowOf {
		if r.rows[row].Trigger != rota.TriggerManual {
			after = later(after, time.UnixMilli(n))
		}
	}
	n, ok := r.next(after)
	if _, triggered := r.rowOf[n.UnixMilli()]; triggered {
		return
	}
	for ; ok && !n.After(until) && !r.exhausted(); n, ok = r.next(n) {
		r.is(n, rota.Blocked, f)
	}
}

// deleted lets the schedule be deleted.
func (r *reference) deleted(f facts) {
	if r.status != rota.ScheduleDeleted {
		r.stop(rota.ScheduleDeleted, f.since, f)
		r.stopped = time.Time{} // all that is new came after
	}
}

// abandon gives up the times up to an instant that are not decided yet,
// because of their jitter: the plan that they are in is over.
func (r *reference) abandon(at time.Time, f facts) {
	for n, ok := r.next(r.after); ok && !n.After(at) && !r.exhausted(); n, ok = r.next(n) {
		r.is(n, rota.Blocked, f)
	}
	r.after = later(r.after, at)
}

// blockWaiting lets what is buffered be blocked, if that is on record.
func (r *reference) blockWaiting(f facts) {
	if r.blockedAt(r.waits, f) {
		r.waits = time.Time{}
	}
	r.line = slices.DeleteFunc(r.line, func(q queued) bool { return r.blockedAt(q.at, f) })
}

func (r *reference) blockedAt(n time.Time, f facts) bool {
	o := f.rows[n.UnixMilli()]
	blocked := notActive(o)
	if blocked {
		r.take(n, f)
	}
	return blocked
}

// notActive reports whether an occurrence was given up while it waited.
func notActive(o rota.Occurrence) bool {
	return o.Outcome == rota.Blocked && o.RunID == nil && o.Reason.Code == "not_active"
}

// replans returns the plan that a schedule has after a change, and whether it
// leaves time for a run: the change is refused otherwise.
func (r *reference) replans(spec rota.Opt[rota.Spec], p rota.Policy, now time.Time) (plan, bool) {
	next, set := r.plan, !spec.IsZero()
	spec.Apply(&next.spec)
	next.policy, next.anew, next.keeps = p, false, false
	moved := set || !equal(p.StartAt, r.policy.StartAt)
	if !moved && equal(p.EndAt, r.policy.EndAt) && equal(p.MaxRuns, r.policy.MaxRuns) && p.JitterSeconds == r.policy.JitterSeconds {
		return next, true // the times stay
	}
	next.made, next.anew = now, true
	if moved {
		next.anchor = now
		if p.StartAt != nil {
			next.anchor = p.StartAt.Time
		}
	}
	var err error
	next.cal, err = calendar.Parse(next.spec, next.anchor)
	require.NoError(r, err)
	if next.after = now; next.spec.Type == rota.Once {
		next.after = now.Add(-time.Minute) // what has just passed still runs
	}
	if n, waits := r.next(r.after); r.status == rota.ScheduleActive && waits && !n.After(now) {
		if m, ok := next.next(r.after); !set && ok && m.Equal(n) {
			next.after, next.made, next.keeps = r.after, r.made, true
		}
		if m, ok := next.next(next.after); ok && m.Equal(n) { // a once schedule was given the time that it had
			next.keeps = true
		}
	}
	first, more := next.next(next.after)
	_, has := r.rows[first.UnixMilli()]
	has = has && more && !first.After(now) && r.status != rota.SchedulePaused // what has just passed still runs, unless it has
	_, ahead := next.cal.Next(next.after)
	passed := moved && next.spec.Type == rota.Once && !ahead
	backwards := p.StartAt != nil && p.EndAt != nil && !p.StartAt.Before(p.EndAt.Time)
	left := *r
	left.plan = next
	return next, !has && !passed && !backwards && (more && !left.exhausted() || r.waiting() > 0)
}

// waiting counts what waits in the schedule.
func (r *reference) waiting() int {
	if r.waits.IsZero() {
		return len(r.line)
	}
	return len(r.line) + 1
}

// past returns the times between two instants, both included, that have come
// and have started no run, and wait for none.
func (r *reference) past(from, to time.Time) []time.Time {
	if n, ok := r.next(r.after); ok && r.status == rota.ScheduleActive && !r.exhausted() && !n.After(to) {
		to = n.Add(-time.Millisecond)
	}
	var times []time.Time
	for n, ok := r.next(from.Add(-time.Millisecond)); ok && !n.After(to); n, ok = r.next(n) {
		o := r.rows[r.rowOf[n.UnixMilli()]]
		waits := n.Equal(r.waits) || slices.ContainsFunc(r.line, func(q queued) bool { return q.at.Equal(n) })
		if !waits && !r.ran(o) && !r.foreign(o) {
			times = append(times, n)
		}
	}
	return times
}

// ran reports whether an occurrence has a run that was not blocked.
func (r *reference) ran(o rota.Occurrence) bool {
	return o.RunID != nil && !slices.ContainsFunc(r.runs, func(x *run) bool { return x.ID == *o.RunID && x.blocked() })
}

// foreign reports whether a row is a span of other times than the plan has.
func (r *reference) foreign(o rota.Occurrence) bool {
	if o.ScheduledUntil == nil {
		return false
	}
	count, last := int64(0), time.Time{}
	for n, ok := r.next(o.ScheduledFor.Add(-time.Millisecond)); ok && !n.After(o.ScheduledUntil.Time); n, ok = r.next(n) {
		_, in := r.rowOf[n.UnixMilli()]
		if count++; !in {
			return true
		}
		last = n
	}
	return count != o.Count || !last.Equal(o.ScheduledUntil.Time)
}

// refill lets a backfill put times in line, and take them out of the rows that
// they have.
func (r *reference) refill(times []time.Time) {
	rest := map[int64]rota.Outcome{}
	for _, n := range times {
		key, ok := r.rowOf[n.UnixMilli()]
		if !ok {
			continue
		}
		for other, row := range r.rowOf {
			if row == key {
				rest[other] = r.rows[key].Outcome
				delete(r.rowOf, other)
			}
		}
		delete(r.rows, key)
	}
	for _, n := range times {
		rest[n.UnixMilli()] = rota.Buffered
	}
	all := slices.Sorted(maps.Keys(rest))
	if len(all) == 0 {
		return
	}
	r.changed = time.UnixMilli(all[0])
	r.asked = func(f facts) {
		for _, key := range all {
			if n := time.UnixMilli(key).UTC(); rest[key] != rota.Buffered {
				r.is(n, rest[key], f)
			} else {
				r.lineUp(queued{n, f.since, rota.TriggerBackfill}, f)
			}
		}
		r.changed = time.Time{}
	}
}

// replan lets a change have its effects.
func (r *reference) replan(next plan, set bool, f facts) {
	if r.status == rota.ScheduleActive && next.anew && !next.keeps {
		r.abandon(f.since, f)
	}
	if r.status == rota.SchedulePaused && !next.anchor.Equal(r.anchor) {
		r.pass(earlier(f.since, next.anchor), f)
	}
	if set {
		r.skips = map[int64]bool{}
	}
	r.blockWaiting(f)
	if r.status == rota.ScheduleCompleted && next.anew {
		r.status = rota.ScheduleActive
	}
	r.plan, r.decided = next, f.since
}

// exemptBackfill reports whether a backfill takes times out of a span that was
// recorded when the schedule was another: the span goes on counting them.
func (r *reference) exemptBackfill(from, to time.Time) bool {
	for n, ok := r.next(from.Add(-time.Millisecond)); ok && !n.After(to); n, ok = r.next(n) {
		if r.foreign(r.rows[r.rowOf[n.UnixMilli()]]) {
			return true
		}
	}
	return false
}

// equal reports whether two optional values are the same.
func equal[T any](a, b *T) bool { return reflect.DeepEqual(a, b) }

// rest completes a schedule that has no time left, or no run.
func (r *reference) rest(at time.Time, f facts) {
	if r.status != rota.ScheduleActive {
		return
	}
	if r.exhausted() && !r.spent {
		r.giveUp(at, f)
	}
	if r.spent = r.exhausted(); r.spent {
		r.after = later(r.after, at)
	}
	if _, more := r.next(r.after); r.waiting() == 0 && (r.exhausted() || !more) {
		r.status = rota.ScheduleCompleted
	}
}

// giveUp lets the times that had come when the last run was taken be blocked, as
// far as that is on record: when exactly it was taken, a crash can hide.
func (r *reference) giveUp(by time.Time, f facts) {
	for n, ok := r.next(r.after); ok && !n.After(by); n, ok = r.next(n) {
		if r.covered == 0 && f.rows[n.UnixMilli()].Outcome != rota.Blocked {
			return
		}
		r.is(n, rota.Blocked, f)
	}
}

// exhausted reports whether all the runs that there may be have started or
// wait.
func (r *reference) exhausted() bool {
	taken := r.count
	if !r.waits.IsZero() {
		taken++
	}
	return r.policy.MaxRuns != nil && taken >= *r.policy.MaxRuns
}

// waiterStart returns when the occurrence that was buffered started, or zero.
func (r *reference) waiterStart(f facts) time.Time {
	o := f.rows[r.waits.UnixMilli()]
	if r.waits.IsZero() || o.RunID == nil {
		return time.Time{}
	}
	return later(o.RecordedAt.Time, f.since)
}

func (r *reference) startWaiter(at time.Time, f facts) {
	var end time.Time
	for _, x := range r.runs {
		end = later(end, x.ended)
	}
	r.holds(r.room(at) != occupied && at.Equal(f.look(end)),
		"%s waited, and started at %s; the run before it ended at %s", rota.InstantOf(r.waits), at, end)
	n := r.waits
	r.waits, r.freed = time.Time{}, at
	r.begin(r.take(n, f), at, f)
	r.rest(at, f)
}
