package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A planner is a run whose agent calls the tool schedule.
type planner struct {
	*world
	from  answer.Caller
	calls int
}

func newPlanner(t *testing.T, w *world, agent rota.AgentID) *planner {
	run, err := w.StartRun(t.Context(), caller, agent, rota.RunCreate{Input: rota.InputText("go")}, control.Write{})
	require.NoError(t, err)
	return &planner{world: w, from: answer.Caller{Owner: caller.Owner, ID: string(run.ID), Run: run.ID, Agent: agent}}
}

// again makes the last call once more.
func (p *planner) again(arguments string) answer.Result {
	p.Helper()
	r, err := p.CallSchedule(p.Context(), p.from, answer.Call{Turn: p.calls, Number: 1, Arguments: arguments})
	require.NoError(p, err)
	return r
}

func (p *planner) call(arguments string) answer.Result {
	p.Helper()
	p.calls++
	return p.again(arguments)
}

// does makes a call that goes well, and returns its result.
func (p *planner) does(arguments string) (result map[string]any) {
	p.Helper()
	r := p.call(arguments)
	require.Empty(p, r.Code, r.Output)
	require.NoError(p, json.Unmarshal([]byte(r.Output), &result))
	return result
}

func (p *planner) fails(arguments, why string) {
	p.Helper()
	r := p.call(arguments)
	require.Equal(p, answer.ResultFailed, r.Code, r.Output)
	require.Contains(p, r.Output, "Nothing was changed: ")
	require.Contains(p, r.Output, why)
}

func (p *planner) lists() (n int) {
	p.Helper()
	var all []map[string]any
	require.NoError(p, json.Unmarshal([]byte(p.call(`{"action":"list"}`).Output), &all))
	return len(all)
}

func plannerWorld(t *testing.T) *planner {
	w := newWorld(t)
	a, err := w.CreateAgent(t.Context(), caller, rota.AgentCreate{Name: "a", Model: "m", Tools: []rota.Object{rota.Object(rota.AnyOf(map[string]any{"type": "schedule"}))}}, control.Write{})
	require.NoError(t, err)
	return newPlanner(t, w, a.ID)
}

func TestAnAgentPlansItsFollowUps(t *testing.T) {
	p := plannerWorld(t)
	create := fmt.Sprintf(`{"action":"create","input":"look again","name":"later","run_at":%q}`, instant(time.Hour))
	made := p.does(create)
	id := rota.ScheduleID(made["schedule_id"].(string))
	require.Equal(t, instant(time.Hour).String(), made["next_run_at"])
	again := p.again(create)
	require.Contains(t, again.Output, string(id), "the call makes no second schedule")
	s, err := p.Schedule(t.Context(), caller, p.from.Agent, id, false)
	require.NoError(t, err)
	require.Equal(t, &rota.Origin{AgentID: p.from.Agent, RunID: p.from.Run, CallID: string(p.from.Run) + "-1-1"}, s.Origin)
	require.Equal(t, "later", *s.Name)
	require.Equal(t, 1, p.lists())

	p.does(fmt.Sprintf(`{"action":"update","schedule_id":%q,"run_at":%q,"input":"look twice"}`, id, instant(2*time.Hour)))
	s, err = p.Schedule(t.Context(), caller, p.from.Agent, id, false)
	require.NoError(t, err)
	require.Equal(t, instant(2*time.Hour), *s.NextRunAt)
	require.Equal(t, rota.InputText("look twice"), s.Input)

	stop := fmt.Sprintf(`{"action":"stop","schedule_id":%q}`, id)
	require.Equal(t, true, p.does(stop)["stopped"])
	require.Empty(t, p.again(stop).Code, "it has been stopped by this call")
	require.Zero(t, p.lists())
	require.NotZero(t, p.engine.changed)
}

