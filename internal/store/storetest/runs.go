package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var claims = []testCase{
	{"the longest waiting run is claimed first", claimOrder},
	{"a claim has everything an attempt needs", claimContent},
	{"a run has the function tools of the time when it was made", claimFunctions},
	{"a run is claimed once", claimOnce},
	{"providers have queues of their own", claimProviders},
	{"owners take turns, whoever has more runs that wait", takeTurns},
	{"turns go on where they ended", turnsGoOn},
	{"an owner that may start no more has no turn", noTurn},
	{"all runs are claimed at once, or none", claimAll},
	{"open runs are counted by owner and by account", openCounts},
	{"a delayed run is not claimed before its time", claimDelayed},
	{"what came of an answer is kept until more comes", delayAnswers},
	{"large answers are read apart", largeAnswers},
	{"attempts and lateness are counted", claimCounts},
	{"runs of paused or deleted schedules are blocked", claimBlocked},
	{"a started run survives a pause", claimStarted},
	{"a claimed run can be requeued unchanged", requeue},
	{"the response's id can be seen at once", setResponse},
	{"a schedule's change reaches its queued runs", saveWaiting},
}

func claimOrder(w *world) {
	a := w.addAgent()
	ids := []rota.RunID{w.addRun(a.ID).ID, w.addRun(a.ID).ID, w.addRun(a.ID).ID}
	w.at(time.Second)
	require.Empty(w, w.claim(0))
	require.Empty(w, w.claim(-1))
	first := w.claim(2)
	require.Len(w, first, 2)
	require.Equal(w, ids[0], first[0].Run.ID)
	require.Equal(w, ids[1], first[1].Run.ID)
	require.Equal(w, ids[2], w.claimOne().Run.ID)
	require.Empty(w, w.claim(2))
	require.Equal(w, map[rota.Phase]int{rota.PhaseRunning: 3}, w.open())
}

func claimContent(w *world) {
	policy := rota.DefaultPolicy()
	policy.TimeoutSeconds, policy.Retry.OnCrash = 7, rota.OnCrashNever
	a := w.fullAgent()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, w.owner, a) })
	name, last := "daily", w.now.Add(-time.Hour)
	w.addSchedule(a.ID, func(s *rota.Schedule, t *rota.Timer) {
		s.Name, t.Policy, t.RunCount, t.LastRunAt, t.Spec.Timezone = &name, policy, 6, last, "Europe/Madrid"
	})
	w.at(time.Minute)
	id := w.fire(1, w.once)[0].Run
	work := w.claimOne()
	fire := rota.FireContext{
		ScheduledFor: *w.run(id).ScheduledFor, ScheduleName: name, EndUser: w.owner.EndUser, Timezone: "Europe/Madrid",
		LastRunAt: rota.InstantOrNil(last), RunCount: 7,
	}
	w.same(underWay(work), w.run(work.Run.ID))
	w.same(rota.Work{Run: work.Run, StartedAt: w.now, Owner: w.owner, AgentOwner: w.owner, Agent: a.AgentConfig, Provider: provider, ReadyAt: w.run(id).CreatedAt.Time, Policy: policy, Fire: fire, Schedule: rota.ScheduleActive}, work)

	was := a.AgentConfig
	waits := w.addRun(a.ID)
	a.Model, a.Version = "mock/large", a.Version+1
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveAgent(ctx, w.owner, a, nil) })
	w.same(was, w.claimOne().Agent)
	require.Equal(w, a.Version-1, w.run(waits.ID).AgentVersion, "a run keeps the version that it was made with")
	r := w.addRun(a.ID)
	work = w.claimOne()
	fire = rota.FireContext{EndUser: w.owner.EndUser, ScheduledFor: w.run(r.ID).CreatedAt, Timezone: "UTC"}
	w.same(underWay(work), w.run(work.Run.ID))
	w.same(rota.Work{Run: work.Run, StartedAt: w.now, Owner: w.owner, AgentOwner: w.owner, Agent: a.AgentConfig, Provider: provider, ReadyAt: w.run(r.ID).CreatedAt.Time, Policy: rota.DefaultPolicy(), Fire: fire}, work)
}

