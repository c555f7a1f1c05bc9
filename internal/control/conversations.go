package control

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// maxNewItems is how many items may be put into a conversation at once.
const maxNewItems = 20

// CreateConversation makes a conversation. body is that of POST /conversations, and may be
// empty. Scope write:conversations.
func (c *Control) CreateConversation(ctx context.Context, who auth.Caller, body []byte, w Write) (rota.ConversationRecord, error) {
	if err := c.enter(ctx, who, rota.WriteConversations, "create_conversation"); err != nil {
		return rota.ConversationRecord{}, err
	}
	metadata, items, err := readConversation(body)
	if err != nil {
		return rota.ConversationRecord{}, err
	}
	room := c.room()
	defer room.release()
	if items, err = c.dereferenced(ctx, who, "items", items, room); err != nil {
		return rota.ConversationRecord{}, err
	}
	items = answer.Apart(nil, items)
	if err := fits("items", nil, items); err != nil {
		return rota.ConversationRecord{}, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.ConversationRecord, error) {
		at := rota.InstantOf(now)
		v := rota.ConversationRecord{ID: rota.NewConversationID(now), Owner: who.Owner, Metadata: metadata, CreatedAt: at, UpdatedAt: at}
		if err := tx.AddConversation(ctx, v); err != nil || len(items) == 0 {
			return v, err
		}
		return v, tx.AddItems(ctx, v, answer.Records(items, nil, now), now)
	})
}

func readConversation(body []byte) (metadata map[string]string, items []responses.Item, err error) {
	metadata = map[string]string{}
	if len(body) == 0 {
		return metadata, nil, nil
	}
	if !rawjson.IsObject(body) {
		return nil, nil, rota.Errorf(rota.Invalid, "the body must be a JSON object")
	}
	m, err := answer.Metadata(rawjson.Get(body, "metadata"))
	if err != nil {
		return nil, nil, err
	}
	if m != nil {
		metadata = m
	}
	items, err = readNewItems(body, 0)
	return metadata, items, err
}

// readNewItems reads the items of a body, of which there must be at least so many.
func readNewItems(body []byte, least int) ([]responses.Item, error) {
	list := rawjson.Get(body, "items")
	kind := rawjson.Kind(list)
	if n := len(rawjson.List(list)); kind != '[' && (kind != 'n' || least > 0) || n < least || n > maxNewItems {
		return nil, rota.InvalidField("items", "must be a list of %d to %d items", least, maxNewItems)
	}
	return answer.ReadItems("items", list)
}

// Conversation returns a conversation. Scope read:conversations.
func (c *Control) Conversation(ctx context.Context, who auth.Caller, id rota.ConversationID) (rota.ConversationRecord, error) {
	if err := c.enter(ctx, who, rota.ReadConversations, "conversation", on("conversation_id", id)); err != nil {
		return rota.ConversationRecord{}, err
	}
	return c.Store.Conversation(ctx, who.Owner, id)
}

// Conversations returns a page of conversations: the caller's, or those of an end user, see
// [Control.owners]. Scope read:conversations.
func (c *Control) Conversations(ctx context.Context, who auth.Caller, endUser string, p rota.Page) (rota.List[rota.ConversationRecord], error) {
	o, err := c.ownersOf(ctx, who, "conversations", endUser, rota.ReadConversations, rota.ReadAccount)
	if err != nil {
		return rota.List[rota.ConversationRecord]{}, err
	}
	return c.Store.AllConversations(ctx, o, p)
}

// UpdateConversation replaces the metadata of a conversation. Scope write:conversations.
func (c *Control) UpdateConversation(ctx context.Context, who auth.Caller, id rota.ConversationID, metadata map[string]string, w Write) (rota.ConversationRecord, error) {
	return c.changeConversation(ctx, who, "update_conversation", id, w, func(ctx context.Context, tx Tx, v *rota.ConversationRecord, now time.Time) error {
		v.Metadata, v.UpdatedAt = metadata, rota.InstantOf(now)
		return tx.SaveConversation(ctx, *v)
	})
}

// changeConversation changes a conversation in one transaction.
func (c *Control) changeConversation(ctx context.Context, who auth.Caller, operation string, id rota.ConversationID, w Write,
	fn func(context.Context, Tx, *rota.ConversationRecord, time.Time) error,
) (rota.ConversationRecord, error) {
	if err := c.enter(ctx, who, rota.WriteConversations, operation, on("conversation_id", id)); err != nil {
		return rota.ConversationRecord{}, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (rota.ConversationRecord, error) {
		v, err := tx.Conversation(ctx, who.Owner, id)
		if err != nil {
			return v, err
		}
		return v, fn(ctx, tx, &v, now)
	})
}

// free returns ConversationLocked if a response is under way in a conversation.
func free(v rota.ConversationRecord) error {
	if v.Busy == "" {
		return nil
	}
	return &rota.Error{
		Code: rota.ConversationLocked, Msg: "a response is under way in this conversation: try again when it has ended", RetryAfter: time.Second,
	}
}

