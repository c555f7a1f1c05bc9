package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine/temporal/temporaltest"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// An installation is a database that servers of both kinds may have, and the
// Temporal server and the model for them.
type installation struct {
	env      []string
	db       *pgx.Conn
	temporal *temporaltest.Server
	model    *gatewaytest.Server
	slow     chan struct{} // gets a token when the model begins to think long
}

func install(t *testing.T) *installation {
	databaseURL := postgrestest.URL(t)
	in := &installation{
		env:      []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + databaseURL},
		temporal: temporaltest.Start(t),
		model:    gatewaytest.New(t),
		slow:     make(chan struct{}, 1<<16),
	}
	var err error
	in.db, err = pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	t.Cleanup(func() { in.db.Close(t.Context()) })
	in.model.Default(in.answer)
	return in
}

// answer answers at once, or, when it is asked something slow, after a while.
func (in *installation) answer(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
	if strings.Contains(string(c.Body), "slow") {
		in.slow <- struct{}{}
		select {
		case <-time.After(3 * time.Second):
		case <-r.Context().Done():
			return
		}
	}
	gatewaytest.Text("done")(w, r, c)
}

// join starts a server of a kind.
func (in *installation) join(t *testing.T, kind string, flags ...string) *server {
	t.Helper()
	flags = append([]string{"--engine", kind, "--temporal-address", in.temporal.Address, "--model-url", in.model.URL}, flags...)
	return launch(t, t.TempDir(), in.env, flags...)
}

// switchTo runs rota engine switch and returns what it said.
func (in *installation) switchTo(t *testing.T, kind string, flags ...string) string {
	t.Helper()
	said, err := in.trySwitch(t, kind, flags...)
	require.NoError(t, err, said)
	return said
}

func (in *installation) trySwitch(t *testing.T, kind string, flags ...string) (said string, err error) {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	cmd := exec.Command(path, append([]string{"engine", "switch", kind, "--temporal-address", in.temporal.Address}, flags...)...)
	cmd.Env = append(os.Environ(), in.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// leavesOnlyIts: Temporal is left if it is there, and the one that has the
// schedules; else nothing changes.
func (in *installation) leavesOnlyIts(t *testing.T) {
	t.Helper()
	in.temporal.Register(t, "another")
	for flag, want := range map[string]string{
		"--temporal-address=127.0.0.1:1": "--temporal-address ($ROTA_TEMPORAL_ADDRESS): Temporal at 127.0.0.1:1 does not answer",
		"--temporal-namespace=absent":    `--temporal-namespace ($ROTA_TEMPORAL_NAMESPACE): Temporal at ` + in.temporal.Address + ` has no namespace "absent"`,
		"--temporal-namespace=another":   `the schedules of this database are not in the namespace "another" of Temporal at ` + in.temporal.Address,
	} {
		said, err := in.trySwitch(t, "embedded", flag)
		require.Error(t, err)
		require.Contains(t, said, want)
	}
	require.EqualValues(t, 1, count(t, in.db, "SELECT COUNT(*) FROM engine WHERE kind = 'temporal'"))
}

// refused starts a server of the kind that does not fire schedules, which must say
// what to do and end.
func (in *installation) refused(t *testing.T, kind, other string) {
	t.Helper()
	s := in.join(t, kind)
	require.Empty(t, s.url, "it started")
	<-s.exited
	require.Equal(t, 1, s.cmd.ProcessState.ExitCode())
	require.Contains(t, s.logs.String(), "--engine ($ROTA_ENGINE)")
	require.Contains(t, s.logs.String(), fmt.Sprintf(
		"the engine of this database is %s; start with --engine %s, or run rota engine switch %s first", other, other, kind))
}

// schedules makes schedules that fire each second.
func (in *installation) schedules(t *testing.T, by *server) (all []rota.Schedule) {
	a, err := by.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "a", Model: "any"})
	require.NoError(t, err)
	for i, input := range []string{"quick", "quick", "slow", "slow", "slow"} {
		s, err := by.client().Schedules.Create(t.Context(), a.ID, rota.ScheduleCreate{
			Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, Input: rota.InputText(input),
			Policy: rota.PolicyUpdate{
				Overlap: rota.Some([]rota.Overlap{rota.OverlapSkip, rota.OverlapAllowAll, rota.OverlapBufferOne}[i%3]),
				Missed:  rota.Some([]rota.Missed{rota.MissedAll, rota.MissedLatest}[i%2]),
			},
		})
		require.NoError(t, err)
		all = append(all, s)
	}
	return all
}

