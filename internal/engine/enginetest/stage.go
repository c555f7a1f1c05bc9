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

// A stage is a world in which a story is played, and all that is known there:
// what was asked for, what came of it, and when nobody was looking.
type stage struct {
	*world
	test      *testing.T // the bubble
	logf      func(string, ...any)
	seed      uint64
	schedules []*observed
	agents    []rota.AgentID        // that are there
	gone      map[rota.AgentID]bool // those that are deleted
	runs      map[rota.RunID]*run
	order     []*run // the runs, as they were first seen
	calls     int    // of the model that have been looked at
	gaps      []gap
	looks     int       // so many there were
	seen      time.Time // the last look
}

// A run is what is known of a run.
type run struct {
	rota.Run               // as it was last read
	of           *observed // whose it is; nil if an API call started it
	began, ended time.Time // ended is zero while it is open
	calls        []int     // of the model
	cancelled    bool      // somebody asked for it
}

// A gap is a time in which nobody looked.
type gap struct {
	from, to time.Time
	again    bool // the clock was set back after it: what was missed in it may come once more
}

// look looks at what the API shows, and checks what must be true of it. Nothing that it
// sees anew happened before the last look.
func (s *stage) look() {
	now := s.wall()
	for _, r := range s.schedules {
		r.observe(now)
	}
	for _, x := range s.order {
		if x.ended.IsZero() {
			x.Run = s.readRun(x.ID)
			s.note(x)
		}
	}
	s.discover()
	for _, r := range s.schedules {
		r.check(now)
	}
	s.checkCalls()
	s.checkWorkers(now)
	s.fold()
	s.seen = now
}

// discover notes runs that have begun since the last look.
func (s *stage) discover() {
	for x := range everything(s, false, func(p rota.Page) (rota.List[rota.Run], error) {
		return s.control.AllRuns(s.Context(), caller, "", rota.RunFilter{}, p)
	}) {
		if x.CreatedAt.Before(s.seen.Add(-2 * longestSetBack)) {
			return
		}
		if s.runs[x.ID] == nil {
			require.NotNil(s, x.ScheduleID, "nobody has started a run")
			i := slices.IndexFunc(s.schedules, func(r *observed) bool { return r.ID == *x.ScheduleID })
			begun := s.begin(x)
			begun.of = s.schedules[i]
			begun.of.begin(begun)
		}
	}
}

// begin notes a run that has begun.
func (s *stage) begin(in rota.Run) *run {
	x := &run{Run: in, began: later(in.CreatedAt.Time, s.seen)}
	s.runs[x.ID], s.order = x, append(s.order, x)
	s.note(x)
	return x
}

// note notes whether a run has ended.
func (s *stage) note(x *run) {
	if x.CompletedAt != nil {
		x.ended = later(x.CompletedAt.Time, s.seen)
	}
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

// checkCalls looks at what the model was asked since the last look.
func (s *stage) checkCalls() {
	all := s.model.calls()
	for i := s.calls; i < len(all); i++ {
		x := s.runs[all[i].run]
		require.NotNil(s, x, "the model was asked for a run that nobody started")
		s.checkCall(x, all[i], all)
		x.calls = append(x.calls, i)
	}
	s.calls = len(all)
}

// checkCall checks that the model could be asked: while the run was open; when no
// other call was under way; and under the key of the call before it, unless the
// provider answered that with a failure.
func (s *stage) checkCall(x *run, c call, all []call) {
	at := later(rota.InstantOf(c.at).Time, s.seen) // by a clock that may have been set back
	require.False(s, at.Before(x.began) || !x.ended.IsZero() && at.After(x.ended), "the model was asked at %s, for a run from %s to %s", at, x.began, x.ended)
	if n := len(x.calls); n > 0 {
		before := all[x.calls[n-1]]
		require.False(s, before.ended.IsZero() || rota.InstantOf(before.ended).After(later(c.at, s.seen)), "a run is asked twice at once")
		var failure *gateway.Error
		answered := errors.As(before.err, &failure) && failure.Answered
		require.True(s, answered || before.key == c.key, "another key, and the provider did not answer with a failure: %v", before.err)
	} else if r := x.of; r != nil {
		r.holds(!r.rests || r.Status == rota.SchedulePaused && x.Trigger == rota.TriggerManual, "the model was asked at %s, and it was %s before", at, r.Status)
	}
}

// checkEnd checks that a run ended as its last call did, unless somebody asked for
// its end, or it was not to be asked again.
func (s *stage) checkEnd(x *run, all []call) {
	require.False(s, x.ended.IsZero(), "a run is still %s", x.Phase)
	var last call
	if n := len(x.calls); n > 0 {
		last = all[x.calls[n-1]]
	}
	may := map[rota.Phase]bool{
		rota.PhaseCompleted: !last.ended.IsZero() && last.err == nil,
		rota.PhaseFailed:    last.err != nil || x.Error != nil && x.Error.Code == rota.RunErrWorkerLost,
		rota.PhaseCancelled: x.cancelled || len(x.calls) == 0,
	}
	require.True(s, may[x.Phase], "a run is %s after %d calls, of which the last ended with %v", x.Phase, len(x.calls), last.err)
}

// checkWorkers checks that what is said to be at work is at work, that there are no
// more than may be, and that nothing waits while there is a worker for it: no run,
// and no time that was missed, where nothing has happened for some starts of these.
func (s *stage) checkWorkers(now time.Time) {
	busy, atWork, last := map[string]int{}, map[rota.RunID]bool{}, later(s.seen, s.gaps[len(s.gaps)-1].to)
	for _, c := range s.model.calls() {
		if last = later(last, later(c.at, c.ended)); c.ended.IsZero() {
			busy[c.provider]++
			atWork[c.run] = true
		}
	}
	full := len(atWork) >= s.setup.MaxConcurrentRuns
	require.LessOrEqual(s, len(atWork), s.setup.MaxConcurrentRuns)
	for _, p := range s.setup.Providers {
		full = full || p.Max > 0 && busy[p.Name] >= p.Max
		require.True(s, p.Max == 0 || busy[p.Name] <= p.Max, "%d runs at %s", busy[p.Name], p.Name)
	}
	for _, x := range s.order {
		if x.ended.IsZero() {
			require.Equal(s, x.Phase == rota.PhaseRunning, atWork[x.ID], "a run is %s", x.Phase)
			require.True(s, full || x.Phase != rota.PhaseQueued, "a run waits, and there is a worker for it")
		}
	}
	for _, r := range s.schedules {
		r.holds(full || !r.mayCatchUp || now.Sub(last) <= 2*time.Second, "what was missed waits, and nothing has happened since %s", last)
	}
}

// finish lets everything that waits end, and checks the lists as a whole.
func (s *stage) finish() {
	s.model.will(func(int) reply { return reply{} })
	s.pass(2 * time.Hour)
	s.look()
	for _, x := range s.order {
		s.checkEnd(x, s.model.calls())
	}
	for _, r := range s.schedules {
		r.checkLedger()
	}
	s.checkTallies()
}