// DeleteConversation deletes a conversation in which no response is under way. Responses
// keep their items. Scope write:conversations.
func (c *Control) DeleteConversation(ctx context.Context, who auth.Caller, id rota.ConversationID, w Write) error {
	_, err := c.changeConversation(ctx, who, "delete_conversation", id, w, func(ctx context.Context, tx Tx, v *rota.ConversationRecord, now time.Time) error {
		if err := free(*v); err != nil {
			return err
		}
		return tx.DeleteConversation(ctx, id, now)
	})
	return err
}

// AddConversationItems appends items to a conversation in which no response is under way,
// and returns them. body is that of POST /conversations/{id}/items. Scope
// write:conversations.
func (c *Control) AddConversationItems(ctx context.Context, who auth.Caller, id rota.ConversationID, body []byte, w Write) (rota.List[rota.ItemRecord], error) {
	none := rota.List[rota.ItemRecord]{}
	if err := c.enter(ctx, who, rota.WriteConversations, "add_conversation_items", on("conversation_id", id)); err != nil {
		return none, err
	}
	if _, err := c.Store.Conversation(ctx, who.Owner, id); err != nil {
		return none, err
	}
	if !rawjson.IsObject(body) {
		return none, rota.Errorf(rota.Invalid, "the body must be a JSON object")
	}
	items, err := readNewItems(body, 1)
	if err != nil {
		return none, err
	}
	room := c.room()
	defer room.release()
	if err := c.holdTurns(ctx, who, id, "", room); err != nil {
		return none, err
	}
	if items, err = c.dereferenced(ctx, who, "items", items, room); err != nil {
		return none, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.List[rota.ItemRecord], error) {
		v, err := tx.Conversation(ctx, who.Owner, id)
		if err == nil {
			err = free(v)
		}
		if err != nil {
			return none, err
		}
		turns, err := tx.ConversationTurns(ctx, id)
		if err != nil {
			return none, err
		}
		if err := fits("items", turns, items); err != nil {
			return none, err
		}
		records := answer.Records(answer.Apart(turns, items), nil, now)
		l := rota.NewList(records, func(i rota.ItemRecord) string { return i.ID }, false)
		return l, tx.AddItems(ctx, v, records, now)
	})
}

// fits returns an error if items cannot follow the turns: one of them is the output of no
// call.
func fits(member string, turns []rota.Turn, items []responses.Item) error {
	var wrong *responses.ItemError
	if errors.As(answer.Context(turns).Check(items), &wrong) {
		return rota.InvalidField(member+"."+string(rawjson.Int(int64(wrong.Index))), "%s", wrong.Why)
	}
	return nil
}

// ConversationItems returns a page of the items of a conversation. Scope
// read:conversations.
func (c *Control) ConversationItems(ctx context.Context, who auth.Caller, id rota.ConversationID, p rota.Page) (rota.List[rota.ItemRecord], error) {
	if err := c.enter(ctx, who, rota.ReadConversations, "conversation_items", on("conversation_id", id)); err != nil {
		return rota.List[rota.ItemRecord]{}, err
	}
	if _, err := c.Store.Conversation(ctx, who.Owner, id); err != nil {
		return rota.List[rota.ItemRecord]{}, err
	}
	return c.Store.ConversationItems(ctx, id, p)
}

// ConversationItem returns an item of a conversation. Scope read:conversations.
func (c *Control) ConversationItem(ctx context.Context, who auth.Caller, id rota.ConversationID, item string) (rota.ItemRecord, error) {
	if err := c.enter(ctx, who, rota.ReadConversations, "conversation_item", on("conversation_id", id)); err != nil {
		return rota.ItemRecord{}, err
	}
	if _, err := c.Store.Conversation(ctx, who.Owner, id); err != nil {
		return rota.ItemRecord{}, err
	}
	return c.Store.ConversationItem(ctx, id, item)
}

// DeleteConversationItems takes items out of a conversation in which no response is under
// way. Scope write:conversations.
func (c *Control) DeleteConversationItems(ctx context.Context, who auth.Caller, id rota.ConversationID, items []string, w Write) (rota.ConversationRecord, error) {
	return c.changeConversation(ctx, who, "delete_conversation_items", id, w, func(ctx context.Context, tx Tx, v *rota.ConversationRecord, now time.Time) error {
		if err := free(*v); err != nil {
			return err
		}
		for _, item := range items {
			if err := tx.DeleteItem(ctx, id, item, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReadItemIDs reads the item_ids of a body.
func ReadItemIDs(body []byte) ([]string, error) {
	const most = 100
	var ids []string
	if rawjson.IsObject(body) {
		for _, v := range rawjson.List(rawjson.Get(body, "item_ids")) {
			ids = append(ids, rawjson.Text(json.RawMessage(v)))
		}
	}
	if len(ids) == 0 || len(ids) > most || slices.Contains(ids, "") {
		return nil, rota.InvalidField("item_ids", "must be a list of 1 to %d ids of items", most)
	}
	return ids, nil
}