func TestFollowUpsHaveAFloor(t *testing.T) {
	p := plannerWorld(t)
	p.fails(fmt.Sprintf(`{"action":"create","input":"x","run_at":%q}`, instant(4*time.Minute)), "run_at: must be at least 5 minutes ahead")
	p.fails(`{"action":"create","input":"x","interval_seconds":299}`, "at least 5 minutes apart")
	p.fails(`{"action":"create","input":"x","cron_expression":"*/4 * * * *"}`, "at least 5 minutes apart")
	p.fails(`{"action":"create","input":"x","cron_expression":"0,1 9 * * *"}`, "at least 5 minutes apart")
	p.fails(`{"action":"create","input":"x","cron_expression":"nonsense"}`, "cron_expression")
	p.fails(`{"action":"create","input":"x"}`, "give one of")
	p.fails(`{"action":"create","interval_seconds":3600}`, "input")
	p.fails(`{"action":"create","input":"","interval_seconds":3600}`, "input")
	p.fails(`{"action":"erase"}`, "action")
	p.fails(`x`, "JSON")
	require.Zero(t, p.lists())
	made := p.does(`{"action":"create","input":"x","cron_expression":"*/5 * * * *","max_runs":3}`)
	next, err := time.Parse(time.RFC3339, made["next_run_at"].(string))
	require.NoError(t, err)
	require.False(t, next.Before(p.now.Add(control.PlanFloor)), "a chain of schedules is no faster than the floor")
	p.fails(fmt.Sprintf(`{"action":"update","schedule_id":%q,"interval_seconds":60}`, made["schedule_id"]), "at least 5 minutes apart")
}

func TestFollowUpsAreCapped(t *testing.T) {
	p := plannerWorld(t)
	var last map[string]any
	for range control.MaxPlanned {
		last = p.does(`{"action":"create","input":"x","interval_seconds":3600}`)
	}
	p.fails(`{"action":"create","input":"x","interval_seconds":3600}`, "20 schedules")
	p.does(fmt.Sprintf(`{"action":"stop","schedule_id":%q}`, last["schedule_id"]))
	p.does(`{"action":"create","input":"x","interval_seconds":3600}`)
	_, err := p.CreateSchedule(t.Context(), caller, p.from.Agent, body[rota.ScheduleCreate](t, `{"input":"x","schedule":{"type":"interval","interval_seconds":60}}`), control.Write{})
	require.NoError(t, err, "callers have other limits")
}

// An agent reaches what it has planned itself, and nothing else.
func TestAnAgentReachesItsOwnFollowUps(t *testing.T) {
	p := plannerWorld(t)
	s, err := p.CreateSchedule(t.Context(), caller, p.from.Agent, body[rota.ScheduleCreate](t, `{"input":"x","schedule":{"type":"interval","interval_seconds":60}}`), control.Write{})
	require.NoError(t, err)
	require.Nil(t, s.Origin)
	other := plannerOf(p)
	theirs := other.does(`{"action":"create","input":"x","interval_seconds":3600}`)["schedule_id"].(string)
	require.Zero(t, p.lists())
	for _, id := range []string{string(s.ID), theirs, "asch_none"} {
		p.fails(fmt.Sprintf(`{"action":"stop","schedule_id":%q}`, id), "schedule_id")
		p.fails(fmt.Sprintf(`{"action":"update","schedule_id":%q,"input":"y"}`, id), "schedule_id")
	}
	stranger := *p
	stranger.from.Owner.EndUser = "somebody else"
	stranger.fails(`{"action":"create","input":"x","interval_seconds":3600}`, "")
	require.Zero(t, stranger.lists())
}

// plannerOf is a run of another agent of the same caller.
func plannerOf(p *planner) *planner {
	a, err := p.CreateAgent(p.Context(), caller, rota.AgentCreate{Name: "b", Model: "m"}, control.Write{})
	require.NoError(p, err)
	return newPlanner(p.T, p.world, a.ID)
}

// What an agent plans in the run of a schedule is of the key that has made the schedule.
func TestFollowUpsAreOfTheKey(t *testing.T) {
	p := plannerWorld(t)
	s, err := p.CreateSchedule(t.Context(), caller, p.from.Agent, body[rota.ScheduleCreate](t, `{"input":"x","schedule":{"type":"interval","interval_seconds":60}}`), control.Write{})
	require.NoError(t, err)
	p.from.Schedule = &s.ID
	made := p.does(`{"action":"create","input":"x","interval_seconds":3600}`)
	require.NoError(t, p.db.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		mine, err := tx.TimedSchedule(ctx, caller.Owner, p.from.Agent, rota.ScheduleID(made["schedule_id"].(string)))
		require.Equal(t, caller.Key, mine.MadeBy)
		return err
	}))
}
