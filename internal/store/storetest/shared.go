package storetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var shared = []testCase{
	{"a shared agent is seen by the end users of its account, and changed by its owner alone", sharedAgents},
	{"what an end user has on a shared agent is its own", sharedRecords},
	{"an agent that is made private stops its guests when they fall due and at the claim", unshared},
	{"a guest is listed, and deleted without the agent", eraseGuest},
}

// share gives the account an agent that is shared with its end users.
func (w *world) share() rota.Agent {
	w.Helper()
	a := w.newAgent()
	a.EndUser, a.Visibility = nil, rota.Workspace
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, host, a) })
	return a
}

// host is who shares.
var host = rota.Owner{Account: "acme"}

func (w *world) unshare(a rota.AgentID) {
	w.Helper()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SetVisibility(ctx, host, a, rota.Private, w.now)
	})
}

func sharedAgents(w *world) {
	own, a := w.addAgent(), w.share()
	list := func(o rota.Owner, f rota.AgentFilter) (ids []rota.AgentID) {
		l, err := w.store.AllAgents(w.Context(), rota.Owners{Owner: o}, f, rota.Page{Limit: 10})
		require.NoError(w, err)
		for _, a := range l.Data {
			ids = append(ids, a.ID)
		}
		return ids
	}
	got, err := w.store.VisibleAgent(w.Context(), w.owner, a.ID)
	require.NoError(w, err)
	w.same(a, got)
	require.Equal(w, []rota.AgentID{a.ID, own.ID}, list(w.owner, rota.AgentFilter{Shared: true}))
	require.Equal(w, []rota.AgentID{own.ID}, list(w.owner, rota.AgentFilter{}))
	for _, o := range []rota.Owner{{Account: "other"}, {Account: "other", EndUser: w.owner.EndUser}, {}} {
		_, err := w.store.VisibleAgent(w.Context(), o, a.ID)
		require.ErrorIs(w, err, rota.NotFound)
		require.Empty(w, list(o, rota.AgentFilter{Shared: true}))
	}
	for name, write := range map[string]func(context.Context, sqlstore.Queries) error{
		"save": func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveAgent(ctx, w.owner, a, nil) },
		"delete": func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.DeleteAgent(ctx, w.owner, a.ID, start, start)
		},
		"unshare": func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.SetVisibility(ctx, w.owner, a.ID, rota.Private, start)
		},
	} {
		require.ErrorIs(w, w.try(write), rota.NotFound, name)
	}
	w.unshare(a.ID)
	_, err = w.store.VisibleAgent(w.Context(), w.owner, a.ID)
	require.ErrorIs(w, err, rota.NotFound)
	got, err = w.store.VisibleAgent(w.Context(), host, a.ID)
	require.NoError(w, err)
	require.Equal(w, rota.Private, got.Visibility)
	require.Equal(w, int64(1), got.Version, "it is no version")
	require.Equal(w, []rota.AgentID{own.ID}, list(w.owner, rota.AgentFilter{Shared: true}))
}

