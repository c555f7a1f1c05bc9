package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/limits"
)

// TestOpenRunsAreLimited: each owner has as many as the limits say, and no more.
func TestOpenRunsAreLimited(t *testing.T) {
	w := newWorld(t)
	w.Limits = &limits.Keeper{Server: rota.AllLimits{EndUser: rota.Limits{OpenRuns: new(2)}, Account: rota.Limits{OpenRuns: new(3)}}}
	in := rota.RunCreate{Input: rota.InputText("hi")}
	first, again := w.run(), control.Write{IdempotencyKey: "k", Request: []byte("r")}
	second, err := w.StartRun(t.Context(), caller, first.AgentID, in, again)
	require.NoError(t, err)

	_, err = w.StartRun(t.Context(), caller, first.AgentID, in, control.Write{})
	require.Equal(t, &rota.Error{
		Code: rota.LimitReached, RetryAfter: 10 * time.Second, Limit: &rota.LimitUse{Limit: "end_user.open_runs", Used: 2, Max: 2},
		Msg: "the end user has 2 runs and responses that have not ended, and may have 2 (limits.end_user.open_runs): try again when some have ended",
	}, err)
	replayed, err := w.StartRun(t.Context(), caller, first.AgentID, in, again)
	require.NoError(t, err, "it has started already")
	require.Equal(t, second.ID, replayed.ID)

	other := caller
	other.Owner.EndUser = "u-2"
	a, err := w.CreateAgent(t.Context(), other, rota.AgentCreate{Name: "a", Model: "mock/m"}, control.Write{})
	require.NoError(t, err)
	_, err = w.StartRun(t.Context(), other, a.ID, in, control.Write{})
	require.NoError(t, err)
	_, err = w.StartRun(t.Context(), other, a.ID, in, control.Write{})
	require.ErrorIs(t, err, rota.LimitReached)
	require.Equal(t, &rota.LimitUse{Limit: "account.open_runs", Used: 3, Max: 3}, rota.Public(err).Limit)

	_, err = w.CancelRun(t.Context(), caller, first.AgentID, first.ID, control.Write{})
	require.NoError(t, err)
	_, err = w.StartRun(t.Context(), other, a.ID, in, control.Write{})
	require.NoError(t, err)
}

// TestATriggerCountsForTheLimit: it starts no run beyond it, and puts nothing on
// record.
func TestATriggerCountsForTheLimit(t *testing.T) {
	w := newWorld(t)
	w.Limits = &limits.Keeper{Server: rota.AllLimits{EndUser: rota.Limits{OpenRuns: new(1)}}}
	r := w.run()
	s, err := w.CreateSchedule(t.Context(), caller, r.AgentID, rota.ScheduleCreate{
		Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 60}, Input: rota.InputText("hi"),
	}, control.Write{})
	require.NoError(t, err)
	_, err = w.TriggerSchedule(t.Context(), caller, r.AgentID, s.ID, control.Write{})
	require.ErrorIs(t, err, rota.LimitReached)
	l, err := w.Occurrences(t.Context(), caller, r.AgentID, s.ID, rota.OccurrenceFilter{}, rota.Page{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, l.Data)
}
