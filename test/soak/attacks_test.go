package soak

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
)

// attacks are what one tenant does to the server.
type attacks struct {
	server *server
	http   *http.Client
	agents map[string]rota.AgentID // by model

	mu      sync.Mutex
	answers map[string]map[string]int // by attack and status
}

// An attack is done by so many at once, again and again.
type attack struct {
	name string
	by   int
	once func(*attacks, context.Context) string // returns what came of it
}

var all = []attack{
	{"methods that the server does not know", 2, (*attacks).method},
	{"pages of runs with large answers", 8, func(a *attacks, ctx context.Context) string { return a.get(ctx, a.runs(large)) }},
	{"pages of runs with large inputs", 8, func(a *attacks, ctx context.Context) string { return a.get(ctx, a.runs(quick)) }},
	{"pages that nobody reads", 16, (*attacks).unread},
	{"bodies of 80,000 items", 24, (*attacks).items},
	{"runs with large answers", 2, func(a *attacks, ctx context.Context) string { return a.start(ctx, large, `"x"`) }},
	{"runs whose model breaks off", 2, func(a *attacks, ctx context.Context) string { return a.start(ctx, breaks, `"x"`) }},
	{"runs with large answers, one by one", 16, (*attacks).one},
	{"watchers that do not read", 64, (*attacks).watcher},
}

func newAttacks(t *testing.T, s *server) *attacks {
	a := &attacks{
		server: s, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		agents: map[string]rota.AgentID{}, answers: map[string]map[string]int{},
	}
	for _, model := range []string{quick, large, breaks} {
		made, err := a.client().Agents.Create(t.Context(), rota.AgentCreate{Name: model, Model: model})
		require.NoError(t, err)
		a.agents[model] = made.ID
	}
	return a
}

func (a *attacks) client() *client.Client {
	return client.New(a.server.url, key, client.WithHTTPClient(a.http), client.OnBehalfOf("attacker"))
}

// run begins all attacks, which end with ctx.
func (a *attacks) run(ctx context.Context, group *sync.WaitGroup) {
	for _, x := range all {
		for range x.by {
			group.Go(func() {
				for ctx.Err() == nil {
					a.count(x.name, x.once(a, ctx))
				}
			})
		}
	}
}

func (a *attacks) count(name, status string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answers[name] == nil {
		a.answers[name] = map[string]int{}
	}
	a.answers[name][status]++
}

// report says what the attacks met. Each must have met the server.
func (a *attacks) report(t *testing.T) {
	for _, x := range all {
		var parts []string
		for _, status := range slices.Sorted(maps.Keys(a.answers[x.name])) {
			parts = append(parts, fmt.Sprintf("%s × %d", status, a.answers[x.name][status]))
		}
		t.Logf("%d with %s: %s", x.by, x.name, strings.Join(parts, ", "))
		require.NotEmpty(t, parts, x.name)
	}
}

func (a *attacks) runs(model string) string {
	return "/api/v1/agents/" + string(a.agents[model]) + "/runs"
}

// get reads an answer to its end.
func (a *attacks) get(ctx context.Context, path string) string {
	return a.call(ctx, http.MethodGet, path+"?limit=100", "")
}

func (a *attacks) call(ctx context.Context, method, path, body string) string {
	req, err := http.NewRequestWithContext(ctx, method, a.server.url+path, strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-On-Behalf-Of", "attacker")
	req.Header.Set("Content-Type", "application/json")
	res, err := a.http.Do(req)
	if err != nil {
		return "no answer"
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "cut off"
	}
	return fmt.Sprint(res.StatusCode)
}

// method makes up a method, which may be long.
func (a *attacks) method(ctx context.Context) string {
	return a.call(ctx, fmt.Sprintf("M%d%s", time.Now().UnixNano(), strings.Repeat("x", 100_000)), "/x", "")
}

func (a *attacks) start(ctx context.Context, model, input string) string {
	return a.call(ctx, http.MethodPost, a.runs(model), `{"input":`+input+`}`)
}

// items sends as many items as a body can have, each as small as can be.
func (a *attacks) items(ctx context.Context) string {
	return a.start(ctx, quick, "["+strings.Repeat(`{"type":"x"},`, 80_000)+`{"type":"x"}]`)
}

// one reads one run with a large answer.
func (a *attacks) one(ctx context.Context) string {
	list, err := a.client().Runs.List(ctx, a.agents[large], rota.Page{Limit: 1, Ascending: true})
	if err != nil || len(list.Data) == 0 {
		return "none yet"
	}
	return a.call(ctx, http.MethodGet, a.runs(large)+"/"+string(list.Data[0].ID), "")
}

// unread asks for a page and does not read it.
func (a *attacks) unread(ctx context.Context) string {
	return a.hang(ctx, a.runs(large)+"?limit=100")
}

// watcher follows a run that is new, and does not read.
func (a *attacks) watcher(ctx context.Context) string {
	run, err := a.client().Runs.Create(ctx, a.agents[breaks], rota.RunCreate{Input: rota.InputText("x")})
	if err != nil {
		return "no run"
	}
	return a.hang(ctx, a.runs(breaks)+"/"+string(run.ID)+"/events")
}

// hang asks, and holds the connection until the server closes it or 40 s have passed.
func (a *attacks) hang(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	host := strings.TrimPrefix(a.server.url, "http://")
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return "no connection"
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nX-On-Behalf-Of: attacker\r\n\r\n", path, host, key)
	<-ctx.Done()
	return "held"
}
