package httpapi_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPutAgent(t *testing.T) {
	c := newAPI(t).acme()
	const path = agents + "/by-key/brief%20for%2042"
	c.send(http.MethodGet, path, "").is(http.StatusNotFound)
	made := c.send(http.MethodPut, path, `{"name":"Brief","model":"auto","description":"of 42","metadata":{"a":"1"}}`).is(http.StatusCreated)
	require.Equal(t, agents+"/"+made.id(), made.Header.Get("Location"))
	require.Equal(t, "brief for 42", made.object()["key"])

	// An equal one changes nothing; another one is a new version in which what is
	// left out has its default.
	same := c.send(http.MethodPut, path, `{"metadata":{"a":"1"},"model":"auto","name":"Brief","description":"of 42","key":"brief for 42"}`).is(http.StatusOK)
	require.JSONEq(t, string(made.Body), string(same.Body))
	require.Empty(t, same.Header.Get("Location"))
	after := c.send(http.MethodPut, path, `{"name":"Brief","model":"m"}`).is(http.StatusOK).object()
	require.Equal(t, []any{made.id(), 2.0, "m", nil, map[string]any{}}, []any{after["id"], after["version"], after["model"], after["description"], after["metadata"]})
	require.Equal(t, "brief for 42", c.send(http.MethodGet, path, "").is(http.StatusOK).object()["key"])

	// Nobody else gets the key, until the agent is deleted. Then it cannot come back.
	taken := c.send(http.MethodPost, agents, `{"name":"a","model":"auto","key":"brief for 42"}`).is(http.StatusConflict)
	require.Equal(t, "key", taken.param())
	at := agents + "/" + made.id()
	c.send(http.MethodDelete, at, "").is(http.StatusOK)
	c.send(http.MethodGet, path, "").is(http.StatusNotFound)
	next := c.send(http.MethodPut, path, `{"name":"Brief","model":"m"}`).is(http.StatusCreated)
	require.NotEqual(t, made.id(), next.id())
	require.Contains(t, string(c.send(http.MethodPost, at+"/restore", "").is(http.StatusConflict).Body), next.id())
	c.send(http.MethodDelete, agents+"/"+next.id(), "").is(http.StatusOK)
	c.send(http.MethodPost, at+"/restore", "").is(http.StatusOK)
	require.Equal(t, made.id(), c.send(http.MethodGet, path, "").is(http.StatusOK).id())
}

func TestPutSchedule(t *testing.T) {
	s := newAPI(t)
	c := s.acme()
	agent := c.newAgent("a")
	path := agent + "/schedules/by-key/nightly"
	const body = `{"schedule":{"type":"cron","cron_expression":"0 9 * * *","timezone":"Europe/Madrid"},"input":"hi","description":"d","policy":{"max_runs":7}}`
	made := c.send(http.MethodPut, path, body).is(http.StatusCreated)
	at := agent + "/schedules/" + made.id()
	require.Equal(t, at, made.Header.Get("Location"))
	require.Equal(t, "d", made.object()["description"])

	// What it has gone through stays.
	next := made.object()["next_run_at"].(string)
	c.send(http.MethodPost, at+"/skip", `{"scheduled_for":"`+next+`"}`).is(http.StatusOK)
	before := c.send(http.MethodPost, at+"/trigger", "").is(http.StatusOK)
	require.Equal(t, "fired", before.object()["outcome"])
	same := c.send(http.MethodPut, path, body).is(http.StatusOK).object()
	require.Equal(t, []any{2.0, 1.0, []any{next}, next}, []any{same["version"], same["run_count"], same["skips"], same["next_run_at"]})

	c.send(http.MethodPost, at+"/pause", `{"note":"by hand"}`).is(http.StatusOK)
	changed := c.send(http.MethodPut, path, strings.Replace(body, "hi", "ho", 1)).is(http.StatusOK).object()
	require.Equal(t, []any{"paused", 4.0, "ho", 1.0}, []any{changed["status"], changed["version"], changed["input"], changed["run_count"]})
	require.Equal(t, "by hand", changed["pause_reason"].(map[string]any)["note"])
	plain := c.send(http.MethodPut, path, everyHour).is(http.StatusOK).object()
	require.Equal(t, []any{nil, "paused", []any{}}, []any{plain["description"], plain["status"], plain["skips"]})
	require.Nil(t, plain["policy"].(map[string]any)["max_runs"], "what is left out has its default")

	// An interval is counted from where it was.
	c.send(http.MethodPost, at+"/resume", "").is(http.StatusOK)
	first := c.send(http.MethodGet, at, "").is(http.StatusOK).object()["next_run_at"]
	s.clock.advance(90_000_000_000)
	require.Equal(t, first, c.send(http.MethodPut, path, everyHour).is(http.StatusOK).object()["next_run_at"])

	// A deleted one gives its key back.
	c.send(http.MethodDelete, at, "").is(http.StatusOK)
	require.NotEqual(t, made.id(), c.send(http.MethodPut, path, everyHour).is(http.StatusCreated).id())
}

