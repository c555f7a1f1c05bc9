package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestTriggerIsOnRecord(t *testing.T) {
	c := newAPI(t).acme()
	schedule := c.newSchedule(c.newAgent("a"))
	c.send(http.MethodPost, schedule+"/pause", "").is(http.StatusOK)

	fired := c.send(http.MethodPost, schedule+"/trigger", "").is(http.StatusOK).object()
	require.Equal(t, "fired", fired["outcome"])
	require.Equal(t, "manual", fired["trigger"])
	require.NotEmpty(t, fired["run_id"])
	run := c.send(http.MethodGet, "/api/v1/runs/"+fired["run_id"].(string), "").is(http.StatusOK).object()
	require.Equal(t, "manual", run["trigger"])
	require.Equal(t, fired["scheduled_for"], run["scheduled_for"])

	skipped := c.send(http.MethodPost, schedule+"/trigger", "").is(http.StatusOK).object()
	require.Equal(t, "skipped_overlap", skipped["outcome"], "the overlap policy holds for triggers too")

	s := c.send(http.MethodGet, schedule, "").is(http.StatusOK).object()
	require.Equal(t, "paused", s["status"])
	require.Equal(t, 1.0, s["run_count"])
	require.Equal(t, fired["run_id"], s["last_run_id"])

	list := func(query string) []string {
		return read[listed](c.send(http.MethodGet, schedule+"/occurrences"+query, "").is(http.StatusOK)).ids()
	}
	newer, older := skipped["id"].(string), fired["id"].(string)
	require.Equal(t, []string{newer, older}, list(""))
	require.Equal(t, []string{older, newer}, list("?order=asc"))
	require.Equal(t, []string{older}, list("?after="+newer))
	require.Equal(t, []string{older}, list("?outcome=fired"))
	require.Equal(t, []string{newer}, list("?outcome=skipped_overlap"))
	require.Empty(t, list("?outcome=missed"))
	require.Equal(t, []string{newer}, list("?from="+skipped["scheduled_for"].(string)))
	require.Equal(t, []string{older}, list("?to="+fired["scheduled_for"].(string)))
}

func TestOccurrenceParameters(t *testing.T) {
	c := newAPI(t).acme()
	schedule := c.newSchedule(c.newAgent("a"))
	for query, param := range map[string]string{
		"/occurrences?outcome=late": "outcome", "/occurrences?from=today": "from", "/occurrences?to=": "to",
		"/upcoming?count=0": "count", "/upcoming?count=101": "count", "/upcoming?count=x": "count",
	} {
		require.Equal(t, param, c.send(http.MethodGet, schedule+query, "").is(http.StatusBadRequest).param(), query)
	}
	require.Equal(t, "status", c.send(http.MethodGet, "/api/v1/schedules?status=deleted", "").is(http.StatusBadRequest).param())
}

func TestSkipOne(t *testing.T) {
	c := newAPI(t).acme()
	schedule := c.newSchedule(c.newAgent("a"))
	times := func() []any {
		return c.send(http.MethodGet, schedule+"/upcoming?count=3", "").is(http.StatusOK).object()["data"].([]any)
	}
	second := times()[1].(map[string]any)
	require.Equal(t, false, second["skipped"])
	at := second["scheduled_for"].(string)

	s := c.send(http.MethodPost, schedule+"/skip", `{"scheduled_for":"`+at+`"}`).is(http.StatusOK).object()
	require.Equal(t, []any{at}, s["skips"])
	require.Equal(t, true, times()[1].(map[string]any)["skipped"])
	again := c.send(http.MethodPost, schedule+"/skip", `{"scheduled_for":"`+at+`"}`).is(http.StatusOK).object()
	require.Equal(t, s, again, "asking twice changes nothing")

	r := c.send(http.MethodPost, schedule+"/skip", `{"scheduled_for":"2026-11-24T00:00:00Z"}`).is(http.StatusBadRequest)
	require.Equal(t, "scheduled_for", r.param())
	require.Contains(t, string(r.Body), "the first at or after this one is")
	require.Contains(t, string(c.send(http.MethodPost, schedule+"/skip", `{"scheduled_for":"2020-01-01T00:00:00Z"}`).is(http.StatusBadRequest).Body), "in the future")

	s = c.send(http.MethodPost, schedule+"/unskip", `{"scheduled_for":"`+at+`"}`).is(http.StatusOK).object()
	require.Empty(t, s["skips"])
}

