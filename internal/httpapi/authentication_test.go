package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/seal"
)

const (
	exchangePath = "/api/v1/authentication/api-keys/exchange-token"
	scoped       = "/api/v1/authentication/api-key/scoped"
	audience     = "https://rota.example.com"
)

// withTokens lets the server make tokens.
func (s *server) withTokens() *server {
	s.t.Helper()
	ring, err := seal.Parse(seal.NewSecret())
	require.NoError(s.t, err)
	s.control.Tokens = control.Tokens{Secret: ring, Issuer: audience, Audiences: []string{audience}}
	return s
}

// exchanged returns the caller with a token for an end user.
func (c caller) exchanged(endUser, more string) caller {
	c.t.Helper()
	body := fmt.Sprintf(`{"audience":%q,"externalUserId":%q%s}`, audience, endUser, more)
	token := c.send(http.MethodPost, exchangePath, body).is(http.StatusOK).object()["token"].(string)
	return caller{server: c.server, secret: token}
}

func TestExchange(t *testing.T) {
	s := newAPI(t).withTokens()
	acme := s.acme()
	anas := acme.as("ana").newAgent("mine")
	bobs := acme.as("bob").newAgent("mine")

	ana := acme.exchanged("ana", `,"expiresIn":3600.0`)
	ana.send(http.MethodGet, anas, "").is(http.StatusOK)
	ana.send(http.MethodGet, bobs, "").is(http.StatusNotFound)
	ana.as("ana").send(http.MethodGet, anas, "").is(http.StatusOK)
	ana.as("bob").send(http.MethodGet, bobs, "").is(http.StatusForbidden)
	ana.send(http.MethodPost, anas, `{"name":"b"}`).is(http.StatusOK)

	reader := acme.exchanged("ana", `,"permissions":["read:agents"]`)
	reader.send(http.MethodGet, anas, "").is(http.StatusOK)
	reader.send(http.MethodPost, anas, `{"name":"c"}`).is(http.StatusForbidden)

	other := acme.send(http.MethodPost, "/api/v1/authentication/api-key/exchange-token", `{"audience":"`+audience+`","externalUserId":"ana","expiresIn":null}`)
	other.is(http.StatusOK)

	s.clock.advance(time.Hour)
	ana.send(http.MethodGet, anas, "").is(http.StatusUnauthorized)
}

func TestExchangeRefuses(t *testing.T) {
	s := newAPI(t).withTokens()
	reader := s.key("acme", "rk_a-key-that-reads-agents", rota.ReadAgents)
	token := reader.exchanged("ana", "")
	body := func(more string) string { return `{"audience":"` + audience + `","externalUserId":"ana"` + more + `}` }
	for _, tt := range []struct {
		who    caller
		body   string
		status int
		path   string
	}{
		{reader, `{"externalUserId":"ana"}`, 400, "audience"},
		{reader, `{"audience":"https://elsewhere.example.com","externalUserId":"ana"}`, 400, "audience"},
		{reader, `{"audience":"` + audience + `","externalUserId":"*"}`, 400, "externalUserId"},
		{reader, `{"audience":"` + audience + `","externalUserId":"é"}`, 400, "externalUserId"},
		{reader, body(`,"expiresIn":299`), 400, "expiresIn"},
		{reader, body(`,"expiresIn":2592001`), 400, "expiresIn"},
		{reader, body(`,"expiresIn":300.5`), 400, "expiresIn"},
		{reader, body(`,"permissions":[]`), 400, "permissions"},
		{reader, body(`,"permissions":["read:everything"]`), 400, "permissions.0"},
		{reader, body(`,"permissions":["read:agents","write:agents"]`), 403, "permissions"},
		{reader.as("bob"), body(``), 403, "externalUserId"},
		{token, body(``), 403, ""},
		{caller{server: s, secret: "rk_nobody-knows-this-key"}, body(``), 401, ""},
	} {
		r := tt.who.send(http.MethodPost, exchangePath, tt.body).is(tt.status)
		var got struct {
			Message string
			Details []struct{ Path, Message string }
			Error   failure
		}
		require.NoError(t, json.Unmarshal(r.Body, &got))
		require.Equal(t, got.Error.Message, got.Message)
		require.Equal(t, tt.path, got.Error.param(), tt.body)
		if tt.path != "" {
			require.Equal(t, tt.path, got.Details[0].Path)
		}
	}
}

