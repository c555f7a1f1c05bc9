package console

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/rota-run/rota"
)

func (v visit) conversationID() rota.ConversationID {
	return rota.ConversationID(v.PathValue("conversation"))
}

type conversationsData struct {
	rota.List[rota.ConversationRecord]
	Agents map[rota.AgentID]string // their names
}

func (c *console) conversations(v visit) (view, error) {
	l, err := c.Control.Conversations(v.Context(), v.who, v.owners(), v.list())
	if err != nil {
		return view{}, err
	}
	d := conversationsData{List: l}
	var places []place
	for _, t := range l.Data {
		places = append(places, place{Agent: t.Agent, EndUser: t.Owner.User()})
	}
	d.Agents, err = c.agentNames(v, places)
	return view{Template: "conversations", Title: "Conversations", Here: "/conversations", Data: d}, err
}

// agentNames returns what agents are called, as far as the caller may see them.
func (c *console) agentNames(v visit, places []place) (map[rota.AgentID]string, error) {
	names := map[rota.AgentID]string{}
	if v.who.Require(rota.ReadAgents) != nil {
		return names, nil
	}
	for _, p := range places {
		if _, known := names[p.Agent]; known || p.Agent == "" {
			continue
		}
		a, err := c.Control.Agent(v.Context(), v.forOwner(p.EndUser), p.Agent)
		if err != nil && !errors.Is(err, rota.NotFound) {
			return nil, err
		}
		names[p.Agent] = cmp.Or(a.Name, string(p.Agent))
	}
	return names, nil
}

type conversationData struct {
	Conversation rota.ConversationRecord
	Agents       map[rota.AgentID]string
	Busy         rota.RunID // that is under way in it; empty if a response is, or nothing
	Said         []said     // in the order of time
	More         bool       // there is something before
	First        string     // the id of the oldest item of the page
	Query        string     // of forms: for whom they act
}

// maxItems bounds what a page reads of the items of a conversation, in bytes.
const maxItems = 256 << 10

// conversation shows the newest items of a conversation, or those before one, in the order
// of time.
func (c *console) conversation(v visit) (view, error) {
	t, err := c.Control.Conversation(v.Context(), v.who, v.conversationID())
	if err != nil {
		return view{}, err
	}
	d := conversationData{Conversation: t, Query: forUser(t.Owner.User())}
	if strings.HasPrefix(t.Busy, "arun_") {
		d.Busy = rota.RunID(t.Busy)
	}
	if d.Agents, err = c.agentNames(v, []place{{Agent: t.Agent, EndUser: t.Owner.User()}}); err != nil {
		return view{}, err
	}
	p := v.list()
	p.Bytes = maxItems
	l, err := c.Control.ConversationItems(v.Context(), v.who, t.ID, p)
	if err != nil {
		return view{}, err
	}
	d.More, d.First = l.HasMore || l.Cut, value(l.LastID)
	slices.Reverse(l.Data)
	runs, err := c.runsOf(v, l.Data)
	d.Said = saidIn(l.Data, runs)
	return view{Template: "conversation", Title: "Conversation " + string(t.ID), Here: "/conversations", Data: d}, err
}

// runsOf returns which responses were made for runs that are on record.
func (c *console) runsOf(v visit, items []rota.ItemRecord) (map[rota.ResponseID]rota.RunID, error) {
	runs := map[rota.ResponseID]rota.RunID{}
	if v.who.Require(rota.ReadAgents) != nil {
		return runs, nil
	}
	for _, i := range items {
		id := value(i.Response)
		if _, known := runs[id]; known || id == "" {
			continue
		}
		r, err := c.Control.RunByID(v.Context(), v.who, rota.RunOf(id))
		if err != nil && !errors.Is(err, rota.NotFound) {
			return nil, err
		}
		runs[id] = r.ID
	}
	return runs, nil
}

func (c *console) deleteConversation(v visit) (string, error) {
	return "deleted", c.Control.DeleteConversation(v.Context(), v.who, v.conversationID(), v.write())
}
