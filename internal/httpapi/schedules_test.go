package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestScheduleTypes(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	for _, tt := range []struct{ sent, answered string }{
		{`{"type":"interval","interval_seconds":581769,"timezone":"UTC"}`, `{"type":"interval","interval_seconds":581769,"timezone":"UTC"}`},
		{`{"type":"interval","interval_seconds":3600}`, `{"type":"interval","interval_seconds":3600,"timezone":"UTC"}`},
		{`{"type":"interval","interval_seconds":3600,"start_at":"2026-12-01t09:00:00","timezone":"Europe/Madrid"}`, `{"type":"interval","interval_seconds":3600,"start_at":"2026-12-01T08:00:00.000Z","timezone":"Europe/Madrid"}`},
		{`{"type":"once","run_at":"2026-12-01T09:00:00Z","timezone":"UTC"}`, `{"type":"once","run_at":"2026-12-01T09:00:00.000Z","timezone":"UTC"}`},
		{`{"type":"once","run_at":"2026-12-01T09:00:00","timezone":"Europe/Madrid"}`, `{"type":"once","run_at":"2026-12-01T08:00:00.000Z","timezone":"Europe/Madrid"}`},
		{`{"type":"cron","cron_expression":"0 9 * * MON-FRI","timezone":"Europe/Madrid"}`, `{"type":"cron","cron_expression":"0 9 * * MON-FRI","timezone":"Europe/Madrid"}`},
	} {
		s := c.send(http.MethodPost, agent+"/schedules", `{"schedule":`+tt.sent+`,"input":[]}`).is(http.StatusCreated)
		require.Contains(t, string(s.Body), `"schedule":`+tt.answered)
		require.Regexp(t, `^asch_[0-9a-f]{32}$`, s.id())
		require.NotNil(t, s.object()["next_run_at"])
	}
}

func TestScheduleDefaults(t *testing.T) {
	c := newAPI(t).acme()
	s := c.send(http.MethodGet, c.newSchedule(c.newAgent("a")), "").is(http.StatusOK).object()
	require.Len(t, s, 32, "the 18 fields of the published object and 14 of ours")
	for field, want := range map[string]any{
		"object": "agent.schedule", "key": nil, "name": nil, "description": nil, "status": "active", "input": "hi", "conversation": nil, "previous_response_id": nil, "context_management": nil,
		"metadata": map[string]any{}, "temporal_schedule_id": nil, "last_run_at": nil, "last_run_id": nil, "run_count": 0.0, "deleted_at": nil,
		"pause_reason": nil, "consecutive_failures": 0.0, "version": 1.0, "origin": nil,
		"policy": map[string]any{
			"overlap": "skip", "missed": "latest", "max_lateness_seconds": 3600.0, "jitter_seconds": 0.0, "start_at": nil, "end_at": nil,
			"max_runs": nil, "pause_after_failures": nil, "retry": map[string]any{"max_attempts": 3.0, "max_wait_seconds": 3600.0, "on_crash": "resume"}, "timeout_seconds": 600.0, "variables": true,
		},
	} {
		require.Contains(t, s, field)
		require.Equal(t, want, s[field], field)
	}
}

func TestScheduleContextManagement(t *testing.T) {
	c := newAPI(t).acme()
	path := c.newSchedule(c.newAgent("a"))
	const set = `[{"type":"compaction","compact_threshold":1000}]`
	s := c.send(http.MethodPost, path, `{"context_management":[{"type":"compaction","compact_threshold":1000.0}]}`).is(http.StatusOK)
	require.Contains(t, string(s.Body), `"context_management":`+set)
	s = c.send(http.MethodPost, path, `{"name":"x"}`).is(http.StatusOK)
	require.Contains(t, string(s.Body), `"context_management":`+set)
	s = c.send(http.MethodPost, path, `{"context_management":null}`).is(http.StatusOK)
	require.Nil(t, s.object()["context_management"])
	for body, param := range map[string]any{
		`{"context_management":[{"type":"compaction","compact_threshold":999}]}`: "context_management.0.compact_threshold",
		`{"context_management":[{"type":"summary","compact_threshold":1000}]}`:   "context_management.0.type",
		`{"context_management":{}}`: "context_management",
	} {
		require.Equal(t, param, c.send(http.MethodPost, path, body).is(http.StatusBadRequest).param(), body)
	}
}

