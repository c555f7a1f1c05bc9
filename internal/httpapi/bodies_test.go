package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

const (
	agents    = "/api/v1/agents"
	agent     = agents + "/agt_1"
	schedules = agent + "/schedules"
	schedule  = schedules + "/asch_1"
	runs      = agent + "/runs"
	keys      = "/api/v1/keys"
)

type badBody struct{ path, body, param, message string }

// badBodies are refused, each for the field and with the message beside it.
func badBodies() []badBody {
	return slices.Concat(badJSON(), badFields(), badAgents(), badSchedules(), badPolicies(), badRuns(), badOthers())
}

func badJSON() []badBody {
	return []badBody{
		{agents, `{"name":"a",}`, "", "the body must be valid JSON: line 1, column 13: invalid character '}' looking for beginning of object key string"},
		{agents, "{\n  \"name\": nope}", "", "the body must be valid JSON: line 2, column 12: invalid character 'o' in literal null (expecting 'u')"},
		{agents, `{"name":"a"`, "", "the body must be valid JSON: line 1, column 11: unexpected end of JSON input"},
		{agents, `{"name":"a","model":"m"} {}`, "", "the body must be valid JSON: line 1, column 26: invalid character '{' after top-level value"},
		{agents, "{\"name\":\"\xff\",\"model\":\"m\"}", "", "the body must be UTF-8"},
		{agents, `[]`, "", "the body must be a JSON object"},
		{agents, `null`, "", "the body must be a JSON object"},
		{agents, ` `, "", "send a JSON object as the body; {} if there is nothing to say"},
		{agent, ``, "", "send a JSON object as the body; {} if there is nothing to say"},
		{agents, `{"name":"a","model":"m","name":"b"}`, "name", "must appear once"},
		{agents, `{"name":"a","model":"m","text":{"a":[{"b":1,"b":2}]}}`, "text.a.0.b", "must appear once"},
	}
}

func badFields() []badBody {
	return []badBody{
		{agents, `{}`, "name", "is required"},
		{agents, `{"name":"a"}`, "model", "is required"},
		{agents, `{"Name":"a","model":"m"}`, "Name", "is not a field here; these are: description, fallback_models, instructions, key, max_tool_calls, metadata, model, name, parallel_tool_calls, reasoning, text, tool_choice, tools, visibility"},
		{runs, `{"input":"hi","status":"queued"}`, "status", "is not a field here; these are: context_management, conversation, input, metadata, previous_response_id, stream"},
		{schedules, `{"input":"hi"}`, "schedule", "is required"},
		{schedules, `{"schedule":{"type":"cron","cron_expression":"* * * * *"}}`, "input", "is required"},

		{agents, `{"name":"a\u0000b","model":"m"}`, "name", "must not contain the character U+0000"},
		{runs, `{"input":"\u0000"}`, "input", "must not contain the character U+0000"},
		{runs, `{"input":"hi","metadata":{"k":"\u0000"}}`, "metadata.k", "must not contain the character U+0000"},

		// The first error in the order of the body wins
		{agents, `{"model":"","name":""}`, "model", "must be 1 to 256 characters long"},
		{agents, `{"name":"","model":""}`, "name", "must be 1 to 120 characters long"},
	}
}

