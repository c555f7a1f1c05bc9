package storetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var fires = []testCase{
	{"due timers fire, the longest due first", dueInOrder},
	{"a fire starts a run and moves the timer", fireWrites},
	{"a decision gets the timer and the model", decisionInput},
	{"a nominal time fires once", firesOnce},
	{"a nominal time fires once in a batch, too", firesOnceInABatch},
	{"a buffered occurrence fires later", bufferedFires},
	{"an outcome is final", finalOutcome},
	{"a span of missed times is one row", missedSpan},
	{"several runs of one decision keep their order", runsInOrder},
	{"a run has the schedule's content", runContent},
	{"a schedule continues its last response", continued},
	{"a decision can be made at any time", fireNow},
	{"a run has the context of its occurrence", fireContext},
	{"an error rolls back the whole batch", fireRollback},
	{"the next wake is the first due time", nextWake},
	{"a paused timer does not fire", restingTimer},
	{"a timer knows that its agent is deleted", absentTimer},
}

func dueInOrder(w *world) {
	a := w.addAgent()
	var want []rota.ScheduleID
	for _, after := range []time.Duration{30, 10, 20, 40} {
		want = append(want, w.addSchedule(a.ID, func(_ *rota.Schedule, t *rota.Timer) {
			t.NextRunAt = start.Add(after * time.Second)
			t.DueAt = t.NextRunAt.Add(time.Second)
		}).ID)
	}
	w.at(11*time.Second - time.Millisecond)
	require.Empty(w, w.fire(10, w.once))
	w.at(31 * time.Second)
	first := w.fire(2, w.once)
	require.Len(w, first, 2)
	require.Equal(w, want[1], first[0].Occurrence.ScheduleID)
	require.Equal(w, want[2], first[1].Occurrence.ScheduleID)
	second := w.fire(2, w.once)
	require.Len(w, second, 1, "due at this very instant")
	require.Equal(w, want[0], second[0].Occurrence.ScheduleID)
	require.Empty(w, w.fire(2, w.once))
	require.Len(w, w.claim(10), 3)
}

func fireWrites(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	w.at(time.Minute + 250*time.Millisecond)
	fires := w.fire(10, w.once)
	require.Len(w, fires, 1)
	f := fires[0]
	require.Equal(w, w.now, f.At)
	require.Equal(w, f.Run, *f.Occurrence.RunID)
	f.Occurrence.Run = &rota.OccurrenceRun{Phase: rota.PhaseQueued}
	w.same([]rota.Occurrence{f.Occurrence}, w.occurrences(s))
	require.EqualValues(w, 250, *f.Occurrence.LatenessMS)

	got := w.schedule(s)
	require.EqualValues(w, 1, got.RunCount)
	require.Equal(w, f.Run, *got.LastRunID)
	require.Equal(w, w.now, got.LastRunAt.Time)
	require.Equal(w, start.Add(2*time.Minute), got.NextRunAt.Time)
	require.Equal(w, s.UpdatedAt, got.UpdatedAt)
	require.Equal(w, s.Version, got.Version)
	require.Equal(w, 1, w.timer(s).OpenRuns)
	require.Equal(w, map[rota.Phase]int{rota.PhaseQueued: 1}, w.open())
}

func decisionInput(w *world) {
	a := w.addAgent()
	s, want := w.newSchedule(a.ID)
	fill(&s, &want)
	want.DueAt = start
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.AddSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: want})
	})
	want.Model = want.PinnedModel
	called := false
	w.fire(1, func(t rota.Timer) rota.Decision {
		called = true
		w.same(want, t)
		t.DueAt = time.Time{}
		return rota.Decision{Timer: t}
	})
	require.True(w, called)
	want.Model, want.DueAt = "", time.Time{}
	w.same(want, w.timer(s))
}

func firesOnce(w *world) {
	s, run := w.fired()
	before := w.timer(s)
	w.at(3 * time.Minute)
	again := w.fire(1, func(t rota.Timer) rota.Decision {
		t.NextRunAt = start.Add(time.Minute) // as if it had not been advanced
		return w.once(t)
	})
	require.Empty(w, again)
	require.Equal(w, before, w.timer(s), "the timer is as after the first decision")
	require.Len(w, w.occurrences(s), 1)
	require.Equal(w, run, w.claimOne().Run.ID)
}

