package e2e

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// takeover is how soon after a kill the standby must fire.
const takeover = 5 * time.Second

// TestStandby: of two servers on one database one is the leader. It is killed
// several times; each time the other one takes over, and in the end each
// nominal time has one outcome.
func TestStandby(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	databaseURL := postgrestest.URL(t)
	env := []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + databaseURL}
	join := func() *server {
		s := launch(t, t.TempDir(), env)
		require.NotEmpty(t, s.url)
		return s
	}
	active := join()
	keepsTime(t, active)
	standby := join()
	require.False(t, isActive(t, standby))

	a, err := standby.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "a", Model: "echo"})
	require.NoError(t, err)
	for range 5 {
		s, err := standby.client().Schedules.Create(t.Context(), a.ID, rota.ScheduleCreate{
			Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, Input: rota.InputText("hi"),
			Policy: rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll), Missed: rota.Some(rota.MissedAll)},
		})
		require.NoError(t, err)
		fires(t, standby, s, 1)
	}
	db, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	defer db.Close(t.Context())
	var killed []time.Time
	for range 4 {
		require.Error(t, active.stop(syscall.SIGKILL))
		killed = append(killed, time.Now()) // what is recorded later, the standby has recorded
		keepsTime(t, standby)
		active, standby = standby, join()
		n := count(t, db, "SELECT COUNT(*) FROM runs")
		require.Eventually(t, func() bool { return count(t, db, "SELECT COUNT(*) FROM runs") >= n+10 }, time.Minute, 50*time.Millisecond)
	}
	_, err = standby.client().Agents.Delete(t.Context(), a.ID)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return count(t, db, "SELECT COUNT(*) FROM open_runs") == 0 }, time.Minute, 50*time.Millisecond)

	oneOutcomeEach(t, db)
	for _, at := range killed {
		first := count(t, db, `SELECT COALESCE(MIN(recorded_at), 0) FROM occurrences WHERE outcome = 'fired' AND recorded_at > $1`, at.UnixMilli())
		require.NotZero(t, first)
		t.Logf("first fire %d ms after the kill", first-at.UnixMilli())
		require.LessOrEqual(t, first-at.UnixMilli(), takeover.Milliseconds())
	}
}

// oneOutcomeEach: each nominal time has one outcome, and at most one run, which
// has ended.
func oneOutcomeEach(t *testing.T, db *pgx.Conn) {
	t.Helper()
	require.Zero(t, count(t, db, `SELECT COUNT(*) FROM (SELECT 1 FROM runs WHERE schedule_id IS NOT NULL GROUP BY schedule_id, scheduled_for HAVING COUNT(*) > 1) twice`))
	require.Zero(t, count(t, db, `SELECT COUNT(*) FROM runs WHERE completed_at IS NULL`))
	require.Zero(t, count(t, db, `SELECT COUNT(*) FROM timers t WHERE open_runs <> 0 OR run_count <>
		(SELECT COUNT(*) FROM occurrences o WHERE o.schedule_id = t.schedule_id AND o.outcome = 'fired')`))
	require.Zero(t, count(t, db, `SELECT COUNT(*) FROM timers t, LATERAL (SELECT SUM(count) n, COUNT(DISTINCT scheduled_for) d, COUNT(*) c,
		MAX(COALESCE(scheduled_until, scheduled_for)) last FROM occurrences o WHERE o.schedule_id = t.schedule_id) o
		WHERE o.d <> o.c OR o.n <> (o.last - t.anchor) / 1000`), "each nominal time has one outcome")
}

// TestStandbyCancels: a run is cancelled through the standby.
func TestStandbyCancels(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	env := []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + databaseURL}
	model, c := startModel(t)
	gone := make(chan struct{})
	model.Default(func(w http.ResponseWriter, r *http.Request, _ gatewaytest.Call) {
		c <- struct{}{}
		<-r.Context().Done()
		close(gone)
	})
	active := launch(t, t.TempDir(), env, "--model-url", model.URL)
	keepsTime(t, active)
	standby := launch(t, t.TempDir(), env, "--model-url", model.URL)
	a, err := standby.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "a", Model: "any"})
	require.NoError(t, err)
	run, err := standby.client().Runs.Create(t.Context(), a.ID, rota.RunCreate{Input: rota.InputText("hi")})
	require.NoError(t, err)
	c.await(t, 1)
	_, err = standby.client().Runs.Cancel(t.Context(), a.ID, run.ID)
	require.NoError(t, err)
	select {
	case <-gone:
	case <-time.After(30 * time.Second):
		t.Fatal("the run goes on")
	}
}

// TestStandbyStreams: a run is followed through the standby, word by word.
func TestStandbyStreams(t *testing.T) {
	databaseURL := postgrestest.URL(t)
	env := []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + databaseURL}
	model, words, _ := talker(t)
	active := launch(t, t.TempDir(), env, "--model-url", model.URL)
	keepsTime(t, active)
	standby := launch(t, t.TempDir(), env, "--model-url", model.URL)
	run := startRun(t, standby, "hi")
	follow(t, standby, run, words)
}

// talker starts a model that says what the test puts into words, and completes
// when the test sends "". It says on left when its caller has gone before.
func talker(t *testing.T) (model *gatewaytest.Server, words chan string, left chan struct{}) {
	model, words, left = gatewaytest.New(t), make(chan string), make(chan struct{}, 1)
	model.Default(func(w http.ResponseWriter, r *http.Request, call gatewaytest.Call) {
		gatewaytest.Stream(gatewaytest.Created("resp_1"))(w, r, call)
		for {
			select {
			case word := <-words:
				if word == "" {
					gatewaytest.Stream(gatewaytest.Completed("resp_1", "all"))(w, r, call)
					return
				}
				gatewaytest.Stream(gatewaytest.Delta(word))(w, r, call)
			case <-r.Context().Done():
				left <- struct{}{}
				return
			}
		}
	})
	return model, words, left
}

// follow follows a run of a talker, and has each word said when the one before
// has come.
func follow(t *testing.T, s *server, run rota.Run, words chan<- string) {
	t.Helper()
	said := []string{"one", "two", "three"}
	var got []string
	for e, err := range s.client().Runs.Events(t.Context(), run.AgentID, run.ID) {
		require.NoError(t, err)
		got = append(got, e.Type)
		n := len(got)
		if n > 1 && n <= len(said)+1 {
			require.Contains(t, string(e.Data), said[n-2])
		}
		if n <= len(said) {
			words <- said[n-1]
		} else if n == len(said)+1 {
			words <- ""
		}
	}
	require.Equal(t, []string{
		"response.created", "response.output_text.delta", "response.output_text.delta", "response.output_text.delta", "response.completed",
	}, got)
}

func isActive(t *testing.T, s *server) bool {
	resp, err := http.Get(s.url + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return slices.Contains(strings.Split(string(text), "\n"), "rota_engine_active 1")
}

func keepsTime(t *testing.T, s *server) {
	t.Helper()
	require.Eventually(t, func() bool { return isActive(t, s) }, time.Minute, 20*time.Millisecond)
}

// fires waits until a schedule has fired n times.
func fires(t *testing.T, by *server, s rota.Schedule, n int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		got, err := by.client().Schedules.Get(t.Context(), s.AgentID, s.ID)
		return err == nil && got.RunCount >= n
	}, time.Minute, 20*time.Millisecond)
}

func count(t *testing.T, db *pgx.Conn, query string, args ...any) (n int64) {
	t.Helper()
	require.NoError(t, db.QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}
