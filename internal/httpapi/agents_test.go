package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestAgents(t *testing.T) {
	c := newAPI(t).acme()
	created := c.send(http.MethodPost, agents, `{
		"name":"Brief","model":"openai/gpt-x","description":"d","instructions":"Sum up <news> & more.",
		"tools":[{"type":"web_search","filters":{"allowed_domains":["example.org"]}},{"type":"custom","x":null}],
		"tool_choice":{"type":"web_search"},"parallel_tool_calls":false,"max_tool_calls":300,
		"text":{"format":{"type":"text"}},"reasoning":{"effort":"low"},"metadata":{"team":"a"}}`).is(http.StatusCreated)
	require.Regexp(t, `^agt_[0-9a-f]{32}$`, created.id())
	require.Equal(t, `"1"`, created.Header.Get("ETag"))
	require.Contains(t, string(created.Body), `Sum up <news> & more.`, "text is not escaped for HTML")
	require.Contains(t, string(created.Body), `"tools":[{"type":"web_search","filters":{"allowed_domains":["example.org"]}},{"type":"custom","x":null}]`, "tools are kept as sent")

	path := agents + "/" + created.id()
	got := c.send(http.MethodGet, path, "").is(http.StatusOK)
	want := created.object()
	require.Empty(t, want["warnings"])
	delete(want, "warnings")
	require.Equal(t, want, got.object())
	require.Regexp(t, `^"1-[0-9a-f]{16}"$`, got.Header.Get("ETag"))
	require.Equal(t, http.StatusOK, c.send(http.MethodGet, path+"/", "").Status, "a slash at the end is accepted")

	gone := c.send(http.MethodDelete, path, "").is(http.StatusOK)
	require.JSONEq(t, `{"object":"agent.deleted","id":"`+created.id()+`","deleted":true}`, string(gone.Body))
}

func TestAgentDefaults(t *testing.T) {
	c := newAPI(t).acme()
	a := c.send(http.MethodPost, agents, `{"name":"a","model":"auto"}`).is(http.StatusCreated).object()
	for field, want := range map[string]any{
		"object": "agent", "description": nil, "instructions": nil, "tools": []any{}, "tool_choice": "auto", "parallel_tool_calls": true,
		"max_tool_calls": nil, "fallback_models": []any{}, "text": nil, "reasoning": nil, "metadata": map[string]any{}, "version": 1.0,
		"deleted_at": nil, "retention_expires_at": nil, "within_restore_window": false, "can_restore": false,
	} {
		require.Contains(t, a, field)
		require.Equal(t, want, a[field], field)
	}
	require.Regexp(t, `^2026-11-23T05:31:56\.\d{3}Z$`, a["created_at"])
	require.Len(t, a, 25, "the 21 fields of the published object, key, end_user, visibility and warnings")
}

// Absent means unchanged, null clears, a value replaces.
func TestAgentUpdates(t *testing.T) {
	c := newAPI(t).acme()
	path := agents + "/" + c.send(http.MethodPost, agents,
		`{"name":"a","model":"m","description":"d","max_tool_calls":3,"tools":[{"type":"shell"}],"fallback_models":["n"],"text":{"verbosity":"low"},"reasoning":{"effort":"high"},"metadata":{"a":"1","b":"2"}}`).is(http.StatusCreated).id()

	before := c.send(http.MethodGet, path, "")
	same := c.send(http.MethodPost, path, `{}`).is(http.StatusOK)
	unchanged := same.object()
	delete(unchanged, "warnings")
	require.Equal(t, before.object(), unchanged, "nothing is sent, nothing changes")

	after := c.send(http.MethodPost, path, `{"description":null,"metadata":{"c":"3"},"tool_choice":null}`).is(http.StatusOK)
	want := before.object()
	want["description"], want["metadata"], want["tool_choice"], want["version"] = nil, map[string]any{"c": "3"}, nil, 2.0
	want["warnings"] = []any{}
	want["updated_at"] = after.object()["updated_at"]
	require.Equal(t, want, after.object())
	require.NotEqual(t, before.object()["updated_at"], want["updated_at"])
	require.Equal(t, `"2"`, after.Header.Get("ETag"))

	after = c.send(http.MethodPost, path, `{"name":"b","max_tool_calls":null,"tools":[],"fallback_models":[],"text":null,"reasoning":null}`).is(http.StatusOK)
	want["name"], want["max_tool_calls"], want["tools"], want["version"] = "b", nil, []any{}, 3.0
	want["fallback_models"], want["text"], want["reasoning"] = []any{}, nil, nil
	want["updated_at"] = after.object()["updated_at"]
	require.Equal(t, want, after.object())
}