func firesOnceInABatch(w *world) {
	a := w.addAgent()
	s := w.addSchedule(a.ID)
	fresh := w.addSchedule(a.ID, func(_ *rota.Schedule, t *rota.Timer) { t.DueAt = start.Add(2 * time.Minute) })
	w.at(time.Minute)
	w.fire(1, w.once)
	w.at(2 * time.Minute)
	fires := w.fire(10, func(t rota.Timer) rota.Decision {
		if t.ScheduleID == s.ID {
			t.NextRunAt = start.Add(time.Minute) // as if it had not been advanced
		}
		one := w.once(t)
		two := w.once(one.Timer)
		two.Records[0].ScheduledFor = one.Records[0].ScheduledFor
		two.Records = append(one.Records, two.Records...)
		return two
	})
	require.Len(w, fires, 1)
	require.Equal(w, fresh.ID, fires[0].Occurrence.ScheduleID)
	for _, of := range []rota.Schedule{s, fresh} {
		require.Len(w, w.occurrences(of), 1)
		require.EqualValues(w, 1, w.timer(of).RunCount)
		require.Equal(w, 1, w.timer(of).OpenRuns)
	}
	require.Equal(w, fires[0].Run, *w.occurrences(fresh)[0].RunID)
	require.Len(w, w.claim(10), 2)
}

func bufferedFires(w *world) {
	s, run := w.fired()
	w.at(2 * time.Minute)
	require.Empty(w, w.fire(1, func(t rota.Timer) rota.Decision {
		d := w.buffer(t)
		d.Records[0].Trigger = rota.TriggerManual
		return d
	}))
	waiting := w.occurrences(s)
	require.Equal(w, []rota.Outcome{rota.Fired, rota.Buffered}, outcomes(waiting))
	require.Nil(w, waiting[1].RunID)
	require.Equal(w, start.Add(2*time.Minute), w.timer(s).Buffered)

	w.at(2*time.Minute + 5*time.Second)
	w.claim(1)
	require.Equal(w, rota.Finish{Ended: true, Due: true}, w.finish(run, w.completed()))
	fires := w.fire(1, func(t rota.Timer) rota.Decision {
		next := t.NextRunAt
		t.NextRunAt, t.Buffered = t.Buffered, time.Time{}
		d := w.once(t)
		d.Timer.NextRunAt, d.Timer.DueAt = next, next
		return d
	})
	require.Len(w, fires, 1)
	got := w.occurrences(s)
	require.Equal(w, []rota.Outcome{rota.Fired, rota.Fired}, outcomes(got))
	require.Equal(w, waiting[1].ID, got[1].ID, "it is the same occurrence")
	require.Equal(w, got[1].ID, fires[0].Occurrence.ID)
	require.Equal(w, fires[0].Run, *got[1].RunID)
	require.Nil(w, got[1].Reason)
	require.Equal(w, rota.TriggerManual, got[1].Trigger, "whoever started it by then, somebody had asked for it")
	require.Equal(w, rota.TriggerManual, w.run(fires[0].Run).Trigger)
	require.EqualValues(w, 5000, *got[1].LatenessMS)
}

func finalOutcome(w *world) {
	for first, want := range map[rota.Outcome]rota.Outcome{
		rota.MissedOutcome: rota.MissedOutcome, rota.SkippedOverlap: rota.SkippedOverlap, rota.Buffered: rota.SkippedRequested,
	} {
		s := w.addSchedule(w.addAgent().ID)
		w.at(time.Minute)
		for _, outcome := range []rota.Outcome{first, rota.SkippedRequested} {
			w.fire(1, func(t rota.Timer) rota.Decision {
				o := w.occurrence(t, outcome)
				if outcome != first {
					t.DueAt = time.Time{}
				}
				return rota.Decision{Timer: t, Records: []rota.Occurrence{o}}
			})
		}
		require.Equal(w, []rota.Outcome{want}, outcomes(w.occurrences(s)))
	}
}

func missedSpan(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	w.at(time.Hour)
	var want rota.Occurrence
	w.fire(1, func(t rota.Timer) rota.Decision {
		want = w.occurrence(t, rota.MissedOutcome)
		want.Count, want.ScheduledUntil = 59, p(rota.InstantOf(start.Add(59*time.Minute)))
		want.Reason = &rota.Reason{Code: "superseded", Message: "ü"}
		t.NextRunAt = start.Add(time.Hour)
		d := w.once(t)
		d.Records = append([]rota.Occurrence{want}, d.Records...)
		return d
	})
	got := w.occurrences(s)
	require.Equal(w, []rota.Outcome{rota.MissedOutcome, rota.Fired}, outcomes(got))
	require.NotEmpty(w, got[0].ID)
	require.NotEqual(w, got[0].ID, got[1].ID)
	want.ID = got[0].ID
	w.same(want, got[0])
	require.EqualValues(w, 1, w.timer(s).RunCount)
}

