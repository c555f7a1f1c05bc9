package enginetest

import (
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
)

// changes are about what callers change while the engine runs.
var changes = []testCase{
	{name: "an update takes effect at once", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(100), rota.PolicyUpdate{})
		w.pass(w.units(1))
		w.update(s, w.every(4))
		w.pass(w.units(4))
		w.shows(s, "fired") // earlier than before
		w.update(s, w.every(5))
		w.pass(w.units(5) - w.blink())
		require.Equal(w, "fired", w.outcomes(s), "and later")
		w.pass(w.blink())
		w.shows(s, "fired, fired")
	}},
	{name: "max_runs that is lowered keeps what waits from starting", run: func(w *world) {
		release := w.model.holds()
		a, policy := w.agent("large/m"), rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapBufferOne)}
		keeps, loses := w.schedule(a, w.every(2), policy), w.schedule(a, w.every(2), policy)
		w.pass(w.units(5))
		w.shows(keeps, "fired, buffered")
		w.shows(loses, "fired, buffered")
		w.limit(keeps, 2)
		w.limit(loses, 1)
		require.Equal(w, "fired, buffered", w.outcomes(keeps))
		require.Equal(w, "fired, blocked", w.outcomes(loses), "with the change")
		require.Equal(w, "max_runs", w.ledger(loses)[1].Reason.Code)
		require.Equal(w, rota.ScheduleCompleted, w.read(loses).Status)
		release()
		w.pass(w.units(3))
		w.shows(keeps, "fired, fired")
		require.Equal(w, "fired, blocked", w.outcomes(loses))
		w.asked(3)
		require.Equal(w, rota.ScheduleCompleted, w.read(keeps).Status)
	}},
	{name: "a pause blocks what waits in the queue", run: func(w *world) {
		s, release := w.queued()
		w.pause(s)
		release()
		w.blocked(s, rota.RunErrPaused)
	}},
	{name: "a pause that is over before a worker is free blocks nothing", run: func(w *world) {
		s, release := w.queued()
		w.pause(s)
		_, err := w.control.ResumeSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
		require.NoError(w, err)
		release()
		w.pass(0)
		w.phase(*w.ledger(s)[0].RunID, rota.PhaseCompleted)
		require.Equal(w, rota.Fired, w.ledger(s)[0].Outcome)
	}},
	{name: "deleting the schedule blocks what waits in the queue", run: func(w *world) {
		s, release := w.queued()
		_, err := w.control.DeleteSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
		require.NoError(w, err)
		release()
		w.blocked(s, rota.RunErrDeleted)
	}},
	{name: "deleting the agent blocks what waits in the queue", run: func(w *world) {
		s, release := w.queued()
		_, err := w.control.DeleteAgent(w.Context(), caller, s.AgentID, control.Write{})
		require.NoError(w, err)
		release()
		w.blocked(s, rota.RunErrAgentDeleted)
	}},
	{name: "the times of a deleted agent are blocked, and never made up for", run: func(w *world) {
		a := w.agent("large/m")
		made := rota.PolicyUpdate{Missed: rota.Some(rota.MissedAll)}
		s, rests := w.schedule(a, w.every(2), made), w.schedule(a, w.every(2), made)
		w.pause(rests)
		w.pass(w.units(2))
		w.shows(s, "fired")
		_, err := w.control.DeleteAgent(w.Context(), caller, a, control.Write{})
		require.NoError(w, err)
		require.Equal(w, rota.PausedByDeletion, w.read(s).PauseReason.Code)
		require.Equal(w, rota.PausedManually, w.read(rests).PauseReason.Code)
		require.NotNil(w, w.read(s).DeletedAt)
		w.pass(w.units(4))
		_, err = w.control.ResumeSchedule(w.Context(), caller, a, s.ID, rota.SchedulePause{}, control.Write{})
		require.ErrorIs(w, err, rota.Conflict)
		w.restart()
		_, err = w.control.RestoreAgent(w.Context(), caller, a, control.Write{})
		require.NoError(w, err)
		require.Equal(w, rota.SchedulePaused, w.read(s).Status)
		require.Nil(w, w.read(s).DeletedAt)
		w.pass(w.units(4))
		for _, id := range []rota.ScheduleID{s.ID, rests.ID} {
			_, err = w.control.ResumeSchedule(w.Context(), caller, a, id, rota.SchedulePause{}, control.Write{})
			require.NoError(w, err)
		}
		w.pass(w.units(2))
		w.shows(s, "fired, blocked, blocked, fired")
		w.shows(rests, "blocked, fired")
		l := w.ledger(s)
		require.Equal(w, rota.RunErrAgentDeleted, l[1].Reason.Code)
		require.Equal(w, rota.RunErrPaused, l[2].Reason.Code)
		require.EqualValues(w, 4, l[1].Count+l[2].Count)
		require.Equal(w, rota.RunErrPaused, w.ledger(rests)[0].Reason.Code)
		w.asked(3)
	}},
	{name: "a guest of a shared agent runs it until it is made private", run: func(w *world) {
		a, ada := w.agent("large/m"), caller
		ada.Owner.EndUser = "ada"
		w.share(a, rota.Workspace)
		s, err := w.control.CreateSchedule(w.Context(), ada, a, rota.ScheduleCreate{Spec: w.every(2), Input: rota.InputText("hi")}, control.Write{})
		require.NoError(w, err)
		w.pass(w.units(2))
		w.asked(1)
		w.share(a, rota.Private)
		w.pass(w.units(4))
		w.asked(1)
		s, err = w.control.Schedule(w.Context(), ada, a, s.ID, false)
		require.NoError(w, err)
		require.Equal(w, rota.PausedByUnsharing, s.PauseReason.Code)
	}},
	{name: "making an agent private blocks what a guest has in the queue", run: func(w *world) {
		release := w.model.holds()
		w.runs(w.agent("large/m"), w.setup.MaxConcurrentRuns)
		w.asked(w.setup.MaxConcurrentRuns)
		a, ada := w.agent("large/m"), caller
		ada.Owner.EndUser = "ada"
		w.share(a, rota.Workspace)
		r, err := w.control.StartRun(w.Context(), ada, a, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
		require.NoError(w, err)
		w.share(a, rota.Private)
		release()
		w.pass(0)
		w.soon(func() {
			got, err := w.control.Run(w.Context(), ada, a, r.ID)
			require.NoError(w, err)
			require.Equal(w, rota.PhaseCancelled, got.Phase)
			require.Equal(w, rota.RunErrAgentUnshared, got.Reason.Code)
		})
		w.asked(w.setup.MaxConcurrentRuns)
	}},
	{name: "what waits in the queue runs if its agent is back before a worker is free", run: func(w *world) {
		release := w.model.holds()
		w.runs(w.agent("large/m"), w.setup.MaxConcurrentRuns)
		w.asked(w.setup.MaxConcurrentRuns)
		a := w.agent("large/m")
		id := w.runs(a, 1)[0]
		_, err := w.control.DeleteAgent(w.Context(), caller, a, control.Write{})
		require.NoError(w, err)
		_, err = w.control.RestoreAgent(w.Context(), caller, a, control.Write{})
		require.NoError(w, err)
		release()
		w.pass(0)
		w.phase(id, rota.PhaseCompleted)
	}},
	{name: "a running run goes on when its schedule is deleted", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(2), rota.PolicyUpdate{})
		release := w.model.holds()
		w.pass(w.units(2))
		w.asked(1)
		_, err := w.control.DeleteSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
		require.NoError(w, err)
		w.pass(w.units(3))
		require.Zero(w, w.model.calls()[0].ended)
		release()
		w.pass(0)
		w.phase(w.model.runs()[0], rota.PhaseCompleted)
		w.asked(1)
	}},
	{name: "a queued run keeps the version of its agent", run: func(w *world) {
		a := w.agent("small/m")
		release := w.model.holds()
		ids := w.runs(a, 3)
		w.pass(w.units(1))
		w.askedFor(ids[:2])
		_, err := w.control.UpdateAgent(w.Context(), caller, a, rota.AgentUpdate{Model: rota.Some("large/m")}, control.Write{})
		require.NoError(w, err)
		release()
		w.pass(0)
		w.askedFor(ids[:2], ids[2:])
		require.Equal(w, "small", w.model.calls()[2].provider)
		require.EqualValues(w, 1, w.readRun(ids[2]).AgentVersion)
		next := w.runs(a, 1)
		w.pass(0)
		w.askedFor(ids[:2], ids[2:], next)
		require.Equal(w, "large", w.model.calls()[3].provider)
		require.EqualValues(w, 2, w.readRun(next[0]).AgentVersion)
	}},
	{name: "a run that is tried again keeps the version of its agent", run: func(w *world) {
		a := w.agent("small/m")
		w.model.will(func(n int) reply {
			if n == 1 {
				return reply{err: busy(w.units(2))}
			}
			return reply{}
		})
		id := w.runs(a, 1)[0]
		w.pass(0)
		w.asked(1)
		_, err := w.control.UpdateAgent(w.Context(), caller, a, rota.AgentUpdate{Model: rota.Some("large/m")}, control.Write{})
		require.NoError(w, err)
		w.pass(w.units(2))
		w.asked(2)
		require.Equal(w, "small", w.model.calls()[1].provider)
		w.phase(id, rota.PhaseCompleted)
	}},
	{name: "an occurrence takes the version that its agent has", run: func(w *world) {
		a := w.agent("small/m")
		s := w.schedule(a, w.every(2), rota.PolicyUpdate{})
		w.pass(w.units(2))
		w.shows(s, "fired")
		_, err := w.control.UpdateAgent(w.Context(), caller, a, rota.AgentUpdate{Model: rota.Some("large/m")}, control.Write{})
		require.NoError(w, err)
		w.pass(w.units(2))
		w.shows(s, "fired, fired")
		w.asked(2)
		for i, provider := range []string{"small", "large"} {
			require.Equal(w, provider, w.model.calls()[i].provider)
			require.EqualValues(w, i+1, w.readRun(*w.ledger(s)[i].RunID).AgentVersion)
		}
	}},
	{name: "a run that waits for a worker is cancelled", run: func(w *world) {
		release := w.model.holds()
		ids := w.runs(w.agent("large/m"), 5)
		w.askedFor(ids[:4])
		w.cancelRun(ids[4])
		release()
		w.pass(w.units(2))
		w.askedFor(ids[:4])
		require.Equal(w, rota.PhaseCancelled, w.readRun(ids[4]).Phase)
	}},
	{name: "a running run is cancelled, and its worker is free", run: func(w *world) {
		release := w.model.holds()
		ids := w.runs(w.agent("large/m"), 5)
		w.askedFor(ids[:4])
		w.cancelRun(ids[0])
		w.engine.Cancel("arun_unknown")
		w.pass(0)
		w.askedFor(ids[:4], ids[4:])
		require.Error(w, w.model.of(ids[0])[0].err)
		require.Zero(w, w.model.of(ids[1])[0].ended, "the others go on")
		release()
		w.pass(0)
		w.phase(ids[4], rota.PhaseCompleted)
		w.phase(ids[0], rota.PhaseCancelled)
	}},
	{name: "a run is cancelled while it is being claimed", run: func(w *world) {
		w.model.takes(time.Hour)
		a := w.agent("large/m")
		w.pass(w.units(1))
		claimed, goOn := make(chan struct{}), make(chan struct{})
		w.store.onClaim(func() {
			close(claimed)
			<-goOn
		})
		release := sync.OnceFunc(func() { close(goOn) })
		defer release() // also if something fails
		id := w.runs(a, 1)[0]
		w.awaits(claimed)
		w.cancelRun(id)
		release()
		w.pass(w.units(1))
		w.phase(id, rota.PhaseCancelled)
		w.soon(func() {
			for _, c := range w.model.calls() {
				require.Error(w, c.err, "nobody works on")
			}
		})
	}},
	{name: "a trigger runs at once, and several can in the same millisecond", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(100), rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)})
		w.pass(w.units(1))
		for range 3 {
			_, err := w.control.TriggerSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
			require.NoError(w, err)
		}
		w.pass(0)
		w.asked(3)
		require.Equal(w, "fired, fired, fired", w.outcomes(s))
	}},
	{name: "a trigger that waited for a run is manual when it starts", run: func(w *world) {
		s := w.schedule(w.agent("large/m"), w.every(100), rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapBufferOne)})
		release := w.model.holds()
		for range 2 {
			_, err := w.control.TriggerSchedule(w.Context(), caller, s.AgentID, s.ID, control.Write{})
			require.NoError(w, err)
			w.pass(0)
		}
		w.shows(s, "fired, buffered")
		release()
		w.pass(0)
		w.shows(s, "fired, fired")
		for _, o := range w.ledger(s) {
			require.Equal(w, rota.TriggerManual, o.Trigger)
			require.Equal(w, rota.TriggerManual, w.readRun(*o.RunID).Trigger)
		}
	}},
}