func badAgents() []badBody {
	long := strings.Repeat("é", 121)
	var pairs []string
	for i := range 17 {
		pairs = append(pairs, fmt.Sprintf(`"k%d":"v"`, i))
	}
	return []badBody{
		{agents, `{"name":1,"model":"m"}`, "name", "must be a string"},
		{agents, `{"name":null,"model":"m"}`, "name", "must be a string, not null"},
		{agents, `{"name":"a","model":"m","tools":{}}`, "tools", "must be an array or null"},
		{agents, `{"name":"a","model":"m","parallel_tool_calls":"true"}`, "parallel_tool_calls", "must be true or false or null"},
		{agents, `{"name":"a","model":"m","text":[]}`, "text", "must be an object or null"},
		{agents, `{"name":"a","model":"m","fallback_models":[""]}`, "fallback_models.0", "must be 1 to 256 characters long"},
		{agents, `{"name":"a","model":"m","description":7}`, "description", "must be a string or null"},
		{agent, `{"name":null}`, "name", "must be a string, not null"},
		{agent, `{"metadata":null}`, "metadata", "must be an object, not null"},
		{schedule, `{"schedule":null}`, "schedule", "must be an object, not null"},
		{schedule, `{"input":null}`, "input", "must be a string or an array, not null"},
		{schedule, `{"policy":null}`, "policy", "must be an object, not null"},

		// Lengths and numbers
		{agents, `{"name":"` + long + `","model":"m"}`, "name", "must be 1 to 120 characters long"},
		{agents, `{"name":"a","model":"m","description":"` + strings.Repeat("d", 2001) + `"}`, "description", "must be at most 2000 characters long"},
		{agents, `{"name":"a","model":"m","max_tool_calls":0}`, "max_tool_calls", "must be from 1 to 300"},
		{agents, `{"name":"a","model":"m","max_tool_calls":301}`, "max_tool_calls", "must be from 1 to 300"},
		{agents, `{"name":"a","model":"m","max_tool_calls":1.5}`, "max_tool_calls", "must be a whole number"},
		{agents, `{"name":"a","model":"m","max_tool_calls":"1"}`, "max_tool_calls", "must be a whole number or null"},

		// Tools and metadata
		{agents, `{"name":"a","model":"m","tools":[{"type":"shell"},{"name":"x"}]}`, "tools.1.type", "is required"},
		{agents, `{"name":"a","model":"m","tools":[{"type":7}]}`, "tools.0.type", "must be a string"},
		{agents, `{"name":"a","model":"m","tools":["shell"]}`, "tools.0", "must be an object"},
		{agents, `{"name":"a","model":"m","metadata":{"n":1}}`, "metadata.n", "must be a string"},
		{agents, `{"name":"a","model":"m","metadata":{"n":"` + strings.Repeat("v", 513) + `"}}`, "metadata.n", "must be at most 512 characters long"},
		{agents, `{"name":"a","model":"m","metadata":{"` + strings.Repeat("k", 65) + `":"v"}}`, "metadata", "must have names of at most 64 characters"},
		{agents, `{"name":"a\ud800","model":"m"}`, "name", `must not contain half of a surrogate pair, such as \ud800 alone`},
		{agents, `{"name":"\udc00\ud800a","model":"m"}`, "name", `must not contain half of a surrogate pair, such as \ud800 alone`},
		{agents, `{"name":"a","model":"m","metadata":{"n":"\uD83D\\uDE00"}}`, "metadata.n", `must not contain half of a surrogate pair, such as \ud800 alone`},
		{agents, `{"name":"a","model":"m","metadata":{"\udfff":"v"}}`, "metadata", "must not have names with the character U+0000 or half of a surrogate pair"},
		{agents, `{"name":"a","model":"m","metadata":{"a\u0000":"v"}}`, "metadata", "must not have names with the character U+0000 or half of a surrogate pair"},
		{runs, `{"input":"\ud800"}`, "input", `must not contain half of a surrogate pair, such as \ud800 alone`},
		{agents, `{"name":"a","model":"m","metadata":{` + strings.Join(pairs, ",") + `}}`, "metadata", "must have at most 16 members"},
	}
}

