package e2e

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

const (
	schedules = 200
	kills     = 20
)

// A life is the time between a start and a kill.
type life struct{ up, down time.Time }

// TestKill kills the server with SIGKILL at random moments while 200 schedules
// fire every second, and then counts. Half of the schedules make up for
// everything that was missed and let runs overlap: each of their nominal times
// must have exactly one run. The others have the default policy: each of
// their nominal times must have exactly one outcome, and one that fell due
// while the server was up must not be missed.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	model, calls := startModel(t)
	dir := t.TempDir()
	flags := []string{"--model-url", model.URL, "--log-level", "warn", "--catchup-rate", "10000"} // there is much to make up for

	s := start(t, dir, flags...)
	addSchedules(t, s)
	var lives []life
	for range kills {
		up := awaitLook(t, s)
		calls.await(t, 50+rand.IntN(400))
		require.Error(t, s.stop(syscall.SIGKILL))
		lives = append(lives, life{up, time.Now()})
		s = start(t, dir, flags...)
	}
	lives = append(lives, life{up: awaitLook(t, s)})
	calls.await(t, 2*schedules)
	awaitCaughtUp(t, s)
	deleteSchedules(t, s)
	awaitNoOpenRuns(t, s)
	end := time.Now()
	require.NoError(t, s.stop(syscall.SIGTERM), s.logs)

	l := openLedger(t, dir)
	l.noRunTwice(t)
	l.noneOpen(t)
	for _, sch := range l.schedules(t) {
		l.check(t, sch, lives, end)
	}
	t.Logf("%d runs, %d calls of the model, %d kills", l.count(t, "SELECT COUNT(*) FROM runs"), model.Total(), kills)
}

// calls gets a token for each call of the model.
type calls chan struct{}

// startModel starts a model that answers at once.
func startModel(t *testing.T) (*gatewaytest.Server, calls) {
	model, c := gatewaytest.New(t), make(calls, 1<<20)
	answer := gatewaytest.Text("done")
	model.Default(func(w http.ResponseWriter, r *http.Request, call gatewaytest.Call) {
		c <- struct{}{}
		answer(w, r, call)
	})
	return model, c
}

// await blocks until the model has been called n times more.
func (c calls) await(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range n {
		select {
		case <-c:
		case <-ctx.Done():
			t.Fatalf("the model is no longer called")
		}
	}
}

func addSchedules(t *testing.T, s *server) {
	ctx, c := t.Context(), s.client()
	a, err := c.Agents.Create(ctx, rota.AgentCreate{Name: "crash", Model: "any"})
	require.NoError(t, err)
	for i := range schedules {
		body := rota.ScheduleCreate{
			Spec:  rota.Spec{Type: rota.Interval, IntervalSeconds: 1},
			Input: rota.InputText(fmt.Sprintf("schedule %d", i)),
		}
		if i%2 == 0 {
			body.Metadata = map[string]string{"all": "true"}
			body.Policy = rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll), Missed: rota.Some(rota.MissedAll)}
		}
		_, err := c.Schedules.Create(ctx, a.ID, body)
		require.NoError(t, err)
	}
}

// deleteSchedules ends the firing by deleting the agent: runs that have
// started go on.
func deleteSchedules(t *testing.T, s *server) {
	ctx, c := t.Context(), s.client()
	l, err := c.Agents.List(ctx, rota.Page{})
	require.NoError(t, err)
	require.Len(t, l.Data, 1)
	_, err = c.Agents.Delete(ctx, l.Data[0].ID)
	require.NoError(t, err)
}

// awaitLook returns when the server has begun to fire: it says where it listens
// before it first looks at what is due.
func awaitLook(t *testing.T, s *server) time.Time {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if n, _ := metric(t, ctx, s, "rota_occurrences_total{"); n > 0 {
			return time.Now()
		}
	}
}

// awaitCaughtUp waits until nothing that was missed waits any more, so that a deletion
// blocks only what has just fallen due.
func awaitCaughtUp(t *testing.T, s *server) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := s.client()
	for {
		l, err := c.Schedules.AllOccurrences(ctx, rota.OccurrenceFilter{Outcome: rota.Buffered, To: time.Now().Add(-2 * time.Second)}, rota.Page{Limit: 1})
		require.NoError(t, err)
		if len(l.Data) == 0 {
			break
		}
	}
	for made := time.Now(); ; {
		l, err := c.Runs.All(ctx, rota.RunFilter{Phase: rota.PhaseQueued, To: made}, rota.Page{Limit: 1})
		require.NoError(t, err)
		if len(l.Data) == 0 {
			return
		}
	}
}

// awaitNoOpenRuns follows the newest runs until none is open.
func awaitNoOpenRuns(t *testing.T, s *server) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for openRuns(t, ctx, s) > 0 {
		require.NoError(t, ctx.Err(), "runs stay open")
	}
}

// A ledger is what the server left in its file.
type ledger struct{ *sql.DB }

type scheduleRow struct {
	id     string
	anchor int64
	all    bool // makes up for everything
	count  int64
	last   sql.NullInt64
}

func openLedger(t *testing.T, dir string) ledger {
	db, err := sql.Open("sqlite", filepath.Join(dir, "rota.db"))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return ledger{db}
}

