package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlite/sqlitetest"
)

// A world is a whole server but for its listener, in a bubble of time: a real
// file, the real engine, and the built-in model, which needs no network.
type world struct {
	*testing.T
	dir    string
	store  *sqlite.Store
	server server
	stop   func()
	writes atomic.Int64 // commits since the server started
}

// inBubble runs fn with a server that has just started.
func inBubble(t *testing.T, fn func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, dir: sqlitetest.Dir(t)}
		w.start()
		fn(w)
		w.stop()
	})
}

func (w *world) start() {
	s := settings.Settings{Data: w.dir, Database: "sqlite", MaxConcurrentRuns: 8, CatchupRate: 10, DrainTimeout: time.Second, MinInterval: time.Second, AgentRetention: 24 * time.Hour}
	var err error
	w.store, err = sqlite.Open(w.Context(), w.dir, sqlite.Options{OnCommit: func(int) { w.writes.Add(1) }})
	require.NoError(w, err)
	gw, err := openGateway(s, slog.New(slog.DiscardHandler))
	require.NoError(w, err)
	w.server, err = assemble(parts{
		settings: s, store: w.store, gateway: gw, metrics: newMetrics(), log: slog.New(slog.DiscardHandler),
		terminal: &terminal{out: io.Discard},
	})
	require.NoError(w, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.server.engine.Run(ctx) }()
	synctest.Wait()
	w.writes.Store(0)
	w.stop = func() {
		cancel()
		require.NoError(w, <-done)
		require.NoError(w, w.store.Close())
		gw.Close()
	}
}

// pass lets time pass, and waits until all that it brings has happened.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) schedule(spec rota.Spec, p rota.PolicyUpdate) rota.Schedule {
	w.Helper()
	c := w.server.control
	a, err := c.CreateAgent(w.Context(), demoCaller, rota.AgentCreate{Name: "a", Model: "echo"}, control.Write{})
	require.NoError(w, err)
	s, err := c.CreateSchedule(w.Context(), demoCaller, a.ID,
		rota.ScheduleCreate{Spec: spec, Input: rota.InputText("hi"), Policy: p}, control.Write{})
	require.NoError(w, err)
	return s
}

// ledger returns what is on record, the oldest first.
func (w *world) ledger(s rota.Schedule) []rota.Occurrence {
	w.Helper()
	var out []rota.Occurrence
	p := rota.Page{Limit: 100, Ascending: true}
	for {
		l, err := w.server.control.Occurrences(w.Context(), demoCaller, s.AgentID, s.ID, rota.OccurrenceFilter{}, p)
		require.NoError(w, err)
		out = append(out, slices.DeleteFunc(l.Data, func(o rota.Occurrence) bool { return o.Open })...)
		if !l.HasMore {
			return out
		}
		p.After = *l.LastID
	}
}

func (w *world) read(s rota.Schedule) rota.Schedule {
	w.Helper()
	s, err := w.server.control.Schedule(w.Context(), demoCaller, s.AgentID, s.ID, false)
	require.NoError(w, err)
	return s
}

func (w *world) phase(o rota.Occurrence) rota.Phase {
	w.Helper()
	r, err := w.server.control.RunByID(w.Context(), demoCaller, *o.RunID)
	require.NoError(w, err)
	return r.Phase
}

var every10s = rota.Spec{Type: rota.Interval, IntervalSeconds: 10}

func TestIntervalNeverDrifts(t *testing.T) {
	inBubble(t, func(w *world) {
		w.pass(123 * time.Millisecond)
		s := w.schedule(every10s, rota.PolicyUpdate{})
		hours := 3
		if testing.Short() {
			hours = 1
		}
		w.pass(time.Duration(hours) * time.Hour)
		ledger := w.ledger(s)
		require.Len(w, ledger, hours*360)
		for i, o := range ledger {
			require.Equal(w, s.CreatedAt.Add(time.Duration(i+1)*10*time.Second), o.ScheduledFor.Time)
			require.Equal(w, rota.Fired, o.Outcome)
			require.Zero(w, *o.LatenessMS)
			require.Equal(w, rota.PhaseCompleted, w.phase(o))
		}
		require.EqualValues(w, hours*360, w.read(s).RunCount)
	})
}

func TestIdleServerWritesNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		w.schedule(rota.Spec{Type: rota.Interval, IntervalSeconds: 7 * 86400}, rota.PolicyUpdate{})
		w.pass(time.Minute)
		w.writes.Store(0)
		w.pass(48 * time.Hour)
		require.Zero(w, w.writes.Load())
	})
}

func TestOnceRunsOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		at := time.Now().Add(time.Hour)
		s := w.schedule(rota.Spec{Type: rota.Once, RunAt: at.Format(time.RFC3339)}, rota.PolicyUpdate{})
		w.pass(time.Hour - time.Millisecond)
		require.Empty(w, w.ledger(s))
		w.pass(time.Millisecond)
		require.Len(w, w.ledger(s), 1)
		w.pass(24 * time.Hour)
		require.Len(w, w.ledger(s), 1)
		require.Equal(w, rota.ScheduleCompleted, w.read(s).Status)
	})
}

func TestChangesTakeEffectAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.schedule(rota.Spec{Type: rota.Interval, IntervalSeconds: 3600}, rota.PolicyUpdate{})
		c := w.server.control
		w.pass(time.Minute)
		_, err := c.UpdateSchedule(w.Context(), demoCaller, s.AgentID, s.ID, rota.ScheduleUpdate{Spec: rota.Some(every10s)}, control.Write{})
		require.NoError(w, err)
		w.pass(10 * time.Second)
		require.Len(w, w.ledger(s), 1, "earlier than before")
		_, err = c.PauseSchedule(w.Context(), demoCaller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
		require.NoError(w, err)
		w.pass(time.Hour)
		require.Len(w, w.ledger(s), 1, "paused")
		require.Nil(w, w.read(s).NextRunAt)
		_, err = c.ResumeSchedule(w.Context(), demoCaller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
		require.NoError(w, err)
		w.pass(10 * time.Second)
		ledger := []string{"fired 1", "blocked 360 schedule_paused", "fired 1"}
		require.Equal(w, ledger, summary(w.ledger(s)), "resumed, with nothing to make up for")
		_, err = c.DeleteAgent(w.Context(), demoCaller, s.AgentID, control.Write{})
		require.NoError(w, err)
		w.pass(time.Hour)
		require.Equal(w, ledger, summary(w.ledger(s)), "deleted")
	})
}

func TestMissedIsOnRecord(t *testing.T) {
	inBubble(t, func(w *world) {
		latest := w.schedule(every10s, rota.PolicyUpdate{})
		none := w.schedule(every10s, rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)})
		all := w.schedule(every10s, rota.PolicyUpdate{Missed: rota.Some(rota.MissedAll), Overlap: rota.Some(rota.OverlapAllowAll)})
		w.pass(10 * time.Second)
		w.stop()
		time.Sleep(45 * time.Second) // four more fall due: 20, 30, 40, 50
		w.start()
		w.pass(time.Second)
		require.Equal(w, []string{"fired 1", "missed 3 superseded", "fired 1"}, summary(w.ledger(latest)))
		require.Equal(w, []string{"fired 1", "missed 4 policy_skip"}, summary(w.ledger(none)))
		require.Equal(w, []string{"fired 1", "fired 1", "fired 1", "fired 1", "fired 1"}, summary(w.ledger(all)))
		w.pass(4 * time.Second)
		require.Len(w, w.ledger(latest), 4, "and it goes on at the time it would have")
	})
}

func TestSkippedOnRequest(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.schedule(every10s, rota.PolicyUpdate{})
		second := rota.InstantOf(s.CreatedAt.Add(20 * time.Second))
		_, err := w.server.control.SkipOccurrence(w.Context(), demoCaller, s.AgentID, s.ID, rota.OccurrenceSkip{ScheduledFor: second}, control.Write{})
		require.NoError(w, err)
		w.pass(30 * time.Second)
		require.Equal(w, []string{"fired 1", "skipped_requested 1 requested", "fired 1"}, summary(w.ledger(s)))
		require.Empty(w, w.read(s).Skips)
	})
}

