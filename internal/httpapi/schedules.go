package httpapi

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

const (
	schedulesPath = agentPath + "/schedules"
	schedulePath  = schedulesPath + "/{schedule_id}"

	scheduleVersionsPath = schedulePath + "/versions"

	scheduleByKeyPath = schedulesPath + "/by-key/{key}"
)

func (a *api) scheduleOperations() []*operation {
	const tag = "Schedules"
	return []*operation{
		lists(Route{http.MethodGet, schedulesPath, rota.ReadAgents, http.StatusOK, "list_agent_schedules"}, a.listSchedules).
			says(tag, "List the schedules of an agent", "Newest first. Deleted schedules are not listed.").
			with("expand"),
		accepts(Route{http.MethodPost, schedulesPath, rota.WriteAgents, http.StatusCreated, "create_agent_schedule"}, a.createSchedule).
			says(tag, "Put an agent on a schedule", "The agent runs once, at an interval, or at the times of a cron expression, in any time zone.").
			like(`{"schedule": {"type": "cron", "cron_expression": "0 9 * * MON-FRI", "timezone": "Europe/Madrid"}, "input": "Write the brief for {{scheduled_for}}."}`).
			with("idempotency_key").once(),
		answers(Route{http.MethodGet, schedulePath, rota.ReadAgents, http.StatusOK, "get_agent_schedule"}, a.getSchedule).
			says(tag, "Get a schedule", "The schedule with its state and its next time.").
			with("include_deleted", "expand"),
		accepts(Route{http.MethodPost, schedulePath, rota.WriteAgents, http.StatusOK, "update_agent_schedule"}, a.updateSchedule).
			says(tag, "Update a schedule", "Changes the fields that are sent and leaves the others as they are. A completed schedule that gets a time in the future becomes active again.").
			like(`{"schedule": {"type": "interval", "interval_seconds": 3600}, "policy": {"overlap": "buffer_one"}}`).
			with("idempotency_key", "if_match"),
		answers(Route{http.MethodDelete, schedulePath, rota.WriteAgents, http.StatusOK, "delete_agent_schedule"}, a.deleteSchedule).
			says(tag, "Delete a schedule", "Runs that have started go on to their end. The schedule can still be read with include_deleted.").
			with("idempotency_key", "if_match"),
		answers(Route{http.MethodGet, scheduleByKeyPath, rota.ReadAgents, http.StatusOK, "get_agent_schedule_by_key"}, a.getScheduleByKey).
			says(tag, "Get a schedule by its key", "The schedule of the agent that has the key and is not deleted.").
			with("expand"),
		puts(Route{http.MethodPut, scheduleByKeyPath, rota.WriteAgents, http.StatusOK, "put_agent_schedule"}, a.putSchedule).
			says(tag, "Put a schedule under its key", "Makes the schedule of the agent that has the key what the body says, for those who keep their schedules as code: creates it if there is none, changes it if it differs, and changes nothing if it is equal. What the body leaves out has its default. What a schedule has gone through stays: its state and pause, its counts, its skips; paused and note are for a new one.").
			like(`{"schedule": {"type": "cron", "cron_expression": "0 9 * * MON-FRI", "timezone": "Europe/Madrid"}, "input": "Write the brief for {{scheduled_for}}.", "description": "The brief of customer 42"}`),
		accepts(Route{http.MethodPost, schedulePath + "/pause", rota.WriteAgents, http.StatusOK, "pause_agent_schedule"}, a.pauseSchedule).
			says(tag, "Pause a schedule", "It starts no runs until it is resumed. Pausing a paused schedule changes nothing.").
			like(`{"note": "Until the end of the holidays"}`).
			with("idempotency_key", "if_match").maybe(),
		accepts(Route{http.MethodPost, schedulePath + "/resume", rota.WriteAgents, http.StatusOK, "resume_agent_schedule"}, a.resumeSchedule).
			says(tag, "Resume a schedule", "It goes on with the next time that lies in the future. Resuming an active schedule changes nothing.").
			like(`{"note": "Back to work"}`).
			with("idempotency_key", "if_match").maybe(),
		lists(Route{http.MethodGet, scheduleVersionsPath, rota.ReadAgents, http.StatusOK, "list_agent_schedule_versions"}, a.listScheduleVersions).
			says(tag, "List the versions of a schedule", "What the schedule was, the newest first: each change of what fires makes a version, and pauses, skips and runs make none. The newest 100 are kept."),
		answers(Route{http.MethodGet, scheduleVersionsPath + "/{version}", rota.ReadAgents, http.StatusOK, "get_agent_schedule_version"}, a.getScheduleVersion).
			says(tag, "Get a version of a schedule", "What the schedule was when an occurrence or a run with that schedule_version was decided."),
	}
}

