package enginetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// clocks are about a wall clock that was ahead and is set back.
var clocks = []testCase{
	{name: "a clock that was ahead and is right again silences nothing", run: func(w *world) {
		all := w.scheduled()
		w.setClock(wrong)
		w.pass(lookAtClock)
		w.seesAhead(all.interval)
		w.setClock(-wrong)
		w.pass(lookAtClock)
		w.goOn(all)
	}},
	{name: "a clock that is right again after a restart silences nothing", run: func(w *world) {
		all := w.scheduled()
		w.setClock(wrong)
		w.pass(lookAtClock)
		w.seesAhead(all.interval)
		w.kill()
		w.setClock(-wrong)
		w.start()
		w.pass(lookAtClock)
		w.goOn(all)
	}},
	{name: "schedules that were made when the clock was ahead run when it is right again", run: func(w *world) {
		w.setClock(wrong)
		w.pass(lookAtClock)
		all := w.scheduled()
		w.pass(w.units(2.5))
		w.shows(all.interval, "fired")
		w.setClock(-wrong)
		w.pass(lookAtClock)
		w.goOn(all)
	}},
	{name: "an interval goes on when the clock is set back, and no time runs twice", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(2), rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)})
		w.pass(w.units(6.5))
		w.shows(s, "fired, fired, fired")
		w.setClock(-time.Hour)
		w.pass(lookAtClock + w.units(4.5))
		w.soon(func() {
			ledger := w.ledger(s)
			require.GreaterOrEqual(w, len(ledger), 5)
			for _, o := range ledger {
				require.Equal(w, rota.Fired, o.Outcome)
			}
			require.Len(w, w.model.calls(), len(ledger))
		})
		w.nextWithin(s, w.units(2))
	}},
	{name: "a run that was to be tried again under a clock that was ahead is tried again", run: func(w *world) {
		w.setClock(wrong)
		w.pass(lookAtClock)
		w.model.will(func(n int) reply {
			if n == 1 {
				return reply{err: busy(w.units(1))}
			}
			return reply{}
		})
		s := w.schedule(w.agent("large/m"), w.every(2), w.until(wrong.Seconds()/w.unit.Seconds()+3, rota.PolicyUpdate{}))
		w.pass(w.units(2.2))
		w.asked(1)
		w.setClock(-wrong)
		w.pass(lookAtClock + w.units(2))
		w.soon(func() {
			var id rota.RunID
			for _, o := range w.ledger(s) {
				if o.RunID != nil {
					id = *o.RunID
				}
			}
			require.Equal(w, rota.PhaseCompleted, w.readRun(id).Phase)
		})
	}},
}

// wrong is how far a clock is ahead.
const wrong = 48 * time.Hour

// One schedule of each kind.
type kinds struct{ interval, cron, once, ends rota.Schedule }

// scheduled makes schedules of which none is due for a while, but for the interval.
func (w *world) scheduled() kinds {
	a := w.agent("large/m")
	in := func(d time.Duration) string { return rota.InstantOf(w.now().Add(d)).String() }
	ends := rota.PolicyUpdate{EndAt: rota.Some(rota.InstantOf(w.now().Add(3 * time.Hour)))}
	return kinds{
		interval: w.schedule(a, w.every(2), rota.PolicyUpdate{}),
		cron:     w.schedule(a, rota.Spec{Type: rota.Cron, CronExpression: "* * * * *"}, rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)}),
		once:     w.schedule(a, rota.Spec{Type: rota.Once, RunAt: in(time.Hour)}, rota.PolicyUpdate{}),
		ends:     w.schedule(a, rota.Spec{Type: rota.Interval, IntervalSeconds: 3600}, ends),
	}
}

// seesAhead checks that a time ahead has been decided by now.
func (w *world) seesAhead(s rota.Schedule) {
	w.Helper()
	w.soon(func() { require.True(w, w.read(s).NextRunAt.After(time.Now().Add(wrong/2))) })
}

// goOn checks that all schedules go on, and that nothing is on record of times ahead
// but what has started.
func (w *world) goOn(all kinds) {
	w.Helper()
	fired := w.read(all.interval).RunCount
	w.nextWithin(all.interval, w.units(2))
	w.nextWithin(all.cron, time.Minute)
	w.nextWithin(all.once, wrong+time.Hour)
	w.nextWithin(all.ends, time.Hour)
	w.soon(func() {
		for _, s := range []rota.Schedule{all.interval, all.cron, all.once, all.ends} {
			require.Equal(w, rota.ScheduleActive, w.read(s).Status)
			for _, o := range w.ledger(s) {
				require.True(w, o.RunID != nil || !end(o).After(w.now()), "%s is %s", o.ScheduledFor, o.Outcome)
			}
		}
	})
	w.pass(w.units(4.5))
	w.soon(func() { require.GreaterOrEqual(w, w.read(all.interval).RunCount, fired+2) })
}

// nextWithin checks that the next time of a schedule is no further than its period
// says.
func (w *world) nextWithin(s rota.Schedule, period time.Duration) {
	w.Helper()
	w.soon(func() {
		next := w.read(s).NextRunAt
		require.NotNil(w, next)
		wait := next.Sub(w.now())
		require.LessOrEqual(w, wait, period+time.Millisecond, "the next is at %s", next)
	})
}
