package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/calendar"
)

// The bounds of what agents plan themselves.
const (
	MaxPlanned      = 20              // schedules of an agent that are not over
	MaxPlannedByAll = 100             // of all agents of an end user
	PlanFloor       = 5 * time.Minute // from now to the first time, and between times
	maxPlanInput    = 20_000          // characters
	maxPlanName     = 120
	gapsLookedAt    = 100
)

// A plan is what an agent says to the tool schedule.
type plan struct {
	Action          string          `json:"action"`
	ScheduleID      rota.ScheduleID `json:"schedule_id"`
	Input           *string         `json:"input"`
	Name            *string         `json:"name"`
	RunAt           string          `json:"run_at"`
	IntervalSeconds int64           `json:"interval_seconds"`
	CronExpression  string          `json:"cron_expression"`
	Timezone        string          `json:"timezone"`
	MaxRuns         *int64          `json:"max_runs"`
}

// ownPlan is what an agent is told of a schedule.
type ownPlan struct {
	ScheduleID rota.ScheduleID     `json:"schedule_id"`
	Name       *string             `json:"name,omitempty"`
	Status     rota.ScheduleStatus `json:"status"`
	Schedule   rota.Spec           `json:"schedule"`
	Input      rota.Input          `json:"input"`
	NextRunAt  *rota.Instant       `json:"next_run_at"`
	RunCount   int64               `json:"run_count"`
}

// CallSchedule answers a call of the tool schedule, for the owner of the run: the agent
// plans, lists, changes and stops schedules of its own, and no others. A call that is
// made again makes no second schedule. What goes wrong is a result, which the model is
// told.
func (c *Control) CallSchedule(ctx context.Context, from answer.Caller, call answer.Call) (answer.Result, error) {
	result, err := c.callSchedule(ctx, from, call)
	return c.told(ctx, from, call, result, err)
}

// told returns what the model is told of a call of a tool that Rota itself is.
func (c *Control) told(ctx context.Context, from answer.Caller, call answer.Call, result any, err error) (answer.Result, error) {
	if err == nil {
		text, err := json.Marshal(result)
		return answer.Result{Output: string(text)}, err
	}
	if ctx.Err() != nil {
		return answer.Result{}, context.Cause(ctx)
	}
	e := rota.Public(err)
	if e.Code == rota.Internal {
		c.Audit.Error("a call of a tool of Rota's own failed", "tool", string(call.Kind), "call_id", call.ID(from.ID), "err", err)
	}
	text := e.Msg
	if e.Field != "" {
		text = e.Field + ": " + e.Msg
	}
	return answer.Result{Output: "Nothing was changed: " + text, Code: answer.ResultFailed}, nil
}

func (c *Control) callSchedule(ctx context.Context, from answer.Caller, call answer.Call) (any, error) {
	var p plan
	d := json.NewDecoder(bytes.NewReader([]byte(call.Arguments)))
	if err := d.Decode(&p); err != nil {
		return nil, rota.Errorf(rota.Invalid, "the arguments must be a JSON object with an action")
	}
	who, err := c.planner(ctx, from, call)
	if err != nil {
		return nil, err
	}
	switch p.Action {
	case "create":
		return c.plan(ctx, who, from, call, p)
	case "list":
		return c.plannedBy(ctx, who, from.Agent)
	case "update":
		return c.replan(ctx, who, from.Agent, p)
	case "stop":
		return c.stopPlanned(ctx, who, from.Agent, p.ScheduleID)
	default:
		return nil, rota.InvalidField("action", "must be create, list, update or stop")
	}
}

// planner returns who plans: the run's owner, with what that takes. A key that has made
// the schedule of the run is the one that has made what the run plans.
func (c *Control) planner(ctx context.Context, from answer.Caller, call answer.Call) (auth.Caller, error) {
	who := auth.Caller{Owner: from.Owner, Scopes: []rota.Scope{rota.ReadAgents, rota.WriteAgents}, RequestID: call.ID(from.ID)}
	if from.Agent == "" || from.Run == "" {
		return who, rota.Errorf(rota.Invalid, "schedules are planned by runs of agents")
	}
	if from.Schedule == nil {
		return who, nil
	}
	s, err := c.Store.Schedule(ctx, from.Owner, from.Agent, *from.Schedule, true)
	if errors.Is(err, rota.NotFound) {
		return who, nil
	}
	who.Key = s.MadeBy
	return who, err
}

