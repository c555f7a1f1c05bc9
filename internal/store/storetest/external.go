package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// RunExternal states what a store that an engine outside may lead must do besides
// what [Run] states. The suite closes the stores.
func RunExternal(t *testing.T, open func(t *testing.T) store.Store) { run(t, open, externals) }

var externals = []testCase{
	{"one worker takes an attempt", takeOnce},
	{"claimed runs without a worker are listed", claimedFound},
	{"an attempt whose worker is lost goes back to the queue", returnResumes},
	{"an attempt whose worker is lost ends if its policy says so", returnLoses},
	{"a run with a worker is not recovered", takenStays},
	{"without Temporal no schedule is unsynced", syncedNowhere},
	{"schedules are unsynced when they are made, changed and deleted", syncedChanges},
	{"a timer that ends is unsynced, one that fires is not", syncedEnds},
	{"a leased schedule is given once", syncedOnce},
	{"a change in the middle of a sync is synced again", syncedAgain},
	{"all schedules are marked for export, page by page", syncedAll},
	{"exported schedules are listed", exportedFound},
}

// external returns what an engine outside reads.
func (w *world) external() sqlstore.External {
	return sqlstore.External{Queries: w.store.Queries}
}

// outer is fn on what an engine outside asks of a transaction.
func outer(fn func(context.Context, sqlstore.External) error) func(context.Context, sqlstore.Queries) error {
	return func(ctx context.Context, q sqlstore.Queries) error { return fn(ctx, sqlstore.External{Queries: q}) }
}

func (w *world) take(a rota.Attempt) (work rota.Work, err error) {
	err = w.try(outer(func(ctx context.Context, tx sqlstore.External) (err error) {
		work, err = tx.TakeRun(ctx, a, w.now)
		return err
	}))
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
	find := func(before time.Time) (unstarted, begun []cluster.Claim) {
		unstarted, err := w.external().Unstarted(w.Context(), before)
		require.NoError(w, err)
		begun, err = w.external().Claimed(w.Context())
		require.NoError(w, err)
		return unstarted, begun
	}
	unstarted, begun := find(w.now)
	require.Empty(w, unstarted)
	require.Empty(w, begun)
	unstarted, _ = find(w.now.Add(time.Second))
	require.Len(w, unstarted, 1)
	require.Equal(w, rota.Attempt{Run: id, Attempt: 1}, unstarted[0].At)
	require.Equal(w, rota.DefaultPolicy(), unstarted[0].Policy)
	require.Equal(w, provider, unstarted[0].Provider)

	at := w.at(62 * time.Second)
	_, err := w.take(rota.Attempt{Run: id, Attempt: 1})
	require.NoError(w, err)
	unstarted, begun = find(w.now.Add(time.Hour))
	require.Empty(w, unstarted)
	require.Len(w, begun, 1)
	require.Equal(w, id, begun[0].At.Run)
	require.Equal(w, at, begun[0].Since)
}

func (w *world) giveBack(a rota.Attempt) (f rota.Finish) {
	w.Helper()
	w.update(outer(func(ctx context.Context, tx sqlstore.External) (err error) {
		f, err = tx.ReturnRun(ctx, a, w.now, lost, settle)
		return err
	}))
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
	require.Equal(w, 2, w.claimOne().Run.Attempt)
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

func takenStays(w *world) {
	_, id := w.fired()
	w.at(61 * time.Second)
	w.claimOne()
	_, err := w.take(rota.Attempt{Run: id, Attempt: 1})
	require.NoError(w, err)
	require.Equal(w, rota.Recovered{}, w.recover(provider))
	require.Empty(w, w.claim(1))
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.RequeueRun(ctx, rota.Attempt{Run: id}, provider)
	})
	require.Empty(w, w.claim(1), "whoever claimed it may put it back only while nobody has it")
	w.giveBack(rota.Attempt{Run: id, Attempt: 1})
	require.Equal(w, 2, w.claimOne().Run.Attempt)
	require.Equal(w, rota.Recovered{Resumed: 1}, w.recover(provider), "nobody has it any more")
}

// unsynced leases what has to be synced until a second from now, and returns the
// schedules.
func (w *world) unsynced() (ids []rota.ScheduleID) {
	w.Helper()
	w.update(outer(func(ctx context.Context, tx sqlstore.External) error {
		all, err := tx.Unsynced(ctx, w.now, w.lease(), 10)
		for _, u := range all {
			ids = append(ids, u.Timer.ScheduleID)
		}
		return err
	}))
	return ids
}

func (w *world) lease() time.Time { return w.now.Add(time.Second) }

func (w *world) synced(id rota.ScheduleID, again time.Time, exported bool) {
	w.Helper()
	w.update(outer(func(ctx context.Context, tx sqlstore.External) error {
		return tx.Synced(ctx, id, w.lease(), again, exported)
	}))
}

// outside makes an engine outside the leader.
func (w *world) outside() { w.lead(cluster.Leadership{Kind: rota.EngineTemporal}) }

func syncedNowhere(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	w.pause(s)
	require.Empty(w, w.unsynced())
}