func badSchedules() []badBody {
	sched := func(spec string) string { return `{"schedule":` + spec + `,"input":"hi"}` }
	return []badBody{
		{schedules, sched(`"daily"`), "schedule", "must be an object"},
		{schedules, sched(`{}`), "schedule.type", `is required: one of "once", "interval" or "cron"`},
		{schedules, sched(`{"type":"weekly"}`), "schedule.type", `must be one of "once", "interval" or "cron"`},
		{schedules, sched(`{"type":null}`), "schedule.type", `must be one of "once", "interval" or "cron"`},
		{schedules, sched(`{"type":"interval"}`), "schedule.interval_seconds", "is required"},
		{schedules, sched(`{"type":"interval","interval_seconds":0}`), "schedule.interval_seconds", "must be from 1 to 31622400"},
		{schedules, sched(`{"type":"interval","interval_seconds":99999999999999999999}`), "schedule.interval_seconds", "must be from 1 to 31622400"},
		{schedules, sched(`{"type":"interval","interval_seconds":60,"run_at":"x"}`), "schedule.run_at", "is not a field here; these are: interval_seconds, start_at, timezone, type"},
		{schedules, sched(`{"type":"interval","interval_seconds":60,"tz":null}`), "schedule.tz", "is not a field here; these are: interval_seconds, start_at, timezone, type"},
		{schedules, sched(`{"type":"interval","interval_seconds":60,"timezone":""}`), "schedule.timezone", "must be 1 to 64 characters long"},
		{schedules, sched(`{"type":"once"}`), "schedule.run_at", "is required"},
		{schedules, sched(`{"type":"cron"}`), "schedule.cron_expression", "is required"},
		{schedule, `{"schedule":{"type":"cron","cron_expression":7}}`, "schedule.cron_expression", "must be a string"},
	}
}

func badRuns() []badBody {
	return []badBody{
		{schedules, `{"schedule":{"type":"cron","cron_expression":"@daily"},"input":""}`, "input", "must be 1 to 20000 characters long"},
		{schedules, `{"schedule":{"type":"cron","cron_expression":"@daily"},"input":"` + strings.Repeat("x", 20001) + `"}`, "input", "must be 1 to 20000 characters long"},
		{schedules, `{"schedule":{"type":"cron","cron_expression":"@daily"},"input":{}}`, "input", "must be a string or an array"},
		{runs, `{"input":""}`, "input", "must be at least 1 character long"},
		{runs, `{"input":[]}`, "input", "must have 1 to 2048 items"},
		{runs, `{"input":[` + strings.Repeat(`{"type":"x"},`, 2048) + `{"type":"x"}]}`, "input", "must have 1 to 2048 items"},
		{schedules, `{"schedule":{"type":"interval","interval_seconds":60},"input":[` + strings.Repeat(`{"type":"x"},`, 80_000) + `{"type":"x"}]}`, "input", "must have at most 2048 items"},
		{runs, `{"input":["hi"]}`, "input.0", "must be an object"},
		{runs, `{"input":[{"type":"text","text":"hi"},{"type":7}]}`, "input.1.type", "must be a string or null"},
		{runs + "/arun_1/wake", `{"input":""}`, "input", "must be at least 1 character long"},
		{runs, `{"input":"hi","conversation":7}`, "conversation", "must be a string, an object or null"},
		{runs, `{"input":"hi","conversation":{"name":"x"}}`, "conversation.name", "is not a field here; these are: id"},
		{runs, `{"input":"hi","conversation":{"id":7}}`, "conversation.id", "must be a string"},
		{runs, `{"input":"hi","previous_response_id":""}`, "previous_response_id", "must be 1 to 256 characters long"},
	}
}

