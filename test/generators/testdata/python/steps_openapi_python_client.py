"""The steps, through what openapi-python-client makes."""

import os
import sys
import time

sys.path.insert(0, os.environ["GENERATED"])

from client import AuthenticatedClient
from client.api.agents import create_agent, delete_agent, get_agent, list_agents
from client.api.occurrences import preview_schedule, trigger_agent_schedule
from client.api.runs import get_agent_run, stream_agent_run_events
from client.api.schedules import (
    create_agent_schedule,
    delete_agent_schedule,
    list_agent_schedules,
    pause_agent_schedule,
)
from client.models import (
    AgentCreate,
    ErrorBody,
    IntervalSpecInput,
    IntervalSpecInputType,
    PreviewCreate,
    ScheduleCreate,
)

c = AuthenticatedClient(base_url=os.environ["ROTA_URL"], token=os.environ["ROTA_KEY"])


def step(name, holds):
    if not holds:
        sys.exit(name + " does not hold")
    print(name)


every_hour = IntervalSpecInput(type_=IntervalSpecInputType.INTERVAL, interval_seconds=3600)

agent = create_agent.sync(client=c, body=AgentCreate(name="Generated", model="echo"))
step("create agent", agent.name == "Generated" and agent.description is None)
schedule = create_agent_schedule.sync(
    agent.id, client=c, body=ScheduleCreate(schedule=every_hour, input_="Say hello.")
)
step("create schedule", schedule.schedule.interval_seconds == 3600 and schedule.schedule.timezone == "UTC")
step("list agents", agent.id in [a.id for a in list_agents.sync(client=c, limit=100).data])
step("list schedules", [s.id for s in list_agent_schedules.sync(agent.id, client=c).data] == [schedule.id])
step("preview", len(preview_schedule.sync(client=c, body=PreviewCreate(schedule=every_hour, count=3)).data) == 3)
occurrence = trigger_agent_schedule.sync(agent.id, schedule.id, client=c)
step("trigger", occurrence.outcome == "fired" and occurrence.trigger == "manual")
run = get_agent_run.sync(agent.id, occurrence.run_id, client=c)
while run.completed_at is None:
    time.sleep(0.05)
    run = get_agent_run.sync(agent.id, run.id, client=c)
step("run", run.status == "completed")
step("events", "response.completed" in stream_agent_run_events.sync(agent.id, run.id, client=c))
step("pause", pause_agent_schedule.sync(agent.id, schedule.id, client=c).status == "paused")
step("delete schedule", delete_agent_schedule.sync(agent.id, schedule.id, client=c).deleted is True)
step("delete agent", delete_agent.sync(agent.id, client=c).deleted is True)
absent = get_agent.sync("agt_" + 32 * "0", client=c)
step("error", isinstance(absent, ErrorBody) and absent.error.code == "not_found")