func (l ledger) count(t *testing.T, query string, args ...any) (n int) {
	require.NoError(t, l.QueryRow(query, args...).Scan(&n))
	return n
}

func (l ledger) noRunTwice(t *testing.T) {
	require.Zero(t, l.count(t, `SELECT COUNT(*) FROM (SELECT 1 FROM runs GROUP BY schedule_id, scheduled_for HAVING COUNT(*) > 1)`))
}

func (l ledger) noneOpen(t *testing.T) {
	require.Zero(t, l.count(t, `SELECT COUNT(*) FROM open_runs`))
	require.Zero(t, l.count(t, `SELECT COUNT(*) FROM runs WHERE completed_at IS NULL`))
	require.Zero(t, l.count(t, `SELECT COUNT(*) FROM timers WHERE open_runs <> 0`))
}

func (l ledger) schedules(t *testing.T) []scheduleRow {
	rows, err := l.Query(`SELECT t.schedule_id, t.anchor, s.metadata LIKE '%all%', t.run_count,
		(SELECT MAX(COALESCE(o.scheduled_until, o.scheduled_for)) FROM occurrences o WHERE o.schedule_id = t.schedule_id)
		FROM timers t JOIN schedules s ON s.id = t.schedule_id`)
	require.NoError(t, err)
	defer rows.Close()
	var out []scheduleRow
	for rows.Next() {
		var r scheduleRow
		require.NoError(t, rows.Scan(&r.id, &r.anchor, &r.all, &r.count, &r.last))
		out = append(out, r)
	}
	require.NoError(t, rows.Err())
	require.Len(t, out, schedules)
	return out
}

type occurrence struct {
	outcome string
	runs    int
	seen    int
}

// outcomes returns what is on record, by nominal time.
func (l ledger) outcomes(t *testing.T, id string) map[int64]occurrence {
	rows, err := l.Query(`SELECT o.scheduled_for, COALESCE(o.scheduled_until, o.scheduled_for), o.count, o.outcome,
		(SELECT COUNT(*) FROM runs r WHERE r.id = o.run_id AND r.phase <> 'queued')
		FROM occurrences o WHERE o.schedule_id = ?`, id)
	require.NoError(t, err)
	defer rows.Close()
	out := make(map[int64]occurrence)
	for rows.Next() {
		var from, until, n int64
		var o occurrence
		require.NoError(t, rows.Scan(&from, &until, &n, &o.outcome, &o.runs))
		require.Equal(t, n, (until-from)/1000+1, "the count of a span")
		for at := from; at <= until; at += 1000 {
			o.seen = out[at].seen + 1
			out[at] = o
		}
	}
	require.NoError(t, rows.Err())
	return out
}

func (l ledger) check(t *testing.T, s scheduleRow, lives []life, end time.Time) {
	out := l.outcomes(t, s.id)
	require.True(t, s.last.Valid, "schedule %s has no occurrence", s.id)
	require.Greater(t, s.last.Int64, end.Add(-5*time.Second).UnixMilli(), "the schedule stopped early")
	var fired int64
	for at := s.anchor + 1000; at <= s.last.Int64; at += 1000 {
		o := out[at]
		when := time.UnixMilli(at).UTC().Format(time.RFC3339Nano)
		require.Equal(t, 1, o.seen, "%s at %s: outcomes on record", s.id, when)
		switch {
		case o.outcome == "fired":
			require.Equal(t, 1, o.runs, "%s at %s: runs that ended", s.id, when)
			fired++
		case o.outcome == "blocked": // the agent was deleted before the run began, at the very end
			require.Greater(t, at, end.Add(-5*time.Second).UnixMilli())
		case s.all:
			t.Fatalf("%s at %s: %s, want fired", s.id, when, o.outcome)
		case o.outcome == "missed":
			require.False(t, up(lives, at), "%s at %s: missed while the server was up", s.id, when)
		default:
			require.Equal(t, "skipped_overlap", o.outcome)
		}
	}
	require.Len(t, out, int((s.last.Int64-s.anchor)/1000), "occurrences that have no nominal time")
	require.Equal(t, fired, s.count, "run_count")
}

// latest is how late the server may notice an occurrence: one that falls due
// this shortly before a kill may be found only by the next start.
const latest = 1000

// up reports whether the server was up at an instant and long enough after it.
func up(lives []life, at int64) bool {
	for _, l := range lives {
		if at >= l.up.UnixMilli() && (l.down.IsZero() || at < l.down.UnixMilli()-latest) {
			return true
		}
	}
	return false
}

// openRuns reads how many runs have not ended from the server's metrics.
func openRuns(t *testing.T, ctx context.Context, s *server) int {
	n, found := metric(t, ctx, s, "rota_open_runs{")
	require.True(t, found, "no rota_open_runs in /metrics")
	return n
}

// metric returns the sum of the server's metrics whose names and labels begin so, and
// whether there are any.
func metric(t *testing.T, ctx context.Context, s *server, prefix string) (n int, found bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), " "); strings.HasPrefix(name, prefix) {
			v, err := strconv.Atoi(value)
			require.NoError(t, err)
			n, found = n+v, true
		}
	}
	return n, found
}
