package storetest

import (
	"context"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var versions = []testCase{
	{"runs of a schedule have the version of its agent that it is pinned to", pinnedRuns},
	{"a run that has not started takes over the version that its schedule is pinned to", pinnedLater},
	{"occurrences and runs have the version of their schedule", firedVersions},
	{"the newest versions of a schedule are kept", keptVersions},
}

// twoVersions adds an agent that has had another model and another function tool.
func (w *world) twoVersions() (agent rota.Agent, before, now rota.FunctionToolID) {
	w.Helper()
	tool := func(name string) rota.FunctionToolID {
		f := rota.FunctionTool{
			Object: rota.ObjectFunctionTool, ID: rota.NewFunctionToolID(w.next()), CreatedAt: rota.InstantOf(start), UpdatedAt: rota.InstantOf(start), Version: 1,
			Definition: rota.FunctionDefinition{Type: "function", Name: name, Parameters: object(`{}`)},
		}
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddFunctionTool(ctx, w.owner, f) })
		return f.ID
	}
	before, now = tool("before"), tool("now")
	a := w.newAgent()
	a.Model, a.Tools = "old/model", []rota.Object{object(`{"type":"function_reference","function_tool_id":"` + string(before) + `"}`)}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, w.owner, a) })
	a.Model, a.Tools = "new/model", []rota.Object{object(`{"type":"function_reference","function_tool_id":"` + string(now) + `"}`)}
	a.Version++
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveAgent(ctx, w.owner, a, nil) })
	return a, before, now
}

func pinned(_ *rota.Schedule, t *rota.Timer) {
	t.AgentVersion, t.PinnedModel = p(int64(1)), "old/model"
}

func pinnedRuns(w *world) {
	a, before, now := w.twoVersions()
	pin, follow := w.addSchedule(a.ID, pinned), w.addSchedule(a.ID)
	w.same(p(int64(1)), w.schedule(pin).AgentVersion)
	models := make(map[rota.ScheduleID]string)
	w.at(time.Minute)
	w.fire(2, func(t rota.Timer) rota.Decision {
		models[t.ScheduleID] = t.Model
		return w.once(t)
	})
	require.Equal(w, map[rota.ScheduleID]string{pin.ID: "old/model", follow.ID: "new/model"}, models)
	for _, work := range w.claim(2) {
		version, model, tool := int64(2), "new/model", now
		if *work.Run.ScheduleID == pin.ID {
			version, model, tool = 1, "old/model", before
		}
		require.Equal(w, version, work.Run.AgentVersion)
		require.Equal(w, model, work.Agent.Model)
		require.Len(w, work.Functions, 1)
		require.Contains(w, work.Functions, tool)
	}
}

func pinnedLater(w *world) {
	a, before, _ := w.twoVersions()
	s := w.addSchedule(a.ID)
	w.at(time.Minute)
	w.fire(1, w.once)
	t := w.timer(s)
	pinned(&s, &t)
	t.ScheduleVersion++
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}, nil)
	})
	work := w.claimOne()
	require.EqualValues(w, 1, work.Run.AgentVersion)
	require.Equal(w, p(int64(2)), work.Run.ScheduleVersion)
	require.Equal(w, "old/model", work.Agent.Model)
	require.Contains(w, work.Functions, before)

	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		t.AgentVersion, t.PinnedModel = p(int64(2)), "new/model"
		return tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}, nil)
	})
	require.EqualValues(w, 1, w.run(work.Run.ID).AgentVersion, "it has started")
}

func firedVersions(w *world) {
	s := w.addSchedule(w.addAgent().ID, func(_ *rota.Schedule, t *rota.Timer) { t.ScheduleVersion = 4 })
	w.at(time.Minute)
	f := w.fire(1, w.once)[0]
	require.Equal(w, p(int64(4)), w.run(f.Run).ScheduleVersion)
	require.EqualValues(w, 4, w.occurrences(s)[0].ScheduleVersion)
	require.Nil(w, w.run(w.addRun(s.AgentID).ID).ScheduleVersion)
}

func keptVersions(w *world) {
	s := w.addSchedule(w.addAgent().ID)
	const changes = rota.MaxScheduleVersions + 5
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		t := w.plainTimer(ctx, tx, s)
		for i := range changes {
			was := s.WithTimer(t).CurrentVersion()
			s.Name = p("change " + strconv.Itoa(i))
			t.ScheduleVersion++
			s.VersionedAt = rota.InstantOf(start.Add(time.Duration(i) * time.Second))
			if err := tx.KeepVersion(ctx, was); err != nil {
				return err
			}
			if err := tx.SaveSchedule(ctx, rota.TimedSchedule{Schedule: s, Timer: t}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	got := w.listVersions(s, changes+1)
	require.Len(w, got, rota.MaxScheduleVersions)
	require.EqualValues(w, changes+1, got[0])
	require.EqualValues(w, changes+2-rota.MaxScheduleVersions, got[len(got)-1])

	v, err := w.store.FormerVersion(w.Context(), w.owner, s.AgentID, s.ID, changes)
	require.NoError(w, err)
	want := s.WithTimer(w.timer(s)).CurrentVersion()
	want.Name, want.Version, want.ID, want.IsCurrent = p("change "+strconv.Itoa(changes-2)), changes, rota.ScheduleVersionIDOf(s.ID, changes), false
	want.CreatedAt = rota.InstantOf(start.Add((changes - 2) * time.Second))
	require.Equal(w, rota.AnyOf(want), rota.AnyOf(v))
	for _, o := range []rota.Owner{{Account: w.owner.Account, EndUser: "another"}, {Account: "other"}} {
		_, err := w.store.FormerVersion(w.Context(), o, s.AgentID, s.ID, changes)
		require.ErrorIs(w, err, rota.NotFound)
		l, err := w.store.ScheduleVersions(w.Context(), o, s.AgentID, s.ID, rota.Page{Limit: 1})
		require.NoError(w, err)
		require.Empty(w, l.Data)
	}
	_, err = w.store.FormerVersion(w.Context(), w.owner, s.AgentID, s.ID, 1)
	require.ErrorIs(w, err, rota.NotFound)
}

// listVersions reads the versions of a schedule page by page.
func (w *world) listVersions(s rota.Schedule, current int64) []int64 {
	w.Helper()
	var got []int64
	for page := (rota.Page{Limit: 30}); ; page.After = string(rota.ScheduleVersionIDOf(s.ID, got[len(got)-1])) {
		l, err := w.store.ScheduleVersions(w.Context(), w.owner, s.AgentID, s.ID, page)
		require.NoError(w, err)
		for _, v := range l.Data {
			got = append(got, v.Version)
			require.Equal(w, v.Version == current, v.Spec.Type == "", "only the present one lacks its configuration")
		}
		if !l.HasMore {
			return got
		}
	}
}

// plainTimer is the timer of a schedule, in a transaction.
func (w *world) plainTimer(ctx context.Context, tx sqlstore.Queries, s rota.Schedule) rota.Timer {
	t, err := tx.Timer(ctx, w.owner, s.AgentID, s.ID)
	require.NoError(w, err)
	return t
}