func (a *api) listSchedules(ctx context.Context, c call, p rota.Page) (rota.List[rota.Schedule], error) {
	l, err := a.Control.Schedules(ctx, c.who, c.agent(), p)
	if err != nil {
		return l, err
	}
	return l, a.expand(ctx, c, l.Data)
}

// expand gives schedules what the parameter of that name asks for.
func (a *api) expand(ctx context.Context, c call, schedules []rota.Schedule) error {
	word, err := wordParam(c.URL.Query(), "expand", []string{"recent"})
	if err != nil || word == "" {
		return err
	}
	return a.Control.Recent(ctx, c.who, schedules)
}

// expanded is expand for one schedule.
func (a *api) expanded(ctx context.Context, c call, s rota.Schedule, err error) (rota.Schedule, error) {
	one := []rota.Schedule{s}
	if err == nil {
		err = a.expand(ctx, c, one)
	}
	return one[0], err
}

func (a *api) listScheduleVersions(ctx context.Context, c call, p rota.Page) (rota.List[rota.ScheduleVersion], error) {
	return a.Control.ScheduleVersions(ctx, c.who, c.agent(), c.schedule(), p)
}

func (a *api) getScheduleVersion(ctx context.Context, c call) (rota.ScheduleVersion, error) {
	return a.Control.ScheduleVersion(ctx, c.who, c.agent(), c.schedule(), c.version())
}

func (a *api) createSchedule(ctx context.Context, c call, in rota.ScheduleCreate) (rota.Schedule, error) {
	return a.Control.CreateSchedule(ctx, c.who, c.agent(), in, c.write)
}

func (a *api) getSchedule(ctx context.Context, c call) (rota.Schedule, error) {
	deleted, err := boolParam(c.URL.Query(), "include_deleted")
	if err != nil {
		return rota.Schedule{}, err
	}
	s, err := a.Control.Schedule(ctx, c.who, c.agent(), c.schedule(), deleted)
	return a.expanded(ctx, c, s, err)
}

func (a *api) getScheduleByKey(ctx context.Context, c call) (rota.Schedule, error) {
	s, err := a.Control.ScheduleByKey(ctx, c.who, c.agent(), c.PathValue("key"))
	return a.expanded(ctx, c, s, err)
}

func (a *api) putSchedule(ctx context.Context, c call, in rota.ScheduleCreate) (control.Put[rota.Schedule], error) {
	return a.Control.PutSchedule(ctx, c.who, c.agent(), c.PathValue("key"), in, c.write)
}

func (a *api) updateSchedule(ctx context.Context, c call, in rota.ScheduleUpdate) (rota.Schedule, error) {
	return a.Control.UpdateSchedule(ctx, c.who, c.agent(), c.schedule(), in, c.write)
}

func (a *api) deleteSchedule(ctx context.Context, c call) (rota.Deleted[rota.ScheduleID], error) {
	return a.Control.DeleteSchedule(ctx, c.who, c.agent(), c.schedule(), c.write)
}

func (a *api) pauseSchedule(ctx context.Context, c call, in rota.SchedulePause) (rota.Schedule, error) {
	return a.Control.PauseSchedule(ctx, c.who, c.agent(), c.schedule(), in, c.write)
}

func (a *api) resumeSchedule(ctx context.Context, c call, in rota.SchedulePause) (rota.Schedule, error) {
	return a.Control.ResumeSchedule(ctx, c.who, c.agent(), c.schedule(), in, c.write)
}
