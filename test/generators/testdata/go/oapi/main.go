// The steps, through what oapi-codegen makes.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	api "example.com/generated/oapi/client"
)

func step(name string, holds bool) {
	if !holds {
		log.Fatal(name + " does not hold")
	}
	fmt.Println(name)
}

// must returns what worked.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// good returns the body of a success.
func good[T any](v *T, body []byte) T {
	if v == nil {
		log.Fatalf("%s", body)
	}
	return *v
}

// bodies returns what a schedule is made of.
func bodies() (everyHour api.ScheduleSpecInput, input api.ScheduleCreate_Input) {
	must(0, everyHour.FromIntervalSpecInput(api.IntervalSpecInput{IntervalSeconds: 3600}))
	must(0, input.FromScheduleCreateInput0("Say hello."))
	return everyHour, input
}

func main() {
	ctx := context.Background()
	c := must(api.NewClientWithResponses(os.Getenv("ROTA_URL"), api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Getenv("ROTA_KEY"))
		return nil
	})))
	everyHour, input := bodies()

	created := must(c.CreateAgentWithResponse(ctx, nil, api.AgentCreate{Name: "Generated", Model: "echo"}))
	agent := good(created.JSON201, created.Body)
	step("create agent", agent.Name == "Generated" && agent.Description == nil)
	scheduled := must(c.CreateAgentScheduleWithResponse(ctx, agent.Id, nil, api.ScheduleCreate{Schedule: everyHour, Input: input}))
	schedule := good(scheduled.JSON201, scheduled.Body)
	spec := must(schedule.Schedule.AsIntervalSpec())
	step("create schedule", spec.IntervalSeconds == 3600 && spec.Timezone == "UTC")
	listed := must(c.ListAgentsWithResponse(ctx, &api.ListAgentsParams{Limit: new(100)}))
	step("list agents", slices.ContainsFunc(good(listed.JSON200, listed.Body).Data, func(a api.Agent) bool { return a.Id == agent.Id }))
	own := must(c.ListAgentSchedulesWithResponse(ctx, agent.Id, nil))
	schedules := good(own.JSON200, own.Body).Data
	step("list schedules", len(schedules) == 1 && schedules[0].Id == schedule.Id)
	previewed := must(c.PreviewScheduleWithResponse(ctx, nil, api.PreviewCreate{Schedule: everyHour, Count: new(int64(3))}))
	step("preview", len(good(previewed.JSON200, previewed.Body).Data) == 3)
	triggered := must(c.TriggerAgentScheduleWithResponse(ctx, agent.Id, schedule.Id, nil))
	occurrence := good(triggered.JSON200, triggered.Body)
	step("trigger", occurrence.Outcome == "fired" && occurrence.Trigger == "manual")
	got := must(c.GetAgentRunWithResponse(ctx, agent.Id, *occurrence.RunId, nil))
	run := good(got.JSON200, got.Body)
	for run.CompletedAt == nil {
		time.Sleep(50 * time.Millisecond)
		got = must(c.GetAgentRunWithResponse(ctx, agent.Id, run.Id, nil))
		run = good(got.JSON200, got.Body)
	}
	step("run", run.Status == "completed")
	events := must(c.StreamAgentRunEventsWithResponse(ctx, agent.Id, run.Id, nil))
	step("events", strings.Contains(string(events.Body), "response.completed"))
	paused := must(c.PauseAgentScheduleWithResponse(ctx, agent.Id, schedule.Id, nil, api.SchedulePause{}))
	step("pause", good(paused.JSON200, paused.Body).Status == "paused")
	unscheduled := must(c.DeleteAgentScheduleWithResponse(ctx, agent.Id, schedule.Id, nil))
	step("delete schedule", good(unscheduled.JSON200, unscheduled.Body).Deleted)
	deleted := must(c.DeleteAgentWithResponse(ctx, agent.Id, nil))
	step("delete agent", good(deleted.JSON200, deleted.Body).Deleted)
	absent := must(c.GetAgentWithResponse(ctx, "agt_"+strings.Repeat("0", 32), nil))
	step("error", good(absent.JSON404, absent.Body).Error.Code == "not_found")
}
