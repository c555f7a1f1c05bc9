package app

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

// Two schedules fall due together and share a conversation, over a restart: their runs
// take turns in it, and lose nothing.
func TestSchedulesShareAConversation(t *testing.T) {
	inBubble(t, func(w *world) {
		first := w.schedule(every10s, rota.PolicyUpdate{})
		update := func(s rota.Schedule, c rota.Conversation) rota.Schedule {
			s, err := w.server.control.UpdateSchedule(w.Context(), demoCaller, s.AgentID, s.ID, rota.ScheduleUpdate{Conversation: rota.Some(c)}, control.Write{})
			require.NoError(w, err)
			return s
		}
		id := update(first, rota.Conversation{Any: rota.AnyOf(struct{}{})}).Conversation.ID()
		second := update(w.schedule(every10s, rota.PolicyUpdate{}), rota.ConversationOf(id))
		w.pass(30 * time.Second)
		w.stop()
		w.start()
		w.pass(30 * time.Second)
		for _, s := range []rota.Schedule{first, second} {
			ledger := w.ledger(s)
			require.Len(w, ledger, 6)
			for _, o := range ledger {
				require.Equal(w, rota.PhaseCompleted, w.phase(o))
			}
		}
		items, err := w.server.control.ConversationItems(w.Context(), demoCaller, id, rota.Page{Limit: 100, Ascending: true})
		require.NoError(w, err)
		require.Len(w, items.Data, 24)
		for n, i := range items.Data {
			var item struct{ Role string }
			require.NoError(w, json.Unmarshal(i.Raw, &item))
			require.Equal(w, []string{"user", "assistant"}[n%2], item.Role)
		}
	})
}