func claimFunctions(w *world) {
	f := rota.FunctionTool{
		Object: rota.ObjectFunctionTool, ID: rota.NewFunctionToolID(w.next()), CreatedAt: rota.InstantOf(start), UpdatedAt: rota.InstantOf(start), Version: 1,
		Definition: rota.FunctionDefinition{Type: "function", Name: "\"f\"", Parameters: object(`{"a":1}`)},
	}
	theirs := f
	theirs.ID = rota.NewFunctionToolID(w.next())
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		if err := tx.AddFunctionTool(ctx, rota.Owner{Account: "other"}, theirs); err != nil {
			return err
		}
		return tx.AddFunctionTool(ctx, w.owner, f)
	})
	a := w.newAgent()
	a.Tools = []rota.Object{
		object(`{"type":"function_reference","function_tool_id":"` + string(f.ID) + `"}`),
		object(`{"type":"function_reference","function_tool_id":"` + string(theirs.ID) + `"}`),
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, w.owner, a) })
	w.addSchedule(a.ID)
	w.addRun(a.ID)
	w.at(time.Minute)
	require.Len(w, w.fire(1, w.once), 1)
	was := f.Definition
	f.Definition.Name, f.Version = "g", 2
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveFunctionTool(ctx, w.owner, f) })
	w.addRun(a.ID)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.DeleteFunctionTool(ctx, w.owner, f.ID) })
	w.addRun(a.ID)
	w.at(time.Hour)
	work := w.claim(10)
	require.Len(w, work, 4)
	seen := map[string]int{}
	for _, one := range work {
		seen[string(rota.AnyOf(one.Functions).RawMessage)]++
	}
	of := func(d rota.FunctionDefinition) string {
		return string(rota.AnyOf(map[rota.FunctionToolID]rota.FunctionDefinition{f.ID: d}).RawMessage)
	}
	require.Equal(w, map[string]int{of(was): 2, of(f.Definition): 1, "null": 1}, seen)
}

func claimOnce(w *world) {
	a := w.addAgent()
	const many = 100
	for range many {
		w.addRun(a.ID)
	}
	w.at(time.Hour)
	var mu sync.Mutex
	seen := make(map[rota.RunID]int)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range many / 5 {
				var work []rota.Work
				w.NoErr(w.try(func(ctx context.Context, tx sqlstore.Queries) error {
					var err error
					work, err = tx.ClaimRuns(ctx, w.now, rota.Claim{Provider: provider, Limit: 3})
					return err
				}))
				mu.Lock()
				for _, one := range work {
					seen[one.Run.ID]++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	require.Len(w, seen, many)
	for id, n := range seen {
		require.Equal(w, 1, n, id)
	}
}

func claimProviders(w *world) {
	a := w.addAgent()
	r := w.newRun(a.ID)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddRun(ctx, w.owner, r, "other") })
	w.at(time.Second)
	require.Empty(w, w.claim(10))
	work := w.claimFrom("other", 10)
	require.Len(w, work, 1)
	require.Equal(w, "other", work[0].Provider)
}

func (w *world) delay(id rota.RunID, after time.Duration, answered bool) {
	w.Helper()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DelayRun(ctx, rota.Delay{Attempt: rota.Attempt{Run: id}, Provider: provider, Until: start.Add(after), Answered: answered})
	})
}

func claimDelayed(w *world) {
	r := w.addRun(w.addAgent().ID)
	w.delay(r.ID, time.Hour, true) // it does not run: nothing happens
	w.at(time.Second)
	require.Equal(w, rota.PhaseQueued, w.run(r.ID).Phase)
	w.claimOne()
	w.delay(r.ID, 10*time.Second, true)
	got := w.run(r.ID)
	require.Equal(w, rota.PhaseWaiting, got.Phase)
	require.Equal(w, rota.RunQueued, got.Status)
	w.at(10*time.Second - time.Millisecond)
	require.Empty(w, w.claim(10))
	w.at(10 * time.Second)
	work := w.claimOne()
	require.Equal(w, 1, work.Failures)
	w.delay(r.ID, 20*time.Second, false)
	w.at(20 * time.Second)
	require.Equal(w, 1, w.claimOne().Failures, "nobody answered this time")
}

func largeAnswers(w *world) {
	a := w.addAgent()
	var ids []rota.RunID
	text := strings.Repeat("é", 1<<19) // 1 MiB in bytes
	for _, text := range []string{"small", text[:1<<20-2], text} {
		w.at(time.Second)
		ids = append(ids, w.addRun(a.ID).ID)
		w.claimOne()
		end := w.completed()
		end.Response = rota.AnyOf(text)
		w.finish(ids[len(ids)-1], end)
	}
	large := w.run(ids[2])
	require.Empty(w, large.GatewayResponse)
	require.Equal(w, 1<<20+len(`""`), large.Deferred, "bytes, not characters")
	whole, err := w.store.Response(w.Context(), w.owner, ids[2])
	require.NoError(w, err)
	require.Equal(w, rota.AnyOf(text), whole)
	require.Equal(w, rota.AnyOf(text[:1<<20-2]), w.run(ids[1]).GatewayResponse)
	for _, o := range w.strangers() {
		_, err := w.store.Response(w.Context(), o, ids[2])
		require.ErrorIs(w, err, rota.NotFound)
	}

	list, err := w.store.Runs(w.Context(), w.owner, a.ID, rota.Page{Limit: 3, Bytes: 1 << 20})
	require.NoError(w, err)
	require.True(w, list.Cut)
	require.Len(w, list.Data, 1, "the large one, which has as many bytes as a part")
	require.Equal(w, large, list.Data[0])
	require.Greater(w, list.Size, 1<<20)
}

