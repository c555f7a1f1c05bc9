package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
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
	_, err := w.RevokeKey(t.Context(), caller, key)
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
	_, err = w.RevokeKey(t.Context(), caller, key)
	require.NoError(t, err)
	require.Equal(t, rota.SchedulePaused, w.read(mine[1]).Status)
}

func TestRevokedKeyKeepsItsSchedules(t *testing.T) {
	w := newWorld(t)
	key := w.newKey()
	mine := w.made(key)
	_, err := w.RevokeKey(t.Context(), caller, key)
	require.NoError(t, err)
	require.Equal(t, rota.ScheduleActive, w.read(mine[1]).Status)
}
