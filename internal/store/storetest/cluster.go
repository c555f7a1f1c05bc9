package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

var clusters = []testCase{
	{"who keeps time is kept", keepingKept},
	{"what is busy is counted by provider", busyCounts},
	{"who asks what is busy waits for those who have asked before", busyWaits},
	{"a schedule says when it is due", dueTimes},
	{"one worker takes an attempt", takeOnce},
	{"what was claimed and not taken is found", claimedFound},
	{"an attempt whose worker is lost goes back to the queue", returnResumes},
	{"an attempt whose worker is lost ends if its policy says so", returnLoses},
	{"what a worker carries is not recovered", carriedStays},
	{"who was thought lost has no say in the attempt after", overtaken},
}

var mirrors = []testCase{
	{"no schedule is told before there is somebody to tell", toldNobody},
	{"schedules are told when they are made, changed and deleted", toldChanges},
	{"a timer that ends is told, one that fires is not", toldEnds},
	{"what is leased is told once", toldOnce},
	{"a change in the middle of telling is told again", toldAgain},
	{"an engine outside is told of all, page by page", toldAll},
	{"what is shown is found", shownFound},
}

func (w *world) keeping(k rota.Keeping) {
	w.Helper()
	w.update(func(ctx context.Context, tx rota.Tx) error { return keep(ctx, tx, k) })
}

// keep writes who keeps time, whoever did before.
func keep(ctx context.Context, tx rota.Tx, k rota.Keeping) error {
	before, err := tx.Keeping(ctx)
	if err != nil {
		return err
	}
	return tx.SaveKeeping(ctx, before.Kind, k)
}

func keepingKept(w *world) {
	read := func() (k rota.Keeping) {
		w.update(func(ctx context.Context, tx rota.Tx) (err error) {
			k, err = tx.Keeping(ctx)
			return err
		})
		return k
	}
	require.Equal(w, rota.Keeping{}, read())
	k := rota.Keeping{Kind: rota.EngineTemporal, Installation: "here", Since: start, SeenAt: start.Add(time.Second)}
	w.keeping(k)
	require.Equal(w, k, read())
	err := w.try(func(ctx context.Context, tx rota.Tx) error {
		return tx.SaveKeeping(ctx, rota.EngineEmbedded, rota.Keeping{})
	})
	require.ErrorIs(w, err, rota.Conflict, "somebody has switched meanwhile")
	require.Equal(w, k, read())
}

func busyCounts(w *world) {
	busy := func() (n map[string]int) {
		w.update(func(ctx context.Context, tx rota.Tx) (err error) {
			n, err = tx.Busy(ctx)
			return err
		})
		return n
	}
	a := w.addAgent()
	for range 3 {
		w.addRun(a.ID)
	}
	require.Empty(w, busy(), "what is queued is not")
	w.at(time.Second)
	w.claim(2)
	require.Equal(w, map[string]int{provider: 2}, busy())
}

// busyWaits has many transactions claim up to one run in all.
func busyWaits(w *world) {
	a := w.addAgent()
	for range 8 {
		w.addRun(a.ID)
	}
	w.at(time.Second)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			w.NoErr(w.store.Update(w.Context(), func(ctx context.Context, tx rota.Tx) error {
				busy, err := tx.Busy(ctx)
				if err != nil {
					return err
				}
				_, err = tx.ClaimRuns(ctx, w.now, provider, 1-busy[provider])
				return err
			}))
		})
	}
	group.Wait()
	require.Equal(w, map[rota.Phase]int{rota.PhaseQueued: 7, rota.PhaseRunning: 1}, w.open())
}

func dueTimes(w *world) {
	s := w.addSchedule(w.addAgent().ID, func(_ *rota.Schedule, t *rota.Timer) { t.DueAt = t.DueAt.Add(time.Second) })
	due := func(id rota.ScheduleID) (nominal, at time.Time) {
		nominal, at, err := w.store.Due(w.Context(), id)
		require.NoError(w, err)
		return nominal, at
	}
	nominal, at := due(s.ID)
	require.Equal(w, start.Add(time.Minute), nominal)
	require.Equal(w, start.Add(61*time.Second), at)
	w.deleteSchedule(s)
	_, at = due(s.ID)
	require.Zero(w, at)
	_, at = due("asch_none")
	require.Zero(w, at)
}

