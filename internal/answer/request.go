package answer

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

const (
	maxItems    = 10_000 // of an input
	maxMetadata = 16
	maxKey      = 64  // characters
	maxValue    = 512 // characters
	maxModels   = 5   // beside the first
)

// A Request is the body of POST /responses.
type Request struct {
	Model        string
	Fallbacks    []string
	Input        []responses.Item
	Previous     rota.ResponseID     // empty for none
	Conversation rota.ConversationID // empty for none
	Store        bool
	Background   bool
	Stream       bool
	Rest         rawjson.Object // what else it has
}

// Models returns the models in the order in which they are asked.
func (r Request) Models() []string { return append([]string{r.Model}, r.Fallbacks...) }

// Read reads a request. The slices of what it returns are those of body. The error is
// [rota.Invalid] and names the member.
func Read(body []byte) (Request, error) {
	if !rawjson.IsObject(body) {
		return Request{}, notAnObject(body)
	}
	m := reader{object: rawjson.ReadObject(body)}
	r := Request{
		Model: m.text("model"), Fallbacks: m.texts("fallback_models"), Previous: rota.ResponseID(m.text("previous_response_id")),
		Store: m.flag("store", true), Background: m.flag("background", false), Stream: m.flag("stream", false),
		Conversation: m.conversation(),
	}
	r.Input = m.items("input")
	if m.err == nil {
		m.err = r.check(m.object)
	}
	if m.err == nil {
		_, m.err = Metadata(m.object.Get("metadata"))
	}
	r.Rest = m.object
	r.Rest.Delete("input")
	return r, m.err
}

func notAnObject(body []byte) error {
	switch {
	case !utf8.Valid(body):
		return rota.Errorf(rota.Invalid, "the body must be UTF-8")
	case !json.Valid(body):
		return rota.Errorf(rota.Invalid, "the body must be valid JSON")
	default:
		return rota.Errorf(rota.Invalid, "the body must be a JSON object")
	}
}

func (r Request) check(o rawjson.Object) error {
	says := func(name string) bool { return rawjson.Kind(o.Get(name)) != 'n' }
	switch {
	case r.Model == "":
		return rota.InvalidField("model", "must be the name of a model; auto is the default one")
	case len(r.Fallbacks) > maxModels:
		return rota.InvalidField("fallback_models", "must be at most %d", maxModels)
	case len(r.Input) == 0 && r.Previous == "" && r.Conversation == "" && !says("prompt"):
		return rota.InvalidField("input", "must be a text or a list of items")
	case r.Previous != "" && r.Conversation != "":
		return rota.InvalidField("previous_response_id", "cannot be used together with conversation")
	case r.Background && !r.Store:
		return rota.InvalidField("background", "needs store to be true: the answer is fetched later")
	case says("truncation") && !slices.Contains([]string{"auto", "disabled"}, rawjson.Text(o.Get("truncation"))):
		return rota.InvalidField("truncation", "must be auto or disabled")
	case r.Conversation != "" && !r.Store:
		return rota.InvalidField("conversation", "needs store to be true: it keeps what is said in it")
	}
	for n, t := range rawjson.List(o.Get("tools")) {
		switch kind := rawjson.Text(rawjson.Get(t, "type")); {
		case kind == "sleep" && !r.Background:
			return rota.InvalidField("tools."+rawString(n), "needs background to be true: a response that somebody waits for cannot sleep")
		case kind == "schedule":
			return rota.InvalidField("tools."+rawString(n), "is a tool of agents, which have schedules; a response has none")
		}
	}
	for _, name := range []string{"webhook_url", "webhook_secret"} {
		if says(name) {
			return &rota.Error{Code: rota.NotImplemented, Field: name, Msg: "webhooks of responses are not offered by this version: fetch the response, or stream it"}
		}
	}
	return nil
}

// Truncates reports whether the oldest turns may be left out of what a model is asked.
func Truncates(request json.RawMessage) bool {
	return rawjson.Text(rawjson.Get(request, "truncation")) == "auto"
}

// A reader reads members of an object, until one is wrong. Null means absent.
type reader struct {
	object rawjson.Object
	err    error
}

