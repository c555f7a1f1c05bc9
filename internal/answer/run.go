package answer

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// ReadInput reads the input of a request: a text, which is a message of the user, or
// items. The error is [rota.Invalid] and names the item.
func ReadInput(input json.RawMessage) ([]responses.Item, error) {
	m := reader{object: rawjson.Object{{Name: "input", Value: input}}}
	items := m.items("input")
	for n, i := range items {
		if i.Type == reference {
			return nil, rota.InvalidField("input."+rawString(n), "must be the item itself: a run cannot refer to items")
		}
	}
	return items, m.err
}

// A RunAnswer is how a model has answered a run.
type RunAnswer struct {
	Work      rota.Work
	Provider  string
	Before    []rota.Turn
	Input     []responses.Item
	Asked     json.RawMessage // the request
	Status    rota.ResponseStatus
	Response  json.RawMessage // as the provider has sent it
	Usage     rota.Any
	NotSent   []string
	StartedAt time.Time
	EndedAt   time.Time
}

// Turn returns what a run adds to what it has gone on from, as a response of its own.
// Its items are those of the provider, as they came; its id is not.
func (a RunAnswer) Turn() rota.RunTurn {
	id := rota.ResponseOf(a.Work.Run.ID)
	r := rota.ResponseRecord{
		ID: id, Owner: a.Work.Owner, Status: a.Status, Model: a.Work.Model(), Provider: a.Provider, Agent: a.Work.Run.AgentID,
		CreatedAt: rota.InstantOf(a.StartedAt), EndedAt: rota.InstantOrNil(a.EndedAt), NotSent: a.NotSent, Usage: a.Usage,
	}
	asked := rawjson.ReadObject(a.Asked)
	asked.Delete("input")
	asked.Set("model", rawjson.String(r.Model))
	if c := a.Work.Run.Conversation.ID(); c != "" {
		r.Conversation = &c
		asked.Set("conversation", rawjson.String(string(c)))
	}
	if p := a.Work.Run.PreviousResponseID; p != nil {
		previous := rota.ResponseID(*p)
		r.Previous = &previous
		asked.Set("previous_response_id", rawjson.String(*p))
	}
	r.Request = asked.Encode()
	object, output := a.object(id, r.Model, r.Request)
	r.Object = object
	return rota.RunTurn{
		Response: r, Tokens: rota.TokensIn(a.Usage.RawMessage),
		Turn: rota.Turn{Response: id, Input: Records(a.Input, &id, a.EndedAt), Output: output},
	}
}

// object returns the response object, without its output, and the output.
func (a RunAnswer) object(id rota.ResponseID, model string, asked json.RawMessage) (json.RawMessage, []rota.ItemRecord) {
	w := responses.NewWriter(responses.NewObject(string(id), a.StartedAt.Unix(), model, asked),
		func(prefix string) string { return rota.NewItemID(prefix, a.EndedAt) }, func(responses.Event) {})
	for _, t := range a.Before {
		for _, i := range slices.Concat(t.Input, t.Output) {
			w.Reserve(i.ID)
		}
	}
	for _, i := range a.Input {
		w.Reserve(i.ID)
	}
	kind := "response." + string(a.Status)
	responses.NewNormalizer(w).Event(kind, rawjson.Object{
		{Name: "type", Value: rawjson.String(kind)}, {Name: "response", Value: a.Response},
	}.Encode(), a.EndedAt.Unix())
	o := rawjson.ReadObject(w.Object())
	var output []rota.ItemRecord
	for _, raw := range rawjson.List(o.Get("output")) {
		output = append(output, rota.ItemRecord{ID: rawjson.Text(rawjson.Get(raw, "id")), Response: &id, Output: true, Raw: raw})
	}
	o.Set("output", json.RawMessage("[]"))
	return o.Encode(), output
}

// Whole returns the object of a response with its output.
func Whole(object json.RawMessage, output []rota.ItemRecord) json.RawMessage {
	items := make([]json.RawMessage, len(output))
	for n, i := range output {
		items[n] = i.Raw
	}
	o := rawjson.ReadObject(object)
	o.Set("output", rawjson.EncodeList(items))
	return o.Encode()
}