func (w *world) take(a rota.Attempt) (work rota.Work, err error) {
	err = w.try(func(ctx context.Context, tx rota.Tx) (err error) {
		work, err = tx.TakeRun(ctx, a, w.now)
		return err
	})
	return work, err
}

func takeOnce(w *world) {
	_, id := w.fired()
	w.at(61 * time.Second)
	claimed := w.claimOne()
	attempt := rota.Attempt{Run: id, Attempt: 1}
	_, err := w.take(rota.Attempt{Run: id, Attempt: 2})
	require.ErrorIs(w, err, rota.NotFound)
	work, err := w.take(attempt)
	require.NoError(w, err)
	w.same(claimed, work)
	_, err = w.take(attempt)
	require.ErrorIs(w, err, rota.NotFound, "somebody else has it")

	w.delay(id, 0, true)
	again := w.claimOne()
	_, err = w.take(attempt)
	require.ErrorIs(w, err, rota.NotFound, "it is over")
	work, err = w.take(rota.Attempt{Run: id, Attempt: 2})
	require.NoError(w, err)
	w.same(again, work)
}

func claimedFound(w *world) {
	_, id := w.fired()
	w.at(61 * time.Second)
	w.claimOne()
	find := func(before time.Time) (stranded, taken []rota.Work) {
		stranded, err := w.store.Stranded(w.Context(), before)
		require.NoError(w, err)
		taken, err = w.store.Taken(w.Context())
		require.NoError(w, err)
		return stranded, taken
	}
	stranded, taken := find(w.now)
	require.Empty(w, stranded)
	require.Empty(w, taken)
	stranded, _ = find(w.now.Add(time.Second))
	require.Len(w, stranded, 1)
	require.Equal(w, rota.Attempt{Run: id, Attempt: 1}, rota.Attempt{Run: stranded[0].Run.ID, Attempt: stranded[0].Run.Attempts})
	require.Equal(w, rota.DefaultPolicy(), stranded[0].Policy)
	require.Equal(w, provider, stranded[0].Provider)

	at := w.at(62 * time.Second)
	_, err := w.take(rota.Attempt{Run: id, Attempt: 1})
	require.NoError(w, err)
	stranded, taken = find(w.now.Add(time.Hour))
	require.Empty(w, stranded)
	require.Len(w, taken, 1)
	require.Equal(w, id, taken[0].Run.ID)
	require.Equal(w, at, taken[0].TakenAt)
}

func (w *world) giveBack(a rota.Attempt) (f rota.Finish) {
	w.Helper()
	w.update(func(ctx context.Context, tx rota.Tx) (err error) {
		f, err = tx.ReturnRun(ctx, a, w.now, settle)
		return err
	})
	return f
}

func returnResumes(w *world) {
	_, id := w.fired()
	w.at(61 * time.Second)
	w.claimOne()
	_, err := w.take(rota.Attempt{Run: id, Attempt: 1})
	require.NoError(w, err)
	require.Equal(w, rota.Finish{}, w.giveBack(rota.Attempt{Run: id, Attempt: 2}))
	require.Empty(w, w.claim(1), "another attempt is nobody's business")
	w.giveBack(rota.Attempt{Run: id, Attempt: 1})
	require.Equal(w, 2, w.claimOne().Run.Attempts)
	w.giveBack(rota.Attempt{Run: id, Attempt: 1})
	require.Empty(w, w.claim(1), "it is over")
	_, err = w.take(rota.Attempt{Run: id, Attempt: 2})
	require.NoError(w, err)
}

func returnLoses(w *world) {
	s, id := w.fired(func(_ *rota.Schedule, t *rota.Timer) { t.Policy.Retry.OnCrash = rota.OnCrashNever })
	w.at(61 * time.Second)
	w.claimOne()
	require.True(w, w.giveBack(rota.Attempt{Run: id, Attempt: 1}).Ended)
	require.Equal(w, rota.RunErrWorkerLost, w.run(id).Error.Code)
	require.Zero(w, w.timer(s).OpenRuns)
}