func TestIfMatch(t *testing.T) {
	c := newAPI(t).acme()
	path := c.newAgent("a")
	c.send(http.MethodPost, path, `{"name":"b"}`, "If-Match", `"1"`).is(http.StatusOK)

	late := c.send(http.MethodPost, path, `{"name":"c"}`, "If-Match", `"1"`).is(http.StatusPreconditionFailed)
	require.Equal(t, "precondition_failed", string(late.failure().Code))
	c.send(http.MethodDelete, path, "", "If-Match", `"1"`).is(http.StatusPreconditionFailed)
	require.Equal(t, "b", c.send(http.MethodGet, path, "").object()["name"])

	c.send(http.MethodPost, path, `{"name":"c"}`, "If-Match", `W/"2"`).is(http.StatusOK) // by way of a proxy that compresses
	for _, tag := range []string{"*", `"7", W/"3"`, `"3-0123456789abcdef-gzip"`, `"3-0123456789abcdef;br"`, `W/"3-0123456789abcdef--zstd"`, `"3:0"`, "3", "W/3", "3-0123456789abcdef"} {
		c.send(http.MethodPost, path, `{"name":"c"}`, "If-Match", tag).is(http.StatusOK)
	}
	stale := c.send(http.MethodPost, path, `{"name":"d"}`, "If-Match", `"7", W/"22-gzip", "99999999999999999999"`).is(http.StatusPreconditionFailed)
	require.Contains(t, stale.object()["error"].(map[string]any)["message"], "at version 3, not 7 or 22 or")
	c.send(http.MethodDelete, path, "", "If-Match", `"3"`).is(http.StatusOK)

	schedule := c.newSchedule(c.newAgent("s"))
	for _, action := range []string{"", "/pause", "/resume"} {
		c.send(http.MethodPost, schedule+action, `{}`, "If-Match", `"7"`).is(http.StatusPreconditionFailed)
		c.send(http.MethodPost, schedule+action, `{}`, "If-Match", c.send(http.MethodGet, schedule, "").Header.Get("ETag")).is(http.StatusOK)
	}
	c.send(http.MethodDelete, schedule, "", "If-Match", `"7"`).is(http.StatusPreconditionFailed)
}

func TestIdempotencyKeys(t *testing.T) {
	c := newAPI(t).acme()
	body := `{"name":"a","model":"m"}`
	first := c.send(http.MethodPost, agents, body, "Idempotency-Key", "k 1").is(http.StatusCreated)
	again := c.send(http.MethodPost, agents, body, "Idempotency-Key", "k 1").is(http.StatusCreated)
	require.JSONEq(t, string(first.Body), string(again.Body))
	require.Equal(t, first.Header.Get("ETag"), again.Header.Get("ETag"))
	require.Len(t, c.send(http.MethodGet, agents, "").object()["data"], 1)

	other := c.send(http.MethodPost, agents, `{"name":"b","model":"m"}`, "Idempotency-Key", "k 1").is(http.StatusConflict)
	require.Equal(t, "conflict", string(other.failure().Code))
	c.send(http.MethodPost, agents+"/"+first.id(), body, "Idempotency-Key", "k 1").is(http.StatusConflict)
	c.send(http.MethodPost, agents+"/", body, "Idempotency-Key", "k 1").is(http.StatusCreated)
	c.as("ana").send(http.MethodPost, agents, body, "Idempotency-Key", "k 1").is(http.StatusCreated)
	require.Len(t, c.as("ana").send(http.MethodGet, agents, "").object()["data"], 1, "the keys of one end user are not those of another")

	c.clock.advance(25 * 3600e9)
	anew := c.send(http.MethodPost, agents, body, "Idempotency-Key", "k 1").is(http.StatusCreated)
	require.NotEqual(t, first.id(), anew.id(), "after a day the key is free")
}

