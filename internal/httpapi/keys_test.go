package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestKeys(t *testing.T) {
	c := newAPI(t).acme()
	created := c.send(http.MethodPost, keys, `{"name":"dashboard","scopes":["read:agents"],"expires_at":"2026-12-31T00:00:00+01:00"}`).is(http.StatusCreated)
	k := created.object()
	require.Equal(t, "acme", k["account"])
	require.Equal(t, "2026-12-30T23:00:00.000Z", k["expires_at"])
	secret := k["secret"].(string)
	require.Contains(t, secret, k["hint"])

	dashboard := caller{server: c.server, secret: secret}
	dashboard.send(http.MethodGet, agents, "").is(http.StatusOK)
	dashboard.send(http.MethodPost, agents, `{"name":"a","model":"m"}`).is(http.StatusForbidden)

	list := c.send(http.MethodGet, keys, "").is(http.StatusOK)
	require.Len(t, list.object()["data"], 2)
	require.NotContains(t, string(list.Body), secret)

	revoked := c.send(http.MethodDelete, keys+"/"+created.id(), "").is(http.StatusOK).object()
	require.NotNil(t, revoked["revoked_at"])
	dashboard.send(http.MethodGet, agents, "").is(http.StatusUnauthorized)
	require.Equal(t, revoked, c.send(http.MethodDelete, keys+"/"+created.id(), "").is(http.StatusOK).object(), "a revoked key stays as it is")
	c.send(http.MethodDelete, keys+"/key_none", "").is(http.StatusNotFound)
}

func TestKeysGiveNoMoreThanTheyHave(t *testing.T) {
	s := newAPI(t)
	weak := s.key("acme", "rk_a-key-that-makes-keys", rota.WriteAPIKeys, rota.ReadAgents)
	f := weak.send(http.MethodPost, keys, `{"name":"k","scopes":["read:agents","write:agents"]}`).is(http.StatusForbidden).failure()
	require.Equal(t, "scopes", f.param())
	require.Equal(t, []any{"read:agents"}, weak.send(http.MethodPost, keys, `{"name":"k"}`).is(http.StatusCreated).object()["scopes"])
	weak.send(http.MethodPost, keys, `{"name":"k","account":"globex"}`).is(http.StatusForbidden)

	root := s.key("acme", "rk_the-key-of-the-operator", rota.AllScopes()...)
	k := root.send(http.MethodPost, keys, `{"name":"k","account":"globex","scopes":["read:apikeys"]}`).is(http.StatusCreated).object()
	require.Equal(t, "globex", k["account"])
	globex := caller{server: s, secret: k["secret"].(string)}
	require.Len(t, globex.send(http.MethodGet, keys, "").is(http.StatusOK).object()["data"], 1, "only those of its own account")
}
