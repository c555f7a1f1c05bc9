package e2e

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// TestOneEndUserDoesNotStarveAnother: one has all the workers that it can get, for as
// long as the test lasts, and hundreds of runs in the queue. Another's run, and its
// schedule of every second, run all the same.
func TestOneEndUserDoesNotStarveAnother(t *testing.T) {
	t.Parallel()
	model, release := gatewaytest.New(t), make(chan struct{})
	defer close(release)
	var slow atomic.Int64
	model.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		if strings.Contains(string(c.Body), "slow") {
			slow.Add(1)
			select {
			case <-release:
			case <-r.Context().Done():
				return
			}
		}
		gatewaytest.Text("done")(w, r, c)
	})
	s := start(t, t.TempDir(), "--model-url", model.URL, "--max-concurrent-runs", "8", "--drain-timeout", "0s")
	flooder, other := client.New(s.url, key, client.OnBehalfOf("flooder")), client.New(s.url, key, client.OnBehalfOf("other"))
	agent := func(c *client.Client) rota.AgentID {
		a, err := c.Agents.Create(t.Context(), rota.AgentCreate{Name: "a", Model: "any"})
		require.NoError(t, err)
		return a.ID
	}
	floods, mine := agent(flooder), agent(other)
	for range 200 {
		_, err := flooder.Runs.Create(t.Context(), floods, rota.RunCreate{Input: rota.InputText("slow")})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return slow.Load() == 6 }, time.Minute, 10*time.Millisecond, "three quarters of the workers")

	run, err := other.Runs.Create(t.Context(), mine, rota.RunCreate{Input: rota.InputText("quick")})
	require.NoError(t, err)
	sched, err := other.Schedules.Create(t.Context(), mine, rota.ScheduleCreate{
		Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, Input: rota.InputText("quick"),
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		r, err := other.Runs.Get(t.Context(), mine, run.ID)
		require.NoError(t, err)
		got, err := other.Schedules.Get(t.Context(), mine, sched.ID)
		require.NoError(t, err)
		return r.Status == rota.RunCompleted && got.RunCount >= 3
	}, time.Minute, 50*time.Millisecond)
	require.EqualValues(t, 6, slow.Load())
}
