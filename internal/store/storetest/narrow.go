package storetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var narrowed = []testCase{
	{"schedules by what people write of them", narrowSchedules},
	{"agents by what people write of them", narrowAgents},
	{"schedules in other orders", sortSchedules},
	{"runs by what they were asked", narrowRuns},
	{"occurrences by their runs and reasons", narrowOccurrences},
	{"a page looks at so many rows and says how far it came", lookBounded},
	{"a list that is too long is not sorted", sortBounded},
	{"counts", counted},
}

func narrowSchedules(w *world) {
	a := w.addAgent()
	brief := w.addSchedule(a.ID, func(s *rota.Schedule, _ *rota.Timer) {
		s.Name, s.Description, s.Metadata = p("Morning Brief"), p("for ÄNNE 50%"), map[string]string{"team": "ops", "a.b \"c\"": "x"}
	})
	report := w.addSchedule(a.ID, func(s *rota.Schedule, t *rota.Timer) {
		s.Name, s.Key, s.Metadata = p("report"), p("night_ly"), map[string]string{"team": "ops", "env": "live"}
		t.Status, t.PauseReason = rota.SchedulePaused, &rota.PauseReason{Code: rota.PausedByFailures, At: rota.InstantOf(start)}
	})
	plain := w.addSchedule(w.addAgent().ID, func(s *rota.Schedule, _ *rota.Timer) {
		s.Metadata, s.Input = map[string]string{}, rota.InputText("what is new?")
	})
	w.deleteSchedule(w.addSchedule(a.ID))
	for i, c := range []struct {
		filter rota.ScheduleFilter
		want   []rota.Schedule
	}{
		{rota.ScheduleFilter{Metadata: map[string]string{"team": "ops"}}, []rota.Schedule{brief, report}},
		{rota.ScheduleFilter{Metadata: map[string]string{"team": "ops", "env": "live"}}, []rota.Schedule{report}},
		{rota.ScheduleFilter{Metadata: map[string]string{"a.b \"c\"": "x"}}, []rota.Schedule{brief}},
		{rota.ScheduleFilter{Metadata: map[string]string{"team": "op"}}, nil},
		{rota.ScheduleFilter{Metadata: map[string]string{"none": ""}}, nil},
		{rota.ScheduleFilter{Name: "report"}, []rota.Schedule{report}},
		{rota.ScheduleFilter{Name: "Report"}, nil},
		{rota.ScheduleFilter{PauseReason: rota.PausedByFailures}, []rota.Schedule{report}},
		{rota.ScheduleFilter{PauseReason: rota.PausedManually}, nil},
		{rota.ScheduleFilter{Q: "mORNing b"}, []rota.Schedule{brief}},
		{rota.ScheduleFilter{Q: "Änne"}, []rota.Schedule{brief}},
		{rota.ScheduleFilter{Q: "änne"}, nil},
		{rota.ScheduleFilter{Q: "t_l"}, []rota.Schedule{report}},
		{rota.ScheduleFilter{Q: "%"}, []rota.Schedule{brief}},
		{rota.ScheduleFilter{Q: "IS NEW?"}, []rota.Schedule{plain}},
		{rota.ScheduleFilter{Q: "go", AgentID: a.ID, Status: rota.SchedulePaused}, []rota.Schedule{report}},
	} {
		for _, o := range []rota.Owners{{Owner: w.owner}, everybody} {
			l, err := w.store.AllSchedules(w.Context(), o, c.filter, rota.Page{Limit: 10, Ascending: true})
			require.NoError(w, err)
			w.these(c.want, l.Data, fmt.Sprint(i, c.filter))
		}
		l, err := w.store.AllSchedules(w.Context(), rota.Owners{Owner: rota.Owner{Account: "acme", EndUser: "another"}}, c.filter, rota.Page{Limit: 10})
		require.NoError(w, err)
		require.Empty(w, l.Data)
	}
}

func (w *world) these(want []rota.Schedule, got []rota.TimedSchedule, about string) {
	w.Helper()
	require.Len(w, got, len(want), about)
	for i, s := range got {
		require.Equal(w, want[i].ID, s.ID, about)
	}
}

