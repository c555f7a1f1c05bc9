package storetest

import (
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

var plans = []testCase{{"schedules that agents have planned are found", plannedSchedules}}

func plannedSchedules(w *world) {
	a, b := w.addAgent(), w.addAgent()
	origin := &rota.Origin{AgentID: a.ID, RunID: "arun_1", CallID: "arun_1-1-1"}
	mine := w.addSchedule(a.ID, func(s *rota.Schedule, _ *rota.Timer) { s.Origin = origin })
	theirs := w.addSchedule(b.ID, func(s *rota.Schedule, _ *rota.Timer) { s.Origin = origin })
	w.addSchedule(a.ID)
	w.addSchedule(a.ID, func(s *rota.Schedule, t *rota.Timer) { s.Origin, t.Status = origin, rota.ScheduleCompleted })
	ids := func(o rota.Owner, agent rota.AgentID, limit int) (ids []rota.ScheduleID) {
		all, err := w.store.Planned(w.Context(), o, agent, limit)
		require.NoError(w, err)
		for _, s := range all {
			require.Equal(w, origin, s.Origin)
			ids = append(ids, s.ID)
		}
		return ids
	}
	require.Equal(w, []rota.ScheduleID{mine.ID}, ids(w.owner, a.ID, 10))
	require.Equal(w, []rota.ScheduleID{mine.ID, theirs.ID}, ids(w.owner, "", 10))
	require.Len(w, ids(w.owner, "", 1), 1)
	for _, o := range w.strangers() {
		require.Empty(w, ids(o, "", 10))
	}
}
