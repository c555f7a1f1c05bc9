"""The steps, through what openapi-generator makes for Python."""

import os
import sys
import time

sys.path.insert(0, os.environ["GENERATED"])

from openapi_client import (
    AgentCreate,
    AgentsApi,
    ApiClient,
    Configuration,
    IntervalSpecInput,
    OccurrencesApi,
    PreviewCreate,
    RunsApi,
    ScheduleCreate,
    ScheduleCreateInput,
    SchedulesApi,
    ScheduleSpecInput,
)
from openapi_client.exceptions import NotFoundException

c = ApiClient(Configuration(host=os.environ["ROTA_URL"], access_token=os.environ["ROTA_KEY"]))
agents, schedules, occurrences, runs = AgentsApi(c), SchedulesApi(c), OccurrencesApi(c), RunsApi(c)


def step(name, holds):
    if not holds:
        sys.exit(name + " does not hold")
    print(name)


every_hour = ScheduleSpecInput(IntervalSpecInput(type="interval", interval_seconds=3600))

agent = agents.create_agent(AgentCreate(name="Generated", model="echo"))
step("create agent", agent.name == "Generated" and agent.description is None)
schedule = schedules.create_agent_schedule(
    agent.id, ScheduleCreate(schedule=every_hour, input=ScheduleCreateInput("Say hello."))
)
spec = schedule.schedule.actual_instance
step("create schedule", spec.interval_seconds == 3600 and spec.timezone == "UTC")
step("list agents", agent.id in [a.id for a in agents.list_agents(limit=100).data])
step("list schedules", [s.id for s in schedules.list_agent_schedules(agent.id).data] == [schedule.id])
step("preview", len(occurrences.preview_schedule(PreviewCreate(schedule=every_hour, count=3)).data) == 3)
occurrence = occurrences.trigger_agent_schedule(agent.id, schedule.id)
step("trigger", occurrence.outcome == "fired" and occurrence.trigger == "manual")
run = runs.get_agent_run(agent.id, occurrence.run_id)
while run.completed_at is None:
    time.sleep(0.05)
    run = runs.get_agent_run(agent.id, run.id)
step("run", run.status == "completed")
step("events", "response.completed" in runs.stream_agent_run_events(agent.id, run.id))
step("pause", schedules.pause_agent_schedule(agent.id, schedule.id).status == "paused")
step("delete schedule", schedules.delete_agent_schedule(agent.id, schedule.id).deleted is True)
step("delete agent", agents.delete_agent(agent.id).deleted is True)
try:
    agents.get_agent("agt_" + 32 * "0")
    step("error", False)
except NotFoundException as e:
    step("error", e.data.error.code == "not_found")
