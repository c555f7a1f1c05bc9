package httpapi_test

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

const conversationsPath = "/api/v1/llm/conversations"

// texts returns what the items of a conversation say.
func (c caller) texts(conversation string) (all []string) {
	c.t.Helper()
	l := c.send(http.MethodGet, conversationsPath+"/"+conversation+"/items?limit=100", "").is(http.StatusOK).object()
	for _, i := range l["data"].([]any) {
		all = append(all, i.(map[string]any)["content"].([]any)[0].(map[string]any)["text"].(string))
	}
	return all
}

// What is said in a conversation is told to each model that is asked in it, in bytes
// that stay the same.
func TestAConversation(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	v := c.send(http.MethodPost, conversationsPath, `{"metadata":{"a":"b"},"items":[{"role":"user","content":"My name is Ada."}]}`).is(http.StatusOK).object()
	id := v["id"].(string)
	require.Equal(t, map[string]any{"a": "b"}, v["metadata"])
	require.Nil(t, v["deleted_at"])
	for i := range 3 {
		s.models.server.Script(gatewaytest.Text("answer " + strconv.Itoa(i)))
		r := c.create(`{"model":"test/m","input":"question ` + strconv.Itoa(i) + `","conversation":"` + id + `"}`)
		require.Equal(t, map[string]any{"id": id}, r["conversation"])
	}
	require.Equal(t, []string{"My name is Ada.", "question 0", "answer 0", "question 1", "answer 1", "question 2", "answer 2"}, c.texts(id))
	var before []byte
	for _, b := range s.models.asked(t) {
		require.True(t, bytes.HasPrefix(b["input"], bytes.TrimSuffix(before, []byte("]"))))
		require.NotContains(t, b, "conversation")
		before = b["input"]
	}

	page := c.send(http.MethodGet, conversationsPath+"/"+id+"/items?limit=2", "").is(http.StatusOK).object()
	require.Equal(t, true, page["has_more"])
	next := c.send(http.MethodGet, conversationsPath+"/"+id+"/items?limit=2&after="+page["last_id"].(string), "").is(http.StatusOK).object()
	require.Equal(t, "answer 0", next["data"].([]any)[0].(map[string]any)["content"].([]any)[0].(map[string]any)["text"])
	newest := read[listed](c.send(http.MethodGet, conversationsPath+"/"+id+"/items?order=desc&limit=1", "").is(http.StatusOK)).ids()[0]
	c.send(http.MethodDelete, conversationsPath+"/"+id+"/items/"+newest, "").is(http.StatusOK)
	c.send(http.MethodGet, conversationsPath+"/"+id+"/items/"+newest, "").is(http.StatusNotFound)
	c.send(http.MethodPost, conversationsPath+"/"+id+"/items", `{"items":[{"role":"user","content":"one more"}]}`).is(http.StatusOK)
	require.Equal(t, []string{"question 2", "one more"}, c.texts(id)[5:])

	updated := c.send(http.MethodPost, conversationsPath+"/"+id, `{"metadata":{"c":"d"}}`).is(http.StatusOK).object()
	require.Equal(t, map[string]any{"c": "d"}, updated["metadata"])
	require.Equal(t, []string{id}, read[listed](c.send(http.MethodGet, conversationsPath, "").is(http.StatusOK)).ids())
	c.send(http.MethodDelete, conversationsPath+"/"+id, "").is(http.StatusOK)
	c.send(http.MethodGet, conversationsPath+"/"+id, "").is(http.StatusNotFound)
	c.send(http.MethodPost, responsesPath, `{"model":"test/m","input":"x","conversation":"`+id+`"}`).is(http.StatusNotFound)
	kept := c.send(http.MethodGet, responsesPath, "").is(http.StatusOK).object()["data"].([]any)
	require.Equal(t, "answer 2", outputText(kept[0].(map[string]any)), "responses keep what they have")
}

