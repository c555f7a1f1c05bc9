package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/stretchr/testify/require"
)

func withCause(t *testing.T) (context.Context, context.CancelCauseFunc) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return ctx, cancel
}

func delta(id int) string {
	return fmt.Sprintf("id: %d\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"%d\"}\n\n", id, id)
}

func terminal(id int, typ string) string {
	return fmt.Sprintf("id: %d\ndata: {\"type\":%q}\n\n", id, typ)
}

// follow returns the ids that a stream yields, and its error.
func follow(ctx context.Context, c *client.Client, opts ...client.CallOption) (ids string, err error) {
	for e, err := range c.Runs.Events(ctx, "agt_1", "arun_1", opts...) {
		if err != nil {
			return ids, err
		}
		ids += e.ID
	}
	return ids, nil
}

func TestEvents(t *testing.T) {
	stream := ": keep-alive\n\n" + delta(1) + ": keep-alive\n\n" + delta(2) + terminal(3, "response.completed")
	c, seen := serve(t, 200, stream)
	var events []client.Event
	for e, err := range c.Runs.Events(t.Context(), "agt_1", "arun_1", client.AfterEvent("0")) {
		require.NoError(t, err)
		events = append(events, e)
	}
	require.Equal(t, "/api/v1/agents/agt_1/runs/arun_1/events", seen.uri)
	require.Equal(t, "text/event-stream", seen.header.Get("Accept"))
	require.Equal(t, "0", seen.header.Get("Last-Event-ID"))
	require.Equal(t, "Bearer secret", seen.header.Get("Authorization"))
	require.Len(t, events, 3)
	require.Equal(t, client.Event{ID: "1", Type: "response.output_text.delta", Data: []byte(`{"type":"response.output_text.delta","delta":"1"}`)}, events[0])
	require.False(t, events[1].Terminal())
	require.True(t, events[2].Terminal())
}

func TestEventsGoOnAfterAnAttemptThatFailed(t *testing.T) {
	c, _ := serve(t, 200, terminal(1, "response.failed")+delta(2)+terminal(3, "response.completed"))
	ids, err := follow(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, "123", ids)
}

func TestTheCallerMayStopAStream(t *testing.T) {
	gone := make(chan struct{})
	c := handle(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, delta(1))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	})
	for _, err := range c.Runs.Events(t.Context(), "agt_1", "arun_1") {
		require.NoError(t, err)
		break
	}
	<-gone // the connection was closed
}

func TestTheContextEndsAStream(t *testing.T) {
	c := handle(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, delta(1))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := withCause(t)
	var last error
	for _, err := range c.Runs.Events(ctx, "agt_1", "arun_1") {
		cancel(errEnough)
		last = err
	}
	require.ErrorIs(t, last, errEnough)
}

// A script answers each request with its next line, and notes from where the
// stream was to go on.
type script struct {
	lines []response
	after []string
}

type response struct {
	status int
	header http.Header
	body   string
	breaks bool // after the body, instead of ending
	err    error
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.after = append(s.after, r.Header.Get("Last-Event-ID"))
	line := s.lines[min(len(s.after), len(s.lines))-1]
	if line.err != nil {
		return nil, line.err
	}
	var body io.Reader = strings.NewReader(line.body)
	if line.breaks {
		body = io.MultiReader(body, broken{})
	}
	return &http.Response{StatusCode: line.status, Header: line.header, Body: io.NopCloser(body)}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func ok(body string) response { return response{status: 200, body: body} }

func TestStreamsResume(t *testing.T) {
	wrong := response{status: 404}
	down := response{err: io.ErrClosedPipe}
	busy := response{status: 503, header: http.Header{"Retry-After": {"20"}}}
	for name, test := range map[string]struct {
		lines  []response
		events string
		after  []string
		waited time.Duration
		err    error
	}{
		"after a break":               {[]response{{status: 200, body: delta(1) + delta(2), breaks: true}, ok(delta(3) + terminal(4, "response.completed"))}, "1234", []string{"", "2"}, 500 * time.Millisecond, nil},
		"after an early end":          {[]response{ok(delta(1)), ok(terminal(2, "response.completed"))}, "12", []string{"", "1"}, 500 * time.Millisecond, nil},
		"without half an event":       {[]response{ok(delta(1) + "id: 2\ndata: {\"ty"), ok(terminal(2, "response.failed"))}, "12", []string{"", "1"}, 500 * time.Millisecond, nil},
		"not after the last event":    {[]response{{status: 200, body: terminal(1, "error"), breaks: true}}, "1", []string{""}, 0, nil},
		"when the server comes back":  {[]response{ok(delta(1)), down, down, ok(terminal(2, "response.completed"))}, "12", []string{"", "1", "1", "1"}, 3500 * time.Millisecond, nil},
		"as late as the server asks":  {[]response{ok(delta(1)), busy, ok(terminal(2, "response.completed"))}, "12", []string{"", "1", "1"}, 20500 * time.Millisecond, nil},
		"not forever":                 {[]response{ok(delta(1)), down}, "1", []string{"", "1", "1", "1", "1", "1"}, 15500 * time.Millisecond, rota.Unavailable},
		"not when the run is gone":    {[]response{ok(delta(1)), wrong}, "1", []string{"", "1"}, 500 * time.Millisecond, rota.NotFound},
		"not if it never stood":       {[]response{down}, "", []string{""}, 0, rota.Unavailable},
		"not if events would repeat":  {[]response{ok("data: {}\n\n")}, "", []string{""}, 0, rota.Unavailable},
		"not after what is not JSON":  {[]response{ok("id: 1\ndata: {\n\n")}, "", []string{""}, 0, rota.Internal},
		"not after an event too long": {[]response{ok("data: \"" + strings.Repeat("x", 5000) + "\"\n\n")}, "", []string{""}, 0, rota.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{lines: test.lines}
				c := client.New("http://fake", "k", client.WithHTTPClient(&http.Client{Transport: s}), client.WithMaxAnswer(4096))
				start := time.Now()
				ids, err := follow(t.Context(), c)
				require.ErrorIs(t, err, test.err)
				require.Equal(t, test.events, ids)
				require.Equal(t, test.after, s.after)
				require.Equal(t, test.waited, time.Since(start))
			})
		})
	}
}

func TestEveryEventRenewsTheAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		for i := range 9 {
			s.lines = append(s.lines, ok(delta(i)))
		}
		s.lines = append(s.lines, ok(terminal(9, "response.completed")))
		c := client.New("http://fake", "k", client.WithHTTPClient(&http.Client{Transport: s}))
		ids, err := follow(t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, "0123456789", ids)
	})
}

func TestTheContextEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{lines: []response{ok(delta(1)), {err: io.ErrClosedPipe}}}
		c := client.New("http://fake", "k", client.WithHTTPClient(&http.Client{Transport: s}))
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		defer cancel()
		_, err := follow(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