func (w *world) update(s rota.Schedule, spec rota.Spec) {
	w.Helper()
	in := rota.ScheduleUpdate{Spec: rota.Some(spec)}
	_, err := w.control.UpdateSchedule(w.Context(), caller, s.AgentID, s.ID, in, control.Write{})
	require.NoError(w, err)
}

// limit gives a schedule another max_runs.
func (w *world) limit(s rota.Schedule, maxRuns int64) {
	w.Helper()
	in := rota.ScheduleUpdate{Policy: rota.PolicyUpdate{MaxRuns: rota.Some(maxRuns)}}
	_, err := w.control.UpdateSchedule(w.Context(), caller, s.AgentID, s.ID, in, control.Write{})
	require.NoError(w, err)
}

func (w *world) pause(s rota.Schedule) {
	w.Helper()
	_, err := w.control.PauseSchedule(w.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(w, err)
}

func (w *world) cancelRun(id rota.RunID) {
	w.Helper()
	_, err := w.control.CancelRun(w.Context(), caller, w.readRun(id).AgentID, id, control.Write{})
	require.NoError(w, err)
}

// queued returns a schedule that has fired while all workers are busy, and what
// makes them free.
func (w *world) queued() (s rota.Schedule, release func()) {
	w.Helper()
	release = w.model.holds()
	w.runs(w.agent("large/m"), w.setup.MaxConcurrentRuns)
	w.asked(w.setup.MaxConcurrentRuns)
	s = w.schedule(w.agent("large/m"), w.every(3), rota.PolicyUpdate{})
	w.pass(w.units(3))
	w.shows(s, "fired")
	return s, release
}

// blocked checks that the schedule's run ends without the model being asked.
func (w *world) blocked(s rota.Schedule, code string) {
	w.Helper()
	w.pass(0)
	w.phase(*w.ledger(s)[0].RunID, rota.PhaseCancelled)
	w.hears(engine.Ended{Run: *w.ledger(s)[0].RunID, Phase: rota.PhaseCancelled, Code: code})
	require.Len(w, w.model.calls(), w.setup.MaxConcurrentRuns)
	o := w.ledger(s)[0]
	require.Equal(w, rota.Blocked, o.Outcome)
	require.Equal(w, code, o.Reason.Code)
	r := w.readRun(*o.RunID)
	require.Equal(w, code, r.Reason.Code)
	require.Empty(w, r.Attempts)
	require.Zero(w, w.read(s).RunCount)
}

func (w *world) share(a rota.AgentID, v rota.Visibility) {
	w.Helper()
	_, err := w.control.UpdateAgent(w.Context(), caller, a, rota.AgentUpdate{Visibility: rota.Some(v)}, control.Write{})
	require.NoError(w, err)
}
