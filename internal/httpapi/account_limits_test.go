package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

const acmeLimits = "/api/v1/accounts/acme/limits"

// root makes a key of acme with every scope.
func (s *server) root() caller {
	return s.key("acme", "rk_the-key-with-every-scope", rota.AllScopes()...)
}

func TestLimitsOfAnAccount(t *testing.T) {
	s := newAPI(t)
	s.keeper.Server.EndUser.OpenRuns = new(5)
	c := s.root()
	none := map[string]any{"workers": nil, "open_runs": nil, "requests": nil, "bytes": nil}
	server := map[string]any{"workers": nil, "open_runs": 5.0, "requests": nil, "bytes": nil}
	l := c.send(http.MethodGet, acmeLimits, "").is(http.StatusOK).object()
	require.Equal(t, "acme", l["id"])
	require.Equal(t, server, l["end_user"])
	require.Equal(t, none, l["account"])
	require.Equal(t, map[string]any{"end_user": none, "account": none}, l["own"])
	require.Nil(t, l["used_by_end_user"])

	set := c.send(http.MethodPut, acmeLimits, `{"end_user":{"open_runs":1,"requests":["7/day"]},"account":{"workers":9,"bytes":100000}}`).is(http.StatusOK).object()
	require.Equal(t, map[string]any{"workers": nil, "open_runs": 1.0, "requests": []any{"7/day"}, "bytes": nil}, set["end_user"])
	require.Equal(t, map[string]any{"workers": 9.0, "open_runs": nil, "requests": nil, "bytes": 100000.0}, set["account"])

	ana := c.as("ana")
	run := ana.newAgent("a") + "/runs"
	ana.send(http.MethodPost, run, `{"input":"hi"}`).is(http.StatusCreated)
	ana.send(http.MethodPost, run, `{"input":"hi"}`).is(http.StatusTooManyRequests)
	for known := int64(0); known <= 1500; { // an agent, its version and a run; a count that is slow goes on with each call
		stored, err := s.keeper.Count(t.Context(), rota.Owner{Account: "acme", EndUser: "ana"})
		require.NoError(t, err)
		known = stored.EndUser
	}
	l = c.send(http.MethodGet, acmeLimits+"?end_user=ana", "").is(http.StatusOK).object()
	used := l["used_by_end_user"].(map[string]any)
	require.Greater(t, used["bytes"], 1500.0)
	require.Equal(t, 1.0, used["open_runs"])
	require.Equal(t, []any{map[string]any{"limit": "7/day", "used": 3.0}}, used["requests"])
	require.Equal(t, used["bytes"], l["used"].(map[string]any)["bytes"])

	back := c.send(http.MethodPut, acmeLimits, `{}`).is(http.StatusOK).object()
	require.Equal(t, server, back["end_user"])
	ana.send(http.MethodPost, run, `{"input":"hi"}`).is(http.StatusCreated)
}

func TestWhoMaySetLimits(t *testing.T) {
	s := newAPI(t)
	root := s.root()
	root.send(http.MethodPut, "/api/v1/accounts/globex/limits", `{"account":{"bytes":5000,"requests":["100/minute"]}}`).is(http.StatusOK)
	root.send(http.MethodGet, "/api/v1/accounts/gl%20obex/limits", "").is(http.StatusNotFound)
	root.as("ana").send(http.MethodGet, acmeLimits, "").is(http.StatusForbidden)

	admin, path := s.key("globex", "rk_the-admin-of-globex", rota.ReadAccount, rota.WriteAccount), "/api/v1/accounts/globex/limits"
	admin.send(http.MethodGet, acmeLimits, "").is(http.StatusForbidden)
	admin.send(http.MethodPut, acmeLimits, `{}`).is(http.StatusForbidden)
	for body, field := range map[string]string{
		`{"account":{"bytes":5001,"requests":["100/minute"]}}`: "account.bytes",
		`{"account":{"bytes":0,"requests":["100/minute"]}}`:    "account.bytes",
		`{"account":{"bytes":5000}}`:                           "account.requests",
		`{}`:                                                   "account.bytes",
	} {
		require.Equal(t, field, admin.send(http.MethodPut, path, body).is(http.StatusForbidden).failure().param(), body)
	}
	admin.send(http.MethodPut, path, `{"end_user":{"bytes":100,"open_runs":7},"account":{"bytes":4000,"requests":["50/minute"]}}`).is(http.StatusOK)
	s.key("globex", "rk_a-reader-of-globex", rota.ReadAccount).send(http.MethodPut, path, `{}`).is(http.StatusForbidden)
	s.key("globex", "rk_another-of-globex").send(http.MethodGet, path, "").is(http.StatusForbidden)
}