func syncedChanges(w *world) {
	w.outside()
	s := w.addSchedule(w.addAgent().ID)
	for _, change := range []func(rota.Schedule){func(rota.Schedule) {}, w.pause, w.deleteSchedule} {
		change(s)
		require.Equal(w, []rota.ScheduleID{s.ID}, w.unsynced())
		w.synced(s.ID, time.Time{}, true)
		w.at(time.Hour)
		require.Empty(w, w.unsynced())
	}
	a := w.addAgent()
	of := w.addSchedule(a.ID)
	require.Equal(w, []rota.ScheduleID{of.ID}, w.unsynced())
	w.synced(of.ID, time.Time{}, true)
	w.deleteAgent(a.ID)
	require.Equal(w, []rota.ScheduleID{of.ID}, w.unsynced())
}

func syncedEnds(w *world) {
	w.outside()
	s, id := w.fired()
	require.Equal(w, []rota.ScheduleID{s.ID}, w.unsynced())
	w.synced(s.ID, time.Time{}, true)
	w.at(61 * time.Second)
	w.claimOne()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.FinishRun(ctx, id, w.completed(), func(t rota.Timer, r rota.Result) rota.Decision { return rota.Decision{Timer: t} })
		return err
	})
	require.Empty(w, w.unsynced())
	w.at(3 * time.Minute)
	w.fire(1, func(t rota.Timer) rota.Decision {
		t.Status, t.NextRunAt, t.DueAt = rota.ScheduleCompleted, time.Time{}, time.Time{}
		return rota.Decision{Timer: t}
	})
	require.Equal(w, []rota.ScheduleID{s.ID}, w.unsynced())
}

func syncedOnce(w *world) {
	w.outside()
	s := w.addSchedule(w.addAgent().ID)
	require.Len(w, w.unsynced(), 1)
	require.Empty(w, w.unsynced())
	w.at(2 * time.Second)
	require.Len(w, w.unsynced(), 1, "whoever had the lease has not said that it is synced")
	w.synced(s.ID, w.now.Add(time.Hour), true)
	w.at(time.Hour)
	require.Empty(w, w.unsynced())
	w.at(time.Hour + 2*time.Second)
	require.Len(w, w.unsynced(), 1)
}

func syncedAgain(w *world) {
	w.outside()
	s := w.addSchedule(w.addAgent().ID)
	w.unsynced()
	w.pause(s)
	w.synced(s.ID, time.Time{}, true)
	require.Equal(w, []rota.ScheduleID{s.ID}, w.unsynced())
}

func syncedAll(w *world) {
	s, deleted := w.addSchedule(w.addAgent().ID), w.addSchedule(w.addAgent().ID)
	more := w.addSchedule(w.addAgent().ID)
	w.deleteSchedule(deleted)
	w.outside()
	require.Empty(w, w.unsynced())
	here := cluster.Destination{Namespace: "n", Queue: "q"}
	require.Equal(w, s.ID, w.resync(here, ""))
	require.Equal(w, more.ID, w.resync(here, s.ID))
	require.Zero(w, w.destination(), "one that is added now may come after")
	require.Empty(w, w.resync(here, more.ID))
	require.Equal(w, here, w.destination())
	require.Equal(w, []rota.ScheduleID{s.ID, more.ID}, w.unsynced())
	w.outside()
	require.Equal(w, here, w.destination(), "the engine is the same")
	w.lead(cluster.Leadership{Kind: rota.EngineEmbedded})
	require.Equal(w, here, w.destination(), "they are still there")
	w.outside()
	require.Zero(w, w.destination())

	require.Empty(w, w.resync(here, more.ID))
	w.update(outer(func(ctx context.Context, tx sqlstore.External) error { return tx.Forget(ctx) }))
	w.at(time.Hour)
	require.Empty(w, w.unsynced())
	require.Zero(w, w.destination())
}

// resync marks one more schedule as unsynced.
func (w *world) resync(p cluster.Destination, after rota.ScheduleID) (last rota.ScheduleID) {
	w.Helper()
	w.update(outer(func(ctx context.Context, tx sqlstore.External) (err error) {
		last, err = tx.ResyncAll(ctx, p, after, 1)
		return err
	}))
	return last
}

func (w *world) destination() cluster.Destination {
	w.Helper()
	d, err := w.external().Destination(w.Context())
	require.NoError(w, err)
	return d
}

func exportedFound(w *world) {
	w.outside()
	a := w.addAgent()
	first, second, hidden := w.addSchedule(a.ID), w.addSchedule(a.ID), w.addSchedule(a.ID)
	w.unsynced()
	for _, s := range []rota.Schedule{first, second} {
		w.synced(s.ID, time.Time{}, true)
		require.Equal(w, string(s.ID), *w.schedule(s).TemporalScheduleID)
	}
	w.synced(hidden.ID, time.Time{}, false)
	require.Nil(w, w.schedule(hidden).TemporalScheduleID)
	w.pause(second)
	w.update(outer(func(ctx context.Context, tx sqlstore.External) error {
		exported, err := tx.Exported(ctx, "", 10)
		require.Equal(w, map[rota.ScheduleID]bool{first.ID: false, second.ID: true}, exported)
		w.NoErr(err)
		exported, err = tx.Exported(ctx, first.ID, 10)
		require.Len(w, exported, 1)
		w.NoErr(err)
		known, err := tx.Resync(ctx, first.ID, w.now)
		require.True(w, known)
		w.NoErr(err)
		known, err = tx.Resync(ctx, "asch_none", w.now)
		require.False(w, known)
		return err
	}))
	require.Contains(w, w.unsynced(), first.ID)
	w.update(outer(func(ctx context.Context, tx sqlstore.External) error { return tx.Forget(ctx) }))
	require.Nil(w, w.schedule(first).TemporalScheduleID)
}
