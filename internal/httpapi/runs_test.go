package httpapi_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/tmaxmax/go-sse"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

func TestRuns(t *testing.T) {
	c := newAPI(t).acme()
	agent := c.newAgent("a")
	created := c.send(http.MethodPost, agent+"/runs", `{"input":[{"type":"text","text":"hi"}],"conversation":"conv_1","metadata":{"a":"1"}}`).is(http.StatusCreated)
	require.Regexp(t, `^arun_[0-9a-f]{32}$`, created.id())
	require.Empty(t, created.Header.Get("ETag"), "a run has no version")
	r := created.object()
	require.Len(t, r, 30, "the 14 fields of the published object and 16 of ours")
	for field, want := range map[string]any{
		"object": "agent.run", "status": "queued", "phase": "queued", "trigger": "api", "conversation": "conv_1", "previous_response_id": nil,
		"gateway_response_id": nil, "gateway_response": nil, "error": nil, "completed_at": nil, "schedule_id": nil, "scheduled_for": nil,
		"started_at": nil, "ready_at": nil, "sleep": nil, "reason": nil, "context_management": nil, "attempts": []any{}, "usage": nil, "tokens": nil, "lateness_ms": nil, "end_user": nil,
	} {
		require.Contains(t, r, field)
		require.Equal(t, want, r[field], field)
	}
	path := agent + "/runs/" + created.id()
	require.Equal(t, r, c.send(http.MethodGet, path, "").is(http.StatusOK).object())
	require.Equal(t, r, c.send(http.MethodGet, "/api/v1/runs/"+created.id(), "").is(http.StatusOK).object())
	require.Len(t, c.send(http.MethodGet, agent+"/runs", "").is(http.StatusOK).object()["data"], 1)
	c.send(http.MethodPost, agents+"/agt_none/runs", `{"input":"hi"}`).is(http.StatusNotFound)
	c.send(http.MethodGet, agents+"/agt_none/runs", "").is(http.StatusNotFound)
	c.send(http.MethodGet, c.newAgent("b")+"/runs/"+created.id(), "").is(http.StatusNotFound)
}

func TestCancel(t *testing.T) {
	c := newAPI(t).acme()
	path := c.newRun(c.newAgent("a"))
	r := c.send(http.MethodPost, path+"/cancel", "").is(http.StatusOK).object()
	require.Equal(t, "cancelled", r["status"])
	require.Equal(t, "cancelled", r["phase"])
	require.Nil(t, r["error"])
	require.Equal(t, "cancelled", r["reason"].(map[string]any)["code"])
	require.NotNil(t, r["completed_at"])
	require.Equal(t, r, c.send(http.MethodPost, path+"/cancel", "{}").is(http.StatusOK).object(), "cancelled stays cancelled")
}

// finish ends a run as an engine would.
func (s *server) finish(id rota.RunID) {
	s.t.Helper()
	s.finishWith(id, rota.AnyOf(map[string]string{"id": "resp_1", "object": "response"}))
}

func (s *server) finishWith(id rota.RunID, response rota.Any) {
	s.t.Helper()
	require.NoError(s.t, s.store.Update(s.t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
		if _, err := tx.ClaimRuns(ctx, s.clock.Now(), rota.Claim{Provider: "test", Limit: 10}); err != nil {
			return err
		}
		_, err := tx.FinishRun(ctx, id, rota.Result{
			Phase: rota.PhaseCompleted, ResponseID: "resp_1", Response: response,
			Usage: rota.AnyOf(map[string]int{"total_tokens": 7}), Tokens: &rota.Tokens{Input: 5, Cached: 1, Output: 2, Total: 7}, CompletedAt: s.clock.Now(),
		}, policy.Settle)
		return err
	}))
}

