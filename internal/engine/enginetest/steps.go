package enginetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/gateway"
)

// An amount of time passes.
type pass struct{ d time.Duration }

func (p pass) play(s *stage) { s.pass(s.atMost(p.d, 50)) }

// Time passes up to a nominal time of a schedule, or nearly.
type until struct {
	which, nth int
	off        time.Duration
}

func (u until) play(s *stage) {
	r := s.schedule(u.which)
	if r == nil {
		return
	}
	n, ok := r.next(s.wall())
	for range u.nth {
		if next, more := r.next(n); ok && more {
			n = next
		}
	}
	if d := n.Add(u.off).Sub(s.wall()); ok && d > 0 {
		s.pass(s.atMost(d, 50))
	}
}

// atMost cuts a time down to three days, and to that in which the busiest
// schedule has so many nominal times.
func (s *stage) atMost(d time.Duration, times int) time.Duration {
	d = min(d, 72*time.Hour)
	for _, r := range s.schedules {
		if first, ok := r.next(s.wall()); ok && r.status == rota.ScheduleActive {
			if second, ok := r.next(first); ok {
				d = min(d, time.Duration(times)*second.Sub(first))
			}
		}
	}
	return d
}

// schedule returns one of the schedules, or nil if there is none.
func (s *stage) schedule(which int) *reference {
	if len(s.schedules) == 0 {
		return nil
	}
	return s.schedules[which%len(s.schedules)]
}

// Terms are when and how a schedule runs, counted from the moment in which it is set.
type terms struct {
	spec       rota.Spec
	in         time.Duration // run_at of once
	start, end time.Duration // of the policy; zero leaves it
	policy     string        // the rest of it
}

func (t terms) from(now time.Time) (rota.Spec, rota.PolicyUpdate) {
	var p rota.PolicyUpdate
	if err := json.Unmarshal([]byte(t.policy), &p); err != nil {
		panic(err)
	}
	if t.start != 0 {
		p.StartAt = rota.Some(rota.InstantOf(now.Add(t.start)))
	}
	if t.end != 0 {
		p.EndAt = rota.Some(rota.InstantOf(now.Add(t.end)))
	}
	if t.spec.Type == rota.Once {
		t.spec.RunAt = rota.InstantOf(now.Add(t.in)).String()
	}
	return t.spec, p
}

// Somebody makes a schedule.
type create struct {
	agent int
	terms
}

func (c create) play(s *stage) {
	a := s.hire(c.agent)
	spec, p := c.from(s.wall())
	r := &reference{tester: s.tester, name: fmt.Sprintf("schedule %d", len(s.schedules)), rows: map[int64]rota.Occurrence{}, rowOf: map[int64]int64{}, skips: map[int64]bool{}}
	next, ok := r.replans(rota.Some(spec), p.Apply(rota.DefaultPolicy()), s.wall())
	s.seed++
	cryptotest.SetGlobalRandom(s.test, s.seed) // jitter depends on the identifier
	in := rota.ScheduleCreate{Spec: spec, Input: rota.InputText("hi"), Policy: p}
	got, err := s.control.CreateSchedule(s.Context(), caller, a.id, in, control.Write{})
	r.refused(err, !ok, rota.Invalid)
	if !ok {
		return
	}
	r.id, r.agent, r.status = got.ID, a.id, rota.ScheduleActive
	r.plan = next
	s.schedules = append(s.schedules, r)
}

// hire returns one of two agents that are there.
func (s *stage) hire(which int) *agent {
	var there []*agent
	for _, a := range s.agents {
		if !a.deleted {
			there = append(there, a)
		}
	}
	for len(there) < 2 {
		a := &agent{id: s.agent([]string{"large/m", "small/m"}[len(s.agents)%2])}
		s.agents, there = append(s.agents, a), append(there, a)
	}
	return there[which%2]
}

// refused checks that a call is refused if it must be.
func (r *reference) refused(err error, must bool, with rota.Code) {
	r.Helper()
	if must {
		r.holds(errors.Is(err, with), "%s is not refused as %s, but: %v", r.status, with, err)
		return
	}
	r.holds(err == nil, "%s is refused: %v", r.status, err)
}

// Somebody changes a schedule.
type update struct {
	which int
	spec  bool // also the spec
	terms
}

func (u update) play(s *stage) {
	r := s.schedule(u.which)
	if r == nil {
		return
	}
	now := s.wall()
	spec, p := u.from(now)
	in := rota.ScheduleUpdate{Policy: p, Input: rota.Some(rota.InputText("hello"))}
	if u.spec {
		in.Spec = rota.Some(spec)
	}
	next, ok := r.replans(in.Spec, p.Apply(r.policy), now)
	_, err := s.control.UpdateSchedule(s.Context(), caller, r.agent, r.id, in, control.Write{})
	if r.status == rota.ScheduleDeleted {
		r.refused(err, true, rota.NotFound)
		return
	}
	r.refused(err, !ok, rota.Invalid)
	if ok {
		r.asked = func(f facts) { r.replan(next, u.spec, f) }
	}
}