func badPolicies() []badBody {
	withPolicy := func(p string) string {
		return `{"schedule":{"type":"interval","interval_seconds":60},"input":"hi","policy":` + p + `}`
	}
	return []badBody{
		{schedules, withPolicy(`{"overlap":"never"}`), "policy.overlap", `must be one of "skip", "buffer_one", "allow_all" or null`},
		{schedules, withPolicy(`{"retry":7}`), "policy.retry", "must be an object or null"},
		{schedules, withPolicy(`{"retry":{"max_attempts":0}}`), "policy.retry.max_attempts", "must be from 1 to 20"},
		{schedules, withPolicy(`{"max_runs":0}`), "policy.max_runs", "must be from 1 to 9007199254740991"},
		{schedules, withPolicy(`{"max_runs":99999999999999999999}`), "policy.max_runs", "must be from 1 to 9007199254740991"},
		{schedules, withPolicy(`{"start_at":"2026-11-23T5:31:56Z"}`), "policy.start_at", "must be an RFC 3339 time with an offset, such as 2026-11-23T05:31:56Z, in the years 1 to 9999 of UTC"},
		{schedules, withPolicy(`{"start_at":"2026-11-23T05:31:56,5Z"}`), "policy.start_at", "must be an RFC 3339 time with an offset, such as 2026-11-23T05:31:56Z, in the years 1 to 9999 of UTC"},
		{schedules, withPolicy(`{"start_at":"2026-11-23T05:31:56+24:00"}`), "policy.start_at", "must be an RFC 3339 time with an offset, such as 2026-11-23T05:31:56Z, in the years 1 to 9999 of UTC"},
		{schedules, withPolicy(`{"start_at":"tomorrow"}`), "policy.start_at", "must be an RFC 3339 time with an offset, such as 2026-11-23T05:31:56Z, in the years 1 to 9999 of UTC"},
		{schedules, withPolicy(`{"start_at":"2026-11-23T05:31:56"}`), "policy.start_at", "must be an RFC 3339 time with an offset, such as 2026-11-23T05:31:56Z, in the years 1 to 9999 of UTC"},
		{schedules, withPolicy(`{"overlaps":"skip"}`), "policy.overlaps", "is not a field here; these are: end_at, jitter_seconds, max_lateness_seconds, max_runs, missed, overlap, pause_after_failures, retry, start_at, timeout_seconds, variables"},
	}
}

func badOthers() []badBody {
	return []badBody{
		{schedule + "/pause", `{"note":"` + strings.Repeat("n", 501) + `"}`, "note", "must be at most 500 characters long"},
		{schedule + "/resume", `{"notes":""}`, "notes", "is not a field here; these are: note"},
		{keys, `{"name":"k","account":"no spaces"}`, "account", "must match the pattern ^[A-Za-z0-9][A-Za-z0-9._-]*$"},
		{keys, `{"name":"k","scopes":[]}`, "scopes", "must have 1 to 16 items"},
		{keys, `{"name":"k","scopes":["read:agents","root"]}`, "scopes.1", `must be one of "read:agents", "write:agents", "read:responses", "write:responses", "read:conversations", "write:conversations", "read:apikeys", "write:apikeys", "read:account", "write:account" or "write:accounts"`},
		{agents, `{"` + strings.Repeat("é", 70) + `":1}`, strings.Repeat("é", 32) + "…", "is not a field here; these are: description, fallback_models, instructions, key, max_tool_calls, metadata, model, name, parallel_tool_calls, reasoning, text, tool_choice, tools, visibility"},
	}
}

func TestBadBodies(t *testing.T) {
	h := newServer(t, errReached)
	for _, tt := range badBodies() {
		w := answer(h, request(http.MethodPost, tt.path, tt.body))
		f := failed(t, w)
		name := tt.path + " " + tt.body[:min(80, len(tt.body))]
		assert.Equal(t, http.StatusBadRequest, w.Code, name)
		assert.Equal(t, rota.Invalid, f.Code, name)
		assert.Equal(t, "invalid_request_error", f.Type, name)
		assert.Equal(t, tt.param, f.param(), name)
		assert.Equal(t, tt.message, f.words(), name)
		if tt.message != "must appear once" && !strings.Contains(tt.message, "UTF-8") && !strings.Contains(tt.message, "U+0000") && !strings.Contains(tt.message, "surrogate") {
			recordVerdict(t, tt.path, tt.body, false) // the document says the rest
		}
	}
}

// recordVerdict lets test/openapi compare the server's verdict with that of
// its document, as another validator reads it.
func recordVerdict(t *testing.T, path, body string, fits bool) {
	t.Helper()
	record(t, request(http.MethodPost, path, body), body, &fits, nil)
}

