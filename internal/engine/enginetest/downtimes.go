package enginetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// downtimes are about engines that stop, and those that start after them.
var downtimes = []testCase{
	{"a crash repeats no occurrence and loses no run", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(10), rota.PolicyUpdate{})
		w.model.takes(3 * time.Second)
		for range 20 {
			w.pass(11 * time.Second)
			w.kill()
			w.start()
		}
		w.pass(5 * time.Second)
		ledger := w.ledger(s)
		require.Len(w, ledger, 22)
		runs := map[rota.RunID]int{}
		for i, o := range ledger {
			require.Equal(w, s.CreatedAt.Add(time.Duration(i+1)*10*time.Second), o.ScheduledFor.Time)
			require.Equal(w, rota.Fired, o.Outcome)
			require.Equal(w, rota.PhaseCompleted, w.readRun(*o.RunID).Phase)
			runs[*o.RunID]++
		}
		require.Len(w, runs, 22, "each occurrence has a run of its own")
		keys := map[string]bool{}
		for _, c := range w.model.calls() {
			keys[c.key] = true
		}
		require.Len(w, keys, 22, "and asks under one key, however often")
	}},
	{"a crash between a fire and its start loses nothing", func(w *world) {
		w.model.takes(time.Hour)
		ids := w.runs(w.agent("large/m"), 6)
		w.kill()
		w.model.forget()
		w.start()
		w.pass(3 * time.Hour)
		require.ElementsMatch(w, ids, w.model.runs())
	}},
	{"on_crash: never", func(w *world) {
		never := rota.RetryUpdate{OnCrash: rota.Some(rota.OnCrashNever)}
		w.model.takes(time.Minute)
		s := w.schedule(w.agent("large/m"), every(10), rota.PolicyUpdate{Retry: rota.Some(never)})
		w.pass(15 * time.Second)
		w.kill()
		w.start()
		w.pass(time.Second)
		require.Len(w, w.model.calls(), 1, "it is not asked again")
		r := w.readRun(*w.ledger(s)[0].RunID)
		require.Equal(w, rota.RunErrWorkerLost, r.Error.Code)
		w.pass(4 * time.Second)
		require.Equal(w, "fired, fired", w.outcomes(s), "the next occurrence finds nothing in its way")
	}},
	{"missed: latest, skip and all", func(w *world) {
		a := w.agent("large/m")
		latest := w.schedule(a, every(10), rota.PolicyUpdate{})
		skip := w.schedule(a, every(10), rota.PolicyUpdate{Missed: rota.Some(rota.MissedSkip)})
		all := w.schedule(a, every(10), rota.PolicyUpdate{Missed: rota.Some(rota.MissedAll), Overlap: rota.Some(rota.OverlapAllowAll)})
		old := w.schedule(a, every(10), rota.PolicyUpdate{MaxLatenessSeconds: rota.Some[int64](1)})
		w.pass(11 * time.Second)
		w.kill()
		time.Sleep(44 * time.Second) // 20, 30, 40 and 50 fall due
		w.start()
		w.pass(time.Second)
		require.Equal(w, "fired, missed, fired", w.outcomes(latest))
		require.EqualValues(w, 3, w.ledger(latest)[1].Count)
		require.Equal(w, "fired, missed", w.outcomes(skip))
		require.EqualValues(w, 4, w.ledger(skip)[1].Count)
		require.Equal(w, "fired, fired, fired, fired, fired", w.outcomes(all))
		require.Equal(w, "fired, missed", w.outcomes(old))
		w.pass(4 * time.Second)
		for _, s := range []rota.Schedule{latest, skip, all, old} {
			o := w.ledger(s)
			require.Equal(w, s.CreatedAt.Add(time.Minute), o[len(o)-1].ScheduledFor.Time, "and it goes on at the time it would have")
		}
	}},
	{"a long downtime is caught up with at once", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(1), rota.PolicyUpdate{})
		w.kill()
		time.Sleep(365*24*time.Hour + 500*time.Millisecond)
		w.start()
		ledger := w.ledger(s)
		require.Equal(w, rota.Fired, ledger[len(ledger)-1].Outcome)
		total := int64(0)
		for _, o := range ledger {
			total += o.Count
		}
		require.EqualValues(w, 365*24*3600, total)
	}},
	{"stopping waits for what is at work", func(w *world) {
		w.model.takes(30 * time.Second)
		ids := w.runs(w.agent("large/m"), 5)
		begun := time.Now()
		w.stop()
		require.Less(w, time.Since(begun), 30*time.Second)
		w.start()
		require.Equal(w, rota.PhaseCompleted, w.readRun(ids[0]).Phase)
		w.pass(30 * time.Second)
		require.Equal(w, ids, w.model.runs(), "what had not started starts now, and nothing twice")
	}},
	{"stopping leaves what takes too long to the next start", func(w *world) {
		w.model.takes(5 * time.Minute)
		id := w.runs(w.agent("large/m"), 1)[0]
		begun := time.Now()
		w.stop()
		require.Equal(w, w.setup.DrainTimeout, time.Since(begun))
		w.start()
		w.pass(5 * time.Minute)
		require.Equal(w, []rota.RunID{id, id}, w.model.runs())
		require.Equal(w, w.model.calls()[0].key, w.model.calls()[1].key)
		require.Equal(w, rota.PhaseCompleted, w.readRun(id).Phase)
	}},
}
