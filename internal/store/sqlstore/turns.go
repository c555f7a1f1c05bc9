package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/rota-run/rota"
)

// inLine is how long a run waits for its conversation before it looks again. It need
// not: whoever lets go of the conversation calls the next in line.
const inLine = time.Minute

// join takes hold of the conversation of a run that is to start. If another run or a
// response has it, the run waits in line. If it is not there, the run starts all the
// same, and says so.
//
// The conversation is locked before it is looked at, and whoever lets go of it locks it
// before it looks for those in line: none of them is overlooked.
func (q Queries) join(ctx context.Context, w *rota.Work, now time.Time) error {
	id := w.Run.Conversation.ID()
	if id == "" {
		return nil
	}
	err := q.HoldConversation(ctx, w.Owner, id, string(w.Run.ID))
	switch {
	case errors.Is(err, rota.NotFound):
		return nil
	case errors.Is(err, rota.ConversationLocked):
		w.InLine = true
		return q.write(ctx, `UPDATE open_runs SET conversation_id = ?, ready_at = ? WHERE run_id = ?`, id, now.Add(inLine).UnixMilli(), w.Run.ID)
	case err != nil:
		return err
	}
	return q.write(ctx, `UPDATE open_runs SET conversation_id = ? WHERE run_id = ?`, id, w.Run.ID)
}

// endTurn keeps what a run that has ended says to those that go on from it, and lets go
// of its conversation. It reports whether another run may start now.
func (q Queries) endTurn(ctx context.Context, id rota.RunID, o openRun, r rota.Result) (bool, error) {
	log := ""
	if t := r.Turn; t != nil {
		log = string(t.Response.ID)
		if err := q.addTurn(ctx, *t); err != nil {
			return false, err
		}
	}
	if o.conversation == nil {
		return false, nil
	}
	return q.leave(ctx, *o.conversation, string(id), log, r.CompletedAt)
}

// addTurn adds a response that has ended, with its items.
func (q Queries) addTurn(ctx context.Context, t rota.RunTurn) error {
	r := t.Response
	var notSent any
	if len(r.NotSent) > 0 {
		notSent = js(r.NotSent)
	}
	if err := q.write(ctx, `INSERT INTO responses (id, account, end_user, agent_id, status, background, model, provider, previous_response_id, conversation_id,
		created_at, ended_at, request, object, not_sent, usage, input_tokens, cached_tokens, output_tokens, reasoning_tokens, total_tokens)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		append([]any{
			r.ID, r.Owner.Account, r.Owner.EndUser, orNull(&r.Agent), r.Status, r.Background, r.Model, r.Provider, r.Previous, r.Conversation,
			r.CreatedAt.UnixMilli(), instantMS(r.EndedAt), string(r.Request), string(r.Object), notSent, textOrNil(r.Usage.RawMessage),
		}, usageRow(t.Tokens)...)...); err != nil {
		return err
	}
	if err := q.addItems(ctx, string(r.ID), 0, t.Input); err != nil {
		return err
	}
	return q.addItems(ctx, string(r.ID), int64(len(t.Input)), t.Output)
}

// leave lets go of a conversation that holder has, after what is in the log of a
// response has come into it; an empty log adds nothing. It calls the run that is next
// in line, and reports whether there is one.
func (q Queries) leave(ctx context.Context, id rota.ConversationID, holder, log string, at time.Time) (bool, error) {
	held, err := all(ctx, q.db, scanConversation, `SELECT `+conversationColumns+` FROM conversations c WHERE c.id = ?`+q.lock("c"), id)
	if err != nil || len(held) == 0 {
		return false, err
	}
	c, n := held[0], int64(0)
	if log != "" && c.DeletedAt == nil {
		if n, err = q.exec(ctx, `UPDATE items SET log = ?, position = position + ? WHERE log = ?`, c.ID, c.Items, log); err != nil {
			return false, err
		}
	}
	if n > 0 {
		c.UpdatedAt = rota.InstantOf(at)
	}
	if err := q.write(ctx, `UPDATE conversations SET items = items + ?, updated_at = ?, busy = CASE WHEN busy = ? THEN NULL ELSE busy END WHERE id = ?`,
		n, c.UpdatedAt.UnixMilli(), holder, c.ID); err != nil {
		return false, err
	}
	if c.Busy != "" && c.Busy != holder {
		return false, nil
	}
	called, err := q.exec(ctx, `UPDATE open_runs SET ready_at = ? WHERE run_id = (SELECT w.run_id FROM open_runs w
		WHERE w.conversation_id = ? AND w.phase <> 'running' ORDER BY w.run_id LIMIT 1`+q.lockAny("w")+`)`, at.UnixMilli(), c.ID)
	return called > 0, err
}

// TurnBytes returns how many bytes the items have that came before a run or a response:
// those of its conversation or, if it has none, of the responses before it.
func (q Queries) TurnBytes(ctx context.Context, o rota.Owner, c rota.ConversationID, previous rota.ResponseID) (int, error) {
	if c != "" {
		return one(ctx, q.db, "conversation", scanNumber, `SELECT CAST(COALESCE(SUM(octet_length(i.item)), 0) AS BIGINT) FROM items i WHERE i.log = ?`, c)
	}
	return one(ctx, q.db, "response", scanNumber, chain+`SELECT CAST(COALESCE(SUM(octet_length(i.item)), 0) AS BIGINT)
		FROM chain c CROSS JOIN items i WHERE i.response_id = c.id`, previous, o.Account, o.EndUser, maxChain)
}

// ResponseBytes returns how many bytes a response has with its items.
func (q Queries) ResponseBytes(ctx context.Context, id rota.ResponseID) (int, error) {
	return one(ctx, q.db, "response", scanNumber, `SELECT CAST(octet_length(r.request) + octet_length(r.object)
		+ (SELECT COALESCE(SUM(octet_length(i.item)), 0) FROM items i WHERE i.response_id = r.id) AS BIGINT) FROM responses r WHERE r.id = ?`, id)
}

// TurnsBefore returns what came before a run or a response, the oldest first: the items
// of its conversation or, if it has none, of the responses before it. It is NotFound if
// there is no such conversation, and otherwise fails as ChainTurns does.
func (q Queries) TurnsBefore(ctx context.Context, o rota.Owner, c rota.ConversationID, previous rota.ResponseID) ([]rota.Turn, error) {
	if c == "" {
		return q.ChainTurns(ctx, o, previous)
	}
	if _, err := q.Conversation(ctx, o, c); err != nil {
		return nil, err
	}
	return q.ConversationTurns(ctx, c)
}