// A refused request does not use up its key.
func TestIdempotencyKeyOfFailure(t *testing.T) {
	c := newAPI(t).acme()
	c.send(http.MethodPost, agents, `{"name":"a"}`, "Idempotency-Key", "k").is(http.StatusBadRequest)
	c.send(http.MethodPost, agent+"/runs", `{"input":"hi"}`, "Idempotency-Key", "k").is(http.StatusNotFound)
	c.send(http.MethodPost, agents, `{"name":"a","model":"m"}`, "Idempotency-Key", "k").is(http.StatusCreated)
}

func TestIdempotentActions(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	schedule := c.newSchedule(agent)
	for _, r := range []struct{ method, path string }{
		{http.MethodPost, schedule + "/pause"},
		{http.MethodPost, schedule + "/resume"},
		{http.MethodPost, c.newRun(agent) + "/cancel"},
		{http.MethodDelete, schedule},
		{http.MethodDelete, agent},
	} {
		first := c.send(r.method, r.path, "", "Idempotency-Key", r.path+r.method).is(http.StatusOK)
		again := c.send(r.method, r.path, "", "Idempotency-Key", r.path+r.method).is(http.StatusOK)
		require.JSONEq(t, string(first.Body), string(again.Body), r.path)
	}
}

// Every change of the configuration is a version; what changes nothing is none.
func TestAgentVersions(t *testing.T) {
	c := newAPI(t).acme()
	path := agents + "/" + c.send(http.MethodPost, agents, `{"name":"a","model":"m","tools":[{"type":"shell"}],"text":{"verbosity":"low"}}`).is(http.StatusCreated).id()
	first := c.send(http.MethodGet, path+"/versions/1", "").is(http.StatusOK).object()
	require.Regexp(t, `^agtv_[0-9a-f]{32}$`, first["id"])
	require.Len(t, first, 19)
	for field, want := range map[string]any{
		"object": "agent.version", "version": 1.0, "is_current": true, "restored_from_version": nil, "name": "a", "text": map[string]any{"verbosity": "low"},
	} {
		require.Equal(t, want, first[field], field)
	}

	c.send(http.MethodPost, path, `{"name":"a"}`).is(http.StatusOK)
	c.send(http.MethodPost, path, `{"name":"b","text":null}`).is(http.StatusOK)
	run := c.newRun(path)
	back := c.send(http.MethodPost, path+"/versions/1/rollback", "").is(http.StatusOK)
	require.Equal(t, `"3"`, back.Header.Get("ETag"))
	require.Equal(t, "a", back.object()["name"])
	require.Equal(t, map[string]any{"verbosity": "low"}, back.object()["text"])
	again := c.send(http.MethodPost, path+"/versions/1/rollback", "").is(http.StatusOK)
	require.JSONEq(t, string(back.Body), string(again.Body), "it has that configuration already")
	c.send(http.MethodPost, path+"/versions/2/rollback", "", "If-Match", `"2"`).is(http.StatusPreconditionFailed)

	list := c.send(http.MethodGet, path+"/versions", "").is(http.StatusOK).object()["data"].([]any)
	require.Len(t, list, 3)
	for i, from := range []any{1.0, nil, nil} {
		v := list[i].(map[string]any)
		require.Equal(t, float64(3-i), v["version"])
		require.Equal(t, i == 0, v["is_current"])
		require.Equal(t, from, v["restored_from_version"])
	}
	require.Equal(t, 2.0, c.send(http.MethodGet, run, "").object()["agent_version"], "a run keeps its version")
	require.Equal(t, 3.0, c.send(http.MethodGet, c.newRun(path), "").object()["agent_version"])
	for _, n := range []string{"0", "4", "x", "-1", "99999999999999999999"} {
		c.send(http.MethodPost, path+"/versions/"+n+"/rollback", "").is(http.StatusNotFound)
	}
}

