package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// acrossPaths are the lists across agents.
var acrossPaths = []string{"/api/v1/runs", "/api/v1/occurrences", "/api/v1/schedules"}

// operator returns a key that may see what all end users of an account have.
func (s *server) operator(account string) caller {
	s.t.Helper()
	return s.key(account, "rk_the-key-of-the-operator-of-"+account, append(rota.DefaultScopes(), rota.ReadAPIKeys, rota.WriteAPIKeys, rota.ReadAccount)...)
}

// owners returns whose the rows of a list are.
func (c caller) owners(path string) []any {
	c.t.Helper()
	all := []any{}
	for _, row := range read[struct{ Data []map[string]any }](c.send(http.MethodGet, path, "").is(http.StatusOK)).Data {
		require.Contains(c.t, row, "end_user")
		all = append(all, row["end_user"])
	}
	return all
}

// triggered makes an agent with a schedule and a run of it.
func (c caller) triggered() {
	c.t.Helper()
	c.send(http.MethodPost, c.newSchedule(c.newAgent("a"))+"/trigger", "").is(http.StatusOK)
}

func TestListsAcrossEndUsers(t *testing.T) {
	s := newAPI(t)
	acme, globex := s.operator("acme"), s.operator("globex")
	for _, c := range []caller{acme, acme.as("ana"), acme.as("bo"), globex, globex.as("ana")} {
		c.triggered()
	}
	for _, path := range acrossPaths {
		require.Equal(t, []any{nil}, acme.owners(path), path)
		require.Equal(t, []any{"ana"}, acme.as("ana").owners(path), path)
		require.Equal(t, []any{"ana"}, acme.owners(path+"?end_user=ana"), path)
		require.Equal(t, []any{"ana"}, acme.as("ana").owners(path+"?end_user=ana"), path)
		require.ElementsMatch(t, []any{nil, "ana", "bo"}, acme.owners(path+"?end_user=*"), path)
		require.ElementsMatch(t, []any{nil, "ana"}, globex.owners(path+"?end_user=*"), path)
		require.Equal(t, []any{}, acme.owners(path+"?end_user=eve"), path)

		for _, query := range []string{"?end_user=bo", "?end_user=*"} {
			refused := acme.as("ana").send(http.MethodGet, path+query, "").is(http.StatusForbidden)
			require.Equal(t, "end_user", *refused.failure().Param, path)
		}
		for _, query := range []string{"?end_user=", "?end_user=%C3%A9"} {
			require.Equal(t, "end_user", *acme.send(http.MethodGet, path+query, "").is(http.StatusBadRequest).failure().Param, path)
		}
	}
}

func TestSchedulesOfAllEndUsersHaveTheirRecentOccurrences(t *testing.T) {
	c := newAPI(t).operator("acme")
	c.triggered()
	c.as("ana").triggered()
	list := read[struct{ Data []map[string]any }](c.send(http.MethodGet, "/api/v1/schedules?end_user=*&expand=recent", "").is(http.StatusOK))
	require.Len(t, list.Data, 2)
	for _, s := range list.Data {
		require.Len(t, s["recent"], 1)
	}
}

func TestListsAcrossEndUsersNeedTheirScope(t *testing.T) {
	s := newAPI(t)
	acme, app := s.operator("acme"), s.acme()
	acme.as("ana").triggered()
	for _, path := range acrossPaths {
		for _, query := range []string{"?end_user=ana", "?end_user=*"} {
			refused := app.send(http.MethodGet, path+query, "").is(http.StatusForbidden)
			require.Contains(t, refused.failure().Message, "read:account", path)
		}
		require.Equal(t, []any{}, app.owners(path))
	}
	app.send(http.MethodGet, "/api/v1/end-users", "").is(http.StatusForbidden)
	acme.as("ana").send(http.MethodGet, "/api/v1/end-users", "").is(http.StatusForbidden)
}

