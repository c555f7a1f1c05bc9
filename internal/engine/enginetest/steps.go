package enginetest

import (
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
	"github.com/rota-run/rota/internal/engine"
)

// A step is one thing that happens, as dice say.
type step struct {
	name string
	play func(*stage, dice)
}

// steps are those that may happen, and how likely each is.
var steps = []struct {
	likely int
	step
}{
	{1, step{"pass some time", func(s *stage, d dice) { s.pass(s.atMost(d.some(time.Hour), 50)) }}},
	{1, step{"pass a moment", func(s *stage, d dice) { s.pass(s.atMost(d.some(time.Minute), 50)) }}},
	{4, step{"pass until a schedule runs", (*stage).until}},
	{3, step{"create a schedule", (*stage).create}},
	{3, ask("change", (*observed).change)},
	{1, ask("pause", func(r *observed, _ dice) error {
		return errOf(r.control.PauseSchedule(r.Context(), caller, r.AgentID, r.ID, rota.SchedulePause{}, control.Write{}))
	})},
	{2, ask("resume", func(r *observed, _ dice) error {
		return errOf(r.control.ResumeSchedule(r.Context(), caller, r.AgentID, r.ID, rota.SchedulePause{}, control.Write{}))
	})},
	{2, ask("trigger", func(r *observed, _ dice) error {
		return errOf(r.control.TriggerSchedule(r.Context(), caller, r.AgentID, r.ID, control.Write{}))
	})},
	{1, ask("delete", func(r *observed, _ dice) error {
		return errOf(r.control.DeleteSchedule(r.Context(), caller, r.AgentID, r.ID, control.Write{}))
	})},
	{1, ask("skip a time of", func(r *observed, d dice) error {
		n, _ := r.plan().next(r.wall().Add(d.some(12 * time.Hour)))
		return errOf(r.control.SkipOccurrence(r.Context(), caller, r.AgentID, r.ID, rota.OccurrenceSkip{ScheduledFor: rota.InstantOf(n)}, control.Write{}))
	})},
	{1, ask("skip no time of", func(r *observed, _ dice) error {
		in := rota.OccurrenceSkip{ScheduledFor: append(r.Skips, rota.InstantOf(r.wall()))[0]}
		return errOf(r.control.UnskipOccurrence(r.Context(), caller, r.AgentID, r.ID, in, control.Write{}))
	})},
	{2, ask("backfill", func(r *observed, d dice) error {
		back := d.some(12 * time.Hour)
		from := r.wall().Add(-back)
		in := rota.BackfillCreate{From: rota.InstantOf(from), To: rota.InstantOf(from.Add(min(d.some(12*time.Hour), back))), DryRun: rota.Some(false)}
		return errOf(r.control.BackfillSchedule(r.Context(), caller, r.AgentID, r.ID, in, control.Write{}))
	})},
	{1, step{"delete an agent", (*stage).dismiss}},
	{1, step{"restore an agent", (*stage).restore}},
	{1, step{"move an agent to a provider", (*stage).move}},
	{1, step{"start a run", func(s *stage, d dice) {
		x, err := s.control.StartRun(s.Context(), caller, s.agent(d), rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
		require.NoError(s, err)
		s.begin(x)
	}}},
	{1, step{"cancel a run", func(s *stage, d dice) {
		if open := slices.DeleteFunc(slices.Clone(s.order), func(x *run) bool { return !x.ended.IsZero() }); len(open) > 0 {
			x := oneOf(d, open...)
			s.cancelRun(x.ID)
			x.cancelled = true
		}
	}}},
	{2, step{"answer otherwise", (*stage).behave}},
	{2, step{"crash", (*stage).crashes}},
	{1, step{"restart", func(s *stage, d dice) {
		from := s.wall()
		s.stop()
		s.startAgain(d, from)
	}}},
	{1, step{"suspend the machine", func(s *stage, d dice) {
		from := s.wall()
		s.setClock(s.atMost(d.some(6*time.Hour), 500))
		s.engine.Changed()
		s.gaps = append(s.gaps, gap{from: from, to: s.wall()})
	}}},
	{1, step{"set the clock back", (*stage).setBack}},
}

// step draws a step.
func (d dice) step() step {
	var all []step
	for _, s := range steps {
		all = append(all, slices.Repeat([]step{s.step}, s.likely)...)
	}
	return oneOf(d, all...)
}

func errOf[T any](_ T, err error) error { return err }

// until lets time pass up to a nominal time of a schedule, or nearly.
func (s *stage) until(d dice) {
	off := oneOf(d, 0, -time.Millisecond, time.Millisecond, 3*time.Second, 40*time.Second)
	if r := s.schedule(d); r != nil {
		n, ok := r.plan().next(s.wall().Add(oneOf(d, 0, d.some(12*time.Hour))))
		if d := n.Add(off).Sub(s.wall()); ok && d > 0 {
			s.pass(s.atMost(d, 50))
		}
	}
}

// atMost cuts a time down to three days, and to that in which the busiest
// schedule has so many nominal times.
func (s *stage) atMost(d time.Duration, times int) time.Duration {
	d = min(d, 72*time.Hour)
	for _, r := range s.schedules {
		first, _ := r.plan().next(s.wall())
		if second, ok := r.plan().next(first); ok && !first.IsZero() && r.Status == rota.ScheduleActive {
			d = min(d, time.Duration(times)*second.Sub(first))
		}
	}
	return d
}

// schedule returns one of the schedules, or nil if there is none.
func (s *stage) schedule(d dice) *observed {
	if len(s.schedules) == 0 {
		return nil
	}
	return oneOf(d, s.schedules...)
}

// ask is a call of the API about a schedule. What is refused changes nothing.
func ask(name string, call func(*observed, dice) error) step {
	return step{name, func(s *stage, d dice) {
		r := s.schedule(d)
		if r == nil {
			return
		}
		s.logf("\t%s", r.name)
		err := call(r, d)
		switch {
		case s.gone[r.AgentID]:
			r.holds(errors.Is(err, rota.Conflict), "%s gives %v", name, err)
		case r.Status == rota.ScheduleDeleted:
			r.holds(errors.Is(err, rota.NotFound), "%s gives %v", name, err)
		default:
			r.holds(err == nil || errors.Is(err, rota.Invalid) || errors.Is(err, rota.Conflict), "%s gives %v", name, err)
		}
		r.holds(err == nil || s.read(r.Schedule).Version == r.Version, "%s is refused, and has changed it", name)
	}}
}

func (s *stage) create(d dice) {
	now, agent := s.wall(), s.agent(d)
	s.seed++
	cryptotest.SetGlobalRandom(s.test, s.seed) // jitter depends on the identifier
	in := rota.ScheduleCreate{Spec: d.spec(now), Input: rota.InputText("hi"), Policy: d.policy(now)}
	got, err := s.control.CreateSchedule(s.Context(), caller, agent, in, control.Write{})
	if err != nil {
		require.ErrorIs(s, err, rota.Invalid) // its times may all be over
		return
	}
	r := &observed{stage: s, name: fmt.Sprintf("schedule %d", len(s.schedules)), Schedule: got, madeUp: map[time.Time]int64{}}
	s.logf("\t%s: %+v %+v", r.name, got.Spec, got.Policy)
	r.replan(now)
	s.schedules = append(s.schedules, r)
}

// change changes the policy and perhaps the spec.
func (r *observed) change(d dice) error {
	now := r.wall()
	in := rota.ScheduleUpdate{Policy: d.policy(now), Input: rota.Some(rota.InputText("hello"))}
	switch d.IntN(3) {
	case 0:
		in.Spec = rota.Some(d.spec(now))
	case 1:
		in.Policy = rota.PolicyUpdate{MaxRuns: rota.Some(int64(1))}
	}
	got, err := r.control.UpdateSchedule(r.Context(), caller, r.AgentID, r.ID, in, control.Write{})
	r.logf("\t%+v %+v %v", got.Spec, got.Policy, err)
	return err
}

// agent returns one of two agents that are there.
func (s *stage) agent(d dice) rota.AgentID {
	for len(s.agents) < 2 {
		s.agents = append(s.agents, s.world.agent(oneOf(d, "large/m", "small/m")))
	}
	return oneOf(d, s.agents...)
}

func (s *stage) dismiss(d dice) {
	id := s.agent(d)
	require.NoError(s, errOf(s.control.DeleteAgent(s.Context(), caller, id, control.Write{})))
	s.agents = slices.DeleteFunc(s.agents, func(a rota.AgentID) bool { return a == id })
	s.gone[id] = true
}

func (s *stage) restore(d dice) {
	if len(s.gone) > 0 {
		id := oneOf(d, slices.Sorted(maps.Keys(s.gone))...)
		require.NoError(s, errOf(s.control.RestoreAgent(s.Context(), caller, id, control.Write{})))
		delete(s.gone, id)
		s.agents = append(s.agents, id)
	}
}

func (s *stage) move(d dice) {
	in := rota.AgentUpdate{Model: rota.Some(oneOf(d, "large/m", "small/m"))}
	require.NoError(s, errOf(s.control.UpdateAgent(s.Context(), caller, s.agent(d), in, control.Write{})))
}

// behave changes the ways of the model. Which of the answers a call gets depends
// on its occurrence, and on how often the run was asked.
func (s *stage) behave(d dice) {
	answers := []reply{d.reply(), d.reply(), d.reply()}[:1+d.IntN(3)]
	s.logf("\t%+v", answers)
	s.model.will(func(n int) reply {
		c, h, asked := s.model.asked[n-1], fnv.New32a(), 0
		for _, other := range s.model.asked {
			if other.run == c.run {
				asked++
			}
		}
		h.Write([]byte(c.nominal))
		r := answers[(int(h.Sum32()%97)+asked)%len(answers)]
		if r.takes > 0 {
			h.Write([]byte(c.run))
			r.takes += time.Duration(h.Sum32()%900) * time.Millisecond // few calls end at the same moment
		}
		return r
	})
}

// crashes lets the server die with one of its next writes, or somewhat later, and
// starts it again after a while. Whether the last write is durable, nobody knows.
func (s *stage) crashes(d dice) {
	var from time.Time
	s.store.dieLater(crash{left: d.IntN(6), kept: oneOf(d, false, true), onDeath: func() { from = s.wall() }})
	s.pass(s.atMost(d.some(time.Hour), 50))
	if from.IsZero() {
		from = s.wall()
	}
	s.kill()
	s.startAgain(d, from)
}

// startAgain starts the server after a while. from is since when nobody looks.
func (s *stage) startAgain(d dice, from time.Time) {
	time.Sleep(s.atMost(d.some(6*time.Hour), 500))
	s.start()
	s.gaps = append(s.gaps, gap{from: from, to: s.wall()})
}

const longestSetBack = time.Minute

// setBack sets the clock back. Nobody asks for anything until it has caught up.
func (s *stage) setBack(d dice) {
	back := d.some(longestSetBack)
	s.setClock(-back)
	s.engine.Changed()
	s.settle()
	for i := range s.gaps {
		s.gaps[i].again = true
	}
	if back >= engine.Outage {
		for _, r := range s.schedules {
			r.rewind(s.wall())
		}
	}
	s.pass(back + time.Second)
}
