package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

// ledgerOf returns a page of what became of a schedule's times.
func (w *world) ledgerOf(s rota.Schedule, f rota.OccurrenceFilter, p rota.Page) rota.List[rota.Occurrence] {
	w.Helper()
	if p.Limit == 0 {
		p.Limit = 100
	}
	l, err := w.Occurrences(w.Context(), caller, s.AgentID, s.ID, f, p)
	require.NoError(w, err)
	return l
}

// TestAnOpenPauseIsInTheLedger: what a pause keeps from starting is listed while it
// lasts, as it is on record afterwards.
func TestAnOpenPauseIsInTheLedger(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(`{"type":"interval","interval_seconds":60}`, "")
	w.at(30 * time.Second)
	_, err := w.PauseSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{Note: rota.Some("holidays")}, control.Write{})
	require.NoError(t, err)
	require.Empty(t, w.ledgerOf(s, rota.OccurrenceFilter{}, rota.Page{}).Data, "no time has come yet")

	w.at(5*time.Minute + 30*time.Second)
	manual, err := w.TriggerSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
	require.NoError(t, err)
	w.at(7 * time.Minute)
	open := w.ledgerOf(s, rota.OccurrenceFilter{}, rota.Page{})
	require.Len(t, open.Data, 2)
	require.Equal(t, manual.ID, open.Data[0].ID, "the newest nominal time first")
	span := open.Data[1]
	require.True(t, span.Open)
	require.Equal(t, rota.Blocked, span.Outcome)
	require.Equal(t, instant(time.Minute), span.ScheduledFor)
	require.Equal(t, instant(7*time.Minute), *span.ScheduledUntil)
	require.EqualValues(t, 7, span.Count)
	require.Equal(t, rota.Reason{Code: "schedule_paused", Message: "the schedule was paused (manual: holidays)"}, *span.Reason)

	require.Equal(t, []rota.Occurrence{span}, w.ledgerOf(s, rota.OccurrenceFilter{Outcome: rota.Blocked}, rota.Page{}).Data)
	require.Empty(t, w.ledgerOf(s, rota.OccurrenceFilter{Outcome: rota.MissedOutcome}, rota.Page{}).Data)
	require.Empty(t, w.ledgerOf(s, rota.OccurrenceFilter{Outcome: rota.Blocked, From: start.Add(8 * time.Minute)}, rota.Page{}).Data)

	_, err = w.ResumeSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	closed := w.ledgerOf(s, rota.OccurrenceFilter{}, rota.Page{})
	span.Open = false
	require.Equal(t, span, closed.Data[1], "what was shown is what is on record")
}

// TestPagesWithAnOpenPause walks the list in both directions, one entry at a time.
func TestPagesWithAnOpenPause(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(`{"type":"interval","interval_seconds":60}`, "")
	trigger := func(at time.Duration) {
		w.at(at)
		_, err := w.TriggerSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
		require.NoError(t, err)
	}
	trigger(10 * time.Second)
	w.at(30 * time.Second)
	_, err := w.PauseSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	trigger(90 * time.Second)
	trigger(100 * time.Second)
	w.at(3 * time.Minute)
	all := w.ledgerOf(s, rota.OccurrenceFilter{}, rota.Page{Ascending: true}).Data
	require.Len(t, all, 4)
	require.True(t, all[1].Open)

	for _, ascending := range []bool{true, false} {
		var forward, backward []rota.OccurrenceID
		p := rota.Page{Limit: 1, Ascending: ascending}
		for more := true; more; {
			l := w.ledgerOf(s, rota.OccurrenceFilter{}, p)
			require.Len(t, l.Data, 1)
			forward, more, p.After = append(forward, l.Data[0].ID), l.HasMore, *l.LastID
		}
		p = rota.Page{Limit: 1, Ascending: ascending, Before: string(forward[3])}
		for more := true; more; {
			l := w.ledgerOf(s, rota.OccurrenceFilter{}, p)
			require.Len(t, l.Data, 1)
			backward, more, p.Before = append(backward, l.Data[0].ID), l.HasMore, *l.FirstID
		}
		want := []rota.OccurrenceID{all[0].ID, all[1].ID, all[2].ID, all[3].ID}
		if !ascending {
			want = []rota.OccurrenceID{all[3].ID, all[2].ID, all[1].ID, all[0].ID}
		}
		require.Equal(t, want, forward)
		require.Equal(t, []rota.OccurrenceID{want[2], want[1], want[0]}, backward)
	}
}

