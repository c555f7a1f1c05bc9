package httpapi_test

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tmaxmax/go-sse"

	"github.com/rota-run/rota"
)

// followed is an open stream of changes.
type followed struct {
	t    *testing.T
	next func() (sse.Event, error, bool)
	last string // the id of the last message
}

// follows opens the stream, from now on unless headers say otherwise.
func (c caller) follows(query string, headers ...string) *followed {
	c.t.Helper()
	web := httptest.NewServer(c.handler)
	ctx, cancel := context.WithCancel(c.t.Context())
	r := c.request(http.MethodGet, web.URL+"/api/v1/changes"+query, "", headers...).WithContext(ctx)
	r.RequestURI = "" // it is a client's now
	res, err := web.Client().Do(r)
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, res.StatusCode)
	next, stop := iter.Pull2(sse.Read(res.Body, nil))
	c.t.Cleanup(func() {
		cancel()
		stop()
		res.Body.Close()
		web.Close()
	})
	return &followed{t: c.t, next: next}
}

func (f *followed) message() rota.Changes {
	f.t.Helper()
	e, err, ok := f.next()
	require.True(f.t, ok, "the stream has ended")
	require.NoError(f.t, err)
	f.last = e.LastEventID
	var m rota.Changes
	require.NoError(f.t, json.Unmarshal([]byte(e.Data), &m))
	return m
}

// until reads up to the change of a thing, and returns all changes.
func (f *followed) until(kind rota.ChangeKind, id string) (all []rota.Change) {
	f.t.Helper()
	for {
		m := f.message()
		require.Equal(f.t, rota.ChangesSome, m.Type)
		all = append(all, m.Data...)
		for _, c := range m.Data {
			if c.Kind == kind && c.ID == id {
				return all
			}
		}
	}
}

// TestChanges: each follows what it may read, by ids alone, and goes on where it was.
func TestChanges(t *testing.T) {
	s := newAPI(t)
	c := s.operator("acme")
	globex := s.operator("globex")
	mine, anas, everybodys, globexs := c.follows(""), c.as("ana").follows(""), c.follows("?end_user=*"), globex.follows("?end_user=*")
	for _, f := range []*followed{mine, anas, everybodys, globexs} {
		require.Equal(t, rota.ChangesStarted, f.message().Type)
	}

	hers := c.as("ana").newSchedule(c.as("ana").newAgent("hers"))
	agent := path.Base(path.Dir(path.Dir(hers)))
	for _, f := range []*followed{anas, everybodys} {
		all := f.until(rota.ScheduleChanged, path.Base(hers))
		require.Contains(t, all, rota.Change{Kind: rota.AgentChanged, ID: agent, AgentID: rota.AgentID(agent), EndUser: "ana"})
	}
	c.as("ana").send(http.MethodPost, hers+"/trigger", "").is(http.StatusOK)
	var fired rota.Change
	for fired.Kind != rota.OccurrenceChanged {
		fired = everybodys.message().Data[0]
	}
	require.Equal(t, "ana", fired.EndUser)
	require.Equal(t, path.Base(hers), string(fired.ScheduleID))
	require.Equal(t, agent, string(fired.AgentID))
	before := everybodys.last
	s.finish(fired.RunID)
	require.Equal(t, rota.Change{
		Kind: rota.RunChanged, ID: string(fired.RunID), AgentID: fired.AgentID, ScheduleID: fired.ScheduleID, EndUser: "ana",
	}, everybodys.message().Data[0])

	own := path.Base(c.newAgent("mine"))
	require.Len(t, mine.until(rota.AgentChanged, own), 1, "the account does not see what is hers")
	theirs := path.Base(globex.newAgent("theirs"))
	require.Len(t, globexs.until(rota.AgentChanged, theirs), 1)
	again := c.follows("?end_user=ana", "Last-Event-ID", before)
	require.Equal(t, string(fired.RunID), again.message().Data[0].ID)
	require.Equal(t, rota.ChangesReset, c.follows("?starting_after=1").message().Type)

	run := c.send(http.MethodPost, "/api/v1/agents/"+own+"/runs", `{"input":"x"}`).is(http.StatusCreated).id()
	mine.until(rota.RunChanged, run)
	s.finish(rota.RunID(run))
	ended := mine.until(rota.RunChanged, run)
	require.Equal(t, own, string(ended[0].AgentID))

	plain := s.key("acme", "rk_the-second-key-of-acme")
	plain.send(http.MethodGet, "/api/v1/changes?end_user=*", "").is(http.StatusForbidden)
	plain.as("ana").send(http.MethodGet, "/api/v1/changes?end_user=bob", "").is(http.StatusForbidden)
	plain.send(http.MethodGet, "/api/v1/changes?starting_after=x", "").is(http.StatusBadRequest)
	s.key("acme", "rk_the-third-key-of-acme", rota.ReadAPIKeys).send(http.MethodGet, "/api/v1/changes", "").is(http.StatusForbidden)
}

// A glimpse cancels its request with the first message.
type glimpse struct {
	*httptest.ResponseRecorder
	cancel func()
}

// FlushError implements what http.ResponseController looks for.
func (g glimpse) FlushError() error {
	if g.Body.Len() > 0 {
		g.cancel()
	}
	return nil
}

// glances is send for the stream of changes, which has no end: it reads one message.
func (c caller) glances() reply {
	const target = "/api/v1/changes"
	ctx, cancel := context.WithCancel(c.t.Context())
	g := glimpse{httptest.NewRecorder(), cancel}
	require.PanicsWithValue(c.t, http.ErrAbortHandler, func() {
		c.handler.ServeHTTP(g, c.request(http.MethodGet, target, "").WithContext(ctx))
	})
	res := g.Result()
	record(c.t, c.request(http.MethodGet, target, ""), "", new(true), &response{res.StatusCode, res.Header, g.Body.Bytes()})
	return reply{t: c.t, Status: res.StatusCode, Header: res.Header, Body: g.Body.Bytes()}
}