// A deleted agent is there, with all that is its own, until its time is over. Nothing
// of it can be changed, but it can be restored.
func TestDeletedAgents(t *testing.T) {
	s := newAPI(t)
	c := s.acme()
	path := c.newAgent("a")
	schedule, run, paused := c.newSchedule(path), c.newRun(path), c.newSchedule(path)
	c.send(http.MethodPost, paused+"/pause", "").is(http.StatusOK)
	c.send(http.MethodPost, path+"/restore", "").is(http.StatusConflict)
	deleted := c.send(http.MethodDelete, path, "").is(http.StatusOK)

	gone := c.send(http.MethodGet, path, "").is(http.StatusOK).object()
	s.clock.advance(time.Second)
	require.Equal(t, string(deleted.Body), string(c.send(http.MethodDelete, path, "").is(http.StatusOK).Body), "repeated")
	require.Equal(t, gone, c.send(http.MethodGet, path, "").object(), "repeated")
	require.NotNil(t, gone["deleted_at"])
	require.NotNil(t, gone["retention_expires_at"])
	require.Equal(t, []any{true, true, 1.0}, []any{gone["within_restore_window"], gone["can_restore"], gone["version"]})
	reader := s.key("acme", "rk_that-only-reads-agents", rota.ReadAgents)
	require.Equal(t, false, reader.send(http.MethodGet, path, "").is(http.StatusOK).object()["can_restore"])
	ids := func(query string) []string {
		return read[listed](c.send(http.MethodGet, agents+query, "").is(http.StatusOK)).ids()
	}
	require.Empty(t, ids(""))
	require.Empty(t, ids("?deleted=false"))
	require.Equal(t, []string{gone["id"].(string)}, ids("?deleted=true"))
	require.Empty(t, read[listed](c.send(http.MethodGet, "/api/v1/schedules", "").is(http.StatusOK)).ids())
	for _, p := range []string{path + "/versions/1", path + "/versions", path + "/runs", run, path + "/schedules"} {
		c.send(http.MethodGet, p, "").is(http.StatusOK)
	}
	got := c.send(http.MethodGet, schedule, "").is(http.StatusOK).object()
	require.Equal(t, []any{"paused", "agent_deleted", gone["deleted_at"]}, []any{got["status"], got["pause_reason"].(map[string]any)["code"], got["deleted_at"]})
	require.Equal(t, "manual", c.send(http.MethodGet, paused, "").object()["pause_reason"].(map[string]any)["code"])
	for _, change := range []struct{ method, path, body string }{
		{http.MethodPost, path, `{"name":"b"}`},
		{http.MethodPost, path + "/versions/1/rollback", ""},
		{http.MethodPost, path + "/runs", `{"input":"hi"}`},
		{http.MethodPost, path + "/schedules", `{"schedule":{"type":"interval","interval_seconds":60},"input":"hi"}`},
		{http.MethodPost, schedule, `{"name":"b"}`},
		{http.MethodPost, schedule + "/resume", ""},
		{http.MethodPost, paused + "/resume", ""},
		{http.MethodPost, schedule + "/trigger", ""},
		{http.MethodDelete, schedule, ""},
	} {
		require.Equal(t, "the agent is deleted; restore it first", c.send(change.method, change.path, change.body).is(http.StatusConflict).failure().Message, change.path)
	}

	back := c.send(http.MethodPost, path+"/restore", "").is(http.StatusOK).object()
	require.Equal(t, []any{nil, nil, false, false}, []any{back["deleted_at"], back["retention_expires_at"], back["within_restore_window"], back["can_restore"]})
	got = c.send(http.MethodGet, schedule, "").is(http.StatusOK).object()
	require.Equal(t, []any{"paused", nil}, []any{got["status"], got["deleted_at"]})
	c.send(http.MethodPost, schedule+"/resume", "").is(http.StatusOK)

	c.send(http.MethodDelete, path, "").is(http.StatusOK)
	s.clock.advance(2 * time.Hour)
	require.Equal(t, false, c.send(http.MethodGet, path, "").is(http.StatusOK).object()["within_restore_window"])
	c.send(http.MethodPost, path+"/restore", "").is(http.StatusConflict)
}

