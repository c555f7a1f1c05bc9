package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummary(t *testing.T) {
	s := newAPI(t)
	c := s.operator("acme")
	schedule := c.newSchedule(c.newAgent("a"))
	c.send(http.MethodPost, schedule+"/trigger", "").is(http.StatusOK)
	fired := func(query string) any {
		s := c.send(http.MethodGet, "/api/v1/summary"+query, "").is(http.StatusOK).object()
		require.Len(t, s["data"], 24)
		return s["total"].(map[string]any)["occurrences"].(map[string]any)["fired"]
	}
	require.Equal(t, 1.0, fired(""))
	require.Equal(t, 1.0, fired("?end_user=*"))
	require.Equal(t, 0.0, fired("?end_user=ana"), "others have their own counts")

	require.Equal(t, "end_user", s.acme().send(http.MethodGet, "/api/v1/summary?end_user=*", "").is(http.StatusForbidden).param())

	for query, param := range map[string]string{
		"?bucket=3599": "bucket", "?bucket=5400": "bucket", "?from=x": "from", "?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z": "from", "?to=2020-01-01T00:00:00Z&from=2020-01-02T00:00:00Z": "to",
		"?from=2020-01-01T00:00:00Z&to=2022-01-01T00:00:00Z&bucket=86400": "to", "?from=2020-01-01T00:00:00Z&to=2020-06-01T00:00:00Z": "bucket",
	} {
		require.Equal(t, param, c.send(http.MethodGet, "/api/v1/summary"+query, "").is(http.StatusBadRequest).param(), query)
	}
}