func carriedStays(w *world) {
	_, id := w.fired()
	w.at(61 * time.Second)
	w.claimOne()
	_, err := w.take(rota.Attempt{Run: id, Attempt: 1})
	require.NoError(w, err)
	require.Equal(w, rota.Recovered{}, w.recover(provider))
	require.Empty(w, w.claim(1))
	w.update(func(ctx context.Context, tx rota.Tx) error {
		return tx.RequeueRun(ctx, rota.Attempt{Run: id}, provider)
	})
	require.Empty(w, w.claim(1), "whoever claimed it may put it back only while nobody has it")
	w.giveBack(rota.Attempt{Run: id, Attempt: 1})
	require.Equal(w, 2, w.claimOne().Run.Attempts)
	require.Equal(w, rota.Recovered{Resumed: 1}, w.recover(provider), "nobody carries it any more")
}

// untold leases what has to be told, until a second from now, and returns the
// schedules.
func (w *world) untold() (ids []rota.ScheduleID) {
	w.Helper()
	w.update(func(ctx context.Context, tx rota.Tx) error {
		all, err := tx.Untold(ctx, w.now, w.lease(), 10)
		for _, u := range all {
			ids = append(ids, u.Timer.ScheduleID)
		}
		return err
	})
	return ids
}

func (w *world) lease() time.Time { return w.now.Add(time.Second) }

func (w *world) told(id rota.ScheduleID, again time.Time, shown bool) {
	w.Helper()
	w.update(func(ctx context.Context, tx rota.Tx) error { return tx.Told(ctx, id, w.lease(), again, shown) })
}

// outside has an engine outside keep time.
func (w *world) outside() { w.keeping(rota.Keeping{Kind: rota.EngineTemporal}) }

func toldNobody(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	w.pause(s)
	require.Empty(w, w.untold())
}

func toldChanges(w *world) {
	w.outside()
	s := w.addSchedule(w.addAgent().ID)
	for _, change := range []func(rota.Schedule){func(rota.Schedule) {}, w.pause, w.deleteSchedule} {
		change(s)
		require.Equal(w, []rota.ScheduleID{s.ID}, w.untold())
		w.told(s.ID, time.Time{}, true)
		w.at(time.Hour)
		require.Empty(w, w.untold())
	}
	a := w.addAgent()
	of := w.addSchedule(a.ID)
	require.Equal(w, []rota.ScheduleID{of.ID}, w.untold())
	w.told(of.ID, time.Time{}, true)
	w.deleteAgent(a.ID)
	require.Equal(w, []rota.ScheduleID{of.ID}, w.untold())
}

func toldEnds(w *world) {
	w.outside()
	s, id := w.fired()
	require.Equal(w, []rota.ScheduleID{s.ID}, w.untold())
	w.told(s.ID, time.Time{}, true)
	w.at(61 * time.Second)
	w.claimOne()
	w.update(func(ctx context.Context, tx rota.Tx) error {
		_, err := tx.FinishRun(ctx, id, w.completed(), func(t rota.Timer, r rota.Result) rota.Decision { return rota.Decision{Timer: t} })
		return err
	})
	require.Empty(w, w.untold())
	w.at(3 * time.Minute)
	w.fire(1, func(t rota.Timer) rota.Decision {
		t.Status, t.NextRunAt, t.DueAt = rota.ScheduleCompleted, time.Time{}, time.Time{}
		return rota.Decision{Timer: t}
	})
	require.Equal(w, []rota.ScheduleID{s.ID}, w.untold())
}

func toldOnce(w *world) {
	w.outside()
	s := w.addSchedule(w.addAgent().ID)
	require.Len(w, w.untold(), 1)
	require.Empty(w, w.untold())
	w.at(2 * time.Second)
	require.Len(w, w.untold(), 1, "whoever had the lease has not said that it was told")
	w.told(s.ID, w.now.Add(time.Hour), true)
	w.at(time.Hour)
	require.Empty(w, w.untold())
	w.at(time.Hour + 2*time.Second)
	require.Len(w, w.untold(), 1)
}

func toldAgain(w *world) {
	w.outside()
	s := w.addSchedule(w.addAgent().ID)
	w.untold()
	w.pause(s)
	w.told(s.ID, time.Time{}, true)
	require.Equal(w, []rota.ScheduleID{s.ID}, w.untold())
}