// What is null in a body that creates something is absent, and whole numbers may
// have a fraction of nothing.
func TestWhatIsReadOfABody(t *testing.T) {
	c := newAPI(t).acme()
	a := c.send(http.MethodPost, agents, `{"name":"a","model":"auto","tools":null,"tool_choice":null,"parallel_tool_calls":null,"text":null,
		"reasoning":null,"metadata":null,"max_tool_calls":3.0}`).is(http.StatusCreated)
	plain := c.send(http.MethodPost, agents, `{"name":"a","model":"auto","max_tool_calls":3}`).is(http.StatusCreated).object()
	for field, value := range a.object() {
		if field != "id" && field != "created_at" && field != "updated_at" {
			require.Equal(t, plain[field], value, field)
		}
	}
	s := c.send(http.MethodPost, agents+"/"+a.id()+"/schedules", `{"schedule":{"type":"interval","interval_seconds":3.6e3,"start_at":null,"timezone":null},
		"input":[{"type":"x","n":1.0,"z":null}],"name":null,"policy":null}`).is(http.StatusCreated)
	require.Equal(t, map[string]any{"type": "interval", "interval_seconds": 3600.0, "timezone": "UTC"}, s.object()["schedule"])
	require.Contains(t, string(s.Body), `{"type":"x","n":1.0,"z":null}`, "what is kept is kept as it was sent")
	one := c.sendUnlike(http.MethodPost, agents+"/"+a.id()+"/schedules", `{"schedule":{"type":"once","run_at":"2090-01-01t00:00:00z","interval_seconds":null,
		"start_at":null,"cron_expression":null,"timezone":null},"input":"hi"}`).is(http.StatusCreated)
	require.Equal(t, map[string]any{"type": "once", "run_at": "2090-01-01T00:00:00.000Z", "timezone": "UTC"}, one.object()["schedule"],
		"what another type of schedule would have")
	c.sendUnlike(http.MethodPost, agents+"/"+a.id()+"/schedules/"+one.id(),
		`{"schedule":{"type":"cron","cron_expression":"0 9 * * *","run_at":null,"interval_seconds":null}}`).is(http.StatusOK)
	require.Len(t, c.sendUnlike(http.MethodGet, agents+"?limit=20.0&offset=0.0", "").is(http.StatusOK).object()["data"], 2)
	c.send(http.MethodPost, agents+"/"+a.id()+"/schedules/"+s.id(), `{"policy":{"max_runs":7.0}}`).is(http.StatusOK)
	after := c.send(http.MethodPost, agents+"/"+a.id()+"/schedules/"+s.id(), `{"policy":{"max_runs":null}}`).is(http.StatusOK)
	require.Nil(t, after.object()["policy"].(map[string]any)["max_runs"], "in an update null clears")
}

type goodRequest struct{ path, body string }