func TestPreviewWritesNothing(t *testing.T) {
	c := newAPI(t).acme()
	p := c.send(http.MethodPost, "/api/v1/schedules/preview", `{"schedule":{"type":"cron","cron_expression":"30 2 * * *","timezone":"Europe/Madrid"},
		"count":3,"after":"2027-03-26T12:00:00Z"}`).is(http.StatusOK).object()
	require.Equal(t, "schedule.preview", p["object"])
	require.NotEmpty(t, p["description"])
	var local []any
	for _, at := range p["data"].([]any) {
		local = append(local, at.(map[string]any)["local"])
	}
	require.Equal(t, []any{"2027-03-27T02:30:00+01:00", "2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"}, local,
		"the clock skips 02:30 on 28 March")
	require.NotEmpty(t, p["warnings"])
	require.Empty(t, read[listed](c.send(http.MethodGet, "/api/v1/schedules", "").is(http.StatusOK)).ids())

	for body, param := range map[string]string{
		`{"schedule":{"type":"cron","cron_expression":"0 0 30 2 *"}}`:                                                                         "schedule.cron_expression",
		`{"schedule":{"type":"interval","interval_seconds":0}}`:                                                                               "schedule.interval_seconds",
		`{"schedule":{"type":"interval","interval_seconds":60},"count":0}`:                                                                    "count",
		`{"schedule":{"type":"interval","interval_seconds":60},"policy":{"start_at":"2027-01-02T00:00:00Z","end_at":"2027-01-01T00:00:00Z"}}`: "policy.end_at",
	} {
		require.Equal(t, param, c.send(http.MethodPost, "/api/v1/schedules/preview", body).is(http.StatusBadRequest).param(), body)
	}
}

func TestSchedulesOfAllAgents(t *testing.T) {
	c := newAPI(t).acme()
	a, b := c.newAgent("a"), c.newAgent("b")
	one, two := c.newSchedule(a), c.newSchedule(b)
	c.send(http.MethodPost, two+"/pause", "").is(http.StatusOK)
	ids := func(query string) []string {
		return read[listed](c.send(http.MethodGet, "/api/v1/schedules"+query, "").is(http.StatusOK)).ids()
	}
	require.Len(t, ids(""), 2)
	require.Equal(t, []string{one[len(a)+len("/schedules/"):]}, ids("?status=active"))
	require.Equal(t, []string{two[len(b)+len("/schedules/"):]}, ids("?agent_id="+b[len(agents)+1:]))
	require.Empty(t, ids("?status=completed"))
	require.Empty(t, read[listed](c.as("ana").send(http.MethodGet, "/api/v1/schedules", "").is(http.StatusOK)).ids())
}

func TestUnknownVariablesAreWarnedAbout(t *testing.T) {
	c := newAPI(t).acme()
	warned := func(path, body string) int {
		answer := c.send(http.MethodPost, path, body).is(http.StatusCreated)
		require.NotContains(t, c.send(http.MethodGet, path+"/"+answer.id(), "").is(http.StatusOK).object(), "warnings")
		return len(answer.object()["warnings"].([]any))
	}
	require.Equal(t, 1, warned(agents, `{"name":"x","model":"auto","instructions":"it is {{time}}"}`))
	require.Zero(t, warned(agents, `{"name":"x","model":"auto","instructions":"it is {{scheduled_for}}"}`))
	schedules := c.newAgent("a") + "/schedules"
	require.Equal(t, 1, warned(schedules, `{"schedule":{"type":"interval","interval_seconds":60},"input":"{{who}}"}`))
	require.Zero(t, warned(schedules, `{"schedule":{"type":"interval","interval_seconds":60},"input":"{{who}}","policy":{"variables":false}}`))
	run := c.send(http.MethodPost, c.newAgent("b")+"/runs", `{"input":[{"type":"text","text":"{{who}}"}]}`).is(http.StatusCreated)
	require.NotContains(t, run.object(), "warnings")
}

// param is the path of the field that an answer refuses.
func (r reply) param() any { return r.object()["error"].(map[string]any)["param"] }

