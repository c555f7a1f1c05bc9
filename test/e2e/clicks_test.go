package e2e

import (
	"context"
	"flag"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

var clicks = flag.Int("clicks", 60, "buttons that TestClicks presses")

// TestClicks: under connections that are dropped, doubled and slow, as many runs start as
// buttons were pressed.
func TestClicks(t *testing.T) {
	t.Parallel()
	model := gatewaytest.New(t)
	model.Default(gatewaytest.Text("Nothing new."))
	s := start(t, t.TempDir(), "--model-url", model.URL)
	agent, err := s.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "Clerk", Model: "m"})
	require.NoError(t, err)
	made, err := s.client().Schedules.Create(t.Context(), agent.ID, rota.ScheduleCreate{
		Spec: rota.Spec{Type: rota.Cron, CronExpression: "5 9 1 1 *"}, Input: rota.InputText("Anything new?"), Policy: rota.PolicyUpdate{Overlap: rota.Some(rota.OverlapAllowAll)},
	})
	require.NoError(t, err)
	b := newBrowser(t, s.url)
	at := "/agents/" + string(agent.ID) + "/schedules/" + string(made.ID)
	page := b.signIn(key, at)

	todo, seed := make(chan string, *clicks), uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for range *clicks {
		todo <- regexp.MustCompile(`name="once" value="([^"]*)"`).FindStringSubmatch(page)[1]
		page = b.open(at)
	}
	close(todo)
	var all sync.WaitGroup
	for n := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, n))
		all.Go(func() {
			for once := range todo {
				b.press(at+"/trigger", once, rnd)
			}
		})
	}
	all.Wait()
	awaitNoOpenRuns(t, s)
	runs := 0
	for page, err := range client.Pages(rota.Page{Limit: 100}, func(p rota.Page) (rota.List[rota.Run], error) { return s.client().Runs.List(t.Context(), agent.ID, p) }) {
		require.NoError(t, err)
		runs += len(page.Data)
	}
	require.Equal(t, *clicks, runs)
}

// press sends a form until it is answered: now and then twice at once, and now and then
// whoever sends it hangs up, and sends it again.
func (b *browser) press(path, once string, rnd *rand.Rand) {
	send := func(patience time.Duration) bool {
		ctx, stop := context.WithTimeout(b.t.Context(), patience)
		defer stop()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.at+path, strings.NewReader(url.Values{"once": {once}, "back": {"/system"}}.Encode()))
		if err != nil {
			b.t.Error(err)
			return true
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := b.http.Do(req)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			b.t.Errorf("%s: %s", path, res.Status)
		}
		return true
	}
	double := rnd.IntN(3) == 0
	var second sync.WaitGroup
	if double {
		second.Go(func() { send(time.Minute) })
	}
	for range rnd.IntN(3) {
		send(time.Duration(rnd.IntN(20_000)) * time.Microsecond)
	}
	for !send(time.Minute) && b.t.Context().Err() == nil {
	}
	second.Wait()
}