func TestMaxRunsCompletes(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.schedule(every10s, rota.PolicyUpdate{MaxRuns: rota.Some[int64](3)})
		w.pass(time.Hour)
		require.Len(w, w.ledger(s), 3)
		require.Equal(w, rota.ScheduleCompleted, w.read(s).Status)
	})
}

// summary says each row of a ledger in a few words.
func summary(ledger []rota.Occurrence) []string {
	var out []string
	for _, o := range ledger {
		s := fmt.Sprint(o.Outcome, " ", o.Count)
		if o.Reason != nil {
			s += " " + o.Reason.Code
		}
		out = append(out, s)
	}
	return out
}

func TestAChangeKeepsTheTimeThatWaitsForItsJitter(t *testing.T) {
	inBubble(t, func(w *world) {
		s := w.schedule(rota.Spec{Type: rota.Interval, IntervalSeconds: 7200}, rota.PolicyUpdate{JitterSeconds: rota.Some[int64](3600)})
		w.pass(2*time.Hour + time.Millisecond)
		require.Empty(w, w.ledger(s), "it waits")
		_, err := w.server.control.UpdateSchedule(w.Context(), demoCaller, s.AgentID, s.ID,
			rota.ScheduleUpdate{Policy: rota.PolicyUpdate{MaxRuns: rota.Some[int64](5)}}, control.Write{})
		require.NoError(w, err)
		w.pass(time.Hour)
		ledger := w.ledger(s)
		require.Len(w, ledger, 1)
		require.Equal(w, s.CreatedAt.Add(2*time.Hour), ledger[0].ScheduledFor.Time)
	})
}

func TestClocksThatDiffer(t *testing.T) {
	db, err := postgres.Open(t.Context(), postgrestest.URL(t), postgres.Options{})
	require.NoError(t, err)
	defer db.Close()
	for _, ahead := range []time.Duration{0, time.Minute, -time.Minute} {
		var logs bytes.Buffer
		now := func() time.Time { return time.Now().Add(ahead) }
		require.NoError(t, compareClocks(t.Context(), db, now, slog.New(slog.NewTextHandler(&logs, nil))))
		require.Equal(t, ahead != 0, strings.Contains(logs.String(), "the clock of this machine"), logs.String())
		require.Equal(t, ahead < 0, strings.Contains(logs.String(), "ahead=-"), logs.String())
	}
}

// TestAScheduleThatPausesItselfIsToldOf: nobody has asked for that.
func TestAScheduleThatPausesItselfIsToldOf(t *testing.T) {
	var lines bytes.Buffer
	m := newMetrics()
	p := parts{metrics: m, log: slog.New(slog.NewTextHandler(&lines, nil)), settings: settings.Settings{LogContents: "debug"}}
	require.False(t, p.logsContents())
	p.settings.LogContents = "info"
	require.True(t, p.logsContents())
	p.paused(rota.Paused{
		Schedule: "asch_1", Owner: rota.Owner{Account: "acme", EndUser: "ana"},
		Reason: rota.PauseReason{Code: rota.PausedByFailures, Note: new("3 runs failed in a row")},
	})
	require.Contains(t, lines.String(), `level=WARN msg="schedule paused" schedule_id=asch_1 account=acme end_user=ana reason=failures note="3 runs failed in a row"`)
	families, err := m.registry.Gather()
	require.NoError(t, err)
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "rota_schedule_pauses_total" })
	require.Equal(t, 1.0, families[i].Metric[0].Counter.GetValue())
}

func TestPausedSchedulesAreCounted(t *testing.T) {
	inBubble(t, func(w *world) {
		paused := func() float64 {
			m := newMetrics()
			m.watch(w.store)
			families, err := m.registry.Gather()
			require.NoError(t, err)
			i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "rota_schedules_paused" })
			return families[i].Metric[0].Gauge.GetValue()
		}
		s := w.schedule(rota.Spec{Type: rota.Interval, IntervalSeconds: 60}, rota.PolicyUpdate{})
		require.Zero(t, paused())
		_, err := w.server.control.PauseSchedule(w.Context(), demoCaller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
		require.NoError(t, err)
		require.Equal(t, 1.0, paused())
	})
}
