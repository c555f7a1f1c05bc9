package enginetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/gateway"
)

// A step is one thing that happens.
type step struct {
	text string
	play func(*stage)
}

// pass lets time pass.
func pass(d time.Duration) step {
	return step{fmt.Sprintf("pass %s", d), func(s *stage) { s.pass(s.atMost(d, 50)) }}
}

// until lets time pass up to a nominal time of a schedule, or nearly.
func until(which, nth int, off time.Duration) step {
	return step{fmt.Sprintf("until time %d of %d, and %s", nth, which, off), func(s *stage) {
		r := s.schedule(which)
		if r == nil {
			return
		}
		n, ok := r.plan.nth(s.wall(), nth)
		if d := n.Add(off).Sub(s.wall()); ok && d > 0 {
			s.pass(s.atMost(d, 50))
		}
	}}
}

// atMost cuts a time down to three days, and to that in which the busiest
// schedule has so many nominal times.
func (s *stage) atMost(d time.Duration, times int) time.Duration {
	d = min(d, 72*time.Hour)
	for _, r := range s.schedules {
		first, _ := r.plan.next(s.wall())
		if second, ok := r.plan.next(first); ok && !first.IsZero() && r.Status == rota.ScheduleActive {
			d = min(d, time.Duration(times)*second.Sub(first))
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

// ask is a call of the API about a schedule. What is refused changes nothing.
func ask(which int, what string, call func(*observed) error) step {
	return step{fmt.Sprintf("%s %d", what, which), func(s *stage) {
		r := s.schedule(which)
		if r == nil {
			return
		}
		err := call(r)
		r.holds(s.allowed(r, err), "%s gives %v", what, err)
		r.holds(err == nil || s.read(r.Schedule).Version == r.Version, "%s is refused, and has changed it", what)
	}}
}

// allowed reports whether a call about a schedule may have such an answer.
func (s *stage) allowed(r *observed, err error) bool {
	switch {
	case s.isDeleted(r.AgentID):
		return errors.Is(err, rota.Conflict)
	case r.Status == rota.ScheduleDeleted:
		return errors.Is(err, rota.NotFound)
	}
	return err == nil || errors.Is(err, rota.Invalid) || errors.Is(err, rota.Conflict)
}

func pause(which int) step {
	return ask(which, "pause", func(r *observed) error {
		_, err := r.control.PauseSchedule(r.Context(), caller, r.AgentID, r.ID, rota.SchedulePause{}, control.Write{})
		return err
	})
}

func resume(which int) step {
	return ask(which, "resume", func(r *observed) error {
		_, err := r.control.ResumeSchedule(r.Context(), caller, r.AgentID, r.ID, rota.SchedulePause{}, control.Write{})
		return err
	})
}

func trigger(which int) step {
	return ask(which, "trigger", func(r *observed) error {
		_, err := r.control.TriggerSchedule(r.Context(), caller, r.AgentID, r.ID, control.Write{})
		return err
	})
}

func remove(which int) step {
	return ask(which, "delete", func(r *observed) error {
		_, err := r.control.DeleteSchedule(r.Context(), caller, r.AgentID, r.ID, control.Write{})
		return err
	})
}

// skip marks one of the next nominal times.
func skip(which, nth int) step {
	return ask(which, fmt.Sprintf("skip time %d of", nth), func(r *observed) error {
		n, _ := r.plan.nth(r.wall(), nth)
		_, err := r.control.SkipOccurrence(r.Context(), caller, r.AgentID, r.ID, rota.OccurrenceSkip{ScheduledFor: rota.InstantOf(n)}, control.Write{})
		return err
	})
}

// unskip takes the first mark away.
func unskip(which int) step {
	return ask(which, "unskip", func(r *observed) error {
		in := rota.OccurrenceSkip{ScheduledFor: rota.InstantOf(r.wall())}
		if len(r.Skips) > 0 {
			in.ScheduledFor = r.Skips[0]
		}
		_, err := r.control.UnskipOccurrence(r.Context(), caller, r.AgentID, r.ID, in, control.Write{})
		return err
	})
}

// backfill asks to run times of the past.
func backfill(which int, back, span time.Duration) step {
	return ask(which, fmt.Sprintf("backfill %s from %s ago on, of", span, back), func(r *observed) error {
		from := rota.InstantOf(r.wall().Add(-back))
		in := rota.BackfillCreate{From: from, To: rota.InstantOf(from.Add(min(span, back))), DryRun: rota.Some(false)}
		_, err := r.control.BackfillSchedule(r.Context(), caller, r.AgentID, r.ID, in, control.Write{})
		r.backfilled = err == nil
		return err
	})
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

func create(agent int, t terms) step {
	return step{fmt.Sprintf("create %+v", t), func(s *stage) {
		a, now := s.hire(agent), s.wall()
		spec, p := t.from(now)
		s.seed++
		cryptotest.SetGlobalRandom(s.test, s.seed) // jitter depends on the identifier
		in := rota.ScheduleCreate{Spec: spec, Input: rota.InputText("hi"), Policy: p}
		got, err := s.control.CreateSchedule(s.Context(), caller, a.id, in, control.Write{})
		if err != nil {
			require.ErrorIs(s, err, rota.Invalid) // its times may all be over
			return
		}
		r := &observed{stage: s, name: fmt.Sprintf("schedule %d", len(s.schedules)), rows: map[int64]rota.Occurrence{}}
		r.replan(got, true, now)
		r.Schedule, r.before = got, r.plan
		s.schedules = append(s.schedules, r)
	}}
}

// update changes the policy and perhaps the spec.
func update(which int, anew bool, t terms) step {
	return ask(which, fmt.Sprintf("update %t %+v of", anew, t), func(r *observed) error {
		now := r.wall()
		spec, p := t.from(now)
		in := rota.ScheduleUpdate{Policy: p, Input: rota.Some(rota.InputText("hello"))}
		if anew {
			in.Spec = rota.Some(spec)
		}
		got, err := r.control.UpdateSchedule(r.Context(), caller, r.AgentID, r.ID, in, control.Write{})
		if err == nil {
			r.replan(got, anew, now)
		}
		return err
	})
}

// An agent is known by its id, and whether it is there.
type agent struct {
	id      rota.AgentID
	deleted bool
	until   time.Time // when it can no longer be restored
	moves   int       // to the other provider
}

// isDeleted reports whether an agent is deleted.
func (s *stage) isDeleted(id rota.AgentID) bool {
	return slices.ContainsFunc(s.agents, func(a *agent) bool { return a.id == id && a.deleted })
}

// hire returns one of two agents that are there.
func (s *stage) hire(which int) *agent {
	there := slices.DeleteFunc(slices.Clone(s.agents), func(a *agent) bool { return a.deleted })
	for len(there) < 2 {
		a := &agent{id: s.agent([]string{"large/m", "small/m"}[len(s.agents)%2])}
		s.agents, there = append(s.agents, a), append(there, a)
	}
	return there[which%2]
}

func dismiss(which int) step {
	return step{fmt.Sprintf("delete agent %d", which), func(s *stage) {
		a := s.hire(which)
		_, err := s.control.DeleteAgent(s.Context(), caller, a.id, control.Write{})
		require.NoError(s, err)
		a.deleted, a.until = true, s.wall().Add(s.control.AgentRetention)
	}}
}

// restore restores the first agent that is deleted and can be restored.
func restore() step {
	return step{"restore an agent", func(s *stage) {
		i := slices.IndexFunc(s.agents, func(a *agent) bool { return a.deleted && s.now().Before(a.until) })
		if i < 0 {
			return
		}
		_, err := s.control.RestoreAgent(s.Context(), caller, s.agents[i].id, control.Write{})
		require.NoError(s, err)
		s.agents[i].deleted = false
	}}
}

// move gives an agent a model of the other provider.
func move(which int) step {
	return step{fmt.Sprintf("move agent %d", which), func(s *stage) {
		a := s.hire(which)
		a.moves++
		in := rota.AgentUpdate{Model: rota.Some([]string{"large/m", "small/m"}[a.moves%2])}
		_, err := s.control.UpdateAgent(s.Context(), caller, a.id, in, control.Write{})
		require.NoError(s, err)
	}}
}

func startRun(agent int) step {
	return step{fmt.Sprintf("start a run of agent %d", agent), func(s *stage) {
		x, err := s.control.StartRun(s.Context(), caller, s.hire(agent).id, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
		require.NoError(s, err)
		s.run(x.ID)
	}}
}

func cancelRun(which int) step {
	return step{fmt.Sprintf("cancel run %d", which), func(s *stage) {
		open := slices.DeleteFunc(slices.Clone(s.order), func(x *run) bool { return !x.ended.IsZero() })
		if len(open) > 0 {
			x := open[which%len(open)]
			s.cancelRun(x.ID)
			x.cancelled = true
		}
	}}
}

// An answer is how a model answers a call.
type answer struct {
	takes time.Duration
	fails string
}

// behave changes the ways of the model. Which of the answers a call gets depends
// on its occurrence, and on how often the run was asked.
func behave(answers []answer) step {
	return step{fmt.Sprintf("behave %v", answers), func(s *stage) {
		s.model.will(func(n int) reply {
			c := s.model.asked[n-1]
			i := int(hash(c.nominal) % 97)
			for _, other := range s.model.asked {
				if other.run == c.run {
					i++
				}
			}
			r := answers[i%len(answers)].reply()
			if r.takes > 0 {
				r.takes += time.Duration(hash(string(c.run))%900) * time.Millisecond // few calls end at the same moment
			}
			return r
		})
	}}
}

func hash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

func (a answer) reply() reply {
	r := reply{takes: a.takes}
	switch a.fails {
	case "rejects":
		r.err = &gateway.Error{Code: rota.RunErrRejected, Message: "no", Answered: true}
	case "is busy":
		r.err = busy(7 * time.Minute)
	case "breaks":
		r.err = &gateway.Error{Code: rota.RunErrConnection, Message: "broken", Retryable: true}
	}
	return r
}

// crashes lets the server die with one of its next writes, or somewhat later, and
// starts it again after a while. kept says whether the last write is durable.
func crashes(writes int, kept bool, within, down time.Duration) step {
	return step{fmt.Sprintf("crash in %s or at write %d (%t), for %s", within, writes, kept, down), func(s *stage) {
		var g gap
		s.store.dieLater(crash{left: writes, kept: kept, onDeath: func() { g.from = s.wall() }})
		s.pass(s.atMost(within, 50))
		if g.from.IsZero() {
			g.from = s.wall()
		}
		s.kill()
		time.Sleep(s.atMost(down, 500))
		s.start()
		s.gapUntilNow(g)
	}}
}

// gapUntilNow notes that nobody has looked up to now.
func (s *stage) gapUntilNow(g gap) {
	g.to = s.wall()
	s.gaps = append(s.gaps, g)
}

// restarts stops the server in good order, and starts it again after a while.
func restarts(down time.Duration) step {
	return step{fmt.Sprintf("restart after %s", down), func(s *stage) {
		g := gap{from: s.wall()}
		s.stop()
		time.Sleep(s.atMost(down, 500))
		s.start()
		s.gapUntilNow(g)
	}}
}

// suspend lets the machine sleep for a while.
func suspend(d time.Duration) step {
	return step{fmt.Sprintf("suspend %s", d), func(s *stage) {
		g := gap{from: s.wall()}
		s.setClock(s.atMost(d, 500))
		s.engine.Changed()
		s.gapUntilNow(g)
	}}
}

// setBack sets the clock back. Nobody asks for anything until it has caught up.
func setBack(d time.Duration) step {
	return step{fmt.Sprintf("set the clock back %s", d), func(s *stage) {
		s.setClock(-d)
		s.engine.Changed()
		s.settle()
		if d >= engine.Outage {
			s.recorded = s.wall()
			for _, r := range s.schedules {
				r.rewind()
			}
		}
		s.pass(d + time.Second)
	}}
}
