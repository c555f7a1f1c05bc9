package enginetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// queues are about which runs are at work, and in which order.
var queues = []testCase{
	{name: "runs start in order, as many as there are workers", run: func(w *world) {
		endFirst := w.model.holds()
		ids := w.runs(w.agent("large/m"), 10)
		w.pass(w.units(1))
		w.askedFor(ids[:4])
		endSecond := w.model.holds()
		endFirst()
		w.pass(w.units(1))
		w.askedFor(ids[:4], ids[4:8])
		endSecond()
		w.pass(0)
		w.askedFor(ids[:4], ids[4:8], ids[8:])
		for _, c := range w.model.calls() {
			require.Less(w, c.beside, 4)
		}
	}},
	{name: "a provider's limit does not hold up other providers", run: func(w *world) {
		end := w.model.holds()
		small := w.runs(w.agent("small/m"), 5)
		large := w.runs(w.agent("large/m"), 2)
		w.pass(w.units(1))
		first := append(small[:2:2], large...)
		w.askedFor(first)
		endSecond := w.model.holds()
		end()
		w.pass(w.units(1))
		w.askedFor(first, small[2:4])
		endSecond()
		w.pass(0)
		w.askedFor(first, small[2:4], small[4:])
	}},
	{name: "end users take turns, whoever has more runs that wait", run: func(w *world) {
		endFirst := w.model.holds()
		mine := w.runsOf("u-1", "large/m", 10)
		w.pass(w.units(1))
		w.askedFor(mine[:4])
		theirs := w.runsOf("u-2", "large/m", 2)
		endSecond := w.model.holds()
		endFirst()
		w.pass(w.units(1))
		w.askedFor(mine[:4], []rota.RunID{mine[4], mine[5], theirs[0], theirs[1]})
		endSecond()
		w.pass(0)
		w.asked(12)
	}},
	{name: "no end user takes all workers", run: func(w *world) {
		w.setup.Limits = rota.AllLimits{}
		w.restart()
		end := w.model.holds()
		mine := w.runsOf("u-1", "large/m", 20)
		w.pass(w.units(1))
		w.askedFor(mine[:3])
		theirs := w.runsOf("u-2", "large/m", 2)
		w.pass(w.units(1))
		w.askedFor(mine[:3], theirs[:1])
		w.model.will(nil)
		end()
		w.pass(0)
		w.asked(22)
	}},
	{name: "no end user takes all that a provider does at once", run: func(w *world) {
		w.setup.Limits, w.setup.Providers, w.setup.MaxConcurrentRuns = rota.AllLimits{}, []engine.Provider{{Name: "large"}, {Name: "small", Max: 4}}, 16
		w.restart()
		end := w.model.holds()
		mine := w.runsOf("u-1", "small/m", 6)
		w.pass(w.units(1))
		w.askedFor(mine[:3])
		theirs := w.runsOf("u-2", "small/m", 1)
		more := w.runsOf("u-1", "large/m", 1)
		w.pass(w.units(1))
		w.askedFor(mine[:3], append(theirs, more...))
		w.model.will(nil)
		end()
		w.pass(0)
		w.asked(8)
	}},
	{name: "an account and its end users have as many workers as their limits say", run: func(w *world) {
		w.setup.Limits = rota.AllLimits{Account: rota.Limits{Workers: new(3)}, EndUser: rota.Limits{Workers: new(2)}}
		w.restart()
		end := w.model.holds()
		first := w.runsOf("u-1", "large/m", 3)
		w.pass(w.units(1))
		w.askedFor(first[:2])
		second := w.runsOf("u-2", "large/m", 3)
		w.pass(w.units(1))
		w.askedFor(first[:2], second[:1])
		w.model.will(nil)
		end()
		w.pass(0)
		w.asked(6)
	}},
	{name: "what falls due beyond the limit of open runs is blocked, and says so", run: func(w *world) {
		w.setup.Limits.EndUser.OpenRuns = new(3)
		w.restart()
		end := w.model.holds()
		a := w.agent("large/m")
		s := w.schedule(a, w.every(1), rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)})
		w.passTo(s.CreatedAt.Add(w.units(4.2)))
		w.shows(s, "fired, fired, fired, blocked")
		why := w.ledger(s)[3].Reason
		require.Equal(w, rota.Reason{Code: "limit_reached", Message: "the end user has 3 runs and responses that have not ended, and may have 3 (limits.end_user.open_runs)"}, *why)
		require.EqualValues(w, 3, w.read(s).RunCount)
		require.Len(w, w.runsOf("u-2", "large/m", 1), 1, "that is not the limit of others")
		_, err := w.control.StartRun(w.Context(), caller, a, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
		require.ErrorIs(w, err, rota.LimitReached)
		w.model.will(nil)
		end()
		w.passTo(s.CreatedAt.Add(w.units(5.2)))
		w.shows(s, "fired, fired, fired, blocked, fired")
	}},
	{name: "what falls due when as many bytes are stored as may be is blocked, and says so", run: func(w *world) {
		a := w.agent("large/m")
		s := w.schedule(a, w.every(1), rota.PolicyUpdate{})
		w.passTo(s.CreatedAt.Add(w.units(1.2)))
		w.setup.Keeper.Set(caller.Owner.Account, rota.AllLimits{Account: rota.Limits{Bytes: new(int64(1000))}})
		_, err := w.control.StartRun(w.Context(), caller, a, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
		require.ErrorIs(w, err, rota.LimitReached)
		w.passTo(s.CreatedAt.Add(w.units(2.2)))
		w.shows(s, "fired, blocked")
		why := w.ledger(s)[1].Reason
		require.Equal(w, "limit_reached", why.Code)
		require.Contains(w, why.Message, "and may store 1000 (limits.account.bytes)")
		w.setup.Keeper.Set(caller.Owner.Account, rota.AllLimits{})
		w.passTo(s.CreatedAt.Add(w.units(3.2)))
		w.shows(s, "fired, blocked, fired")
	}},
	{name: "a worker that is freed during a step is used", run: func(w *world) {
		w.setup.MaxConcurrentRuns = 2
		w.restart()
		release := make(chan struct{})
		w.model.will(func(n int) reply {
			if n == 1 {
				return reply{until: release}
			}
			return reply{takes: w.units(12)}
		})
		a := w.agent("large/m")
		w.runs(a, 1)
		w.schedule(a, w.every(6), rota.PolicyUpdate{})
		w.schedule(a, w.every(6), rota.PolicyUpdate{})
		w.pass(w.units(1))
		w.asked(1)
		w.store.onClaim(func() { // both have fired, and there was a worker for one
			close(release)
			w.pass(w.blink())
		})
		w.pass(w.units(5.5))
		w.asked(3) // both are at work
	}},
	{name: "overlap: skip", run: func(w *world) {
		w.shows(w.slow(rota.OverlapSkip), "fired, skipped_overlap, skipped_overlap, fired")
	}},
	{name: "overlap: buffer_one", run: func(w *world) {
		s := w.slow(rota.OverlapBufferOne)
		w.shows(s, "fired, fired, skipped_overlap, buffered")
		w.on(s.CreatedAt.Add(w.units(7)), w.model.calls()[1].at) // when the first has ended
	}},
	{name: "overlap: allow_all", run: func(w *world) {
		s := w.slow(rota.OverlapAllowAll)
		w.shows(s, "fired, fired, fired, fired")
		w.asked(4)
		require.Equal(w, 2, w.model.calls()[2].beside)
	}},
	{name: "overlap: a run that goes on is in the way", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(2), w.until(7, rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapSkip)}))
		w.passTo(s.CreatedAt.Add(w.units(3)))
		w.shows(s, "fired")
		end := w.model.holds()
		next := w.goesOn(w.readRun(*w.ledger(s)[0].RunID))
		w.passTo(s.CreatedAt.Add(w.units(5)))
		w.shows(s, "fired, skipped_overlap")
		o := w.ledger(s)
		require.Equal(w, []rota.RunID{*o[0].RunID, next}, o[0].RunIDs)
		require.Equal(w, rota.PhaseRunning, o[0].Run.Phase)
		require.Equal(w, "run "+string(next)+" had not ended", o[1].Reason.Message)
		end()
		w.passTo(s.CreatedAt.Add(w.units(6.5)))
		w.shows(s, "fired, skipped_overlap, fired")
		require.Equal(w, rota.PhaseCompleted, w.ledger(s)[0].Run.Phase)
		require.EqualValues(w, 2, w.read(s).RunCount)
	}},
	{name: "a run that goes on starts while its schedule is paused", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(2), rota.PolicyUpdate{})
		w.passTo(s.CreatedAt.Add(w.units(3)))
		w.shows(s, "fired")
		w.pause(s)
		next := w.goesOn(w.readRun(*w.ledger(s)[0].RunID))
		w.pass(w.units(1))
		w.soon(func() { w.phase(next, rota.PhaseCompleted) })
		require.EqualValues(w, 1, w.read(s).RunCount)
	}},
}

