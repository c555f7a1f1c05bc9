package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var owners = []testCase{
	{"another owner sees nothing", isolation},
	{"another owner changes nothing", foreignWrites},
	{"another agent's things are not found", wrongAgent},
	{"unknown ids are not found", unknown},
}

var deletions = []testCase{
	{"a deleted schedule can be read on request", deleteSchedule},
	{"an agent is purged after its retention, some rows at a time", purge},
	{"what is old is deleted, and its schedules keep the mark", deleteOld},
	{"what is on record around an instant", around},
	{"an end user is deleted some rows at a time, and nobody else", erase},
	{"what was counted is the same before and after it is folded", countedOnce},
	{"two that fold at once move everything once", foldTogether},
	{"counts are deleted by the age of their hours", oldTallies},
	{"an account keeps what has ended as long as it says", keptFor},
	{"deleting an agent pauses its schedules until it is restored", deleteAgent},
	{"deleting twice is not found", deleteTwice},
	{"pausing or deleting a schedule blocks its buffered occurrence", deleteBuffered},
}

// strangers are owners that are not the world's.
func (w *world) strangers() []rota.Owner {
	return []rota.Owner{
		{Account: "other", EndUser: "u-1"}, {Account: "acme", EndUser: "u-2"}, {Account: "acme"}, {EndUser: "u-1"}, {},
	}
}

func isolation(w *world) {
	for _, mine := range []rota.Owner{w.owner, {Account: "acme"}} {
		w.owner = mine
		a := w.addAgent()
		s := w.addSchedule(a.ID)
		r := w.addRun(a.ID)
		for _, o := range append(w.strangers(), rota.Owner{Account: "acme", EndUser: "u-1"}) {
			if o != mine {
				w.seesNothing(o, a.ID, s.ID, r.ID)
			}
		}
	}
}

func (w *world) seesNothing(o rota.Owner, a rota.AgentID, s rota.ScheduleID, r rota.RunID) {
	w.Helper()
	ctx, page := w.Context(), rota.Page{Limit: 10}
	_, err := w.store.Agent(ctx, o, a)
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.store.Schedule(ctx, o, a, s, true)
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.store.Run(ctx, o, a, r)
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.store.RunByID(ctx, o, r)
	require.ErrorIs(w, err, rota.NotFound)
	agents, err := w.store.Agents(ctx, o, false, page)
	require.NoError(w, err)
	for _, other := range agents.Data {
		require.NotEqual(w, a, other.ID)
	}
	schedules, err := w.store.Schedules(ctx, o, a, page)
	require.NoError(w, err)
	require.Empty(w, schedules.Data)
	everywhere, err := w.store.AllSchedules(ctx, rota.Owners{Owner: o}, rota.ScheduleFilter{AgentID: a}, page)
	require.NoError(w, err)
	require.Empty(w, everywhere.Data)
	runs, err := w.store.Runs(ctx, o, a, page)
	require.NoError(w, err)
	require.Empty(w, runs.Data)
	occurrences, err := w.store.Occurrences(ctx, o, a, s, rota.OccurrenceFilter{}, page)
	require.NoError(w, err)
	require.Empty(w, occurrences.Data)
}

func foreignWrites(w *world) {
	a := w.addAgent()
	s := w.addSchedule(a.ID)
	t := w.timer(s)
	for _, o := range w.strangers() {
		for name, write := range map[string]func(context.Context, sqlstore.Queries) error{
			"save agent": func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveAgent(ctx, o, a, nil) },
			"delete agent": func(ctx context.Context, tx sqlstore.Queries) error {
				return tx.DeleteAgent(ctx, o, a.ID, start, start)
			},
			"save schedule": func(ctx context.Context, tx sqlstore.Queries) error {
				theirs := t
				theirs.Owner = o
				return tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: theirs}, nil)
			},
			"delete schedule": func(ctx context.Context, tx sqlstore.Queries) error {
				return tx.DeleteSchedule(ctx, o, a.ID, s.ID, start)
			},
			"timer": func(ctx context.Context, tx sqlstore.Queries) error {
				_, err := tx.Timer(ctx, o, a.ID, s.ID)
				return err
			},
			"schedule and timer": func(ctx context.Context, tx sqlstore.Queries) error {
				_, err := tx.TimedSchedule(ctx, o, a.ID, s.ID)
				return err
			},
		} {
			require.ErrorIs(w, w.try(write), rota.NotFound, "%s as %v", name, o)
		}
	}
	w.same(s, w.schedule(s))
}

func wrongAgent(w *world) {
	a, other := w.addAgent(), w.addAgent()
	s, r := w.addSchedule(a.ID), w.addRun(a.ID)
	_, err := w.store.Schedule(w.Context(), w.owner, other.ID, s.ID, false)
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.store.Run(w.Context(), w.owner, other.ID, r.ID)
	require.ErrorIs(w, err, rota.NotFound)
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DeleteSchedule(ctx, w.owner, other.ID, s.ID, start)
	}), rota.NotFound)
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.Timer(ctx, w.owner, other.ID, s.ID)
		return err
	}), rota.NotFound)
	_, err = w.store.TimedSchedule(w.Context(), w.owner, other.ID, s.ID)
	require.ErrorIs(w, err, rota.NotFound)
}

