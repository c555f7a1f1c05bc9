// The steps, through what ogen makes.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	api "example.com/generated/ogen/client"
)

type key string

func (k key) BearerAuth(context.Context, api.OperationName) (api.BearerAuth, error) {
	return api.BearerAuth{Token: string(k)}, nil
}

func step(name string, holds bool) {
	if !holds {
		log.Fatal(name + " does not hold")
	}
	fmt.Println(name)
}

// as returns an answer that is a success.
func as[T any](answer any, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	good, ok := answer.(T)
	if !ok {
		log.Fatalf("%T: %+v", answer, answer)
	}
	return good
}

func main() {
	ctx := context.Background()
	c, err := api.NewClient(os.Getenv("ROTA_URL"), key(os.Getenv("ROTA_KEY")))
	if err != nil {
		log.Fatal(err)
	}
	everyHour := api.NewIntervalSpecInputScheduleSpecInput(api.IntervalSpecInput{Type: api.IntervalSpecInputTypeInterval, IntervalSeconds: 3600})

	agent := as[*api.AgentHeaders](c.CreateAgent(ctx, &api.AgentCreate{Name: "Generated", Model: "echo"}, api.CreateAgentParams{})).Response
	step("create agent", agent.Name == "Generated" && agent.Description.Null)
	schedule := as[*api.ScheduleHeaders](c.CreateAgentSchedule(ctx, &api.ScheduleCreate{
		Schedule: everyHour,
		Input:    api.NewStringScheduleCreateInput("Say hello."),
	}, api.CreateAgentScheduleParams{AgentID: agent.ID})).Response
	spec, _ := schedule.Schedule.GetIntervalSpec()
	step("create schedule", spec.IntervalSeconds == 3600 && spec.Timezone == "UTC")
	agents := as[*api.AgentListHeaders](c.ListAgents(ctx, api.ListAgentsParams{Limit: api.NewOptInt(100)})).Response
	step("list agents", slices.ContainsFunc(agents.Data, func(a api.Agent) bool { return a.ID == agent.ID }))
	schedules := as[*api.ScheduleListHeaders](c.ListAgentSchedules(ctx, api.ListAgentSchedulesParams{AgentID: agent.ID})).Response
	step("list schedules", len(schedules.Data) == 1 && schedules.Data[0].ID == schedule.ID)
	preview := as[*api.PreviewHeaders](c.PreviewSchedule(ctx, &api.PreviewCreate{Schedule: everyHour, Count: api.NewOptNilInt64(3)}, api.PreviewScheduleParams{})).Response
	step("preview", len(preview.Data) == 3)
	occurrence := as[*api.OccurrenceHeaders](c.TriggerAgentSchedule(ctx, api.TriggerAgentScheduleParams{AgentID: agent.ID, ScheduleID: schedule.ID})).Response
	step("trigger", occurrence.Outcome == "fired" && occurrence.Trigger == "manual")
	ofRun := api.GetAgentRunParams{AgentID: agent.ID, RunID: occurrence.RunID.Value}
	run := as[*api.GetAgentRunOKHeaders](c.GetAgentRun(ctx, ofRun)).Response
	for ; run.CompletedAt.Null; run = as[*api.GetAgentRunOKHeaders](c.GetAgentRun(ctx, ofRun)).Response {
		time.Sleep(50 * time.Millisecond)
	}
	step("run", run.Status == api.RunStatusCompleted)
	stream := as[*api.StreamAgentRunEventsOKHeaders](c.StreamAgentRunEvents(ctx, api.StreamAgentRunEventsParams{AgentID: agent.ID, RunID: run.ID})).Response
	events, err := io.ReadAll(stream)
	step("events", err == nil && strings.Contains(string(events), "response.completed"))
	paused := as[*api.PutAgentScheduleOKHeaders](c.PauseAgentSchedule(ctx, api.OptSchedulePause{}, api.PauseAgentScheduleParams{AgentID: agent.ID, ScheduleID: schedule.ID})).Response
	step("pause", paused.Status == api.ScheduleStatusPaused)
	step("delete schedule", as[*api.ScheduleDeletedHeaders](c.DeleteAgentSchedule(ctx, api.DeleteAgentScheduleParams{AgentID: agent.ID, ScheduleID: schedule.ID})).Response.Deleted)
	step("delete agent", as[*api.AgentDeletedHeaders](c.DeleteAgent(ctx, api.DeleteAgentParams{AgentID: agent.ID})).Response.Deleted)
	absent := as[*api.NotFoundHeaders](c.GetAgent(ctx, api.GetAgentParams{AgentID: "agt_" + strings.Repeat("0", 32)})).Response
	step("error", absent.Error.Code == "not_found")
}
