package e2e

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// gate makes the model answer only when it is told to.
func (in *installation) gate() gated {
	g := gated{in.model, make(chan gatewaytest.Call, 16), make(chan struct{})}
	g.Default(gatewaytest.Gate(g.entered, g.release, gatewaytest.Text("done")))
	return g
}

// TestAWorkerOfTemporalDrains: it lets its run end when it is told to stop, and
// leaves one that takes too long to the others.
func TestAWorkerOfTemporalDrains(t *testing.T) {
	in := install(t)
	model := in.gate()
	api := in.join(t, "temporal", "--role", "api")
	first := in.join(t, "temporal", "--role", "worker", "--drain-timeout", "1m")
	r := startRun(t, api, "go")
	model.call(t)
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGTERM))
	awaitRefusal(t, first)
	close(model.release)
	<-first.exited
	require.NoError(t, first.err, first.logs)
	require.NotContains(t, first.logs.String(), "run interrupted")
	completed(t, api, r, 1)

	model = in.gate()
	second := in.join(t, "temporal", "--role", "worker", "--drain-timeout", "0s")
	r = startRun(t, api, "go")
	before := model.call(t)
	stopAll(t, []*server{second})
	require.Contains(t, second.logs.String(), "run interrupted")
	third := in.join(t, "temporal", "--role", "worker")
	require.Equal(t, before.IdempotencyKey(), model.call(t).IdempotencyKey())
	close(model.release)
	completed(t, api, r, 2)
	stopAll(t, []*server{third, api})
}

// completed waits until a run has completed, and compares its attempts.
func completed(t *testing.T, by *server, r rota.Run, attempts int) {
	t.Helper()
	for _, err := range by.client().Runs.Events(t.Context(), r.AgentID, r.ID) {
		require.NoError(t, err)
	}
	got, err := by.client().Runs.Get(t.Context(), r.AgentID, r.ID)
	require.NoError(t, err)
	require.Equal(t, rota.RunCompleted, got.Status, got.Error)
	require.Len(t, got.Attempts, attempts)
}

// TestInstallationsShareANamespace: two databases have one namespace of
// Temporal, with the same settings. Each is woken for its own schedules.
func TestInstallationsShareANamespace(t *testing.T) {
	t.Parallel()
	one, other := install(t), install(t)
	other.temporal = one.temporal
	servers := []*server{one.join(t, "temporal"), other.join(t, "temporal")}
	c := one.temporal.Client(t)
	for _, by := range servers {
		s, ran := everySecond(t, by)
		ran(by, 8)
		d, err := c.ScheduleClient().GetHandle(t.Context(), string(s.ID)).Describe(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, d.Info.RecentActions)
		for _, a := range d.Info.RecentActions {
			for _, w := range workers(t, c, a.StartWorkflowResult.WorkflowID) {
				require.Contains(t, w, fmt.Sprint(by.cmd.Process.Pid, "@"))
			}
		}
	}
	stopAll(t, servers)
}

// workers returns the identities of those who have worked on a workflow.
func workers(t *testing.T, c client.Client, workflow string) (all []string) {
	t.Helper()
	h := c.GetWorkflowHistory(t.Context(), workflow, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for h.HasNext() {
		e, err := h.Next()
		require.NoError(t, err)
		if begun := e.GetWorkflowTaskStartedEventAttributes(); begun != nil {
			all = append(all, begun.Identity)
		}
	}
	return all
}