func TestFiltersAcrossAgents(t *testing.T) {
	c := newAPI(t).operator("acme")
	c.triggered()
	c.newRun(c.newAgent("b"))
	for query, want := range map[string]int{
		"/api/v1/runs": 2, "/api/v1/runs?trigger=manual": 1, "/api/v1/runs?trigger=api&phase=queued": 1, "/api/v1/runs?phase=failed": 0,
		"/api/v1/runs?error_code=timeout": 0, "/api/v1/runs?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z": 2, "/api/v1/runs?to=2000-01-01T00:00:00Z": 0,
		"/api/v1/runs?agent_id=agt_none": 0, "/api/v1/runs?schedule_id=asch_none": 0,
		"/api/v1/occurrences": 1, "/api/v1/occurrences?outcome=fired&trigger=manual": 1, "/api/v1/occurrences?trigger=schedule": 0,
		"/api/v1/occurrences?from=2100-01-01T00:00:00Z": 0, "/api/v1/occurrences?agent_id=agt_none": 0,
	} {
		require.Len(t, c.owners(query), want, query)
	}
	for query, param := range map[string]string{
		"/api/v1/runs?phase=done": "phase", "/api/v1/runs?trigger=cron": "trigger", "/api/v1/runs?from=yesterday": "from", "/api/v1/occurrences?trigger=api": "trigger",
		"/api/v1/end-users?after=%C3%A9": "after", "/api/v1/runs?after=ana": "after",
	} {
		require.Equal(t, param, *c.send(http.MethodGet, query, "").is(http.StatusBadRequest).failure().Param, query)
	}
}

// A span that began before what is asked for is an answer to "why was there nothing?".
func TestSpansReachIntoListsAcrossSchedules(t *testing.T) {
	s := newAPI(t)
	c := s.acme()
	path := c.newSchedule(c.newAgent("a"))
	c.send(http.MethodPost, path+"/pause", "").is(http.StatusOK)
	s.clock.advance(5 * time.Hour)
	c.send(http.MethodPost, path+"/resume", "").is(http.StatusOK)
	all := read[struct{ Data []map[string]any }](c.send(http.MethodGet, "/api/v1/occurrences", "").is(http.StatusOK)).Data
	require.Len(t, all, 1)
	require.EqualValues(t, 5, all[0]["count"])
	for at, want := range map[string]int{"scheduled_until": 1, "recorded_at": 0} {
		require.Len(t, c.owners("/api/v1/occurrences?from="+all[0][at].(string)), want, at)
	}
}

func TestEndUsers(t *testing.T) {
	c := newAPI(t).operator("acme")
	c.triggered()
	for _, user := range []string{"bo", "ana"} {
		c.as(user).triggered()
	}
	list := read[struct{ Data []map[string]any }](c.send(http.MethodGet, "/api/v1/end-users?limit=1", "").is(http.StatusOK))
	require.Len(t, list.Data, 1)
	require.Equal(t, "ana", list.Data[0]["end_user"])
	for field, want := range map[string]any{"object": "end_user", "agents": 1.0, "active_schedules": 1.0, "paused_schedules": 0.0, "open_runs": 1.0} {
		require.Equal(t, want, list.Data[0][field], field)
	}
	require.Equal(t, []any{"bo"}, c.owners("/api/v1/end-users?after=ana"))
	require.Equal(t, []any{"bo", "ana"}, c.owners("/api/v1/end-users?order=desc"))
}

func TestKeyInUse(t *testing.T) {
	s := newAPI(t).withTokens()
	acme := s.acme()
	made := acme.send(http.MethodPost, keys, `{"name":"app","scopes":["read:agents","write:agents"],"rate_limits":["9/minute"]}`).is(http.StatusCreated).object()
	app := caller{server: s, secret: made["secret"].(string)}
	own := app.send(http.MethodGet, keys+"/self", "").is(http.StatusOK).object()
	delete(made, "secret")
	require.Equal(t, made, own)

	own = app.exchanged("ana", `,"permissions":["read:agents"]`).send(http.MethodGet, keys+"/self", "").is(http.StatusOK).object()
	require.Equal(t, made["id"], own["id"])
	require.Equal(t, "ana", own["end_user"])
	require.Equal(t, []any{"read:agents"}, own["scopes"])
	require.NotNil(t, own["expires_at"])
}
