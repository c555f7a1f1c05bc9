package e2e

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
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
				require.NoError(t, err)
				for _, o := range l.Data {
					times += o.Count
					lateness = max(lateness, time.Duration(*o.LatenessMS)*time.Millisecond)
				}
				return times, lateness
			}
			fired := func() int64 { n, _ := count(rota.Fired); return n }
			require.Eventually(t, func() bool { return fired() >= 2 }, 30*time.Second, 100*time.Millisecond)
			outage(t, s, dir)
			before := fired()
			require.Eventually(t, func() bool { return fired() >= before+2 }, 30*time.Second, 100*time.Millisecond, "it goes on")
			missed, _ := count(rota.MissedOutcome)
			require.GreaterOrEqual(t, missed, int64(away/time.Second)-5, "what fell due meanwhile was missed")
			_, lateness := count(rota.Fired)
			require.Less(t, lateness, away, "and did not run late")
		})
	}
}
