package e2e

import (
	"net/http"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// TestMetrics lets a schedule fire once and reads what /metrics promises.
func TestMetrics(t *testing.T) {
	s := start(t, t.TempDir())
	ctx, c := t.Context(), s.client()
	a, err := c.Agents.Create(ctx, rota.AgentCreate{Name: "metrics", Model: "echo"})
	require.NoError(t, err)
	_, err = c.Schedules.Create(ctx, a.ID, rota.ScheduleCreate{
		Spec:   rota.Spec{Type: rota.Interval, IntervalSeconds: 1},
		Input:  rota.InputText("go"),
		Policy: rota.PolicyUpdate{MaxRuns: rota.Some(int64(1))},
	})
	require.NoError(t, err)
	m := scrape(t, s)
	for ended(m) == 0 {
		m = scrape(t, s)
	}

	require.Equal(t, 1.0, m["rota_fires_total"].Metric[0].Counter.GetValue())
	require.Equal(t, map[string]string{"outcome": "fired"}, labels(m["rota_occurrences_total"].Metric[0]))
	require.Equal(t, 1.0, m["rota_occurrences_total"].Metric[0].Counter.GetValue())
	require.Equal(t, uint64(1), m["rota_lateness_seconds"].Metric[0].Histogram.GetSampleCount())
	require.Equal(t, map[string]string{"phase": "completed", "code": ""}, labels(m["rota_runs_total"].Metric[0]))
	require.Positive(t, m["rota_write_batch_updates"].Metric[0].Histogram.GetSampleCount())
	require.NotZero(t, m["go_goroutines"])
	phases := map[string]float64{}
	for _, g := range m["rota_open_runs"].Metric {
		phases[labels(g)["phase"]] = g.Gauge.GetValue()
	}
	require.Equal(t, map[string]float64{"queued": 0, "running": 0, "waiting": 0}, phases)
	routes := map[string]bool{}
	for _, h := range m["rota_http_request_seconds"].Metric {
		l := labels(h)
		routes[l["method"]+" "+l["route"]+" "+l["status"]] = true
	}
	require.True(t, routes["POST /api/v1/agents/{agent_id}/schedules 201"], routes)
}

func ended(m map[string]*dto.MetricFamily) float64 {
	if m["rota_runs_total"] == nil {
		return 0
	}
	return m["rota_runs_total"].Metric[0].Counter.GetValue()
}

// scrape reads and parses /metrics.
func scrape(t *testing.T, s *server) map[string]*dto.MetricFamily {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/metrics", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	p := expfmt.NewTextParser(model.UTF8Validation)
	m, err := p.TextToMetricFamilies(resp.Body)
	require.NoError(t, err)
	for name, family := range m {
		require.NotEmpty(t, family.GetHelp(), name)
	}
	return m
}

func labels(m *dto.Metric) map[string]string {
	out := map[string]string{}
	for _, l := range m.Label {
		out[l.GetName()] = l.GetValue()
	}
	return out
}
