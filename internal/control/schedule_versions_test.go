package control_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

// improve gives the agent of a schedule another model, and so another version.
func (w *world) improve(s rota.Schedule, model string) {
	w.Helper()
	_, err := w.UpdateAgent(w.Context(), caller, s.AgentID, body[rota.AgentUpdate](w, `{"model":"`+model+`"}`), control.Write{})
	require.NoError(w, err)
}

// A schedule that is pinned runs the version that it names, whatever becomes of the
// agent; one that is not runs the version that the agent has.
func TestPin(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	require.Nil(t, s.AgentVersion)
	w.improve(s, "mock/large")
	s = w.update(s, `{"agent_version":1}`)
	require.EqualValues(t, 1, *s.AgentVersion)
	require.EqualValues(t, 2, s.ScheduleVersion)
	require.Equal(t, "mock/small", w.timer(s).PinnedModel)

	_, err := w.RollbackAgent(t.Context(), caller, s.AgentID, 1, control.Write{})
	require.NoError(t, err)
	w.improve(s, "mock/larger")
	_, err = w.DeleteAgent(t.Context(), caller, s.AgentID, control.Write{})
	require.NoError(t, err)
	_, err = w.RestoreAgent(t.Context(), caller, s.AgentID, control.Write{})
	require.NoError(t, err)
	_, err = w.ResumeSchedule(t.Context(), caller, s.AgentID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	require.EqualValues(t, 2, w.read(s).ScheduleVersion, "pauses make no version")

	o, err := w.TriggerSchedule(t.Context(), caller, s.AgentID, s.ID, control.Write{})
	require.NoError(t, err)
	require.EqualValues(t, 2, o.ScheduleVersion)
	work := w.claim()
	require.Len(t, work, 1)
	require.EqualValues(t, 1, work[0].Run.AgentVersion)
	require.EqualValues(t, 2, *work[0].Run.ScheduleVersion)
	require.Equal(t, "mock/small", work[0].Agent.Model)
	w.finish(work[0].Run.ID, rota.Result{Phase: rota.PhaseCompleted})

	s = w.update(s, `{"agent_version":null}`)
	require.Nil(t, s.AgentVersion)
	w.now = w.now.Add(time.Hour)
	w.fire()
	require.EqualValues(t, 4, w.claim()[0].Run.AgentVersion)
}

func TestPinRefuses(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	refused := func(err error, says string) {
		t.Helper()
		var e *rota.Error
		require.True(t, errors.As(err, &e), "%v", err)
		require.Equal(t, rota.Invalid, e.Code)
		require.Equal(t, "agent_version", e.Field)
		require.Contains(t, e.Msg, says)
	}
	_, err := w.tryUpdate(s, `{"agent_version":2}`)
	refused(err, "it has no version 2")
	_, err = w.trySchedule(hourly, `,"agent_version":7`)
	refused(err, "it has no version 7")
	_, err = w.PutSchedule(t.Context(), caller, s.AgentID, "k", body[rota.ScheduleCreate](t, `{"input":"hi","schedule":`+hourly+`,"agent_version":7}`), control.Write{})
	refused(err, "it has no version 7")
	require.EqualValues(t, 1, w.read(s).ScheduleVersion)
}

// Each change of what fires is a version that can be read as it was. What changes
// something else makes none.
func TestScheduleVersions(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, `,"name":"first"`)
	was := map[int64]string{}
	for i, change := range []string{
		`{"name":"second"}`, `{"input":"other"}`, `{"metadata":{"a":"b"}}`, `{"policy":{"timeout_seconds":7}}`,
		`{"conversation":"conv_1"}`, `{"previous_response_id":"resp_1"}`, `{"schedule":{"type":"cron","cron_expression":"0 9 * * *"}}`,
		`{"agent_version":1}`, `{"schedule":{"type":"interval","interval_seconds":60}}`,
	} {
		was[s.ScheduleVersion] = plain(t, w.read(s).Config())
		w.now = w.now.Add(time.Second)
		s = w.update(s, change)
		require.EqualValues(t, i+2, s.ScheduleVersion, change)
	}
	before := s.ScheduleVersion
	for _, change := range []string{`{}`, `{"name":"second"}`, `{"description":"for people"}`, `{"policy":{"timeout_seconds":7}}`, `{"agent_version":1}`} {
		s = w.update(s, change)
		require.Equal(t, before, s.ScheduleVersion, change)
	}
	again := w.update(s, `{"schedule":{"type":"interval","interval_seconds":60}}`)
	require.Equal(t, before, again.ScheduleVersion, "it is counted from the same moment")
	w.now = w.now.Add(time.Second)
	again = w.update(s, `{"schedule":{"type":"interval","interval_seconds":60}}`)
	require.Equal(t, before+1, again.ScheduleVersion, "it is counted from another moment")
	_, err := w.SkipOccurrence(t.Context(), caller, s.AgentID, s.ID, rota.OccurrenceSkip{ScheduledFor: *again.NextRunAt}, control.Write{})
	require.NoError(t, err)
	w.now = w.now.Add(time.Hour)
	w.fire()
	require.Equal(t, before+1, w.read(s).ScheduleVersion)

	for n, config := range was {
		v, err := w.ScheduleVersion(t.Context(), caller, s.AgentID, s.ID, n)
		require.NoError(t, err)
		require.Equal(t, config, plain(t, v.ScheduleConfig), "version %d", n)
		require.Equal(t, instant(time.Duration(n-1)*time.Second), v.CreatedAt, "version %d", n)
		require.False(t, v.IsCurrent)
	}
	current, err := w.ScheduleVersion(t.Context(), caller, s.AgentID, s.ID, before+1)
	require.NoError(t, err)
	require.True(t, current.IsCurrent)
	_, err = w.ScheduleVersion(t.Context(), caller, s.AgentID, s.ID, before+2)
	require.ErrorIs(t, err, rota.NotFound)

	l, err := w.ScheduleVersions(t.Context(), caller, s.AgentID, s.ID, rota.Page{Limit: 100, Ascending: true})
	require.NoError(t, err)
	require.Len(t, l.Data, int(before)+1)
	for i, v := range l.Data {
		one, err := w.ScheduleVersion(t.Context(), caller, s.AgentID, s.ID, int64(i)+1)
		require.NoError(t, err)
		require.Equal(t, plain(t, one), plain(t, v), strconv.Itoa(i))
	}
}
