package e2e

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

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
	require.Equal(t, attempts, got.Attempts)
}
