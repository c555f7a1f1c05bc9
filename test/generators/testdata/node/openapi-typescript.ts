// The steps, through openapi-fetch with the types that openapi-typescript makes.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const client = createClient<paths>({
  baseUrl: process.env.ROTA_URL!,
  headers: { Authorization: `Bearer ${process.env.ROTA_KEY}` },
});

function step(name: string, holds: boolean): void {
  if (!holds) throw new Error(`${name} does not hold`);
  console.log(name);
}

function good<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const everyHour: components["schemas"]["ScheduleSpecInput"] = { type: "interval", interval_seconds: 3600 };

const agent = good(await client.POST("/api/v1/agents", { body: { name: "Generated", model: "echo" } }));
step("create agent", agent.name === "Generated" && agent.description === null);
const ofAgent = { params: { path: { agent_id: agent.id } } };
const schedule = good(
  await client.POST("/api/v1/agents/{agent_id}/schedules", { ...ofAgent, body: { schedule: everyHour, input: "Say hello." } }),
);
const spec = schedule.schedule;
step("create schedule", spec.type === "interval" && spec.interval_seconds === 3600 && spec.timezone === "UTC");
const ofSchedule = { params: { path: { agent_id: agent.id, schedule_id: schedule.id } } };
const agents = good(await client.GET("/api/v1/agents", { params: { query: { limit: 100 } } }));
step("list agents", agents.data.some((a) => a.id === agent.id));
const schedules = good(await client.GET("/api/v1/agents/{agent_id}/schedules", ofAgent));
step("list schedules", schedules.data.length === 1 && schedules.data[0].id === schedule.id);
const preview = good(await client.POST("/api/v1/schedules/preview", { body: { schedule: everyHour, count: 3 } }));
step("preview", preview.data.length === 3);
const occurrence = good(await client.POST("/api/v1/agents/{agent_id}/schedules/{schedule_id}/trigger", ofSchedule));
step("trigger", occurrence.outcome === "fired" && occurrence.trigger === "manual");
const ofRun = { params: { path: { agent_id: agent.id, run_id: occurrence.run_id! } } };
let run = good(await client.GET("/api/v1/agents/{agent_id}/runs/{run_id}", ofRun));
while (run.completed_at === null) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  run = good(await client.GET("/api/v1/agents/{agent_id}/runs/{run_id}", ofRun));
}
step("run", run.status === "completed");
const events = good(await client.GET("/api/v1/agents/{agent_id}/runs/{run_id}/events", { ...ofRun, parseAs: "text" }));
step("events", events.includes("response.completed"));
const paused = good(await client.POST("/api/v1/agents/{agent_id}/schedules/{schedule_id}/pause", ofSchedule));
step("pause", paused.status === "paused");
const gone = good(await client.DELETE("/api/v1/agents/{agent_id}/schedules/{schedule_id}", ofSchedule));
step("delete schedule", gone.deleted);
step("delete agent", good(await client.DELETE("/api/v1/agents/{agent_id}", ofAgent)).deleted);
const absent = await client.GET("/api/v1/agents/{agent_id}", { params: { path: { agent_id: "agt_" + "0".repeat(32) } } });
step("error", absent.error?.error.code === "not_found");
