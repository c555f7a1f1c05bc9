package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/httpapi"
	"github.com/rota-run/rota/internal/limits"
	"github.com/rota-run/rota/internal/ports"
	"github.com/rota-run/rota/internal/responder"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlite/sqlitetest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// server is the API over a real store, without an engine.
type server struct {
	t       *testing.T
	store   store.Store
	handler http.Handler
	clock   *clock
	hub     *events.Hub
	feed    *events.Feed
	control *control.Control
	keeper  *limits.Keeper

	responder *responder.Responder
	models    *models
}

// clock moves on by a millisecond whenever somebody looks at it.
type clock struct{ ms atomic.Int64 }

func (c *clock) Now() time.Time {
	return start.Add(time.Duration(c.ms.Add(1)) * time.Millisecond)
}

func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

type idle struct{}

func (idle) Run(context.Context) error { return nil }
func (idle) Changed()                  {}
func (idle) Cancel(rota.RunID)         {}

type oneProvider struct{}

func (oneProvider) Models(context.Context) []rota.Model {
	return []rota.Model{rota.NewModel("small", "test"), rota.NewModel("org/large", "test")}
}

func (oneProvider) Resolve(model string) (provider, name string, err error) {
	return "test", model, nil
}

// oneTool is every MCP server.
type oneTool struct{}

func (oneTool) Tools(context.Context, rota.Owner, rota.MCPServer) ([]string, error) {
	return []string{"search"}, nil
}

func newAPI(t *testing.T, ofKeys ...rota.RateLimit) *server {
	t.Helper()
	feed := events.NewFeed(time.After)
	store := sqlitetest.OpenWith(t, sqlite.Options{OnChange: feed.Changed})
	s := &server{t: t, store: store, clock: new(clock), feed: feed, hub: events.NewHub(), keeper: &limits.Keeper{Store: ports.Limits(store)}}
	s.handler = newServer(t, nil, func(c *httpapi.Config) {
		c.Now, c.Keys, c.Limits = s.clock.Now, store, &auth.Limiter{Store: ports.Limiter(store), Default: ofKeys, Of: s.keeper.Of}
		s.models = newModels(t)
		s.responder = &responder.Responder{
			Store: ports.Responder(store), Gateway: s.models, Now: s.clock.Now, Log: slog.New(slog.DiscardHandler),
			Worker: "wrk_1", Wake: make(chan struct{}, 1), Alone: true, Busy: new(responder.Busy), Shares: engine.Shares{Limits: s.keeper},
		}
		s.control = &control.Control{
			Store: ports.Control(store), Engine: idle{}, Hub: s.hub, Feed: feed, Models: oneProvider{}, Responder: s.responder, MCP: oneTool{},
			Now: s.clock.Now, Audit: slog.New(slog.DiscardHandler), AgentRetention: time.Hour, MinInterval: time.Second,
			Limits: s.keeper,
		}
		c.Control = s.control
	})
	return s
}

// caller is a key, and the end user whom it acts for.
type caller struct {
	*server
	secret  string
	endUser string
}

// key puts a key into the store.
func (s *server) key(account, secret string, scopes ...rota.Scope) caller {
	s.t.Helper()
	if scopes == nil {
		scopes = append(rota.DefaultScopes(), rota.ReadAPIKeys, rota.WriteAPIKeys)
	}
	k := rota.Key{
		Object: rota.ObjectKey, ID: rota.NewKeyID(s.clock.Now()), Account: account, Name: account,
		Hint: auth.Hint(secret), Scopes: scopes, Generation: 1, CreatedAt: rota.InstantOf(s.clock.Now()),
	}
	require.NoError(s.t, s.store.Update(s.t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.AddKey(ctx, k, auth.Hash(secret))
	}))
	return caller{server: s, secret: secret}
}

func (s *server) acme() caller { return s.key("acme", "rk_the-first-key-of-acme") }

// as returns the caller acting for an end user.
func (c caller) as(endUser string) caller {
	c.endUser = endUser
	return c
}

// reply is an answer.
type reply struct {
	t      *testing.T
	Status int
	Header http.Header
	Body   []byte
}

// send makes a request and records both directions for test/openapi. A request
// that is answered with an error may be one that the document forbids.
func (c caller) send(method, target, body string, headers ...string) reply {
	c.t.Helper()
	res := c.sendUnlike(method, target, body, headers...)
	var fits *bool
	if res.Status < 400 {
		fits = new(true)
	}
	record(c.t, c.request(method, target, body, headers...), body, fits, &response{res.Status, res.Header, res.Body})
	return res
}

// sendUnlike makes a request that is taken although the document does not have it.
func (c caller) sendUnlike(method, target, body string, headers ...string) reply {
	c.t.Helper()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, c.request(method, target, body, headers...))
	res := w.Result()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return reply{t: c.t, Status: res.StatusCode, Header: res.Header, Body: raw}
}

func (c caller) request(method, target, body string, headers ...string) *http.Request {
	r := request(method, target, body, headers...)
	r.Header.Set("Authorization", "Bearer "+c.secret)
	if c.endUser != "" {
		r.Header.Set("X-On-Behalf-Of", c.endUser)
	}
	return r
}

// is requires the status.
func (r reply) is(status int) reply {
	r.t.Helper()
	require.Equal(r.t, status, r.Status, "%s", r.Body)
	return r
}

// object returns the body's members.
func (r reply) object() map[string]any {
	r.t.Helper()
	var m map[string]any
	require.NoError(r.t, json.Unmarshal(r.Body, &m))
	return m
}

func (r reply) id() string { return r.object()["id"].(string) }

func (r reply) failure() failure {
	r.t.Helper()
	var body struct{ Error failure }
	require.NoError(r.t, json.Unmarshal(r.Body, &body))
	return body.Error
}

func read[T any](r reply) T {
	r.t.Helper()
	var v T
	require.NoError(r.t, json.Unmarshal(r.Body, &v))
	return v
}

// newAgent saves an agent and returns its path.
func (c caller) newAgent(name string) string {
	c.t.Helper()
	return agents + "/" + c.send(http.MethodPost, agents, `{"name":"`+name+`","model":"auto"}`).is(http.StatusCreated).id()
}

// newRun starts a run and returns its path.
func (c caller) newRun(agent string) string {
	c.t.Helper()
	return agent + "/runs/" + c.send(http.MethodPost, agent+"/runs", `{"input":"hi"}`).is(http.StatusCreated).id()
}

const everyHour = `{"schedule":{"type":"interval","interval_seconds":3600},"input":"hi"}`

// newSchedule puts the agent on a schedule and returns its path.
func (c caller) newSchedule(agent string) string {
	c.t.Helper()
	return agent + "/schedules/" + c.send(http.MethodPost, agent+"/schedules", everyHour).is(http.StatusCreated).id()
}