func unknown(w *world) {
	ctx := w.Context()
	_, err := w.store.Agent(ctx, w.owner, "agt_0")
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.store.Schedule(ctx, w.owner, "agt_0", "asch_0", true)
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.store.RunByID(ctx, w.owner, "arun_0")
	require.ErrorIs(w, err, rota.NotFound)
	_, _, err = w.store.KeyByHash(ctx, []byte("hash"))
	require.ErrorIs(w, err, rota.NotFound)
	a := w.newAgent()
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveAgent(ctx, w.owner, a, nil) }), rota.NotFound)
	require.Equal(w, rota.Finish{}, w.finish("arun_0", w.completed()))
}

func (w *world) deleteSchedule(s rota.Schedule) {
	w.Helper()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return errors.Join(tx.GiveUp(ctx, []rota.ScheduleID{s.ID}, changed), tx.DeleteSchedule(ctx, w.owner, s.AgentID, s.ID, w.now))
	})
}

// changed is why what waits in a timer is given up.
var changed = rota.Reason{Code: "not_active", Message: "the schedule was changed"}

func (w *world) deleteAgent(id rota.AgentID) {
	w.Helper()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		if err := tx.DeleteAgent(ctx, w.owner, id, w.now, w.now.Add(time.Hour)); err != nil {
			return err
		}
		timers, err := tx.LiveTimers(ctx, w.owner, id, "", 100)
		if err != nil {
			return err
		}
		var ids []rota.ScheduleID
		for _, t := range timers {
			ids = append(ids, t.ScheduleID)
		}
		return errors.Join(tx.GiveUp(ctx, ids, changed), tx.RestTimers(ctx, timers, w.absent()))
	})
}

// gone checks that a schedule rests as deleted.
func (w *world) gone(s rota.Schedule) {
	w.Helper()
	_, err := w.store.Schedule(w.Context(), w.owner, s.AgentID, s.ID, false)
	require.ErrorIs(w, err, rota.NotFound)
	got := w.schedule(s)
	require.Equal(w, rota.ScheduleDeleted, got.Status)
	require.Equal(w, w.now, got.DeletedAt.Time)
	require.Equal(w, w.now, got.UpdatedAt.Time)
	require.Equal(w, s.Version+1, got.Version)
	require.Nil(w, got.NextRunAt)
	require.Nil(w, got.PauseReason)
	list, err := w.store.Schedules(w.Context(), w.owner, s.AgentID, rota.Page{Limit: 10})
	require.NoError(w, err)
	for _, other := range list.Data {
		require.NotEqual(w, s.ID, other.ID)
	}
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		_, err := tx.Timer(ctx, w.owner, s.AgentID, s.ID)
		return err
	}), rota.NotFound)
	_, err = w.store.TimedSchedule(w.Context(), w.owner, s.AgentID, s.ID)
	require.ErrorIs(w, err, rota.NotFound)
}

func deleteSchedule(w *world) {
	a := w.addAgent()
	s, stays := w.addSchedule(a.ID, fill), w.addSchedule(a.ID)
	w.at(2 * time.Minute)
	w.deleteSchedule(s)
	w.gone(s)
	require.Len(w, w.fire(10, w.once), 1, "only the other one fires")
	require.NotEmpty(w, w.schedule(stays).LastRunID)
}

