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
	require.Equal(t, "fired 1m0s", said(d.Records)[0])
	require.Equal(t, "max_runs", d.Records[1].Reason.Code)
	require.EqualValues(t, due.Sub(start)/time.Minute-1, d.Records[1].Count)

	d = Trigger(timer, at(150*time.Second))
	require.Equal(t, rota.ScheduleCompleted, d.Timer.Status)
	require.Equal(t, []string{"fired 2m30s", "blocked not_active 1m0s..2m0s=2"}, said(d.Records))
	require.Equal(t, rota.TriggerSchedule, d.Records[1].Trigger)
}

// A time that had passed when it was planned was not missed by an engine that
// looks since then.
func TestDecidePlannedLateIsNotMissed(t *testing.T) {
	timer := planned(t, onceAt(time.Minute), func(p *rota.Policy) { p.Missed = rota.MissedSkip })
	timer.DueAt = at(90 * time.Second)
	require.Equal(t, []string{"fired 1m0s"}, said(Decide(timer, at(91*time.Second), at(80*time.Second)).Records))
	require.Equal(t, []string{"missed policy_skip 1m0s"}, said(Decide(timer, at(2*time.Minute), at(2*time.Minute)).Records))
}

func TestIsNominal(t *testing.T) {
	timer := planned(t, everyMinute, nil)
	require.True(t, IsNominal(timer, at(time.Minute)))
	require.True(t, IsNominal(timer, at(9*time.Minute)))
	require.False(t, IsNominal(timer, at(time.Minute+time.Millisecond)))
	require.False(t, IsNominal(timer, start), "it has passed")
	require.False(t, IsNominal(rest(timer, rota.SchedulePaused, nil), at(time.Minute)))
}