// An agent that another one has as a tool is not deleted.
func TestAgentInUse(t *testing.T) {
	c := newAPI(t).acme()
	path := c.newAgent("tool")
	id := strings.TrimPrefix(path, agents+"/")
	user := agents + "/" + c.send(http.MethodPost, agents, `{"name":"user","model":"m","tools":[{"type":"agent","agent_id":"`+id+`"}]}`).is(http.StatusCreated).id()
	require.Contains(t, c.send(http.MethodDelete, path, "").is(http.StatusConflict).failure().Message, strings.TrimPrefix(user, agents+"/"))
	c.send(http.MethodPost, user, `{"tools":[]}`).is(http.StatusOK)
	c.send(http.MethodDelete, path, "").is(http.StatusOK)

	c.send(http.MethodPost, path+"/restore", "").is(http.StatusOK)
	c.send(http.MethodPost, user+"/versions/1/rollback", "").is(http.StatusOK)
	c.send(http.MethodDelete, path, "").is(http.StatusConflict)
	c.send(http.MethodDelete, user, "").is(http.StatusOK)
	c.send(http.MethodDelete, path, "").is(http.StatusOK)
}

func TestFunctionTools(t *testing.T) {
	c := newAPI(t).acme()
	const tools = agents + "/function-tools"
	made := c.send(http.MethodPost, tools, `{"type":"function","name":"f","parameters":{"type":"object"},"description":null,"strict":true}`).is(http.StatusCreated)
	require.Regexp(t, `^ftool_[0-9a-f]{32}$`, made.id())
	require.Equal(t, `"1"`, made.Header.Get("ETag"))
	require.Equal(t, map[string]any{"type": "function", "name": "f", "parameters": map[string]any{"type": "object"}, "strict": true}, made.object()["definition"])
	path := tools + "/" + made.id()
	require.JSONEq(t, string(made.Body), string(c.send(http.MethodGet, path, "").is(http.StatusOK).Body))
	second := c.send(http.MethodPost, tools, `{"type":"function","name":"g","parameters":{}}`).is(http.StatusCreated).id()
	require.Equal(t, []string{second, made.id()}, read[listed](c.send(http.MethodGet, tools, "").is(http.StatusOK)).ids())
	require.Equal(t, []string{made.id()}, read[listed](c.send(http.MethodGet, tools+"?after="+second+"&limit=20&order=desc", "").is(http.StatusOK)).ids())

	changed := c.send(http.MethodPost, path, `{"type":"function","name":"f2","parameters":{}}`).is(http.StatusOK).object()
	require.Equal(t, map[string]any{"type": "function", "name": "f2", "parameters": map[string]any{}}, changed["definition"], "the whole is replaced")
	c.send(http.MethodPost, path, `{"type":"function","name":"f3","parameters":{}}`, "If-Match", `"1"`).is(http.StatusPreconditionFailed)

	require.Equal(t, "name", c.send(http.MethodPost, tools, `{"type":"function","name":"look up!","parameters":{}}`).is(http.StatusBadRequest).failure().param())

	refers := func(id string) string {
		return `{"name":"a","model":"m","tools":[{"type":"function_reference","function_tool_id":"` + id + `"}]}`
	}
	require.Equal(t, "tools", c.send(http.MethodPost, agents, refers("ftool_none")).is(http.StatusBadRequest).failure().param())
	require.Equal(t, "tools", c.as("ana").send(http.MethodPost, agents, refers(made.id())).is(http.StatusBadRequest).failure().param())
	agent := agents + "/" + c.send(http.MethodPost, agents, refers(made.id())).is(http.StatusCreated).id()
	gone := c.send(http.MethodDelete, path, "").is(http.StatusOK)
	require.JSONEq(t, `{"object":"agent.function_tool.deleted","id":"`+made.id()+`","deleted":true}`, string(gone.Body))
	c.send(http.MethodGet, path, "").is(http.StatusNotFound)
	c.send(http.MethodPost, agent, `{"name":"b"}`).is(http.StatusOK)
	c.send(http.MethodPost, agent, refers(made.id())).is(http.StatusBadRequest)
	c.send(http.MethodPost, agent, `{"tools":[]}`).is(http.StatusOK)
	c.send(http.MethodPost, agent+"/versions/1/rollback", "").is(http.StatusConflict)
}

func TestConnectors(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	require.Empty(t, read[listed](c.send(http.MethodGet, agent+"/connectors", "").is(http.StatusOK)).ids())
	refused := c.send(http.MethodPost, agent+"/connectors", `{"provider":"telegram"}`).is(http.StatusNotImplemented).failure()
	require.Equal(t, []string{"not_implemented", "invalid_request_error"}, []string{string(refused.Code), refused.Type})
	c.send(http.MethodPost, agent+"/connectors/con_1/activate", "").is(http.StatusNotImplemented)
}
