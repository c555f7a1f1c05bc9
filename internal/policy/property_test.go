package policy

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/calendar"
)

// A simulation is a schedule, an engine that is stopped now and then, and runs
// of any length.
type simulation struct {
	*rapid.T
	timer    rota.Timer
	now      time.Time
	since    time.Time // when the engine began to look; zero if it does not
	toggle   time.Time // when the engine starts or stops next
	ends     []time.Time
	outcomes map[time.Time]rota.Outcome
	backlog  []rota.Occurrence // what waits to be made up for, the oldest first
	blocked  int64             // buffered when the schedule was paused
	fired    int64
}

// Every nominal time in the active span gets one outcome, nothing starts
// before its time, and the counts agree, whatever happens.
func TestEveryTimeHasOneOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSimulation(t)
		for range rapid.IntRange(1, 400).Draw(t, "events") {
			if s.timer.Status != rota.ScheduleActive {
				break
			}
			s.step()
		}
		s.verify()
	})
}

func newSimulation(t *rapid.T) *simulation {
	p := rota.DefaultPolicy()
	p.Overlap = rapid.SampledFrom([]rota.Overlap{rota.OverlapSkip, rota.OverlapBufferOne, rota.OverlapAllowAll}).Draw(t, "overlap")
	p.Missed = rapid.SampledFrom([]rota.Missed{rota.MissedLatest, rota.MissedSkip, rota.MissedAll}).Draw(t, "missed")
	p.MaxLatenessSeconds = rapid.Int64Range(0, 20_000).Draw(t, "max lateness")
	p.JitterSeconds = rapid.SampledFrom([]int64{0, 0, 5, 600}).Draw(t, "jitter")
	if rapid.Bool().Draw(t, "bounded") {
		p.MaxRuns = new(rapid.Int64Range(1, 50).Draw(t, "max runs"))
	}
	if rapid.Bool().Draw(t, "ending") {
		p.EndAt = instant(time.Duration(rapid.Int64Range(1, 100_000).Draw(t, "end")) * time.Second)
	}
	if rapid.Bool().Draw(t, "fragile") {
		p.PauseAfterFailures = new(rapid.IntRange(1, 5).Draw(t, "failures"))
	}
	spec := rapid.SampledFrom([]rota.Spec{
		everyMinute, hourly, onceAt(time.Hour),
		{Type: rota.Interval, IntervalSeconds: 7, Timezone: "UTC"},
		{Type: rota.Cron, CronExpression: "*/7 8-11 * * *", Timezone: "America/New_York"},
	}).Draw(t, "spec")
	timer, err := Plan(rota.Timer{ScheduleID: "asch_1", Spec: spec, Anchor: start, Policy: p}, start)
	if err != nil {
		t.Fatal(err)
	}
	return &simulation{T: t, timer: timer, now: start, since: start, toggle: start, outcomes: map[time.Time]rota.Outcome{}}
}

// step lets the next thing happen.
func (s *simulation) step() {
	run := -1
	next := s.toggle
	for i, end := range s.ends {
		if !s.since.IsZero() && !end.After(next) {
			next, run = end, i
		}
	}
	due := !s.since.IsZero() && !s.timer.DueAt.IsZero() && !s.timer.DueAt.After(next)
	if due {
		next = s.timer.DueAt
	}
	s.now = later(s.now, next)
	switch {
	case !s.since.IsZero() && !s.timer.CatchUp().IsZero() && rapid.Bool().Draw(s.T, "catch up"):
		s.catchUp()
	case due:
		s.decide()
	case run >= 0:
		s.settle(run)
	case s.since.IsZero():
		s.since, s.toggle = s.now, s.now.Add(s.some("up", 50_000))
	default:
		s.since, s.toggle = time.Time{}, s.now.Add(s.some("down", 30_000))
	}
}

func (s *simulation) some(label string, most int64) time.Duration {
	return time.Duration(rapid.Int64Range(1, most*1000).Draw(s.T, label)) * time.Millisecond
}

func (s *simulation) decide() {
	if rapid.Bool().Draw(s.T, "late") {
		s.now = s.now.Add(s.some("lateness", 100))
	}
	before := s.timer
	since := s.since
	if rapid.IntRange(0, 9).Draw(s.T, "set back") == 0 {
		since = s.now.Add(s.some("ahead", 10_000))
	}
	d := Decide(before, s.now, since)
	s.timer = d.Timer
	if len(d.Records) == 0 {
		s.Fatalf("a timer that was due has no outcome: %+v", before)
	}
	for _, o := range d.Records {
		s.record(o)
	}
}

