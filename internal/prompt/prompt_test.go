package prompt_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/prompt"
)

func fire() rota.FireContext {
	last := rota.InstantOf(time.Date(2026, 3, 28, 8, 0, 0, 0, time.UTC))
	return rota.FireContext{
		ScheduledFor: rota.InstantOf(time.Date(2026, 3, 29, 7, 0, 0, 0, time.UTC)),
		Timezone:     "Europe/Madrid",
		LastRunAt:    &last,
		RunCount:     7,
		ScheduleName: "Morning brief",
	}
}

func TestRender(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                              "plain",
		"{{scheduled_for}}":                  "2026-03-29T09:00:00+02:00",
		"since {{ last_run_at }}":            "since 2026-03-28T09:00:00+01:00",
		"{{timezone}}, no. {{run_count}}":    "Europe/Madrid, no. 7",
		"[{{schedule_name}}]":                "[Morning brief]",
		"{{{{scheduled_for}}":                "{{scheduled_for}}",
		"{{{{{{run_count}}":                  "{{7",
		"{ {run_count} } }}":                 "{ {run_count} } }}",
		"saved before: {{name}}":             "saved before: {{name}}",
		"{{run_count}} and an open {{ brace": "{{run_count}} and an open {{ brace",
	} {
		require.Equal(t, want, prompt.Render(text, fire()), text)
	}
}

func TestFirstRunHasNoLast(t *testing.T) {
	f := fire()
	f.LastRunAt = nil
	require.Equal(t, "[]", prompt.Render("[{{last_run_at}}]", f))
}

func TestCheckNamesTheVariables(t *testing.T) {
	require.NoError(t, prompt.Check("instructions", "at {{scheduled_for}} {{{{ anything }}"))
	err := prompt.Check("instructions", "hello {{nmae}}")
	require.ErrorIs(t, err, rota.Invalid)
	require.Equal(t, "instructions", rota.Public(err).Field)
	require.Equal(t, "{{nmae}} is not a variable; there are scheduled_for, timezone, last_run_at, run_count, schedule_name, and {{{{ stands for {{",
		rota.Public(err).Msg)
	require.ErrorContains(t, prompt.Check("input", "{{run_count"), "not closed")
}

func TestInput(t *testing.T) {
	items := rota.Input{Any: rota.Any{RawMessage: []byte(
		`[{"type":"message","n":12345678901234567890,"content":[{"type":"input_text","text":"no. {{run_count}}"}]},{"type":"x","other":"{{run_count}}"}]`)}}
	got, err := prompt.RenderInput(items, fire())
	require.NoError(t, err)
	require.JSONEq(t, `[{"type":"message","n":12345678901234567890,"content":[{"type":"input_text","text":"no. 7"}]},{"type":"x","other":"{{run_count}}"}]`,
		string(got.RawMessage))
	require.NoError(t, prompt.CheckInput("input", items))

	bad := rota.Input{Any: rota.AnyOf([]any{map[string]any{"type": "text", "text": "{{who}}"}})}
	require.ErrorIs(t, prompt.CheckInput("input", bad), rota.Invalid)
	require.ErrorIs(t, prompt.CheckInput("input", rota.InputText("{{who}}")), rota.Invalid)

	text, err := prompt.RenderInput(rota.InputText("no. {{run_count}} \"quoted\""), fire())
	require.NoError(t, err)
	require.Equal(t, rota.InputText("no. 7 \"quoted\""), text)
}
