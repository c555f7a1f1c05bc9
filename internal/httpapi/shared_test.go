package httpapi_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/httpapi"
)

// What an end user has on a shared agent does not exist for another one, and nothing of
// it for another account, whatever is asked.
func TestASharedAgentIsSharedWithNobodyElse(t *testing.T) {
	s := newAPI(t)
	acme, globex := s.acme(), s.key("globex", "rk_the-first-key-of-globex")
	ana := acme.as("ana")
	ids := acme.things()
	agent := agents + "/" + ids["agent_id"]
	acme.send(http.MethodPost, agent, `{"visibility":"workspace","tools":[{"type":"mcp","server_label":"notes","server_url":"https://mcp.example.com/canary","authorization":"canary"}]}`).is(http.StatusOK)
	ids["schedule_id"] = strings.TrimPrefix(ana.newSchedule(agent), agent+"/schedules/")
	ids["run_id"] = strings.TrimPrefix(ana.newRun(agent), agent+"/runs/")
	none := maps.Clone(ids)
	none["schedule_id"], none["run_id"] = nowhere["schedule_id"], nowhere["run_id"]
	seen := 0
	for _, r := range httpapi.Routes() {
		if !strings.Contains(r.Path, "{agent_id}") || r.Status == http.StatusNotImplemented {
			continue
		}
		path, body := ids.in(r.Path), ids.in(goodBody[r.OperationID])
		require.Equal(t, http.StatusNotFound, globex.as("ana").send(r.Method, path, body).Status, r.OperationID)
		if strings.Contains(r.Path, "{schedule_id}") || strings.Contains(r.Path, "{run_id}") {
			for _, other := range []caller{acme.as("bob"), acme} {
				theirs, nothing := other.send(r.Method, path, body), other.send(r.Method, none.in(r.Path), none.in(goodBody[r.OperationID]))
				require.Equal(t, http.StatusNotFound, theirs.Status, r.OperationID)
				require.Equal(t, string(nothing.Body), string(theirs.Body), r.OperationID)
			}
		}
		if r.Method == http.MethodGet && !strings.Contains(r.Path, "events") {
			seen++
			require.NotContains(t, string(ana.send(r.Method, path, body).Body), "canary", r.OperationID)
		}
	}
	require.Greater(t, seen, 8)
}

func TestGuestsAreTold(t *testing.T) {
	acme := newAPI(t).acme()
	ana := acme.as("ana")
	created := acme.send(http.MethodPost, agents, `{"name":"a","model":"auto","visibility":"workspace"}`).is(http.StatusCreated)
	agent := agents + "/" + created.id()
	require.Equal(t, "workspace", created.object()["visibility"])
	for _, try := range []struct{ method, path, body string }{
		{http.MethodPost, agent, `{"name":"mine"}`},
		{http.MethodPost, agent, `{"visibility":"private"}`},
		{http.MethodDelete, agent, ""},
		{http.MethodPost, agent + "/restore", ""},
		{http.MethodPost, agent + "/versions/1/rollback", ""},
	} {
		e := refused(ana.send(try.method, try.path, try.body).is(http.StatusForbidden))
		require.Equal(t, "denied", e["code"], try)
		require.Contains(t, e["message"], "shared")
	}
	e := refused(ana.send(http.MethodPost, agents, `{"name":"a","model":"auto","visibility":"workspace"}`).is(http.StatusBadRequest))
	require.Equal(t, "visibility", e["param"])
	e = refused(acme.send(http.MethodPost, agents, `{"name":"a","model":"auto","visibility":"public"}`).is(http.StatusBadRequest))
	require.Equal(t, "visibility", e["param"])
	require.Contains(t, e["message"], "\"private\", \"workspace\"")
	schedule := ana.newSchedule(agent)
	acme.send(http.MethodPost, agent, `{"visibility":"private"}`).is(http.StatusOK)
	ana.send(http.MethodGet, agent, "").is(http.StatusNotFound)
	require.Equal(t, "agent_unshared", ana.send(http.MethodGet, schedule, "").is(http.StatusOK).object()["pause_reason"].(map[string]any)["code"])
	ana.send(http.MethodPost, schedule+"/resume", "").is(http.StatusConflict)
	ana.send(http.MethodDelete, schedule, "").is(http.StatusOK)
}

func refused(r reply) map[string]any { return r.object()["error"].(map[string]any) }