func delayAnswers(w *world) {
	r := w.addRun(w.addAgent().ID)
	w.at(time.Second)
	part := func(text string) rota.Any { return rota.AnyOf(map[string]string{"text": text}) }
	delay := func(a rota.Attempt, came rota.Any) {
		w.Helper()
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.DelayRun(ctx, rota.Delay{Attempt: a, Provider: provider, Until: w.now, Response: came})
		})
	}
	has := func(want rota.Any) {
		w.Helper()
		require.JSONEq(w, string(want.RawMessage), string(w.run(r.ID).GatewayResponse.RawMessage))
	}
	delay(rota.Attempt{Run: r.ID}, part("it does not run")) // nothing happens
	require.Empty(w, w.run(r.ID).GatewayResponse)
	first := w.claimOne().At()
	delay(first, part("née <&>"))
	has(part("née <&>"))
	second := w.claimOne().At()
	delay(first, part("that attempt is over"))
	has(part("née <&>"))
	delay(second, rota.AnyOf(nil))
	has(part("née <&>"))
	third := w.claimOne().At()
	delay(third, part("more"))
	has(part("more"))
	w.claimOne()
	w.finish(r.ID, w.failed("timeout"))
	has(part("more"))
}

func claimCounts(w *world) {
	_, id := w.fired()
	w.at(time.Minute + 1500*time.Millisecond)
	work := w.claimOne()
	require.Equal(w, 1, work.Run.Attempt)
	require.Equal(w, rota.PhaseRunning, work.Run.Phase)
	require.Equal(w, w.now, work.Run.StartedAt.Time)
	require.EqualValues(w, 1500, *work.Run.LatenessMS)
	w.same(underWay(work), w.run(id))
	w.delay(id, 2*time.Minute, true)
	w.at(2 * time.Minute)
	work = w.claimOne()
	require.Equal(w, 2, work.Run.Attempt)
	require.Equal(w, w.now, work.StartedAt)
	require.Equal(w, time.Minute+1500*time.Millisecond, work.Run.StartedAt.Sub(start), "of the first attempt")
	require.EqualValues(w, 1500, *work.Run.LatenessMS, "of the first start")
	w.same(underWay(work), w.run(id))
	require.Nil(w, w.run(w.addRun(work.Run.AgentID).ID).LatenessMS)
}

// underWay returns the run of an attempt as it is read meanwhile.
func underWay(work rota.Work) rota.Run { return work.Run.WithLastAttempt(work.Model(), work.StartedAt) }

func (w *world) pause(s rota.Schedule) {
	w.Helper()
	t := w.timer(s)
	t.Status, t.NextRunAt, t.DueAt, t.Buffered = rota.SchedulePaused, time.Time{}, time.Time{}, time.Time{}
	t.Backlog, t.BacklogTo = 0, time.Time{}
	t.PauseReason = &rota.PauseReason{Code: rota.PausedManually, At: rota.InstantOf(w.now)}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return errors.Join(tx.GiveUp(ctx, []rota.ScheduleID{s.ID}, changed), tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}, nil))
	})
}

// stops are the ways in which a run that waits loses its reason.
func (w *world) stops() map[string]func(rota.Schedule) {
	return map[string]func(rota.Schedule){
		rota.RunErrAgentDeleted: func(s rota.Schedule) { w.deleteAgent(s.AgentID) },
		rota.RunErrDeleted:      w.deleteSchedule,
		rota.RunErrPaused:       w.pause,
	}
}

