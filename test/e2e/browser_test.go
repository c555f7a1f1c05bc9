package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/prereqtest"
)

//go:embed testdata/browser/requirements.txt
var browserPackages string

// chromium returns the path of Chromium.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	prereqtest.Missing(t, errors.New("no page is looked at in a browser: there is no chromium"))
	return ""
}

// browse runs a script of testdata/browser in Chromium against a server.
func browse(t *testing.T, s *server, script string, more map[string]any) {
	t.Helper()
	args := map[string]any{"url": s.url, "key": key, "chromium": chromium(t)}
	for name, v := range more {
		args[name] = v
	}
	b, err := json.Marshal(args)
	require.NoError(t, err)
	python := prereqtest.Python(t, "browser", browserPackages)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute) // a browser that hangs is a failure with words
	defer stop()
	out, err := exec.CommandContext(ctx, python, filepath.Join("testdata", "browser", script), string(b)).CombinedOutput()
	require.NoError(t, err, string(out))
	t.Log(string(out))
}

// screenshots is where pictures of all pages are kept.
func screenshots(t *testing.T) string {
	if dir := os.Getenv("ROTA_SCREENSHOTS"); dir != "" {
		return dir
	}
	return t.TempDir()
}

// TestPagesInABrowser: no page has a fault that axe finds, an error, a request to
// another host, or content wider than the screen, in both themes and widths.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	out := screenshots(t)
	for state, fill := range map[string]func(*testing.T, *server, *gatewaytest.Server) map[string]string{"empty": fillNothing, "busy": fillBusy, "failing": fillFailing, "asking": fillAsking} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			model := gatewaytest.New(t)
			s := start(t, t.TempDir(), "--model-url", model.URL, "--tool-networks", "127.0.0.0/8")
			pages := fill(t, s, model)
			for name, path := range map[string]string{
				"today": "/", "schedules": "/schedules", "runs": "/runs", "agents": "/agents", "approvals": "/approvals", "conversations": "/conversations", "end-users": "/end-users", "keys": "/keys", "system": "/system",
				"new-agent": "/agents/new", "problem": "/runs/run_none",
			} {
				pages[name] = path
			}
			browse(t, s, "pages.py", map[string]any{"pages": pages, "out": out, "state": state})
		})
	}
}

func fillNothing(*testing.T, *server, *gatewaytest.Server) map[string]string {
	return map[string]string{}
}

// fillBusy makes schedules of two end users and the account, which have run.
func fillBusy(t *testing.T, s *server, model *gatewaytest.Server) map[string]string {
	t.Helper()
	model.Default(gatewaytest.Text("All is well.\n\n" + "A long line without a space: " + longWord))
	return fill(t, s, 30)
}

// fillFailing makes schedules whose runs fail.
func fillFailing(t *testing.T, s *server, model *gatewaytest.Server) map[string]string {
	t.Helper()
	model.Default(gatewaytest.JSON(http.StatusBadRequest, `{"error":{"message":"the model is out of order: `+longWord+`","code":"broken"}}`))
	return fill(t, s, 5)
}

// fillAsking makes a run that asks for an approval.
func fillAsking(t *testing.T, s *server, model *gatewaytest.Server) map[string]string {
	t.Helper()
	mail, _ := newMail(t, model)
	agent, err := s.client().Agents.Create(t.Context(), mail)
	require.NoError(t, err)
	r, err := s.client().Runs.Create(t.Context(), agent.ID, rota.RunCreate{Input: rota.InputText("write to ada")})
	require.NoError(t, err)
	awaitNoOpenRuns(t, s)
	return map[string]string{"run": "/runs/" + string(r.ID)}
}

const longWord = "https://example.com/a/path/that/goes/on/and/on/and/on/and/on/and/on/and/on/and/on/and/on/without/an/end/in/sight"

// fill makes an agent with schedules, all of which run once, and returns the pages
// about one of each.
func fill(t *testing.T, s *server, schedules int) map[string]string {
	t.Helper()
	pages := map[string]string{}
	conversations := map[int]rota.Conversation{0: {Any: rota.AnyOf(struct{}{})}} // for the first schedule, one of its own
	for _, c := range []*client.Client{client.New(s.url, key, client.OnBehalfOf("acme")), client.New(s.url, key, client.OnBehalfOf("globex")), s.client()} {
		agent, err := c.Agents.Create(t.Context(), rota.AgentCreate{Name: "Clerk " + longWord[:60], Model: "m", Instructions: rota.Some("You sum up the news.")})
		require.NoError(t, err)
		pages["agent"], pages["edit-agent"] = "/agents/"+string(agent.ID), "/agents/"+string(agent.ID)+"/edit"
		for i := range schedules {
			made, err := c.Schedules.Create(t.Context(), agent.ID, rota.ScheduleCreate{
				Name: rota.Some(fmt.Sprint("Report ", i)), Input: rota.InputText("Anything new?"), Conversation: conversations[i],
				Spec: rota.Spec{Type: rota.Cron, CronExpression: fmt.Sprintf("%d 9 * * MON-FRI", i), Timezone: "America/Argentina/ComodRivadavia"},
			})
			require.NoError(t, err)
			_, err = c.Schedules.Trigger(t.Context(), agent.ID, made.ID)
			require.NoError(t, err)
			if id := made.Conversation.ID(); id != "" {
				pages["conversation"] = "/conversations/" + string(id)
			}
			at := "/agents/" + string(agent.ID) + "/schedules/" + string(made.ID)
			pages["schedule"], pages["edit-schedule"], pages["backfill"] = at, at+"/edit", at+"/backfill"
		}
	}
	awaitNoOpenRuns(t, s)
	return pages
}

// TestJourneyInABrowser: from nothing to a schedule that was seen firing, with scripts
// and without.
func TestJourneyInABrowser(t *testing.T) {
	t.Parallel()
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprint("scripts=", scripts), func(t *testing.T) {
			t.Parallel()
			model := gatewaytest.New(t)
			model.Default(gatewaytest.Text("Nothing new."))
			browse(t, start(t, t.TempDir(), "--model-url", model.URL), "journey.py", map[string]any{"scripts": scripts})
		})
	}
}

// TestKeyboardInABrowser: what failed is found, and run again, without a mouse.
func TestKeyboardInABrowser(t *testing.T) {
	t.Parallel()
	model := gatewaytest.New(t)
	s := start(t, t.TempDir(), "--model-url", model.URL)
	fillFailing(t, s, model)
	browse(t, s, "keyboard.py", nil)
}

// looks is how many changes eight hours bring: one every quarter of a minute.
const looks = 1920

// TestAPageIsLive: an open page shows a fire by itself, and keeps what somebody does on
// it. It says when it hears nothing. After as many changes as a day of work brings, its heap
// is at most 10 MB larger. The times are printed.
func TestAPageIsLive(t *testing.T) {
	t.Parallel()
	model := gatewaytest.New(t)
	model.Default(gatewaytest.Text("Nothing new."))
	s := start(t, t.TempDir(), "--model-url", model.URL)
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "Clerk", Model: "m"})
	require.NoError(t, err)
	made, err := s.client().Schedules.Create(t.Context(), agent.ID, rota.ScheduleCreate{
		Name: rota.Some("Mornings"), Input: rota.InputText("Anything new?"), Spec: rota.Spec{Type: rota.Cron, CronExpression: "0 9 1 1 *", Timezone: "Europe/Madrid"},
	})
	require.NoError(t, err)
	browse(t, s, "live.py", map[string]any{"schedule": "/agents/" + string(agent.ID) + "/schedules/" + string(made.ID), "looks": looks})
}
