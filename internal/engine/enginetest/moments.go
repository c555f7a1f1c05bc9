package enginetest

import (
	"slices"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
)

const (
	simulatedUnit = 5 * time.Second
	patience      = 30 * time.Second       // how long what is due may take in real time
	lookAgain     = 100 * time.Millisecond // between two looks at what may take a while
	lookAtClock   = 10 * time.Second       // how long it may take until a clock that was set is noticed
)

// until returns the policy of a schedule that ends so many units from now, so
// that what is on record of it in the end does not depend on who looks when.
func (w *world) until(units float64, p rota.PolicyUpdate) rota.PolicyUpdate {
	p.EndAt = rota.Some(rota.InstantOf(time.Now().Add(w.units(units))))
	return p
}

// simulated reports whether time is.
func (w *world) simulated() bool { return w.rig.Unit == 0 }

// units returns how long so many units are.
func (w *world) units(n float64) time.Duration { return time.Duration(n * float64(w.unit)) }

// blink is the shortest time that matters.
func (w *world) blink() time.Duration {
	if w.simulated() {
		return time.Millisecond
	}
	return w.unit
}

// rounds returns how often to do something again and again.
func (w *world) rounds(simulated, real int) int {
	if w.simulated() {
		return simulated
	}
	return real
}

// pass lets time pass. If it is simulated, all that it brings has happened then.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	w.settle()
}

// passTo lets time pass up to an instant.
func (w *world) passTo(at time.Time) { w.pass(time.Until(at)) }

// settle waits until nothing more happens, if that can be known.
func (w *world) settle() {
	if w.simulated() {
		synctest.Wait()
	}
}

// soon checks what must have happened by now. In real time it may take a while
// yet: the check is made again and again, until nothing fails in it.
func (w *world) soon(check func()) {
	w.Helper()
	if w.simulated() {
		check()
		return
	}
	test := w.tester
	for last := time.Now().Add(patience); ; time.Sleep(lookAgain) {
		late := time.Now().After(last)
		failed := record(test.Context(), func(t tester) {
			w.tester = t
			check()
		})
		w.tester = test
		if len(failed) == 0 {
			return
		}
		if late {
			require.FailNow(w, failed[0], "and it has not come in time")
		}
	}
}

// awaits waits until a channel is closed.
func (w *world) awaits(done <-chan struct{}) {
	w.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		require.FailNow(w, "it has not come in time")
	}
}

// on checks that something happened when it was due: on the millisecond if time
// is simulated, and else not before.
func (w *world) on(due, at time.Time) {
	w.Helper()
	due, at = rota.InstantOf(due).Time, rota.InstantOf(at).Time
	if w.simulated() {
		require.Equal(w, due.UTC(), at.UTC())
		return
	}
	require.False(w, at.Before(due), "at %s, before %s", at, due)
	require.Less(w, at.Sub(due), patience, "at %s, long after %s", at, due)
}

// shows checks what is on record for a schedule by now.
func (w *world) shows(s rota.Schedule, outcomes string) {
	w.Helper()
	w.soon(func() { require.Equal(w, outcomes, w.outcomes(s)) })
}

// asked checks that the model has been asked so often by now.
func (w *world) asked(times int) {
	w.Helper()
	w.soon(func() { require.Len(w, w.model.calls(), times) })
}

// askedFor checks that the model has been asked for these runs by now, wave
// after wave. Those of one wave start together: any of them may be the first.
func (w *world) askedFor(waves ...[]rota.RunID) {
	w.Helper()
	w.asked(len(slices.Concat(waves...)))
	got := w.model.runs()
	for _, wave := range waves {
		require.ElementsMatch(w, wave, got[:len(wave)])
		got = got[len(wave):]
	}
}

// hears checks that the engine has said by now how a run ended.
func (w *world) hears(e engine.Ended) {
	w.Helper()
	w.soon(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		require.Contains(w, w.announced, e)
	})
}

// phase checks that a run is in a phase by now.
func (w *world) phase(id rota.RunID, p rota.Phase) {
	w.Helper()
	w.soon(func() { require.Equal(w, p, w.readRun(id).Phase) })
}
