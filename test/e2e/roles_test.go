package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// TestRoles: two processes serve the API, which have no key for the model, and
// a third one works.
func TestRoles(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	model, words, left := talker(t)
	join := func(role, keyEnv string) *server {
		s := launch(t, t.TempDir(), []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + databaseURL, "THE_MODELS_KEY=" + modelKey},
			"--role", role, "--model-url", model.URL, "--model-key-env", keyEnv)
		require.NotEmpty(t, s.url)
		return s
	}
	one, two := join("api", "NOT_SET"), join("api", "NOT_SET")
	status, _ := get(t, one.url+"/readyz")
	require.Equal(t, http.StatusOK, status, "it serves, whether or not another works")
	run := startRun(t, one, "hi")
	worker := join("worker", "THE_MODELS_KEY")
	keepsTime(t, worker)
	follow(t, two, run, words)
	require.False(t, isActive(t, one))

	t.Run("a schedule of one fires and is followed through the other", func(t *testing.T) {
		s, err := one.client().Schedules.Create(t.Context(), run.AgentID, rota.ScheduleCreate{
			Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, Input: rota.InputText("hi"), Policy: rota.PolicyUpdate{MaxRuns: rota.Some[int64](1)},
		})
		require.NoError(t, err)
		fires(t, two, s, 1)
		l, err := two.client().Runs.List(t.Context(), s.AgentID, rota.Page{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, s.ID, *l.Data[0].ScheduleID)
		follow(t, two, l.Data[0], words)
	})
	t.Run("what one and the worker change is told by the other", func(t *testing.T) { tellsOfChanges(t, one, two, run.AgentID) })
	t.Run("equal keys make one run, which ends when the other is told to cancel it", func(t *testing.T) {
		runs := make(chan rota.Run, 8)
		var group sync.WaitGroup
		for i := range cap(runs) {
			group.Go(func() {
				by := []*server{one, two}[i%2]
				r, err := by.client().Runs.Create(t.Context(), run.AgentID, rota.RunCreate{Input: rota.InputText("hi")}, client.IdempotencyKey("same"))
				if err != nil {
					t.Error(err)
				}
				runs <- r
			})
		}
		group.Wait()
		first := <-runs
		for range cap(runs) - 1 {
			require.Equal(t, first.ID, (<-runs).ID)
		}
		firstEvents(t, one, first, 1) // it is worked on
		_, err := two.client().Runs.Cancel(t.Context(), first.AgentID, first.ID)
		require.NoError(t, err)
		select {
		case <-left:
		case <-time.After(30 * time.Second):
			t.Fatal("the run goes on")
		}
	})
	t.Run("a worker has no API", func(t *testing.T) {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			status, _ := get(t, worker.url+path)
			require.Equal(t, http.StatusOK, status, path)
		}
		status, said := get(t, worker.url+"/api/v1/agents")
		require.Equal(t, http.StatusNotFound, status)
		var body struct {
			Error struct{ Code, Message string }
		}
		require.NoError(t, json.Unmarshal([]byte(said), &body))
		require.Equal(t, "not_found", body.Error.Code)
		require.Contains(t, body.Error.Message, "role worker")
	})
	for _, s := range []*server{worker, one, two} {
		require.NoError(t, s.stop(syscall.SIGTERM))
	}
	require.Contains(t, one.said.String(), "It serves the API.")
	require.Contains(t, worker.said.String(), "(a worker: only /healthz, /readyz and /metrics)")
}

// TestAWatchedRunMoves: the worker dies in the middle of a run, and who follows
// it goes on with what the next one says.
func TestAWatchedRunMoves(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	model, words, _ := talker(t)
	join := func(role string) *server {
		env := []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + databaseURL}
		s := launch(t, t.TempDir(), env, "--role", role, "--model-url", model.URL)
		require.NotEmpty(t, s.url)
		return s
	}
	first := join("worker")
	keepsTime(t, first)
	api, _ := join("api"), join("worker")
	run := startRun(t, api, "hi")
	var got []string
	for e, err := range api.client().Runs.Events(t.Context(), run.AgentID, run.ID) {
		require.NoError(t, err)
		switch got = append(got, e.Type); len(got) {
		case 1:
			words <- "one"
		case 2:
			require.Error(t, first.stop(syscall.SIGKILL))
		case 3:
			words <- "two"
		case 4:
			require.Contains(t, string(e.Data), "two")
			words <- ""
		}
	}
	require.Equal(t, []string{
		"response.created", "response.output_text.delta", "response.created", "response.output_text.delta", "response.completed",
	}, got)
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// TestOneFirstKey: of the processes that start together on an empty database,
// one that serves the API makes the first key.
func TestOneFirstKey(t *testing.T) {
	databaseURL := postgrestest.Empty(t)
	env := []string{"ROTA_DATABASE=" + databaseURL}
	require.NotEmpty(t, launch(t, t.TempDir(), env, "--role", "worker").url)
	db, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	defer db.Close(t.Context())
	require.Zero(t, count(t, db, "SELECT COUNT(*) FROM keys"))

	started := make(chan *server, 3)
	for range cap(started) {
		go func() { started <- launch(t, t.TempDir(), env, "--role", "api") }()
	}
	shown := 0
	for range cap(started) {
		s := <-started
		require.NotEmpty(t, s.url)
		require.NoError(t, s.stop(syscall.SIGTERM))
		shown += strings.Count(s.said.String(), "Your key, shown this once")
	}
	require.Equal(t, 1, shown)
	require.EqualValues(t, 1, count(t, db, "SELECT COUNT(*) FROM keys"))
}

// tellsOfChanges follows changes through one process while another one makes a schedule,
// and a third one fires it.
func tellsOfChanges(t *testing.T, maker, teller *server, agent rota.AgentID) {
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	var s rota.Schedule
	missing := map[rota.ChangeKind]bool{rota.ScheduleChanged: true, rota.OccurrenceChanged: true, rota.RunChanged: true}
	for m, err := range teller.client().Account.Changes(ctx) {
		require.NoError(t, err, "%v are missing", missing)
		if m.Type == rota.ChangesStarted {
			s, err = maker.client().Schedules.Create(t.Context(), agent, rota.ScheduleCreate{
				Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, Input: rota.InputText("hi"), Policy: rota.PolicyUpdate{MaxRuns: rota.Some[int64](1)},
			})
			require.NoError(t, err)
		}
		for _, c := range m.Data {
			if c.ScheduleID == s.ID {
				delete(missing, c.Kind)
			}
		}
		if len(missing) == 0 {
			return
		}
	}
}