func TestCompletedRuns(t *testing.T) {
	c := newAPI(t).acme()
	path := c.newRun(c.newAgent("a"))
	c.finish(rota.RunID(c.send(http.MethodGet, path, "").id()))
	r := c.send(http.MethodGet, path, "").is(http.StatusOK).object()
	require.Equal(t, "completed", r["status"])
	require.Equal(t, "resp_1", r["gateway_response_id"])
	require.Equal(t, map[string]any{"id": "resp_1", "object": "response"}, r["gateway_response"])
	require.Equal(t, map[string]any{"total_tokens": 7.0}, r["usage"])
	require.Equal(t, map[string]any{"input": 5.0, "cached": 1.0, "output": 2.0, "reasoning": 0.0, "total": 7.0}, r["tokens"])
	c.send(http.MethodPost, path+"/cancel", "").is(http.StatusConflict)

	stream := c.send(http.MethodGet, path+"/events", "").is(http.StatusOK)
	require.Equal(t, "text/event-stream", stream.Header.Get("Content-Type"))
	all := eventsOf(t, stream)
	require.Len(t, all, 1, "a single terminal event")
	require.Contains(t, all[0].Data, `"type":"response.completed"`)
	require.Empty(t, c.send(http.MethodGet, path+"/events", "", "Last-Event-ID", all[0].LastEventID).is(http.StatusNoContent).Body)
	require.Empty(t, eventsOf(t, c.send(http.MethodGet, path+"/events?starting_after="+all[0].LastEventID, "")))
	require.Empty(t, c.send(http.MethodHead, path+"/events", "").is(http.StatusOK).Body)
	c.send(http.MethodGet, path+"x/events", "").is(http.StatusNotFound)
	c.send(http.MethodGet, path+"/events?starting_after=x", "", "Last-Event-ID", all[0].LastEventID).is(http.StatusBadRequest)
}

func eventsOf(t *testing.T, r reply) []sse.Event {
	t.Helper()
	var all []sse.Event
	for e, err := range sse.Read(strings.NewReader(string(r.Body)), nil) {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// A stream of a run that is worked on goes on until the run ends, and can be
// taken up after any event.
func TestEventsOfARunningRun(t *testing.T) {
	c := newAPI(t).acme()
	path := c.newRun(c.newAgent("a"))
	id := rota.RunID(c.send(http.MethodGet, path, "").id())
	log := c.hub.Open(id)
	web := httptest.NewServer(c.handler)
	defer web.Close()

	r := c.request(http.MethodGet, web.URL+path+"/events?starting_after=1", "")
	r.RequestURI = "" // it is a client's now
	for seq := range int64(3) {
		log.Append(events.Event{Seq: seq, Data: []byte(`{"type":"response.output_text.delta"}`)})
	}
	res, err := web.Client().Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	next, stop := iter.Pull2(sse.Read(res.Body, nil))
	defer stop()
	one := func() string {
		e, err, ok := next()
		require.True(t, ok, "the stream has ended")
		require.NoError(t, err)
		return e.LastEventID
	}

	require.Equal(t, "2", one(), "what came before is not sent again")
	log.Append(events.Event{Seq: 3, Data: []byte(`{"type":"response.output_text.done"}`)})
	require.Equal(t, "3", one(), "events arrive while the run goes on")
	c.finish(id)
	c.hub.End(id)
	require.Equal(t, strconv.FormatInt(events.FirstSeq(2), 10), one(), "the terminal event is above those of every attempt")
	_, _, more := next()
	require.False(t, more)
}

// TestAStartThatWasGivenUpIsNotRepeated: the caller goes while the database is
// busy, and asks again.
func TestAStartThatWasGivenUpIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newAPI(t)
		acme := s.acme()
		runs := acme.newAgent("a") + "/runs"
		release := make(chan struct{})
		go func() {
			_ = s.store.Update(t.Context(), func(context.Context, sqlstore.Queries) error {
				<-release
				return nil
			})
		}()
		synctest.Wait() // the database is busy
		ctx, hangUp := context.WithCancel(t.Context())
		gone := make(chan any)
		go func() {
			defer func() { gone <- recover() }()
			s.handler.ServeHTTP(httptest.NewRecorder(), acme.request(http.MethodPost, runs, `{"input":"x"}`).WithContext(ctx))
		}()
		synctest.Wait()
		hangUp()
		require.Equal(t, http.ErrAbortHandler, <-gone, "nothing is answered")

		answered := make(chan reply)
		go func() { answered <- acme.send(http.MethodPost, runs, `{"input":"x"}`) }()
		synctest.Wait()
		close(release)
		id := (<-answered).is(http.StatusCreated).id()
		other := acme.send(http.MethodPost, runs, `{"input":"x"}`).is(http.StatusCreated).id()
		require.NotEqual(t, id, other, "a caller that has its answer and asks again means it")
		require.Len(t, acme.send(http.MethodGet, runs, "").is(http.StatusOK).object()["data"], 2)
	})
}