func (m *reader) wrong(name, what string) {
	if m.err == nil {
		m.err = rota.InvalidField(name, "must be %s", what)
	}
}

func (m *reader) text(name string) string {
	v := m.object.Get(name)
	if kind := rawjson.Kind(v); kind != '"' && kind != 'n' {
		m.wrong(name, "a string")
	}
	return rawjson.Text(v)
}

func (m *reader) flag(name string, absent bool) bool {
	switch v := m.object.Get(name); rawjson.Kind(v) {
	case 't':
		return true
	case 'f':
		return false
	case 'n':
	default:
		m.wrong(name, "true or false")
	}
	return absent
}

func (m *reader) texts(name string) []string {
	v := m.object.Get(name)
	if kind := rawjson.Kind(v); kind != '[' && kind != 'n' {
		m.wrong(name, "a list of strings")
	}
	var all []string
	for _, e := range rawjson.List(v) {
		if rawjson.Text(e) == "" {
			m.wrong(name, "a list of strings")
		}
		all = append(all, rawjson.Text(e))
	}
	return all
}

// conversation reads an id, or an object with one.
func (m *reader) conversation() rota.ConversationID {
	v := m.object.Get("conversation")
	if rawjson.Kind(v) == '{' {
		v = rawjson.Get(v, "id")
	}
	if kind := rawjson.Kind(v); kind != '"' && kind != 'n' || kind == 'n' && rawjson.Kind(m.object.Get("conversation")) == '{' {
		m.wrong("conversation", "the id of a conversation, or an object with its id")
	}
	return rota.ConversationID(rawjson.Text(v))
}

// items reads a text, which is a message of the user, or items.
func (m *reader) items(name string) []responses.Item {
	v := m.object.Get(name)
	switch rawjson.Kind(v) {
	case '"':
		if len(v) <= len(`""`) {
			return nil
		}
		item, _ := responses.ReadItem(userMessage(v))
		return []responses.Item{item}
	case 'n':
		return nil
	case '[':
		all, err := ReadItems(name, v)
		if m.err == nil {
			m.err = err
		}
		return all
	default:
		m.wrong(name, "a text or a list of items")
		return nil
	}
}

func userMessage(text json.RawMessage) json.RawMessage {
	b := append(make([]byte, 0, len(text)+80), `{"type":"message","role":"user","content":[{"type":"input_text","text":`...)
	return append(append(b, text...), `}]}`...)
}

// ReadItems reads a list of items, the value of a member. Some may be references.
func ReadItems(name string, list []byte) ([]responses.Item, error) {
	raws := rawjson.List(list)
	if len(raws) > maxItems {
		return nil, rota.InvalidField(name, "must be at most %d items", maxItems)
	}
	all := make([]responses.Item, len(raws))
	for n, raw := range raws {
		var err error
		at := name + "." + rawString(n)
		if all[n], err = responses.ReadItem(raw); err != nil {
			return nil, rota.InvalidField(at, "%v", err)
		}
	}
	return all, nil
}

// maxReferred is how many bytes the items may have together that an input refers to.
const maxReferred = 32 << 20

// Dereferenced returns items, the value of a member, with those that find returns in
// place of references. find returns [rota.NotFound] for an id that nobody has.
func Dereferenced(name string, items []responses.Item, find func(id string) (rota.ItemRecord, error)) ([]responses.Item, error) {
	all, size := slices.Clone(items), 0
	for n, i := range items {
		if i.Type != reference {
			continue
		}
		at := name + "." + rawString(n)
		found, err := find(i.ID)
		switch size += len(found.Raw); {
		case errors.Is(err, rota.NotFound):
			return nil, rota.InvalidField(at, "there is no item %q: it must be of a response or a conversation that is kept", i.ID)
		case err != nil:
			return nil, err
		case size > maxReferred:
			return nil, rota.InvalidField(at, "the items that are referred to have more than %d MiB together", maxReferred>>20)
		}
		if all[n], err = responses.ReadItem(found.Raw); err != nil {
			return nil, rota.InvalidField(at, "the item %q cannot be told to a model: %v", i.ID, err)
		}
	}
	return all, nil
}