func TestScheduleRefusals(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	for _, tt := range []struct{ body, param string }{
		{`{"schedule":{"type":"cron","cron_expression":"nonsense"},"input":"hi"}`, "schedule.cron_expression"},
		{`{"schedule":{"type":"cron","cron_expression":"0 9 * * *","timezone":"Mars/Phobos"},"input":"hi"}`, "schedule.timezone"},
		{`{"schedule":{"type":"once","run_at":"tomorrow"},"input":"hi"}`, "schedule.run_at"},
		{`{"schedule":{"type":"once","run_at":"2020-01-01T00:00:00Z"},"input":"hi"}`, "schedule.run_at"},
	} {
		f := c.send(http.MethodPost, agent+"/schedules", tt.body).is(http.StatusBadRequest).failure()
		require.Equal(t, tt.param, f.param(), f.Message)
	}
	c.send(http.MethodPost, agents+"/agt_none/schedules", `{"schedule":{"type":"interval","interval_seconds":60},"input":"hi"}`).is(http.StatusNotFound)
}

func TestScheduleUpdates(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	path := agent + "/schedules/" + c.send(http.MethodPost, agent+"/schedules",
		`{"schedule":{"type":"interval","interval_seconds":60},"input":"hi","name":"n","conversation":{"id":"conv_1"},"metadata":{"a":"1"},"policy":{"overlap":"allow_all","max_runs":7}}`).
		is(http.StatusCreated).id()
	before := c.send(http.MethodGet, path, "").object()
	require.Equal(t, map[string]any{"id": "conv_1"}, before["conversation"], "kept as sent")
	before["warnings"] = []any{}

	require.Equal(t, before, c.send(http.MethodPost, path, `{}`).is(http.StatusOK).object(), "nothing is sent, nothing changes")

	after := c.send(http.MethodPost, path, `{"name":null,"conversation":null,"previous_response_id":"resp_1","policy":{"overlap":null,"jitter_seconds":5}}`).is(http.StatusOK).object()
	want := before
	want["name"], want["conversation"], want["previous_response_id"], want["version"], want["schedule_version"] = nil, nil, "resp_1", 2.0, 2.0
	policy := want["policy"].(map[string]any)
	policy["overlap"], policy["jitter_seconds"] = "skip", 5.0
	for _, moved := range []string{"updated_at", "next_run_at", "starts_at"} {
		want[moved] = after[moved]
	}
	require.Equal(t, want, after, "what is absent stays, null clears or restores the default")

	after = c.send(http.MethodPost, path, `{"schedule":{"type":"cron","cron_expression":"@daily"},"input":[{"type":"text","text":"hi"}]}`).is(http.StatusOK).object()
	require.Equal(t, map[string]any{"type": "cron", "cron_expression": "@daily", "timezone": "UTC"}, after["schedule"])
	require.Equal(t, "2026-11-24T00:00:00.000Z", after["next_run_at"])
	require.Equal(t, []any{map[string]any{"type": "text", "text": "hi"}}, after["input"])
}

