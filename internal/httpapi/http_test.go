package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/httpapi"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	want := map[rota.Code]struct {
		status int
		family string
	}{
		rota.Invalid:            {400, "invalid_request_error"},
		rota.Unauthenticated:    {401, "authentication_error"},
		rota.Denied:             {403, "permission_error"},
		rota.NotFound:           {404, "not_found_error"},
		rota.BadMethod:          {405, "invalid_request_error"},
		rota.Conflict:           {409, "conflict_error"},
		rota.Precondition:       {412, "conflict_error"},
		rota.TooLarge:           {413, "invalid_request_error"},
		rota.BadMediaType:       {415, "invalid_request_error"},
		rota.RateLimited:        {429, "rate_limit_error"},
		rota.LimitReached:       {429, "rate_limit_error"},
		rota.ConversationLocked: {409, "conflict_error"},
		rota.PreviousNotFound:   {400, "invalid_request_error"},
		rota.NotSleeping:        {409, "conflict_error"},
		rota.ContextTooLong:     {400, "invalid_request_error"},

		rota.NotImplemented: {501, "invalid_request_error"},
		rota.UpstreamFailed: {502, "server_error"},
		rota.Unavailable:    {503, "server_error"},
		rota.Internal:       {500, "server_error"},
	}
	for _, code := range rota.Codes {
		e := &rota.Error{Code: code, Field: "a.b", Msg: "say", Err: errors.New("never shown")}
		w := answer(newServer(t, e), request(http.MethodGet, agent, ""))
		f := failed(t, w)
		assert.Equal(t, want[code].status, w.Code, code)
		assert.Equal(t, want[code].family, f.Type, code)
		assert.Equal(t, code, f.Code)
		assert.Equal(t, "a.b", f.param())
		assert.Equal(t, "a.b: say", f.Message)
		assert.Equal(t, code == rota.Unauthenticated, w.Header().Get("WWW-Authenticate") == "Bearer", code)
		assert.Equal(t, want[code].status == 429 || code == rota.Unavailable || code == rota.ConversationLocked, w.Header().Get("Retry-After") == "1", code)
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	e := &rota.Error{Code: rota.RateLimited, Msg: "slow down", RetryAfter: 1500 * time.Millisecond}
	w := answer(newServer(t, e), request(http.MethodGet, agent, ""))
	require.Equal(t, "2", w.Header().Get("Retry-After"))
}