// goesOn starts a run that goes on from another one, as a decision about a call does.
func (w *world) goesOn(from rota.Run) rota.RunID {
	w.Helper()
	now := w.now()
	r := rota.Run{
		ID: rota.NewRunID(now), Trigger: rota.TriggerAPI, ScheduleID: from.ScheduleID, Input: rota.InputText("approved"), CreatedAt: rota.InstantOf(now),
	}
	require.NoError(w, w.store.Update(w.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.AddContinuation(ctx, caller.Owner, r, from.ID, "large")
	}))
	w.engine.Changed()
	return r.ID
}

// runsOf queues runs of an end user, each a millisecond after the one before.
func (w *world) runsOf(endUser, model string, n int) []rota.RunID {
	w.Helper()
	who := caller
	who.Owner.EndUser = endUser
	a, err := w.control.CreateAgent(w.Context(), who, rota.AgentCreate{Name: "a", Model: model}, control.Write{})
	require.NoError(w, err)
	var ids []rota.RunID
	for range n {
		r, err := w.control.StartRun(w.Context(), who, a.ID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
		require.NoError(w, err)
		ids = append(ids, r.ID)
		w.pass(time.Millisecond)
	}
	return ids
}

// slow returns a schedule of every two units, whose runs take five, after eight.
func (w *world) slow(o rota.Overlap) rota.Schedule {
	w.Helper()
	w.model.takes(w.units(5))
	s := w.schedule(w.agent("large/m"), w.every(2), w.until(9, rota.PolicyUpdate{Overlap: rota.Some(o)}))
	w.passTo(s.CreatedAt.Add(w.units(8.2)))
	return s
}
