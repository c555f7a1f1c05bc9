package control_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
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
	keyed := control.Write{IdempotencyKey: "k", Request: []byte("x"), IfMatch: []int64{9}}
	_, err := w.DeleteSchedule(t.Context(), caller, s.AgentID, s.ID, keyed)
	require.ErrorIs(t, err, rota.Precondition)
	keyed.IfMatch = []int64{1}
	for range 2 {
		gone, err := w.DeleteSchedule(t.Context(), caller, s.AgentID, s.ID, keyed)
		require.NoError(t, err)
		require.True(t, gone.Deleted)
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
	other := caller
	other.Key = "key_2"
	_, err = w.RevokeKey(t.Context(), other, k.ID, false)
	require.ErrorIs(t, err, rota.NotFound, "it is in another account")
	gone, err := w.RevokeKey(t.Context(), caller, k.ID, false)
	require.NoError(t, err, "it descends from the caller's")
	require.NotNil(t, gone.RevokedAt)
	_, err = w.CreateKey(t.Context(), caller, rota.KeyCreate{Name: "k", ExpiresAt: rota.Some(instant(0))})
	var e *rota.Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, "expires_at", e.Field)
}