// What nobody classified is logged and not sent.
func TestUnclassifiedErrors(t *testing.T) {
	var log strings.Builder
	h := newServer(t, errors.New("disk on fire"), func(c *httpapi.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	w := answer(h, request(http.MethodGet, agent, "", "X-Request-ID", "abc#1"))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "fire")
	require.Contains(t, log.String(), `level=ERROR msg="request failed" request_id=abc#1 route=/api/v1/agents/{agent_id} error="disk on fire"`)
	require.Contains(t, log.String(), `level=INFO msg=request request_id=abc#1 method=GET route=/api/v1/agents/{agent_id} status=500`)
	require.NotContains(t, log.String(), secret)
}

func TestPanicsAnswer500(t *testing.T) {
	var log strings.Builder
	h := newServer(t, nil, func(c *httpapi.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	w := answer(h, request(http.MethodGet, agent, ""))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, rota.Internal, failed(t, w).Code)
	require.Contains(t, log.String(), "panic: out of errors")
}

func TestUnknownPaths(t *testing.T) {
	h := newServer(t, errReached)
	for _, path := range []string{"//", "/api", "/api/v1", "/api/v2/agents", agents + "//schedules", agent + "/../x", agents + "/a/b", "/openapi.yaml"} {
		w := answer(h, request(http.MethodGet, path, ""))
		assert.Equal(t, http.StatusNotFound, w.Code, path)
		assert.Equal(t, rota.NotFound, failed(t, w).Code, path)
	}
}

func TestWrongMethods(t *testing.T) {
	h := newServer(t, errReached)
	for _, tt := range []struct{ method, path, allow string }{
		{http.MethodPatch, agents, "GET, HEAD, POST"},
		{http.MethodPut, schedule, "GET, HEAD, POST, DELETE"},
		{http.MethodGet, schedule + "/pause", "POST"},
		{http.MethodDelete, agents + "/", "GET, HEAD, POST"},
		{http.MethodOptions, runs, "GET, HEAD, POST"},
		{http.MethodPost, "/docs", "GET, HEAD"},
	} {
		w := answer(h, request(tt.method, tt.path, ""))
		assert.Equal(t, http.StatusMethodNotAllowed, w.Code, tt.path)
		assert.Equal(t, tt.allow, w.Header().Get("Allow"), tt.path)
		assert.Equal(t, rota.BadMethod, failed(t, w).Code, tt.path)
	}
}

func TestCollectionsWithASlash(t *testing.T) {
	h := newServer(t, errReached)
	for _, path := range []string{agents + "/", schedules + "/", runs + "/", keys + "/"} {
		w := answer(h, request(http.MethodPost, path, "{"))
		assert.Equal(t, http.StatusBadRequest, w.Code, path)
	}
}

func TestCredentials(t *testing.T) {
	expired := rota.InstantOf(start)
	h := newServer(t, errReached, func(c *httpapi.Config) {
		c.Keys = keyring{
			secret:                      {ID: "key_1", Account: "acme", Scopes: rota.AllScopes()},
			"rk_expired-long-ago-12345": {ID: "key_2", Account: "acme", Scopes: rota.AllScopes(), ExpiresAt: &expired},
		}
	})
	for _, tt := range []struct {
		authorization string
		status        int
	}{
		{"", 401},
		{"Bearer", 401},
		{"Bearer ", 401},
		{"Basic " + secret, 401},
		{secret, 401},
		{"Bearer wrong-" + secret, 401},
		{"Bearer rk_expired-long-ago-12345", 401},
		{"Bearer " + secret, 503},
		{"bearer " + secret, 503},
		{"Bearer Bearer " + secret, 503},
	} {
		r := request(http.MethodGet, agent, "")
		r.Header.Set("Authorization", tt.authorization)
		w := answer(h, r)
		assert.Equal(t, tt.status, w.Code, tt.authorization)
		assert.NotContains(t, w.Body.String(), secret)
	}
}

// Every operation asks for a key, and then for its scope, before it looks at
// anything else.
func TestEveryRouteIsGuarded(t *testing.T) {
	lacking := keyring{} // keys with every scope but one, which is the secret
	for _, without := range rota.AllScopes() {
		key := rota.Key{ID: "key_1", Account: "acme"}
		for _, s := range rota.AllScopes() {
			if s != without {
				key.Scopes = append(key.Scopes, s)
			}
		}
		lacking[string(without)] = key
	}
	h := newServer(t, errReached, func(c *httpapi.Config) { c.Keys = lacking })
	for _, route := range httpapi.Routes() {
		if route.Scope == "" {
			require.Regexp(t, `^/api/v1/(system|keys/self|authentication/api-keys?/exchange-token)$`, route.Path, "every other route needs a scope")
			continue
		}
		require.Contains(t, rota.AllScopes(), route.Scope, route.OperationID)
		path := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(route.Path, "x")

		r := request(route.Method, path, "not JSON", "Idempotency-Key", "")
		r.Header.Set("Authorization", "Bearer "+string(route.Scope))
		w := answer(h, r)
		assert.Equal(t, http.StatusForbidden, w.Code, route.OperationID)
		assert.Equal(t, "the key lacks the scope "+string(route.Scope), failed(t, w).Message)

		r = request(route.Method, path, "not JSON", "X-On-Behalf-Of", "")
		r.Header.Del("Authorization")
		w = answer(h, r)
		assert.Equal(t, http.StatusUnauthorized, w.Code, route.OperationID)
		assert.Equal(t, rota.Unauthenticated, failed(t, w).Code)
	}
}

func TestBadHeadersAndParameters(t *testing.T) {
	h := newServer(t, errReached)
	for _, tt := range []struct{ method, path, header, value, param string }{
		{http.MethodGet, agent, "X-On-Behalf-Of", "", "X-On-Behalf-Of"},
		{http.MethodGet, agent, "X-On-Behalf-Of", "*", "X-On-Behalf-Of"},
		{http.MethodGet, agent, "X-On-Behalf-Of", "é", "X-On-Behalf-Of"},
		{http.MethodGet, agent, "X-On-Behalf-Of", strings.Repeat("u", 151), "X-On-Behalf-Of"},
		{http.MethodDelete, agent, "Idempotency-Key", "", "Idempotency-Key"},
		{http.MethodDelete, agent, "Idempotency-Key", "é", "Idempotency-Key"},
		{http.MethodDelete, agent, "Idempotency-Key", strings.Repeat("k", 256), "Idempotency-Key"},
		{http.MethodPost, keys, "Idempotency-Key", "k", "Idempotency-Key"},
		{http.MethodDelete, agent, "If-Match", "", "If-Match"},
		{http.MethodDelete, agent, "If-Match", "3.0", "If-Match"},
		{http.MethodDelete, agent, "If-Match", `3"`, "If-Match"},
		{http.MethodDelete, agent, "If-Match", "3 4", "If-Match"},
		{http.MethodDelete, agent, "If-Match", "-3", "If-Match"},
		{http.MethodDelete, agent, "If-Match", `"0"`, "If-Match"},
		{http.MethodDelete, agent, "If-Match", `"03"`, "If-Match"},
		{http.MethodDelete, agent, "If-Match", `v3`, "If-Match"},
		{http.MethodDelete, agent, "If-Match", `"3", x`, "If-Match"},
		{http.MethodDelete, agent, "If-Match", `"3", *`, "If-Match"},
		{http.MethodGet, agents + "?limit=0", "", "", "limit"},
		{http.MethodGet, agents + "?limit=101", "", "", "limit"},
		{http.MethodGet, agents + "?limit=", "", "", "limit"},
		{http.MethodGet, agents + "?limit=ten", "", "", "limit"},
		{http.MethodGet, agents + "?order=up", "", "", "order"},
		{http.MethodGet, agents + "?order=", "", "", "order"},
		{http.MethodGet, agents + "?after=a&before=b", "", "", "before"},
		{http.MethodGet, schedule + "?include_deleted=1", "", "", "include_deleted"},
		{http.MethodGet, runs + "/arun_1/events?starting_after=-1", "", "", "starting_after"},
		{http.MethodGet, runs + "/arun_1/events", "Last-Event-ID", "x", "Last-Event-ID"},
	} {
		r := request(tt.method, tt.path, "")
		if tt.header != "" {
			r.Header.Set(tt.header, tt.value)
		}
		w := answer(h, r)
		name := fmt.Sprint(tt.path, " ", tt.header, ": ", tt.value)
		assert.Equal(t, http.StatusBadRequest, w.Code, name)
		assert.Equal(t, tt.param, failed(t, w).param(), name)
	}

	two := request(http.MethodGet, agent, "", "X-On-Behalf-Of", "ana", "X-On-Behalf-Of", "bob")
	require.Equal(t, "X-On-Behalf-Of", failed(t, answer(h, two)).param())
	unknown := request(http.MethodGet, agent+"?unknown=1", "", "If-Match", `*`)
	refused := failed(t, answer(h, unknown))
	require.Equal(t, "unknown", refused.param())
	require.Equal(t, "unknown: is not a parameter here; there are none", refused.Message)
	refused = failed(t, answer(h, request(http.MethodGet, agents+"?Limit=1", "")))
	require.Equal(t, "Limit", refused.param())
	require.Equal(t, "Limit: is not a parameter here; these are: after, before, count, deleted, end_user, limit, metadata, name, offset, order, q, sort", refused.Message)
}

// A generated client does not mistype: what it sends and we do not know is a
// default of a newer version.
func TestGeneratedClientsMaySendMore(t *testing.T) {
	var ignored []string
	h := newServer(t, errReached, func(c *httpapi.Config) {
		c.OnIgnored = func(route, place string) { ignored = append(ignored, route+" "+place) }
	})
	send := func(method, path, body, agent string) int {
		return answer(h, request(method, path, body, "User-Agent", agent)).Code
	}
	const generated = "speakeasy-sdk/python 0.12.128 2.950.2 1.1.0 meetkai-mka1"
	require.Equal(t, http.StatusServiceUnavailable, send(http.MethodGet, agent+"?new=1", "", generated))
	require.Equal(t, http.StatusServiceUnavailable, send(http.MethodPost, runs, `{"input":"hi","new":{"a":1}}`, generated))
	require.Equal(t, []string{"/api/v1/agents/{agent_id} query", "/api/v1/agents/{agent_id}/runs body"}, ignored)
	require.Equal(t, http.StatusBadRequest, send(http.MethodPost, runs, `{"input":1,"new":1}`, generated), "what is known is checked")
	require.Equal(t, http.StatusBadRequest, send(http.MethodPost, runs, `{"input":"hi","new":1}`, "python-httpx/0.28"))
}

func TestRequestIDs(t *testing.T) {
	h := newServer(t, errReached)
	for id, echoed := range map[string]bool{
		"":                       false,
		"9f1c-22.A_b:c#17":       true,
		strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false,
		"no spaces":              false,
		"<script>":               false,
	} {
		got := answer(h, request(http.MethodGet, "/nowhere", "", "X-Request-ID", id)).Header().Get("X-Request-ID")
		if echoed {
			assert.Equal(t, id, got)
		} else {
			assert.Regexp(t, `^req_[0-9a-f]{32}$`, got, id)
		}
	}
}

func TestAnswersCannotBeMisused(t *testing.T) {
	w := answer(newServer(t, errReached), request(http.MethodGet, agent, ""))
	for name, want := range map[string]string{
		"X-Content-Type-Options":  "nosniff",
		"X-Frame-Options":         "DENY",
		"Referrer-Policy":         "no-referrer",
		"Cache-Control":           "no-store",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		assert.Equal(t, want, w.Header().Get(name), name)
	}
	assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
}

func TestHealth(t *testing.T) {
	var sick error
	h := newServer(t, nil, func(c *httpapi.Config) { c.Ready = func(context.Context) error { return sick } })
	for _, path := range []string{"/healthz", "/readyz"} {
		w := answer(h, request(http.MethodGet, path, ""))
		require.Equal(t, http.StatusOK, w.Code)
		require.JSONEq(t, `{"status":"ok"}`, w.Body.String())
	}
	sick = errors.New("the disk is gone")
	require.Equal(t, http.StatusOK, answer(h, request(http.MethodGet, "/healthz", "")).Code)
	w := answer(h, request(http.MethodGet, "/readyz", ""))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "the server is not ready", failed(t, w).Message)
}

// TestProbes: a process that serves no API says so.
func TestProbes(t *testing.T) {
	h := httpapi.NewProbes(httpapi.Config{
		Ready: func(context.Context) error { return nil }, Metrics: http.NotFoundHandler(),
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return start },
	}, "no API: 100%")
	for _, path := range []string{"/healthz", "/readyz"} {
		require.Equal(t, http.StatusOK, answer(h, request(http.MethodGet, path, "")).Code)
	}
	for _, path := range []string{agents, "/docs", "/openapi.json", "/"} {
		w := answer(h, request(http.MethodGet, path, ""))
		require.Equal(t, http.StatusNotFound, w.Code, path)
		require.Equal(t, "no API: 100%", failed(t, w).Message)
	}
	require.Equal(t, http.StatusMethodNotAllowed, answer(h, request(http.MethodPost, "/healthz", "")).Code)
}

