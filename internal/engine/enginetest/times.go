package enginetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// times are about when the model is asked.
var times = []testCase{
	{name: "fires at the nominal times", run: func(w *world) {
		w.pass(123 * time.Millisecond)
		a := w.agent("large/m")
		w.schedule(a, w.every(2), w.until(9.5, rota.PolicyUpdate{}))
		w.schedule(a, w.every(3), w.until(9.5, rota.PolicyUpdate{}))
		once := time.Now().Add(w.units(5)).Truncate(time.Second)
		w.schedule(a, rota.Spec{Type: rota.Once, RunAt: once.Format(time.RFC3339)}, rota.PolicyUpdate{})
		w.pass(w.units(9.5))
		w.asked(4 + 3 + 1)
		for _, c := range w.model.calls() {
			w.on(mustTime(w, c.nominal), c.at)
		}
	}},
	{name: "a cron expression fires when the minute begins", run: func(w *world) {
		w.pass(123 * time.Millisecond)
		minutes := w.rounds(30, 1)
		s := w.schedule(w.agent("large/m"), rota.Spec{Type: rota.Cron, CronExpression: "* * * * *"}, rota.PolicyUpdate{})
		begun := s.CreatedAt.Truncate(time.Minute)
		w.passTo(begun.Add(time.Duration(minutes) * time.Minute))
		w.asked(minutes)
		for i, c := range w.model.calls() {
			w.on(begun.Add(time.Duration(i+1)*time.Minute), c.at)
			require.Equal(w, c.nominal, rota.InstantOf(c.at.Truncate(time.Minute)).String())
		}
	}},
	{name: "never drifts, and equal times fire together", run: func(w *world) {
		const schedules = 10
		fires := w.rounds(200, 4)
		w.setup.MaxConcurrentRuns = schedules
		w.restart()
		a := w.agent("large/m")
		var all []rota.Schedule
		for range schedules {
			all = append(all, w.schedule(a, w.every(2), w.until(float64(2*fires+1), rota.PolicyUpdate{})))
		}
		w.model.takes(w.units(0.5))
		w.pass(w.units(float64(2*fires + 1)))
		w.asked(schedules * fires)
		asked := map[rota.RunID]time.Time{}
		for _, c := range w.model.calls() {
			asked[c.run] = c.at
		}
		require.Len(w, asked, schedules*fires)
		for _, s := range all {
			ledger := w.ledger(s)
			require.Len(w, ledger, fires)
			for i, o := range ledger {
				require.Equal(w, s.CreatedAt.Add(w.units(float64(2*(i+1)))), o.ScheduledFor.Time)
				w.on(o.ScheduledFor.Time, asked[*o.RunID])
			}
			require.EqualValues(w, fires, w.read(s).RunCount)
		}
	}},
	{name: "an idle engine does not write", run: func(w *world) {
		w.schedule(w.agent("large/m"), rota.Spec{Type: rota.Interval, IntervalSeconds: 7 * 86400}, rota.PolicyUpdate{})
		w.pass(w.units(1))
		w.store.updates.fail(0)
		w.pass(w.units(float64(w.rounds(20_000, 4)))) // a day and more, if time is simulated
		require.Zero(w, w.store.updates.count())
	}},
	{name: "a change wakes the engine", run: func(w *world) {
		a := w.agent("large/m")
		w.pass(w.units(1))
		asked := time.Now()
		w.runs(a, 1)
		w.asked(1)
		w.on(asked, w.model.calls()[0].at)
		s := w.schedule(a, w.every(2), w.until(3, rota.PolicyUpdate{}))
		w.passTo(s.CreatedAt.Add(w.units(2)))
		w.asked(2)
	}},
	{name: "a clock that is set forward is noticed", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(1000), rota.PolicyUpdate{})
		w.pass(w.units(1))
		w.setClock(w.units(999))
		w.pass(lookAtClock)
		w.shows(s, "fired")
	}},
	{name: "a machine that slept missed what fell due", run: func(w *world) {
		a := w.agent("large/m")
		s := w.schedule(a, w.every(12), rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)})
		none := w.schedule(a, w.every(12), rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)})
		w.pass(w.units(6))
		w.setClock(w.units(240))
		w.pass(lookAtClock)
		w.shows(s, "missed, fired") // and not twenty runs at once
		w.shows(none, "missed")
		require.EqualValues(w, 19, w.ledger(s)[0].Count)
		w.passTo(none.CreatedAt.Add(w.units(12.2)))
		w.shows(s, "missed, fired, fired") // and it goes on
		w.shows(none, "missed, fired")
	}},
	{name: "nothing starts early when the clock is set back", run: func(w *world) {
		w.kill()
		w.setClock(time.Hour)
		w.start()
		w.setClock(-time.Hour)
		s := w.schedule(w.agent("large/m"), w.every(2), w.until(7, rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)}))
		w.pass(w.units(1))
		w.store.fires.fail(1)
		w.pass(w.units(5))
		w.shows(s, "fired, fired, fired") // and what is late is not missed
		w.asked(3)
		for i, c := range w.model.calls() {
			require.False(w, c.at.Before(s.CreatedAt.Add(w.units(float64(2*(i+1))))))
		}
	}},
	{name: "a queued run starts after the clock was set back", run: func(w *world) {
		release := w.model.holds()
		ids := w.runs(w.agent("large/m"), w.setup.MaxConcurrentRuns+1)
		w.asked(w.setup.MaxConcurrentRuns)
		w.setClock(-w.units(2))
		release()
		w.pass(w.units(3))
		w.phase(ids[w.setup.MaxConcurrentRuns], rota.PhaseCompleted)
	}},
}