// plan makes a schedule, unless the call has made it already.
func (c *Control) plan(ctx context.Context, who auth.Caller, from answer.Caller, call answer.Call, p plan) (ownPlan, error) {
	key := call.ID(from.ID)
	if err := c.enter(ctx, who, rota.WriteAgents, "plan_schedule", on("agent_id", from.Agent), on("run_id", from.Run)); err != nil {
		return ownPlan{}, err
	}
	if p.Input == nil {
		return ownPlan{}, rota.InvalidField("input", "must say what the run is to do")
	}
	s, err := write(ctx, c, who, Write{}.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.Schedule, error) {
		made, err := tx.ScheduleByKey(ctx, who.Owner, from.Agent, key)
		if !errors.Is(err, rota.NotFound) {
			return made.Schedule, err
		}
		if _, err := live(ctx, tx, who, from.Agent); err != nil {
			return rota.Schedule{}, err
		}
		in := rota.ScheduleCreate{Key: rota.Some(key)}
		spec, policy, err := p.times(now)
		if err == nil {
			err = p.checkWords()
		}
		if err == nil {
			err = mayPlan(ctx, tx, who.Owner, from.Agent)
		}
		if err != nil {
			return rota.Schedule{}, err
		}
		in.Spec, in.Policy, in.Input = spec, policy, rota.InputText(*p.Input)
		if p.Name != nil {
			in.Name = rota.Some(*p.Name)
		}
		return c.addPlanned(ctx, tx, who, from.Agent, in, rota.Origin{AgentID: from.Agent, RunID: from.Run, CallID: key}, now)
	})
	return shownPlan(s), err
}

func (c *Control) addPlanned(ctx context.Context, tx Tx, who auth.Caller, agent rota.AgentID, in rota.ScheduleCreate, origin rota.Origin, now time.Time) (rota.Schedule, error) {
	s, err := c.newSchedule(who, agent, in, now)
	if err != nil {
		return rota.Schedule{}, err
	}
	s.Origin = &origin
	return s.Schedule, tx.AddSchedule(ctx, s)
}

// mayPlan refuses one more schedule where there are as many as may be.
func mayPlan(ctx context.Context, tx Tx, o rota.Owner, agent rota.AgentID) error {
	all, err := tx.Planned(ctx, o, "", MaxPlannedByAll)
	if err != nil {
		return err
	}
	mine := 0
	for _, s := range all {
		if s.AgentID == agent {
			mine++
		}
	}
	switch {
	case mine >= MaxPlanned:
		return rota.Errorf(rota.LimitReached, "you have planned %d schedules that are not over, and may have no more: stop one", MaxPlanned)
	case len(all) >= MaxPlannedByAll:
		return rota.Errorf(rota.LimitReached, "the agents have planned %d schedules together that are not over, and may have no more", MaxPlannedByAll)
	}
	return nil
}

func (c *Control) plannedBy(ctx context.Context, who auth.Caller, agent rota.AgentID) ([]ownPlan, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "planned_schedules", on("agent_id", agent)); err != nil {
		return nil, err
	}
	all, err := c.Store.Planned(ctx, who.Owner, agent, MaxPlannedByAll)
	out := make([]ownPlan, len(all))
	for n, s := range all {
		out[n] = shownPlan(s)
	}
	return out, err
}

// own refuses a schedule that the agent has not planned itself.
func (c *Control) own(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID) error {
	s, err := c.Schedule(ctx, who, agent, id, false)
	if err == nil && s.Origin == nil || errors.Is(err, rota.NotFound) {
		return rota.InvalidField("schedule_id", "must be that of a schedule that you have planned: list shows them")
	}
	return err
}

