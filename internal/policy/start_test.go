package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

func TestMayStart(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*rota.Work)
		want   string
	}{
		"nothing has changed":       {func(*rota.Work) {}, ""},
		"the agent is deleted":      {func(w *rota.Work) { w.AgentDeleted = true }, rota.RunErrAgentDeleted},
		"the schedule is deleted":   {func(w *rota.Work) { w.Schedule = rota.ScheduleDeleted }, rota.RunErrDeleted},
		"both are":                  {func(w *rota.Work) { w.AgentDeleted, w.Schedule = true, rota.ScheduleDeleted }, rota.RunErrAgentDeleted},
		"the schedule is paused":    {func(w *rota.Work) { w.Schedule = rota.SchedulePaused }, rota.RunErrPaused},
		"somebody triggered it":     {func(w *rota.Work) { w.Schedule, w.Run.Trigger = rota.SchedulePaused, rota.TriggerManual }, ""},
		"the schedule is completed": {func(w *rota.Work) { w.Schedule = rota.ScheduleCompleted }, ""},
		"it has begun":              {func(w *rota.Work) { w.AgentDeleted, w.Schedule, w.Run.Attempt = true, rota.ScheduleDeleted, 1 }, ""},
	} {
		w := rota.Work{Run: rota.Run{Trigger: rota.TriggerSchedule}, Schedule: rota.ScheduleActive}
		tt.change(&w)
		got := MayStart(w)
		if tt.want == "" {
			require.Nil(t, got, name)
			continue
		}
		require.NotNil(t, got, name)
		require.Equal(t, tt.want, got.Code, name)
		require.NotEmpty(t, got.Message, name)
	}
}

func TestLost(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	c := rota.CutOff{Policy: rota.DefaultPolicy()}
	_, ends := Lost(c, now)
	require.False(t, ends)
	c.Policy.Retry.OnCrash = rota.OnCrashNever
	end, ends := Lost(c, now)
	require.True(t, ends)
	require.Equal(t, rota.PhaseFailed, end.Phase)
	require.Equal(t, rota.RunErrWorkerLost, end.Error.Code)
	require.Equal(t, now, end.CompletedAt)
}

func TestContinues(t *testing.T) {
	first := "resp_1"
	require.Nil(t, Continues(nil, rota.Timer{LastResponseID: "resp_2"}), "it continues none")
	require.Equal(t, "resp_1", *Continues(&first, rota.Timer{}))
	require.Equal(t, "resp_2", *Continues(&first, rota.Timer{LastResponseID: "resp_2"}))
}

// TestWas: each outcome says which one it takes the place of.
func TestWas(t *testing.T) {
	buffered := rota.Timer{
		ScheduleID: "asch_1", Status: rota.ScheduleActive, Policy: rota.DefaultPolicy(), Anchor: at(0),
		Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 60, Timezone: "UTC"}, NextRunAt: at(3 * time.Minute), DueAt: at(2 * time.Minute), Buffered: at(time.Minute),
	}
	d := Decide(buffered, at(2*time.Minute), at(0))
	require.Equal(t, []string{"fired 1m0s"}, outcomes(d.Records))
	require.Equal(t, rota.Buffered, d.Records[0].Was)
	require.Nil(t, d.GivenUp)

	gone := buffered
	gone.AgentDeletedAt = at(90 * time.Second)
	require.Equal(t, notActive, *Decide(gone, at(2*time.Minute), at(0)).GivenUp, "what waits will not start")

	late := buffered
	late.Buffered, late.Backlog, late.BacklogTo = time.Time{}, 1, at(time.Minute)
	o := rota.Occurrence{ScheduledFor: rota.InstantOf(at(time.Minute)), Trigger: rota.TriggerSchedule, RecordedAt: rota.InstantOf(at(time.Minute))}
	d = CatchUp(late, o, at(2*time.Minute))
	require.Equal(t, rota.Buffered, d.Records[0].Was)

	run := rota.RunID("arun_1")
	why := rota.RunError{Code: rota.RunErrPaused, Message: "it was paused"}
	o.Outcome, o.RunID = rota.Fired, &run
	d = Settle(rota.Timer{OpenRuns: 1, RunCount: 1}, rota.Result{Phase: rota.PhaseCancelled, Blocked: true, Error: &why, Occurrence: &o})
	require.Len(t, d.Records, 1)
	require.Equal(t, rota.Fired, d.Records[0].Was)
	require.Equal(t, rota.Blocked, d.Records[0].Outcome)
	require.Equal(t, rota.Reason(why), *d.Records[0].Reason)

	waits := buffered
	waits.Buffered = at(time.Minute)
	require.Equal(t, notActive, *GivesUp(waits, Leave(waits, rota.PauseReason{Code: rota.PausedManually})))
	require.Nil(t, GivesUp(waits, waits), "it still waits")
	done := rota.Timer{Status: rota.ScheduleCompleted, Backlog: 2, BacklogTo: at(time.Minute)}
	left := Leave(done, rota.PauseReason{Code: rota.PausedByDeletion})
	require.Equal(t, rota.Timer{Status: rota.ScheduleCompleted}, left, "a completed schedule stays completed")
}
