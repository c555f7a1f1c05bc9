package control_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
)

// The answer is remembered with the change, so it does not matter what happened
// to the one who asked.
func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	a := w.agent()
	in := rota.RunCreate{Input: rota.InputText("hi")}
	keyed := control.Write{IdempotencyKey: "k", Request: []byte("POST runs hi")}
	first, err := w.StartRun(t.Context(), caller, a.ID, in, keyed)
	require.NoError(t, err)
	w.finish(first.ID, done)

	w.at(control.AnswerTTL)
	again, err := w.StartRun(t.Context(), caller, a.ID, in, keyed)
	require.NoError(t, err)
	require.Equal(t, plain(t, first), plain(t, again), "as it was answered then")

	other := keyed
	other.Request = []byte("POST runs ho")
	_, err = w.StartRun(t.Context(), caller, a.ID, in, other)
	require.ErrorIs(t, err, rota.Conflict)

	friend := caller
	friend.Owner.EndUser = "u-2"
	_, err = w.StartRun(t.Context(), friend, a.ID, in, keyed)
	require.ErrorIs(t, err, rota.NotFound, "another owner's key is another key")

	w.at(control.AnswerTTL + time.Millisecond)
	anew, err := w.StartRun(t.Context(), caller, a.ID, in, keyed)
	require.NoError(t, err)
	require.NotEqual(t, first.ID, anew.ID)
}

func TestIdempotencyKeyOfAFailureIsFree(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	keyed := control.Write{IdempotencyKey: "k", Request: []byte("x"), IfMatch: 9}
	_, err := w.DeleteSchedule(t.Context(), caller, s.AgentID, s.ID, keyed)
	require.ErrorIs(t, err, rota.Precondition)
	keyed.IfMatch = 1
	for range 2 {
		gone, err := w.DeleteSchedule(t.Context(), caller, s.AgentID, s.ID, keyed)
		require.NoError(t, err)
		require.True(t, gone.Deleted)
	}
}

func TestScopes(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	r := w.run()
	without := func(scope rota.Scope) auth.Caller {
		c := caller
		c.Scopes = slices.DeleteFunc(rota.AllScopes(), func(s rota.Scope) bool { return s == scope })
		return c
	}
	ctx, none := t.Context(), control.Write{}
	for name, ask := range map[string]func() error{
		"create agent": func() error {
			_, err := w.CreateAgent(ctx, without(rota.WriteAgents), rota.AgentCreate{}, none)
			return err
		},
		"agent":  func() error { _, err := w.Agent(ctx, without(rota.ReadAgents), s.AgentID); return err },
		"agents": func() error { _, err := w.Agents(ctx, without(rota.ReadAgents), rota.Page{Limit: 1}); return err },
		"update agent": func() error {
			_, err := w.UpdateAgent(ctx, without(rota.WriteAgents), s.AgentID, rota.AgentUpdate{}, none)
			return err
		},
		"delete agent": func() error { _, err := w.DeleteAgent(ctx, without(rota.WriteAgents), s.AgentID, none); return err },
		"create schedule": func() error {
			_, err := w.CreateSchedule(ctx, without(rota.WriteAgents), s.AgentID, rota.ScheduleCreate{}, none)
			return err
		},
		"schedule": func() error {
			_, err := w.Schedule(ctx, without(rota.ReadAgents), s.AgentID, s.ID, false)
			return err
		},
		"schedules": func() error {
			_, err := w.Schedules(ctx, without(rota.ReadAgents), s.AgentID, rota.Page{Limit: 1})
			return err
		},
		"all schedules": func() error {
			_, err := w.AllSchedules(ctx, without(rota.ReadAgents), rota.ScheduleFilter{}, rota.Page{Limit: 1})
			return err
		},
		"update schedule": func() error {
			_, err := w.UpdateSchedule(ctx, without(rota.WriteAgents), s.AgentID, s.ID, rota.ScheduleUpdate{}, none)
			return err
		},
		"pause": func() error {
			_, err := w.PauseSchedule(ctx, without(rota.WriteAgents), s.AgentID, s.ID, rota.SchedulePause{}, none)
			return err
		},
		"resume": func() error {
			_, err := w.ResumeSchedule(ctx, without(rota.WriteAgents), s.AgentID, s.ID, rota.SchedulePause{}, none)
			return err
		},
		"delete schedule": func() error {
			_, err := w.DeleteSchedule(ctx, without(rota.WriteAgents), s.AgentID, s.ID, none)
			return err
		},
		"trigger": func() error {
			_, err := w.TriggerSchedule(ctx, without(rota.WriteAgents), s.AgentID, s.ID, none)
			return err
		},
		"skip": func() error {
			_, err := w.SkipOccurrence(ctx, without(rota.WriteAgents), s.AgentID, s.ID, rota.OccurrenceSkip{}, none)
			return err
		},
		"upcoming": func() error { _, err := w.Upcoming(ctx, without(rota.ReadAgents), s.AgentID, s.ID, 1); return err },
		"pause all": func() error {
			_, err := w.PauseSchedules(ctx, without(rota.WriteAgents), rota.BulkPause{}, none)
			return err
		},
		"start run": func() error {
			_, err := w.StartRun(ctx, without(rota.WriteAgents), r.AgentID, rota.RunCreate{}, none)
			return err
		},
		"run":       func() error { _, err := w.Control.Run(ctx, without(rota.ReadAgents), r.AgentID, r.ID); return err },
		"run by id": func() error { _, err := w.RunByID(ctx, without(rota.ReadAgents), r.ID); return err },
		"runs": func() error {
			_, err := w.Runs(ctx, without(rota.ReadAgents), r.AgentID, rota.Page{Limit: 1})
			return err
		},
		"events":     func() error { _, err := w.RunEvents(ctx, without(rota.ReadAgents), r.AgentID, r.ID, -1); return err },
		"cancel":     func() error { _, err := w.CancelRun(ctx, without(rota.WriteAgents), r.AgentID, r.ID, none); return err },
		"create key": func() error { _, err := w.CreateKey(ctx, without(rota.WriteAPIKeys), rota.KeyCreate{}); return err },
		"keys":       func() error { _, err := w.Keys(ctx, without(rota.ReadAPIKeys), rota.Page{Limit: 1}); return err },
		"revoke key": func() error { _, err := w.RevokeKey(ctx, without(rota.WriteAPIKeys), "key_2"); return err },
	} {
		require.ErrorIs(t, ask(), rota.Denied, name)
	}
}

