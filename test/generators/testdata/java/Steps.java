import java.util.Objects;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.AgentsApi;
import org.openapitools.client.api.OccurrencesApi;
import org.openapitools.client.api.RunsApi;
import org.openapitools.client.api.SchedulesApi;
import org.openapitools.client.model.AgentCreate;
import org.openapitools.client.model.IntervalSpecInput;
import org.openapitools.client.model.PreviewCreate;
import org.openapitools.client.model.Run;
import org.openapitools.client.model.ScheduleCreate;
import org.openapitools.client.model.ScheduleCreateInput;
import org.openapitools.client.model.ScheduleDeleted;
import org.openapitools.client.model.ScheduleSpecInput;

/** The steps, through what openapi-generator makes for Java. */
public final class Steps {
    public static void main(String[] args) throws Exception {
        var client = new ApiClient();
        client.setBasePath(System.getenv("ROTA_URL"));
        client.setBearerToken(System.getenv("ROTA_KEY"));
        var agents = new AgentsApi(client);
        var schedules = new SchedulesApi(client);
        var occurrences = new OccurrencesApi(client);
        var runs = new RunsApi(client);
        var everyHour = new ScheduleSpecInput(
                new IntervalSpecInput().type(IntervalSpecInput.TypeEnum.INTERVAL).intervalSeconds(3600L));

        var agent = agents.createAgent(new AgentCreate().name("Generated").model("echo"), null, null);
        step("create agent", agent.getName().equals("Generated") && agent.getDescription() == null);
        var schedule = schedules.createAgentSchedule(agent.getId(),
                new ScheduleCreate().schedule(everyHour).input(new ScheduleCreateInput("Say hello.")), null, null);
        var spec = schedule.getSchedule().getIntervalSpec();
        step("create schedule", spec.getIntervalSeconds() == 3600 && spec.getTimezone().equals("UTC"));
        var first = agents.listAgents(100, null, null, null, null, null, null, null, null, null, null, null, null).getData();
        step("list agents", first.stream().anyMatch(a -> a.getId().equals(agent.getId())));
        var list = schedules.listAgentSchedules(agent.getId(), null, null, null, null, null, null).getData();
        step("list schedules", list.size() == 1 && list.get(0).getId().equals(schedule.getId()));
        var preview = occurrences.previewSchedule(new PreviewCreate().schedule(everyHour).count(3L), null);
        step("preview", preview.getData().size() == 3);
        var occurrence = occurrences.triggerAgentSchedule(agent.getId(), schedule.getId(), null, null);
        step("trigger", occurrence.getOutcome().equals("fired") && occurrence.getTrigger().equals("manual"));
        var runId = Objects.requireNonNull(occurrence.getRunId());
        var run = runs.getAgentRun(agent.getId(), runId, null, null);
        while (run.getCompletedAt() == null) {
            Thread.sleep(50);
            run = runs.getAgentRun(agent.getId(), runId, null, null);
        }
        step("run", run.getStatus() == Run.StatusEnum.COMPLETED);
        step("events", runs.streamAgentRunEvents(agent.getId(), runId, null, null, null).contains("response.completed"));
        var paused = schedules.pauseAgentSchedule(agent.getId(), schedule.getId(), null, null, null, null);
        step("pause", paused.getStatus().getValue().equals("paused"));
        step("delete schedule", schedules.deleteAgentSchedule(agent.getId(), schedule.getId(), null, null, null).getDeleted());
        step("delete agent", agents.deleteAgent(agent.getId(), null, null, null).getDeleted());
        try {
            agents.getAgent("agt_" + "0".repeat(32), null, null);
            step("error", false);
        } catch (ApiException e) {
            step("error", e.getCode() == 404 && e.getResponseBody().contains("\"not_found\""));
        }
        // A server of tomorrow, whose answers have a new member.
        var later = ScheduleDeleted.fromJson("{\"object\":\"agent.schedule.deleted\",\"id\":\"asch_1\",\"deleted\":true,\"new\":1}");
        if (!later.getDeleted()) {
            throw new AssertionError("a new member is not read");
        }
    }

    private static void step(String name, boolean holds) {
        if (!holds) {
            throw new AssertionError(name + " does not hold");
        }
        System.out.println(name);
    }
}