func TestExchangeNeedsAnAudienceAndASecret(t *testing.T) {
	s := newAPI(t).withTokens()
	acme, body := s.acme(), `{"audience":"`+audience+`","externalUserId":"ana"}`
	old := acme.exchanged("ana", "")

	s.control.Tokens.Secret, _ = seal.Parse(seal.NewSecret())
	f := acme.send(http.MethodPost, exchangePath, body).is(http.StatusNotImplemented).failure()
	require.Equal(t, rota.NotImplemented, f.Code)
	require.Contains(t, f.Message, "rotate-signing")
	old.send(http.MethodGet, agents, "").is(http.StatusOK)

	s.control.Tokens.Secret = seal.Ring{}
	require.Contains(t, acme.send(http.MethodPost, exchangePath, body).is(http.StatusNotImplemented).failure().Message, "ROTA_SECRET_KEY")
	s.withTokens().control.Tokens.Audiences = nil
	f = acme.send(http.MethodPost, exchangePath, body).is(http.StatusBadRequest).failure()
	require.Equal(t, "audience", f.param())
	require.Contains(t, f.Message, "--token-audience")
}

func TestTokensEndWithTheirKey(t *testing.T) {
	s := newAPI(t).withTokens()
	root := s.key("acme", "rk_the-key-of-the-operator", rota.AllScopes()...)
	made := func(more string) (id string, token caller) {
		k := root.send(http.MethodPost, keys, `{"name":"k","scopes":["read:agents","write:agents"]`+more+`}`).is(http.StatusCreated).object()
		return k["id"].(string), caller{server: s, secret: k["secret"].(string)}.exchanged("ana", "")
	}
	works := func(c caller, status int) { t.Helper(); c.send(http.MethodGet, agents, "").is(status) }

	id, token := made("")
	works(token, http.StatusOK)
	root.send(http.MethodDelete, keys+"/"+id, "").is(http.StatusOK)
	works(token, http.StatusUnauthorized)

	id, token = made("")
	root.send(http.MethodPost, scoped+"/regenerate", `{"keyId":"`+id+`"}`).is(http.StatusOK)
	works(token, http.StatusUnauthorized)

	id, token = made("")
	root.send(http.MethodPost, scoped+"/update", `{"keyId":"`+id+`","scopes":["read:agents"]}`).is(http.StatusOK)
	works(token, http.StatusOK)
	token.send(http.MethodPost, agents, `{"name":"a","model":"m"}`).is(http.StatusForbidden)

	soon := rota.InstantOf(s.clock.Now().Add(10 * time.Minute)).String()
	_, token = made(`,"expires_at":"` + soon + `"`)
	works(token, http.StatusOK)
	s.clock.advance(10 * time.Minute)
	works(token, http.StatusUnauthorized)
}

func TestSigningKeysRotate(t *testing.T) {
	s := newAPI(t).withTokens()
	root := s.key("acme", "rk_the-key-of-the-operator", rota.AllScopes()...)
	published := func() int {
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/jwks.json", nil))
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		var set struct{ Keys []map[string]string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &set))
		for _, k := range set.Keys {
			require.NotContains(t, k, "d", "never the private half")
		}
		return len(set.Keys)
	}
	require.Zero(t, published())
	first := root.exchanged("ana", "")
	require.Equal(t, 1, published())

	root.send(http.MethodPost, rotate, `{}`).is(http.StatusOK)
	require.Equal(t, 2, published())
	second := root.exchanged("ana", "")
	first.send(http.MethodGet, agents, "").is(http.StatusOK)

	root.send(http.MethodPost, rotate, `{"revoke":true}`).is(http.StatusOK)
	require.Equal(t, 1, published())
	first.send(http.MethodGet, agents, "").is(http.StatusUnauthorized)
	second.send(http.MethodGet, agents, "").is(http.StatusUnauthorized)
	root.exchanged("ana", "").send(http.MethodGet, agents, "").is(http.StatusOK)

	for range 2 {
		root.send(http.MethodPost, rotate, `{}`).is(http.StatusOK)
	}
	require.Equal(t, 3, published())
	s.clock.advance(31 * 24 * time.Hour)
	root.send(http.MethodPost, rotate, `{}`).is(http.StatusOK)
	require.Equal(t, 2, published(), "no token of those before can be valid any more")
	s.acme().send(http.MethodPost, rotate, `{}`).is(http.StatusForbidden)
}

