package e2e

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlite"
)

// away is how long nobody can look at what is due: longer than is merely late.
const away = 15 * time.Second

// TestWhatFellDueInAnOutageWasMissed: when a process was frozen, or its file locked by
// another program, the policy for what was missed applies. There is no burst of calls.
func TestWhatFellDueInAnOutageWasMissed(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute")
	}
	for name, outage := range map[string]func(*testing.T, *server, string){
		"frozen": func(t *testing.T, s *server, _ string) {
			require.NoError(t, s.cmd.Process.Signal(syscall.SIGSTOP))
			<-time.After(away)
			require.NoError(t, s.cmd.Process.Signal(syscall.SIGCONT))
		},
		"the file is locked": func(t *testing.T, _ *server, dir string) {
			u := url.URL{Scheme: "file", Opaque: filepath.Join(dir, sqlite.FileName), RawQuery: "_txlock=immediate&_pragma=busy_timeout(5000)"}
			db, err := sql.Open("sqlite", u.String())
			require.NoError(t, err)
			defer db.Close()
			tx, err := db.Begin()
			require.NoError(t, err)
			<-time.After(away)
			require.NoError(t, tx.Rollback())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model, dir := gatewaytest.New(t), t.TempDir()
			s := start(t, dir, "--model-url", model.URL)
			missesWhatFellDue(t, s, model, func() { outage(t, s, dir) })
		})
	}
}

// TestWhatFellDueWhilePostgreSQLWasAwayWasMissed: the same when the database is frozen,
// or stopped and started again. The server is not ready meanwhile, and is ready afterwards.
func TestWhatFellDueWhilePostgreSQLWasAwayWasMissed(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute")
	}
	for name, change := range map[string][2]func(*postgrestest.Restartable) error{
		"frozen":  {(*postgrestest.Restartable).Freeze, (*postgrestest.Restartable).Thaw},
		"stopped": {func(db *postgrestest.Restartable) error { db.Kill(); return nil }, (*postgrestest.Restartable).Start},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			require.NoError(t, l.Close())
			db, model := postgrestest.StartRestartable(t, l.Addr().String()), gatewaytest.New(t)
			s := launch(t, t.TempDir(), []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + db.URL()}, "--model-url", model.URL)
			require.NotEmpty(t, s.url, s.logs)
			ready := func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
				require.NoError(t, err)
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					return false
				}
				defer res.Body.Close()
				return res.StatusCode == http.StatusOK
			}
			require.Eventually(t, ready, 30*time.Second, 100*time.Millisecond)
			missesWhatFellDue(t, s, model, func() {
				require.NoError(t, change[0](db))
				until := time.After(away)
				require.Eventually(t, func() bool { return !ready() }, away, 100*time.Millisecond)
				<-until
				require.False(t, ready())
				require.NoError(t, change[1](db))
			})
			require.Eventually(t, ready, 30*time.Second, 100*time.Millisecond)
			require.NoError(t, s.stop(syscall.SIGTERM))
		})
	}
}

// missesWhatFellDue requires that a server whose schedule fires every second goes on
// after an outage, with a schedule that missed what fell due, and that no time ran twice.
func missesWhatFellDue(t *testing.T, s *server, model *gatewaytest.Server, outage func()) {
	t.Helper()
	ctx, c := t.Context(), s.client()
	a, err := c.Agents.Create(ctx, rota.AgentCreate{Name: "a", Model: "m"})
	require.NoError(t, err)
	sch, err := c.Schedules.Create(ctx, a.ID, rota.ScheduleCreate{
		Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, Input: rota.InputText("hi"),
		Policy: rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip), Overlap: rota.Some(rota.OverlapAllowAll)},
	})
	require.NoError(t, err)
	count := func(o rota.Outcome) (times int64, lateness time.Duration) {
		l, err := c.Schedules.Occurrences(ctx, a.ID, sch.ID, rota.OccurrenceFilter{Outcome: o}, rota.Page{Limit: 100})
		if err != nil {
			return 0, 0 // the database is not back yet
		}
		for _, o := range l.Data {
			times += o.Count
			lateness = max(lateness, time.Duration(*o.LatenessMS)*time.Millisecond)
		}
		return times, lateness
	}
	fired := func() int64 { n, _ := count(rota.Fired); return n }
	require.Eventually(t, func() bool { return fired() >= 2 }, 30*time.Second, 100*time.Millisecond)
	before := fired()
	outage()
	require.Eventually(t, func() bool { return fired() >= before+4 }, 45*time.Second, 100*time.Millisecond, "it goes on")
	missed, _ := count(rota.MissedOutcome)
	require.GreaterOrEqual(t, missed, int64(away/time.Second)-5, "what fell due meanwhile was missed")
	_, lateness := count(rota.Fired)
	require.Less(t, lateness, away, "and did not run late")

	runs := make(map[string]string)
	for _, call := range model.Calls() {
		at := call.Metadata()["rota_scheduled_for"]
		require.NotEmpty(t, at)
		if run, known := runs[at]; known {
			require.Equal(t, run, call.IdempotencyKey(), "a time has one run: %s", at)
		}
		runs[at] = call.IdempotencyKey()
	}
}
