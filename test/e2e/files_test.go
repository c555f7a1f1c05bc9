//go:build unix

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// TestFewOpenFiles: a process that may open 64 files serves callers and fires schedules
// while a stranger opens many connections and says nothing.
func TestFewOpenFiles(t *testing.T) {
	t.Parallel()
	path, err := binary()
	require.NoError(t, err)
	limited := filepath.Join(t.TempDir(), "limited")
	require.NoError(t, os.WriteFile(limited, fmt.Appendf(nil, "#!/bin/sh\nulimit -n 64 && exec %q \"$@\"\n", path), 0o700))
	model := gatewaytest.New(t)
	model.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		w.Header().Set("Connection", "close") // each run needs another connection
		gatewaytest.Text("ok")(w, r, c)
	})
	s := launchAs(t, limited, t.TempDir(), []string{"ROTA_BOOTSTRAP_KEY=" + key}, "--model-url", model.URL)
	require.NotEmpty(t, s.url)
	c := client.New(s.url, key)
	agent, err := c.Agents.Create(t.Context(), rota.AgentCreate{Name: "a", Model: "m"})
	require.NoError(t, err)
	for range 5 {
		_, err = c.Schedules.Create(t.Context(), agent.ID, rota.ScheduleCreate{
			Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, Input: rota.InputText("hi"),
		})
		require.NoError(t, err)
	}

	for range 400 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		defer conn.Close()
	}
	ended := func() (runs []rota.Run) {
		list, err := c.Runs.List(t.Context(), agent.ID, rota.Page{Limit: 100})
		require.NoError(t, err)
		for _, r := range list.Data {
			if r.CompletedAt != nil {
				runs = append(runs, r)
			}
		}
		return runs
	}
	before := len(ended())
	require.Eventually(t, func() bool { return len(ended()) >= before+20 }, time.Minute, 100*time.Millisecond)
	for _, r := range ended() {
		require.Equal(t, rota.PhaseCompleted, r.Phase, r.Error)
	}
	require.NoError(t, s.stop(syscall.SIGTERM))
	require.Contains(t, s.logs.String(), "connections without a request are closed to make room")
	require.Contains(t, s.logs.String(), "may open too few files for --max-concurrent-runs")
}