const rotate = "/api/v1/signing-keys/rotate"

func TestScopedKeys(t *testing.T) {
	s := newAPI(t)
	acme := s.acme()
	made := acme.send(http.MethodPost, scoped, `{"name":"dashboard","teamId":"web","scopes":["read:agents"],"expiresIn":3600.0,
		"rateLimitEnabled":true,"rateLimitTimeWindow":60000.0,"rateLimitMax":600.0,"onBehalfOf":{"serviceAccountId":"ana","userType":"service-account"}}`).is(http.StatusCreated).object()
	id, secret := made["id"].(string), made["key"].(string)
	require.Subset(t, made, map[string]any{
		"userId": "ana", "userType": "service-account", "orgId": "acme", "teamId": "web", "scopes": []any{"read:agents"}, "name": "dashboard",
		"prefix": "rk", "start": secret[:8], "rateLimitEnabled": true, "rateLimitTimeWindow": 60000.0, "rateLimitMax": 600.0,
	})
	ana := caller{server: s, secret: secret}
	ana.send(http.MethodGet, acme.as("ana").newAgent("a"), "").is(http.StatusOK)
	ana.as("bob").send(http.MethodGet, agents, "").is(http.StatusForbidden)

	list := func(query string) []map[string]any {
		t.Helper()
		r := acme.send(http.MethodGet, scoped+"/list"+query, "").is(http.StatusOK)
		require.NotContains(t, string(r.Body), secret)
		return read[[]map[string]any](r)
	}
	require.Len(t, list(""), 2)
	require.Len(t, list("?orgId=acme&teamId=web"), 1)
	require.Empty(t, list("?teamId=other"))
	require.Empty(t, list("?orgId=globex"))
	require.NotContains(t, list("?teamId=web")[0], "key")

	updated := acme.send(http.MethodPost, scoped+"/update", `{"keyId":"`+id+`","scopes":["read:agents","write:agents"],"name":"n","rateLimitEnabled":false,"expiresAt":null}`).is(http.StatusOK)
	require.Subset(t, updated.object(), map[string]any{
		"id": id, "scopes": []any{"read:agents", "write:agents"}, "userId": "ana", "userType": "service-account", "orgId": "acme", "teamId": "web", "expiresAt": nil,
	})
	require.NotContains(t, updated.object(), "key")
	require.JSONEq(t, string(acme.send(http.MethodGet, scoped, "").is(http.StatusOK).Body), string(acme.send(http.MethodGet, scoped+"/list", "").Body), "older clients ask for the list there")
	require.Subset(t, list("?teamId=web")[0], map[string]any{"name": "n", "rateLimitEnabled": false, "rateLimitMax": nil, "expiresAt": nil})

	anew := acme.send(http.MethodPost, scoped+"/regenerate", `{"keyId":"`+id+`"}`).is(http.StatusOK).object()
	ana.send(http.MethodGet, agents, "").is(http.StatusUnauthorized)
	ana.secret = anew["key"].(string)
	ana.send(http.MethodGet, agents, "").is(http.StatusOK)
	require.Equal(t, ana.secret[:8], anew["start"])

	gone := acme.send(http.MethodPost, scoped+"/delete", `{"keyId":"`+id+`"}`).is(http.StatusOK)
	require.JSONEq(t, `{"id":"`+id+`","deleted":true}`, string(gone.Body))
	ana.send(http.MethodGet, agents, "").is(http.StatusUnauthorized)
	require.Len(t, list(""), 1, "a key that was revoked is not listed")
	acme.send(http.MethodPost, scoped+"/delete", `{"keyId":"`+id+`"}`).is(http.StatusOK)
	acme.send(http.MethodPost, scoped+"/regenerate", `{"keyId":"`+id+`"}`).is(http.StatusConflict)
	acme.send(http.MethodPost, scoped+"/update", `{"keyId":"`+id+`","scopes":["read:agents"]}`).is(http.StatusConflict)
	acme.send(http.MethodPost, scoped+"/delete", `{"keyId":"key_none"}`).is(http.StatusNotFound)
}