func sharedRecords(w *world) {
	a := w.share()
	key := "daily"
	keyed := func(s *rota.Schedule, _ *rota.Timer) { s.Key = &key }
	mine := w.addSchedule(a.ID, keyed)
	run := w.addRun(a.ID)
	for _, o := range w.strangers() {
		if o != host { // whose agent it is
			w.seesNothing(o, a.ID, mine.ID, run.ID)
		}
		_, err := w.store.RunByID(w.Context(), o, run.ID)
		require.ErrorIs(w, err, rota.NotFound)
		_, err = w.store.Schedule(w.Context(), o, a.ID, mine.ID, true)
		require.ErrorIs(w, err, rota.NotFound)
	}
	w.owner.EndUser = "u-2"
	theirs := w.addSchedule(a.ID, keyed)
	w.owner.EndUser = "u-1"
	got, err := w.store.ScheduleByKey(w.Context(), w.owner, a.ID, key)
	require.NoError(w, err)
	require.Equal(w, mine.ID, got.ID)
	w.at(time.Minute)
	require.Len(w, w.fire(10, w.once), 2)
	for _, work := range w.claim(10) {
		require.Equal(w, host, work.AgentOwner)
		require.True(w, work.Run.Guest)
		w.finish(work.Run.ID, w.completed())
	}
	for _, f := range []rota.RunFilter{{}, {AgentID: a.ID}, {AgentID: a.ID, Guest: true}} {
		l, err := w.store.AllRuns(w.Context(), rota.Owners{Owner: w.owner}, f, rota.Page{Limit: 10})
		require.NoError(w, err)
		require.Len(w, l.Data, 2)
	}
	l, err := w.store.Runs(w.Context(), w.owner, a.ID, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, l.Data, 2)
	occurrences, err := w.store.AllOccurrences(w.Context(), rota.Owners{Owner: rota.Owner{Account: "acme", EndUser: "u-2"}}, rota.OccurrenceFilter{}, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, occurrences.Data, 1)
	require.Equal(w, theirs.ID, occurrences.Data[0].ScheduleID)
}

func unshared(w *world) {
	a := w.share()
	guest := w.addSchedule(a.ID)
	waits := w.addRun(a.ID)
	w.owner = host
	own := w.addSchedule(a.ID)
	w.at(30 * time.Second)
	w.unshare(a.ID)
	timers := map[rota.ScheduleID]rota.Timer{}
	w.at(time.Minute)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		all, err := tx.LiveTimers(ctx, host, a.ID, "", 10)
		require.Len(w, all, 2, "of all owners")
		none, err2 := tx.LiveTimers(ctx, rota.Owner{Account: "acme", EndUser: "u-1"}, a.ID, "", 10)
		require.NoError(w, err2)
		require.Empty(w, none, "the agent is not theirs")
		return err
	})
	w.fire(10, func(t rota.Timer) rota.Decision {
		timers[t.ScheduleID] = t
		return w.once(t)
	})
	require.Equal(w, start.Add(30*time.Second), timers[guest.ID].AgentUnsharedAt)
	require.Zero(w, timers[own.ID].AgentUnsharedAt)
	gone := map[rota.RunID]bool{}
	for _, work := range w.claim(10) {
		gone[work.Run.ID] = work.AgentUnshared
		require.Equal(w, work.Owner.EndUser != "", work.AgentUnshared)
	}
	require.Len(w, gone, 3)
	require.True(w, gone[waits.ID])
}

func eraseGuest(w *world) {
	a := w.share()
	guest := w.owner
	s, run := w.addSchedule(a.ID), w.addRun(a.ID)
	w.owner.EndUser = "u-2"
	other := w.addRun(a.ID)
	w.claim(10)
	w.finish(run.ID, w.completed())
	w.finish(other.ID, w.completed())
	users := func() map[string]rota.EndUser {
		l, err := w.store.EndUsers(w.Context(), "acme", rota.Page{Limit: 10, Ascending: true})
		require.NoError(w, err)
		by := map[string]rota.EndUser{}
		for _, u := range l.Data {
			by[u.EndUser] = u
		}
		return by
	}
	require.Len(w, users(), 2)
	require.Equal(w, int64(1), users()["u-1"].ActiveSchedules)
	require.NotNil(w, users()["u-2"].LastRunAt)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.BeginErasure(ctx, guest, w.now) })
	e := w.eraseAll(guest, 0)
	require.Equal(w, []int64{0, 1, 1}, []int64{e.Agents, e.Schedules, e.Runs})
	require.True(w, e.Deleted)
	require.Len(w, users(), 1)
	_, err := w.store.Agent(w.Context(), host, a.ID)
	require.NoError(w, err)
	require.Equal(w, other.ID, w.run(other.ID).ID)
	_, err = w.store.Schedule(w.Context(), guest, a.ID, s.ID, true)
	require.ErrorIs(w, err, rota.NotFound)
}
