package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const memoryStores = "/api/v1/llm/memory_stores"

func TestMemory(t *testing.T) {
	c := newAPI(t).acme()
	made := c.send(http.MethodPost, memoryStores, `{"name":"Notes","description":"d","instructions":"one each","metadata":{"a":"b"}}`).is(http.StatusCreated)
	store := memoryStores + "/" + made.id()
	require.Equal(t, store, made.Header.Get("Location"))
	m := made.object()
	require.Equal(t, []any{"memory_store", "Notes", "d", "one each", "private", nil}, []any{m["object"], m["name"], m["description"], m["instructions"], m["visibility"], m["deleted_at"]})
	require.Equal(t, float64(int64(m["created_at"].(float64))), m["created_at"], "Unix seconds")
	m = c.send(http.MethodPost, store, `{"description":null,"visibility":"workspace"}`).is(http.StatusOK).object()
	require.Equal(t, []any{"Notes", nil, "workspace"}, []any{m["name"], m["description"], m["visibility"]})

	note := c.send(http.MethodPost, store+"/entries", `{"path":"customers/ada.md","content":"caf\u00e9"}`).is(http.StatusCreated).object()
	require.Equal(t, "memory_entry", note["object"])
	require.Equal(t, "850f7dc43910ff890f8879c0ed26fe697c93a067ad93a7d50f466a7028a9bf4e", note["content_hash"], "printf café | sha256sum")
	require.EqualValues(t, 5, note["bytes"])
	f := c.send(http.MethodPost, store+"/entries", `{"path":"customers/ada.md","content":""}`).is(http.StatusConflict).failure()
	require.Contains(t, f.Message, `"customers/ada.md"`)
	entry := store + "/entries/" + note["id"].(string)
	hash := note["content_hash"].(string)
	c.send(http.MethodPost, entry, `{"content":"x","if_match":"wrong"}`).is(http.StatusPreconditionFailed)
	changed := c.send(http.MethodPost, entry, `{"content":"x","if_match":"`+hash+`"}`).is(http.StatusOK).object()
	require.Equal(t, "x", changed["content"])
	require.NotEqual(t, hash, changed["content_hash"])
	require.Equal(t, changed, c.send(http.MethodGet, entry, "").is(http.StatusOK).object())
	require.Len(t, read[listed](c.send(http.MethodGet, store+"/entries", "").is(http.StatusOK)).ids(), 1)

	now := changed["content_hash"].(string)
	c.send(http.MethodDelete, entry+"?if_match="+hash, `{}`).is(http.StatusPreconditionFailed)
	c.send(http.MethodDelete, entry, `{"if_match":"`+hash+`"}`).is(http.StatusPreconditionFailed)
	require.Equal(t, "if_match", *c.send(http.MethodDelete, entry+"?if_match="+hash, `{"if_match":"`+now+`"}`).is(http.StatusBadRequest).failure().Param)
	gone := c.send(http.MethodDelete, entry+"?if_match="+now, "").is(http.StatusOK).object()
	require.Equal(t, map[string]any{"object": "memory_entry.deleted", "id": note["id"], "deleted": true}, gone)
	c.send(http.MethodGet, entry, "").is(http.StatusNotFound)

	for body, param := range map[string]string{
		`{"path":"","content":""}`: "path", `{"path":"a\nb","content":""}`: "path", `{"content":""}`: "path", `{"path":"a","content":"a\u0000b"}`: "content",
		`{"path":"` + strings.Repeat("x", 513) + `","content":""}`: "path", `{"path":"a","content":"` + strings.Repeat("x", 100_001) + `"}`: "content",
	} {
		require.Equal(t, param, *c.send(http.MethodPost, store+"/entries", body).is(http.StatusBadRequest).failure().Param, body[:min(len(body), 40)])
	}
	c.send(http.MethodPost, store+"/entries", `{"path":"é ☕","content":"`+strings.Repeat("☕", 100_000)+`"}`).is(http.StatusCreated)
	require.Equal(t, "memory_store.deleted", c.send(http.MethodDelete, store, "").is(http.StatusOK).object()["object"])
	c.send(http.MethodGet, store+"/entries", "").is(http.StatusNotFound)
}

// A store of the account that is shared can be read by its end users, and changed by none of
// them; one that an end user has is shared with nobody.
func TestSharedMemory(t *testing.T) {
	s := newAPI(t)
	acme, globex := s.acme(), s.key("globex", "rk_the-first-key-of-globex")
	ana := acme.as("ana")
	store := memoryStores + "/" + acme.send(http.MethodPost, memoryStores, `{"name":"Shared","visibility":"workspace"}`).is(http.StatusCreated).id()
	entry := store + "/entries/" + acme.send(http.MethodPost, store+"/entries", `{"path":"a","content":"b"}`).is(http.StatusCreated).id()
	own := ana.send(http.MethodPost, memoryStores, `{"name":"Hers"}`).is(http.StatusCreated).id()

	require.Equal(t, "visibility", *ana.send(http.MethodPost, memoryStores, `{"name":"n","visibility":"workspace"}`).is(http.StatusBadRequest).failure().Param)
	require.Equal(t, "visibility", *ana.send(http.MethodPost, memoryStores+"/"+own, `{"visibility":"workspace"}`).is(http.StatusBadRequest).failure().Param)
	require.Len(t, read[listed](ana.send(http.MethodGet, memoryStores, "").is(http.StatusOK)).ids(), 2)
	require.Len(t, read[listed](acme.as("bob").send(http.MethodGet, memoryStores, "").is(http.StatusOK)).ids(), 1)
	require.Len(t, read[listed](acme.send(http.MethodGet, memoryStores, "").is(http.StatusOK)).ids(), 1, "not hers")
	require.Equal(t, "b", ana.send(http.MethodGet, entry, "").is(http.StatusOK).object()["content"])
	for _, r := range [][3]string{
		{http.MethodPost, store, `{"name":"x"}`},
		{http.MethodDelete, store, ""},
		{http.MethodPost, store + "/entries", `{"path":"c","content":"d"}`},
		{http.MethodPost, entry, `{"content":"d"}`},
		{http.MethodDelete, entry, `{}`},
	} {
		ana.send(r[0], r[1], r[2]).is(http.StatusForbidden)
		globex.send(r[0], r[1], r[2]).is(http.StatusNotFound)
	}
	globex.as("ana").send(http.MethodGet, entry, "").is(http.StatusNotFound)
	acme.send(http.MethodPost, store, `{"visibility":"private"}`).is(http.StatusOK)
	ana.send(http.MethodGet, entry, "").is(http.StatusNotFound)
}
