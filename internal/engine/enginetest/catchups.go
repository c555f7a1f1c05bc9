package enginetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

// catchups are about what is made up for: at which rate, and in which order.
var catchups = []testCase{
	{name: "what was missed starts at a bounded rate, the newest first", run: func(w *world) {
		const schedules = 35
		w.setup.MaxConcurrentRuns = 1000
		w.restart()
		a := w.agent("large/m")
		for range schedules {
			w.schedule(a, w.every(8), w.until(9, rota.PolicyUpdate{}))
			w.pass(20 * time.Millisecond)
		}
		w.pass(w.units(1)) // an engine that tells others of schedules, and locks them meanwhile, has done so
		w.kill()
		w.pass(w.units(7.2)) // all missed one
		w.start()
		w.pass(4 * time.Second)
		w.asked(schedules)
		runs := w.startedRuns()
		for i := range schedules - 1 {
			require.Greater(w, runs[i].ScheduledFor.Time, runs[i+1].ScheduledFor.Time)
			if i >= w.setup.CatchupRate {
				require.GreaterOrEqual(w, runs[i].CreatedAt.Sub(runs[i-w.setup.CatchupRate].CreatedAt.Time), time.Second, "%d", i)
			}
		}
	}},
	{name: "what is due now does not wait for what was missed", run: func(w *world) {
		w.setup.MaxConcurrentRuns = 1
		w.restart()
		a := w.agent("large/m")
		for range 5 {
			w.schedule(a, w.every(8), rota.PolicyUpdate{})
		}
		w.pass(w.units(4))
		now := w.schedule(a, w.every(8), rota.PolicyUpdate{})
		w.kill()
		w.passTo(now.CreatedAt.Add(w.units(6))) // two units ago five were missed, and in two the sixth is due
		w.model.takes(w.units(4))
		w.start()
		w.pass(w.units(4))
		w.asked(2)
		require.Equal(w, *w.ledger(now)[0].RunID, w.model.calls()[1].run, "the worker that becomes free first takes it")
		w.on(w.model.calls()[0].ended, w.model.calls()[1].at)
	}},
	{name: "a newer occurrence takes the place of one that waits", run: func(w *world) {
		w.setup.CatchupRate = 1
		w.restart()
		a := w.agent("large/m")
		var all []rota.Schedule
		for range 5 {
			all = append(all, w.schedule(a, w.every(4), w.until(9, rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)})))
		}
		w.kill()
		w.passTo(all[0].CreatedAt.Add(w.units(8) - 2500*time.Millisecond)) // all missed one
		w.start()
		w.passTo(all[0].CreatedAt.Add(w.units(9)))
		superseded := 0
		for _, s := range all {
			w.soon(func() { require.Contains(w, []string{"fired, fired", "missed, fired"}, w.outcomes(s)) })
			if o := w.ledger(s)[0]; o.Outcome == rota.MissedOutcome {
				require.Equal(w, "superseded", o.Reason.Code)
				superseded++
			}
		}
		require.NotZero(w, superseded)
		if w.simulated() {
			require.Equal(w, 2, superseded, "one started at once, and two in the time to the next")
		}
	}},
	{name: "of two that wait, missed in two downtimes, the newer runs", run: func(w *world) {
		w.setup.MaxConcurrentRuns = 1
		w.restart()
		a := w.agent("large/m")
		s := w.schedule(a, w.every(4), w.until(9, rota.PolicyUpdate{}))
		release := w.model.holds()
		w.runs(a, 1) // takes the worker
		w.asked(1)
		for _, up := range []float64{5, 8.5} {
			w.kill()
			w.passTo(s.CreatedAt.Add(w.units(up)))
			w.start()
		}
		release()
		w.pass(w.units(1))
		w.shows(s, "missed, fired")
	}},
	{name: "missed: all runs one after the other", run: func(w *world) {
		s := w.missedThree()
		w.model.takes(w.units(0.5))
		w.start()
		w.pass(w.units(1.5))
		w.shows(s, "fired, fired, fired")
		w.asked(3)
		for i, c := range w.model.calls() {
			require.Zero(w, c.beside)
			require.Equal(w, s.CreatedAt.Add(w.units(float64(2*(i+1)))), mustTime(w, c.nominal), "the oldest first")
		}
	}},
	{name: "a backlog survives a crash", run: func(w *world) {
		s := w.missedThree()
		release := w.model.holds()
		w.start()
		w.asked(1)
		w.model.holds()
		release()
		w.pass(w.units(1))
		w.asked(2)
		require.Equal(w, "fired, fired, buffered", w.outcomes(s))
		w.kill()
		w.model.takes(0)
		w.start()
		w.asked(4) // the second again
		w.shows(s, "fired, fired, fired")
		require.EqualValues(w, 3, w.read(s).RunCount)
	}},
	{name: "a pause blocks what waits to catch up", run: func(w *world) {
		s := w.missedThree()
		release := w.model.holds()
		w.start()
		w.asked(1)
		w.pause(s)
		w.shows(s, "fired, blocked, blocked")
		release()
		w.pass(w.units(1))
		w.phase(w.model.runs()[0], rota.PhaseCompleted)
		w.asked(1)
		w.shows(s, "fired, blocked, blocked")
	}},
	{name: "a provider without free workers does not hold up others", run: func(w *world) {
		w.setup.CatchupRate = 100
		w.restart()
		small, large := w.agent("small/m"), w.agent("large/m")
		for range 6 {
			w.schedule(small, w.every(5), rota.PolicyUpdate{})
		}
		other := w.schedule(large, w.every(5), rota.PolicyUpdate{})
		w.kill()
		w.passTo(other.CreatedAt.Add(w.units(6)))
		w.model.holds()
		w.start()
		w.pass(w.units(1))
		w.asked(3) // two at the small provider, which has two places
		require.Equal(w, "fired", w.outcomes(other))
	}},
	{name: "a backfill runs the past", run: func(w *world) {
		w.model.takes(w.units(0.5))
		a := w.agent("large/m")
		now := time.Now()
		minute := now.Add(30 * time.Minute).Minute() // none of these is due during the test
		s := w.schedule(a, rota.Spec{Type: rota.Cron, CronExpression: fmt.Sprintf("%d * * * *", minute)}, rota.PolicyUpdate{})
		in := rota.BackfillCreate{From: rota.InstantOf(now.Add(-5 * time.Hour)), To: rota.InstantOf(now), DryRun: rota.Some(false)}
		b, err := w.control.BackfillSchedule(w.Context(), caller, a, s.ID, in, control.Write{})
		require.NoError(w, err)
		require.Equal(w, 5, b.Count)
		w.pass(w.units(2.5))
		w.asked(b.Count)
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
	{name: "what waits for its jitter is on record when its schedule changes", run: func(w *world) {
		jitter := rota.PolicyUpdate{JitterSeconds: rota.Some[int64](86400)}
		a := w.agent("large/m")
		for name, change := range map[string]func(rota.Schedule) error{
			"pause": func(s rota.Schedule) error {
				_, err := w.control.PauseSchedule(w.Context(), caller, a, s.ID, rota.SchedulePause{}, control.Write{})
				return err
			},
			"other times": func(s rota.Schedule) error {
				in := rota.ScheduleUpdate{Spec: rota.Some(w.every(86400))}
				_, err := w.control.UpdateSchedule(w.Context(), caller, a, s.ID, in, control.Write{})
				return err
			},
			"delete": func(s rota.Schedule) error {
				_, err := w.control.DeleteSchedule(w.Context(), caller, a, s.ID, control.Write{})
				return err
			},
		} {
			s := w.schedule(a, w.every(2), jitter)
			w.pass(w.units(2) + time.Millisecond)
			require.Empty(w, w.ledger(s), name)
			require.NoError(w, change(s))
			w.shows(s, "blocked")
		}
		// A few seconds of a day: short enough that the first has not drawn a
		// shorter wait than that.
		s := w.schedule(a, w.every(1), w.until(2.5, jitter))
		w.pass(w.units(2) + time.Millisecond)
		require.Empty(w, w.ledger(s))
		_, err := w.control.DeleteAgent(w.Context(), caller, a, control.Write{})
		require.NoError(w, err)
		w.shows(s, "blocked")
		require.EqualValues(w, 2, w.ledger(s)[0].Count)
	}},
}

// startedRuns returns the runs that the model was asked for, as they were
// started.
func (w *world) startedRuns() []rota.Run {
	w.Helper()
	var all []rota.Run
	for _, id := range w.model.runs() {
		all = append(all, w.readRun(id))
	}
	slices.SortFunc(all, func(a, b rota.Run) int { return a.CreatedAt.Compare(b.CreatedAt.Time) })
	return all
}

// missedThree returns a schedule whose three nominal times, two units apart, all
// fell due after the server was killed.
func (w *world) missedThree() rota.Schedule {
	w.Helper()
	s := w.schedule(w.agent("large/m"), w.every(2), w.until(7, rota.PolicyUpdate{Missed: rota.Some(rota.MissedAll)}))
	w.kill()
	w.passTo(s.CreatedAt.Add(w.units(7)))
	return s
}

func mustTime(w *world, s string) time.Time {
	w.Helper()
	t, err := time.Parse(time.RFC3339, s)
	require.NoError(w, err)
	return t
}