// Somebody pauses a schedule.
type pause struct{ which int }

func (p pause) play(s *stage) {
	r := s.schedule(p.which)
	if r == nil {
		return
	}
	_, err := s.control.PauseSchedule(s.Context(), caller, r.agent, r.id, rota.SchedulePause{}, control.Write{})
	r.allowed(err)
	if r.status == rota.ScheduleActive {
		r.asked = func(f facts) { r.stop(rota.SchedulePaused, f.since, f); r.stopped = time.Time{} }
	}
}

// allowed checks that pausing or resuming is refused if it must be.
func (r *reference) allowed(err error) {
	r.Helper()
	switch r.status {
	case rota.ScheduleDeleted:
		r.refused(err, true, rota.NotFound)
	case rota.ScheduleCompleted:
		r.refused(err, true, rota.Conflict)
	default:
		r.refused(err, false, "")
	}
}

// Somebody resumes a schedule.
type resume struct{ which int }

func (p resume) play(s *stage) {
	r := s.schedule(p.which)
	if r == nil {
		return
	}
	_, err := s.control.ResumeSchedule(s.Context(), caller, r.agent, r.id, rota.SchedulePause{}, control.Write{})
	r.allowed(err)
	if r.status == rota.SchedulePaused {
		r.asked = func(f facts) {
			r.pass(f.since, f)
			r.status, r.failures = rota.ScheduleActive, 0
			r.after, r.made = f.since, f.since
		}
	}
}

// Somebody asks to skip one of the next nominal times.
type skip struct{ which, nth int }

func (k skip) play(s *stage) {
	r := s.schedule(k.which)
	if r == nil {
		return
	}
	n, ok := r.next(s.wall())
	for i := 0; i < k.nth && ok; i++ {
		n, ok = r.next(n)
	}
	if !ok || r.status == rota.ScheduleActive && r.exhausted() {
		return
	}
	in := rota.OccurrenceSkip{ScheduledFor: rota.InstantOf(n)}
	_, err := s.control.SkipOccurrence(s.Context(), caller, r.agent, r.id, in, control.Write{})
	switch r.status {
	case rota.ScheduleDeleted:
		r.refused(err, true, rota.NotFound)
	case rota.ScheduleCompleted:
		r.refused(err, true, rota.Invalid)
	default:
		require.NoError(s, err)
		r.skips[n.UnixMilli()] = true
	}
}

// Somebody takes the first mark of a schedule away.
type unskip struct{ which int }

func (k unskip) play(s *stage) {
	r := s.schedule(k.which)
	if r == nil || len(r.skips) == 0 || r.status == rota.ScheduleDeleted {
		return
	}
	first := slices.Min(slices.Collect(maps.Keys(r.skips)))
	in := rota.OccurrenceSkip{ScheduledFor: rota.InstantOf(time.UnixMilli(first))}
	_, err := s.control.UnskipOccurrence(s.Context(), caller, r.agent, r.id, in, control.Write{})
	require.NoError(s, err)
	delete(r.skips, first)
}

// Somebody lets a schedule run now.
type trigger struct{ which int }

func (t trigger) play(s *stage) {
	r := s.schedule(t.which)
	if r == nil {
		return
	}
	o, err := s.control.TriggerSchedule(s.Context(), caller, r.agent, r.id, control.Write{})
	r.refused(err, r.status == rota.ScheduleDeleted, rota.NotFound)
	if err != nil {
		return
	}
	want := rota.Fired
	if r.policy.Overlap != rota.OverlapAllowAll && r.room(s.wall()) == occupied {
		want = rota.SkippedOverlap
		if r.policy.Overlap == rota.OverlapBufferOne && r.waits.IsZero() && r.status == rota.ScheduleActive {
			want = rota.Buffered
		}
	}
	r.holds(o.Outcome == want && o.Trigger == rota.TriggerManual, "triggered, it is %s and not %s", o.Outcome, want)
	r.asked = func(f facts) { r.act(r.take(o.ScheduledFor.Time, f), want, f.since, f) }
}

// Somebody asks to run times of the past.
type backfill struct {
	which      int
	back, span time.Duration
}

func (b backfill) play(s *stage) {
	r := s.schedule(b.which)
	if r == nil {
		return
	}
	now := s.wall()
	from := rota.InstantOf(now.Add(-b.back))
	to := rota.InstantOf(from.Add(min(b.span, b.back)))
	if r.exemptBackfill(from.Time, to.Time) {
		return
	}
	in := rota.BackfillCreate{From: from, To: to, DryRun: rota.Some(false)}
	got, err := s.control.BackfillSchedule(s.Context(), caller, r.agent, r.id, in, control.Write{})
	times := r.past(from.Time, to.Time)
	most := r.policy.MaxRuns
	switch {
	case r.status == rota.ScheduleDeleted:
		r.refused(err, true, rota.NotFound)
	case r.status == rota.SchedulePaused, most != nil && len(times) > 0 && r.count+int64(r.waiting()+len(times)) > *most:
		r.refused(err, true, rota.Conflict)
	default:
		r.refused(err, false, "")
		var told []time.Time
		for _, t := range got.Data {
			told = append(told, t.ScheduledFor.Time)
		}
		r.holds(slices.EqualFunc(told, times, time.Time.Equal), "a backfill is of %s, and should be of %s", told, times)
		r.refill(times)
	}
}

