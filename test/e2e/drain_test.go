package e2e

import (
	"context"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// A gated is a model that answers when it is told to.
type gated struct {
	*gatewaytest.Server
	entered chan gatewaytest.Call
	release chan struct{}
}

func startGated(t *testing.T) gated {
	g := gated{gatewaytest.New(t), make(chan gatewaytest.Call, 16), make(chan struct{})}
	g.Default(gatewaytest.Gate(g.entered, g.release, gatewaytest.Text("done")))
	return g
}

// call blocks until the model is asked.
func (g gated) call(t *testing.T) gatewaytest.Call {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case c := <-g.entered:
		return c
	case <-ctx.Done():
		t.Fatal("the model is not asked")
		panic("unreachable")
	}
}

// startRun makes an agent and a run of it.
func startRun(t *testing.T, s *server, input string) rota.Run {
	t.Helper()
	a, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "drain", Model: "any"})
	require.NoError(t, err)
	r, err := s.client().Runs.Create(t.Context(), a.ID, rota.RunCreate{Input: rota.InputText(input)})
	require.NoError(t, err)
	return r
}

func TestTermWaitsForRuns(t *testing.T) {
	model, dir := startGated(t), t.TempDir()
	s := start(t, dir, "--model-url", model.URL, "--drain-timeout", "1m")
	r := startRun(t, s, "go")
	model.call(t)

	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	awaitRefusal(t, s)
	select {
	case <-s.exited:
		t.Fatalf("the server did not wait for its run\n%s", s.logs)
	default:
	}
	close(model.release)
	<-s.exited
	require.NoError(t, s.err, s.logs)

	s = start(t, dir, "--model-url", model.URL)
	got, err := s.client().Runs.Get(t.Context(), r.AgentID, r.ID)
	require.NoError(t, err)
	require.Equal(t, rota.RunCompleted, got.Status)
	require.Len(t, got.Attempts, 1)
	require.Equal(t, 1, model.Total())
}

// awaitRefusal asks until the server takes no more requests.
func awaitRefusal(t *testing.T, s *server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/healthz", nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			require.NoError(t, ctx.Err(), "the server takes requests after SIGTERM")
			return
		}
		resp.Body.Close()
	}
}

// TestRunsThatOutlastTheDrain are resumed by the next start, which asks the
// model under the same idempotency key.
func TestRunsThatOutlastTheDrain(t *testing.T) {
	model, dir := startGated(t), t.TempDir()
	s := start(t, dir, "--model-url", model.URL, "--drain-timeout", "0s")
	r := startRun(t, s, "go")
	first := model.call(t)
	require.NoError(t, s.stop(syscall.SIGTERM), s.logs)
	require.Contains(t, s.logs.String(), "run interrupted")

	s = start(t, dir, "--model-url", model.URL)
	second := model.call(t)
	require.NotEmpty(t, first.IdempotencyKey())
	require.Equal(t, first.IdempotencyKey(), second.IdempotencyKey())
	require.JSONEq(t, string(first.Body), string(second.Body))
	close(model.release)
	for _, err := range s.client().Runs.Events(t.Context(), r.AgentID, r.ID) {
		require.NoError(t, err)
	}
	got, err := s.client().Runs.Get(t.Context(), r.AgentID, r.ID)
	require.NoError(t, err)
	require.Equal(t, rota.RunCompleted, got.Status, got.Error)
	require.NoError(t, s.stop(syscall.SIGTERM))
	require.Contains(t, s.logs.String(), "resumed=1")
}

// TestASecondSignalEndsTheServer that waits for a run.
func TestASecondSignalEndsTheServer(t *testing.T) {
	model, dir := startGated(t), t.TempDir()
	s := start(t, dir, "--model-url", model.URL, "--drain-timeout", "1h")
	startRun(t, s, "go")
	model.call(t)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	awaitRefusal(t, s)
	require.Error(t, s.stop(syscall.SIGTERM))
	require.Equal(t, syscall.SIGTERM, s.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
}
