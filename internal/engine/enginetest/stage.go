package enginetest

import (
	"errors"
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
	agents    []*agent
	runs      map[rota.RunID]*run
	order     []*run                // the runs, as they were first seen
	calls     int                   // of the model that have been looked at
	keys      map[string]rota.RunID // under which the model was asked
	gaps      []gap
	seen      time.Time // the last look
	recorded  time.Time // nothing that is new was put on record before: the last look, or when the clock was set back since
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

// A gap is a time in which nobody looked.
type gap struct{ from, to time.Time }

// look looks at everything that the API shows, and checks what must be true of
// it. Nothing that it sees anew happened before the last look.
func (s *stage) look() {
	now := s.wall()
	for _, x := range s.order {
		if x.ended.IsZero() {
			s.reread(x)
		}
	}
	for _, r := range s.schedules {
		r.observe(now)
	}
	s.checkCalls()
	s.checkWorkers()
	s.seen, s.recorded = now, now
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

// last returns the last of some times, or zero if there is none.
func last(times []time.Time) (t time.Time) {
	if n := len(times); n > 0 {
		t = times[n-1]
	}
	return t
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
	x := &run{Run: rota.Run{ID: id}, began: s.seen}
	s.runs[id], s.order = x, append(s.order, x)
	s.reread(x)
	return x
}

// checkCalls looks at what the model was asked since the last look, and at the ends
// of runs.
func (s *stage) checkCalls() {
	all := s.model.calls()
	for i := s.calls; i < len(all); i++ {
		x := s.runs[all[i].run]
		require.NotNil(s, x, "the model was asked for a run that nobody started")
		s.checkCall(x, all[i], all)
		x.calls = append(x.calls, i)
	}
	s.calls = len(all)
	for _, x := range s.order {
		if !x.ended.IsZero() && !x.checked {
			s.checkEnd(x, all)
		}
	}
}

// checkCall checks that the model could be asked: while the run was open; when no
// other call was under way; and under the key of the call before it, unless the
// provider answered that with a failure.
func (s *stage) checkCall(x *run, c call, all []call) {
	at := later(rota.InstantOf(c.at).Time, s.seen) // by a clock that may have been set back
	require.False(s, at.Before(x.began) || !x.ended.IsZero() && at.After(x.ended), "the model was asked at %s, for a run from %s to %s", at, x.began, x.ended)
	other, used := s.keys[c.key]
	require.True(s, !used || other == c.run, "two runs under one key")
	s.keys[c.key] = c.run
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
	x.checked = true
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
// more than may be, and that no run waits while there is a worker for it.
func (s *stage) checkWorkers() {
	busy, atWork := map[string]int{}, map[rota.RunID]bool{}
	for _, c := range s.model.calls() {
		if c.ended.IsZero() {
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
		for p, more := (rota.Page{Limit: 100}), true; more; {
			l, err := s.control.Runs(s.Context(), caller, a.id, p)
			require.NoError(s, err)
			listed += len(l.Data)
			if more = l.HasMore; more {
				p.After = *l.LastID
			}
		}
	}
	require.Len(s, s.order, listed, "runs on record, and those that something started")
}