// Two responses are never under way in one conversation, and whatever ends one lets go
// of it.
func TestABusyConversation(t *testing.T) {
	s := newLLM(t)
	c := s.acme()
	id := c.send(http.MethodPost, conversationsPath, "").is(http.StatusOK).id()
	body := `{"model":"test/m","input":"hi","background":true,"conversation":{"id":"` + id + `"}}`
	first := c.create(body)
	for _, try := range []struct{ method, path, body string }{
		{http.MethodPost, responsesPath, `{"model":"test/m","input":"hi","conversation":"` + id + `"}`},
		{http.MethodPost, conversationsPath + "/" + id + "/items", `{"items":[{"role":"user","content":"x"}]}`},
		{http.MethodDelete, conversationsPath + "/" + id, ``},
	} {
		locked := c.send(try.method, try.path, try.body).is(http.StatusConflict)
		require.Equal(t, rota.ConversationLocked, locked.failure().Code)
		require.Equal(t, "1", locked.Header.Get("Retry-After"))
	}
	c.send(http.MethodPost, responsesPath+"/"+first["id"].(string)+"/cancel", "").is(http.StatusOK)
	require.Empty(t, c.texts(id), "nothing was said")

	s.models.server.Script(gatewaytest.Status(400, nil, "no"))
	c.send(http.MethodPost, responsesPath, `{"model":"test/m","input":"hi","conversation":"`+id+`"}`).is(http.StatusBadRequest)
	c.create(`{"model":"test/m","input":"hi","conversation":"` + id + `"}`)
	require.Equal(t, []string{"hi", "ok"}, c.texts(id))
}

func TestItemsThatDoNotFit(t *testing.T) {
	c := newLLM(t).acme()
	id := c.send(http.MethodPost, conversationsPath, `{"items":[{"id":"msg_1","role":"user","content":"x"}]}`).is(http.StatusOK).id()
	for body, param := range map[string]string{
		`{"items":[]}`: "items", `{}`: "items",
		`{"items":[{"type":"function_call_output","call_id":"c","output":"x"}]}`: "items.0",
	} {
		require.Equal(t, param, c.send(http.MethodPost, conversationsPath+"/"+id+"/items", body).is(http.StatusBadRequest).failure().param(), body)
	}
	// Some clients send the same id with every message.
	c.send(http.MethodPost, conversationsPath+"/"+id+"/items", `{"items":[{"id":"msg_1","role":"user","content":"y"}]}`).is(http.StatusOK)
	c.send(http.MethodPost, responsesPath, `{"model":"test/m","input":[{"id":"msg_1","role":"user","content":"z"}],"conversation":"`+id+`"}`).is(http.StatusOK)
	ids := map[any]bool{}
	for _, i := range c.send(http.MethodGet, conversationsPath+"/"+id+"/items", "").is(http.StatusOK).object()["data"].([]any) {
		ids[i.(map[string]any)["id"]] = true
	}
	require.Len(t, ids, 4, "each item has an id of its own")
	c.send(http.MethodGet, conversationsPath+"/"+id+"/items?after=msg_none", "").is(http.StatusBadRequest)
}

// A filter that is not offered is not passed over: a caller would take the whole list for
// what it has asked for.
func TestConversationsAreNotSearched(t *testing.T) {
	c := newAPI(t).acme()
	for _, query := range []string{"search=rain", "metadata=x", "metadata[a]=b", "metadata%5Ba%5D=b"} {
		c.send(http.MethodGet, conversationsPath+"?"+query, "").is(http.StatusNotImplemented)
	}
	c.send(http.MethodGet, conversationsPath+"?include=x", "").is(http.StatusOK)
}

// TestMemoryForTurnsIsGivenBack: what requests take of memory for what is kept is free
// again when they are answered.
func TestMemoryForTurnsIsGivenBack(t *testing.T) {
	s := newLLM(t)
	const budgetMiB = 64
	s.responder.Memory = budget.New(budgetMiB << 20)
	c := s.acme()
	item := `{"role":"user","content":"` + strings.Repeat("x", 300_000) + `"}`
	first := c.send(http.MethodPost, conversationsPath, `{"items":[`+item+`]}`).is(http.StatusOK).id()
	for range 3 {
		c.send(http.MethodPost, conversationsPath+"/"+first+"/items", `{"items":[`+item+`]}`).is(http.StatusOK)
		require.EqualValues(t, budgetMiB, left(s.responder.Memory), "items were added")
	}
	known := c.send(http.MethodGet, conversationsPath+"/"+first+"/items", "").is(http.StatusOK).object()["first_id"].(string)
	c.send(http.MethodPost, conversationsPath, `{"items":[{"type":"item_reference","id":"`+known+`"}]}`).is(http.StatusOK)
	require.EqualValues(t, budgetMiB, left(s.responder.Memory), "a conversation was made")
	s.models.server.Script(gatewaytest.Text("Hello."))
	c.create(`{"model":"test/m","input":"Hi.","conversation":"` + first + `"}`)
	require.EqualValues(t, budgetMiB, left(s.responder.Memory), "a response was made")
}
