package control_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

func TestCreateAgentFillsInDefaults(t *testing.T) {
	w := newWorld(t)
	a := w.agent()
	require.JSONEq(t, `{"object":"agent","id":"`+string(a.ID)+`","key":null,"end_user":null,"name":"a","description":null,"model":"mock/small","instructions":null,
		"tools":[],"tool_choice":"auto","parallel_tool_calls":true,"max_tool_calls":null,"fallback_models":[],"text":null,"reasoning":null,"metadata":{},
		"created_at":"2026-11-23T09:00:00.000Z","updated_at":"2026-11-23T09:00:00.000Z","deleted_at":null,
		"retention_expires_at":null,"within_restore_window":false,"can_restore":false,"version":1,"visibility":"private","warnings":[]}`, plain(t, a))
	in := body[rota.AgentCreate](t, `{"name":"a","model":"m","instructions":"{{nope}}"}`)
	a, err := w.CreateAgent(t.Context(), caller, in, control.Write{})
	require.NoError(t, err)
	require.Len(t, a.Warnings, 1)
	a, err = w.UpdateAgent(t.Context(), caller, a.ID, rota.AgentUpdate{Name: rota.Some("b")}, control.Write{})
	require.NoError(t, err)
	require.Len(t, a.Warnings, 1, "it is about what the agent is")
	a, err = w.UpdateAgent(t.Context(), caller, a.ID, rota.AgentUpdate{Instructions: rota.Null[string]()}, control.Write{})
	require.NoError(t, err)
	require.Empty(t, a.Warnings)
}

func TestUpdateAgentFields(t *testing.T) {
	w := newWorld(t)
	full := body[rota.AgentCreate](t, `{"name":"a","model":"m","description":"d","instructions":"i","tools":[{"type":"shell"}],
		"tool_choice":"none","parallel_tool_calls":false,"max_tool_calls":7,"text":{"verbosity":"low"},"reasoning":{"effort":"low"},
		"metadata":{"a":"1"}}`)
	tests := []struct {
		name, update string
		want         func(*rota.Agent)
	}{
		{"nothing", `{}`, nil},
		{"the same", `{"name":"a","parallel_tool_calls":false,"metadata":{"a":"1"}}`, nil},
		{"name", `{"name":"b"}`, func(a *rota.Agent) { a.Name = "b" }},
		{"model", `{"model":"n"}`, func(a *rota.Agent) { a.Model = "n" }},
		{"no description", `{"description":null}`, func(a *rota.Agent) { a.Description = nil }},
		{"instructions", `{"instructions":"j"}`, func(a *rota.Agent) { *a.Instructions = "j" }},
		{"no instructions", `{"instructions":null}`, func(a *rota.Agent) { a.Instructions = nil }},
		{"no tools", `{"tools":[]}`, func(a *rota.Agent) { a.Tools = []rota.Object{} }},
		{"tool choice", `{"tool_choice":{"type":"shell"}}`, func(a *rota.Agent) { a.ToolChoice = rota.AnyOf(map[string]string{"type": "shell"}) }},
		{"parallel", `{"parallel_tool_calls":true}`, func(a *rota.Agent) { a.ParallelToolCalls = true }},
		{"no most", `{"max_tool_calls":null}`, func(a *rota.Agent) { a.MaxToolCalls = nil }},
		{"text is replaced", `{"text":{}}`, func(a *rota.Agent) { a.Text = rota.Object(rota.AnyOf(struct{}{})) }},
		{"reasoning is replaced", `{"reasoning":{"summary":"auto"}}`, func(a *rota.Agent) { a.Reasoning = rota.Object(rota.AnyOf(map[string]string{"summary": "auto"})) }},
		{"metadata is replaced", `{"metadata":{"b":"2"}}`, func(a *rota.Agent) { a.Metadata = map[string]string{"b": "2"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.at(0)
			want, err := w.CreateAgent(t.Context(), caller, full, control.Write{})
			require.NoError(t, err)
			w.at(time.Minute)
			got, err := w.UpdateAgent(t.Context(), caller, want.ID, body[rota.AgentUpdate](t, tt.update), control.Write{IfMatch: []int64{1}})
			require.NoError(t, err)
			if tt.want != nil {
				want, err = w.CreateAgent(t.Context(), caller, full, control.Write{}) // nothing is shared with the first
				require.NoError(t, err)
				tt.want(&want)
				want.ID, want.Version, want.UpdatedAt, want.CreatedAt = got.ID, 2, instant(time.Minute), instant(0)
			}
			require.JSONEq(t, plain(t, want), plain(t, got))
			stored, err := w.Agent(t.Context(), caller, got.ID)
			require.NoError(t, err)
			require.Nil(t, stored.Warnings)
			got.Warnings = nil
			require.JSONEq(t, plain(t, got), plain(t, stored))
		})
	}
}

func TestUpdateAgentRefuses(t *testing.T) {
	w := newWorld(t)
	a := w.agent()
	_, err := w.UpdateAgent(t.Context(), caller, a.ID, rota.AgentUpdate{Name: rota.Some("b")}, control.Write{IfMatch: []int64{2}})
	require.ErrorIs(t, err, rota.Precondition)
	stranger := caller
	stranger.Owner.EndUser = "u-2"
	_, err = w.UpdateAgent(t.Context(), stranger, a.ID, rota.AgentUpdate{Name: rota.Some("b")}, control.Write{})
	require.ErrorIs(t, err, rota.NotFound)
}

func TestDeleteAgentPausesItsSchedules(t *testing.T) {
	w := newWorld(t)
	s := w.schedule(hourly, "")
	_, err := w.DeleteAgent(t.Context(), caller, s.AgentID, control.Write{})
	require.NoError(t, err)
	require.Equal(t, rota.SchedulePaused, w.read(s).Status)
	_, err = w.StartRun(t.Context(), caller, s.AgentID, rota.RunCreate{Input: rota.InputText("hi")}, control.Write{})
	require.ErrorIs(t, err, rota.Conflict)
}

// TestModelsThatNothingServes: what a caller got wrong is refused where a change
// brings it, and what the operator has to mend is a warning.
func TestModelsThatNothingServes(t *testing.T) {
	w := newWorld(t)
	create := func(body_ string) (rota.Agent, error) {
		return w.CreateAgent(t.Context(), caller, body[rota.AgentCreate](t, body_), control.Write{})
	}
	for body, field := range map[string]string{
		`{"name":"a","model":"unknown/m"}`:                                    "model",
		`{"name":"a","model":"m","fallback_models":["absent/m","unknown/m"]}`: "fallback_models.1",
	} {
		_, err := create(body)
		require.ErrorIs(t, err, rota.Invalid)
		require.Equal(t, field, rota.Public(err).Field)
	}
	a, err := create(`{"name":"a","model":"absent/m","fallback_models":["m","absent/n"]}`)
	require.NoError(t, err)
	require.Len(t, a.Warnings, 2)
	require.Equal(t, []string{"model", "fallback_models.1"}, []string{a.Warnings[0].Param, a.Warnings[1].Param})
	require.Equal(t, "model_not_served", a.Warnings[0].Code)
	_, err = w.UpdateAgent(t.Context(), caller, a.ID, rota.AgentUpdate{Model: rota.Some("unknown/m")}, control.Write{})
	require.ErrorIs(t, err, rota.Invalid)
	a, err = w.UpdateAgent(t.Context(), caller, a.ID, rota.AgentUpdate{Name: rota.Some("b")}, control.Write{})
	require.NoError(t, err, "its model was there before")
	require.Len(t, a.Warnings, 2)
}