func TestWrongAccountLimits(t *testing.T) {
	c := newAPI(t).root()
	for body, param := range map[string]string{
		`{"account":{"bytes":-1}}`:                          "account.bytes",
		`{"account":{"bytes":1.5}}`:                         "account.bytes",
		`{"end_user":{"workers":"many"}}`:                   "end_user.workers",
		`{"end_user":{"requests":["600 a minute"]}}`:        "end_user.requests.0",
		`{"end_user":{"requests":["1/minute","2/minute"]}}`: "end_user.requests",
		`{"user":{}}`:               "user",
		`{"account":{"threads":1}}`: "account.threads",
		`{"account":5}`:             "account",
	} {
		require.Equal(t, param, c.send(http.MethodPut, acmeLimits, body).is(http.StatusBadRequest).failure().param(), body)
	}
}

// TestRequestsOfAnEndUser: all keys and tokens of an end user count together, and what
// one limit refuses is not taken from another.
func TestRequestsOfAnEndUser(t *testing.T) {
	s := newAPI(t)
	s.keeper.Server.EndUser.Requests = []rota.RateLimit{{Requests: 3, Per: rota.PerMinute}}
	s.keeper.Server.Account.Requests = []rota.RateLimit{{Requests: 5, Per: rota.PerHour}}
	one, two := s.acme(), s.key("acme", "rk_the-second-key-of-acme")
	one.as("ana").send(http.MethodGet, agents, "").is(http.StatusOK)
	two.as("ana").passes(2, "20")
	r := one.as("ana").send(http.MethodGet, agents, "").is(http.StatusTooManyRequests)
	require.Equal(t, map[string]any{"limit": "end_user.requests", "used": 3.0, "max": 3.0}, r.failure().Details)
	require.Contains(t, r.failure().Message, "(limits.end_user.requests)")

	one.as("bo").passes(2, "720")
	r = one.send(http.MethodGet, agents, "").is(http.StatusTooManyRequests)
	require.Equal(t, "account.requests", r.failure().Details.(map[string]any)["limit"])
	s.key("globex", "rk_a-key-of-globex").send(http.MethodGet, agents, "").is(http.StatusOK)

	s.keeper.Set("acme", rota.AllLimits{Account: rota.Limits{Requests: []rota.RateLimit{}}})
	one.send(http.MethodGet, agents, "").is(http.StatusOK)
	s.clock.advance(20 * time.Second)
	one.as("ana").passes(1, "20")
}

// TestStoredBytesAreLimited: who has stored as much as it may gets 429 for whatever
// would store more, and can still read, pause, cancel and delete.
func TestStoredBytesAreLimited(t *testing.T) {
	synctest.Test(t, storedBytesAreLimited) // so that what is stored is counted anew each time
}