func TestPauseAndResume(t *testing.T) {
	c := newAPI(t).acme()
	path := c.newSchedule(c.newAgent("a"))

	paused := c.send(http.MethodPost, path+"/pause", `{"note":"holidays"}`).is(http.StatusOK).object()
	require.Equal(t, "paused", paused["status"])
	require.Nil(t, paused["next_run_at"])
	why := paused["pause_reason"].(map[string]any)
	require.Equal(t, "manual", why["code"])
	require.Equal(t, "holidays", why["note"])
	require.Equal(t, paused, c.send(http.MethodPost, path+"/pause", "").is(http.StatusOK).object(), "paused stays paused")

	resumed := c.send(http.MethodPost, path+"/resume", "").is(http.StatusOK).object()
	require.Equal(t, "active", resumed["status"])
	require.Nil(t, resumed["pause_reason"])
	require.NotNil(t, resumed["next_run_at"])
	require.Equal(t, resumed, c.send(http.MethodPost, path+"/resume", "{}").is(http.StatusOK).object(), "active stays active")
}

func TestDeletedSchedules(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	path := c.newSchedule(agent)
	id := c.send(http.MethodGet, path, "").id()
	gone := c.send(http.MethodDelete, path, "").is(http.StatusOK)
	require.JSONEq(t, `{"object":"agent.schedule.deleted","id":"`+id+`","deleted":true}`, string(gone.Body))

	c.send(http.MethodGet, path, "").is(http.StatusNotFound)
	c.send(http.MethodGet, path+"?include_deleted=false", "").is(http.StatusNotFound)
	s := c.send(http.MethodGet, path+"?include_deleted=true", "").is(http.StatusOK).object()
	require.Equal(t, "deleted", s["status"])
	require.NotNil(t, s["deleted_at"])
	require.Empty(t, c.send(http.MethodGet, agent+"/schedules", "").object()["data"])
	for _, action := range []string{"", "/pause", "/resume"} {
		c.send(http.MethodPost, path+action, "{}").is(http.StatusNotFound)
	}

	other := c.newSchedule(agent)
	c.send(http.MethodDelete, agent, "").is(http.StatusOK)
	c.send(http.MethodGet, other, "").is(http.StatusOK)
	require.Len(t, c.send(http.MethodGet, agent+"/schedules", "").object()["data"], 1, "those of a deleted agent can be read")
}

// TestTheEndOfTime: jitter and zones do not lead out of the year 9999, of which no
// answer can speak.
func TestTheEndOfTime(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	late := func(spec, policy string) reply {
		return c.send(http.MethodPost, agent+"/schedules", `{"schedule":`+spec+`,"input":"hi","policy":`+policy+`}`)
	}
	refused := late(`{"type":"once","run_at":"9999-12-31T23:59:59Z"}`, `{"jitter_seconds":86400}`).is(http.StatusBadRequest)
	require.Equal(t, "schedule.run_at", refused.param())
	late(`{"type":"cron","cron_expression":"@daily"}`, `{"start_at":"9999-12-31T00:00:00Z","jitter_seconds":86400}`).is(http.StatusBadRequest)

	last := late(`{"type":"once","run_at":"9999-12-30T00:00:00Z","timezone":"Pacific/Kiritimati"}`, `{"jitter_seconds":86400}`).is(http.StatusCreated)
	schedule := agent + "/schedules/" + last.id()
	c.send(http.MethodPost, schedule, `{}`).is(http.StatusOK)
	c.send(http.MethodPost, schedule+"/pause", `{}`).is(http.StatusOK)
	ahead := read[rota.Preview](c.send(http.MethodGet, schedule+"/upcoming", "").is(http.StatusOK))
	require.Equal(t, "9999-12-30T14:00:00+14:00", ahead.Data[0].Local)

	hourly := c.newSchedule(agent)
	c.send(http.MethodPost, hourly+"/trigger", "").is(http.StatusOK)
	require.Len(t, read[rota.List[rota.Occurrence]](c.send(http.MethodGet, hourly+"/occurrences?from=0001-01-01T00:00:00Z", "").is(http.StatusOK)).Data, 1)
	require.Empty(t, read[rota.List[rota.Occurrence]](c.send(http.MethodGet, hourly+"/occurrences?to=0001-01-01T00:00:00Z", "").is(http.StatusOK)).Data, "that is an end, and not none")
}
