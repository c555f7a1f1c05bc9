package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a schedule was can be read, by the number that its occurrences and runs have.
func TestScheduleVersions(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	path := c.newSchedule(agent)
	first := c.send(http.MethodGet, path, "").is(http.StatusOK).object()
	require.Equal(t, []any{nil, 1.0}, []any{first["agent_version"], first["schedule_version"]})
	second := c.send(http.MethodPost, path, `{"input":"other","agent_version":1}`).is(http.StatusOK).object()
	require.Equal(t, []any{1.0, 2.0}, []any{second["agent_version"], second["schedule_version"]})
	require.Equal(t, 2.0, c.send(http.MethodPost, path+"/pause", "").is(http.StatusOK).object()["schedule_version"])
	occurrence := c.send(http.MethodPost, path+"/trigger", "").is(http.StatusOK).object()
	require.Equal(t, 2.0, occurrence["schedule_version"])
	require.Equal(t, 2.0, c.send(http.MethodGet, "/api/v1/runs/"+occurrence["run_id"].(string), "").is(http.StatusOK).object()["schedule_version"])

	was := c.send(http.MethodGet, path+"/versions/1", "").is(http.StatusOK).object()
	require.Equal(t, []any{"agent.schedule.version", 1.0, false, first["input"], nil}, []any{was["object"], was["version"], was["is_current"], was["input"], was["agent_version"]})
	require.Equal(t, first["schedule"], was["schedule"])
	require.Equal(t, first["policy"], was["policy"])
	for query, want := range map[string][]float64{"": {2, 1}, "?order=asc": {1, 2}, "?limit=1": {2}, "?order=asc&limit=1": {1}} {
		var got []float64
		for _, v := range c.send(http.MethodGet, path+"/versions"+query, "").is(http.StatusOK).object()["data"].([]any) {
			got = append(got, v.(map[string]any)["version"].(float64))
		}
		require.Equal(t, want, got, query)
	}
	last := c.send(http.MethodGet, path+"/versions?limit=1", "").object()["last_id"].(string)
	require.Equal(t, was["id"], c.send(http.MethodGet, path+"/versions?after="+last, "").is(http.StatusOK).object()["last_id"])
	for _, n := range []string{"0", "3", "x", "-1"} {
		c.send(http.MethodGet, path+"/versions/"+n, "").is(http.StatusNotFound)
	}
	for body, says := range map[string]string{
		`{"agent_version":9}`:   "it has no version 9",
		`{"agent_version":0}`:   "at least 1",
		`{"agent_version":"1"}`: "whole number",
	} {
		f := c.send(http.MethodPost, path, body).is(http.StatusBadRequest).failure()
		require.Equal(t, "agent_version", f.param())
		require.Contains(t, f.Message, says)
	}
	c.send(http.MethodDelete, path, "").is(http.StatusOK)
	c.send(http.MethodGet, path+"/versions/1", "").is(http.StatusOK)
}