func TestKeysCannotEscalate(t *testing.T) {
	w := newWorld(t)
	small := caller
	small.Scopes = []rota.Scope{rota.WriteAPIKeys, rota.ReadAgents}
	k, err := w.CreateKey(t.Context(), small, rota.KeyCreate{Name: "k"})
	require.NoError(t, err)
	require.Equal(t, []rota.Scope{rota.ReadAgents}, k.Scopes, "no more than its maker has, and no scope over keys")
	require.Equal(t, "acme", k.Account)

	for name, in := range map[string]rota.KeyCreate{
		"a scope":         {Scopes: rota.Some([]rota.Scope{rota.ReadAgents, rota.WriteAgents})},
		"accounts":        {Scopes: rota.Some([]rota.Scope{rota.WriteAccounts})},
		"an unknown one":  {Scopes: rota.Some([]rota.Scope{"everything"})},
		"another account": {Account: rota.Some("other")},
	} {
		_, err := w.CreateKey(t.Context(), small, in)
		require.ErrorIs(t, err, rota.Denied, name)
	}
	k, err = w.CreateKey(t.Context(), caller, rota.KeyCreate{Name: "k"})
	require.NoError(t, err)
	require.Equal(t, rota.DefaultScopes(), k.Scopes)
	small.Scopes = []rota.Scope{rota.WriteAPIKeys}
	_, err = w.CreateKey(t.Context(), small, rota.KeyCreate{Name: "k"})
	require.ErrorContains(t, err, "scopes: is required", "a key without scopes opens nothing")
	k, err = w.CreateKey(t.Context(), caller, rota.KeyCreate{Name: "k", Account: rota.Some("other")})
	require.NoError(t, err)
	_, err = w.RevokeKey(t.Context(), caller, k.ID)
	require.ErrorIs(t, err, rota.NotFound, "it is in another account")
	_, err = w.CreateKey(t.Context(), caller, rota.KeyCreate{Name: "k", ExpiresAt: rota.Some(instant(0))})
	var e *rota.Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, "expires_at", e.Field)
}
