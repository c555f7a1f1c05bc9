package enginetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/policy"
)

// due returns the nominal times that are decided next, and when: one, or all
// that were missed together.
func (r *reference) due(f facts) (times []time.Time, at time.Time, missed bool) {
	if r.status != rota.ScheduleActive || r.exhausted() {
		return nil, at, false
	}
	for n, ok := r.next(r.after); ok; n, ok = r.next(n) {
		due := later(policy.Due(r.id, r.policy, n), r.made)
		t := f.look(due)
		if before := later(r.decided, at); before.After(t) { // another was in front of it
			t = f.look(before)
		}
		if _, has := f.rows[n.UnixMilli()]; f.dying && t.Equal(f.now) && !has && len(times) == 0 {
			break
		}
		m := f.missed(due, t)
		if t.After(f.now) || len(times) > 0 && (!m || !t.Equal(at)) {
			break
		}
		times, at, missed = append(times, n), t, m
		if !m {
			break
		}
	}
	return times, at, missed
}

// decide lets nominal times get their outcome. Of those that were missed, the
// policy says how many are made up for.
func (r *reference) decide(times []time.Time, at time.Time, missed bool, f facts) {
	keep := map[rota.Missed]int{rota.MissedLatest: 1, rota.MissedSkip: 0, rota.MissedAll: 100}[r.policy.Missed]
	oldest := at.Add(-r.lateness())
	r.decided = at
	for i, n := range times {
		switch {
		case !missed:
			r.occur(n, at, f)
		case len(times)-i > keep || n.Before(oldest):
			r.is(n, rota.MissedOutcome, f)
		case r.skips[n.UnixMilli()]:
			r.is(n, rota.SkippedRequested, f)
		default:
			r.lineUp(queued{n, at, rota.TriggerSchedule}, f)
		}
		delete(r.skips, n.UnixMilli())
		r.after = n
	}
	r.rest(at, f)
}

func (r *reference) lateness() time.Duration {
	return time.Duration(r.policy.MaxLatenessSeconds) * time.Second
}

// lineUp lets an occurrence of the past wait for its turn.
func (r *reference) lineUp(q queued, f facts) {
	o, ok := f.rows[q.at.UnixMilli()]
	r.holds(ok && r.covered == 0, "%s has no outcome", rota.InstantOf(q.at))
	r.holds(o.Trigger == q.trigger && !later(o.RecordedAt.Time, f.since).Before(q.since), "%s is %s at %s: it should wait for its turn since %s",
		o.ScheduledFor, o.Outcome, o.RecordedAt, q.since)
	r.line = append(r.line, q)
	slices.SortFunc(r.line, func(a, b queued) int { return a.at.Compare(b.at) })
}

// turn returns when the first in line had its turn, or zero.
func (r *reference) turn(f facts) time.Time {
	if len(r.line) == 0 {
		return time.Time{}
	}
	o := f.rows[r.line[0].at.UnixMilli()]
	if o.Outcome == rota.Buffered || notActive(o) {
		return time.Time{}
	}
	return later(o.RecordedAt.Time, f.since)
}

// takeTurn lets the first in line start, or give up.
func (r *reference) takeTurn(at time.Time, f facts) {
	q := r.line[0]
	r.line = r.line[1:]
	o := r.take(q.at, f)
	late := q.trigger == rota.TriggerSchedule && o.RecordedAt.Sub(q.at) > r.lateness() // by a clock that may have been set back
	may, must := r.superseded(q, at)
	switch {
	case o.RunID != nil:
		busy := r.policy.Overlap != rota.OverlapAllowAll && r.room(at) == occupied || !r.waits.IsZero()
		r.holds(!busy && !late && !must && !r.exhausted(), "%s started at %s (busy %t, late %t, superseded %t, exhausted %t)",
			o.ScheduledFor, at, busy, late, must, r.exhausted())
		r.begin(o, at, f)
	case o.Outcome == rota.MissedOutcome:
		r.holds(late || may, "%s is missed, and was neither too late nor superseded", o.ScheduledFor)
	default:
		r.holds(o.Outcome == rota.Blocked && r.exhausted(), "%s is %s, and its turn had come", o.ScheduledFor, o.Outcome)
	}
	r.rest(at, f)
}

// superseded reports whether a run of a newer time may have begun while an
// occurrence waited, and whether one has.
func (r *reference) superseded(q queued, at time.Time) (may, must bool) {
	if q.trigger != rota.TriggerSchedule || r.policy.Missed == rota.MissedAll {
		return false, false
	}
	for _, x := range r.runs {
		may = may || !x.began.Before(q.since) // of whatever time
		if x.ScheduledFor.After(q.at) {
			must = must || x.began.After(q.since) && x.began.Before(at)
		}
	}
	return may, must
}

// is expects that a time has an outcome that starts nothing, alone or in a
// span.
func (r *reference) is(n time.Time, want rota.Outcome, f facts) {
	if r.covered == 0 {
		r.span = r.take(n, f)
		r.covered = r.span.Count
		r.holds(r.span.Outcome == want && r.span.RunID == nil, "%s is %s: it should be %s", r.span.ScheduledFor, r.span.Outcome, want)
	}
	r.rowOf[n.UnixMilli()] = r.span.ScheduledFor.UnixMilli()
	r.covered--
	last := r.span.ScheduledUntil
	if last == nil {
		last = &r.span.ScheduledFor
	}
	r.holds(last.Equal(n) == (r.covered == 0), "the span from %s to %s has another end than its count of %d says",
		r.span.ScheduledFor, last, r.span.Count)
}

