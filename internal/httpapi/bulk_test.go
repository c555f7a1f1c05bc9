package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// Schedules are paused and resumed by the words of their list, counted first, and those of
// everybody by whoever may change the whole account.
func TestBulk(t *testing.T) {
	s := newAPI(t)
	c := s.acme()
	all := s.key("acme", "rk_that-changes-the-whole-account", append(rota.DefaultScopes(), rota.ReadAccount, rota.WriteAccount)...)
	add := func(user, name string) {
		agent := agents + "/" + all.send(http.MethodPost, agents, `{"name":"a","model":"m"}`, "X-On-Behalf-Of", user).is(http.StatusCreated).id()
		all.send(http.MethodPost, agent+"/schedules", `{"schedule":{"type":"interval","interval_seconds":60},"input":"go","name":"`+name+`","metadata":{"team":"ops"}}`,
			"X-On-Behalf-Of", user).is(http.StatusCreated)
	}
	add("ana", "brief")
	add("ana", "report")
	add("bo", "brief")
	c.newSchedule(c.newAgent("of the account itself"))
	bulk := func(verb, body string) []any {
		r := all.send(http.MethodPost, allSchedules+"/"+verb, body).is(http.StatusOK).object()
		return []any{r["changed"], r["dry_run"]}
	}
	paused := func() float64 {
		return all.send(http.MethodGet, allSchedules+"?end_user=*&status=paused&count=true", "").is(http.StatusOK).object()["count"].(float64)
	}
	require.Equal(t, []any{4.0, true}, bulk("pause", `{"end_user":"*","dry_run":true}`))
	require.Equal(t, []any{1.0, true}, bulk("pause", `{"dry_run":true}`), "those of the account itself")
	require.Equal(t, []any{2.0, true}, bulk("pause", `{"end_user":"*","name":"brief","dry_run":true}`))
	require.Equal(t, []any{1.0, true}, bulk("pause", `{"end_user":"*","q":"REP","metadata":{"team":"ops"},"dry_run":true}`))
	require.Zero(t, paused())

	require.Equal(t, []any{2.0, false}, bulk("pause", `{"end_user":"ana","note":"rest"}`))
	require.Equal(t, 2.0, paused())
	require.Equal(t, []any{2.0, false}, bulk("pause", `{"end_user":"*"}`), "what is paused stays as it is")
	require.Equal(t, []any{0.0, false}, bulk("pause", `{"end_user":"*"}`))
	require.Equal(t, 4.0, paused())
	reason := all.send(http.MethodGet, allSchedules+"?end_user=ana", "").object()["data"].([]any)[0].(map[string]any)["pause_reason"].(map[string]any)
	require.Equal(t, "rest", reason["note"])

	require.Equal(t, []any{0.0, false}, bulk("resume", `{"end_user":"*","pause_reason":"failures"}`))
	require.Equal(t, []any{4.0, true}, bulk("resume", `{"end_user":"*","dry_run":true}`))
	require.Equal(t, []any{4.0, false}, bulk("resume", `{"end_user":"*"}`))
	require.Zero(t, paused())

	for _, verb := range []string{"pause", "resume"} {
		f := c.send(http.MethodPost, allSchedules+"/"+verb, `{"end_user":"*","dry_run":true}`).is(http.StatusForbidden).failure()
		require.Contains(t, f.Message, "write:account")
		all.send(http.MethodPost, allSchedules+"/"+verb, `{"end_user":"bo"}`, "X-On-Behalf-Of", "ana").is(http.StatusForbidden)
	}
	require.Zero(t, paused())
	first := all.send(http.MethodPost, allSchedules+"/pause", `{"end_user":"*"}`, "Idempotency-Key", "k").is(http.StatusOK)
	again := all.send(http.MethodPost, allSchedules+"/pause", `{"end_user":"*"}`, "Idempotency-Key", "k").is(http.StatusOK)
	require.JSONEq(t, string(first.Body), string(again.Body))
}

// Many schedules run now, once however often that is asked for with one key, and within the
// limits of each owner.
func TestBulkTrigger(t *testing.T) {
	s := newAPI(t)
	account := s.key("acme", "rk_that-changes-the-whole-account", append(rota.DefaultScopes(), rota.ReadAccount, rota.WriteAccount)...)
	ana := account.as("ana")
	agent := ana.newAgent("a")
	for range 120 { // more than one transaction
		ana.send(http.MethodPost, agent+"/schedules", everyHour).is(http.StatusCreated)
	}
	account.newSchedule(account.newAgent("of the account itself"))
	paused := ana.newSchedule(agent)
	ana.send(http.MethodPost, paused+"/pause", "").is(http.StatusOK)
	do := func(body string, headers ...string) float64 {
		return account.send(http.MethodPost, allSchedules+"/trigger", body, headers...).is(http.StatusOK).object()["changed"].(float64)
	}
	fired := func(query string) float64 {
		return account.send(http.MethodGet, "/api/v1/occurrences?trigger=manual&count=true&"+query, "").is(http.StatusOK).object()["count"].(float64)
	}
	require.Equal(t, 121.0, do(`{"end_user":"*","dry_run":true}`))
	require.Zero(t, fired("end_user=*"))
	require.Equal(t, 1.0, do(""), "those of the account itself")
	for range 2 {
		require.Equal(t, 120.0, do(`{"end_user":"ana"}`, "Idempotency-Key", "k"))
		require.Equal(t, 120.0, fired("end_user=ana&outcome=fired"))
	}
	account.send(http.MethodPut, "/api/v1/accounts/acme/limits", `{"end_user":{"open_runs":121}}`).is(http.StatusOK)
	more := ana.newAgent("b")
	for range 2 {
		ana.send(http.MethodPost, more+"/schedules", everyHour).is(http.StatusCreated)
	}
	require.Equal(t, 2.0, do(`{"end_user":"ana","agent_id":"`+more[len(agents)+1:]+`"}`))
	require.Equal(t, 1.0, fired("end_user=ana&outcome=blocked"), "a limit is on record")
	require.Equal(t, 121.0, fired("end_user=ana&outcome=fired"))
	require.Contains(t, s.acme().send(http.MethodPost, allSchedules+"/trigger", `{"end_user":"*"}`).is(http.StatusForbidden).failure().Message, "write:account")
}
