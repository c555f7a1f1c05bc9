package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// What had come when the last run was taken is on record: it waited for its
// jitter, and will not start.
func TestTheLastRunDropsWhatWaits(t *testing.T) {
	timer := planned(t, everyMinute, func(p *rota.Policy) { p.JitterSeconds, p.MaxRuns = 3600, new(int64(1)) })
	for timer.DueAt.Before(at(3 * time.Minute)) {
		timer.ScheduleID += "1" // another jitter
		timer = aim(timer, timer.NextRunAt)
	}
	due := timer.DueAt

	d := Decide(timer, due, start)
	require.Equal(t, rota.ScheduleCompleted, d.Timer.Status)
	require.Equal(t, "fired 1m0s", outcomes(d.Records)[0])
	require.Equal(t, "max_runs", d.Records[1].Reason.Code)
	require.EqualValues(t, due.Sub(start)/time.Minute-1, d.Records[1].Count)

	d = Trigger(timer, at(150*time.Second), at(150*time.Second))
	require.Equal(t, rota.ScheduleCompleted, d.Timer.Status)
	require.Equal(t, []string{"fired 2m30s", "blocked not_active 1m0s..2m0s=2"}, outcomes(d.Records))
	require.Equal(t, rota.TriggerSchedule, d.Records[1].Trigger)
}

// A trigger whose own millisecond is taken gets a nominal time that is still
// ahead. It takes no time of the schedule that has not come yet.
func TestATriggerDropsNothingThatIsAhead(t *testing.T) {
	timer := planned(t, everyMinute, func(p *rota.Policy) { p.MaxRuns = new(int64(1)) })
	now := at(time.Minute - time.Millisecond)
	d := Trigger(timer, at(time.Minute+time.Millisecond), now)
	require.Equal(t, []string{"fired 1m0.001s"}, outcomes(d.Records))
	require.Equal(t, now, d.Records[0].RecordedAt.Time)
	require.Zero(t, *d.Records[0].LatenessMS)
	require.Equal(t, now, d.Timer.LastRunAt)
	require.Equal(t, rota.ScheduleCompleted, d.Timer.Status)
}

// An occurrence that waits for a run to end has a place among max_runs. When there
// is none any more, it is blocked.
func TestMaxRunsBoundsWhatWaits(t *testing.T) {
	tests := []struct {
		name    string
		maxRuns int64
		change  func(rota.Timer) rota.Timer
		want    []string
		waits   bool
		status  rota.ScheduleStatus
	}{
		{"room for it alone", 4, replanned, nil, true, rota.ScheduleActive},
		{"as many as have started", 3, replanned, []string{"blocked max_runs 1m0s"}, false, rota.ScheduleCompleted},
		{"fewer than have started", 1, replanned, []string{"blocked max_runs 1m0s"}, false, rota.ScheduleCompleted},
		{"more than both", 9, replanned, nil, true, rota.ScheduleActive},
		{"a trigger takes the last", 4, triggered, []string{"blocked max_runs 1m0s"}, false, rota.ScheduleCompleted},
		{"a trigger leaves one", 5, triggered, nil, true, rota.ScheduleActive},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := planned(t, everyMinute, func(p *rota.Policy) { p.Overlap = rota.OverlapAllowAll })
			before.RunCount, before.OpenRuns, before.Buffered = 3, 1, at(time.Minute)
			before.NextRunAt, before.DueAt = at(2*time.Minute), at(2*time.Minute)
			before.Policy.MaxRuns = &tt.maxRuns
			after := tt.change(before)
			require.Equal(t, tt.want, outcomes(Dropped(before, after, time.Time{}, at(90*time.Second))))
			require.Equal(t, tt.waits, !after.Buffered.IsZero())
			require.Equal(t, tt.status, after.Status)
		})
	}
}

func replanned(t rota.Timer) rota.Timer {
	after, _ := Plan(t, at(90*time.Second))
	return after
}

func triggered(t rota.Timer) rota.Timer {
	return Trigger(t, at(90*time.Second), at(90*time.Second)).Timer
}

// What an open pause shows is what its end puts on record.
func TestAnOpenPause(t *testing.T) {
	timer := planned(t, everyMinute, nil)
	now := at(5 * time.Minute)
	require.Empty(t, Open(timer, false, time.Time{}, now), "it is active")
	paused, err := Pause(timer, rota.PauseReason{Code: rota.PausedByDeletion, At: rota.InstantOf(at(150 * time.Second))})
	require.NoError(t, err)
	open := Open(paused, true, time.Time{}, now)
	require.Equal(t, []string{"blocked agent_deleted 3m0s..5m0s=3"}, outcomes(open))
	require.Equal(t, outcomes(Dropped(paused, Restore(paused, now), time.Time{}, now)), outcomes(open))
	require.True(t, open[0].Open)
	require.Equal(t, rota.OccurrenceIDAt(timer.ScheduleID, open[0].ScheduledFor), open[0].ID)

	restored := Restore(paused, now)
	require.Empty(t, Open(restored, false, now, now), "that is on record")
	require.Equal(t, []string{"blocked schedule_paused 6m0s"}, outcomes(Open(restored, false, now, at(6*time.Minute))))
}

