package console

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/zoneinfo"
)

// specFields are those that say when a schedule runs. They are changed together.
func specFields() []string {
	return []string{
		"schedule.type", "schedule.cron_expression", "schedule.interval_seconds", "schedule.start_at", "schedule.run_at", "schedule.timezone",
	}
}

func (c *console) scheduleEditor() editor {
	return editor{
		template: "edit-schedule", here: "/schedules",
		fields: append(specFields(), "name", "description", "input", "policy.overlap", "policy.missed", "policy.max_lateness_seconds", "policy.jitter_seconds",
			"policy.max_runs", "policy.pause_after_failures", "policy.timeout_seconds", "policy.retry.max_attempts"),
		required: []string{"schedule.type", "input"},
		begin:    c.beginSchedule, save: c.saveSchedule, preview: c.previewSchedule,
	}
}

// scheduleSubject is what the editor of a schedule is about.
type scheduleSubject struct {
	Agent    rota.Agent
	Schedule rota.Schedule // the zero one if it is new
}

// beginSchedule returns the schedule of the path, or what a new one begins with: the
// defaults, or another schedule that it is to be like.
func (c *console) beginSchedule(v visit) (any, url.Values, error) {
	a, err := c.Control.Agent(v.Context(), v.who, v.agentID())
	if err != nil {
		return nil, nil, err
	}
	like := rota.ScheduleID(v.URL.Query().Get("like"))
	if id := v.scheduleID(); id != "" {
		like = id
	}
	if like == "" {
		s := rota.Schedule{Spec: rota.Spec{Type: rota.Cron, CronExpression: "0 9 * * MON-FRI", Timezone: "UTC"}, Policy: rota.DefaultPolicy(), Input: rota.InputText("")}
		return scheduleSubject{Agent: a}, scheduleValues(s), nil
	}
	s, err := c.Control.Schedule(v.Context(), v.who, a.ID, like, false)
	values := scheduleValues(s)
	if v.scheduleID() == "" {
		return scheduleSubject{Agent: a}, values, err
	}
	values.Set("version", strconv.FormatInt(s.Version, 10))
	return scheduleSubject{a, s}, values, err
}

// scheduleValues returns a schedule as its form has it.
func scheduleValues(s rota.Schedule) url.Values {
	p := s.Policy
	return url.Values{
		"schedule.type": {string(s.Spec.Type)}, "schedule.cron_expression": {s.Spec.CronExpression}, "schedule.interval_seconds": {unlessZero(s.Spec.IntervalSeconds)},
		"schedule.start_at": {onClock(s.Spec.StartAt, s.Spec.Timezone)}, "schedule.run_at": {onClock(s.Spec.RunAt, s.Spec.Timezone)}, "schedule.timezone": {s.Spec.Timezone},
		"name": {value(s.Name)}, "description": {value(s.Description)}, "input": {inputText(s.Input)},
		"policy.overlap": {string(p.Overlap)}, "policy.missed": {string(p.Missed)}, "policy.max_lateness_seconds": {strconv.FormatInt(p.MaxLatenessSeconds, 10)},
		"policy.jitter_seconds": {strconv.FormatInt(p.JitterSeconds, 10)}, "policy.max_runs": {unlessZero(value(p.MaxRuns))},
		"policy.pause_after_failures": {unlessZero(int64(value(p.PauseAfterFailures)))}, "policy.timeout_seconds": {strconv.FormatInt(p.TimeoutSeconds, 10)},
		"policy.retry.max_attempts": {strconv.Itoa(p.Retry.MaxAttempts)},
	}
}

func unlessZero(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// onClock returns an instant as the clock in a zone shows it.
func onClock(at, zone string) string {
	var t rota.Instant
	loc, err := zoneinfo.Load(zone)
	if err != nil || t.UnmarshalText([]byte(at)) != nil {
		return at
	}
	if t.Second() != 0 {
		return t.In(loc).Format("2006-01-02T15:04:05")
	}
	return t.In(loc).Format("2006-01-02T15:04")
}

// inputText returns what a run starts with: a text as it is, items as JSON.
func inputText(in rota.Input) string {
	if in.RawMessage[0] == '"' {
		return text(in.Any)
	}
	return pretty(in)
}

// scheduleBody returns what the API is asked for: what is not as it was. Items stay
// items.
func (f form) scheduleBody() map[string]any {
	body := f.body()
	delete(body, "schedule")
	if f.changed(specFields()...) {
		body["schedule"] = f.spec()
	}
	if wasItems, items := items(f.Get(before+"input")), items(f.Get("input")); body["input"] != nil && wasItems != nil && items != nil {
		body["input"] = items
	}
	return body
}

// items returns the items that a text is, or nil.
func items(text string) json.RawMessage {
	if strings.HasPrefix(text, "[") && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return nil
}

// spec returns the times: of the fields, those that the type has.
func (f form) spec() map[string]any {
	kind := f.Get("schedule.type")
	all := map[string]any{"type": kind}
	of := map[string][]string{"cron": {"cron_expression"}, "interval": {"interval_seconds", "start_at"}, "once": {"run_at"}}[kind]
	for _, name := range append(of, "timezone") {
		if v := f.typed("schedule." + name); v != nil {
			all[name] = v
		}
	}
	return all
}

func (c *console) saveSchedule(v visit, f form) (at, did string, err error) {
	if v.scheduleID() == "" {
		return c.createSchedule(v, f)
	}
	var in rota.ScheduleUpdate
	if err := c.decode(f.scheduleBody(), &in); err != nil {
		return "", "", err
	}
	w, err := v.edits(f)
	if err != nil {
		return "", "", err
	}
	s, err := c.Control.UpdateSchedule(v.Context(), v.who, v.agentID(), v.scheduleID(), in, w)
	return scheduleAt(s) + v.acting(), "changed", err
}

func (c *console) createSchedule(v visit, f form) (at, did string, err error) {
	var in rota.ScheduleCreate
	if err := c.decode(f.scheduleBody(), &in); err != nil {
		return "", "", err
	}
	s, err := c.Control.CreateSchedule(v.Context(), v.who, v.agentID(), in, v.write())
	return scheduleAt(s) + v.acting(), "made", err
}

func scheduleAt(s rota.Schedule) string {
	return "/agents/" + string(s.AgentID) + "/schedules/" + string(s.ID)
}

// previewSchedule says when the schedule of a form would run.
func (c *console) previewSchedule(v visit, f form) (rota.Preview, error) {
	body := map[string]any{"schedule": f.spec(), "count": upcoming}
	if jitter := f.typed("policy.jitter_seconds"); jitter != nil {
		body["policy"] = map[string]any{"jitter_seconds": jitter}
	}
	var in rota.PreviewCreate
	if err := c.decode(body, &in); err != nil {
		return rota.Preview{}, err
	}
	return c.Control.PreviewSchedule(v.Context(), v.who, in)
}
