package enginetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// times are about when the model is asked.
var times = []testCase{
	{"fires at the nominal times", func(w *world) {
		w.pass(123 * time.Millisecond)
		a := w.agent("large/m")
		begun := time.Now()
		w.schedule(a, every(90), rota.PolicyUpdate{})
		w.schedule(a, rota.Spec{Type: rota.Cron, Expression: "*/5 * * * *"}, rota.PolicyUpdate{})
		once := begun.Add(17 * time.Minute).Truncate(time.Second)
		w.schedule(a, rota.Spec{Type: rota.Once, RunAt: once.Format(time.RFC3339)}, rota.PolicyUpdate{})
		w.pass(30 * time.Minute)
		calls := w.model.calls()
		require.Len(w, calls, 20+6+1)
		for _, c := range calls {
			require.Equal(w, c.nominal, rota.InstantOf(c.at).String())
		}
	}},
	{"never drifts, and equal times fire together", func(w *world) {
		const schedules, fires = 10, 200
		w.setup.MaxConcurrentRuns = schedules
		w.kill()
		w.start()
		a := w.agent("large/m")
		var all []rota.Schedule
		for range schedules {
			all = append(all, w.schedule(a, every(7), rota.PolicyUpdate{}))
		}
		w.model.takes(3 * time.Second)
		w.pass(fires*7*time.Second + 4*time.Second)
		calls := w.model.calls()
		require.Len(w, calls, schedules*fires)
		for i, c := range calls {
			nth := time.Duration(i/schedules + 1)
			require.True(w, c.at.Equal(all[0].CreatedAt.Add(nth*7*time.Second)), "%d: %s", i, c.at)
		}
		for _, s := range all {
			require.EqualValues(w, fires, w.read(s).RunCount)
		}
	}},
	{"an idle engine leaves the store alone", func(w *world) {
		w.schedule(w.agent("large/m"), every(7*86400), rota.PolicyUpdate{})
		w.pass(0)
		w.store.fail(0)
		w.pass(24 * time.Hour)
		require.Zero(w, w.store.count())
	}},
	{"a change wakes it", func(w *world) {
		a := w.agent("large/m")
		w.pass(time.Hour)
		asked := time.Now()
		w.runs(a, 1)
		require.Equal(w, asked, w.model.calls()[0].at)
		w.schedule(a, every(1), rota.PolicyUpdate{})
		w.pass(time.Second)
		require.Len(w, w.model.calls(), 2)
	}},
	{"a clock that is set forward is noticed", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(3600), rota.PolicyUpdate{})
		w.pass(time.Minute)
		w.store.fail(0)
		w.pass(time.Minute)
		require.Zero(w, w.store.count(), "looking at the clock is not looking at the store")
		w.setClock(58 * time.Minute)
		w.pass(10 * time.Second)
		require.Equal(w, "fired", w.outcomes(s), "ten seconds later")
	}},
	{"a machine that slept missed what fell due", func(w *world) {
		a := w.agent("large/m")
		all := rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)}
		s := w.schedule(a, every(60), all)
		none := w.schedule(a, every(60), rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)})
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
	{"a clock that is set back hastens nothing", func(w *world) {
		w.kill()
		w.setClock(time.Hour)
		w.start()
		w.setClock(-time.Hour)
		s := w.schedule(w.agent("large/m"), every(60), rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)})
		w.pass(3 * time.Minute)
		require.Equal(w, "fired, fired, fired", w.outcomes(s))
		for _, o := range w.ledger(s) {
			require.Zero(w, *o.LatenessMS)
		}
	}},
}
