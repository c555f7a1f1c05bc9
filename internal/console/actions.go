package console

import (
	"strings"

	"github.com/rota-run/rota"
)

func (v visit) agentID() rota.AgentID       { return rota.AgentID(v.PathValue("agent")) }
func (v visit) scheduleID() rota.ScheduleID { return rota.ScheduleID(v.PathValue("schedule")) }
func (v visit) runID() rota.RunID           { return rota.RunID(v.PathValue("run_id")) }

func (c *console) trigger(v visit) (string, error) {
	_, err := c.Control.TriggerSchedule(v.Context(), v.who, v.agentID(), v.scheduleID(), v.write())
	return "triggered", err
}

func (c *console) pause(v visit) (string, error) {
	_, err := c.Control.PauseSchedule(v.Context(), v.who, v.agentID(), v.scheduleID(), v.note(), v.write())
	return "paused", err
}

func (c *console) resume(v visit) (string, error) {
	_, err := c.Control.ResumeSchedule(v.Context(), v.who, v.agentID(), v.scheduleID(), v.note(), v.write())
	return "resumed", err
}

// note returns what somebody wrote about a pause.
func (v visit) note() rota.SchedulePause {
	note := strings.TrimSpace(v.PostForm.Get("note"))
	if note == "" {
		return rota.SchedulePause{}
	}
	return rota.SchedulePause{Note: rota.Some(note)}
}

func (c *console) skip(v visit) (string, error) {
	at, err := v.nominal()
	if err != nil {
		return "", err
	}
	_, err = c.Control.SkipOccurrence(v.Context(), v.who, v.agentID(), v.scheduleID(), rota.OccurrenceSkip{ScheduledFor: at}, v.write())
	return "skipped", err
}

func (c *console) unskip(v visit) (string, error) {
	at, err := v.nominal()
	if err != nil {
		return "", err
	}
	_, err = c.Control.UnskipOccurrence(v.Context(), v.who, v.agentID(), v.scheduleID(), rota.OccurrenceSkip{ScheduledFor: at}, v.write())
	return "unskipped", err
}

// nominal returns the nominal time that a form is about.
func (v visit) nominal() (rota.Instant, error) {
	var at rota.Instant
	if err := at.UnmarshalText([]byte(v.PostForm.Get("at"))); err != nil {
		return at, rota.InvalidField("at", "must be a nominal time of the schedule, in RFC 3339")
	}
	return at, nil
}

func (c *console) cancel(v visit) (string, error) {
	run, err := c.Control.RunByID(v.Context(), v.who, v.runID())
	if err != nil {
		return "", err
	}
	_, err = c.Control.CancelRun(v.Context(), v.who, run.AgentID, run.ID, v.write())
	return "cancelled", err
}

func (c *console) deleteSchedule(v visit) (string, error) {
	_, err := c.Control.DeleteSchedule(v.Context(), v.who, v.agentID(), v.scheduleID(), v.write())
	return "deleted", err
}

func (c *console) deleteAgent(v visit) (string, error) {
	_, err := c.Control.DeleteAgent(v.Context(), v.who, v.agentID(), v.write())
	return "deleted", err
}
