package enginetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

// changes are about what callers change while the engine runs.
var changes = []testCase{
	{"an update takes effect at once", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(3600), rota.PolicyUpdate{})
		w.pass(time.Minute)
		w.update(s, every(10))
		w.pass(10 * time.Second)
		require.Equal(w, "fired", w.outcomes(s), "earlier than before")
		w.update(s, every(7200))
		w.pass(7200*time.Second - time.Millisecond)
		require.Equal(w, "fired", w.outcomes(s), "and later")
		w.pass(time.Millisecond)
		require.Equal(w, "fired, fired", w.outcomes(s))
	}},
	{"a pause blocks what waits in the queue", func(w *world) {
		s := w.queued()
		_, err := w.control.PauseSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
		require.NoError(w, err)
		w.blocked(s, rota.RunErrPaused)
	}},
	{"a pause that is over before a worker is free blocks nothing", func(w *world) {
		s := w.queued()
		_, err := w.control.PauseSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
		require.NoError(w, err)
		_, err = w.control.ResumeSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
		require.NoError(w, err)
		w.pass(time.Hour)
		require.Equal(w, "fired", w.outcomes(s)[:len("fired")])
	}},
	{"deleting the schedule blocks what waits in the queue", func(w *world) {
		s := w.queued()
		_, err := w.control.DeleteSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
		require.NoError(w, err)
		w.blocked(s, rota.RunErrDeleted)
	}},
	{"deleting the agent blocks what waits in the queue", func(w *world) {
		s := w.queued()
		_, err := w.control.DeleteAgent(w.Context(), caller, s.AgentID, control.Write{})
		require.NoError(w, err)
		w.blocked(s, rota.RunErrAgentDeleted)
	}},
	{"what is at work goes on when its schedule is deleted", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(10), rota.PolicyUpdate{})
		w.model.takes(time.Minute)
		w.pass(10 * time.Second)
		_, err := w.control.DeleteSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
		require.NoError(w, err)
		w.pass(time.Hour)
		require.Equal(w, rota.PhaseCompleted, w.readRun(w.model.runs()[0]).Phase)
		require.Len(w, w.model.calls(), 1)
	}},
	{"a queued run follows its agent to another provider", func(w *world) {
		a := w.agent("small/m")
		w.model.takes(time.Minute)
		ids := w.runs(a, 3)
		require.Equal(w, ids[:2], w.model.runs())
		_, err := w.control.UpdateAgent(w.Context(), caller, a, rota.AgentUpdate{Model: rota.Some("large/m")}, control.Write{})
		require.NoError(w, err)
		w.pass(2 * time.Minute)
		require.Equal(w, ids, w.model.runs())
		require.Equal(w, "large", w.model.calls()[2].provider)
		require.Equal(w, 1, w.readRun(ids[2]).Attempts, "the move is no attempt")
	}},
	{"a run that waits for a worker is cancelled", func(w *world) {
		w.model.takes(time.Minute)
		ids := w.runs(w.agent("large/m"), 5)
		w.cancelRun(ids[4])
		w.pass(time.Hour)
		require.Equal(w, ids[:4], w.model.runs())
		require.Equal(w, rota.PhaseCancelled, w.readRun(ids[4]).Phase)
	}},
	{"a run at work is cancelled, and its worker is free", func(w *world) {
		w.model.takes(5 * time.Minute)
		ids := w.runs(w.agent("large/m"), 5)
		w.cancelRun(ids[0])
		w.pass(0)
		require.Error(w, w.model.calls()[0].err)
		require.Equal(w, ids, w.model.runs())
		w.pass(time.Hour)
		require.Equal(w, rota.PhaseCancelled, w.readRun(ids[0]).Phase)
		require.Equal(w, rota.PhaseCompleted, w.readRun(ids[4]).Phase)
	}},
	{"a run is cancelled in the moment in which it is claimed", func(w *world) {
		w.model.takes(time.Hour)
		a := w.agent("large/m")
		w.pass(time.Second)
		ids := make(chan rota.RunID, 1)
		w.store.afterNext(func() { // the run is queued: the next update claims it
			w.store.afterNext(func() { w.cancelRun(<-ids) })
		})
		r, err := w.control.StartRun(w.Context(), caller, a, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
		require.NoError(w, err)
		ids <- r.ID
		w.pass(time.Second)
		require.Equal(w, rota.PhaseCancelled, w.readRun(r.ID).Phase)
		for _, c := range w.model.calls() {
			require.Error(w, c.err, "nobody works on")
		}
	}},
	{"a trigger runs at once, and twice in a moment", func(w *world) {
		s := w.schedule(w.agent("large/m"), every(3600), rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)})
		w.pass(time.Minute)
		for range 3 {
			_, err := w.control.TriggerSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
			require.NoError(w, err)
		}
		w.pass(time.Second)
		require.Len(w, w.model.calls(), 3)
		require.Equal(w, "fired, fired, fired", w.outcomes(s))
	}},
}

func (w *world) update(s rota.Schedule, spec rota.Spec) {
	w.Helper()
	in := rota.ScheduleUpdate{Spec: rota.Some(spec)}
	_, err := w.control.UpdateSchedule(w.Context(), caller, s.AgentID, s.ID, in, control.Write{})
	require.NoError(w, err)
}

func (w *world) cancelRun(id rota.RunID) {
	w.Helper()
	_, err := w.control.CancelRun(w.Context(), caller, w.readRun(id).AgentID, id, control.Write{})
	require.NoError(w, err)
}

// queued returns a schedule that has fired while all workers are busy for a
// minute.
func (w *world) queued() rota.Schedule {
	w.Helper()
	w.model.takes(time.Minute)
	s := w.schedule(w.agent("large/m"), every(10), rota.PolicyUpdate{})
	w.pass(9 * time.Second)
	w.runs(w.agent("large/m"), w.setup.MaxConcurrentRuns)
	w.pass(time.Second)
	require.Equal(w, "fired", w.outcomes(s))
	return s
}

// blocked checks that the schedule's run ends without the model being asked.
func (w *world) blocked(s rota.Schedule, code string) {
	w.Helper()
	w.pass(time.Hour)
	require.Len(w, w.model.calls(), w.setup.MaxConcurrentRuns)
	o := w.ledger(s)[0]
	require.Equal(w, rota.Blocked, o.Outcome)
	require.Equal(w, code, o.Reason.Code)
	r := w.readRun(*o.RunID)
	require.Equal(w, rota.PhaseCancelled, r.Phase)
	require.Equal(w, code, r.Error.Code)
	require.Zero(w, r.Attempts)
	require.Zero(w, w.read(s).RunCount)
}
