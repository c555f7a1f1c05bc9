package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

var across = []testCase{
	{"lists of an account, of an end user and of the account itself", acrossOwners},
	{"runs of all agents by what they have in common", acrossRuns},
	{"occurrences of all schedules by what they have in common", acrossOccurrences},
	{"spans that reach into a span of time", acrossSpans},
	{"end users and what they have", endUsers},
	{"pages of an account's runs", func(w *world) {
		a, b := w.addAgent(), w.addAgent()
		w.pages(func() string {
			a, b = b, a
			return string(w.addRun(a.ID).ID)
		}, func(p rota.Page) ([]string, bool) {
			mine, err := w.store.AllRuns(w.Context(), rota.Owners{Owner: w.owner}, rota.RunFilter{}, p)
			require.NoError(w, err)
			l, err := w.store.AllRuns(w.Context(), everybody, rota.RunFilter{}, p)
			w.same(mine, l)
			return listed(w, l, err, func(r rota.Run) string { return string(r.ID) })
		})
	}},
	{"pages of an account's occurrences", func(w *world) {
		s := w.addSchedule(w.addAgent().ID)
		w.pages(func() string {
			w.at(w.now.Sub(start) + time.Minute)
			return string(w.fire(1, w.once)[0].Occurrence.ID)
		}, func(p rota.Page) ([]string, bool) {
			l, err := w.store.AllOccurrences(w.Context(), everybody, rota.OccurrenceFilter{}, p)
			for _, f := range []rota.OccurrenceFilter{{}, {AgentID: s.AgentID}, {ScheduleID: s.ID}} {
				mine, err := w.store.AllOccurrences(w.Context(), rota.Owners{Owner: w.owner}, f, p)
				require.NoError(w, err)
				w.same(mine, l)
			}
			return listed(w, l, err, func(o rota.Occurrence) string { return string(o.ID) })
		})
	}},
}

var everybody = rota.Owners{Owner: rota.Owner{Account: "acme"}, All: true}

// asOwners fills the store as each of these, with an agent, a schedule that has
// fired, and a run that a call started.
func (w *world) asOwners(owners ...rota.Owner) (schedules []rota.Schedule) {
	for _, w.owner = range owners {
		s := w.addSchedule(w.addAgent().ID)
		w.addRun(s.AgentID)
		schedules = append(schedules, s)
	}
	w.at(time.Minute)
	w.fire(len(owners), w.once)
	return schedules
}

func acrossOwners(w *world) {
	itself, ana, other := rota.Owner{Account: "acme"}, rota.Owner{Account: "acme", EndUser: "ana"}, rota.Owner{Account: "other", EndUser: "ana"}
	s := w.asOwners(itself, ana, other)
	for _, c := range []struct {
		owners rota.Owners
		want   []rota.Schedule
	}{
		{everybody, s[:2]},
		{rota.Owners{Owner: itself}, s[:1]},
		{rota.Owners{Owner: ana}, s[1:2]},
		{rota.Owners{Owner: other}, s[2:]},
		{rota.Owners{Owner: rota.Owner{Account: "other"}, All: true}, s[2:]},
		{rota.Owners{Owner: rota.Owner{Account: "none"}, All: true}, nil},
		{rota.Owners{Owner: rota.Owner{Account: "acme", EndUser: "bo"}}, nil},
	} {
		w.sees(c.owners, rota.RunFilter{}, rota.OccurrenceFilter{}, c.want)
		for _, one := range s {
			in := []rota.Schedule{}
			for _, v := range c.want {
				if v.ID == one.ID {
					in = append(in, v)
				}
			}
			w.sees(c.owners, rota.RunFilter{AgentID: one.AgentID}, rota.OccurrenceFilter{AgentID: one.AgentID}, in)
		}
	}
}

