package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/settings"
)

// demoMark is in the metadata of the demo agent, so that it is added once.
const demoMark = "rota_demo"

// demoCaller is the default account, with every scope.
var demoCaller = auth.Caller{Key: "demo", Owner: rota.Owner{Account: defaultAccount}, Scopes: rota.AllScopes()}

// addDemo adds an agent on a 10-second schedule, unless there is one. Its model is
// the built-in stand-in, whatever providers there are. Of several processes that start together, one adds it.
func addDemo(ctx context.Context, c *control.Control) error {
	if a, err := findDemo(ctx, c); err != nil || a != nil {
		return err
	}
	a, err := addDemoAgent(ctx, c)
	if err != nil {
		return err
	}
	_, err = c.CreateSchedule(ctx, demoCaller, a.ID, rota.ScheduleCreate{
		Name:  rota.Some("Every 10 seconds"),
		Spec:  rota.Spec{Type: rota.Interval, IntervalSeconds: 10, Timezone: "UTC"},
		Input: rota.InputText("Say hello."),
	}, control.Write{IdempotencyKey: demoMark + "-" + string(a.ID)})
	return err
}

// addDemoAgent adds the agent. Processes that do so at once get the same one: they
// use the same keys, one for each demo that somebody has deleted since.
func addDemoAgent(ctx context.Context, c *control.Control) (rota.Agent, error) {
	for n := 1; ; n++ {
		a, err := c.CreateAgent(ctx, demoCaller, rota.AgentCreate{
			Name:         "Demo",
			Model:        gateway.StandIn,
			Instructions: rota.Some("You are a friendly assistant. Answer in one short sentence."),
			Metadata:     map[string]string{demoMark: "true"},
		}, control.Write{IdempotencyKey: fmt.Sprintf("%s-%d", demoMark, n)})
		if err != nil {
			return a, err
		}
		a, err = c.Agent(ctx, demoCaller, a.ID)
		if deleted := a.DeletedAt != nil || errors.Is(err, rota.NotFound); !deleted {
			return a, err
		}
	}
}

// findDemo returns the demo agent, or nil.
func findDemo(ctx context.Context, c *control.Control) (*rota.Agent, error) {
	p := rota.Page{Limit: 100, Ascending: true}
	for {
		l, err := c.Agents(ctx, demoCaller, "", rota.AgentFilter{}, p)
		if err != nil {
			return nil, err
		}
		for _, a := range l.Data {
			if a.Metadata[demoMark] == "true" {
				return &a, nil
			}
		}
		if !l.HasMore {
			return nil, nil
		}
		p.After = *l.LastID
	}
}

// signInLink returns the address at which whoever started a demo is signed in to its
// pages, once; empty if there are no pages, or no key of the default account may do
// everything.
func (s server) signInLink(ctx context.Context, url string) (string, error) {
	if !s.console {
		return "", nil
	}
	l, err := s.control.Keys(ctx, demoCaller, rota.Page{Limit: 100, Ascending: true})
	if err != nil {
		return "", err
	}
	now := time.Now()
	i := slices.IndexFunc(l.Data, func(k rota.Key) bool {
		return auth.Usable(k, now) && k.EndUser == nil && len(k.Scopes) == len(rota.AllScopes())
	})
	if i < 0 {
		return "", nil
	}
	secret, err := s.sessions().Link(ctx, l.Data[i], now)
	return url + "/sign-in?link=" + secret, err
}

// A greeting is what is told at the terminal; key and link are empty if there is none.
type greeting struct{ url, key, link string }

// greet tells a person at the terminal where the server is and what to try.
func greet(ctx context.Context, out io.Writer, c *control.Control, s settings.Settings, g greeting) {
	url, key := g.url, g.key
	if !s.ServesAPI() {
		fmt.Fprintf(out, "Rota listens on %s (a worker: only /healthz, /readyz and /metrics)\n", url)
		return
	}
	fmt.Fprintf(out, "Rota listens on %s (reference: %s/docs)\n", url, url)
	if !s.Works() {
		fmt.Fprint(out, "\nIt serves the API. Runs start when a process with the role worker or all has the same database.\n")
	}
	if key != "" {
		fmt.Fprintf(out, "\nYour key, shown this once:\n\n  %s\n", key)
	}
	if !s.Demo {
		return
	}
	if g.link != "" {
		fmt.Fprintf(out, "\nSee it in a browser (this link signs you in once, within %d minutes):\n\n  %s\n", int(auth.LinkLife.Minutes()), g.link)
	}
	a, err := findDemo(ctx, c)
	if err != nil || a == nil {
		return
	}
	if key == "" {
		key = "$ROTA_KEY"
		fmt.Fprint(out, "\nPut your key into ROTA_KEY: the one of ROTA_BOOTSTRAP_KEY, or the one that the first start showed.\n")
	}
	fmt.Fprint(out, "\nTry, in another terminal:\n\n")
	auth := `-H "Authorization: Bearer ` + key + `"`
	agent := url + "/api/v1/agents/" + string(a.ID)
	fmt.Fprintf(out, "  curl -s %s/schedules %s\n\n", agent, auth)
	fmt.Fprintf(out, "  curl -s %s/runs %s -H \"Content-Type: application/json\" -d '{\"input\":\"Hello, Rota\"}'\n\n", agent, auth)
	fmt.Fprintf(out, "  curl -s \"%s/runs?limit=3\" %s\n\n", agent, auth)
}

// A terminal shows each scheduled run that ends as a line.
type terminal struct {
	on  bool
	mu  sync.Mutex // guards out
	out io.Writer
}

const shown = 80 // characters of an answer in a line

func (t *terminal) ended(w rota.Work, r rota.Result, output string) {
	if !t.on || w.Run.ScheduledFor == nil {
		return
	}
	words := strings.Join(strings.Fields(output), " ")
	if r.Error != nil {
		words = r.Error.Code + ": " + r.Error.Message
	}
	if chars := []rune(words); len(chars) > shown {
		words = string(chars[:shown]) + "…"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, "%s  late %d ms  %s  %s  %s\n", w.Run.ScheduledFor, *w.Run.LatenessMS, w.Run.ID, r.Phase, words)
}
