package enginetest

import (
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// queues are about which runs are at work, and in which order.
var queues = []testCase{
	{"runs start in order, as many as there are workers", func(w *world) {
		w.model.takes(time.Minute)
		ids := w.runs(w.agent("large/m"), 10)
		require.Equal(w, ids[:4], w.model.runs())
		w.pass(time.Minute)
		require.Equal(w, ids[:8], w.model.runs())
		w.pass(time.Minute)
		require.Equal(w, ids, w.model.runs())
		for _, c := range w.model.calls() {
			require.Less(w, c.beside, 4)
		}
	}},
	{"a provider's bound holds nobody else up", func(w *world) {
		w.model.takes(time.Minute)
		small := w.runs(w.agent("small/m"), 5)
		large := w.runs(w.agent("large/m"), 2)
		require.Equal(w, append(small[:2:2], large...), w.model.runs())
		w.pass(3 * time.Minute)
		require.ElementsMatch(w, append(small, large...), w.model.runs())
		require.Len(w, w.model.runs(), 7)
	}},
	{"a worker that is freed during a step is not forgotten", func(w *world) {
		w.setup.MaxConcurrentRuns = 2
		w.kill()
		w.start()
		release := make(chan struct{})
		w.model.will(func(n int) reply {
			if n == 1 {
				return reply{until: release}
			}
			return reply{takes: time.Minute}
		})
		a := w.agent("large/m")
		w.runs(a, 1)
		w.schedule(a, every(300), rota.PolicyUpdate{})
		w.schedule(a, every(300), rota.PolicyUpdate{})
		w.pass(time.Minute)
		w.store.afterNext(func() { // both have fired, and there was a worker for one
			close(release)
			synctest.Wait()
		})
		w.pass(4*time.Minute + time.Second)
		require.Len(w, w.model.calls(), 3, "both are at work")
	}},
	{"overlap: skip", func(w *world) {
		s := w.slow(rota.OverlapSkip)
		require.Equal(w, "fired, skipped_overlap, skipped_overlap, fired", w.outcomes(s))
	}},
	{"overlap: buffer_one", func(w *world) {
		s := w.slow(rota.OverlapBufferOne)
		require.Equal(w, "fired, fired, skipped_overlap, buffered", w.outcomes(s))
		require.Equal(w, s.CreatedAt.Add(35*time.Second), w.model.calls()[1].at.UTC(), "when the first has ended")
	}},
	{"overlap: allow_all", func(w *world) {
		s := w.slow(rota.OverlapAllowAll)
		require.Equal(w, "fired, fired, fired, fired", w.outcomes(s))
		require.Equal(w, 2, w.model.calls()[2].beside)
	}},
}

// slow returns a schedule of every 10 seconds, whose runs take 25, after 41.
func (w *world) slow(o rota.Overlap) rota.Schedule {
	w.Helper()
	w.model.takes(25 * time.Second)
	s := w.schedule(w.agent("large/m"), every(10), rota.PolicyUpdate{Overlap: rota.Some(o)})
	w.pass(41 * time.Second)
	return s
}
