package control

import (
	"context"
	"errors"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// joined returns the conversation that the runs of an agent join, of which a schedule
// had one before: the one that is named, or a new one if it asks for one of its own and
// does not have such a one yet. What joins a conversation needs write:conversations.
func joined(ctx context.Context, tx Tx, who auth.Caller, agent rota.AgentID, before, after rota.Conversation, now time.Time) (rota.Conversation, error) {
	if after.IsZero() || same(before, after) {
		return after, nil
	}
	if err := who.Require(rota.WriteConversations); err != nil || !after.New() {
		return after, err
	}
	if id := before.ID(); id != "" {
		c, err := tx.Conversation(ctx, who.Owner, id)
		if err == nil && c.Agent == agent {
			return before, nil
		}
		if err != nil && !errors.Is(err, rota.NotFound) {
			return after, err
		}
	}
	at := rota.InstantOf(now)
	c := rota.ConversationRecord{
		ID: rota.NewConversationID(now), Owner: who.Owner, Agent: agent, Metadata: map[string]string{}, CreatedAt: at, UpdatedAt: at,
	}
	return rota.ConversationOf(c.ID), tx.AddConversation(ctx, c)
}

// mayGoOn says why a caller may not have runs go on from a response.
func mayGoOn(who auth.Caller, before, after *string) error {
	if after == nil || same(before, after) {
		return nil
	}
	return who.Require(rota.ReadResponses)
}
