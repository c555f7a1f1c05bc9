package enginetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
)

// A stage is a world in which a story is played, and all that its teller knows:
// what was asked for, what came of it, and when nobody was looking.
type stage struct {
	*world
	test      *testing.T // the bubble
	seed      uint64
	schedules []*reference
	agents    []*agent
	runs      map[rota.RunID]*run
	order     []*run                // the runs, as they were first seen
	calls     int                   // of the model that have been looked at
	keys      map[string]rota.RunID // under which the model was asked
	gaps      []gap
	seen      time.Time // the last look
}

// An agent is known by its id, and whether it is there.
type agent struct {
	id      rota.AgentID
	deleted bool
	moves   int // to the other provider
}

// A run is what is known of a run.
type run struct {
	rota.Run                // as it was last read
	of           *reference // whose it is; nil if an API call started it
	began, ended time.Time  // ended is zero while it is open
	recorded     rota.Instant
	calls        []int // of the model
	cancelled    bool  // somebody asked for it
	settled      bool  // its schedule knows that it ended
	checked      bool  // its end was looked at
}

// blocked reports whether the run ended because it was not to start.
func (x *run) blocked() bool {
	return x.Error != nil && slices.Contains([]string{rota.RunErrAgentDeleted, rota.RunErrPaused, rota.RunErrDeleted}, x.Error.Code)
}

// look looks at everything that the API shows, and compares it with what must
// be. Nothing that it sees anew happened before the last look.
func (s *stage) look() {
	s.lookAt(s.wall(), false)
	s.checkWorkers()
}

// lookAt is look, of a server that is dying or not.
func (s *stage) lookAt(now time.Time, dying bool) {
	s.readRuns()
	for _, r := range s.schedules {
		f := facts{
			since: s.seen, now: now, dying: dying, gaps: s.gaps, rows: s.news(r),
			schedule: s.read(rota.Schedule{AgentID: r.agent, ID: r.id}), run: s.run,
		}
		for _, o := range f.rows {
			if o.RunID != nil {
				s.run(*o.RunID)
			}
		}
		r.follow(f)
		r.agree(f.schedule)
	}
	s.readCalls()
	s.seen = now
}

// wall returns the time as the API speaks of it.
func (s *stage) wall() time.Time { return rota.InstantOf(s.now()).Time }

// news returns what is on record for a schedule, as far as it was not known.
func (s *stage) news(r *reference) map[int64]rota.Occurrence {
	from := s.seen.Add(-time.Minute) // a new plan may begin so long ago
	if n, ok := r.next(r.after); ok && r.status == rota.ScheduleActive && n.Before(from) {
		from = n
	}
	if r.status == rota.SchedulePaused && r.paused.Before(from) {
		from = r.paused
	}
	if !r.waits.IsZero() && r.waits.Before(from) {
		from = r.waits
	}
	if len(r.line) > 0 && r.line[0].at.Before(from) {
		from = r.line[0].at
	}
	if !r.changed.IsZero() && r.changed.Before(from) {
		from = r.changed
	}
	rows := map[int64]rota.Occurrence{}
	for _, o := range s.occurrences(r, rota.OccurrenceFilter{From: from}, rota.Page{Limit: 100, Ascending: true}) {
		if _, known := r.rows[o.ScheduledFor.UnixMilli()]; !known {
			rows[o.ScheduledFor.UnixMilli()] = o
		}
	}
	return rows
}

// occurrences reads the whole of a list, page by page.
func (s *stage) occurrences(r *reference, f rota.OccurrenceFilter, p rota.Page) []rota.Occurrence {
	var all []rota.Occurrence
	for {
		l, err := s.control.Occurrences(s.Context(), caller, r.agent, r.id, f, p)
		require.NoError(s, err)
		all = append(all, l.Data...)
		if !l.HasMore {
			return all
		}
		p.After = *l.LastID
	}
}

// readRuns reads again the runs that had not ended.
func (s *stage) readRuns() {
	for _, x := range s.order {
		if x.ended.IsZero() {
			s.reread(x)
		}
	}
}