// sortSchedules walks a list in each order, both ways and from each end, while a row moves.
func sortSchedules(w *world) {
	a := w.addAgent()
	names := []*string{p("b"), p("a"), nil, p("a"), p("Z"), p("é.~")}
	var made []rota.Schedule
	for i, name := range names {
		made = append(made, w.addSchedule(a.ID, func(s *rota.Schedule, t *rota.Timer) {
			s.Name, t.NextRunAt = name, start.Add(time.Duration(i%3)*time.Hour)
			if i == 4 {
				t.NextRunAt, t.Status = time.Time{}, rota.SchedulePaused
			}
		}))
	}
	for by, want := range map[rota.Sort][]int{
		rota.SortName:    {2, 4, 1, 3, 0, 5},
		rota.SortNextRun: {0, 3, 1, 2, 5, 4},
	} {
		for _, filter := range []rota.ScheduleFilter{{}, {AgentID: a.ID}, {Q: "go"}} {
			for _, ascending := range []bool{true, false} {
				ids := make([]rota.ScheduleID, len(want))
				for i, n := range want {
					ids[i] = made[n].ID
				}
				if !ascending {
					slices.Reverse(ids)
				}
				require.Equal(w, ids, w.sorted(filter, rota.Page{Limit: 2, Sort: by, Ascending: ascending}, false), "%s %t", by, ascending)
				require.Equal(w, ids, w.sorted(filter, rota.Page{Limit: 2, Sort: by, Ascending: ascending}, true), "%s %t, backwards", by, ascending)
			}
		}
	}
}

// sorted walks a list to its end; or from behind its end to its beginning.
func (w *world) sorted(f rota.ScheduleFilter, p rota.Page, backwards bool) (ids []rota.ScheduleID) {
	w.Helper()
	if backwards {
		l, err := w.store.AllSchedules(w.Context(), everybody, f, rota.Page{Limit: 100, Sort: p.Sort, Ascending: p.Ascending})
		require.NoError(w, err)
		p.Before = *l.LastID
		ids = []rota.ScheduleID{l.Data[len(l.Data)-1].ID}
	}
	for {
		l, err := w.store.AllSchedules(w.Context(), everybody, f, p)
		require.NoError(w, err)
		var page []rota.ScheduleID
		for _, s := range l.Data {
			page = append(page, s.ID)
		}
		if backwards {
			ids = append(page, ids...)
			p.Before = *l.FirstID
		} else {
			ids = append(ids, page...)
			p.After = *l.LastID
		}
		if !l.HasMore {
			return ids
		}
	}
}

func narrowRuns(w *world) {
	a := w.addAgent()
	s := w.addSchedule(a.ID, func(s *rota.Schedule, _ *rota.Timer) {
		s.Input, s.Metadata = rota.InputText("the News"), map[string]string{"team": "ops"}
	})
	w.at(time.Minute)
	fired := w.fire(1, w.once)[0].Run
	w.claimOne()
	w.finish(fired, w.failed("odd_code"))
	asked := w.addRun(a.ID).ID
	for i, c := range []struct {
		filter rota.RunFilter
		want   []rota.RunID
	}{
		{rota.RunFilter{Metadata: map[string]string{"team": "ops"}}, []rota.RunID{fired}},
		{rota.RunFilter{Metadata: map[string]string{"team": "dev"}}, nil},
		{rota.RunFilter{Q: "the nEWS"}, []rota.RunID{fired}},
		{rota.RunFilter{Q: "ODD_code"}, []rota.RunID{fired}},
		{rota.RunFilter{Q: "it failed", Phase: rota.PhaseFailed, ScheduleID: s.ID}, []rota.RunID{fired}},
		{rota.RunFilter{Q: "news", Phase: rota.PhaseCompleted}, nil},
		{rota.RunFilter{Trigger: rota.TriggerSchedule}, []rota.RunID{fired}},
		{rota.RunFilter{Trigger: rota.TriggerAPI}, []rota.RunID{asked}},
	} {
		for _, o := range []rota.Owners{{Owner: w.owner}, everybody} {
			l, err := w.store.AllRuns(w.Context(), o, c.filter, rota.Page{Limit: 10, Count: true})
			require.NoError(w, err)
			var got []rota.RunID
			for _, r := range l.Data {
				got = append(got, r.ID)
			}
			require.Equal(w, c.want, got, i)
			require.EqualValues(w, len(c.want), *l.Count)
		}
	}
}