const reference = "item_reference"

func rawString(n int) string { return string(rawjson.Int(int64(n))) }

// Apart returns items that follow turns in a conversation, where an id is that of one
// item. An item whose id is taken loses it, and gets another one when it is kept: some
// clients send the same id with every message.
func Apart(turns []rota.Turn, items []responses.Item) []responses.Item {
	taken := map[string]bool{}
	for _, t := range turns {
		for _, i := range slices.Concat(t.Input, t.Output) {
			taken[i.ID] = true
		}
	}
	items = slices.Clone(items)
	for n, i := range items {
		if i.ID == "" {
			continue
		}
		if taken[i.ID] {
			items[n] = i.WithoutID()
		}
		taken[i.ID] = true
	}
	return items
}

// Records returns items as they are kept, with ids for those that have none.
func Records(items []responses.Item, response *rota.ResponseID, now time.Time) []rota.ItemRecord {
	all := make([]rota.ItemRecord, len(items))
	for n, i := range items {
		all[n] = rota.ItemRecord{ID: i.ID, Response: response, Raw: i.Raw()}
		if i.ID == "" {
			all[n].ID = rota.NewItemID(i.IDPrefix(), now)
		}
	}
	return all
}

// Metadata reads the metadata of a body; nil if there is none.
func Metadata(v []byte) (map[string]string, error) {
	switch rawjson.Kind(v) {
	case 'n':
		return nil, nil
	case '{':
	default:
		return nil, rota.InvalidField("metadata", "must be an object of strings")
	}
	m := map[string]string{}
	for _, e := range rawjson.ReadObject(v) {
		text := rawjson.Text(e.Value)
		switch {
		case rawjson.Kind(e.Value) != '"':
			return nil, rota.InvalidField("metadata."+e.Name, "must be a string")
		case utf8.RuneCountInString(e.Name) > maxKey || utf8.RuneCountInString(text) > maxValue:
			return nil, rota.InvalidField("metadata", "must have keys of at most %d and values of at most %d characters", maxKey, maxValue)
		}
		m[e.Name] = text
	}
	if len(m) > maxMetadata {
		return nil, rota.InvalidField("metadata", "must have at most %d pairs", maxMetadata)
	}
	return m, nil
}

// local are the members of a request that are for Rota, and that no provider is sent.
var local = []string{
	"model", "input", "conversation", "previous_response_id", "store", "background", "stream", "stream_options", "stream_events", "fallback_models",
}

// Object returns the response object as it begins.
func Object(id rota.ResponseID, r Request, status rota.ResponseStatus, now time.Time) rawjson.Object {
	o := responses.NewObject(string(id), now.Unix(), r.Model, r.Rest.Encode())
	o.Set("status", rawjson.String(string(status)))
	return o
}

// Context returns what a model is told of what came before.
func Context(turns []rota.Turn) responses.Context {
	c := responses.Context{Turns: make([]responses.Turn, len(turns))}
	for n, t := range turns {
		c.Turns[n] = responses.Turn{Input: Items(t.Input), Output: Items(t.Output)}
	}
	return c
}

// Items returns records as items. What is not an item any more is left out.
func Items(records []rota.ItemRecord) []responses.Item {
	all := make([]responses.Item, 0, len(records))
	for _, r := range records {
		if i, err := responses.ReadItem(r.Raw); err == nil {
			all = append(all, i)
		}
	}
	return all
}

// Body returns what a model is asked, where s is. Members that nobody knows are carried.
func Body(w rota.ResponseWork, p *Past, model string, q Question, s State) json.RawMessage {
	o := rawjson.ReadObject(w.Request)
	o = slices.DeleteFunc(o, func(m rawjson.Member) bool { return slices.Contains(local, m.Name) || rawjson.Kind(m.Value) == 'n' })
	asked := append(rawjson.Object{{Name: "model", Value: rawjson.String(model)}}, o...)
	asked.Set("input", p.Input())
	if tools := rawjson.List(asked.Get("tools")); tools != nil {
		asked.Set("tools", rawjson.EncodeList(Told(tools)))
	}
	return q.GoOn(asked.Encode(), s)
}
