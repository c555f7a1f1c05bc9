package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/rota-run/rota"
)

const conversationColumns = `c.id, c.account, c.end_user, c.metadata, c.created_at, c.updated_at, c.deleted_at, c.items, COALESCE(c.busy, ''), COALESCE(c.agent_id, '')`

func scanConversation(row Scanner) (rota.ConversationRecord, error) {
	var (
		c                         rota.ConversationRecord
		created, updated, deleted msTime
	)
	err := row.Scan(&c.ID, &c.Owner.Account, &c.Owner.EndUser, jsonText{&c.Metadata}, &created, &updated, &deleted, &c.Items, &c.Busy, &c.Agent)
	c.CreatedAt, c.UpdatedAt, c.DeletedAt = created.instant(), updated.instant(), deleted.orNil()
	return c, err
}

// Conversation returns a conversation that is not deleted. In a transaction nobody else
// changes it until that ends.
func (q Queries) Conversation(ctx context.Context, o rota.Owner, id rota.ConversationID) (rota.ConversationRecord, error) {
	return one(ctx, q.db, "conversation", scanConversation, `SELECT `+conversationColumns+` FROM conversations c
		WHERE c.id = ? AND c.account = ? AND c.end_user = ? AND c.deleted_at IS NULL`+q.lock("c"), id, o.Account, o.EndUser)
}

// AllConversations returns a page of the conversations of owners that are not deleted.
func (q Queries) AllConversations(ctx context.Context, o rota.Owners, p rota.Page) (rota.List[rota.ConversationRecord], error) {
	l := listing[rota.ConversationRecord]{
		query: `SELECT ` + conversationColumns + ` FROM conversations c WHERE c.deleted_at IS NULL`,
		key:   "c.id",
		scan:  scanConversation,
		id:    func(c rota.ConversationRecord) string { return string(c.ID) },
	}
	l.owned("c", o, true)
	return l.page(ctx, q.db, p)
}

// AddConversation adds a conversation without items.
func (q Queries) AddConversation(ctx context.Context, c rota.ConversationRecord) error {
	return q.write(ctx, `INSERT INTO conversations (id, account, end_user, metadata, created_at, updated_at, items, agent_id) VALUES (?, ?, ?, ?, ?, ?, 0, ?)`,
		c.ID, c.Owner.Account, c.Owner.EndUser, js(c.Metadata), c.CreatedAt.UnixMilli(), c.UpdatedAt.UnixMilli(), orNull(&c.Agent))
}

// SaveConversation writes back the metadata of a conversation, and when it was changed.
func (q Queries) SaveConversation(ctx context.Context, c rota.ConversationRecord) error {
	return q.write(ctx, `UPDATE conversations SET metadata = ?, updated_at = ? WHERE id = ?`, js(c.Metadata), c.UpdatedAt.UnixMilli(), c.ID)
}

// DeleteConversation deletes a conversation. The items of responses stay theirs.
func (q Queries) DeleteConversation(ctx context.Context, id rota.ConversationID, now time.Time) error {
	if err := q.write(ctx, `UPDATE conversations SET deleted_at = ? WHERE id = ?`, now.UnixMilli(), id); err != nil {
		return err
	}
	return q.write(ctx, `DELETE FROM items WHERE log = ? AND NOT EXISTS (SELECT 1 FROM responses r WHERE r.id = items.response_id)`, id)
}

// HoldConversation gives a conversation to a response or a run, which it names. It is
// ConversationLocked if another one has it.
func (q Queries) HoldConversation(ctx context.Context, o rota.Owner, id rota.ConversationID, holder string) error {
	c, err := q.Conversation(ctx, o, id)
	switch {
	case err != nil:
		return err
	case c.Busy != "" && c.Busy != holder:
		return &rota.Error{
			Code: rota.ConversationLocked, Field: "conversation", RetryAfter: lockRetry,
			Msg: "another response, or a run, is under way in this conversation: try again when it has ended",
		}
	}
	return q.write(ctx, `UPDATE conversations SET busy = ? WHERE id = ?`, holder, id)
}

// lockRetry is when a caller may try again to get a conversation.
const lockRetry = time.Second

const itemColumns = `i.id, i.response_id, i.output, i.item`