func narrowOccurrences(w *world) {
	s := w.addSchedule(w.addAgent().ID, func(s *rota.Schedule, _ *rota.Timer) { s.Name = p("Brief") })
	w.at(time.Minute)
	failed := w.fire(1, w.once)[0]
	w.claimOne()
	w.finish(failed.Run, w.failed("odd_code"))
	w.at(2 * time.Minute)
	open := w.fire(1, w.once)[0]
	w.at(3 * time.Minute)
	w.fire(1, func(t rota.Timer) rota.Decision {
		d := w.once(t)
		d.Records[0].Outcome, d.Records[0].Reason = rota.MissedOutcome, &rota.Reason{Code: "late", Message: "Nobody looked"}
		return d
	})
	missed := w.occurrences(s)[2].ID
	for i, c := range []struct {
		filter rota.OccurrenceFilter
		want   []rota.OccurrenceID
	}{
		{rota.OccurrenceFilter{Phase: rota.PhaseFailed}, []rota.OccurrenceID{failed.Occurrence.ID}},
		{rota.OccurrenceFilter{Phase: rota.PhaseQueued}, []rota.OccurrenceID{open.Occurrence.ID}},
		{rota.OccurrenceFilter{ErrorCode: "odd_code"}, []rota.OccurrenceID{failed.Occurrence.ID}},
		{rota.OccurrenceFilter{ErrorCode: "none"}, nil},
		{rota.OccurrenceFilter{Q: "nobody"}, []rota.OccurrenceID{missed}},
		{rota.OccurrenceFilter{Q: "bRIEF", Outcome: rota.Fired}, []rota.OccurrenceID{failed.Occurrence.ID, open.Occurrence.ID}},
		{rota.OccurrenceFilter{Q: "brief", Outcome: rota.MissedOutcome, ScheduleID: s.ID}, []rota.OccurrenceID{missed}},
		{rota.OccurrenceFilter{Trigger: rota.TriggerSchedule, Outcome: rota.Fired, AgentID: s.AgentID}, []rota.OccurrenceID{failed.Occurrence.ID, open.Occurrence.ID}},
	} {
		for _, o := range []rota.Owners{{Owner: w.owner}, everybody} {
			l, err := w.store.AllOccurrences(w.Context(), o, c.filter, rota.Page{Limit: 10, Ascending: true, Count: true})
			require.NoError(w, err)
			var got []rota.OccurrenceID
			for _, o := range l.Data {
				got = append(got, o.ID)
			}
			require.Equal(w, c.want, got, i)
			require.EqualValues(w, len(c.want), *l.Count)
		}
	}
}

func lookBounded(w *world) {
	a := w.addAgent()
	var ids []rota.ScheduleID
	for i := range 10 {
		ids = append(ids, w.addSchedule(a.ID, func(s *rota.Schedule, _ *rota.Timer) { s.Name = p(fmt.Sprint("n", i%5)) }).ID)
	}
	find := rota.ScheduleFilter{Name: "n3"} // the fourth and the ninth
	l, err := w.store.AllSchedules(w.Context(), everybody, find, rota.Page{Limit: 1, Ascending: true, Look: 3})
	require.NoError(w, err)
	require.Empty(w, l.Data)
	require.True(w, l.HasMore)
	require.EqualValues(w, ids[2], *l.LastID)

	for _, limit := range []int{1, 10} {
		for _, ascending := range []bool{true, false} {
			want := []rota.ScheduleID{ids[3], ids[8]}
			if !ascending {
				slices.Reverse(want)
			}
			page := rota.Page{Limit: limit, Ascending: ascending, Look: 3}
			require.Equal(w, want, w.looked(find, page), "%+v", page)
			page.Bytes = 1
			require.Equal(w, want, w.looked(find, page), "%+v", page)
		}
	}
	before := rota.Page{Limit: 5, Ascending: true, Look: 3, Before: string(ids[9])}
	l, err = w.store.AllSchedules(w.Context(), everybody, find, before)
	require.NoError(w, err)
	require.Len(w, l.Data, 1)
	require.True(w, l.HasMore)
	require.EqualValues(w, ids[6], *l.FirstID)
	l, err = w.store.AllSchedules(w.Context(), everybody, find, rota.Page{Limit: 5, Count: true, Look: 3})
	require.NoError(w, err)
	require.EqualValues(w, 1, *l.Count)
	require.True(w, l.CountIsMinimum)
}