// Somebody deletes a schedule.
type remove struct{ which int }

func (d remove) play(s *stage) {
	r := s.schedule(d.which)
	if r == nil {
		return
	}
	_, err := s.control.DeleteSchedule(s.Context(), caller, r.agent, r.id, control.Write{})
	r.refused(err, r.status == rota.ScheduleDeleted, rota.NotFound)
	r.asked = r.deleted
}

// Somebody deletes an agent.
type dismiss struct{ which int }

func (d dismiss) play(s *stage) {
	a := s.hire(d.which)
	_, err := s.control.DeleteAgent(s.Context(), caller, a.id, control.Write{})
	require.NoError(s, err)
	a.deleted = true
	for _, r := range s.schedules {
		if r.agent == a.id {
			r.asked = r.deleted
		}
	}
}

// Somebody starts a run.
type start struct{ agent int }

func (r start) play(s *stage) {
	a := s.hire(r.agent)
	x, err := s.control.StartRun(s.Context(), caller, a.id, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.NoError(s, err)
	s.run(x.ID)
}

// Somebody cancels a run.
type cancel struct{ which int }

func (c cancel) play(s *stage) {
	var open []*run
	for _, x := range s.order {
		if x.ended.IsZero() {
			open = append(open, x)
		}
	}
	if len(open) == 0 {
		return
	}
	x := open[c.which%len(open)]
	s.cancelRun(x.ID)
	x.cancelled = true
}

// An agent moves to the other provider.
type move struct{ agent int }

func (m move) play(s *stage) {
	a := s.hire(m.agent)
	a.moves++
	in := rota.AgentUpdate{Model: rota.Some([]string{"large/m", "small/m"}[a.moves%2])}
	_, err := s.control.UpdateAgent(s.Context(), caller, a.id, in, control.Write{})
	require.NoError(s, err)
}

// The model changes its ways. Which of the answers a call gets depends on its
// occurrence, and on how often the run was asked.
type behave struct{ answers []answer }

// An answer is how a model answers a call.
type answer struct {
	takes time.Duration
	fails string
}

func (b behave) play(s *stage) {
	s.model.will(func(n int) reply {
		c := s.model.asked[n-1]
		i := int(hash(c.nominal) % 97)
		for _, other := range s.model.asked {
			if other.run == c.run {
				i++
			}
		}
		r := b.answers[i%len(b.answers)].reply()
		if r.takes > 0 {
			r.takes += time.Duration(hash(string(c.run))%900) * time.Millisecond // few calls end at the same moment
		}
		return r
	})
}

func hash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

func (a answer) reply() reply {
	switch a.fails {
	case "rejects":
		return reply{takes: a.takes, err: &gateway.Error{Code: rota.RunErrRejected, Message: "no", Answered: true}}
	case "is busy":
		return reply{takes: a.takes, err: busy(7 * time.Minute)}
	case "breaks":
		return reply{takes: a.takes, err: &gateway.Error{Code: rota.RunErrConnection, Message: "broken", Retryable: true}}
	}
	return reply{takes: a.takes}
}

// The server dies with one of its next writes, or somewhat later, and is
// started again after a while.
type crash struct {
	writes int
	kept   bool // the last of them
	within time.Duration
	down   time.Duration
}

func (c crash) play(s *stage) {
	g := gap{missed: true}
	s.store.dieLater(fate{left: c.writes, kept: c.kept, fulfil: func() { g.from, g.died = s.wall(), true }})
	s.pass(s.atMost(c.within, 50))
	if g.died {
		s.lookAt(g.from, true)
	} else {
		g.from = s.wall()
	}
	s.kill()
	time.Sleep(s.atMost(c.down, 500))
	s.start()
	g.to = s.wall()
	s.gaps = append(s.gaps, g)
}

// The server is stopped in good order, and started again after a while.
type restart struct{ down time.Duration }

func (r restart) play(s *stage) {
	g := gap{from: s.wall(), missed: true}
	s.stop()
	time.Sleep(s.atMost(r.down, 500))
	s.start()
	g.to = s.wall()
	s.gaps = append(s.gaps, g)
}

// The machine sleeps for a while.
type suspend struct{ d time.Duration }

func (p suspend) play(s *stage) {
	g := gap{from: s.wall(), missed: p.d > time.Minute}
	s.setClock(s.atMost(p.d, 500))
	s.engine.Changed()
	g.to = s.wall()
	s.gaps = append(s.gaps, g)
}

// The clock is set back. Nobody asks for anything until it has caught up.
type setBack struct{ d time.Duration }

func (b setBack) play(s *stage) {
	s.setClock(-b.d)
	s.engine.Changed()
	for i := range s.gaps { // what comes a second time is looked at
		s.gaps[i].to = earlier(s.gaps[i].to, s.wall())
	}
	s.pass(b.d + time.Second)
}