func scanItem(row Scanner) (rota.ItemRecord, error) {
	var i rota.ItemRecord
	err := row.Scan(&i.ID, &i.Response, &i.Output, rawText{&i.Raw})
	return i, err
}

// addItems adds items one by one: as the lists of one [Step] they would be copied, and
// there may be 32 MiB of them.
func (q Queries) addItems(ctx context.Context, log string, from int64, items []rota.ItemRecord) error {
	for n, i := range items {
		if err := q.write(ctx, `INSERT INTO items (log, position, id, response_id, output, item) VALUES (?, ?, ?, ?, ?, ?)`,
			log, from+int64(n), i.ID, i.Response, i.Output, string(i.Raw)); err != nil {
			return err
		}
	}
	return nil
}

// AddItems appends items of a caller to a conversation.
func (q Queries) AddItems(ctx context.Context, c rota.ConversationRecord, items []rota.ItemRecord, now time.Time) error {
	if err := q.addItems(ctx, string(c.ID), c.Items, items); err != nil {
		return err
	}
	return q.write(ctx, `UPDATE conversations SET items = items + ?, updated_at = ? WHERE id = ?`, len(items), now.UnixMilli(), c.ID)
}

// ConversationItems returns a page of the items of a conversation. It does not look whose
// it is.
func (q Queries) ConversationItems(ctx context.Context, id rota.ConversationID, p rota.Page) (rota.List[rota.ItemRecord], error) {
	return q.items(ctx, `i.log = ? AND NOT i.hidden`, id, p)
}

// items returns a page of items in the order of their positions.
func (q Queries) items(ctx context.Context, which string, of any, p rota.Page) (rota.List[rota.ItemRecord], error) {
	places := map[string]int64{}
	for name, id := range map[string]string{"after": p.After, "before": p.Before} {
		if id == "" {
			continue
		}
		at, err := one(ctx, q.db, "item", scanInt, `SELECT MIN(i.position) FROM items i WHERE `+which+` AND i.id = ? HAVING COUNT(*) > 0`, of, id)
		if errors.Is(err, rota.NotFound) {
			err = rota.InvalidField(name, "must be the id of an item in this list")
		}
		if err != nil {
			return rota.List[rota.ItemRecord]{}, err
		}
		places[id] = at
	}
	return listing[rota.ItemRecord]{
		query: `SELECT ` + itemColumns + ` FROM items i WHERE ` + which,
		key:   "i.position",
		args:  []any{of},
		scan:  scanItem,
		id:    func(i rota.ItemRecord) string { return i.ID },
		place: func(id string) any { return places[id] },
	}.page(ctx, q.db, p)
}

func scanInt(row Scanner) (n int64, err error) { return n, row.Scan(&n) }

// ConversationItem returns an item of a conversation.
func (q Queries) ConversationItem(ctx context.Context, id rota.ConversationID, item string) (rota.ItemRecord, error) {
	return one(ctx, q.db, "item", scanItem, `SELECT `+itemColumns+` FROM items i WHERE i.log = ? AND i.id = ? AND NOT i.hidden
		ORDER BY i.position LIMIT 1`, id, item)
}

// Item returns an item of a response or a conversation that its owner has. If several have
// the id, it is one of them, and always the same.
func (q Queries) Item(ctx context.Context, o rota.Owner, id string) (rota.ItemRecord, error) {
	return one(ctx, q.db, "item", scanItem, `SELECT `+itemColumns+` FROM items i WHERE i.id = ? AND (
		EXISTS (SELECT 1 FROM responses r WHERE r.id = i.response_id AND r.account = ? AND r.end_user = ?)
		OR NOT i.hidden AND EXISTS (SELECT 1 FROM conversations c WHERE c.id = i.log AND c.account = ? AND c.end_user = ? AND c.deleted_at IS NULL))
		ORDER BY i.log DESC, i.position LIMIT 1`, id, o.Account, o.EndUser, o.Account, o.EndUser)
}

// DeleteItem takes an item out of a conversation. That of a response stays there.
func (q Queries) DeleteItem(ctx context.Context, id rota.ConversationID, item string, now time.Time) error {
	found, err := q.ConversationItem(ctx, id, item)
	if err != nil {
		return err
	}
	remove := `UPDATE items SET hidden = NOT hidden WHERE log = ? AND id = ? AND NOT hidden`
	if found.Response == nil {
		remove = `DELETE FROM items WHERE log = ? AND id = ? AND NOT hidden`
	}
	if err := q.write(ctx, remove, id, item); err != nil {
		return err
	}
	return q.write(ctx, `UPDATE conversations SET updated_at = ? WHERE id = ?`, now.UnixMilli(), id)
}