// sees checks that lists across agents have two runs and one occurrence of each
// schedule, and nothing else.
func (w *world) sees(o rota.Owners, rf rota.RunFilter, of rota.OccurrenceFilter, want []rota.Schedule) {
	w.Helper()
	ids := map[rota.AgentID]int{}
	for _, s := range want {
		ids[s.AgentID] = 1
	}
	runs, err := w.store.AllRuns(w.Context(), o, rf, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, runs.Data, 2*len(want))
	for _, r := range runs.Data {
		require.Contains(w, ids, r.AgentID)
	}
	list, err := w.store.AllOccurrences(w.Context(), o, of, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, list.Data, len(want))
	for _, o := range list.Data {
		require.Contains(w, ids, o.AgentID)
	}
	schedules, err := w.store.AllSchedules(w.Context(), o, rota.ScheduleFilter{AgentID: rf.AgentID}, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Len(w, schedules.Data, len(want))
	for _, s := range schedules.Data {
		require.Contains(w, ids, s.AgentID)
		require.Equal(w, s.Timer.Owner.User(), s.EndUser)
	}
}

func acrossRuns(w *world) {
	s, fired := w.fired()
	w.at(2 * time.Minute)
	failed, waits, completed, queued := w.addRun(s.AgentID), w.addRun(s.AgentID), w.addRun(w.addAgent().ID), rota.RunID("")
	w.claim(10)
	w.finish(fired, w.completed())
	w.finish(failed.ID, w.failed("timeout"))
	w.delay(waits.ID, time.Hour, true)
	w.finish(completed.ID, w.completed())
	queued = w.addRun(s.AgentID).ID
	for name, c := range map[string]struct {
		filter rota.RunFilter
		want   []rota.RunID
	}{
		"all":             {rota.RunFilter{}, []rota.RunID{failed.ID, waits.ID, completed.ID, queued, fired}},
		"agent":           {rota.RunFilter{AgentID: completed.AgentID}, []rota.RunID{completed.ID}},
		"schedule":        {rota.RunFilter{ScheduleID: s.ID}, []rota.RunID{fired}},
		"queued":          {rota.RunFilter{Phase: rota.PhaseQueued}, []rota.RunID{queued}},
		"waiting":         {rota.RunFilter{Phase: rota.PhaseWaiting}, []rota.RunID{waits.ID}},
		"running":         {rota.RunFilter{Phase: rota.PhaseRunning}, nil},
		"completed":       {rota.RunFilter{Phase: rota.PhaseCompleted}, []rota.RunID{completed.ID, fired}},
		"failed":          {rota.RunFilter{Phase: rota.PhaseFailed}, []rota.RunID{failed.ID}},
		"error":           {rota.RunFilter{ErrorCode: "timeout"}, []rota.RunID{failed.ID}},
		"error and phase": {rota.RunFilter{ErrorCode: "timeout", Phase: rota.PhaseFailed, Trigger: rota.TriggerAPI}, []rota.RunID{failed.ID}},
		"schedule's":      {rota.RunFilter{Trigger: rota.TriggerSchedule}, []rota.RunID{fired}},
		"asked for":       {rota.RunFilter{Trigger: rota.TriggerAPI}, []rota.RunID{failed.ID, waits.ID, completed.ID, queued}},
		"from":            {rota.RunFilter{From: start.Add(time.Minute)}, []rota.RunID{fired}},
		"to":              {rota.RunFilter{To: failed.CreatedAt.Time}, []rota.RunID{failed.ID}},
		"from and to":     {rota.RunFilter{From: waits.CreatedAt.Time, To: completed.CreatedAt.Time}, []rota.RunID{waits.ID, completed.ID}},
	} {
		for _, o := range []rota.Owners{everybody, {Owner: w.owner}} {
			l, err := w.store.AllRuns(w.Context(), o, c.filter, rota.Page{Limit: 10, Ascending: true})
			require.NoError(w, err)
			var got []rota.RunID
			for _, r := range l.Data {
				got = append(got, r.ID)
			}
			require.Equal(w, c.want, got, name)
		}
		l, err := w.store.AllRuns(w.Context(), rota.Owners{Owner: rota.Owner{Account: "other"}, All: true}, c.filter, rota.Page{Limit: 10})
		require.NoError(w, err)
		require.Empty(w, l.Data, name)
	}
}

func acrossOccurrences(w *world) {
	s := w.ledger()
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	fired, skipped, missed := rota.Fired, rota.SkippedOverlap, rota.MissedOutcome
	for name, c := range map[string]struct {
		filter rota.OccurrenceFilter
		want   []rota.Outcome
	}{
		"all":         {rota.OccurrenceFilter{}, []rota.Outcome{fired, skipped, missed, fired}},
		"schedule":    {rota.OccurrenceFilter{ScheduleID: s.ID, Outcome: skipped}, []rota.Outcome{skipped}},
		"agent":       {rota.OccurrenceFilter{AgentID: s.AgentID, Outcome: missed}, []rota.Outcome{missed}},
		"no agent":    {rota.OccurrenceFilter{AgentID: "agt_0"}, nil},
		"fired":       {rota.OccurrenceFilter{Outcome: fired}, []rota.Outcome{fired, fired}},
		"missed":      {rota.OccurrenceFilter{Outcome: missed}, []rota.Outcome{missed}},
		"blocked":     {rota.OccurrenceFilter{Outcome: rota.Blocked}, nil},
		"from":        {rota.OccurrenceFilter{From: minute(2)}, []rota.Outcome{skipped, missed, fired}},
		"to":          {rota.OccurrenceFilter{To: minute(2)}, []rota.Outcome{fired, skipped}},
		"from and to": {rota.OccurrenceFilter{From: minute(2), To: minute(3), Trigger: rota.TriggerSchedule}, []rota.Outcome{skipped, missed}},
		"a trigger":   {rota.OccurrenceFilter{Trigger: rota.TriggerManual}, nil},
	} {
		for _, o := range []rota.Owners{everybody, {Owner: w.owner}} {
			l, err := w.store.AllOccurrences(w.Context(), o, c.filter, rota.Page{Limit: 10, Ascending: true})
			require.NoError(w, err)
			require.Equal(w, c.want, outcomes(l.Data), name)
		}
	}
}

func acrossSpans(w *world) {
	s := w.ledger() // a span from minute 3 to minute 5
	for _, c := range []struct {
		from time.Duration
		want int
	}{{3 * time.Minute, 0}, {3*time.Minute + time.Millisecond, 1}, {5 * time.Minute, 1}, {5*time.Minute + time.Millisecond, 0}} {
		for _, f := range []rota.OccurrenceFilter{{}, {ScheduleID: s.ID}, {AgentID: s.AgentID}, {Outcome: rota.MissedOutcome}} {
			for _, o := range []rota.Owners{everybody, {Owner: w.owner}} {
				f.From = start.Add(c.from)
				spans, err := w.store.SpansAcross(w.Context(), o, f)
				require.NoError(w, err)
				require.Len(w, spans, c.want, "%s %+v", c.from, f)
			}
			spans, err := w.store.SpansAcross(w.Context(), rota.Owners{Owner: rota.Owner{Account: "other"}, All: true}, f)
			require.NoError(w, err)
			require.Empty(w, spans)
		}
	}
}

func endUsers(w *world) {
	itself, ana, bo := rota.Owner{Account: "acme"}, rota.Owner{Account: "acme", EndUser: "ana"}, rota.Owner{Account: "acme", EndUser: "bo"}
	w.asOwners(bo, itself, ana, rota.Owner{Account: "other", EndUser: "eve"})
	w.owner = bo
	w.addSchedule(w.addAgent().ID, func(_ *rota.Schedule, t *rota.Timer) { t.Status, t.DueAt = rota.SchedulePaused, time.Time{} })
	w.addSchedule(w.addAgent().ID, func(_ *rota.Schedule, t *rota.Timer) { t.Status, t.DueAt = rota.ScheduleCompleted, time.Time{} })
	last := p(rota.InstantOf(w.now))
	want := []rota.EndUser{
		{Object: rota.ObjectEndUser, EndUser: "ana", Agents: 1, ActiveSchedules: 1, OpenRuns: 2, LastRunAt: last},
		{Object: rota.ObjectEndUser, EndUser: "bo", Agents: 3, ActiveSchedules: 1, PausedSchedules: 1, OpenRuns: 2, LastRunAt: last},
	}
	for _, c := range []struct {
		page rota.Page
		want []rota.EndUser
	}{
		{rota.Page{Limit: 2, Ascending: true}, want},
		{rota.Page{Limit: 1}, want[1:]},
		{rota.Page{Limit: 1, Ascending: true, After: "ana"}, want[1:]},
		{rota.Page{Limit: 1, Ascending: true, Before: "bo"}, want[:1]},
		{rota.Page{Limit: 1, Ascending: true, After: "bo"}, []rota.EndUser{}},
	} {
		l, err := w.store.EndUsers(w.Context(), "acme", c.page)
		require.NoError(w, err)
		w.same(c.want, l.Data)
	}
}