func (s *stage) reread(x *run) {
	x.Run = s.readRun(x.ID)
	if x.CompletedAt != nil {
		x.ended = later(x.CompletedAt.Time, s.seen)
	}
}

// run returns what is known of a run, which it reads if it is new.
func (s *stage) run(id rota.RunID) *run {
	if x := s.runs[id]; x != nil {
		return x
	}
	x := &run{began: s.seen}
	x.ID = id
	s.runs[id] = x
	s.order = append(s.order, x)
	s.reread(x)
	return x
}

// readCalls looks at what the model was asked since the last look.
func (s *stage) readCalls() {
	all := s.model.calls()
	for i := s.calls; i < len(all); i++ {
		c := all[i]
		x := s.runs[c.run]
		require.NotNil(s, x, "the model was asked for a run that nobody started")
		s.checkCall(x, c, all)
		x.calls = append(x.calls, i)
	}
	s.calls = len(all)
	for _, x := range s.order {
		s.checkEnd(x, all)
	}
}

// checkCall checks that the model could be asked.
func (s *stage) checkCall(x *run, c call, all []call) {
	at := later(rota.InstantOf(c.at).Time, s.seen)
	require.False(s, at.Before(x.began), "the model was asked at %s, before the run began at %s", at, x.began)
	require.False(s, !x.ended.IsZero() && at.After(x.ended), "the model was asked at %s, after the run ended at %s", at, x.ended)
	if other, used := s.keys[c.key]; used {
		require.Equal(s, other, c.run, "two runs under one key")
	}
	s.keys[c.key] = c.run
	if len(x.calls) > 0 {
		s.checkRepeat(all[x.calls[len(x.calls)-1]], c)
		return
	}
	if r := x.of; r != nil {
		stopped := r.status == rota.ScheduleDeleted || r.status == rota.SchedulePaused && x.Trigger != rota.TriggerManual
		require.False(s, stopped && at.After(r.stopped), "%s: the model was asked at %s, and it is %s since %s", r.name, at, r.status, r.stopped)
	}
}

// checkRepeat checks that a run is asked again only when the call before it is
// over, and under another key only if the provider answered with a failure.
func (s *stage) checkRepeat(before, c call) {
	at := later(c.at, s.seen) // by a clock that may have been set back
	require.False(s, before.ended.IsZero() || before.ended.After(at), "a run is asked twice at once")
	var failure *gateway.Error
	answered := errors.As(before.err, &failure) && failure.Answered
	require.True(s, answered || before.key == c.key, "another key, and the provider did not answer with a failure: %v", before.err)
}

// checkEnd checks that a run ended as its last call did.
func (s *stage) checkEnd(x *run, all []call) {
	if x.ended.IsZero() || x.checked {
		return
	}
	x.checked = true
	var last call
	if n := len(x.calls); n > 0 {
		last = all[x.calls[n-1]]
	}
	require.LessOrEqual(s, len(x.calls), x.Attempts, "calls and attempts")
	switch {
	case x.blocked():
		require.Zero(s, x.Attempts, "a run that was asked is blocked")
	case x.Phase == rota.PhaseCancelled:
		require.True(s, x.cancelled, "a run is cancelled, and nobody asked for it")
	case x.Phase == rota.PhaseCompleted:
		require.True(s, !last.ended.IsZero() && last.err == nil, "a run is completed, and its last call is not")
	case x.Error.Code == rota.RunErrWorkerLost:
		require.True(s, x.of != nil && x.of.policy.Retry.OnCrash == rota.OnCrashNever, "a run is lost, and its policy would resume it")
	default:
		var failure *gateway.Error
		require.True(s, errors.As(last.err, &failure), "a run failed with %s, and its last call with %v", x.Error.Code, last.err)
		require.Equal(s, failure.Code, x.Error.Code)
	}
}

