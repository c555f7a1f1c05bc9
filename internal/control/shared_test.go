package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/policy"
)

// shareIt gives the account an agent that is shared, with secrets in its tools.
func (w *world) shareIt() rota.Agent {
	w.Helper()
	a, err := w.CreateAgent(w.Context(), caller, body[rota.AgentCreate](w, `{"name":"brief","model":"mock/small","visibility":"workspace","instructions":"Say hello.",
		"tools":[{"type":"mcp","server_label":"notes","server_url":"https://mcp.example.com/?key=canary-1","authorization":"canary-2","headers":{"X-Key":"canary-3"},"mcp_credential_id":"canary-4"},
		{"type":"web_search","secret":"canary-5"}]}`), control.Write{})
	require.NoError(w, err)
	return a
}

func guest(user string) auth.Caller {
	c := caller
	c.Owner.EndUser = user
	return c
}

const everyHour = `{"input":"hi","schedule":` + hourly + `}`

func TestGuestsRunASharedAgent(t *testing.T) {
	w, ada := newWorld(t), guest("ada")
	a := w.shareIt()
	require.Equal(t, rota.Workspace, a.Visibility)
	got, err := w.Agent(t.Context(), ada, a.ID)
	require.NoError(t, err)
	l, err := w.Agents(t.Context(), ada, "", rota.AgentFilter{}, rota.Page{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, []rota.Agent{got}, l.Data)
	v, err := w.AgentVersions(t.Context(), ada, a.ID, rota.Page{Limit: 10})
	require.NoError(t, err)
	one, err := w.AgentVersion(t.Context(), ada, a.ID, 1)
	require.NoError(t, err)
	for _, shown := range []any{got, v, one} {
		require.NotContains(t, string(rota.AnyOf(shown).RawMessage), "canary")
		require.Contains(t, string(rota.AnyOf(shown).RawMessage), `{"type":"mcp","server_label":"notes"}`)
	}
	own, err := w.Agent(t.Context(), caller, a.ID)
	require.NoError(t, err)
	require.Contains(t, string(own.Tools[0].RawMessage), "canary-3", "its owner sees what was sent")

	run, err := w.StartRun(t.Context(), ada, a.ID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.NoError(t, err)
	s, err := w.CreateSchedule(t.Context(), ada, a.ID, body[rota.ScheduleCreate](t, everyHour), control.Write{})
	require.NoError(t, err)
	require.Equal(t, "ada", *s.EndUser)
	pinned, err := w.UpdateSchedule(t.Context(), ada, a.ID, s.ID, body[rota.ScheduleUpdate](t, `{"agent_version":1}`), control.Write{})
	require.NoError(t, err)
	require.Equal(t, int64(1), *pinned.AgentVersion)
	runs, err := w.Runs(t.Context(), ada, a.ID, rota.Page{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, run.ID, runs.Data[0].ID)
	all, err := w.AllRuns(t.Context(), caller, "ada", rota.RunFilter{}, rota.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, all.Data, 1, "the account sees it as it sees all that end users have")
	w.seenByNobodyElse(a.ID, s.ID, run.ID)
}

// seenByNobodyElse checks that others do not see what a guest has on a shared agent.
func (w *world) seenByNobodyElse(a rota.AgentID, s rota.ScheduleID, r rota.RunID) {
	w.Helper()
	ctx := w.Context()
	stranger := caller
	stranger.Owner = rota.Owner{Account: "other", EndUser: "ada"}
	for _, who := range []auth.Caller{guest("bob"), caller, stranger} {
		_, err := w.Schedule(ctx, who, a, s, true)
		require.ErrorIs(w, err, rota.NotFound)
		_, err = w.Control.Run(ctx, who, a, r)
		require.ErrorIs(w, err, rota.NotFound)
		for name, try := range map[string]func() error{
			"pause": func() error {
				_, err := w.PauseSchedule(ctx, who, a, s, rota.SchedulePause{}, control.Write{})
				return err
			},
			"update": func() error {
				_, err := w.UpdateSchedule(ctx, who, a, s, rota.ScheduleUpdate{}, control.Write{})
				return err
			},
			"trigger": func() error { _, err := w.TriggerSchedule(ctx, who, a, s, control.Write{}); return err },
			"delete":  func() error { _, err := w.DeleteSchedule(ctx, who, a, s, control.Write{}); return err },
			"cancel":  func() error { _, err := w.CancelRun(ctx, who, a, r, control.Write{}); return err },
			"erase":   func() error { _, err := w.DeleteRun(ctx, who, a, r, control.Write{}); return err },
		} {
			require.ErrorIs(w, try(), rota.NotFound, "%s by %v", name, who.Owner)
		}
	}
	_, err := w.Agent(ctx, stranger, a)
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.StartRun(ctx, stranger, a, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.ErrorIs(w, err, rota.NotFound)
	_, err = w.CreateSchedule(ctx, stranger, a, body[rota.ScheduleCreate](w, everyHour), control.Write{})
	require.ErrorIs(w, err, rota.NotFound)
	l, err := w.AllSchedules(ctx, guest("bob"), "", rota.ScheduleFilter{}, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Empty(w, l.Data)
}

func TestGuestsChangeNothing(t *testing.T) {
	w := newWorld(t)
	a := w.shareIt()
	ctx := t.Context()
	tries := func(who auth.Caller) map[string]error {
		errs := map[string]error{}
		_, errs["update"] = w.UpdateAgent(ctx, who, a.ID, body[rota.AgentUpdate](t, `{"name":"mine"}`), control.Write{})
		_, errs["unshare"] = w.UpdateAgent(ctx, who, a.ID, body[rota.AgentUpdate](t, `{"visibility":"private"}`), control.Write{})
		_, errs["roll back"] = w.RollbackAgent(ctx, who, a.ID, 1, control.Write{})
		_, errs["delete"] = w.DeleteAgent(ctx, who, a.ID, control.Write{})
		_, errs["restore"] = w.RestoreAgent(ctx, who, a.ID, control.Write{})
		return errs
	}
	stranger := caller
	stranger.Owner.Account = "other"
	for name, err := range tries(guest("ada")) {
		require.ErrorIs(t, err, rota.Denied, name)
	}
	for name, err := range tries(stranger) {
		require.ErrorIs(t, err, rota.NotFound, name)
	}
	got, err := w.Agent(ctx, caller, a.ID)
	require.NoError(t, err)
	require.Equal(t, a.AgentConfig, got.AgentConfig)

	_, err = w.CreateAgent(ctx, guest("ada"), body[rota.AgentCreate](t, `{"name":"a","model":"mock/small","visibility":"workspace"}`), control.Write{})
	require.ErrorIs(t, err, rota.Invalid)
	require.Equal(t, "visibility", rota.Public(err).Field)
	own, err := w.CreateAgent(ctx, guest("ada"), body[rota.AgentCreate](t, `{"name":"a","model":"mock/small"}`), control.Write{})
	require.NoError(t, err)
	_, err = w.UpdateAgent(ctx, guest("ada"), own.ID, body[rota.AgentUpdate](t, `{"visibility":"workspace"}`), control.Write{})
	require.ErrorIs(t, err, rota.Invalid)
	require.Equal(t, "visibility", rota.Public(err).Field)
}

func TestUnsharingStopsGuests(t *testing.T) {
	w, ada := newWorld(t), guest("ada")
	a := w.shareIt()
	ctx := t.Context()
	s, err := w.CreateSchedule(ctx, ada, a.ID, body[rota.ScheduleCreate](t, everyHour), control.Write{})
	require.NoError(t, err)
	own, err := w.CreateSchedule(ctx, caller, a.ID, body[rota.ScheduleCreate](t, everyHour), control.Write{})
	require.NoError(t, err)
	w.at(time.Minute)
	set := func(v string) rota.Agent {
		a, err := w.UpdateAgent(ctx, caller, a.ID, body[rota.AgentUpdate](t, `{"visibility":"`+v+`"}`), control.Write{})
		require.NoError(t, err)
		return a
	}
	private := set("private")
	require.Equal(t, []any{rota.Private, int64(1), instant(time.Minute)}, []any{private.Visibility, private.Version, private.UpdatedAt})
	paused, err := w.Schedule(ctx, ada, a.ID, s.ID, false)
	require.NoError(t, err, "it can still be read")
	require.Equal(t, rota.SchedulePaused, paused.Status)
	require.Equal(t, rota.PauseReason{Code: rota.PausedByUnsharing, Actor: new("key_1"), At: instant(time.Minute)}, *paused.PauseReason)
	goesOn, err := w.Schedule(ctx, caller, a.ID, own.ID, false)
	require.NoError(t, err)
	require.Equal(t, rota.ScheduleActive, goesOn.Status)

	_, err = w.Agent(ctx, ada, a.ID)
	require.ErrorIs(t, err, rota.NotFound)
	_, err = w.StartRun(ctx, guest("bob"), a.ID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.ErrorIs(t, err, rota.NotFound)
	_, err = w.ResumeSchedule(ctx, ada, a.ID, s.ID, rota.SchedulePause{}, control.Write{})
	require.ErrorIs(t, err, rota.Conflict)
	require.Contains(t, rota.Public(err).Msg, "not shared with you any more")
	none, err := w.ResumeSchedules(ctx, ada, rota.BulkResume{Reason: rota.Some(rota.PausedByUnsharing)}, control.Write{})
	require.NoError(t, err)
	require.Zero(t, none.Changed)
	set("workspace")
	resumed, err := w.ResumeSchedule(ctx, ada, a.ID, s.ID, rota.SchedulePause{}, control.Write{})
	require.NoError(t, err)
	require.Equal(t, rota.ScheduleActive, resumed.Status)
	set("private")
	_, err = w.DeleteSchedule(ctx, ada, a.ID, s.ID, control.Write{})
	require.NoError(t, err, "a guest can delete what is left")
}

func TestDeletingASharedAgentPausesSchedulesOfAllOwners(t *testing.T) {
	w, ada := newWorld(t), guest("ada")
	a := w.shareIt()
	s, err := w.CreateSchedule(t.Context(), ada, a.ID, body[rota.ScheduleCreate](t, everyHour), control.Write{})
	require.NoError(t, err)
	_, err = w.DeleteAgent(t.Context(), caller, a.ID, control.Write{})
	require.NoError(t, err)
	paused, err := w.Schedule(t.Context(), ada, a.ID, s.ID, false)
	require.NoError(t, err)
	require.Equal(t, rota.PausedByDeletion, paused.PauseReason.Code)
	_, err = w.StartRun(t.Context(), ada, a.ID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.ErrorIs(t, err, rota.Conflict)
	w.at(30 * time.Minute)
	_, err = w.RestoreAgent(t.Context(), caller, a.ID, control.Write{})
	require.NoError(t, err)
	back, err := w.Schedule(t.Context(), ada, a.ID, s.ID, false)
	require.NoError(t, err)
	require.Equal(t, instant(30*time.Minute), back.PauseReason.At, "what it had to do is on record up to here")
}

func TestAPutLeavesTheVisibilityThatItDoesNotName(t *testing.T) {
	w := newWorld(t)
	put := func(rest string) rota.Agent {
		p, err := w.PutAgent(t.Context(), caller, "brief", body[rota.AgentCreate](t, `{"name":"a","model":"mock/small"`+rest+`}`), control.Write{})
		require.NoError(t, err)
		return p.Object
	}
	require.Equal(t, rota.Private, put("").Visibility)
	require.Equal(t, rota.Workspace, put(`,"visibility":"workspace"`).Visibility)
	a := put("")
	require.Equal(t, []any{rota.Workspace, int64(1)}, []any{a.Visibility, a.Version})
	s, err := w.CreateSchedule(t.Context(), guest("ada"), a.ID, body[rota.ScheduleCreate](t, everyHour), control.Write{})
	require.NoError(t, err)
	require.Equal(t, rota.Private, put(`,"visibility":"private"`).Visibility)
	paused, err := w.Schedule(t.Context(), guest("ada"), a.ID, s.ID, false)
	require.NoError(t, err)
	require.Equal(t, rota.PausedByUnsharing, paused.PauseReason.Code)
}

func TestDeletingAGuestLeavesTheSharedAgent(t *testing.T) {
	w, ada := newWorld(t), guest("ada")
	a := w.shareIt()
	_, err := w.CreateSchedule(t.Context(), ada, a.ID, body[rota.ScheduleCreate](t, everyHour), control.Write{})
	require.NoError(t, err)
	r, err := w.StartRun(t.Context(), ada, a.ID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.NoError(t, err)
	users, err := w.EndUsers(t.Context(), caller, rota.Page{Limit: 10, Ascending: true})
	require.NoError(t, err)
	require.Equal(t, []any{"ada", int64(0), int64(1), int64(1)}, []any{users.Data[0].EndUser, users.Data[0].Agents, users.Data[0].ActiveSchedules, users.Data[0].OpenRuns})
	var lines []any
	require.NoError(t, w.ExportEndUser(t.Context(), caller, "ada", nil, func(v any) error { lines = append(lines, v); return nil }))
	require.Len(t, lines, 4, "two ends, a run and a schedule")
	require.Equal(t, r.ID, lines[1].(rota.Run).ID)
	e, err := w.DeleteEndUser(t.Context(), caller, "ada")
	require.NoError(t, err)
	require.Equal(t, []int64{0, 1, 1, 1}, []int64{e.Agents, e.Schedules, e.Runs, e.CancelledRuns})
	_, err = w.Agent(t.Context(), caller, a.ID)
	require.NoError(t, err)
	users, err = w.EndUsers(t.Context(), caller, rota.Page{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, users.Data)
}

func TestWhatACrashLeavesOfAnUnsharingIsPausedWhenDue(t *testing.T) {
	timer := rota.Timer{
		Status: rota.ScheduleActive, Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 3600, Timezone: "UTC"}, Policy: rota.DefaultPolicy(), Anchor: start,
		NextRunAt: start.Add(time.Hour), DueAt: start.Add(time.Hour), AgentUnsharedAt: start.Add(30 * time.Minute),
	}
	d := policy.Decide(timer, start.Add(time.Hour), start)
	require.Empty(t, d.Records)
	require.Equal(t, rota.SchedulePaused, d.Timer.Status)
	require.Equal(t, rota.PauseReason{Code: rota.PausedByUnsharing, At: instant(30 * time.Minute)}, *d.Timer.PauseReason)
	why := policy.MayStart(rota.Work{AgentUnshared: true})
	require.Equal(t, rota.RunErrAgentUnshared, why.Code)
}