func (s *simulation) catchUp() {
	o := s.backlog[0]
	s.backlog = s.backlog[1:]
	d := CatchUp(s.timer, o, s.now)
	s.timer = d.Timer
	if len(d.Records) == 0 || !d.Records[0].ScheduledFor.Equal(o.ScheduledFor.Time) {
		s.Fatalf("the turn of %s brought %v", o.ScheduledFor, d.Records)
	}
	for _, r := range d.Records {
		s.record(r)
	}
}

func (s *simulation) record(o rota.Occurrence) {
	at, n := o.ScheduledFor.Time, int64(0)
	if at.After(s.now) {
		s.Fatalf("%s of %s at %s: before its time", o.Outcome, at, s.now)
	}
	for more := true; more && n < o.Count; n++ {
		if was := s.outcomes[at]; was != "" && (was != rota.Buffered || o.Outcome == rota.Buffered) {
			s.Fatalf("%s was %s and is %s", at, was, o.Outcome)
		}
		s.outcomes[at] = o.Outcome
		if o.ScheduledUntil != nil && n == o.Count-1 && !at.Equal(o.ScheduledUntil.Time) {
			s.Fatalf("the span ends at %s, and its last time is %s", o.ScheduledUntil, at)
		}
		at, more = nextNominal(s.timer.Policy, s.calendar(), at)
	}
	if n != o.Count {
		s.Fatalf("the span of %d has %d times", o.Count, n)
	}
	if o.Reason != nil && o.Reason.Code == "catch_up" {
		s.backlog = append(s.backlog, o)
	}
	if o.Outcome == rota.Fired {
		s.fire(o)
	}
}

func (s *simulation) fire(o rota.Occurrence) {
	if Due(s.timer.ScheduleID, s.timer.Policy, o.ScheduledFor.Time).After(s.now) {
		s.Fatalf("%s started before its jitter had passed", o.ScheduledFor)
	}
	if s.timer.Policy.Overlap != rota.OverlapAllowAll && len(s.ends) > 0 {
		s.Fatalf("%s started beside another run", o.ScheduledFor)
	}
	s.fired++
	s.timer.RanFor = later(s.timer.RanFor, o.ScheduledFor.Time)
	s.ends = append(s.ends, s.now.Add(s.some("run", 3000)))
}

func (s *simulation) settle(run int) {
	s.ends = append(s.ends[:run], s.ends[run+1:]...)
	phase := rapid.SampledFrom([]rota.Phase{rota.PhaseCompleted, rota.PhaseCompleted, rota.PhaseFailed, rota.PhaseCancelled}).Draw(s.T, "phase")
	waited := s.waiting()
	d := Settle(s.timer, rota.Result{Phase: phase, CompletedAt: s.now})
	s.timer = d.Timer
	s.blocked += waited - s.waiting()
	for _, o := range d.Records {
		s.record(o)
	}
}

// waiting counts what waits in the timer.
func (s *simulation) waiting() int64 {
	n := int64(s.timer.Backlog)
	if !s.timer.Buffered.IsZero() {
		n++
	}
	return n
}

func (s *simulation) calendar() calendar.Calendar {
	cal, err := calendar.Parse(s.timer.Spec, s.timer.Anchor)
	if err != nil {
		s.Fatal(err)
	}
	return cal
}

func (s *simulation) verify() {
	if s.timer.RunCount != s.fired || s.timer.OpenRuns != len(s.ends) {
		s.Fatalf("counted %d runs and %d open, there were %d and %d", s.timer.RunCount, s.timer.OpenRuns, s.fired, len(s.ends))
	}
	if most := s.timer.Policy.MaxRuns; most != nil && s.fired > *most {
		s.Fatalf("%d runs of at most %d", s.fired, *most)
	}
	buffered := int64(0)
	for _, o := range s.outcomes {
		if o == rota.Buffered {
			buffered++
		}
	}
	if buffered != s.blocked+s.waiting() {
		s.Fatalf("%d occurrences wait, and the timer knows of %d", buffered-s.blocked, s.waiting())
	}
	s.verifySpan()
}

// verifySpan walks the nominal times from the plan on: each has an outcome up
// to the timer's next, and none from there on.
func (s *simulation) verifySpan() {
	seen := 0
	for at, ok := nextNominal(s.timer.Policy, s.calendar(), start); ok && seen < len(s.outcomes); at, ok = nextNominal(s.timer.Policy, s.calendar(), at) {
		if s.outcomes[at] == "" {
			s.Fatalf("%s has no outcome", at)
		}
		if next := s.timer.NextRunAt; !next.IsZero() && !at.Before(next) {
			s.Fatalf("%s has an outcome, and %s is said to be next", at, next)
		}
		seen++
	}
	if seen != len(s.outcomes) {
		s.Fatalf("%d outcomes for %d times", len(s.outcomes), seen)
	}
}
