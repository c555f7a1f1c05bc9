package e2e

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// TestConsoleShowsConversations: what the runs of a schedule said is read in one place, led
// to by the schedule and its runs, and deleted there; not by others.
func TestConsoleShowsConversations(t *testing.T) {
	t.Parallel()
	model := gatewaytest.New(t)
	model.Default(gatewaytest.Text("Nothing <b>new</b>."))
	s := start(t, t.TempDir(), "--model-url", model.URL)
	acme := client.New(s.url, key, client.OnBehalfOf("acme"))
	agent, err := acme.Agents.Create(t.Context(), rota.AgentCreate{Name: "Clerk", Model: "m"})
	require.NoError(t, err)
	made, err := acme.Schedules.Create(t.Context(), agent.ID, rota.ScheduleCreate{
		Name: rota.Some("Mornings"), Spec: rota.Spec{Type: rota.Interval, IntervalSeconds: 86_400}, Input: rota.InputText("Anything new?"),
		Conversation: rota.Conversation{Any: rota.AnyOf(struct{}{})},
	})
	require.NoError(t, err)
	fired, err := acme.Schedules.Trigger(t.Context(), agent.ID, made.ID)
	require.NoError(t, err)
	awaitNoOpenRuns(t, s)

	at := "/conversations/" + string(made.Conversation.ID())
	b := newBrowser(t, s.url)
	list := b.signIn(key, "/conversations")
	require.Contains(t, list, at+"?for=acme", "an operator sees those of end users")
	require.Contains(t, list, ">Clerk</a>")
	require.NotContains(t, b.open("/conversations?end_user=globex"), at)
	page := b.open(at + "?for=acme")
	require.Regexp(t, `(?s)>user</h3>.*Anything new\?.*>assistant</h3>.*Nothing &lt;b&gt;new&lt;/b&gt;\.`, page)
	run := "/runs/" + string(*fired.RunID) + "?for=acme"
	require.Contains(t, page, run, "the run that said it")
	require.Contains(t, b.open(run), at+"?for=acme")
	require.Contains(t, b.open("/agents/"+string(agent.ID)+"/schedules/"+string(made.ID)+"?for=acme"), at+"?for=acme")

	keys := s.client().Keys
	globex, err := keys.Create(t.Context(), rota.KeyCreate{Name: "globex", EndUser: rota.Some("globex")})
	require.NoError(t, err)
	reader, err := keys.Create(t.Context(), rota.KeyCreate{Name: "reader", Scopes: rota.Some([]rota.Scope{rota.ReadAgents, rota.ReadConversations})})
	require.NoError(t, err)
	blind, err := keys.Create(t.Context(), rota.KeyCreate{Name: "blind", Scopes: rota.Some([]rota.Scope{rota.ReadAgents})})
	require.NoError(t, err)
	refused := func(b *browser, path string, want int) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		require.NoError(t, err)
		require.NotContains(t, b.send(req, want), "Anything new?")
	}
	other := newBrowser(t, s.url)
	require.NotContains(t, other.signIn(globex.Secret, "/conversations"), at)
	refused(other, at, http.StatusNotFound)
	other.post(at+"/delete", url.Values{}, http.StatusNotFound)
	other = newBrowser(t, s.url)
	require.NotContains(t, other.signIn(blind.Secret, "/"), `"/conversations"`, "who may not read them sees no way to them")
	refused(other, "/conversations", http.StatusForbidden)
	other = newBrowser(t, s.url)
	require.NotContains(t, other.signIn(reader.Secret, at+"?for=acme"), "Delete")
	other.post(at+"/delete?for=acme", url.Values{}, http.StatusForbidden)

	require.Contains(t, b.submit(page, "/delete", nil, http.StatusOK), "Deleted.")
	b.submit(page, "/delete", nil, http.StatusOK) // the same button again
	refused(b, at+"?for=acme", http.StatusNotFound)
	require.Contains(t, b.open(run), "Nothing &lt;b&gt;new", "what the run has answered stays")
}
