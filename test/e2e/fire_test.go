package e2e

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// TestFireReachesTheModel triggers a schedule and reads what the model was
// asked.
func TestFireReachesTheModel(t *testing.T) {
	model := gatewaytest.New(t)
	s := start(t, t.TempDir(), "--model-url", model.URL)
	ctx, c := t.Context(), s.client()

	a, err := c.Agents.Create(ctx, rota.AgentCreate{
		Name: "variables", Model: "small", Instructions: rota.Some("You answer in {{timezone}}; {{schedule_name}}, no. {{run_count}}{{last_run_at}}."),
	})
	require.NoError(t, err)
	sch, err := c.Schedules.Create(ctx, a.ID, rota.ScheduleCreate{
		Spec:     rota.Spec{Type: rota.Cron, CronExpression: "0 9 1 1 *", Timezone: "Asia/Kathmandu"},
		Name:     rota.Some("Yearly"),
		Input:    rota.InputText("It is {{scheduled_for}}"),
		Metadata: map[string]string{"team": "ops"},
	})
	require.NoError(t, err)
	o, err := c.Schedules.Trigger(ctx, a.ID, sch.ID)
	require.NoError(t, err)
	require.Equal(t, rota.Fired, o.Outcome)
	for _, err := range c.Runs.Events(ctx, a.ID, *o.RunID) {
		require.NoError(t, err)
	}

	run, err := c.Runs.Get(ctx, a.ID, *o.RunID)
	require.NoError(t, err)
	require.Equal(t, rota.RunCompleted, run.Status, run.Error)
	require.JSONEq(t, `"It is {{scheduled_for}}"`, string(run.Input.RawMessage), "the record keeps what was asked for")
	var asked struct {
		Model, Instructions, Input string
		Stream                     bool
		Metadata                   map[string]string
	}
	require.NoError(t, json.Unmarshal(model.Calls()[0].Body, &asked))
	require.Equal(t, "small", asked.Model)
	require.True(t, asked.Stream)
	require.Equal(t, "You answer in Asia/Kathmandu; Yearly, no. 1.", asked.Instructions)
	require.Regexp(t, `^It is \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+05:45$`, asked.Input)
	require.Equal(t, map[string]string{
		"team": "ops", "rota_run_id": string(run.ID), "rota_schedule_id": string(sch.ID),
		"rota_scheduled_for": o.ScheduledFor.String(), "rota_timezone": "Asia/Kathmandu",
	}, asked.Metadata)

	next, err := c.Schedules.Upcoming(ctx, a.ID, sch.ID, 2)
	require.NoError(t, err)
	require.Len(t, next.Data, 2)
	require.Contains(t, next.Data[0].Local, "-01-01T09:00:00+05:45")
	_, err = c.Schedules.Skip(ctx, a.ID, sch.ID, rota.OccurrenceSkip{ScheduledFor: next.Data[0].ScheduledFor})
	require.NoError(t, err)
	l, err := c.Schedules.Occurrences(ctx, a.ID, sch.ID, rota.OccurrenceFilter{Outcome: rota.Fired}, rota.Page{})
	require.NoError(t, err)
	require.Len(t, l.Data, 1)
	require.Equal(t, o.ID, l.Data[0].ID)
}
