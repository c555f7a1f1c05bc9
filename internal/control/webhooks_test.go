package control_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/seal"
)

// The secret of a webhook is shown to who saves it, the same each time, and is in no
// other answer.
func TestTheSecretOfAWebhook(t *testing.T) {
	w := newWorld(t)
	d := body[rota.FunctionDefinition](w, `{"type":"function","name":"f","parameters":{},"webhook_url":"https://tools.example.com/f"}`)
	_, err := w.CreateFunctionTool(t.Context(), caller, d, control.Write{})
	require.ErrorContains(t, err, "no secret key")
	w.Tokens.Secret, _ = seal.Parse(seal.NewSecret())
	again := control.Write{IdempotencyKey: "k", Request: []byte("r")}
	f, err := w.CreateFunctionTool(t.Context(), caller, d, again)
	require.NoError(t, err)
	require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, f.WebhookSecret)
	replayed, err := w.CreateFunctionTool(t.Context(), caller, d, again)
	require.NoError(t, err)
	require.Equal(t, f.WebhookSecret, replayed.WebhookSecret)
	updated, err := w.UpdateFunctionTool(t.Context(), caller, f.ID, d, control.Write{})
	require.NoError(t, err)
	require.Equal(t, f, updated)
	other, err := w.CreateFunctionTool(t.Context(), caller, d, control.Write{})
	require.NoError(t, err)
	require.NotEqual(t, f.WebhookSecret, other.WebhookSecret)
	read, err := w.FunctionTool(t.Context(), caller, f.ID)
	require.NoError(t, err)
	require.Empty(t, read.WebhookSecret)
}

func TestAWebhookThatCannotBeCalledIsRefused(t *testing.T) {
	w := newWorld(t)
	w.Tokens.Secret, _ = seal.Parse(seal.NewSecret())
	for text, want := range map[string]string{
		`"webhook_url":"ftp://x"`:              "webhook_url: must be like",
		`"webhook_url":"/f"`:                   "webhook_url: must be like",
		`"webhook_url":"https://"`:             "webhook_url: must be like",
		`"webhook_url":"https://u:p@x/"`:       "webhook_url: must be like",
		`"webhook_url":"https://x/#a"`:         "webhook_url: must be like",
		`"webhook_url":null,"idempotent":true`: "idempotent: goes with webhook_url",
		`"webhook_timeout_seconds":3`:          "webhook_timeout_seconds: goes with webhook_url",
	} {
		d := body[rota.FunctionDefinition](w, `{"type":"function","name":"f","parameters":{},`+text+`}`)
		_, err := w.CreateFunctionTool(t.Context(), caller, d, control.Write{})
		require.ErrorIs(t, err, rota.Invalid, text)
		require.ErrorContains(t, err, want)
	}
	_, err := w.CreateAgent(t.Context(), caller, rota.AgentCreate{Name: "a", Model: "mock/small", Tools: []rota.Object{rota.Object(rota.AnyOf(map[string]any{
		"type": "function", "name": "f", "webhook_url": "https://x/f",
	}))}}, control.Write{})
	require.ErrorIs(t, err, rota.Invalid)
	require.True(t, strings.Contains(err.Error(), "tools.0.webhook_url"), err)
}