func TestBulkWakesOnlyWhatItPaused(t *testing.T) {
	c := newAPI(t).acme()
	a, b := c.newAgent("a"), c.newAgent("b")
	one, two, other := c.newSchedule(a), c.newSchedule(a), c.newSchedule(b)
	c.send(http.MethodPost, two, `{"metadata":{"team":"ops"}}`).is(http.StatusOK)
	status := func(path string) any { return c.send(http.MethodGet, path, "").is(http.StatusOK).object()["status"] }
	bulk := func(verb, body string) any {
		return c.send(http.MethodPost, "/api/v1/schedules/"+verb, body).is(http.StatusOK).object()["changed"]
	}

	require.Equal(t, 1.0, bulk("pause", `{"metadata":{"team":"ops"},"note":"out"}`))
	require.Equal(t, []any{"active", "paused", "active"}, []any{status(one), status(two), status(other)})
	reason := c.send(http.MethodGet, two, "").object()["pause_reason"].(map[string]any)
	require.Equal(t, "manual", reason["code"])
	require.Equal(t, "out", reason["note"])

	require.Equal(t, 1.0, bulk("pause", `{"agent_id":"`+a[len(agents)+1:]+`"}`), "the other one is paused already")
	require.Equal(t, 0.0, bulk("resume", `{"pause_reason":"failures"}`))
	require.Equal(t, 0.0, c.as("ana").send(http.MethodPost, "/api/v1/schedules/resume", "").is(http.StatusOK).object()["changed"])
	require.Equal(t, 2.0, bulk("resume", ""))
	require.Equal(t, []any{"active", "active", "active"}, []any{status(one), status(two), status(other)})
}

func TestForecast(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	c.send(http.MethodPost, agent+"/schedules", `{"schedule":{"type":"cron","cron_expression":"0 9 * * *"},"input":"hi"}`).is(http.StatusCreated)
	c.send(http.MethodPost, agent+"/schedules", `{"schedule":{"type":"cron","cron_expression":"*/30 * * * *"},"input":"hi","policy":{"max_runs":3,"start_at":"2027-01-01T08:00:00Z"}}`).is(http.StatusCreated)
	paused := c.newSchedule(agent)
	c.send(http.MethodPost, paused+"/pause", "").is(http.StatusOK)

	f := c.send(http.MethodGet, "/api/v1/forecast?from=2027-01-01T08:00:00Z&to=2027-01-01T11:00:00Z", "").is(http.StatusOK).object()
	var counts []any
	for _, b := range f["data"].([]any) {
		counts = append(counts, b.(map[string]any)["count"])
	}
	require.Equal(t, []any{2.0, 2.0, 0.0}, counts, "two half hours and the third of at most three; nine o'clock")
	require.Equal(t, 4.0, f["total"])

	for query, param := range map[string]string{
		"?bucket=59": "bucket", "?from=x": "from", "?to=2020-01-01T00:00:00Z": "to", "?bucket=60&to=2030-01-01T00:00:00Z": "bucket",
	} {
		require.Equal(t, param, c.send(http.MethodGet, "/api/v1/forecast"+query, "").is(http.StatusBadRequest).param(), query)
	}
}

// A time that has no wire form must not get in: nobody could read it again.
func TestTimesBeyondTheCalendar(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	for body, param := range map[string]string{
		`{"schedule":{"type":"interval","interval_seconds":1},"input":"x","policy":{"end_at":"9999-12-31T23:59:59-12:00"}}`:   "policy.end_at",
		`{"schedule":{"type":"interval","interval_seconds":1},"input":"x","policy":{"start_at":"0001-01-01T00:00:00+10:00"}}`: "policy.start_at",
	} {
		require.Equal(t, param, c.send(http.MethodPost, agent+"/schedules", body).is(http.StatusBadRequest).param())
	}
	require.Equal(t, "expires_at", c.send(http.MethodPost, keys, `{"name":"k","expires_at":"9999-12-31T23:59:59-12:00"}`).is(http.StatusBadRequest).param())
	require.Equal(t, "after", c.send(http.MethodGet, agents+"?after=zzz", "").is(http.StatusBadRequest).param())
}

func TestBulkIsIdempotent(t *testing.T) {
	c := newAPI(t).acme()
	schedule := c.newSchedule(c.newAgent("a"))
	pause := func(body string) reply {
		return c.send(http.MethodPost, "/api/v1/schedules/pause", body, "Idempotency-Key", "bulk-1")
	}
	require.Equal(t, 1.0, pause("{}").is(http.StatusOK).object()["changed"])
	c.send(http.MethodPost, schedule+"/resume", "").is(http.StatusOK)
	require.Equal(t, 1.0, pause("{}").is(http.StatusOK).object()["changed"], "the first answer")
	require.Equal(t, "active", c.send(http.MethodGet, schedule, "").object()["status"], "and nothing else")
	pause(`{"note":"other"}`).is(http.StatusConflict)
}