func TestTheAddressLeadsToTheReference(t *testing.T) {
	w := answer(newServer(t, errReached), request(http.MethodGet, "/", ""))
	require.Equal(t, http.StatusFound, w.Code)
	require.Equal(t, "/docs", w.Header().Get("Location"))
	require.Equal(t, "This is Rota. People read /docs, programs /openapi.json; the API is below /api/v1.\n", w.Body.String())

	browser := request(http.MethodGet, "/", "")
	browser.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	w = answer(newServer(t, errReached), browser)
	require.Equal(t, http.StatusFound, w.Code)
	require.Contains(t, w.Header().Get("Content-Type"), "text/html")
}

func TestOnRequest(t *testing.T) {
	var seen []string
	h := newServer(t, errReached, func(c *httpapi.Config) {
		c.OnRequest = func(route, method string, status int, _ time.Duration) {
			seen = append(seen, fmt.Sprint(method, " ", route, " ", status))
		}
	})
	answer(h, request(http.MethodGet, agent, ""))
	answer(h, request(http.MethodHead, agent, ""))
	answer(h, request(http.MethodGet, "/wp-login.php", ""))
	answer(h, request(http.MethodPatch, agents, ""))
	for i := range 100 {
		answer(h, request(fmt.Sprint("M", i), agents, "")) // a label of a metric, if it were taken as it is
	}
	require.Equal(t, "other other 405", seen[len(seen)-1])
	require.Equal(t, []string{
		"GET /api/v1/agents/{agent_id} 503",
		"HEAD /api/v1/agents/{agent_id} 503",
		"GET other 404",
		"PATCH other 405",
		"other other 405",
	}, slices.Compact(seen))
}