// Where max_runs is used up, a trigger that finds a run in its way does not wait.
func TestATriggerDoesNotWaitBeyondMaxRuns(t *testing.T) {
	timer := planned(t, everyMinute, func(p *rota.Policy) { p.MaxRuns, p.Overlap = new(int64(3)), rota.OverlapBufferOne })
	timer.RunCount, timer.OpenRuns, timer.Backlog = 3, 1, 2
	d := Trigger(timer, at(time.Second), at(time.Second))
	require.Equal(t, []string{"skipped_overlap overlap 1s"}, outcomes(d.Records))
	require.Zero(t, d.Timer.Buffered)
}

// What a pause kept from starting is on record, with the reason of the pause, when
// it ends: by a resumption, a deletion, or other times.
func TestAPauseIsOnRecord(t *testing.T) {
	note := "holiday"
	timer := planned(t, everyMinute, nil)
	waiting, err := Pause(timer, rota.PauseReason{Code: rota.PausedManually, Note: &note, At: rota.InstantOf(at(150 * time.Second))})
	require.NoError(t, err)
	resumed, err := Resume(waiting, at(5*time.Minute))
	require.NoError(t, err)
	records := Dropped(waiting, resumed, time.Time{}, at(5*time.Minute))
	require.Equal(t, []string{"blocked schedule_paused 3m0s..5m0s=3"}, outcomes(records))
	require.Equal(t, "the schedule was paused (manual: holiday)", records[0].Reason.Message)
	require.Equal(t, outcomes(records), outcomes(Dropped(waiting, Delete(waiting), time.Time{}, at(5*time.Minute))))

	require.Empty(t, Dropped(waiting, waiting, time.Time{}, at(5*time.Minute)), "it goes on")
	other := waiting
	other.Anchor = at(4*time.Minute + time.Second)
	require.Equal(t, []string{"blocked schedule_paused 3m0s..4m0s=2"}, outcomes(Dropped(waiting, other, time.Time{}, other.Anchor)))
	resumed, err = Resume(other, at(6*time.Minute))
	require.NoError(t, err)
	require.Equal(t, []string{"blocked schedule_paused 5m1s"}, outcomes(Dropped(other, resumed, time.Time{}, at(6*time.Minute))), "the times before are on record")
	bounded := waiting
	bounded.Policy.StartAt = instant(270 * time.Second)
	require.Equal(t, []string{"blocked schedule_paused 3m0s..4m0s=2"}, outcomes(Dropped(waiting, bounded, time.Time{}, at(250*time.Second))))
	resumed, err = Resume(bounded, at(6*time.Minute))
	require.NoError(t, err)
	require.Equal(t, []string{"blocked schedule_paused 5m0s..6m0s=2"}, outcomes(Dropped(bounded, resumed, time.Time{}, at(6*time.Minute))), "none before the bound")

	recorded := at(3*time.Minute + time.Second) // by a change before, or by a clock that was set back
	require.Equal(t, []string{"blocked schedule_paused 4m0s..5m0s=2"}, outcomes(Dropped(waiting, Delete(waiting), recorded, at(5*time.Minute))))
	require.Empty(t, Dropped(waiting, Delete(waiting), at(6*time.Minute), at(5*time.Minute)))

	used := waiting
	used.Policy.MaxRuns, used.RunCount = new(int64(1)), 1
	require.Empty(t, Dropped(used, Delete(used), time.Time{}, at(5*time.Minute)))
}

// A time that had passed when it was planned was not missed by an engine that
// looks since then.
func TestDecidePlannedLateIsNotMissed(t *testing.T) {
	timer := planned(t, onceAt(time.Minute), func(p *rota.Policy) { p.Missed = rota.MissedSkip })
	timer.DueAt = at(90 * time.Second)
	require.Equal(t, []string{"fired 1m0s"}, outcomes(Decide(timer, at(91*time.Second), at(80*time.Second)).Records))
	require.Equal(t, []string{"missed policy_skip 1m0s"}, outcomes(Decide(timer, at(2*time.Minute), at(2*time.Minute)).Records))
}

func TestIsNominal(t *testing.T) {
	timer := planned(t, everyMinute, nil)
	require.True(t, IsNominal(timer, at(time.Minute)))
	require.True(t, IsNominal(timer, at(9*time.Minute)))
	require.False(t, IsNominal(timer, at(time.Minute+time.Millisecond)))
	require.False(t, IsNominal(timer, start))
	paused, err := Pause(timer, rota.PauseReason{At: rota.InstantOf(at(90 * time.Second))})
	require.NoError(t, err)
	require.True(t, IsNominal(paused, at(time.Minute)), "it may be within a span on record")
	require.True(t, IsNominal(paused, at(2*time.Minute)), "the pause is about it")
}
