package enginetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// downtimes are about engines that stop, and those that start after them.
var downtimes = []testCase{
	{name: "a crash repeats no occurrence and loses no run", run: func(w *world) {
		rounds := w.rounds(20, 3)
		p := rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll), Missed: rota.Some(rota.MissedAll)}
		s := w.schedule(w.agent("large/m"), w.every(2), p)
		w.model.takes(w.units(0.6))
		for range rounds {
			w.pass(w.units(2.2))
			w.kill()
			w.start()
		}
		w.pass(w.units(1))
		var ledger []rota.Occurrence
		w.soon(func() {
			ledger = w.ledger(s)
			for _, o := range ledger {
				require.Equal(w, rota.Fired, o.Outcome)
				require.Equal(w, rota.PhaseCompleted, w.readRun(*o.RunID).Phase)
			}
		})
		require.GreaterOrEqual(w, len(ledger), rounds*11/10, "all of its times")
		runs, keys := map[rota.RunID]int{}, map[string]bool{}
		for i, o := range ledger {
			require.Equal(w, s.CreatedAt.Add(w.units(float64(2*(i+1)))), o.ScheduledFor.Time)
			runs[*o.RunID]++
			for _, c := range w.model.of(*o.RunID) {
				keys[c.key] = true
			}
		}
		require.Len(w, runs, len(ledger), "each occurrence has a run of its own")
		require.Len(w, keys, len(ledger), "and asks under one key, however often")
	}},
	{name: "a crash between a fire and its start loses nothing", run: func(w *world) {
		w.model.holds()
		ids := w.runs(w.agent("large/m"), 6)
		w.askedFor(ids[:4])
		w.kill()
		w.model.forget()
		w.model.takes(w.units(1))
		w.start()
		w.pass(w.units(2))
		w.asked(6)
		require.ElementsMatch(w, ids, w.model.runs())
	}},
	{name: "what has been deleted for its age does not run again", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(2), rota.PolicyUpdate{Missed: rota.Some(rota.MissedAll)})
		w.pass(w.units(5))
		w.shows(s, "fired, fired")
		w.kill()
		w.pass(w.units(2))
		w.start()
		w.asked(3)
		w.soon(func() { w.phase(w.model.runs()[2], rota.PhaseCompleted) })
		w.deleteOld(3, 3)
		require.Empty(w, w.ledger(s))
		w.kill()
		w.pass(w.units(2))
		w.start()
		w.asked(4)
		w.shows(s, "fired")
		for i, c := range w.model.calls() {
			require.Equal(w, s.CreatedAt.Add(w.units(float64(2*(i+1)))), mustTime(w, c.nominal), "each of its times once")
		}
	}},
	{name: "on_crash: never", run: func(w *world) {
		never := rota.RetryUpdate{OnCrash: rota.Some(rota.OnCrashNever)}
		w.model.holds()
		s := w.schedule(w.agent("large/m"), w.every(6), w.until(13, rota.PolicyUpdate{Retry: rota.Some(never)}))
		w.pass(w.units(6))
		w.asked(1)
		w.kill()
		w.start()
		run := *w.ledger(s)[0].RunID
		w.phase(run, rota.PhaseFailed)
		w.hears(engine.Lost(run))
		require.Len(w, w.model.calls(), 1, "it is not asked again")
		require.Equal(w, rota.RunErrWorkerLost, w.readRun(run).Error.Code)
		w.passTo(s.CreatedAt.Add(w.units(12)))
		w.shows(s, "fired, fired") // the next occurrence finds nothing in its way
	}},
	{name: "missed: latest, skip and all", run: func(w *world) {
		a := w.agent("large/m")
		three := func(p rota.PolicyUpdate) rota.Schedule { return w.schedule(a, w.every(4), w.until(21, p)) }
		latest := three(rota.PolicyUpdate{})
		skip := three(rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)})
		all := three(rota.PolicyUpdate{Missed: rota.Some(rota.MissedAll), Overlap: rota.Some(rota.OverlapAllowAll)})
		old := three(rota.PolicyUpdate{MaxLatenessSeconds: rota.Some(w.seconds(1))})
		w.pass(w.units(5))
		w.asked(4)
		w.kill()
		w.passTo(old.CreatedAt.Add(w.units(17.2))) // in which three times fall due
		w.start()
		w.passTo(old.CreatedAt.Add(w.units(20)))
		w.shows(latest, "fired, missed, fired, fired")
		w.shows(skip, "fired, missed, fired")
		w.shows(all, "fired, fired, fired, fired, fired")
		w.shows(old, "fired, missed, fired")
		require.EqualValues(w, 2, w.ledger(latest)[1].Count)
		require.EqualValues(w, 3, w.ledger(skip)[1].Count)
		require.EqualValues(w, 3, w.ledger(old)[1].Count)
		for _, s := range []rota.Schedule{latest, skip, all, old} {
			o := w.ledger(s)
			require.Equal(w, s.CreatedAt.Add(w.units(20)), o[len(o)-1].ScheduledFor.Time, "and it goes on at the time it would have")
		}
	}},
	{name: "what fell due while the database could not be written was missed", run: func(w *world) {
		a := w.agent("large/m")
		every := func(p rota.PolicyUpdate) rota.Schedule {
			p.Overlap = rota.Some(rota.OverlapAllowAll)
			return w.schedule(a, w.every(1), p)
		}
		latest, skip := every(rota.PolicyUpdate{}), every(rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)})
		w.pass(w.units(1.5))
		w.shows(latest, "fired")
		w.shows(skip, "fired")
		w.store.updates.fail(1 << 30)
		w.pass(max(w.units(4), engine.Outage+5*time.Second))
		w.store.updates.fail(0)
		w.pass(w.units(1))
		w.soon(func() {
			for _, s := range []rota.Schedule{latest, skip} {
				o := w.ledger(s)
				require.GreaterOrEqual(w, len(o), 2)
				require.Equal(w, rota.MissedOutcome, o[1].Outcome)
				require.Contains(w, o[1].Reason.Message, "without its database")
			}
		})
	}},
	{name: "a short outage of the database makes late, not missed", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(2), w.until(5, rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)}))
		w.passTo(s.CreatedAt.Add(w.units(1.9)))
		w.store.updates.fail(2) // a second and a half each at most
		w.passTo(s.CreatedAt.Add(w.units(4.5)))
		w.shows(s, "fired, fired")
	}},
	{name: "a long downtime is caught up with at once", run: func(w *world) {
		const year = 365 * 24 * time.Hour
		s := w.schedule(w.agent("large/m"), rota.Spec{Type: rota.Interval, IntervalSeconds: 1}, rota.PolicyUpdate{})
		w.kill()
		w.setClock(year + 500*time.Millisecond)
		w.start()
		w.soon(func() {
			ledger := w.ledger(s)
			require.NotEmpty(w, ledger)
			last := ledger[len(ledger)-1]
			require.Equal(w, rota.Fired, last.Outcome)
			past := last.ScheduledFor.Sub(s.CreatedAt.Time)
			require.GreaterOrEqual(w, past, year)
			total := int64(0)
			for _, o := range ledger {
				total += o.Count
			}
			require.EqualValues(w, past/time.Second, total, "each second has its outcome")
		})
	}},
	{name: "stopping waits for running runs", run: func(w *world) {
		w.model.takes(w.units(3))
		ids := w.runs(w.agent("large/m"), 5)
		w.askedFor(ids[:4])
		begun := time.Now()
		w.stop()
		require.Less(w, time.Since(begun), w.setup.DrainTimeout, "and no longer")
		w.start()
		for _, id := range ids[:4] {
			require.Equal(w, rota.PhaseCompleted, w.readRun(id).Phase)
		}
		w.pass(w.units(3))
		w.phase(ids[4], rota.PhaseCompleted)
		w.askedFor(ids[:4], ids[4:]) // what had not started starts now, and nothing twice
	}},
	{name: "stopping leaves runs that take too long to the next start", run: func(w *world) {
		w.setup.DrainTimeout = w.units(2)
		w.restart()
		w.model.takes(w.units(5))
		id := w.runs(w.agent("large/m"), 1)[0]
		w.asked(1)
		begun := time.Now()
		w.stop()
		w.on(begun.Add(w.setup.DrainTimeout), time.Now())
		w.start()
		w.pass(w.units(5))
		w.phase(id, rota.PhaseCompleted)
		require.Equal(w, []rota.RunID{id, id}, w.model.runs())
		require.Equal(w, w.model.calls()[0].key, w.model.calls()[1].key)
	}},
}

// restart starts a server with another setup.
func (w *world) restart() {
	w.kill()
	w.start()
}

// deleteOld deletes what is on record and has ended, which must be so much.
func (w *world) deleteOld(occurrences, runs int) {
	w.Helper()
	q, before := w.store.Reader(), w.now().Add(time.Hour)
	w.soon(func() {
		old, err := q.OldOccurrences(w.Context(), caller.Owner.Account, before, "", 100)
		require.NoError(w, err)
		require.Len(w, old, occurrences)
		ended, err := q.OldRuns(w.Context(), caller.Owner.Account, before, "", 100)
		require.NoError(w, err)
		require.Len(w, ended, runs)
		require.NoError(w, w.store.Update(w.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
			if _, err := tx.DeleteOccurrences(ctx, old); err != nil {
				return err
			}
			_, err := tx.DeleteEnded(ctx, ended)
			return err
		}))
	})
}