// take returns what is on record for a time alone, or from it on.
func (r *reference) take(n time.Time, f facts) rota.Occurrence {
	o, ok := f.rows[n.UnixMilli()]
	r.holds(ok && r.covered == 0, "%s has no outcome", rota.InstantOf(n))
	row, has := r.rowOf[n.UnixMilli()]
	r.holds(!has, "%s has a row, and is in that of %s", rota.InstantOf(n), rota.InstantOf(time.UnixMilli(row)))
	delete(f.rows, n.UnixMilli())
	r.rows[n.UnixMilli()], r.rowOf[n.UnixMilli()] = o, n.UnixMilli()
	return o
}

// occur expects that a time has the outcome that the policy gives it.
func (r *reference) occur(n, at time.Time, f facts) {
	o := r.take(n, f)
	got, may := first(o, at), r.outcomes(n, at)
	r.holds(slices.Contains(may, got), "%s is %s at %s: it should be one of %s at %s", o.ScheduledFor, o.Outcome, o.RecordedAt, may, at)
	r.holds(got == rota.Buffered && o.Outcome != got || later(o.RecordedAt.Time, f.since).Equal(at),
		"%s is %s at %s, not at %s", o.ScheduledFor, got, o.RecordedAt, at)
	r.act(o, got, at, f)
}

// first returns the outcome that an occurrence had at first. One that was
// buffered may have started since, or been blocked.
func first(o rota.Occurrence, at time.Time) rota.Outcome {
	switch {
	case o.RunID != nil && o.RecordedAt.After(at), o.RunID == nil && o.Outcome == rota.Blocked:
		return rota.Buffered
	case o.RunID != nil:
		return rota.Fired
	}
	return o.Outcome
}

// outcomes returns what may become of a time. It is one thing, unless a run
// ended at the same moment.
func (r *reference) outcomes(n, at time.Time) []rota.Outcome {
	if r.skips[n.UnixMilli()] {
		return []rota.Outcome{rota.SkippedRequested}
	}
	room := r.room(at)
	if r.policy.Overlap == rota.OverlapAllowAll {
		room = free
	}
	var may []rota.Outcome
	if room != occupied {
		may = append(may, rota.Fired)
	}
	buffers := r.policy.Overlap == rota.OverlapBufferOne && r.waits.IsZero()
	if room != free && buffers {
		may = append(may, rota.Buffered)
	}
	if room != free && (!buffers || r.freed.Equal(at)) {
		may = append(may, rota.SkippedOverlap)
	}
	return may
}

// act lets the first outcome of an occurrence have its effects.
func (r *reference) act(o rota.Occurrence, was rota.Outcome, at time.Time, f facts) {
	switch was {
	case rota.Fired:
		r.begin(o, at, f)
	case rota.Buffered:
		r.waits = o.ScheduledFor.Time
		key := r.waits.UnixMilli()
		f.rows[key] = o // more may become of it
		delete(r.rows, key)
		delete(r.rowOf, key)
	}
}

// begin lets the run of an occurrence begin.
func (r *reference) begin(o rota.Occurrence, at time.Time, f facts) {
	x := f.run(*o.RunID)
	r.holds(x.of == nil, "%s has the run of another occurrence", o.ScheduledFor)
	r.holds(x.ScheduleID != nil && *x.ScheduleID == r.id && x.ScheduledFor.Equal(o.ScheduledFor.Time) && x.Trigger == o.Trigger,
		"the run of %s says that it is of another occurrence", o.ScheduledFor)
	x.of, x.began, x.recorded = r, at, o.RecordedAt
	if r.room(at) == unsure {
		r.freed = at // it may have been buffered for no time at all
	}
	r.runs = append(r.runs, x)
	r.count++
}

type room int

const (
	free     room = iota
	unsure        // a run ended at that moment
	occupied      // a run had not ended
)

// room returns whether a run was in the way at a time.
func (r *reference) room(at time.Time) room {
	most := free
	for _, x := range r.runs {
		switch {
		case x.ended.IsZero() || x.ended.After(at):
			return occupied
		case x.ended.Equal(at):
			most = unsure
		}
	}
	return most
}

// agree compares the schedule with what the reference knows of it.
func (r *reference) agree(s rota.Schedule) {
	want := rota.Schedule{Status: r.status, RunCount: r.count, ConsecutiveFailures: r.failures}
	if n, ok := r.next(r.after); ok && r.status == rota.ScheduleActive && !r.exhausted() {
		want.NextRunAt = rota.InstantOrNil(n)
	}
	if n := len(r.runs); n > 0 {
		last := r.runs[n-1]
		want.LastRunID = &last.ID
		want.LastRunAt = &last.recorded
	}
	got := rota.Schedule{
		Status: s.Status, RunCount: s.RunCount, ConsecutiveFailures: s.ConsecutiveFailures,
		NextRunAt: s.NextRunAt, LastRunID: s.LastRunID, LastRunAt: s.LastRunAt,
	}
	if r.vague {
		r.failures, want.ConsecutiveFailures, r.vague = s.ConsecutiveFailures, s.ConsecutiveFailures, false
	}
	require.Equal(r, words(want), words(got), "%s: its fields", r.name)
}

func words(s rota.Schedule) string {
	text, err := json.Marshal([]any{s.Status, s.RunCount, s.ConsecutiveFailures, s.NextRunAt, s.LastRunID, s.LastRunAt, s.Skips})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// holds fails unless what must be is.
func (r *reference) holds(ok bool, otherwise string, args ...any) {
	r.Helper()
	if !ok {
		require.FailNow(r, r.name+": "+fmt.Sprintf(otherwise, args...))
	}
}
