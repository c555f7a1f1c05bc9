package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/httpapi"
	"github.com/rota-run/rota/internal/ports"
)

// limited makes a key with these limits, as JSON.
func (c caller) limited(limits string) caller {
	c.t.Helper()
	k := c.send(http.MethodPost, keys, `{"name":"limited","rate_limits":`+limits+`}`).is(http.StatusCreated).object()
	return caller{server: c.server, secret: k["secret"].(string)}
}

// passes requires that n requests are let in and the next is not, but may come
// after a number of seconds.
func (c caller) passes(n int, after string) {
	c.t.Helper()
	for range n {
		c.send(http.MethodGet, agents, "").is(http.StatusOK)
	}
	r := c.send(http.MethodGet, agents, "").is(http.StatusTooManyRequests)
	require.Equal(c.t, after, r.Header.Get("Retry-After"))
	require.Equal(c.t, rota.RateLimited, r.failure().Code)
	require.Equal(c.t, "rate_limit_error", r.failure().Type)
}

func TestRateLimits(t *testing.T) {
	s := newAPI(t)
	acme := s.acme()
	c := acme.limited(`["3/minute"]`)
	c.passes(3, "20")
	s.clock.advance(19 * time.Second)
	c.passes(0, "1")
	s.clock.advance(time.Second)
	c.passes(1, "20")
	s.clock.advance(time.Hour)
	c.passes(3, "20")
	require.Contains(t, c.send(http.MethodGet, agents, "").failure().Message, "3/minute")
	acme.send(http.MethodGet, agents, "").is(http.StatusOK) // another key's affair

	s.clock.advance(time.Hour)
	c.send(http.MethodPost, agents, `{}`).is(http.StatusBadRequest) // any request counts
	c.passes(2, "20")
}

// TestEachRateLimitHolds: what one of them refuses is not taken from the others.
func TestEachRateLimitHolds(t *testing.T) {
	s := newAPI(t)
	c := s.acme().limited(`["1/second","4/hour"]`)
	for range 3 {
		c.passes(1, "1")
		s.clock.advance(time.Second)
	}
	c.passes(1, "897")
	s.clock.advance(897 * time.Second)
	c.passes(1, "900")
}

// TestRateLimitsAreShared: processes that have one store count together, and one
// that starts again has not forgotten.
func TestRateLimitsAreShared(t *testing.T) {
	s := newAPI(t)
	c := s.acme().limited(`["3/minute"]`)
	c.send(http.MethodGet, agents, "").is(http.StatusOK)
	c.send(http.MethodGet, agents, "").is(http.StatusOK)
	s.handler = newServer(t, errReached, func(o *httpapi.Config) {
		o.Now, o.Keys, o.Limits = s.clock.Now, s.store.Reader(), &auth.Limiter{Store: ports.Limiter(s.store)}
	})
	c.send(http.MethodGet, agents+"/agent_1", "").is(http.StatusServiceUnavailable)
	s.clock.advance(-time.Hour) // which costs nobody an hour
	c.passes(0, "20")
}

func TestTheServersRateLimit(t *testing.T) {
	acme := newAPI(t, rota.RateLimit{Requests: 2, Per: rota.PerDay}).acme()
	acme.limited(`["1/minute"]`).passes(1, "60") // its own is the one that holds
	acme.passes(1, "43200")
}

func TestRateLimitsMustBeRight(t *testing.T) {
	c := newAPI(t).acme()
	for limits, param := range map[string]string{
		`["0/minute"]`:             "rate_limits.0",
		`["1/minute","1/week"]`:    "rate_limits.1",
		`["1000000/second"]`:       "rate_limits.0",
		`["60 / minute"]`:          "rate_limits.0",
		`["60/minute\n"]`:          "rate_limits.0",
		`[60]`:                     "rate_limits.0",
		`"60/minute"`:              "rate_limits",
		`["1/minute","60/minute"]`: "rate_limits",
		`["1/second","1/minute","1/hour","1/day","1/day"]`: "rate_limits",
	} {
		f := c.send(http.MethodPost, keys, `{"name":"k","rate_limits":`+limits+`}`).is(http.StatusBadRequest).failure()
		require.Equal(t, param, f.param(), limits)
	}
	k := c.send(http.MethodPost, keys, `{"name":"k","rate_limits":["20/second","600/minute"]}`).is(http.StatusCreated).object()
	require.Equal(t, []any{"20/second", "600/minute"}, k["rate_limits"])
	require.Equal(t, []any{}, c.send(http.MethodPost, keys, `{"name":"k"}`).is(http.StatusCreated).object()["rate_limits"])
}

// TestAStoreThatCannotCount: without the store nobody knows what a key has used.
func TestAStoreThatCannotCount(t *testing.T) {
	full := rota.Errorf(rota.Unavailable, "the disk is full")
	h := newServer(t, full, func(o *httpapi.Config) {
		o.Limits.Default = []rota.RateLimit{{Requests: 5, Per: rota.PerHour}}
	})
	require.Equal(t, http.StatusServiceUnavailable, answer(h, request(http.MethodGet, agents, "")).Code)
}

func TestAReachedLimitIsNamed(t *testing.T) {
	s := newAPI(t)
	s.keeper.Server.EndUser.OpenRuns = new(1)
	c := s.acme()
	run := c.newAgent("a") + "/runs"
	c.send(http.MethodPost, run, `{"input":"hi"}`).is(http.StatusCreated)
	r := c.send(http.MethodPost, run, `{"input":"hi"}`).is(http.StatusTooManyRequests)
	require.Equal(t, "10", r.Header.Get("Retry-After"))
	require.Equal(t, rota.LimitReached, r.failure().Code)
	require.Equal(t, map[string]any{"limit": "end_user.open_runs", "used": 1.0, "max": 1.0}, r.failure().Details)
}