func TestBackfill(t *testing.T) {
	c := newAPI(t).acme()
	schedule := c.newSchedule(c.newAgent("a"))
	for body, param := range map[string]string{
		`{"to":"2026-01-01T00:00:00Z"}`:                                                     "from",
		`{"from":"2026-01-01T00:00:00Z"}`:                                                   "to",
		`{"from":"yesterday","to":"2026-01-01T00:00:00Z"}`:                                  "from",
		`{"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}`:                       "to",
		`{"from":"2026-01-01T00:00:00Z","to":"9999-01-01T00:00:00Z"}`:                       "to",
		`{"from":"2026-01-01T00:00:00Z","to":"2026-01-01T00:00:00Z","dry_run":"no"}`:        "dry_run",
		`{"from":"2026-01-01T00:00:00Z","to":"2026-01-01T00:00:00Z","overlap":"allow_all"}`: "overlap",
	} {
		require.Equal(t, param, c.send(http.MethodPost, schedule+"/backfill", body).is(http.StatusBadRequest).param(), body)
	}
	c.send(http.MethodPost, schedule, `{"schedule":{"type":"cron","cron_expression":"0 * * * *","timezone":"Asia/Kolkata"}}`).is(http.StatusOK)
	ask := `{"from":"2026-01-01T00:00:00Z","to":"2026-01-01T02:00:00Z"`
	dry := c.send(http.MethodPost, schedule+"/backfill", ask+`}`).is(http.StatusOK).object()
	require.Equal(t, "schedule.backfill", dry["object"])
	require.Equal(t, true, dry["dry_run"])
	require.Equal(t, 2.0, dry["count"])
	require.Equal(t, map[string]any{"scheduled_for": "2026-01-01T00:30:00.000Z", "local": "2026-01-01T06:00:00+05:30", "starts_at": nil, "skipped": false}, dry["data"].([]any)[0])
	require.Empty(t, read[listed](c.send(http.MethodGet, schedule+"/occurrences", "")).ids())

	done := c.send(http.MethodPost, schedule+"/backfill", ask+`,"dry_run":false}`).is(http.StatusOK).object()
	require.Equal(t, false, done["dry_run"])
	require.Len(t, read[listed](c.send(http.MethodGet, schedule+"/occurrences?outcome=buffered", "")).ids(), 2)
	require.Equal(t, 0.0, c.send(http.MethodPost, schedule+"/backfill", ask+`}`).is(http.StatusOK).object()["count"])

	c.send(http.MethodPost, schedule+"/pause", "").is(http.StatusOK)
	require.Len(t, read[listed](c.send(http.MethodGet, schedule+"/occurrences?outcome=blocked", "")).ids(), 2)
	c.send(http.MethodPost, schedule+"/backfill", ask+`}`).is(http.StatusConflict)
}

// TestAPauseIsOnRecord: after a resumption, and after a deletion.
func TestAPauseIsOnRecord(t *testing.T) {
	s := newAPI(t)
	c := s.acme()
	for name, end := range map[string]func(schedule string) reply{
		"resumed": func(schedule string) reply { return c.send(http.MethodPost, schedule+"/resume", "") },
		"deleted": func(schedule string) reply { return c.send(http.MethodDelete, schedule, "") },
	} {
		t.Run(name, func(t *testing.T) {
			schedule := c.newSchedule(c.newAgent("a")) // each hour
			c.send(http.MethodPost, schedule+"/pause", `{"note":"holiday"}`).is(http.StatusOK)
			s.clock.advance(3*time.Hour + time.Second)
			end(schedule).is(http.StatusOK)
			rows := read[rota.List[rota.Occurrence]](c.send(http.MethodGet, schedule+"/occurrences", "").is(http.StatusOK)).Data
			require.Len(t, rows, 1)
			require.Equal(t, rota.Blocked, rows[0].Outcome)
			require.EqualValues(t, 3, rows[0].Count)
			require.Equal(t, &rota.Reason{Code: "schedule_paused", Message: "the schedule was paused (manual: holiday)"}, rows[0].Reason)
		})
	}
}
