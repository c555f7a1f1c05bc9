package enginetest

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
)

// A stage is a world in which a story is played, and all that is known there:
// what was asked for, what came of it, and when nobody was looking.
type stage struct {
	*world
	test      *testing.T // the bubble
	seed      uint64
	schedules []*observed
	agents    []*agent
	runs      map[rota.RunID]*run
	order     []*run                // the runs, as they were first seen
	calls     int                   // of the model that have been looked at
	keys      map[string]rota.RunID // under which the model was asked
	gaps      []gap
	seen      time.Time // the last look
	recorded  time.Time // before which nothing was put on record that is new: the last look, or when the clock was set back since
}

// A run is what is known of a run.
type run struct {
	rota.Run               // as it was last read
	of           *observed // whose it is; nil if an API call started it
	began, ended time.Time // ended is zero while it is open
	calls        []int     // of the model
	cancelled    bool      // somebody asked for it
	checked      bool      // its end was looked at
}

// blocked reports whether the run ended because it was not to start.
func (x *run) blocked() bool {
	return x.Reason != nil && slices.Contains([]string{rota.RunErrAgentDeleted, rota.RunErrPaused, rota.RunErrDeleted}, x.Reason.Code)
}

// A gap is a time in which nobody looked.
type gap struct{ from, to time.Time }

// look looks at everything that the API shows, and checks what must be true of
// it. Nothing that it sees anew happened before the last look.
func (s *stage) look() {
	now := s.wall()
	s.readRuns()
	for _, r := range s.schedules {
		r.observe(now)
	}
	s.readCalls()
	s.seen, s.recorded = now, now
	s.checkWorkers()
}

// wall returns the time as the API speaks of it.
func (s *stage) wall() time.Time { return rota.InstantOf(s.now()).Time }

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

// equal reports whether two optional values are the same.
func equal[T any](a, b *T) bool { return reflect.DeepEqual(a, b) }

// occurrences reads what is on record, page by page.
func (s *stage) occurrences(r *observed, f rota.OccurrenceFilter, p rota.Page) []rota.Occurrence {
	var all []rota.Occurrence
	for {
		l, err := s.control.Occurrences(s.Context(), caller, r.AgentID, r.ID, f, p)
		require.NoError(s, err)
		for _, o := range l.Data {
			if !o.Open {
				all = append(all, o)
			}
		}
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
		r.holds(!r.rests || r.Status == rota.SchedulePaused && x.Trigger == rota.TriggerManual, "the model was asked at %s, and it was %s before", at, r.Status)
	}
}

// checkRepeat checks that a run is asked again only when the call before it is
// over, and under another key only if the provider answered with a failure.
func (s *stage) checkRepeat(before, c call) {
	at := later(c.at, s.seen) // by a clock that may have been set back
	require.False(s, before.ended.IsZero() || rota.InstantOf(before.ended).After(at), "a run is asked twice at once")
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
	require.LessOrEqual(s, len(x.calls), len(x.Attempts), "calls and attempts")
	switch {
	case x.blocked():
		require.Empty(s, x.Attempts, "a run that was asked is blocked")
	case x.Phase == rota.PhaseCancelled:
		require.True(s, x.cancelled, "a run is cancelled, and nobody asked for it")
	case x.Phase == rota.PhaseCompleted:
		require.True(s, !last.ended.IsZero() && last.err == nil, "a run is completed, and its last call is not")
	case x.Error.Code == rota.RunErrWorkerLost:
		require.True(s, x.of != nil && x.of.plan.policy.Retry.OnCrash == rota.OnCrashNever, "a run is lost, and its policy would resume it")
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
func (s *stage) show(r *observed, logf func(string, ...any)) {
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

// finish lets everything that waits end, and checks the lists as a whole.
func (s *stage) finish() {
	s.model.will(func(int) reply { return reply{} })
	s.pass(2 * time.Hour)
	s.look()
	for _, x := range s.order {
		require.False(s, x.ended.IsZero(), "a run is still %s", x.Phase)
	}
	for _, r := range s.schedules {
		r.checkLedger()
	}
	listed := 0
	for _, a := range s.agents {
		listed += s.checkRuns(a)
	}
	require.Equal(s, len(s.order), listed, "runs on record, and those that something started")
}

// checkRuns checks that something started every run of an agent, and counts
// them.
func (s *stage) checkRuns(a *agent) int {
	n := 0
	for p := (rota.Page{Limit: 100}); ; {
		l, err := s.control.Runs(s.Context(), caller, a.id, p)
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
