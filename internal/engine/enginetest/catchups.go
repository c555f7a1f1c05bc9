package enginetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

// catchups are about what is made up for: at which rate, and in which order.
var catchups = []testCase{
	{"what was missed starts at a bounded rate, the newest first", func(w *world) {
		w.setup.MaxConcurrentRuns = 1000
		w.restart()
		a := w.agent("large/m")
		for range 35 {
			w.schedule(a, every(3600), rota.PolicyUpdate{})
			w.pass(time.Second)
		}
		w.kill()
		w.pass(time.Hour)
		w.start()
		require.Len(w, w.model.calls(), 1, "no burst")
		w.pass(time.Second)
		require.Len(w, w.model.calls(), 10)
		w.pass(time.Hour)
		calls := w.model.calls()
		require.Len(w, calls, 35+35, "and the next time of each")
		for i := range 34 {
			require.Greater(w, calls[i].nominal, calls[i+1].nominal)
			if i >= 10 {
				require.GreaterOrEqual(w, calls[i].at.Sub(calls[i-10].at), time.Second, "%d", i)
			}
		}
	}},
	{"what is due now does not wait for what was missed", func(w *world) {
		w.setup.MaxConcurrentRuns = 1
		w.restart()
		a := w.agent("large/m")
		for range 5 {
			w.schedule(a, every(3600), rota.PolicyUpdate{})
		}
		w.pass(30 * time.Second)
		now := w.schedule(a, every(3600), rota.PolicyUpdate{})
		w.pass(time.Hour - 10*time.Second)
		w.model.forget()
		w.kill()
		w.pass(time.Hour - 10*time.Second)
		w.model.takes(time.Minute)
		w.start() // ten seconds ago five were missed, and in twenty the sixth is due
		w.pass(10 * time.Minute)
		calls := w.model.calls()
		second := w.ledger(now)[1]
		require.Equal(w, rota.Fired, second.Outcome)
		require.Equal(w, *second.RunID, calls[1].run, "the worker that becomes free first takes it")
	}},
	{"a newer occurrence takes the place of one that waits", func(w *world) {
		w.setup.CatchupRate = 1
		w.restart()
		a := w.agent("large/m")
		var all []rota.Schedule
		for range 5 {
			all = append(all, w.schedule(a, every(10), rota.PolicyUpdate{}))
		}
		w.kill()
		w.pass(17 * time.Second)
		w.start() // 10 was missed by all
		w.pass(time.Minute)
		superseded := 0
		for _, s := range all {
			first := w.ledger(s)[0]
			if first.Outcome == rota.MissedOutcome {
				require.Equal(w, "superseded", first.Reason.Code)
				superseded++
			}
			for _, o := range w.ledger(s)[1:] {
				require.Equal(w, rota.Fired, o.Outcome)
			}
		}
		require.Equal(w, 2, superseded, "one started at once, and two in the three seconds to the next time")
	}},
	{"missed: all runs one after the other", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(60), rota.PolicyUpdate{Missed: rota.Some(rota.MissedAll)})
		w.kill()
		w.pass(5*time.Minute + time.Second)
		w.model.takes(5 * time.Second)
		w.start()
		w.pass(26 * time.Second)
		require.Equal(w, "fired, fired, fired, fired, fired", w.outcomes(s))
		for i, c := range w.model.calls() {
			require.Zero(w, c.beside)
			require.Equal(w, s.CreatedAt.Add(time.Duration(i+1)*time.Minute), mustTime(w, c.nominal), "the oldest first")
		}
	}},
	{"a backlog outlives a crash", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(60), rota.PolicyUpdate{Missed: rota.Some(rota.MissedAll)})
		w.kill()
		w.pass(5*time.Minute + time.Second)
		w.model.takes(5 * time.Second)
		w.start()
		w.pass(6 * time.Second)
		require.Equal(w, "fired, fired, buffered, buffered, buffered", w.outcomes(s))
		w.kill()
		w.start()
		w.pass(21 * time.Second)
		require.Equal(w, "fired, fired, fired, fired, fired", w.outcomes(s))
		require.EqualValues(w, 5, w.read(s).RunCount)
	}},
	{"a pause gives up what waits for its turn", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(60), rota.PolicyUpdate{Missed: rota.Some(rota.MissedAll)})
		w.kill()
		w.pass(3*time.Minute + time.Second)
		w.model.takes(5 * time.Second)
		w.start()
		_, err := w.control.PauseSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
		require.NoError(w, err)
		w.pass(time.Hour)
		require.Equal(w, "fired, blocked, blocked", w.outcomes(s))
		require.Len(w, w.model.calls(), 1)
	}},
	{"a provider that has no worker left holds up no other", func(w *world) {
		w.setup.CatchupRate = 100
		w.restart()
		small, large := w.agent("small/m"), w.agent("large/m")
		for range 6 {
			w.schedule(small, every(3600), rota.PolicyUpdate{})
		}
		other := w.schedule(large, every(3600), rota.PolicyUpdate{})
		w.kill()
		w.pass(time.Hour + time.Second)
		w.model.takes(10 * time.Minute)
		w.start()
		w.pass(time.Second)
		require.Equal(w, "fired", w.outcomes(other))
		require.Len(w, w.model.calls(), 3, "two at the small provider, which has two places")
	}},
	{"a backfill runs the past", func(w *world) {
		w.model.takes(5 * time.Second)
		a := w.agent("large/m")
		s := w.schedule(a, rota.Spec{Type: rota.Cron, Expression: "* * * * *"}, rota.PolicyUpdate{})
		now := time.Now()
		in := rota.BackfillCreate{From: rota.InstantOf(now.Add(-5 * time.Minute)), To: rota.InstantOf(now), DryRun: rota.Some(false)}
		b, err := w.control.BackfillSchedule(w.Context(), caller, a, s.ID, in, control.Write{})
		require.NoError(w, err)
		w.pass(time.Duration(b.Count)*5*time.Second + time.Second)
		require.Len(w, w.model.calls(), b.Count)
		for i, c := range w.model.calls() {
			require.Zero(w, c.beside)
			require.Equal(w, b.Data[i].ScheduledFor.String(), c.nominal)
		}
		for _, o := range w.ledger(s) {
			require.Equal(w, rota.Fired, o.Outcome)
			require.Equal(w, rota.TriggerBackfill, o.Trigger)
			require.Equal(w, rota.TriggerBackfill, w.readRun(*o.RunID).Trigger)
		}
	}},
	{"what waits for its jitter is on record when its schedule changes", func(w *world) {
		jitter := rota.PolicyUpdate{JitterSeconds: rota.Some[int64](86400)}
		a := w.agent("large/m")
		for name, change := range map[string]func(rota.Schedule) error{
			"pause": func(s rota.Schedule) error {
				_, err := w.control.PauseSchedule(w.Context(), caller, a, s.ID, rota.SchedulePause{}, control.Write{})
				return err
			},
			"other times": func(s rota.Schedule) error {
				in := rota.ScheduleUpdate{Spec: rota.Some(every(86400))}
				_, err := w.control.UpdateSchedule(w.Context(), caller, a, s.ID, in, control.Write{})
				return err
			},
			"delete": func(s rota.Schedule) error {
				_, err := w.control.DeleteSchedule(w.Context(), caller, a, s.ID, control.Write{})
				return err
			},
		} {
			s := w.schedule(a, every(3600), jitter)
			w.pass(time.Hour + time.Millisecond)
			require.Empty(w, w.ledger(s), name)
			require.NoError(w, change(s))
			require.Equal(w, "blocked", w.outcomes(s), name)
		}
		// Two seconds of a day: short enough that the first has not drawn a
		// shorter wait than that.
		s := w.schedule(a, every(1), jitter)
		w.pass(2*time.Second + time.Millisecond)
		require.Empty(w, w.ledger(s))
		_, err := w.control.DeleteAgent(w.Context(), caller, a, control.Write{})
		require.NoError(w, err)
		require.Equal(w, "blocked", w.outcomes(s), "delete the agent")
		require.EqualValues(w, 2, w.ledger(s)[0].Count)
	}},
}

// restart starts a server with another setup.
func (w *world) restart() {
	w.kill()
	w.start()
}

func mustTime(w *world, s string) time.Time {
	w.Helper()
	t, err := time.Parse(time.RFC3339, s)
	require.NoError(w, err)
	return t
}