func toldAll(w *world) {
	s, deleted := w.addSchedule(w.addAgent().ID), w.addSchedule(w.addAgent().ID)
	more := w.addSchedule(w.addAgent().ID)
	w.deleteSchedule(deleted)
	w.outside()
	require.Empty(w, w.untold())
	here := rota.Place{Namespace: "n", Queue: "q"}
	require.Equal(w, s.ID, w.tellAnew(here, ""))
	require.Equal(w, more.ID, w.tellAnew(here, s.ID))
	require.Zero(w, w.place(), "one that is added now may come after")
	require.Empty(w, w.tellAnew(here, more.ID))
	require.Equal(w, here, w.place())
	require.Equal(w, []rota.ScheduleID{s.ID, more.ID}, w.untold())
	w.outside()
	require.Equal(w, here, w.place(), "the engine is the same")
	w.keeping(rota.Keeping{Kind: rota.EngineEmbedded})
	require.Equal(w, here, w.place(), "they are still there")
	w.outside()
	require.Zero(w, w.place())

	require.Empty(w, w.tellAnew(here, more.ID))
	w.update(func(ctx context.Context, tx rota.Tx) error { return tx.Forget(ctx) })
	w.at(time.Hour)
	require.Empty(w, w.untold())
	require.Zero(w, w.place())
}

// tellAnew has one more schedule told.
func (w *world) tellAnew(p rota.Place, after rota.ScheduleID) (last rota.ScheduleID) {
	w.Helper()
	w.update(func(ctx context.Context, tx rota.Tx) (err error) {
		last, err = tx.TellAnew(ctx, p, after, 1)
		return err
	})
	return last
}

func (w *world) place() rota.Place {
	w.Helper()
	k, err := w.store.Keeping(w.Context())
	require.NoError(w, err)
	return k.Place
}

func shownFound(w *world) {
	w.outside()
	a := w.addAgent()
	first, second, hidden := w.addSchedule(a.ID), w.addSchedule(a.ID), w.addSchedule(a.ID)
	w.untold()
	for _, s := range []rota.Schedule{first, second} {
		w.told(s.ID, time.Time{}, true)
		require.Equal(w, string(s.ID), *w.schedule(s).TemporalScheduleID)
	}
	w.told(hidden.ID, time.Time{}, false)
	require.Nil(w, w.schedule(hidden).TemporalScheduleID)
	w.pause(second)
	w.update(func(ctx context.Context, tx rota.Tx) error {
		shown, err := tx.Shown(ctx, "", 10)
		require.Equal(w, map[rota.ScheduleID]bool{first.ID: false, second.ID: true}, shown)
		w.NoErr(err)
		shown, err = tx.Shown(ctx, first.ID, 10)
		require.Len(w, shown, 1)
		w.NoErr(err)
		known, err := tx.Retell(ctx, first.ID, w.now)
		require.True(w, known)
		w.NoErr(err)
		known, err = tx.Retell(ctx, "asch_none", w.now)
		require.False(w, known)
		return err
	})
	require.Contains(w, w.untold(), first.ID)
	w.update(func(ctx context.Context, tx rota.Tx) error { return tx.Forget(ctx) })
	require.Nil(w, w.schedule(first).TemporalScheduleID)
}

// overtaken has an attempt speak when another one is under way.
func overtaken(w *world) {
	_, id := w.fired()
	w.at(61 * time.Second)
	first := w.claimOne().At()
	w.giveBack(first)
	second := w.claimOne()
	run := w.run(id)
	w.update(func(ctx context.Context, tx rota.Tx) error {
		end := w.failed("timeout")
		end.Attempt = first.Attempt
		f, err := tx.FinishRun(ctx, id, end, settle)
		require.Equal(w, rota.Finish{}, f)
		w.NoErr(err)
		w.NoErr(tx.SetResponse(ctx, first, "resp_of_another"))
		w.NoErr(tx.DelayRun(ctx, first, w.now, true))
		return tx.RequeueRun(ctx, first, provider)
	})
	w.same(run, w.run(id))
	w.update(func(ctx context.Context, tx rota.Tx) error { return tx.DelayRun(ctx, second.At(), w.now, true) })
	require.Equal(w, 3, w.claimOne().Run.Attempts)
}