func deleteAgent(w *world) {
	a, other := w.addAgent(), w.addAgent()
	s1, s2, stays := w.addSchedule(a.ID), w.addSchedule(a.ID, fill), w.addSchedule(other.ID)
	r := w.addRun(a.ID)
	w.at(time.Minute)
	w.deleteSchedule(s2)
	deleted := w.schedule(s2)
	w.at(2 * time.Minute)
	w.deleteAgent(a.ID)
	got, err := w.store.Agent(w.Context(), w.owner, a.ID)
	require.NoError(w, err)
	require.Equal(w, []time.Time{w.now, w.now.Add(time.Hour)}, []time.Time{got.DeletedAt.Time, got.RetentionExpiresAt.Time})
	rests := w.schedule(s1)
	require.Equal(w, []any{rota.SchedulePaused, w.absent(), s1.Version + 1}, []any{rests.Status, *rests.PauseReason, rests.Version})
	require.Equal(w, w.now, rests.DeletedAt.Time)
	require.Nil(w, rests.NextRunAt)
	w.same(deleted, w.schedule(s2)) // it was deleted before and stays as it was
	require.Equal(w, rota.ScheduleActive, w.schedule(stays).Status)
	require.Equal(w, r.ID, w.run(r.ID).ID, "a run of a deleted agent can be read")
	runs, err := w.store.Runs(w.Context(), w.owner, a.ID, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, runs.Data, 1)
	agents, err := w.store.Agents(w.Context(), w.owner, false, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, agents.Data, 1)
	agents, err = w.store.Agents(w.Context(), w.owner, true, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Equal(w, a.ID, agents.Data[0].ID)
	restoreAgent(w, a, rests)
}

func restoreAgent(w *world, a rota.Agent, s rota.Schedule) {
	w.Helper()
	restore := func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.RestoreAgent(ctx, w.owner, a.ID, w.now)
	}
	w.update(restore)
	require.ErrorIs(w, w.try(restore), rota.Conflict)
	require.Nil(w, w.schedule(s).DeletedAt)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		paused, err := tx.PausedTimers(ctx, w.owner, a.ID, "", 10)
		require.NoError(w, err)
		require.Len(w, paused, 1)
		require.Equal(w, s.ID, paused[0].ScheduleID)
		paused[0].PauseReason.At = rota.InstantOf(w.now.Add(time.Second))
		return tx.SavePauses(ctx, []rota.Timer{paused[0].Timer})
	})
	later := w.schedule(s)
	require.Equal(w, w.now.Add(time.Second), later.PauseReason.At.Time)
	require.Equal(w, w.now.Add(time.Second), later.UpdatedAt.Time)
	require.Equal(w, s.Version+1, later.Version)
}

func purge(w *world) {
	a, other := w.addAgent(), w.addAgent()
	for range 3 {
		w.addSchedule(a.ID)
	}
	w.deleteSchedule(w.addSchedule(a.ID))
	w.addSchedule(other.ID)
	w.at(time.Minute)
	require.Len(w, w.fire(10, w.once), 4)
	r := w.addRun(a.ID)
	for _, work := range w.claim(10) {
		if work.Run.ID != r.ID {
			w.finish(work.Run.ID, w.completed())
		}
	}
	w.deleteAgent(a.ID) // for an hour
	step := func() (p rota.Purge) {
		w.update(func(ctx context.Context, tx sqlstore.Queries) (err error) {
			p, err = tx.PurgeAgent(ctx, w.now, 2)
			return err
		})
		return p
	}
	require.Empty(w, step().AgentID, "its time is not over")
	w.at(2 * time.Hour)
	require.Empty(w, step().AgentID, "a run has not ended")
	w.finish(r.ID, w.completed())
	p := step()
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.RestoreAgent(ctx, w.owner, a.ID, w.now)
	}), rota.Conflict)
	for steps := 1; !p.Done; steps++ {
		require.Less(w, steps, 20)
		p = step()
	}
	require.Equal(w, rota.Purge{AgentID: a.ID, At: w.now, Rule: "agent_retention", Versions: 1, Runs: 4, Schedules: 4, Occurrences: 3, Done: true}, p)
	require.Empty(w, step().AgentID)
	require.False(w, w.exists(a.ID))
	runs, err := w.store.Runs(w.Context(), w.owner, a.ID, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Empty(w, runs.Data)
	schedules, err := w.store.Schedules(w.Context(), w.owner, other.ID, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, schedules.Data, 1)
}

func deleteTwice(w *world) {
	a := w.addAgent()
	s := w.addSchedule(a.ID)
	w.deleteSchedule(s)
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DeleteSchedule(ctx, w.owner, a.ID, s.ID, w.now)
	}), rota.NotFound)
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: rota.Timer{ScheduleID: s.ID, Owner: w.owner, Anchor: start}}, nil)
	}), rota.NotFound)
	w.deleteAgent(a.ID)
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DeleteAgent(ctx, w.owner, a.ID, w.now, w.now)
	}), rota.NotFound)
}

func deleteBuffered(w *world) {
	for name, remove := range map[string]func(rota.Schedule){
		"schedule": w.deleteSchedule,
		"agent":    func(s rota.Schedule) { w.deleteAgent(s.AgentID) },
		"pause":    w.pause,
	} {
		s := w.addSchedule(w.addAgent().ID)
		w.at(time.Minute)
		w.fire(10, w.buffer)
		require.Equal(w, []rota.Outcome{rota.Buffered}, outcomes(w.occurrences(s)), name)
		remove(s)
		got := w.occurrences(s)
		require.Equal(w, []rota.Outcome{rota.Blocked}, outcomes(got), name)
		require.Equal(w, "not_active", got[0].Reason.Code)
	}
}

// buffer lets a timer's nominal time wait.
func (w *world) buffer(t rota.Timer) rota.Decision {
	o := w.occurrence(t, rota.Buffered)
	o.Reason = &rota.Reason{Code: "overlap", Message: "it waits"}
	t.Buffered = t.NextRunAt
	t.NextRunAt = t.NextRunAt.Add(time.Minute)
	t.DueAt = t.NextRunAt
	return rota.Decision{Timer: t, Records: []rota.Occurrence{o}, Provider: provider}
}
