package httpapi

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

const (
	conversationsPath = llmPath + "/conversations"
	conversationPath  = conversationsPath + "/{conversation_id}"
	itemsPath         = conversationPath + "/items"
	itemPath          = itemsPath + "/{item_id}"
)

func (c call) conversation() rota.ConversationID {
	return rota.ConversationID(c.PathValue("conversation_id"))
}

func (a *api) conversationOperations() []*operation {
	const tag = "Conversations"
	create := shows[Conversation](large[ConversationCreate](answers(Route{http.MethodPost, conversationsPath, rota.WriteConversations, http.StatusOK, "create_conversation"}, a.createConversation))).
		says(tag, "Create a conversation", "What is said in it is told to the model of every response that names it.").
		like(`{"metadata": {"topic": "weather"}, "items": [{"type": "message", "role": "user", "content": "Hello."}]}`).
		with("idempotency_key").maybe()
	list := shows[rota.List[Conversation]](lists(Route{http.MethodGet, conversationsPath, rota.ReadConversations, http.StatusOK, "list_conversations"}, a.listConversations)).
		says(tag, "List conversations", "In the order in which they were made, the oldest first. search and metadata are not offered, and answer 501.").oldestFirst().may(rota.NotImplemented)
	addItems := shows[rota.List[ResponseItem]](large[ConversationItemsCreate](answers(Route{http.MethodPost, itemsPath, rota.WriteConversations, http.StatusOK, "create_conversation_items"}, a.createItems))).
		says(tag, "Add items to a conversation", "Appends up to 20 items. A conversation in which a response is under way answers 409.").
		like(`{"items": [{"type": "message", "role": "user", "content": "Hello."}]}`).
		with("idempotency_key").may(rota.Conflict)
	listItems := shows[rota.List[ResponseItem]](lists(Route{http.MethodGet, itemsPath, rota.ReadConversations, http.StatusOK, "list_conversation_items"}, a.listItems)).
		says(tag, "List the items of a conversation", "What was said, the oldest first.").oldestFirst()
	listItems.cursor = anyID
	return []*operation{
		create, list,
		shows[Conversation](answers(Route{http.MethodGet, conversationPath, rota.ReadConversations, http.StatusOK, "get_conversation"}, a.getConversation)).
			says(tag, "Get a conversation", "The conversation without its items."),
		shows[Conversation](large[MetadataUpdate](answers(Route{http.MethodPost, conversationPath, rota.WriteConversations, http.StatusOK, "update_conversation"}, a.updateConversation))).
			says(tag, "Update a conversation", "Replaces its metadata.").
			like(`{"metadata": {"topic": "weather"}}`),
		shows[LLMDeleted](answers(Route{http.MethodDelete, conversationPath, rota.WriteConversations, http.StatusOK, "delete_conversation"}, a.deleteConversation)).
			says(tag, "Delete a conversation", "Responses that were made in it keep what they have.").may(rota.Conflict),
		addItems, listItems,
		shows[Conversation](large[ConversationItemsDelete](answers(Route{http.MethodDelete, itemsPath, rota.WriteConversations, http.StatusOK, "delete_conversation_items"}, a.deleteItems))).
			says(tag, "Take items out of a conversation", "Answers the conversation. Responses keep what they have.").
			like(`{"item_ids": ["msg_1"]}`).may(rota.Conflict),
		shows[ResponseItem](answers(Route{http.MethodGet, itemPath, rota.ReadConversations, http.StatusOK, "get_conversation_item"}, a.getItem)).
			says(tag, "Get an item of a conversation", "The item as it was said."),
		shows[Conversation](answers(Route{http.MethodDelete, itemPath, rota.WriteConversations, http.StatusOK, "delete_conversation_item"}, a.deleteItem)).
			says(tag, "Take an item out of a conversation", "Answers the conversation.").may(rota.Conflict),
	}
}

func shownConversation(v rota.ConversationRecord) Conversation {
	out := Conversation{ID: string(v.ID), Object: "conversation", CreatedAt: v.CreatedAt.Unix(), Metadata: v.Metadata}
	if v.DeletedAt != nil {
		out.DeletedAt = new(v.DeletedAt.Unix())
	}
	return out
}

func (a *api) createConversation(ctx context.Context, c call) (Conversation, error) {
	body, err := c.json()
	if err != nil {
		return Conversation{}, err
	}
	v, err := a.Control.CreateConversation(ctx, c.who, body, c.write)
	return shownConversation(v), err
}

func (a *api) listConversations(ctx context.Context, c call, p rota.Page) (rota.List[Conversation], error) {
	for name := range c.URL.Query() {
		if name == "search" || name == "metadata" || metadataKey.MatchString(name) {
			return rota.List[Conversation]{}, &rota.Error{Code: rota.NotImplemented, Field: name, Msg: "searching conversations is not offered by this version: list all, and look at their metadata"}
		}
	}
	l, err := a.Control.Conversations(ctx, c.who, "", p)
	return converted(l, shownConversation), err
}

func (a *api) getConversation(ctx context.Context, c call) (Conversation, error) {
	v, err := a.Control.Conversation(ctx, c.who, c.conversation())
	return shownConversation(v), err
}

func (a *api) updateConversation(ctx context.Context, c call) (Conversation, error) {
	m, err := c.metadata()
	if err != nil {
		return Conversation{}, err
	}
	v, err := a.Control.UpdateConversation(ctx, c.who, c.conversation(), m, c.write)
	return shownConversation(v), err
}

func (a *api) deleteConversation(ctx context.Context, c call) (LLMDeleted, error) {
	err := a.Control.DeleteConversation(ctx, c.who, c.conversation(), c.write)
	return LLMDeleted{ID: string(c.conversation()), Object: "conversation.deleted", Deleted: true}, err
}

func (a *api) createItems(ctx context.Context, c call) (rota.List[rota.Any], error) {
	body, err := c.json()
	if err != nil {
		return rota.List[rota.Any]{}, err
	}
	l, err := a.Control.AddConversationItems(ctx, c.who, c.conversation(), body, c.write)
	return converted(l, shownItem), err
}

// listItems has texts for the ids of an empty page: clients refuse null there.
func (a *api) listItems(ctx context.Context, c call, p rota.Page) (rota.List[rota.Any], error) {
	l, err := a.Control.ConversationItems(ctx, c.who, c.conversation(), p)
	if len(l.Data) == 0 {
		l.FirstID, l.LastID = new(""), new("")
	}
	return converted(l, shownItem), err
}

func (a *api) getItem(ctx context.Context, c call) (any, error) {
	i, err := a.Control.ConversationItem(ctx, c.who, c.conversation(), c.PathValue("item_id"))
	return raw(control.ShownItem(i)), err
}

func (a *api) deleteItem(ctx context.Context, c call) (Conversation, error) {
	v, err := a.Control.DeleteConversationItems(ctx, c.who, c.conversation(), []string{c.PathValue("item_id")}, c.write)
	return shownConversation(v), err
}

func (a *api) deleteItems(ctx context.Context, c call) (Conversation, error) {
	body, err := c.json()
	if err != nil {
		return Conversation{}, err
	}
	ids, err := control.ReadItemIDs(body)
	if err != nil {
		return Conversation{}, err
	}
	v, err := a.Control.DeleteConversationItems(ctx, c.who, c.conversation(), ids, c.write)
	return shownConversation(v), err
}
