package prompt_test

import (
	"fmt"
	"strings"
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
		EndUser:      "ana@example.com",
	}
}

func TestRender(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                              "plain",
		"{{scheduled_for}}":                  "2026-03-29T09:00:00+02:00",
		"since {{ last_run_at }}":            "since 2026-03-28T09:00:00+01:00",
		"{{timezone}}, no. {{run_count}}":    "Europe/Madrid, no. 7",
		"[{{schedule_name}}]":                "[Morning brief]",
		"for {{end_user}}":                   "for ana@example.com",
		"{{{{scheduled_for}}":                "{{2026-03-29T09:00:00+02:00",
		"{{{run_count}}}":                    "{7}",
		"{{ a {{run_count}} }}":              "{{ a 7 }}",
		"{ {run_count} } }}":                 "{ {run_count} } }}",
		"hello {{name}}":                     "hello {{name}}",
		"{{run_count}} and an open {{ brace": "7 and an open {{ brace",
		"{{run_count":                        "{{run_count",
	} {
		require.Equal(t, want, prompt.Render(text, fire()), text)
	}
}

func TestFirstRunHasNoLast(t *testing.T) {
	f := fire()
	f.LastRunAt = nil
	require.Equal(t, "[]", prompt.Render("[{{last_run_at}}]", f))
}

func TestWarnings(t *testing.T) {
	require.Equal(t, []rota.Warning{}, prompt.Warnings("instructions", "at {{scheduled_for}} and {{ run_count }} {{ {x} {{"))
	require.Equal(t, []rota.Warning{{
		Code: "unknown_variable", Param: "instructions",
		Message: "{{nmae}} is not a variable and stays as it is; the variables are scheduled_for, timezone, last_run_at, run_count, schedule_name, end_user",
	}}, prompt.Warnings("instructions", "hello {{nmae}}, {{nmae}} at {{timezone}}"))
	require.Len(t, prompt.Warnings("input", "{{a}} {{b}} {{a}}"), 2)
	many := ""
	for i := range 100 {
		many += fmt.Sprintf("{{x%d}}", i)
	}
	require.Len(t, prompt.Warnings("input", many), 10)
	long := prompt.Warnings("input", "{{"+strings.Repeat("x", 20_000)+"}}")
	require.Less(t, len(long[0].Message), 200)
}

// TestContentOfMessages: the most usual form of a message has its text in content.
func TestContentOfMessages(t *testing.T) {
	in := func(text string) rota.Input { return rota.Input{Any: rota.Any{RawMessage: []byte(text)}} }
	got, err := prompt.RenderInput(in(`[{"role":"user","content":"no. {{run_count}}"},{"type":"message","role":"user","content":"{{timezone}}"},{"type":"x","content":"{{run_count}}"}]`), fire())
	require.NoError(t, err)
	require.JSONEq(t, `[{"role":"user","content":"no. 7"},{"type":"message","role":"user","content":"Europe/Madrid"},{"type":"x","content":"{{run_count}}"}]`, string(got.RawMessage))
	require.Len(t, prompt.InputWarnings("input", in(`[{"role":"user","content":"{{nope}}"}]`)), 1)
}

func TestInput(t *testing.T) {
	items := rota.Input{Any: rota.Any{RawMessage: []byte(
		`[{"type":"message","n":12345678901234567890,"content":[{"type":"input_text","text":"no. {{run_count}}"}]},{"type":"x","other":"{{run_count}}"}]`)}}
	got, err := prompt.RenderInput(items, fire())
	require.NoError(t, err)
	require.JSONEq(t, `[{"type":"message","n":12345678901234567890,"content":[{"type":"input_text","text":"no. 7"}]},{"type":"x","other":"{{run_count}}"}]`,
		string(got.RawMessage))
	require.Empty(t, prompt.InputWarnings("input", items))

	bad := rota.Input{Any: rota.AnyOf([]any{map[string]any{"type": "text", "text": "{{who}}"}})}
	require.Len(t, prompt.InputWarnings("input", bad), 1)
	require.Len(t, prompt.InputWarnings("input", rota.InputText("{{who}}")), 1)
	same, err := prompt.RenderInput(bad, fire())
	require.NoError(t, err)
	require.JSONEq(t, string(bad.RawMessage), string(same.RawMessage))

	text, err := prompt.RenderInput(rota.InputText("no. {{run_count}} \"quoted\""), fire())
	require.NoError(t, err)
	require.Equal(t, rota.InputText("no. 7 \"quoted\""), text)
}
