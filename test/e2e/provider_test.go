package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

const (
	modelKey = "sk-the-key-of-the-model"
	secrets  = "what nobody else should read"
)

// talk makes runs that complete, fail and are refused, all about a secret.
func talk(t *testing.T, s *server, model *gatewaytest.Server) {
	t.Helper()
	model.Script(
		gatewaytest.Text("It is "+secrets),
		gatewaytest.Status(http.StatusUnauthorized, nil, "no: "+secrets),
		gatewaytest.Status(http.StatusServiceUnavailable, nil, "busy: "+secrets), // asked again
	)
	for range 3 {
		r := startRun(t, s, secrets)
		for _, err := range s.client().Runs.Events(t.Context(), r.AgentID, r.ID) {
			require.NoError(t, err)
		}
	}
	_, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: secrets, Metadata: map[string]string{secrets: ""}})
	require.ErrorIs(t, err, rota.Invalid)
}

func TestTheModelsKeyGoesToTheModelAlone(t *testing.T) {
	model, dir := gatewaytest.New(t), t.TempDir()
	env := []string{"ROTA_BOOTSTRAP_KEY=" + key, "THE_MODELS_KEY=" + modelKey}
	s := launch(t, dir, env, "--model-url", model.URL, "--model-key-env", "THE_MODELS_KEY", "--log-level", "debug")
	require.NotEmpty(t, s.url)
	talk(t, s, model)
	require.NoError(t, s.stop(syscall.SIGTERM))

	require.NotEmpty(t, model.Calls())
	for _, c := range model.Calls() {
		require.Equal(t, "Bearer "+modelKey, c.Header.Get("Authorization"))
	}
	require.NotEmpty(t, s.logs.String())
	require.NotContains(t, s.said.String()+s.logs.String(), modelKey)
	require.NotContains(t, s.said.String()+s.logs.String(), key)
	noFileHas(t, dir, modelKey)
	noFileHas(t, dir, key)
}

func TestInputsAreNotLogged(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		model := gatewaytest.New(t)
		s := start(t, t.TempDir(), "--model-url", model.URL, "--log-format", format)
		talk(t, s, model)
		require.NoError(t, s.stop(syscall.SIGTERM))
		require.Contains(t, s.logs.String(), "run_id")
		require.NotContains(t, s.said.String()+s.logs.String(), secrets)
	}
}

// TestProvidersFromAFile reads one key from a file, which changes while the
// server runs.
func TestProvidersFromAFile(t *testing.T) {
	first, second, dir := gatewaytest.New(t), gatewaytest.New(t), t.TempDir()
	keyFile, file := filepath.Join(dir, "key"), filepath.Join(dir, "rota.yaml")
	require.NoError(t, os.WriteFile(keyFile, []byte("old\n"), 0o600))
	config := fmt.Sprintf("providers:\n- {name: a, base_url: %s/v1}\n- {name: b, base_url: %s/v1, key_file: %s, default_model: big}\n", first.URL, second.URL, keyFile)
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	s := start(t, t.TempDir(), "--config", file)
	a, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "b", Model: "b/auto"})
	require.NoError(t, err)
	for _, secret := range []string{"old", "new"} {
		require.NoError(t, os.WriteFile(keyFile, []byte(secret+"\n"), 0o600))
		complete(t, s, a.ID)
	}
	require.Zero(t, first.Total())
	calls := second.Calls()
	require.Len(t, calls, 2)
	require.Equal(t, "/v1/responses", calls[0].Path)
	require.Contains(t, string(calls[0].Body), `"model":"big"`)
	require.Equal(t, "Bearer old", calls[0].Header.Get("Authorization"))
	require.Equal(t, "Bearer new", calls[1].Header.Get("Authorization"))
}

// complete makes a run and follows it to its end.
func complete(t *testing.T, s *server, agent rota.AgentID) rota.Run {
	t.Helper()
	r, err := s.client().Runs.Create(t.Context(), agent, rota.RunCreate{Input: rota.InputText("go")})
	require.NoError(t, err)
	for _, err := range s.client().Runs.Events(t.Context(), agent, r.ID) {
		require.NoError(t, err)
	}
	r, err = s.client().Runs.Get(t.Context(), agent, r.ID)
	require.NoError(t, err)
	require.Equal(t, rota.RunCompleted, r.Status, r.Error)
	return r
}

// TestEvents follows a run from its first event, from the middle, and after
// its end.
func TestEvents(t *testing.T) {
	model := gatewaytest.New(t)
	more := make(chan struct{})
	model.Script(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Delta("one"))(w, r, c)
		gatewaytest.Gate(nil, more, gatewaytest.Stream(gatewaytest.Delta("two"), gatewaytest.Completed("resp_1", "onetwo")))(w, r, c)
	})
	s := start(t, t.TempDir(), "--model-url", model.URL)
	r := startRun(t, s, "go")

	var all []client.Event
	for e, err := range s.client().Runs.Events(t.Context(), r.AgentID, r.ID) {
		require.NoError(t, err)
		if all = append(all, e); len(all) == 2 { // the run is in the middle
			require.Equal(t, all, firstEvents(t, s, r, 2), "replay")
			close(more)
		}
	}
	require.Equal(t, []string{"response.created", "response.output_text.delta", "response.output_text.delta", "response.completed"}, kinds(all))

	for after := range all[:3] {
		var rest []client.Event
		for e, err := range s.client().Runs.Events(t.Context(), r.AgentID, r.ID, client.AfterEvent(all[after].ID)) {
			require.NoError(t, err)
			rest = append(rest, e)
		}
		require.NotEmpty(t, rest)
		require.Equal(t, "response.completed", rest[len(rest)-1].Type)
	}
}

// firstEvents follows a run for n events.
func firstEvents(t *testing.T, s *server, r rota.Run, n int) []client.Event {
	t.Helper()
	var got []client.Event
	for e, err := range s.client().Runs.Events(t.Context(), r.AgentID, r.ID) {
		require.NoError(t, err)
		if got = append(got, e); len(got) == n {
			break
		}
	}
	return got
}

func kinds(events []client.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.Type)
	}
	return out
}

// TestResume goes on after an event while the run goes on.
func TestResume(t *testing.T) {
	model := gatewaytest.New(t)
	more := make(chan struct{})
	model.Script(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Delta("one"), gatewaytest.Delta("two"))(w, r, c)
		gatewaytest.Gate(nil, more, gatewaytest.Stream(gatewaytest.Completed("resp_1", "onetwo")))(w, r, c)
	})
	s := start(t, t.TempDir(), "--model-url", model.URL)
	r := startRun(t, s, "go")
	seen := firstEvents(t, s, r, 2)
	var rest []client.Event
	for e, err := range s.client().Runs.Events(t.Context(), r.AgentID, r.ID, client.AfterEvent(seen[1].ID)) {
		require.NoError(t, err)
		if rest = append(rest, e); len(rest) == 1 {
			close(more)
		}
	}
	require.Equal(t, []string{"response.output_text.delta", "response.completed"}, kinds(rest))
	require.Contains(t, string(rest[0].Data), "two")
}