// looked walks a list to its end.
func (w *world) looked(f rota.ScheduleFilter, p rota.Page) (ids []rota.ScheduleID) {
	w.Helper()
	for range 20 {
		l, err := w.store.AllSchedules(w.Context(), everybody, f, p)
		require.NoError(w, err)
		for _, s := range l.Data {
			ids = append(ids, s.ID)
		}
		if !l.HasMore && !l.Cut {
			return ids
		}
		p.After = *l.LastID
	}
	w.Fatal("it has no end")
	return nil
}

func sortBounded(w *world) {
	a := w.addAgent()
	for range 3 {
		w.addSchedule(a.ID)
	}
	for _, by := range []rota.Sort{rota.SortName, rota.SortNextRun} {
		_, err := w.store.AllSchedules(w.Context(), everybody, rota.ScheduleFilter{}, rota.Page{Limit: 1, Sort: by, Look: 2})
		require.ErrorIs(w, err, rota.Invalid)
		_, err = w.store.AllSchedules(w.Context(), everybody, rota.ScheduleFilter{}, rota.Page{Limit: 1, Sort: by, Look: 3})
		require.NoError(w, err)
	}
}

func counted(w *world) {
	a := w.addAgent()
	for range 3 {
		w.addSchedule(a.ID)
	}
	l, err := w.store.AllSchedules(w.Context(), rota.Owners{Owner: w.owner}, rota.ScheduleFilter{}, rota.Page{Limit: 1, Count: true})
	require.NoError(w, err)
	require.EqualValues(w, 3, *l.Count)
	require.False(w, l.CountIsMinimum)
	require.Len(w, l.Data, 1)
	l, err = w.store.AllSchedules(w.Context(), everybody, rota.ScheduleFilter{AgentID: a.ID}, rota.Page{Limit: 1, Count: true, Sort: rota.SortName, After: *l.LastID + ".AA"})
	require.NoError(w, err)
	require.EqualValues(w, 3, *l.Count, "whatever the page")
}

func narrowAgents(w *world) {
	add := func(user string, change func(*rota.Agent)) rota.AgentID {
		w.owner.EndUser = user
		a := w.newAgent()
		change(&a)
		w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddAgent(ctx, w.owner, a) })
		return a.ID
	}
	clerk := add("ana", func(a *rota.Agent) { a.Name, a.Instructions = "Clerk", p("Sum up the NEWS") })
	aide := add("bo", func(a *rota.Agent) { a.Name, a.Metadata = "Aide", map[string]string{"team": "ops"} })
	gone := add("bo", func(a *rota.Agent) { a.Name = "Aide" })
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.DeleteAgent(ctx, w.owner, gone, w.now, w.now.Add(time.Hour))
	})
	bo := rota.Owners{Owner: w.owner}
	for i, c := range []struct {
		owners rota.Owners
		filter rota.AgentFilter
		sort   rota.Sort
		want   []rota.AgentID
	}{
		{everybody, rota.AgentFilter{}, "", []rota.AgentID{clerk, aide}},
		{everybody, rota.AgentFilter{}, rota.SortName, []rota.AgentID{aide, clerk}},
		{everybody, rota.AgentFilter{Deleted: true}, "", []rota.AgentID{gone}},
		{everybody, rota.AgentFilter{Deleted: true, Name: "Aide"}, rota.SortName, []rota.AgentID{gone}},
		{everybody, rota.AgentFilter{Q: "news"}, "", []rota.AgentID{clerk}},
		{everybody, rota.AgentFilter{Metadata: map[string]string{"team": "ops"}}, "", []rota.AgentID{aide}},
		{bo, rota.AgentFilter{}, "", []rota.AgentID{aide}},
		{bo, rota.AgentFilter{Name: "Clerk"}, rota.SortName, nil},
		{rota.Owners{Owner: rota.Owner{Account: "other"}, All: true}, rota.AgentFilter{}, "", nil},
	} {
		l, err := w.store.AllAgents(w.Context(), c.owners, c.filter, rota.Page{Limit: 10, Ascending: true, Sort: c.sort, Count: true})
		require.NoError(w, err)
		var got []rota.AgentID
		for _, a := range l.Data {
			got = append(got, a.ID)
		}
		require.Equal(w, c.want, got, i)
		require.EqualValues(w, len(c.want), *l.Count)
	}
}
