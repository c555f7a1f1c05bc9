package httpapi_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

const allSchedules = "/api/v1/schedules"

// Lists are narrowed, sorted and counted by query parameters, and a word that is not known
// is refused.
func TestFilters(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	add := func(body string) string {
		return c.send(http.MethodPost, agent+"/schedules", `{"schedule":{"type":"interval","interval_seconds":60},"input":"go",`+body+`}`).is(http.StatusCreated).id()
	}
	b, a := add(`"name":"b","metadata":{"team":"ops","k[1]":"&"}`), add(`"name":"a","metadata":{"team":"ops"},"paused":true`)
	for query, want := range map[string][]string{
		"metadata[team]=ops": {a, b},
		"metadata[team]=ops&" + url.QueryEscape("metadata[k[1]]") + "=%26": {b},
		"metadata%5Bteam%5D=dev": nil,
		"name=b":                 {b},
		"pause_reason=manual":    {a},
		"q=GO":                   {a, b},
		"sort=name":              {a, b},
		"sort=name&order=desc":   {b, a},
		"sort=next_run_at":       {b, a},
		"sort=created_at":        {a, b},
	} {
		require.Equal(t, want, read[listed](c.send(http.MethodGet, allSchedules+"?"+query, "").is(http.StatusOK)).ids(), query)
	}
	page := read[listed](c.send(http.MethodGet, allSchedules+"?sort=name&limit=1", "").is(http.StatusOK))
	require.True(t, page.HasMore)
	page = read[listed](c.send(http.MethodGet, allSchedules+"?sort=name&after="+*page.LastID, "").is(http.StatusOK))
	require.Equal(t, []string{b}, page.ids())
	page = read[listed](c.send(http.MethodGet, allSchedules+"?sort=name&before="+*page.FirstID, "").is(http.StatusOK))
	require.Equal(t, []string{a}, page.ids())

	counted := c.send(http.MethodGet, allSchedules+"?count=true&limit=1", "").is(http.StatusOK).object()
	require.Equal(t, 2.0, counted["count"])
	require.NotContains(t, counted, "count_is_minimum")
	require.NotContains(t, c.send(http.MethodGet, allSchedules, "").object(), "count")
	for _, path := range []string{"/api/v1/runs?count=true&q=x&metadata[a]=b", "/api/v1/occurrences?count=true&q=x&phase=failed&error_code=timeout"} {
		require.Equal(t, 0.0, c.send(http.MethodGet, path, "").is(http.StatusOK).object()["count"], path)
	}
}

func TestFiltersRefuse(t *testing.T) {
	c := newAPI(t).acme()
	id := c.newSchedule(c.newAgent("a"))
	id = id[len(id)-37:]
	for target, tt := range map[string]struct{ param, says string }{
		allSchedules + "?metadata=x":                  {"metadata", "metadata[team]=ops"},
		allSchedules + "?metadata[a]=1&metadata[a]=2": {"metadata", "each key once"},
		allSchedules + "?pause_reason=tired":          {"pause_reason", "manual, failures, key_revoked, agent_deleted, agent_unshared"},
		allSchedules + "?status=deleted":              {"status", "active, paused, completed"},
		allSchedules + "?sort=age":                    {"sort", "created_at, name, next_run_at"},
		allSchedules + "?count=yes":                   {"count", "true"},
		allSchedules + "?q=":                          {"q", "1 to 200 characters"},
		allSchedules + "?name=":                       {"name", "1 to 120 characters"},
		allSchedules + "?sort=name&after=" + id:       {"after", "in the same order"},
		allSchedules + "?after=" + id + ".YQ":         {"after", "in the same order"},
		"/api/v1/occurrences?phase=odd":               {"phase", "queued, running"},
		"/api/v1/occurrences?metadata[a]=b":           {"metadata[a]", "is not a parameter here"},
		"/api/v1/runs?sort=name":                      {"sort", "is not a parameter here"},
	} {
		f := c.send(http.MethodGet, target, "").is(http.StatusBadRequest).failure()
		require.Equal(t, tt.param, f.param(), target)
		require.Contains(t, f.Message, tt.says, target)
	}
}

// The forecast of an end user, or of everybody, is for those who may see them.
func TestForecastOfEndUsers(t *testing.T) {
	s := newAPI(t)
	c := s.acme()
	c.newSchedule(c.newAgent("a"))
	all := s.key("acme", "rk_that-sees-the-whole-account", rota.ReadAgents, rota.ReadAccount)
	c.send(http.MethodGet, "/api/v1/forecast?end_user=*", "").is(http.StatusForbidden)
	total := func(query string) float64 {
		return all.send(http.MethodGet, "/api/v1/forecast"+query, "").is(http.StatusOK).object()["total"].(float64)
	}
	require.Positive(t, total(""))
	require.Equal(t, total(""), total("?end_user=*"))
	require.Zero(t, total("?end_user=ana"))
	all.send(http.MethodGet, "/api/v1/forecast?end_user=", "").is(http.StatusBadRequest)
}

// Agents are found by what people write of them, across end users by whoever may.
func TestAgentFilters(t *testing.T) {
	s := newAPI(t)
	c := s.operator("acme")
	add := func(c caller, body string) string {
		return c.send(http.MethodPost, agents, body).is(http.StatusCreated).id()
	}
	clerk := add(c, `{"name":"Clerk","model":"m","instructions":"You sum up the NEWS.","metadata":{"team":"ops"}}`)
	aide := add(c.as("ana"), `{"name":"Aide","model":"m","metadata":{"team":"ops","env":"live"}}`)
	baker := add(c.as("bo"), `{"name":"Baker","model":"large"}`)
	for query, want := range map[string][]string{
		"":                                 {clerk},
		"?name=Clerk":                      {clerk},
		"?name=clerk":                      {},
		"?q=news":                          {clerk},
		"?metadata[team]=ops":              {clerk},
		"?metadata[team]=dev":              {},
		"?end_user=ana":                    {aide},
		"?end_user=*&sort=name":            {aide, baker, clerk},
		"?end_user=*&sort=name&order=desc": {clerk, baker, aide},
		"?end_user=*&order=asc":            {clerk, aide, baker},
		"?end_user=*&metadata[team]=ops&order=asc": {clerk, aide},
		"?end_user=*&q=LARGE":                      {baker},
		"?end_user=*&deleted=true":                 {},
	} {
		require.Equal(t, want, append([]string{}, read[listed](c.send(http.MethodGet, agents+query, "").is(http.StatusOK)).ids()...), query)
	}
	counted := c.send(http.MethodGet, agents+"?end_user=*&count=true&limit=1", "").is(http.StatusOK).object()
	require.Equal(t, 3.0, counted["count"])
	require.Equal(t, "bo", counted["data"].([]any)[0].(map[string]any)["end_user"])
	for query, param := range map[string]string{"?sort=next_run_at": "sort", "?q=": "q", "?name=": "name", "?metadata=x": "metadata", "?end_user=": "end_user"} {
		require.Equal(t, param, c.send(http.MethodGet, agents+query, "").is(http.StatusBadRequest).param(), query)
	}
	require.Equal(t, "end_user", s.acme().send(http.MethodGet, agents+"?end_user=*", "").is(http.StatusForbidden).param())
	c.as("ana").send(http.MethodGet, agents+"?end_user=bo", "").is(http.StatusForbidden)
}
