package temporal

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine/temporal/temporaltest"
)

// TestServerPlansTheSameTimes makes schedules on a real server, by both of its
// implementations, and asks it when they are due: before it is killed, and
// after it has come back.
func TestServerPlansTheSameTimes(t *testing.T) {
	for name, flags := range map[string][]string{"V1": nil, "V2": {"-v2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := temporaltest.Start(t, flags...)
			c := s.Client(t)
			now := time.Now().Truncate(time.Second)
			timers := plannedTimers(now)
			for i, timer := range timers {
				createSchedule(t, c, fmt.Sprint("schedule-", i), timer, now)
			}
			requirePlanned(t, c, timers, now)
			s.Kill()
			require.NoError(t, s.Start())
			requirePlanned(t, c, timers, now)
		})
	}
}

// plannedTimers returns timers that are first due some minutes from now.
func plannedTimers(now time.Time) (timers []rota.Timer) {
	start, end := rota.InstantOf(now.Add(10*time.Minute)), rota.InstantOf(now.Add(500*24*time.Hour))
	for _, e := range expressions {
		for _, zone := range []string{"UTC", "America/New_York", "Europe/Madrid", "Australia/Lord_Howe"} {
			timers = append(timers, cron(e, zone))
		}
	}
	for _, every := range []int64{60, 5400, 86_400, rota.MaxIntervalSeconds} {
		timers = append(timers, rota.Timer{Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: every}, Anchor: now.Add(250 * time.Millisecond)})
	}
	once := now.Add(100 * time.Hour).Format(time.RFC3339)
	timers = append(timers, rota.Timer{Spec: rota.Spec{Type: rota.Once, RunAt: once}})
	for i := range timers {
		timers[i].Policy = rota.Policy{StartAt: &start, EndAt: &end}
	}
	return timers
}

func createSchedule(t *testing.T, c client.Client, id string, timer rota.Timer, now time.Time) {
	t.Helper()
	times, err := Compile(timer, now)
	require.NoError(t, err)
	_, err = c.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID:     id,
		Spec:   times.Spec,
		Action: &client.ScheduleWorkflowAction{ID: id, Workflow: "none", TaskQueue: "none"},
	})
	require.NoError(t, err)
}

// requirePlanned compares what the server says about its schedules with the
// calendar: the next ten times, and those of the next weeks.
func requirePlanned(t *testing.T, c client.Client, timers []rota.Timer, now time.Time) {
	t.Helper()
	until := now.Add(40 * 24 * time.Hour)
	for i, timer := range timers {
		s := span{cal: parse(t, timer), start: timer.Policy.StartAt, end: timer.Policy.EndAt}
		want, _ := s.times(now, reach{until.Sub(now) + time.Second - time.Millisecond, 700, standard.calendars})
		for i := range want {
			want[i] = wholeSecond(want[i])
		}
		id := fmt.Sprint("schedule-", i)

		d, err := c.ScheduleClient().GetHandle(t.Context(), id).Describe(t.Context())
		require.NoError(t, err)
		next := min(len(want), len(d.Info.NextActionTimes))
		require.NotZero(t, next)
		require.Equal(t, want[:next], d.Info.NextActionTimes[:next], "%+v", timer.Spec)

		if want[0].After(until) {
			want = nil
		}
		r, err := c.WorkflowService().ListScheduleMatchingTimes(t.Context(), &workflowservice.ListScheduleMatchingTimesRequest{
			Namespace: "default", ScheduleId: id,
			StartTime: timestamppb.New(now), EndTime: timestamppb.New(until),
		})
		require.NoError(t, err)
		var listed []time.Time
		for _, at := range r.StartTime[:min(700, len(r.StartTime))] {
			listed = append(listed, at.AsTime())
		}
		require.Equal(t, want, listed, "%+v", timer.Spec)
	}
}
