package enginetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

const nobodySets = "nobody sets the clock of the test's own machine"

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
		s := w.schedule(w.agent("large/m"), rota.Spec{Type: rota.Cron, Expression: "* * * * *"}, rota.PolicyUpdate{})
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
	{name: "an idle engine leaves the store alone", simulated: "a day passes", run: func(w *world) {
		w.schedule(w.agent("large/m"), rota.Spec{Type: rota.Interval, IntervalSeconds: 7 * 86400}, rota.PolicyUpdate{})
		w.pass(0)
		w.store.fail(0)
		w.pass(24 * time.Hour)
		require.Zero(w, w.store.count())
	}},
	{name: "a change wakes it", run: func(w *world) {
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
	{name: "a clock that is set forward is noticed", simulated: nobodySets, run: func(w *world) {
		s := w.schedule(w.agent("large/m"), rota.Spec{Type: rota.Interval, IntervalSeconds: 3600}, rota.PolicyUpdate{})
		w.pass(time.Minute)
		w.store.fail(0)
		w.pass(time.Minute)
		require.Zero(w, w.store.count(), "looking at the clock is not looking at the store")
		w.setClock(58 * time.Minute)
		w.pass(10 * time.Second)
		require.Equal(w, "fired", w.outcomes(s), "ten seconds later")
	}},
	{name: "a machine that slept missed what fell due", simulated: "the test's own machine does not sleep", run: func(w *world) {
		a := w.agent("large/m")
		minutely := rota.Spec{Type: rota.Interval, IntervalSeconds: 60}
		all := rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)}
		s := w.schedule(a, minutely, all)
		none := w.schedule(a, minutely, rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)})
		w.pass(30 * time.Second)
		w.setClock(20 * time.Minute)
		w.pass(10 * time.Second)
		require.Equal(w, "missed, fired", w.outcomes(s), "not twenty runs at once")
		require.EqualValues(w, 19, w.ledger(s)[0].Count)
		require.Equal(w, "missed", w.outcomes(none))
		w.pass(21 * time.Second)
		require.Equal(w, "missed, fired, fired", w.outcomes(s), "and it goes on")
		require.Equal(w, "missed, fired", w.outcomes(none))
	}},
	{name: "a clock that is set back hastens nothing", simulated: nobodySets, run: func(w *world) {
		w.kill()
		w.setClock(time.Hour)
		w.start()
		w.setClock(-time.Hour)
		missed := rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)}
		s := w.schedule(w.agent("large/m"), rota.Spec{Type: rota.Interval, IntervalSeconds: 60}, missed)
		w.pass(3 * time.Minute)
		require.Equal(w, "fired, fired, fired", w.outcomes(s))
		for _, o := range w.ledger(s) {
			require.Zero(w, *o.LatenessMS)
		}
	}},
}