// goOn waits until each schedule has fired more often than now, by the word of a
// server, and a slow run is under way.
func (in *installation) goOn(t *testing.T, by *server, all []rota.Schedule) {
	t.Helper()
	for _, s := range all {
		now, err := by.client().Schedules.Get(t.Context(), s.AgentID, s.ID)
		require.NoError(t, err)
		fires(t, by, s, now.RunCount+2)
	}
	for len(in.slow) > 0 {
		<-in.slow
	}
	<-in.slow
}

// TestSwitch: another kind of engine takes over while servers are at work, and
// then the first one again. Each nominal time has one outcome, and each run that
// was under way ends once.
func TestSwitch(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	in := install(t)
	first := []*server{in.join(t, "embedded"), in.join(t, "embedded")}
	keepsTime(t, first[0])
	all := in.schedules(t, first[1])
	in.goOn(t, first[1], all)

	require.Contains(t, in.switchTo(t, "temporal"), "The engine is temporal. Start the servers with --engine temporal.")
	in.refused(t, "embedded", "temporal")
	second := []*server{in.join(t, "temporal"), in.join(t, "temporal")}
	in.goOn(t, second[1], all)
	serveOnly(t, first, all)
	stopAll(t, first)
	in.mirrors(t, len(all))
	in.leavesOnlyIts(t)

	require.Contains(t, in.switchTo(t, "embedded"), "The engine is embedded. Start the servers with --engine embedded.")
	in.mirrors(t, 0)
	in.refused(t, "temporal", "embedded")
	third := in.join(t, "embedded")
	keepsTime(t, third)
	in.goOn(t, third, all)
	serveOnly(t, second, all)
	in.mirrors(t, 0)

	for _, s := range all {
		_, err := third.client().Schedules.Pause(t.Context(), s.AgentID, s.ID, rota.SchedulePause{})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return count(t, in.db, "SELECT COUNT(*) FROM open_runs") == 0 }, time.Minute, 50*time.Millisecond)
	oneOutcomeEach(t, in.db)
	require.Zero(t, count(t, in.db, "SELECT COUNT(*) FROM runs WHERE phase NOT IN ('completed', 'cancelled') OR phase = 'cancelled' AND attempts > 0"))
	in.askedOnce(t)
	stopAll(t, append(second, third))

	in.switchTo(t, "temporal")
	in.switchTo(t, "embedded", "--abandon", "--temporal-address=127.0.0.1:1")
	keepsTime(t, in.join(t, "embedded"))
}

// stopAll: servers end in good order when they are told to.
func stopAll(t *testing.T, servers []*server) {
	t.Helper()
	for _, s := range servers {
		require.NoError(t, s.stop(syscall.SIGTERM), s.logs)
	}
}

// serveOnly: servers that no longer fire schedules still serve the API.
func serveOnly(t *testing.T, servers []*server, all []rota.Schedule) {
	t.Helper()
	for _, s := range servers {
		require.False(t, isActive(t, s))
		r, err := s.client().Runs.Create(t.Context(), all[0].AgentID, rota.RunCreate{Input: rota.InputText("quick")})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			got, err := s.client().Runs.Get(t.Context(), r.AgentID, r.ID)
			return err == nil && got.Status == rota.RunCompleted
		}, time.Minute, 50*time.Millisecond, "a run that is started through it is worked on by another")
	}
}

// mirrors waits until Temporal has so many schedules, and callers are shown
// them.
func (in *installation) mirrors(t *testing.T, n int) {
	t.Helper()
	c := in.temporal.Client(t)
	require.Eventually(t, func() bool {
		list, err := c.ScheduleClient().List(t.Context(), client.ScheduleListOptions{})
		require.NoError(t, err)
		shown := 0
		for list.HasNext() {
			_, err := list.Next()
			require.NoError(t, err)
			shown++
		}
		return shown == n && count(t, in.db, "SELECT COUNT(*) FROM schedules WHERE temporal_schedule_id IS NOT NULL") == int64(n)
	}, time.Minute, 50*time.Millisecond)
}

// askedOnce: the model was asked for each run under one key.
func (in *installation) askedOnce(t *testing.T) {
	t.Helper()
	keys := make(map[string]string)
	again := 0
	for _, c := range in.model.Calls() {
		run := c.Metadata()["rota_run_id"]
		switch keys[run] {
		case "":
			keys[run] = c.IdempotencyKey()
		case c.IdempotencyKey():
			again++
		default:
			t.Errorf("run %s was asked for as %s and as %s", run, keys[run], c.IdempotencyKey())
		}
	}
	t.Logf("%d runs, %d of which were asked for again", len(keys), again)
	require.EqualValues(t, len(keys), count(t, in.db, "SELECT COUNT(*) FROM runs WHERE attempts > 0"))
}