func claimBlocked(w *world) {
	for code, stop := range w.stops() {
		s, id := w.fired()
		stop(s)
		work := w.claimOne()
		require.NotNil(w, work.Blocked, code)
		require.Equal(w, code, work.Blocked.Code)
		require.NotEmpty(w, work.Blocked.Message)
		require.Zero(w, work.Run.Attempt)
		end := rota.Result{Phase: rota.PhaseCancelled, Blocked: true, Error: work.Blocked, CompletedAt: w.now}
		require.True(w, w.finish(id, end).Ended)

		got := w.run(id)
		require.Equal(w, rota.PhaseCancelled, got.Phase)
		require.Equal(w, work.Blocked, got.Reason)
		require.Nil(w, got.Error)
		require.Nil(w, got.StartedAt)
		require.Nil(w, got.LatenessMS)
		ledger := w.occurrences(s)
		require.Equal(w, []rota.Outcome{rota.Blocked}, outcomes(ledger))
		require.Equal(w, code, ledger[0].Reason.Code)
		require.Equal(w, id, *ledger[0].RunID)
		require.Empty(w, w.open())
	}
	a := w.addAgent()
	w.addRun(a.ID)
	w.deleteAgent(a.ID)
	require.Equal(w, rota.RunErrAgentDeleted, w.claimOne().Blocked.Code, "a run of the API as well")
}

func claimStarted(w *world) {
	for code, stop := range w.stops() {
		w.at(0)
		s, id := w.fired()
		w.claimOne()
		stop(s)
		w.delay(id, time.Hour, true)
		w.at(time.Hour)
		work := w.claimOne()
		require.Nil(w, work.Blocked, code)
		require.True(w, w.finish(id, w.completed()).Ended)
		require.Equal(w, []rota.Outcome{rota.Fired}, outcomes(w.occurrences(s)))
	}
}

func requeue(w *world) {
	_, id := w.fired()
	before := w.run(id)
	w.claimOne()
	w.requeue(id)
	w.same(before, w.run(id))
	require.Empty(w, w.claim(10))
	require.Len(w, w.claimFrom("other", 10), 1)

	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SetResponse(ctx, rota.Attempt{Run: id}, "resp_other")
	})
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DelayRun(ctx, rota.Delay{
			Attempt: rota.Attempt{Run: id}, Attempts: []rota.RunAttempt{{Number: 1, Round: 1, Usage: rota.AnyOf(nil)}}, Provider: "other",
			Until: start.Add(2 * time.Minute), Answered: true,
		})
	})
	before = w.run(id)
	w.at(2 * time.Minute)
	require.Len(w, w.claimFrom("other", 10), 1)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.RequeueRun(ctx, rota.Attempt{Run: id}, provider)
	})
	w.same(before, w.run(id))
	work := w.claimOne()
	require.Equal(w, 2, work.Run.Attempt)
	require.Equal(w, 1, work.Failures)
	require.Empty(w, work.ResponseID, "a response belongs to the provider that gave it")
}

func (w *world) requeue(id rota.RunID) {
	w.Helper()
	for range 2 { // the second changes nothing: the run is not claimed
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.RequeueRun(ctx, rota.Attempt{Run: id}, "other")
		})
	}
}

func setResponse(w *world) {
	r := w.addRun(w.addAgent().ID)
	w.at(time.Second)
	w.claimOne()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SetResponse(ctx, rota.Attempt{Run: r.ID}, "resp_7")
	})
	require.Equal(w, "resp_7", *w.run(r.ID).GatewayResponseID)
	w.recover(provider)
	require.Equal(w, "resp_7", w.claimOne().ResponseID, "a crash does not lose it")
	w.finish(r.ID, w.failed("timeout"))
	require.Equal(w, "resp_7", *w.run(r.ID).GatewayResponseID)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SetResponse(ctx, rota.Attempt{Run: r.ID}, "resp_8")
	})
	require.Equal(w, "resp_7", *w.run(r.ID).GatewayResponseID, "it comes too late")
}

func saveWaiting(w *world) {
	s, started := w.fired(func(s *rota.Schedule, _ *rota.Timer) { s.PreviousResponseID = p("resp_0") })
	w.claimOne()
	w.at(2 * time.Minute)
	waits := w.fire(1, w.once)[0].Run
	before := w.run(started)

	t := w.timer(s)
	s.Input, s.Metadata = rota.InputText("new"), map[string]string{"new": "1"}
	s.Conversation, s.PreviousResponseID = rota.Conversation{Any: anyJSON(`"conv_2"`)}, p("resp_5")
	s.ContextManagement = anyJSON(`[{"type":"compaction","compact_threshold":2000}]`)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}, p("resp_6"))
	})
	w.same(before, w.run(started))
	got := w.run(waits)
	w.same(s.Input, got.Input)
	w.same(s.Metadata, got.Metadata)
	w.same(s.Conversation, got.Conversation)
	require.Equal(w, "resp_6", *got.PreviousResponseID)
	w.same(s.ContextManagement, got.ContextManagement)

	s.Conversation, s.PreviousResponseID = rota.Conversation{}, nil
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}, nil)
	})
	got = w.run(waits)
	require.True(w, got.Conversation.IsZero())
	require.Nil(w, got.PreviousResponseID)
}