func storedBytesAreLimited(t *testing.T) {
	s := newAPI(t)
	s.keeper.Server.EndUser.Bytes = new(int64(20_000))
	c := s.root()
	ana := c.as("ana")
	agent := ana.newAgent("a")
	large := `{"input":"` + strings.Repeat("x", 10_000) + `"}`
	key := []string{"Idempotency-Key", "k"}
	first := ana.send(http.MethodPost, agent+"/runs", large, key...).is(http.StatusCreated)
	schedule := agent + "/schedules/" + ana.send(http.MethodPost, agent+"/schedules", `{"key":"daily","input":"hi","schedule":{"type":"interval","interval_seconds":60}}`).is(http.StatusCreated).id()
	run := agent + "/runs/" + ana.send(http.MethodPost, agent+"/runs", large).is(http.StatusCreated).id()

	for request, body := range map[string]string{
		"POST " + agents:                `{"name":"b","model":"m"}`,
		"POST " + agent:                 `{"name":"c"}`,
		"PUT /api/v1/agents/by-key/k":   `{"name":"b","model":"m"}`,
		"POST " + agent + "/runs":       `{"input":"hi"}`,
		"POST " + agent + "/schedules":  `{"input":"hi","schedule":{"type":"interval","interval_seconds":60}}`,
		"POST " + schedule:              `{"input":"hello"}`,
		"POST " + schedule + "/trigger": ``,
	} {
		method, path, _ := strings.Cut(request, " ")
		f := ana.send(method, path, body).is(http.StatusTooManyRequests).failure()
		require.Equal(t, rota.LimitReached, f.Code, request)
		require.Equal(t, "end_user.bytes", f.Details.(map[string]any)["limit"], request)
		require.Greater(t, f.Details.(map[string]any)["used"], 20_000.0)
		require.Contains(t, f.Message, "limits.end_user.bytes")
	}
	again := ana.send(http.MethodPost, agent+"/runs", large, key...).is(http.StatusCreated)
	require.Equal(t, first.id(), again.id(), "it has been stored already")
	c.as("bo").newAgent("a")

	ana.send(http.MethodGet, schedule, "").is(http.StatusOK)
	for _, smaller := range []string{
		`{"input":"h"}`, `{"schedule":{"type":"interval","interval_seconds":86400}}`, `{"policy":{"max_runs":1,"overlap":"buffer_one"}}`, `{}`,
	} {
		ana.send(http.MethodPost, schedule, smaller).is(http.StatusOK)
	}
	ana.send(http.MethodPut, agent+"/schedules/by-key/daily", `{"input":"h","schedule":{"type":"interval","interval_seconds":86400}}`).is(http.StatusOK)
	ana.send(http.MethodPut, agent+"/schedules/by-key/daily", `{"input":"hello","schedule":{"type":"interval","interval_seconds":86400}}`).is(http.StatusTooManyRequests)
	ana.send(http.MethodPut, agent+"/schedules/by-key/other", `{"input":"h","schedule":{"type":"interval","interval_seconds":86400}}`).is(http.StatusTooManyRequests)

	used := c.send(http.MethodGet, acmeLimits+"?end_user=ana", "").is(http.StatusOK).object()["used_by_end_user"].(map[string]any)["bytes"].(float64)
	s.keeper.Server.EndUser.Bytes = new(int64(used)) // and up to a tenth more may be stored
	ana.send(http.MethodPost, agent, `{"model":"another-model","fallback_models":["m"]}`).is(http.StatusOK)
	ana.send(http.MethodPost, agent, `{"model":"a-third-model","name":"c"}`).is(http.StatusTooManyRequests)
	s.keeper.Server.EndUser.Bytes = new(int64(20_000))
	ana.send(http.MethodPost, agent, `{"model":"a-third-model"}`).is(http.StatusTooManyRequests) // a tenth more is stored already
	ana.send(http.MethodPost, schedule+"/pause", "").is(http.StatusOK)
	ana.send(http.MethodPost, run+"/cancel", "").is(http.StatusOK)
	ana.send(http.MethodDelete, schedule, "").is(http.StatusOK)
	c.send(http.MethodPut, acmeLimits, `{"end_user":{"bytes":0}}`).is(http.StatusOK)
	ana.send(http.MethodPost, agent+"/runs", `{"input":"hi"}`).is(http.StatusCreated)
}
