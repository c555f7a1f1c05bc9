package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

var filters = []testCase{
	{"schedules by agent and status", filterSchedules},
	{"occurrences by outcome", filterOutcomes},
	{"occurrences by time", filterTimes},
	{"pages of what passes a filter", filterPages},
}

func filterSchedules(w *world) {
	a, b := w.addAgent(), w.addAgent()
	rests := func(_ *rota.Schedule, t *rota.Timer) { t.Status = rota.SchedulePaused }
	active, paused, other, gone := w.addSchedule(a.ID), w.addSchedule(a.ID, rests), w.addSchedule(b.ID), w.addSchedule(a.ID)
	w.deleteSchedule(gone)
	for _, c := range []struct {
		filter rota.ScheduleFilter
		want   []rota.Schedule
	}{
		{rota.ScheduleFilter{}, []rota.Schedule{active, paused, other}},
		{rota.ScheduleFilter{AgentID: a.ID}, []rota.Schedule{active, paused}},
		{rota.ScheduleFilter{Status: rota.ScheduleActive}, []rota.Schedule{active, other}},
		{rota.ScheduleFilter{AgentID: a.ID, Status: rota.SchedulePaused}, []rota.Schedule{paused}},
		{rota.ScheduleFilter{AgentID: b.ID, Status: rota.SchedulePaused}, []rota.Schedule{}},
	} {
		got, err := w.store.AllSchedules(w.Context(), rota.Owners{Owner: w.owner}, c.filter, rota.Page{Limit: 10, Ascending: true})
		require.NoError(w, err)
		schedules := []rota.Schedule{}
		for _, s := range got.Data {
			schedules = append(schedules, s.Schedule)
			w.same(w.timer(s.Schedule), s.Timer)
		}
		w.same(c.want, schedules)
	}
	w.deleteSchedule(w.addSchedule(a.ID, rests))
	elsewhere := w.addSchedule(w.addAgent().ID, rests)
	n, err := w.store.PausedSchedules(w.Context())
	require.NoError(w, err)
	require.Equal(w, 2, n, "%s and %s", paused.ID, elsewhere.ID)
}

// ledger makes a schedule whose minutes 1 to 6 are fired, skipped, missed (a
// span up to 5) and fired, each recorded at its end.
func (w *world) ledger() rota.Schedule {
	s := w.addSchedule(w.addAgent().ID)
	outcome := func(what rota.Outcome, minutes int) func(rota.Timer) rota.Decision {
		return func(t rota.Timer) rota.Decision {
			d := w.once(t)
			o := &d.Records[0]
			o.Outcome, o.Count = what, int64(minutes)
			if minutes > 1 {
				o.ScheduledUntil = p(rota.InstantOf(t.NextRunAt.Add(time.Duration(minutes-1) * time.Minute)))
			}
			d.Timer.NextRunAt = t.NextRunAt.Add(time.Duration(minutes) * time.Minute)
			d.Timer.DueAt = d.Timer.NextRunAt
			return d
		}
	}
	w.at(10 * time.Minute)
	w.fire(1, w.once)
	w.fire(1, outcome(rota.SkippedOverlap, 1))
	w.fire(1, outcome(rota.MissedOutcome, 3))
	w.fire(1, w.once)
	return s
}

func (w *world) filtered(s rota.Schedule, f rota.OccurrenceFilter) []rota.Outcome {
	w.Helper()
	l, err := w.store.Occurrences(w.Context(), w.owner, s.AgentID, s.ID, f, rota.Page{Limit: 10, Ascending: true})
	require.NoError(w, err)
	return outcomes(l.Data)
}

func filterOutcomes(w *world) {
	s := w.ledger()
	require.Equal(w, []rota.Outcome{rota.Fired, rota.Fired}, w.filtered(s, rota.OccurrenceFilter{Outcome: rota.Fired}))
	require.Equal(w, []rota.Outcome{rota.MissedOutcome}, w.filtered(s, rota.OccurrenceFilter{Outcome: rota.MissedOutcome}))
	require.Empty(w, w.filtered(s, rota.OccurrenceFilter{Outcome: rota.Blocked}))
}

func filterTimes(w *world) {
	s := w.ledger()
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	fired, skipped, missed := rota.Fired, rota.SkippedOverlap, rota.MissedOutcome
	for _, c := range []struct {
		from, to time.Time
		want     []rota.Outcome
	}{
		{time.Time{}, minute(2), []rota.Outcome{fired, skipped}},
		{minute(2), minute(3), []rota.Outcome{skipped, missed}},
		{minute(4), minute(4), []rota.Outcome{missed}}, // the middle of the span
		{minute(5), time.Time{}, []rota.Outcome{missed, fired}},
		{minute(5).Add(time.Millisecond), time.Time{}, []rota.Outcome{fired}},
		{minute(7), time.Time{}, nil},
	} {
		require.Equal(w, c.want, w.filtered(s, rota.OccurrenceFilter{From: c.from, To: c.to}), "%s to %s", c.from, c.to)
	}
	require.Equal(w, []rota.Outcome{fired}, w.filtered(s, rota.OccurrenceFilter{Outcome: fired, From: minute(2), To: minute(9)}))
}

func filterPages(w *world) {
	s := w.ledger()
	for _, asc := range []bool{true, false} {
		var got []rota.Occurrence
		page := rota.Page{Limit: 1, Ascending: asc}
		for more := true; more; page.After = string(got[len(got)-1].ID) {
			l, err := w.store.Occurrences(w.Context(), w.owner, s.AgentID, s.ID, rota.OccurrenceFilter{Outcome: rota.Fired}, page)
			require.NoError(w, err)
			require.Len(w, l.Data, 1)
			got, more = append(got, l.Data...), l.HasMore
		}
		require.Equal(w, []rota.Outcome{rota.Fired, rota.Fired}, outcomes(got))
		require.Equal(w, asc, got[0].ScheduledFor.Before(got[1].ScheduledFor.Time))
	}
}