// TestNoKeyOutranksItsMaker tries to get more than a key has by all operations that
// make or change keys.
func TestNoKeyOutranksItsMaker(t *testing.T) {
	s := newAPI(t).withTokens()
	root := s.key("acme", "rk_the-key-of-the-operator", rota.AllScopes()...)
	made := func(body string) caller {
		k := root.send(http.MethodPost, keys, `{"name":"k",`+body+`}`).is(http.StatusCreated).object()
		return caller{server: s, secret: k["secret"].(string)}
	}
	const both = `"scopes":["read:apikeys","write:apikeys","read:agents"]`
	weak := made(both)
	bound := made(both + `,"end_user":"ana"`)
	limited := made(both + `,"rate_limits":["600/minute"]`)
	brief := made(both + `,"expires_at":"2026-12-01T00:00:00Z"`)
	token := made(both).exchanged("ana", "")

	strong := root.send(http.MethodPost, keys, `{"name":"strong","scopes":["read:agents","write:agents"]}`).is(http.StatusCreated).id()
	equal := root.send(http.MethodPost, keys, `{"name":"equal","scopes":["read:agents"]}`).is(http.StatusCreated).id()
	for name, tt := range map[string]struct {
		who          caller
		method, path string
		body         string
		status       int
	}{
		"a scope":                    {weak, "POST", keys, `{"name":"k","scopes":["write:agents"]}`, 403},
		"a scope, scoped":            {weak, "POST", scoped, `{"name":"k","teamId":"","scopes":["write:agents"]}`, 403},
		"every account":              {weak, "POST", keys, `{"name":"k","scopes":["write:accounts"]}`, 403},
		"another account":            {weak, "POST", keys, `{"name":"k","account":"globex"}`, 403},
		"the secret of a strong one": {weak, "POST", scoped + "/regenerate", `{"keyId":"` + strong + `"}`, 403},
		"to weaken a strong one":     {weak, "POST", scoped + "/update", `{"keyId":"` + strong + `","scopes":["read:agents"]}`, 403},
		"to strengthen an equal one": {weak, "POST", scoped + "/update", `{"keyId":"` + equal + `","scopes":["write:agents"]}`, 403},
		"to end a strong one":        {weak, "DELETE", keys + "/" + strong, ``, 403},
		"to end it, scoped":          {weak, "POST", scoped + "/delete", `{"keyId":"` + strong + `"}`, 403},

		"another end user":            {bound, "POST", keys, `{"name":"k","end_user":"bob"}`, 403},
		"another end user, scoped":    {bound, "POST", scoped, `{"name":"k","teamId":"","scopes":["read:agents"],"onBehalfOf":{"serviceAccountId":"bob","userType":"service-account"}}`, 403},
		"a token for another":         {bound, "POST", exchangePath, `{"audience":"` + audience + `","externalUserId":"bob"}`, 403},
		"the account's keys":          {bound, "DELETE", keys + "/" + equal, ``, 404},
		"the secret of the account's": {bound, "POST", scoped + "/regenerate", `{"keyId":"` + equal + `"}`, 404},
		"a header for another":        {bound.as("bob"), "GET", agents, ``, 403},
		"on behalf of":                {weak.as("ana"), "DELETE", keys + "/" + equal, ``, 404},
		"by a token":                  {token, "DELETE", keys + "/" + equal, ``, 404},
		"by a token, for another":     {token, "POST", keys, `{"name":"k","end_user":"bob"}`, 403},

		"more requests":           {limited, "POST", keys, `{"name":"k","rate_limits":["601/minute"]}`, 403},
		"more requests, scoped":   {limited, "POST", scoped, `{"name":"k","teamId":"","scopes":["read:agents"],"rateLimitEnabled":true,"rateLimitTimeWindow":60000,"rateLimitMax":601}`, 403},
		"a secret without limits": {limited, "POST", scoped + "/regenerate", `{"keyId":"` + equal + `"}`, 403},
		"more time":               {brief, "POST", keys, `{"name":"k","expires_at":"2026-12-01T00:00:01Z"}`, 403},
		"a secret without an end": {brief, "POST", scoped + "/regenerate", `{"keyId":"` + equal + `"}`, 403},
		"a token of a token":      {token, "POST", exchangePath, `{"audience":"` + audience + `","externalUserId":"ana"}`, 403},
	} {
		r := tt.who.send(tt.method, tt.path, tt.body)
		require.Equal(t, tt.status, r.Status, "%s: %s", name, r.Body)
	}

	// What is not asked for is taken over.
	child := func(c caller) map[string]any {
		return c.send(http.MethodPost, keys, `{"name":"child","scopes":["read:agents"],"rate_limits":["5/second"]}`).is(http.StatusCreated).object()
	}
	require.Equal(t, "ana", child(bound)["end_user"])
	require.Equal(t, []any{"5/second", "600/minute"}, child(limited)["rate_limits"])
	require.Equal(t, "2026-12-01T00:00:00.000Z", child(brief)["expires_at"])
	ofToken := child(token)
	require.Equal(t, "ana", ofToken["end_user"])
	require.NotNil(t, ofToken["expires_at"], "it does not outlive the token")
	require.NotNil(t, ofToken["created_by"])
	require.Len(t, bound.send(http.MethodGet, keys, "").is(http.StatusOK).object()["data"], 3, "its own end user's")
	weak.send(http.MethodDelete, keys+"/"+equal, "").is(http.StatusOK)
}

