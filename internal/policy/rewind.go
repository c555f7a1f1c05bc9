package policy

import (
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// A Rewound is how a timer goes on after the clock was set back.
type Rewound struct {
	Timer     rota.Timer
	Withdrawn []rota.Instant // the nominal times of rows to take off the record
	Splits    []Split        // spans that lose their times after now
}

// Rewind returns how a timer goes on at now, after a clock that was ahead has been
// set back. ahead is what is on record for times after now, in order, and may begin
// with a span that began before.
//
// What has started, and what somebody has asked for, stays on record. All else that is
// ahead was decided too early: it is withdrawn, and the timer is planned from now on.
// A nominal time that has a run gets no other one: the next time is the first that has
// none. An interval that would have to wait for longer than its length is counted from
// now. A schedule that was completed because its times seemed to have passed is active
// again.
//
// lowWater is the last nominal time whose outcome has been deleted for its age, or zero.
// If even that is ahead, the times up to it may have run, and the next is after it;
// those of an interval that is counted anew are others.
func Rewind(t rota.Timer, ahead []rota.Occurrence, lowWater, now time.Time) Rewound {
	t.LastRunAt = earlier(t.LastRunAt, now)
	if t.PauseReason != nil {
		why := *t.PauseReason
		why.At = rota.InstantOf(earlier(why.At.Time, now))
		t.PauseReason = &why
	}
	cal, err := calendar.Parse(t.Spec, t.Anchor)
	if err != nil { // Decide pauses such a timer
		return Rewound{Timer: t}
	}
	r := rewind{backfill: backfill{decision: decision{Decision: rota.Decision{Timer: t}, cal: cal, now: now}}, lowWater: lowWater, taken: map[int64]bool{}}
	for _, o := range ahead {
		r.withdraw(o)
	}
	r.goOn()
	return Rewound{Timer: r.Timer, Withdrawn: r.withdrawn, Splits: r.splits}
}

type rewind struct {
	backfill
	lowWater  time.Time
	taken     map[int64]bool // nominal times after now that stay on record
	withdrawn []rota.Instant
	splits    []Split
}

// withdraw takes a row off the record as far as it is about times after now, unless
// it stays.
func (r *rewind) withdraw(o rota.Occurrence) {
	at := o.ScheduledFor.Time
	switch {
	case !at.After(r.now):
		if !r.foreign(o) {
			rest := r.whole(at, r.now.Add(time.Millisecond))
			r.splits = append(r.splits, Split{At: o.ScheduledFor, Parts: []rota.Occurrence{rest.row(o)}})
		}
	case o.RunID != nil, o.Trigger == rota.TriggerManual, o.Outcome == rota.SkippedRequested:
		r.taken[at.UnixMilli()] = true
	default:
		r.withdrawn = append(r.withdrawn, o.ScheduledFor)
		if o.Outcome == rota.Buffered {
			r.takeFromLine(at)
		}
	}
}

// takeFromLine lets the timer forget a time that waits in it.
func (r *rewind) takeFromLine(at time.Time) {
	t := &r.Timer
	if at.Equal(t.Buffered) {
		t.Buffered = time.Time{}
		return
	}
	t.BacklogTo = earlier(t.BacklogTo, r.now)
	if t.Backlog = max(t.Backlog-1, 0); t.Backlog == 0 {
		t.BacklogTo = time.Time{}
	}
}

// goOn plans the timer from now on, unless it rests or a time is due that it has
// not decided.
func (r *rewind) goOn() {
	t := &r.Timer
	waits := t.Status == rota.ScheduleActive && (t.NextRunAt.IsZero() || t.NextRunAt.After(r.now))
	reopens := t.Status == rota.ScheduleCompleted && len(r.withdrawn)+len(r.splits) > 0
	if !waits && !reopens {
		t.Anchor = earlier(t.Anchor, r.now)
		return
	}
	next, ok := r.free()
	switch {
	case t.Spec.Type != rota.Interval || t.Spec.StartAt != "":
		t.Anchor = earlier(t.Anchor, r.now)
	case r.tooFar(next, ok):
		r.countAnew(&next)
	}
	*t = aimAnew(*t, next, r.now)
}

// aimAnew is aim for a timer that may wait for a run to end that has ended.
func aimAnew(t rota.Timer, next, now time.Time) rota.Timer {
	if exhausted(t) {
		next = time.Time{}
	}
	t.Status = rota.ScheduleActive
	t = aim(t, next)
	if !t.Buffered.IsZero() && t.OpenRuns == 0 {
		t.DueAt = now
	}
	return t
}

// free returns the first nominal time after now that is not on record, and false if
// there is none.
func (r *rewind) free() (time.Time, bool) {
	next, ok := nextNominal(r.Timer.Policy, r.cal, later(r.now, r.lowWater))
	for ok && r.taken[next.UnixMilli()] {
		next, ok = nextNominal(r.Timer.Policy, r.cal, next)
	}
	return next, ok
}

// tooFar reports whether an interval would be longer until its next time than it is.
func (r *rewind) tooFar(next time.Time, ok bool) bool {
	from := r.now
	if start := r.Timer.Policy.StartAt; start != nil {
		from = later(from, start.Time)
	}
	return !ok || next.Sub(from) > r.interval()
}

func (r *rewind) interval() time.Duration {
	return time.Duration(r.Timer.Spec.IntervalSeconds) * time.Second
}

// countAnew counts an interval from now, or from a millisecond later if its times
// would be the same as before: those may be on record. If that leaves no time, it is
// counted as before.
func (r *rewind) countAnew(next *time.Time) {
	t := &r.Timer
	anchor := r.now
	if anchor.Sub(t.Anchor)%r.interval() == 0 {
		anchor = anchor.Add(time.Millisecond)
	}
	anew := *r
	anew.lowWater = time.Time{}
	var err error
	if anew.cal, err = calendar.Parse(t.Spec, anchor); err != nil {
		return
	}
	if first, ok := anew.free(); ok {
		t.Anchor, *next = anchor, first
	}
}

// ReadyAgain returns when a run that waits in the queue may start, after a clock that
// was ahead has been set back: now, or as long after now as it was to wait after an
// attempt that seems to end later.
func ReadyAgain(w rota.WaitingRun, now time.Time) time.Time {
	ready := now
	if n := len(w.Attempts); n > 0 {
		last := w.Attempts[n-1]
		if last.EndedAt != nil && !last.EndedAt.After(now) {
			return w.ReadyAt
		}
		if last.WaitMS != nil {
			ready = now.Add(time.Duration(*last.WaitMS) * time.Millisecond)
		}
	}
	return earlier(w.ReadyAt, ready)
}
