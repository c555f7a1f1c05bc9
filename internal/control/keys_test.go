package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
)

// made returns schedules that the key made, one of them for an end user, in
// more than a page.
func (w *world) made(k rota.KeyID) []rota.Schedule {
	w.Helper()
	var out []rota.Schedule
	for i := range 103 {
		who := caller
		who.Key = k
		if i == 0 {
			who.Owner.EndUser = "u-2"
		}
		a, err := w.CreateAgent(w.Context(), who, rota.AgentCreate{Name: "a", Model: "mock/small"}, control.Write{})
		require.NoError(w, err)
		s, err := w.CreateSchedule(w.Context(), who, a.ID, body[rota.ScheduleCreate](w, `{"input":"hi","schedule":`+hourly+`}`), control.Write{})
		require.NoError(w, err)
		out = append(out, s)
		w.at(time.Duration(i) * time.Millisecond)
	}
	return out
}

func (w *world) newKey() rota.KeyID {
	w.Helper()
	k, err := w.CreateKey(w.Context(), caller, rota.KeyCreate{Name: "k"})
	require.NoError(w, err)
	return k.ID
}

func (w *world) readAs(endUser string, s rota.Schedule) rota.Schedule {
	w.Helper()
	who := caller
	who.Owner.EndUser = endUser
	s, err := w.Schedule(w.Context(), who, s.AgentID, s.ID, false)
	require.NoError(w, err)
	return s
}

func TestRevokedKeyPausesItsSchedules(t *testing.T) {
	w := newWorld(t)
	w.PauseOnRevoke = true
	key, other := w.newKey(), w.newKey()
	mine := w.made(key)
	kept := w.made(other)[1]
	_, err := w.RevokeKey(t.Context(), caller, key, false)
	require.NoError(t, err)
	for i, s := range mine {
		endUser := ""
		if i == 0 {
			endUser = "u-2"
		}
		got := w.readAs(endUser, s)
		require.Equal(t, rota.SchedulePaused, got.Status, "%d", i)
		require.Equal(t, rota.PausedByKey, got.PauseReason.Code)
		require.Equal(t, "key_1", *got.PauseReason.Actor)
		require.Nil(t, got.NextRunAt)
		require.EqualValues(t, 2, got.Version)
	}
	require.Equal(t, rota.ScheduleActive, w.read(kept).Status)

	// Somebody else may resume one; revoking again finds it.
	_, err = w.ResumeSchedule(t.Context(), caller, mine[1].AgentID, mine[1].ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	_, err = w.RevokeKey(t.Context(), caller, key, false)
	require.NoError(t, err)
	require.Equal(t, rota.SchedulePaused, w.read(mine[1]).Status)
}

func TestRevokedKeyKeepsItsSchedules(t *testing.T) {
	w := newWorld(t)
	key := w.newKey()
	mine := w.made(key)
	_, err := w.RevokeKey(t.Context(), caller, key, false)
	require.NoError(t, err)
	require.Equal(t, rota.ScheduleActive, w.read(mine[1]).Status)
}

// TestKeysAreContainedByWhatTheyDescendFrom: whatever a key has made, and what that has
// made, it can list and end: in another account, and if it may do less itself by now.
func TestKeysAreContainedByWhatTheyDescendFrom(t *testing.T) {
	w := newWorld(t)
	make := func(who auth.Caller, in rota.KeyCreate) (auth.Caller, rota.KeyID) {
		t.Helper()
		w.at(w.now.Sub(start) + time.Millisecond)
		in.Name = "k"
		k, err := w.CreateKey(t.Context(), who, in)
		require.NoError(t, err)
		return auth.Caller{Key: k.ID, Owner: rota.Owner{Account: k.Account}, Scopes: k.Scopes}, k.ID
	}
	all := rota.KeyCreate{Scopes: rota.Some(rota.AllScopes())}
	root, _ := make(caller, all)
	away := all
	away.Account = rota.Some("other")
	child, childID := make(root, away)
	_, grandchild := make(child, rota.KeyCreate{})
	_, beside := make(child, all)
	stranger, strangerID := make(caller, all)

	ids := func(who auth.Caller, from rota.KeyID) (out []rota.KeyID) {
		t.Helper()
		l, err := w.KeysFrom(t.Context(), who, from, rota.Page{Limit: 10, Ascending: true})
		require.NoError(t, err)
		for _, k := range l.Data {
			out = append(out, k.ID)
		}
		return out
	}
	require.Equal(t, []rota.KeyID{childID, grandchild, beside}, ids(root, root.Key))
	require.Equal(t, []rota.KeyID{grandchild, beside}, ids(root, childID))
	require.Empty(t, ids(stranger, root.Key), "those of another account are for whom they descend from")
	_, err := w.KeysFrom(t.Context(), stranger, childID, rota.Page{Limit: 10})
	require.ErrorIs(t, err, rota.NotFound)
	for _, id := range []rota.KeyID{childID, grandchild} {
		_, err = w.RevokeKey(t.Context(), stranger, id, true)
		require.ErrorIs(t, err, rota.NotFound)
	}
	root.Scopes = []rota.Scope{rota.ReadAPIKeys, rota.WriteAPIKeys}
	_, err = w.RevokeKey(t.Context(), root, strangerID, false)
	require.ErrorIs(t, err, rota.Denied, "it outranks the caller's, and does not descend from it")
	_, err = w.UpdateKey(t.Context(), root, beside, rota.KeyUpdate{Name: rota.Some("mine")})
	require.ErrorIs(t, err, rota.Denied, "that is for those that could have made it")
	k, err := w.RevokeKey(t.Context(), root, grandchild, false)
	require.NoError(t, err)
	require.NotNil(t, k.RevokedAt)
	_, err = w.RevokeKey(t.Context(), root, childID, true)
	require.NoError(t, err)
	l, err := w.KeysFrom(t.Context(), root, root.Key, rota.Page{Limit: 10})
	require.NoError(t, err)
	for _, k := range l.Data {
		require.NotNil(t, k.RevokedAt)
	}
}
