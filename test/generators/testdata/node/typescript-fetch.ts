// The steps, through what openapi-generator makes as typescript-fetch.
import { AgentsApi, Configuration, OccurrencesApi, ResponseError, type Run, RunsApi, type ScheduleSpecInput, SchedulesApi } from "./generated/index.js";

const c = new Configuration({ basePath: process.env.ROTA_URL!, accessToken: process.env.ROTA_KEY! });
const agents = new AgentsApi(c);
const schedules = new SchedulesApi(c);
const occurrences = new OccurrencesApi(c);
const runs = new RunsApi(c);

function step(name: string, holds: boolean): void {
  if (!holds) throw new Error(`${name} does not hold`);
  console.log(name);
}

const everyHour: ScheduleSpecInput = { type: "interval", intervalSeconds: 3600 };

const agent = await agents.createAgent({ agentCreate: { name: "Generated", model: "echo" } });
step("create agent", agent.name === "Generated" && agent.description === null);
const agentId = agent.id;
const schedule = await schedules.createAgentSchedule({ agentId, scheduleCreate: { schedule: everyHour, input: "Say hello." } });
const spec = schedule.schedule;
step("create schedule", spec.type === "interval" && spec.intervalSeconds === 3600 && spec.timezone === "UTC");
const scheduleId = schedule.id;
step("list agents", (await agents.listAgents({ limit: 100 })).data.some((a) => a.id === agentId));
const list = await schedules.listAgentSchedules({ agentId });
step("list schedules", list.data.length === 1 && list.data[0].id === scheduleId);
step("preview", (await occurrences.previewSchedule({ previewCreate: { schedule: everyHour, count: 3 } })).data.length === 3);
const occurrence = await occurrences.triggerAgentSchedule({ agentId, scheduleId });
step("trigger", occurrence.outcome === "fired" && occurrence.trigger === "manual");
const runId = occurrence.runId!;
let run: Run = await runs.getAgentRun({ agentId, runId });
while (run.completedAt == null) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  run = await runs.getAgentRun({ agentId, runId });
}
step("run", run.status === "completed");
const events = await runs.streamAgentRunEvents({ agentId, runId }); // null: 204, there is nothing after Last-Event-ID
step("events", events != null && events.includes("response.completed"));
step("pause", (await schedules.pauseAgentSchedule({ agentId, scheduleId })).status === "paused");
step("delete schedule", (await schedules.deleteAgentSchedule({ agentId, scheduleId })).deleted);
step("delete agent", (await agents.deleteAgent({ agentId })).deleted);
try {
  await agents.getAgent({ agentId: "agt_" + "0".repeat(32) });
  step("error", false);
} catch (e) {
  step("error", e instanceof ResponseError && (await e.response.json()).error.code === "not_found");
}