// TestAnEmptyLedgerSaysWhy: a question for a time that is not one of the schedule's
// gets an answer.
func TestAnEmptyLedgerSaysWhy(t *testing.T) {
	w := newWorld(t) // on a Monday at 09:00 UTC, 10:00 in Madrid
	s := w.schedule(`{"type":"cron","cron_expression":"0 9 * * MON-FRI","timezone":"Europe/Madrid"}`, "")
	why := func(from, to time.Duration) rota.Warning {
		t.Helper()
		var f rota.OccurrenceFilter
		if from != 0 {
			f.From = start.Add(from)
		}
		if to != 0 {
			f.To = start.Add(to)
		}
		l := w.ledgerOf(s, f, rota.Page{})
		require.Empty(t, l.Data)
		require.Len(t, l.Warnings, 1)
		return l.Warnings[0]
	}
	const day = 24 * time.Hour
	got := why(5*day, 6*day)
	require.Equal(t, "no_such_time", got.Code)
	require.Equal(t, "the schedule has no time from Saturday, 2026-11-28T10:00:00+01:00 to Sunday, 2026-11-29T10:00:00+01:00; the next one after that is Monday, 2026-11-30T09:00:00+01:00", got.Message)
	require.Equal(t, "not_yet", why(0, 0).Code)
	require.Equal(t, "not_yet", why(day/2, 0).Code)
	require.Equal(t, "before_creation", why(-7*day, -day).Code)

	once := w.schedule(`{"type":"once","run_at":"2026-11-23T10:00:00Z"}`, "")
	l := w.ledgerOf(once, rota.OccurrenceFilter{From: start.Add(2 * time.Hour)}, rota.Page{})
	require.Equal(t, "no_such_time", l.Warnings[0].Code)
	l = w.ledgerOf(once, rota.OccurrenceFilter{From: start.Add(2 * time.Hour), Outcome: rota.Fired}, rota.Page{})
	require.Empty(t, l.Warnings, "there may be others")
}

func TestUpcomingTimesOfAPausedSchedule(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(`{"type":"interval","interval_seconds":60}`, "")
	_, err := w.PauseSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{Note: rota.Some("holidays")}, control.Write{})
	require.NoError(t, err)
	p, err := w.Upcoming(w.Context(), caller, s.AgentID, s.ID, 3)
	require.NoError(t, err)
	require.Len(t, p.Data, 3)
	require.Equal(t, []rota.Warning{{
		Code: "paused", Param: "status",
		Message: "the schedule was paused (manual: holidays) at 2026-11-23T09:00:00.000Z: none of these times will run unless it is resumed before",
	}}, p.Warnings)
}

// TestAnOccurrenceSaysHowItsRunEnded: fired and failed can be told apart.
func TestAnOccurrenceSaysHowItsRunEnded(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(`{"type":"interval","interval_seconds":60}`, "")
	o, err := w.TriggerSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
	require.NoError(t, err)
	require.Equal(t, &rota.OccurrenceRun{Phase: rota.PhaseQueued}, o.Run)
	_, err = w.CancelRun(w.Context(), caller, s.AgentID, *o.RunID, control.Write{})
	require.NoError(t, err)
	require.Equal(t, &rota.OccurrenceRun{Phase: rota.PhaseCancelled, ErrorCode: new("cancelled")}, w.ledgerOf(s, rota.OccurrenceFilter{}, rota.Page{}).Data[0].Run)
}