func (c *Control) replan(ctx context.Context, who auth.Caller, agent rota.AgentID, p plan) (ownPlan, error) {
	if err := c.own(ctx, who, agent, p.ScheduleID); err != nil {
		return ownPlan{}, err
	}
	if err := p.checkWords(); err != nil {
		return ownPlan{}, err
	}
	var in rota.ScheduleUpdate
	if p.RunAt != "" || p.IntervalSeconds != 0 || p.CronExpression != "" {
		spec, policy, err := p.times(c.Now().UTC())
		if err != nil {
			return ownPlan{}, err
		}
		in.Spec, in.Policy = rota.Some(spec), policy
	}
	if p.MaxRuns != nil {
		in.Policy.MaxRuns = rota.Some(*p.MaxRuns)
	}
	if p.Input != nil {
		in.Input = rota.Some(rota.InputText(*p.Input))
	}
	if p.Name != nil {
		in.Name = rota.Some(*p.Name)
	}
	s, err := c.UpdateSchedule(ctx, who, agent, p.ScheduleID, in, Write{})
	return shownPlan(s), err
}

func (c *Control) stopPlanned(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID) (any, error) {
	gone, err := c.Store.Schedule(ctx, who.Owner, agent, id, true)
	if err == nil && gone.Origin != nil && gone.DeletedAt != nil {
		return map[string]any{"schedule_id": id, "stopped": true}, nil // by this call, before a crash
	}
	if err := c.own(ctx, who, agent, id); err != nil {
		return nil, err
	}
	_, err = c.DeleteSchedule(ctx, who, agent, id, Write{})
	return map[string]any{"schedule_id": id, "stopped": true}, err
}

func shownPlan(s rota.Schedule) ownPlan {
	return ownPlan{s.ID, s.Name, s.Status, s.Spec, s.Input, s.NextRunAt, s.RunCount}
}

// checkWords refuses an input or a name that a schedule cannot have.
func (p plan) checkWords() error {
	if p.Input != nil && (*p.Input == "" || utf8.RuneCountInString(*p.Input) > maxPlanInput) {
		return rota.InvalidField("input", "must be 1 to %d characters", maxPlanInput)
	}
	if p.Name != nil && (*p.Name == "" || utf8.RuneCountInString(*p.Name) > maxPlanName) {
		return rota.InvalidField("name", "must be 1 to %d characters", maxPlanName)
	}
	if p.MaxRuns != nil && *p.MaxRuns < 1 {
		return rota.InvalidField("max_runs", "must be at least 1")
	}
	return nil
}

// times returns when the runs are to be: no sooner than the floor, and no closer.
func (p plan) times(now time.Time) (rota.Spec, rota.PolicyUpdate, error) {
	var update rota.PolicyUpdate
	spec := rota.Spec{RunAt: p.RunAt, IntervalSeconds: p.IntervalSeconds, CronExpression: p.CronExpression, Timezone: p.Timezone}
	given := 0
	for kind, is := range map[rota.SpecType]bool{rota.Once: p.RunAt != "", rota.Interval: p.IntervalSeconds != 0, rota.Cron: p.CronExpression != ""} {
		if is {
			spec.Type = kind
			given++
		}
	}
	if given != 1 {
		return spec, update, rota.Errorf(rota.Invalid, "give one of run_at, interval_seconds and cron_expression")
	}
	if p.MaxRuns != nil {
		update.MaxRuns = rota.Some(*p.MaxRuns)
	}
	cal, err := calendar.Parse(spec, now)
	if err != nil {
		return spec, update, err
	}
	first := now.Add(PlanFloor)
	if spec.Type != rota.Once {
		update.StartAt = rota.Some(rota.InstantOf(first))
	} else if at, ok := cal.Next(now); !ok || at.Before(first) {
		return spec, update, rota.InvalidField("run_at", "must be at least 5 minutes ahead: it is %s", rota.InstantOf(now))
	}
	at, ok := cal.Next(now)
	for range gapsLookedAt {
		if !ok {
			break
		}
		var next time.Time
		if next, ok = cal.Next(at); ok && next.Sub(at) < PlanFloor {
			return spec, update, rota.Errorf(rota.Invalid, "the times must be at least 5 minutes apart")
		}
		at = next
	}
	return spec, update, nil
}
