package e2e

import (
	"bytes"
	"cmp"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// TestPicture makes the picture that the README opens with: the first page of a server
// whose schedules have run for a day, but for one whose provider refuses it. With
// ROTA_PICTURE=FILE it is kept there.
func TestPicture(t *testing.T) {
	t.Parallel()
	model := gatewaytest.New(t)
	model.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		reply := gatewaytest.Text("Three tickets are new; none is urgent.")
		if bytes.Contains(c.Body, []byte("unpaid")) {
			reply = gatewaytest.JSON(http.StatusNotFound, `{"error":{"message":"the model gpt-4-32k has been retired","code":"model_not_found"}}`)
		}
		reply(w, r, c)
	})
	s := start(t, t.TempDir(), "--model-url", model.URL, "--catchup-rate", "1000")
	now := time.Now()
	for _, c := range []struct{ user, agent, schedule, cron, zone, input string }{
		{"acme", "Support", "Sum up new tickets", "0 * * * *", "America/New_York", "What is new?"},
		{"acme", "Support", "Morning report", "0 9 * * *", "America/New_York", "Sum up yesterday."},
		{"globex", "Billing", "Chase unpaid invoices", "30 */3 * * *", "Europe/Berlin", "Which invoices are unpaid?"},
		{"globex", "Research", "Watch the competition", "15 */2 * * *", "Europe/Berlin", "What has changed?"},
		{"initech", "Ops", "Check the backups", "*/20 * * * *", "Asia/Tokyo", "Is every backup there?"},
	} {
		c, at := c, client.New(s.url, key, client.OnBehalfOf(c.user))
		a, err := at.Agents.Create(t.Context(), rota.AgentCreate{Name: c.agent, Model: "m"})
		require.NoError(t, err)
		made, err := at.Schedules.Create(t.Context(), a.ID, rota.ScheduleCreate{
			Name: rota.Some(c.schedule), Input: rota.InputText(c.input), Spec: rota.Spec{Type: rota.Cron, CronExpression: c.cron, Timezone: c.zone},
			Policy: rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)},
		})
		require.NoError(t, err)
		_, err = at.Schedules.Backfill(t.Context(), a.ID, made.ID, rota.BackfillCreate{From: rota.InstantOf(now.Add(-24 * time.Hour)), To: rota.InstantOf(now), DryRun: rota.Some(false)})
		require.NoError(t, err)
	}
	b := newBrowser(t, s.url)
	b.signIn(key, "/")
	require.Eventually(t, func() bool {
		waiting, err := s.client().Schedules.AllOccurrences(t.Context(), rota.OccurrenceFilter{Outcome: rota.Buffered}, rota.Page{Limit: 1}, client.OfEndUser("*"))
		return err == nil && len(waiting.Data) == 0
	}, time.Minute, 100*time.Millisecond)
	awaitNoOpenRuns(t, s)
	require.Contains(t, b.open("/"), "has been retired")
	file := cmp.Or(os.Getenv("ROTA_PICTURE"), filepath.Join(t.TempDir(), "today.png"))
	browse(t, s, "picture.py", map[string]any{"file": file})
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(10_000))
}