func runsInOrder(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	w.at(time.Hour)
	const many = 20
	fires := w.fire(1, func(t rota.Timer) rota.Decision {
		d := rota.Decision{Timer: t}
		for range many {
			one := w.once(d.Timer)
			d = rota.Decision{Timer: one.Timer, Records: append(d.Records, one.Records...), Provider: provider}
		}
		d.Timer.DueAt = time.Time{}
		return d
	})
	require.Len(w, fires, many)
	require.Equal(w, many, w.timer(s).OpenRuns)
	require.Equal(w, fires[many-1].Run, w.timer(s).LastRunID)
	for i, work := range w.claim(many) {
		require.Equal(w, fires[i].Run, work.Run.ID, "the oldest occurrence starts first")
	}
}

func runContent(w *world) {
	var s rota.Schedule
	_, id := w.fired(func(in *rota.Schedule, t *rota.Timer) {
		in.Input = rota.Input{Any: anyJSON(`[{"type":"text","text":"é"}]`)}
		in.Conversation = rota.Conversation{Any: anyJSON(`{"id":"conv_1"}`)}
		in.Metadata = map[string]string{"a": "ü"}
		s = *in
	})
	w.same(rota.Run{
		Object: rota.ObjectRun, ID: id, EndUser: w.owner.User(), AgentID: s.AgentID, AgentVersion: 1, Status: rota.RunQueued, Phase: rota.PhaseQueued, Input: s.Input,
		Conversation: s.Conversation, Metadata: s.Metadata, CreatedAt: rota.InstantOf(w.now), ScheduleID: &s.ID, ScheduleVersion: p(int64(1)),
		ScheduledFor: p(rota.InstantOf(start.Add(time.Minute))), Trigger: rota.TriggerSchedule, Attempts: []rota.RunAttempt{},
	}, w.run(id))
}

func continued(w *world) {
	s, id := w.fired(func(s *rota.Schedule, _ *rota.Timer) { s.PreviousResponseID = p("resp_0") })
	require.Equal(w, "resp_0", *w.run(id).PreviousResponseID, "the first run continues what was given")
	w.claim(1)
	w.finish(id, w.completed())
	w.at(2 * time.Minute)
	id = w.fire(1, w.once)[0].Run
	require.Equal(w, "resp_1", *w.run(id).PreviousResponseID, "the second continues the first")
	w.claim(1)
	w.finish(id, w.failed("timeout"))
	w.at(3 * time.Minute)
	id = w.fire(1, w.once)[0].Run
	require.Equal(w, "resp_1", *w.run(id).PreviousResponseID, "one that failed is not continued")
	require.Equal(w, "resp_0", *w.schedule(s).PreviousResponseID, "the schedule keeps what was given")

	other, first := w.fired()
	w.claim(10)
	w.finish(first, w.completed())
	w.at(time.Hour)
	w.fire(10, w.once)
	require.Nil(w, w.run(*w.schedule(other).LastRunID).PreviousResponseID, "one that continues nothing starts fresh")
}

func fireRollback(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	before := w.timer(s)
	w.at(time.Minute)
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		fires, err := tx.FireDue(ctx, w.now, 10, nil, w.once)
		require.NoError(w, err)
		require.Len(w, fires, 1)
		return errWanted
	}), errWanted)
	require.Equal(w, before, w.timer(s))
	require.Empty(w, w.occurrences(s))
	require.Empty(w, w.open())
	require.Len(w, w.fire(10, w.once), 1)
}

func nextWake(w *world) {
	require.Zero(w, w.wake())
	a := w.addAgent()
	w.addSchedule(a.ID)
	w.addSchedule(a.ID, func(_ *rota.Schedule, t *rota.Timer) { t.DueAt = start.Add(time.Hour) })
	require.Equal(w, start.Add(time.Minute), w.wake())
	r := w.addRun(a.ID)
	w.at(10 * time.Second)
	require.Equal(w, start.Add(time.Minute), w.wake(), "a run that waits for a worker is no reason to wake")
	w.at(-10 * time.Second)
	require.Equal(w, r.CreatedAt.Time, w.wake(), "the clock was set back: a queued run is ready later than now")
	w.at(10 * time.Second)
	w.claim(1)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DelayRun(ctx, rota.Delay{Attempt: rota.Attempt{Run: r.ID}, Provider: provider, Until: start.Add(20 * time.Second), Answered: true})
	})
	require.Equal(w, start.Add(20*time.Second), w.wake())
	w.at(20 * time.Second)
	require.Equal(w, start.Add(time.Minute), w.wake(), "its time has come")
	w.at(2 * time.Minute)
	require.Equal(w, start.Add(time.Minute), w.wake(), "what is overdue is a reason at once")
}