func goodBodies() []goodRequest {
	return []goodRequest{
		{agents, `{"name":"` + strings.Repeat("é", 120) + `","model":"m"}`},
		{agents, `{"name":"a","model":"m","description":null,"instructions":null,"max_tool_calls":null,"tool_choice":null}`},
		{agents, `{"name":"a","model":"m","tools":[{"type":"mcp","server_label":"x","headers":{"a":null}}],"text":{"format":{"type":"text"}},"reasoning":{}}`},
		{agents, `{"name":"a","model":"m","tools":null,"text":null,"reasoning":null,"parallel_tool_calls":null,"metadata":null}`},
		{agents, `{"name":"a","model":"m","max_tool_calls":3.0}`},
		{schedules, `{"schedule":{"type":"interval","interval_seconds":3600.0,"start_at":null,"timezone":null},"input":"hi","metadata":null,"policy":null}`},
		{schedules, `{"schedule":{"type":"interval","interval_seconds":36e2},"input":"hi","policy":{"jitter_seconds":5.0,"start_at":"2026-11-23t05:31:56z"}}`},
		{schedule, `{"schedule":{"type":"interval","interval_seconds":60,"start_at":null,"timezone":null}}`},
		{agent, `{}`},
		{agent, `{"description":null,"tools":[],"metadata":{}}`},
		{schedules, `{"schedule":{"type":"interval","interval_seconds":581769,"timezone":"UTC"},"input":[]}`},
		{schedules, `{"schedule":{"type":"once","run_at":"2026-12-01T09:00:00"},"input":"hi","name":null,"conversation":null,"previous_response_id":null}`},
		{schedules, `{"schedule":{"cron_expression":"0 9 * * MON-FRI","type":"cron"},"input":[{"type":"text","text":"hi"}],"conversation":{"id":"conv_1"}}`},
		{schedule, `{}`},
		{schedule, `{"name":null,"conversation":null,"previous_response_id":null,"policy":{"overlap":null,"retry":null,"end_at":null,"max_runs":null}}`},
		{schedule, `{"conversation":"conv_1","policy":{"retry":{"max_attempts":null,"on_crash":"never"}}}`},
		{schedule + "/pause", ``},
		{schedule + "/pause", `{}`},
		{schedule + "/pause", `{"note":null}`},
		{schedule + "/resume", ` `},
		{runs, `{"input":"` + strings.Repeat("x", 100000) + `"}`},
		{runs, `{"input":[{"type":"message","role":"user","content":"hi"}],"conversation":"conv_1","previous_response_id":"resp_1"}`},
		{runs, `{"input":[{"role":"user","content":"hi"}]}`},
		{runs + "/arun_1/cancel", ``},
		{runs + "/arun_1/cancel", `{}`},
		{keys, `{"name":"k","scopes":["read:agents"],"expires_at":null,"account":"acme"}`},
	}
}

func TestGoodBodies(t *testing.T) {
	h := newServer(t, errReached)
	for _, tt := range goodBodies() {
		w := answer(h, request(http.MethodPost, tt.path, tt.body))
		name := tt.path + " " + tt.body[:min(80, len(tt.body))]
		require.Equal(t, errReached.Msg, failed(t, w).Message, name)
		recordVerdict(t, tt.path, strings.TrimSpace(tt.body), true)
	}
}

// A body of the largest size passes; one byte more does not.
func TestBodySize(t *testing.T) {
	h := newServer(t, errReached)
	body := `{"input":"` + strings.Repeat("x", 1<<20-12) + `"}`
	require.Len(t, body, 1<<20)
	require.Equal(t, http.StatusServiceUnavailable, answer(h, request(http.MethodPost, runs, body)).Code)

	for _, path := range []string{runs, runs + "/arun_1/cancel"} {
		w := answer(h, request(http.MethodPost, path, body+" "))
		require.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
		require.Equal(t, "the body must be at most 1048576 bytes long", failed(t, w).Message)
	}
}

func TestMediaTypes(t *testing.T) {
	h := newServer(t, errReached)
	for contentType, want := range map[string]int{
		"":                                  http.StatusServiceUnavailable,
		"application/json":                  http.StatusServiceUnavailable,
		"Application/JSON; charset=UTF-8":   http.StatusServiceUnavailable,
		"application/json; charset=latin1":  http.StatusUnsupportedMediaType,
		"application/x-www-form-urlencoded": http.StatusUnsupportedMediaType,
		"application/json;;":                http.StatusUnsupportedMediaType,
		"text/plain":                        http.StatusUnsupportedMediaType,
	} {
		r := request(http.MethodPost, runs, `{"input":"hi"}`)
		r.Header.Set("Content-Type", contentType)
		assert.Equal(t, want, answer(h, r).Code, contentType)
	}
	w := answer(h, request(http.MethodPost, runs, `{"input":"hi"}`, "Content-Encoding", "gzip"))
	require.Equal(t, http.StatusUnsupportedMediaType, w.Code)
	require.Equal(t, rota.BadMediaType, failed(t, w).Code)
}
