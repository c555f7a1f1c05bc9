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
	n, ok := r.plan.next(s.wall())
	for range u.nth {
		if next, more := r.plan.next(n); ok && more {
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
		if first, ok := r.plan.next(s.wall()); ok && r.Status == rota.ScheduleActive {
			if second, ok := r.plan.next(first); ok {
				d = min(d, time.Duration(times)*second.Sub(first))
			}
		}
	}
	return d
}

// schedule returns one of the schedules, or nil if there is none.
func (s *stage) schedule(which int) *observed {
	if len(s.schedules) == 0 {
		return nil
	}
	return s.schedules[which%len(s.schedules)]
}

// Terms are when and how a schedule runs, counted from the moment in which it is set.
type terms struct {
	spec       rota.Spec
	in         time.Duration // run_at of once
	grid       time.Duration // start_at of an interval; zero leaves it out
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
	if t.spec.Type == rota.Interval && t.grid != 0 {
		t.spec.StartAt = rota.InstantOf(now.Add(t.grid)).String()
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
	now := s.wall()
	spec, p := c.from(now)
	s.seed++
	cryptotest.SetGlobalRandom(s.test, s.seed) // jitter depends on the identifier
	in := rota.ScheduleCreate{Spec: spec, Input: rota.InputText("hi"), Policy: p}
	got, err := s.control.CreateSchedule(s.Context(), caller, a.id, in, control.Write{})
	if s.refused(err, false) {
		return
	}
	r := &observed{
		stage: s, name: fmt.Sprintf("schedule %d", len(s.schedules)), Schedule: got,
		rows: map[int64]rota.Occurrence{}, skips: map[int64]bool{},
	}
	r.plan.policy = rota.DefaultPolicy()
	r.create(spec, p.Apply(rota.DefaultPolicy()), now)
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

// refused reports whether a call was refused, and checks that one for what is
// deleted is, and that others are refused for what was asked.
func (s *stage) refused(err error, deleted bool) bool {
	s.Helper()
	ok := err == nil || errors.Is(err, rota.Invalid) || errors.Is(err, rota.Conflict)
	if deleted {
		ok = errors.Is(err, rota.NotFound)
	}
	require.True(s, ok, "refused (deleted %t): %v", deleted, err)
	return err != nil
}

// gone reports whether a schedule is deleted.
func (r *observed) gone() bool { return r.Status == rota.ScheduleDeleted }

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
	got, err := s.control.UpdateSchedule(s.Context(), caller, r.AgentID, r.ID, in, control.Write{})
	if !s.refused(err, r.gone()) {
		r.replan(in.Spec, p.Apply(r.plan.policy), got, now)
	}
}

// Somebody pauses a schedule.
type pause struct{ which int }

func (p pause) play(s *stage) {
	r := s.schedule(p.which)
	if r == nil {
		return
	}
	_, err := s.control.PauseSchedule(s.Context(), caller, r.AgentID, r.ID, rota.SchedulePause{}, control.Write{})
	s.refused(err, r.gone())
}

// Somebody resumes a schedule.
type resume struct{ which int }

func (p resume) play(s *stage) {
	r := s.schedule(p.which)
	if r == nil {
		return
	}
	_, err := s.control.ResumeSchedule(s.Context(), caller, r.AgentID, r.ID, rota.SchedulePause{}, control.Write{})
	s.refused(err, r.gone())
}

// Somebody asks to skip one of the next nominal times.
type skip struct{ which, nth int }

func (k skip) play(s *stage) {
	r := s.schedule(k.which)
	if r == nil {
		return
	}
	n, ok := r.plan.next(s.wall())
	for i := 0; i < k.nth && ok; i++ {
		n, ok = r.plan.next(n)
	}
	if !ok {
		return
	}
	in := rota.OccurrenceSkip{ScheduledFor: rota.InstantOf(n)}
	_, err := s.control.SkipOccurrence(s.Context(), caller, r.AgentID, r.ID, in, control.Write{})
	if !s.refused(err, r.gone()) {
		r.skips[n.UnixMilli()] = true
	}
}

// Somebody takes the first mark of a schedule away.
type unskip struct{ which int }

func (k unskip) play(s *stage) {
	r := s.schedule(k.which)
	if r == nil || len(r.skips) == 0 || r.Status == rota.ScheduleDeleted {
		return
	}
	first := slices.Min(slices.Collect(maps.Keys(r.skips)))
	in := rota.OccurrenceSkip{ScheduledFor: rota.InstantOf(time.UnixMilli(first))}
	_, err := s.control.UnskipOccurrence(s.Context(), caller, r.AgentID, r.ID, in, control.Write{})
	s.refused(err, false)
	delete(r.skips, first)
}

// Somebody lets a schedule run now.
type trigger struct{ which int }

func (t trigger) play(s *stage) {
	r := s.schedule(t.which)
	if r == nil {
		return
	}
	o, err := s.control.TriggerSchedule(s.Context(), caller, r.AgentID, r.ID, control.Write{})
	if !s.refused(err, r.gone()) {
		r.holds(o.Trigger == rota.TriggerManual && o.RecordedAt.Equal(s.wall()), "triggered, it is by %s at %s", o.Trigger, o.RecordedAt)
	}
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
	in := rota.BackfillCreate{From: from, To: to, DryRun: rota.Some(false)}
	got, err := s.control.BackfillSchedule(s.Context(), caller, r.AgentID, r.ID, in, control.Write{})
	if s.refused(err, r.gone()) || len(got.Data) == 0 {
		return
	}
	r.refilled = from.Time
	for _, o := range got.Data {
		n := o.ScheduledFor.Time
		was := r.rows[n.UnixMilli()]
		r.holds(r.plan.has(n) && !n.Before(from.Time) && !n.After(to.Time) && (was.RunID == nil || was.Outcome == rota.Blocked),
			"a backfill is of %s, which is %s", n, was.Outcome)
	}
}

// Somebody deletes a schedule.
type remove struct{ which int }

func (d remove) play(s *stage) {
	r := s.schedule(d.which)
	if r == nil {
		return
	}
	_, err := s.control.DeleteSchedule(s.Context(), caller, r.AgentID, r.ID, control.Write{})
	s.refused(err, r.gone())
}

// Somebody deletes an agent.
type dismiss struct{ which int }

func (d dismiss) play(s *stage) {
	a := s.hire(d.which)
	_, err := s.control.DeleteAgent(s.Context(), caller, a.id, control.Write{})
	require.NoError(s, err)
	a.deleted = true
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
	var g gap
	s.store.dieLater(fate{left: c.writes, kept: c.kept, fulfil: func() { g.from = s.wall() }})
	s.pass(s.atMost(c.within, 50))
	if g.from.IsZero() {
		g.from = s.wall()
	}
	s.kill()
	time.Sleep(s.atMost(c.down, 500))
	s.start()
	s.gapUntilNow(g)
}

// gapUntilNow notes that nobody has looked up to now.
func (s *stage) gapUntilNow(g gap) {
	g.to = s.wall()
	s.gaps = append(s.gaps, g)
}

// The server is stopped in good order, and started again after a while.
type restart struct{ down time.Duration }

func (r restart) play(s *stage) {
	g := gap{from: s.wall()}
	s.stop()
	time.Sleep(s.atMost(r.down, 500))
	s.start()
	s.gapUntilNow(g)
}

// The machine sleeps for a while.
type suspend struct{ d time.Duration }

func (p suspend) play(s *stage) {
	g := gap{from: s.wall()}
	s.setClock(s.atMost(p.d, 500))
	s.engine.Changed()
	s.gapUntilNow(g)
}

// The clock is set back. Nobody asks for anything until it has caught up.
type setBack struct{ d time.Duration }

func (b setBack) play(s *stage) {
	s.setClock(-b.d)
	s.engine.Changed()
	s.pass(b.d + time.Second)
}
