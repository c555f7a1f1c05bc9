package control_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

func TestAConversationOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, `,"conversation":{}`)
	id := s.Conversation.ID()
	require.NotEmpty(t, id)
	c, err := w.Conversation(t.Context(), caller, id)
	require.NoError(t, err)
	require.Equal(t, s.AgentID, c.Agent)
	require.Equal(t, plain(t, w.read(s)), plain(t, s))

	update := func(text string) rota.Schedule {
		t.Helper()
		after, err := w.UpdateSchedule(t.Context(), caller, s.AgentID, s.ID, body[rota.ScheduleUpdate](t, text), control.Write{})
		require.NoError(t, err)
		return after
	}
	require.Equal(t, s.Version, update(`{"conversation":{}}`).Version, "it has one")
	mine, err := w.CreateConversation(t.Context(), caller, nil, control.Write{})
	require.NoError(t, err)
	require.Equal(t, mine.ID, update(`{"conversation":"`+string(mine.ID)+`"}`).Conversation.ID())
	own := update(`{"conversation":{}}`).Conversation.ID()
	require.NotContains(t, []rota.ConversationID{"", id, mine.ID}, own, "that one is not their own")
	require.True(t, update(`{"conversation":null}`).Conversation.IsZero())

	r, err := w.StartRun(t.Context(), caller, s.AgentID, body[rota.RunCreate](t, `{"input":"hi","conversation":{}}`), control.Write{})
	require.NoError(t, err)
	_, err = w.Conversation(t.Context(), caller, r.Conversation.ID())
	require.NoError(t, err)
}

func TestGoingOnNeedsItsScopes(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	agents := caller
	agents.Scopes = []rota.Scope{rota.ReadAgents, rota.WriteAgents}
	for _, more := range []string{`"conversation":{}`, `"conversation":"conv_1"`, `"previous_response_id":"resp_1"`} {
		_, err := w.StartRun(t.Context(), agents, s.AgentID, body[rota.RunCreate](t, `{"input":"hi",`+more+`}`), control.Write{})
		require.ErrorIs(t, err, rota.Denied)
		_, err = w.UpdateSchedule(t.Context(), agents, s.AgentID, s.ID, body[rota.ScheduleUpdate](t, `{`+more+`}`), control.Write{})
		require.ErrorIs(t, err, rota.Denied)
	}
	_, err := w.UpdateSchedule(t.Context(), caller, s.AgentID, s.ID, body[rota.ScheduleUpdate](t, `{"conversation":"conv_1"}`), control.Write{})
	require.NoError(t, err)
	_, err = w.UpdateSchedule(t.Context(), agents, s.AgentID, s.ID, body[rota.ScheduleUpdate](t, `{"name":"n"}`), control.Write{})
	require.NoError(t, err, "nothing of it has changed")
}