// ConversationTurns returns what a conversation has, the oldest first.
func (q Queries) ConversationTurns(ctx context.Context, id rota.ConversationID) ([]rota.Turn, error) {
	items, err := all(ctx, q.db, scanItem, `SELECT `+itemColumns+` FROM items i WHERE i.log = ? AND NOT i.hidden ORDER BY i.position`, id)
	return turnsOf(items), err
}

// turnsOf puts together what one response has added.
func turnsOf(items []rota.ItemRecord) []rota.Turn {
	var turns []rota.Turn
	for _, i := range items {
		var response rota.ResponseID
		if i.Response != nil {
			response = *i.Response
		}
		if len(turns) == 0 || turns[len(turns)-1].Response != response {
			turns = append(turns, rota.Turn{Response: response})
		}
		t := &turns[len(turns)-1]
		if i.Output {
			t.Output = append(t.Output, i)
		} else {
			t.Input = append(t.Input, i)
		}
	}
	return turns
}

// maxChain is how many responses a chain may have.
const maxChain = 10_000

// A link is a response of a chain.
type link struct {
	id           rota.ResponseID
	previous     *rota.ResponseID
	conversation *rota.ConversationID
	status       rota.ResponseStatus
}

// ChainTurns returns what a response and those before it have, the oldest first. It is
// PreviousNotFound if one of them is not there, has not ended, or has failed.
func (q Queries) ChainTurns(ctx context.Context, o rota.Owner, id rota.ResponseID) ([]rota.Turn, error) {
	links, err := all(ctx, q.db, func(row Scanner) (link, error) {
		var l link
		return l, row.Scan(&l.id, &l.previous, &l.conversation, &l.status)
	}, chain+`SELECT c.id, c.previous_response_id, c.conversation_id, c.status FROM chain c ORDER BY c.depth`, id, o.Account, o.EndUser, maxChain)
	if err != nil {
		return nil, err
	}
	if err := sound(links, id); err != nil {
		return nil, err
	}
	items, err := all(ctx, q.db, scanItem, chain+`SELECT `+itemColumns+` FROM chain c CROSS JOIN items i WHERE i.response_id = c.id
		ORDER BY c.depth DESC, i.output, i.position`, id, o.Account, o.EndUser, maxChain)
	return turnsOf(items), err
}

const chain = `WITH RECURSIVE chain (id, account, end_user, previous_response_id, conversation_id, status, depth) AS (
	SELECT r.id, r.account, r.end_user, r.previous_response_id, r.conversation_id, r.status, 0 FROM responses r WHERE r.id = ? AND r.account = ? AND r.end_user = ?
	UNION ALL
	SELECT r.id, r.account, r.end_user, r.previous_response_id, r.conversation_id, r.status, c.depth + 1 FROM chain c
		JOIN responses r ON r.id = c.previous_response_id AND r.account = c.account AND r.end_user = c.end_user WHERE c.depth < ?) `

// sound returns why nothing can go on from the chain.
func sound(links []link, id rota.ResponseID) error {
	not := func(format string, args ...any) error {
		e := rota.InvalidField("previous_response_id", format, args...)
		e.Code = rota.PreviousNotFound
		return e
	}
	if len(links) == 0 {
		return not("there is no response %q", id)
	}
	for _, l := range links {
		switch {
		case !l.status.Ended():
			return not("the response %q has not ended: its status is %s", l.id, l.status)
		case !l.status.Continues():
			return not("the response %q has no answer to go on from: its status is %s", l.id, l.status)
		case l.conversation != nil:
			return not("the response %q is in a conversation: go on with conversation %q", l.id, *l.conversation)
		}
	}
	switch last := links[len(links)-1]; {
	case last.previous != nil && len(links) > maxChain:
		return not("more than %d responses follow each other", maxChain)
	case last.previous != nil:
		return not("the response %q, from which the conversation has gone on, was deleted", *last.previous)
	}
	return nil
}
