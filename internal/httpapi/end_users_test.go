package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

const endUsers = "/api/v1/end-users/"

// lines returns the objects of an export by their kinds, in order, and the last.
func lines(t *testing.T, body []byte) (kinds []string, last map[string]any) {
	t.Helper()
	scan := bufio.NewScanner(bytes.NewReader(body))
	for scan.Scan() {
		last = nil
		require.NoError(t, json.Unmarshal(scan.Bytes(), &last))
		kind, _ := last["object"].(string) // items have none
		kinds = append(kinds, kind)
	}
	return kinds, last
}

// TestDeleteEndUser: everything of one end user goes, and nothing of anybody else.
func TestDeleteEndUser(t *testing.T) {
	s := newAPI(t)
	acme, globex := s.key("acme", "rk_the-operator-of-acme", rota.AllScopes()...), s.key("globex", "rk_the-operator-of-globex", rota.AllScopes()...)
	const odd = "ana/7 %"
	for _, c := range []caller{acme, acme.as("bo"), globex.as("ana"), globex} {
		ids := c.things()
		defer c.unchanged(ids)
	}
	for _, user := range []string{"ana", odd} {
		ana := acme.as(user)
		ids := ana.things()
		ana.triggered()
		gone := ana.send(http.MethodDelete, ids.in(agents+"/{agent_id}/schedules/{schedule_id}"), "")
		gone.is(http.StatusOK)
		ana.send(http.MethodDelete, ana.newAgent("gone"), "").is(http.StatusOK)
		secret := acme.send(http.MethodPost, keys, `{"name":"k","end_user":`+string(mustJSON(t, user))+`}`).is(http.StatusCreated).object()["secret"].(string)
		theirs := acme
		theirs.secret = secret
		theirs.send(http.MethodGet, agents, "").is(http.StatusOK)

		path := endUsers + strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(user, "%", "%25"), "/", "%2F"), " ", "%20")
		export := acme.send(http.MethodGet, path+"/export", "").is(http.StatusOK)
		require.Equal(t, "application/jsonl", export.Header.Get("Content-Type"))
		require.NotContains(t, string(export.Body), secret)
		require.NotContains(t, string(export.Body), "canary")
		kinds, last := lines(t, export.Body)
		require.Equal(t, "end_user.export end_user.export.end", kinds[0]+" "+kinds[len(kinds)-1])
		require.Equal(t, float64(len(kinds)-2), last["lines"])
		count := map[string]int{}
		for _, k := range kinds {
			count[k]++
		}
		require.Equal(t, map[string]int{
			"end_user.export": 1, "end_user.export.end": 1, "agent": 3, "agent.version": 3, "agent.function_tool": 1, "agent.schedule": 2,
			"schedule.occurrence": 2, "agent.run": 4, "key": 1, "response": 1, "conversation": 1, "mcp.server": 1, "mcp.credential": 1, "memory_store": 1, "memory_entry": 1, "": 2, // two items
		}, count)

		report := acme.send(http.MethodDelete, path, "").is(http.StatusOK).object()
		require.Equal(t, map[string]any{
			"object": "end_user.deleted", "id": user, "deleted": true, "agents": 3.0, "versions": 3.0, "schedules": 2.0, "occurrences": 2.0,
			"runs": 4.0, "cancelled_runs": 3.0, "function_tools": 1.0, "keys": 1.0, "answers": 0.0, "responses": 1.0, "conversations": 1.0, "mcp_servers": 1.0, "memory_stores": 1.0,
		}, report)
		theirs.send(http.MethodGet, agents, "").is(http.StatusUnauthorized)
		kinds, _ = lines(t, acme.send(http.MethodGet, path+"/export", "").is(http.StatusOK).Body)
		require.Equal(t, []string{"end_user.export", "end_user.export.end"}, kinds)
		again := acme.send(http.MethodDelete, path, "").is(http.StatusOK).object()
		require.Equal(t, 0.0, again["agents"])
		require.Equal(t, true, again["deleted"])
		require.NotContains(t, string(acme.send(http.MethodGet, "/api/v1/end-users", "").Body), user)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

func TestEndUsersAreTheAccounts(t *testing.T) {
	s := newAPI(t)
	acme, reader := s.key("acme", "rk_the-operator-of-acme", rota.AllScopes()...), s.key("acme", "rk_reads", rota.ReadAccount, rota.ReadAgents)
	ids := acme.as("ana").things()
	reader.send(http.MethodDelete, endUsers+"ana", "").is(http.StatusForbidden)
	s.acme().send(http.MethodGet, endUsers+"ana/export", "").is(http.StatusForbidden)
	for _, user := range []string{"ana", "bo"} {
		acme.as(user).send(http.MethodDelete, endUsers+"ana", "").is(http.StatusForbidden)
		acme.as(user).send(http.MethodGet, endUsers+"ana/export", "").is(http.StatusForbidden)
	}
	for _, method := range []string{http.MethodDelete, http.MethodGet} {
		path := endUsers + "%2A"
		if method == http.MethodGet {
			path += "/export"
		}
		require.Equal(t, "end_user", *acme.send(method, path, "").is(http.StatusBadRequest).failure().Param)
	}
	acme.as("ana").unchanged(ids)
}

func TestDeleteRun(t *testing.T) {
	s := newAPI(t)
	c := s.acme()
	ids := c.things()
	path := ids.in(agents + "/{agent_id}/runs/{run_id}")
	c.send(http.MethodDelete, path, "").is(http.StatusConflict)
	s.finish(rota.RunID(ids["run_id"]))
	c.as("ana").send(http.MethodDelete, path, "").is(http.StatusNotFound)
	gone := c.send(http.MethodDelete, path, "").is(http.StatusOK).object()
	require.Equal(t, map[string]any{"object": "agent.run.deleted", "id": ids["run_id"], "deleted": true}, gone)
	c.send(http.MethodGet, path, "").is(http.StatusNotFound)
	c.send(http.MethodDelete, path, "").is(http.StatusNotFound)
}