// announced tells when an answer has begun.
type announced struct {
	*httptest.ResponseRecorder
	opened chan struct{}
}

func (a *announced) WriteHeader(status int) {
	a.ResponseRecorder.WriteHeader(status)
	close(a.opened)
}

// TestStreamsEndWithTheKey: an open stream does not outlive what opened it.
func TestStreamsEndWithTheKey(t *testing.T) {
	for name, end := range map[string]func(root caller, id string){
		"revoked": func(root caller, id string) { root.send(http.MethodDelete, keys+"/"+id, "").is(http.StatusOK) },
		"new secret": func(root caller, id string) {
			root.send(http.MethodPost, scoped+"/regenerate", `{"keyId":"`+id+`"}`).is(http.StatusOK)
		},
		"less scopes": func(root caller, id string) {
			root.send(http.MethodPost, scoped+"/update", `{"keyId":"`+id+`","scopes":["write:agents"]}`).is(http.StatusOK)
		},
		"expired": func(root caller, _ string) { root.clock.advance(time.Hour) },
	} {
		for _, byToken := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, token %t", name, byToken), func(t *testing.T) {
				t.Parallel()
				s := newAPI(t).withTokens()
				root := s.key("acme", "rk_the-key-of-the-operator", rota.AllScopes()...)
				soon := rota.InstantOf(s.clock.Now().Add(30 * time.Minute)).String()
				k := root.send(http.MethodPost, keys, `{"name":"k","scopes":["read:agents"],"end_user":"ana","expires_at":"`+soon+`"}`).is(http.StatusCreated).object()
				watcher := caller{server: s, secret: k["secret"].(string)}
				if byToken {
					watcher = watcher.exchanged("ana", "")
				}
				run := root.as("ana").newRun(root.as("ana").newAgent("a"))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				opened, ended := make(chan struct{}), make(chan any, 1)
				go func() {
					defer func() { ended <- recover() }()
					s.handler.ServeHTTP(&announced{ResponseRecorder: httptest.NewRecorder(), opened: opened}, watcher.request(http.MethodGet, run+"/events", "").WithContext(ctx))
				}()
				<-opened
				end(root, k["id"].(string))
				s.clock.advance(time.Minute)
				require.Equal(t, http.ErrAbortHandler, <-ended)
				require.NoError(t, ctx.Err(), "it was the server that ended the stream")
			})
		}
	}
}