// checkWorkers checks that what is said to be at work is at work, and that no
// run waits while there is a worker for it.
func (s *stage) checkWorkers() {
	busy, atWork := map[string]int{}, map[rota.RunID]bool{}
	for _, c := range s.model.calls() {
		if c.ended.IsZero() {
			busy[c.provider]++
			atWork[c.run] = true
		}
	}
	full := len(atWork) == s.setup.MaxConcurrentRuns
	for _, p := range s.setup.Providers {
		full = full || p.Max > 0 && busy[p.Name] == p.Max
	}
	for _, x := range s.order {
		if x.ended.IsZero() {
			require.Equal(s, x.Phase == rota.PhaseRunning, atWork[x.ID], "a run is %s", x.Phase)
			require.True(s, full || x.Phase != rota.PhaseQueued, "a run waits, and there is a worker for it")
		}
	}
}

// show logs what is on record for a schedule.
func (s *stage) show(r *reference, logf func(string, ...any)) {
	for _, o := range s.occurrences(r, rota.OccurrenceFilter{}, rota.Page{Limit: 100, Ascending: true}) {
		why := ""
		if o.Reason != nil {
			why = o.Reason.Code
		}
		logf("%s to %v, %d: %s %s by %s at %s", o.ScheduledFor, o.ScheduledUntil, o.Count, o.Outcome, why, o.Trigger, o.RecordedAt)
		if o.RunID != nil {
			x := s.readRun(*o.RunID)
			logf("\ta run, %s at %v", x.Phase, x.CompletedAt)
		}
	}
}

// close checks what is left when a story has ended: the lists as a whole.
func (s *stage) close() {
	for _, r := range s.schedules {
		s.checkLedger(r)
	}
	listed := 0
	for _, a := range s.agents {
		listed += s.checkRuns(a)
	}
	require.Equal(s, len(s.order), listed, "runs on record, and those that something started")
}

// checkLedger checks that a schedule's record is what was seen of it, once and
// whichever way it is read.
func (s *stage) checkLedger(r *reference) {
	rows := s.occurrences(r, rota.OccurrenceFilter{}, rota.Page{Limit: 7, Ascending: true})
	back := s.occurrences(r, rota.OccurrenceFilter{}, rota.Page{Limit: 5})
	slices.Reverse(back)
	require.Equal(s, rows, back, "%s: the record, read both ways", r.name)
	counts := map[int64]int64{}
	for _, row := range r.rowOf {
		counts[row]++
	}
	seen := 0
	for _, o := range rows {
		was, known := r.rows[o.ScheduledFor.UnixMilli()]
		r.holds(known || o.Outcome == rota.Buffered, "%s appeared late", o.ScheduledFor)
		if !known {
			continue
		}
		seen++
		covered := o.Trigger == rota.TriggerManual && o.Count == 1 // by the pause of times that were given later
		r.holds(covered || counts[o.ScheduledFor.UnixMilli()] == o.Count, "the row of %s stands for %d times", o.ScheduledFor, o.Count)
		want := was.Outcome
		if o.RunID != nil && s.run(*o.RunID).blocked() {
			want = rota.Blocked
		}
		r.holds(o.Outcome == want, "%s is %s: it should be %s", o.ScheduledFor, o.Outcome, want)
	}
	r.holds(seen == len(r.rows), "%d rows on record, and %d were seen", seen, len(r.rows))
}

// checkRuns checks that something started every run of an agent, and counts
// them.
func (s *stage) checkRuns(a *agent) int {
	n := 0
	for p := (rota.Page{Limit: 100}); ; {
		l, err := s.control.Runs(s.Context(), caller, a.id, p)
		if a.deleted && errors.Is(err, rota.NotFound) {
			return 0
		}
		require.NoError(s, err)
		for _, x := range l.Data {
			require.NotNil(s, s.runs[x.ID], "a run that nothing started, triggered by %s", x.Trigger)
		}
		n += len(l.Data)
		if !l.HasMore {
			return n
		}
		p.After = *l.LastID
	}
}