func restingTimer(w *world) {
	s := w.addSchedule(w.addAgent().ID, func(_ *rota.Schedule, t *rota.Timer) {
		t.Status, t.NextRunAt, t.DueAt = rota.SchedulePaused, time.Time{}, time.Time{}
	})
	w.at(time.Hour)
	require.Empty(w, w.fire(10, w.once))
	require.Zero(w, w.wake())
	require.Nil(w, w.schedule(s).NextRunAt)
}

func absentTimer(w *world) {
	a := w.addAgent()
	s, lined := w.addSchedule(a.ID), w.addSchedule(a.ID)
	w.at(time.Minute)
	w.fire(2, w.buffer)
	t := rota.TimedSchedule{Schedule: w.schedule(lined), Timer: w.timer(lined)}
	t.Timer.NextRunAt, t.Timer.DueAt, t.Timer.Buffered, t.Timer.Backlog, t.Timer.BacklogTo = time.Time{}, time.Time{}, time.Time{}, 1, w.now
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveSchedule(ctx, t, nil) })
	deleted := w.now
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DeleteAgent(ctx, w.owner, a.ID, deleted, deleted.Add(time.Hour))
	})
	w.at(2 * time.Minute)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FireDue(ctx, w.now, 10, nil, func(t rota.Timer) rota.Decision {
			require.Equal(w, deleted, t.AgentDeletedAt)
			why := w.absent()
			t.Status, t.PauseReason, t.NextRunAt, t.DueAt, t.Buffered = rota.SchedulePaused, &why, time.Time{}, time.Time{}, time.Time{}
			return rota.Decision{Timer: t, GivenUp: p(changed)}
		})
		return err
	})
	require.Equal(w, rota.SchedulePaused, w.timer(s).Status)
	require.Equal(w, []rota.Outcome{rota.Blocked}, outcomes(w.occurrences(s)), "what waited does not start")
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		fires, left, err := tx.FireBacklog(ctx, w.now, 10, func(rota.Timer, rota.Occurrence) (rota.Decision, bool) {
			w.Errorf("the agent is deleted")
			return rota.Decision{}, false
		})
		require.Empty(w, fires)
		require.False(w, left)
		return err
	})
	require.Equal(w, []rota.Outcome{rota.Buffered}, outcomes(w.occurrences(lined)))
}

func fireNow(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	w.at(10 * time.Second)
	before := w.timer(s)
	var fires []rota.Fire
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		d := w.once(before)
		d.Records[0].ScheduledFor, d.Records[0].Trigger = rota.InstantOf(w.now), rota.TriggerManual
		d.Timer.NextRunAt, d.Timer.DueAt = before.NextRunAt, before.DueAt
		var err error
		fires, err = tx.Fire(ctx, w.now, before, d)
		return err
	})
	require.Len(w, fires, 1)
	got := w.run(fires[0].Run)
	require.Equal(w, rota.TriggerManual, got.Trigger)
	require.Equal(w, w.now, got.ScheduledFor.Time)
	require.Equal(w, before.DueAt, w.timer(s).DueAt)
	require.Equal(w, got.ID, w.claimOne().Run.ID)
}

func fireContext(w *world) {
	s, _ := w.fired(func(s *rota.Schedule, t *rota.Timer) { s.Name, t.Spec.Timezone = p("old"), "Asia/Tokyo" })
	firstStart := w.now
	first := w.claimOne().Fire
	w.same(rota.FireContext{
		ScheduledFor: rota.InstantOf(start.Add(time.Minute)), ScheduleName: "old", EndUser: w.owner.EndUser, Timezone: "Asia/Tokyo", RunCount: 1,
	}, first)
	w.at(2*time.Minute + time.Second)
	w.fire(1, w.once)
	s, t := w.schedule(s), w.timer(s)
	s.Name = p("new")
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}, nil)
	})
	w.same(rota.FireContext{
		ScheduledFor: rota.InstantOf(start.Add(2 * time.Minute)), ScheduleName: "new", EndUser: w.owner.EndUser, Timezone: "Asia/Tokyo", RunCount: 2,
		LastRunAt: p(rota.InstantOf(firstStart)),
	}, w.claimOne().Fire)
	r := w.addRun(s.AgentID)
	w.same(rota.FireContext{EndUser: w.owner.EndUser, ScheduledFor: r.CreatedAt, Timezone: "UTC"}, w.claimOne().Fire)
}