func TestPutIsForOneVersionOnly(t *testing.T) {
	c := newAPI(t).acme()
	const body = `{"name":"a","model":"auto"}`
	c.send(http.MethodPut, agents+"/by-key/k", body, "If-Match", `"1"`).is(http.StatusPreconditionFailed)
	c.send(http.MethodPut, agents+"/by-key/k", body, "Idempotency-Key", "i").is(http.StatusCreated)
	again := c.send(http.MethodPut, agents+"/by-key/k", body, "Idempotency-Key", "i").is(http.StatusCreated)
	require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	c.send(http.MethodPut, agents+"/by-key/k", body, "If-Match", `"1"`).is(http.StatusOK)
	c.send(http.MethodPut, agents+"/by-key/k", body, "If-Match", `"2"`).is(http.StatusPreconditionFailed)
}

func TestKeysThatCannotBe(t *testing.T) {
	c := newAPI(t).acme()
	for _, key := range []string{"%20a", "a%20", "a.", "%C3%A9", "a%0Ab", strings.Repeat("k", 121)} {
		refused := c.send(http.MethodPut, agents+"/by-key/"+key, `{"name":"a","model":"auto"}`).is(http.StatusBadRequest)
		require.Equal(t, "key", refused.param(), key)
	}
	for _, body := range []string{`{"name":"a","model":"auto","key":"other"}`, `{"name":"a","model":"auto","key":"a."}`, `{"name":"a","model":"auto","key":""}`} {
		refused := c.send(http.MethodPut, agents+"/by-key/k", body).is(http.StatusBadRequest)
		require.Equal(t, "key", refused.param(), body)
	}
	c.send(http.MethodPut, agents+"/by-key/a%2F..%2Fb", `{"name":"a","model":"auto"}`).is(http.StatusCreated)
	c.send(http.MethodPut, agents+"/by-key/"+strings.Repeat("k", 120), `{"name":"a","model":"auto","key":null}`).is(http.StatusCreated)
}

func TestASchedulesPauseCanBeItsBeginning(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	const with = `{"schedule":{"type":"interval","interval_seconds":60},"input":"hi",`
	s := c.send(http.MethodPost, agent+"/schedules", with+`"paused":true,"note":"not yet"}`).is(http.StatusCreated).object()
	require.Equal(t, []any{"paused", nil}, []any{s["status"], s["next_run_at"]})
	require.Subset(t, s["pause_reason"], map[string]any{"code": "manual", "note": "not yet"})
	for _, tt := range []string{with + `"note":"why"}`, with + `"paused":false,"note":"why"}`} {
		refused := c.send(http.MethodPost, agent+"/schedules", tt).is(http.StatusBadRequest)
		require.Equal(t, "note", refused.param())
		c.send(http.MethodPut, agent+"/schedules/by-key/k", tt).is(http.StatusBadRequest)
	}
	s = c.send(http.MethodPost, agent+"/schedules", with+`"paused":null,"note":null}`).is(http.StatusCreated).object()
	require.Equal(t, "active", s["status"])
}

func TestPutsAtOnceMakeOne(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	var all sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		all.Go(func() {
			r := c.send(http.MethodPut, agent+"/schedules/by-key/k", everyHour)
			ids[i] = r.id()
		})
	}
	all.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
}

func TestSchedulesSayWhatTheyHaveDoneAndWhatIsLeft(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	at := agent + "/schedules/" + c.send(http.MethodPut, agent+"/schedules/by-key/k",
		`{"schedule":{"type":"interval","interval_seconds":3600},"input":"hi","policy":{"max_runs":3,"jitter_seconds":600,"overlap":"allow_all"}}`).is(http.StatusCreated).id()
	first := c.send(http.MethodPost, at+"/trigger", "").is(http.StatusOK).id()
	second := c.send(http.MethodPost, at+"/trigger", "").is(http.StatusOK).id()
	s := c.send(http.MethodGet, at, "").is(http.StatusOK).object()
	require.Equal(t, 1.0, s["remaining_runs"])
	require.NotContains(t, s, "recent")
	coming := c.send(http.MethodGet, at+"/upcoming", "").is(http.StatusOK).object()["data"].([]any)[0]
	require.Subset(t, coming, map[string]any{"scheduled_for": s["next_run_at"], "starts_at": s["starts_at"]})
	require.Greater(t, s["starts_at"], s["next_run_at"])

	for _, path := range []string{at, agent + "/schedules/by-key/k", agent + "/schedules", "/api/v1/schedules"} {
		got := c.send(http.MethodGet, path+"?expand=recent", "").is(http.StatusOK).object()
		if list, ok := got["data"].([]any); ok {
			got = list[0].(map[string]any)
		}
		recent := got["recent"].([]any)
		require.Len(t, recent, 2, path)
		require.Subset(t, recent[0], map[string]any{"id": second, "outcome": "fired", "run": map[string]any{"phase": "queued", "error_code": nil}})
		require.Subset(t, recent[1], map[string]any{"id": first})
	}
	require.Equal(t, "expand", c.send(http.MethodGet, at+"?expand=runs", "").is(http.StatusBadRequest).param())

	// Which jitter a schedule will have cannot be known before it has an id.
	for jitter, want := range map[string]any{"60": nil, "0": "2026-12-01T09:00:00.000Z"} {
		p := c.send(http.MethodPost, "/api/v1/schedules/preview", `{"schedule":{"type":"once","run_at":"2026-12-01T09:00:00Z"},"policy":{"jitter_seconds":`+jitter+`}}`).is(http.StatusOK)
		require.Equal(t, want, p.object()["data"].([]any)[0].(map[string]any)["starts_at"])
	}
}
