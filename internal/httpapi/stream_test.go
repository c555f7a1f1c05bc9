package httpapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tmaxmax/go-sse"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/events"
)

// script is an EventReader that plays steps.
type script []func(context.Context) (events.Event, error)

func (s *script) Next(ctx context.Context) (events.Event, error) {
	if len(*s) == 0 {
		return events.Event{}, io.EOF
	}
	step := (*s)[0]
	*s = (*s)[1:]
	return step(ctx)
}

func event(seq int64, data string) func(context.Context) (events.Event, error) {
	return func(context.Context) (events.Event, error) {
		return events.Event{Seq: seq, Data: []byte(data)}, nil
	}
}

func later(d time.Duration, step func(context.Context) (events.Event, error)) func(context.Context) (events.Event, error) {
	return func(ctx context.Context) (events.Event, error) {
		select {
		case <-time.After(d):
			return step(ctx)
		case <-ctx.Done():
			return events.Event{}, ctx.Err()
		}
	}
}

func fails(err error) func(context.Context) (events.Event, error) {
	return func(context.Context) (events.Event, error) { return events.Event{}, err }
}

func testAPI() *api {
	return &api{Config: Config{Log: slog.New(slog.DiscardHandler), Now: time.Now}}
}

// flushes counts how often an answer is flushed.
type flushes struct {
	*httptest.ResponseRecorder
	n int
}

func (f *flushes) FlushError() error {
	f.n++
	return nil
}

func TestStreamFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		testAPI().send(w, r, stream{EventReader: &script{event(0, `{"type":"a"}`), event(7, "{\n\"type\":\"b\"}")}})
		require.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(t, "no", w.Header().Get("X-Accel-Buffering"))
		require.Equal(t, "id: 0\ndata: {\"type\":\"a\"}\n\nid: 7\ndata: {\ndata: \"type\":\"b\"}\n\n", w.Body.String())

		var ids []string
		for e, err := range sse.Read(w.Body, nil) {
			require.NoError(t, err)
			ids = append(ids, e.LastEventID+" "+e.Data)
		}
		require.Equal(t, []string{`0 {"type":"a"}`, "7 {\n\"type\":\"b\"}"}, ids)
	})
}

func TestStreamKeepsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		s := &script{
			later(time.Second, event(1, "1")), event(2, "2"), event(3, "3"),
			later(39*time.Second, event(4, "4")),
		}
		testAPI().send(w, httptest.NewRequest(http.MethodGet, "/", nil), stream{EventReader: s})
		body := w.Body.String()
		require.Equal(t, 19, strings.Count(body, ": keep-alive\n\n"), "one for every 2 s of silence: %s", body)
		require.Less(t, strings.Index(body, "data: 3"), strings.Index(body, "keep-alive"))
		require.Less(t, strings.LastIndex(body, "keep-alive"), strings.Index(body, "data: 4"))
	})
}

func TestStreamFlushesOnceForWhatIsThere(t *testing.T) {
	w := &flushes{ResponseRecorder: httptest.NewRecorder()}
	ahead := &aheadReader{events: make(chan events.Event, 3), err: io.EOF}
	for seq := range int64(3) {
		ahead.events <- events.Event{Seq: seq, Data: []byte("{}")}
	}
	close(ahead.events)
	require.ErrorIs(t, transmitter{w: w, rc: http.NewResponseController(w), gate: new(gate)}.run(ahead), io.EOF)
	require.Equal(t, 3, strings.Count(w.Body.String(), "data: {}"))
	require.Equal(t, 1, w.n)
}

// A stream that fails is cut off: its end would say that it is whole.
func TestStreamFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		s := stream{EventReader: &script{event(1, "1"), fails(errors.New("store is gone"))}}
		require.PanicsWithValue(t, http.ErrAbortHandler, func() {
			testAPI().send(w, httptest.NewRequest(http.MethodGet, "/", nil), s)
		})
		require.Contains(t, w.Body.String(), "data: 1")
		require.NotContains(t, w.Body.String(), "gone")
	})
}

func TestStreamEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
		require.PanicsWithValue(t, http.ErrAbortHandler, func() {
			testAPI().send(httptest.NewRecorder(), r, stream{EventReader: &script{later(time.Hour, event(1, "1"))}})
		})
		require.Error(t, ctx.Err())
	})
}

func TestStreamHead(t *testing.T) {
	w := httptest.NewRecorder()
	testAPI().send(w, httptest.NewRequest(http.MethodHead, "/", nil), stream{EventReader: &script{event(1, "1")}})
	require.Equal(t, http.StatusOK, w.Code)
	require.Empty(t, w.Body.String())
}

// endless is an EventReader that always has a large event.
type endless struct{ seq int64 }

func (e *endless) Next(context.Context) (events.Event, error) {
	e.seq++
	return events.Event{Seq: e.seq, Data: []byte(strings.Repeat("x", 1<<16))}, nil
}

// serve serves one connection with a stream, and returns the client's end. The
// channel gets how long the stream lasted.
func serve(t *testing.T, server *http.Server, r control.EventReader) (net.Conn, <-chan time.Duration) {
	client, conn := net.Pipe()
	ended := make(chan time.Duration, 1)
	a := testAPI()
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		started := time.Now()
		defer func() { ended <- time.Since(started) }()
		a.send(w, req, stream{EventReader: r})
	})
	go server.Serve(&oneConn{conn: conn, done: make(chan struct{})})
	_, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: rota\r\n\r\n")
	require.NoError(t, err)
	return client, ended
}

// A client that does not read is cut off after the write timeout.
func TestStreamToSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := new(http.Server)
		client, ended := serve(t, server, &endless{})
		defer client.Close()
		_, err := bufio.NewReader(client).ReadString('\n')
		require.NoError(t, err)
		require.InDelta(t, writeTimeout.Seconds(), (<-ended).Seconds(), 1)
		require.NoError(t, server.Close())
	})
}

// The timeouts of the server are for requests; a stream may last longer.
func TestStreamOutlastsTheTimeoutsOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &http.Server{ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
		client, ended := serve(t, server, &script{later(time.Hour, event(1, "at last"))})
		defer client.Close()
		res, err := http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Contains(t, string(body), "data: at last")
		require.Equal(t, time.Hour, <-ended)
		require.NoError(t, server.Close())
	})
}

// oneConn is a listener that accepts one connection.
type oneConn struct {
	conn net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	close(l.done)
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }

// TestStreamAsks: a stream asks at most once a second whether it may go on, and is
// cut off before it writes anything when it may not.
func TestStreamAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, started := 0, time.Now()
		s := stream{
			EventReader: &script{event(1, "1"), later(time.Second, event(2, "2")), event(3, "3"), later(time.Hour, event(4, "4"))},
			admitted: func() error {
				asked++
				if time.Since(started) > 10*time.Second {
					return rota.Errorf(rota.Unauthenticated, "revoked")
				}
				return nil
			},
		}
		w := httptest.NewRecorder()
		require.PanicsWithValue(t, http.ErrAbortHandler, func() {
			testAPI().send(w, httptest.NewRequest(http.MethodGet, "/", nil), s)
		})
		require.Equal(t, 11*time.Second, time.Since(started), "with the first keep-alive after it was revoked")
		require.Equal(t, 6, asked, "for event 2 and each keep-alive")
		require.Equal(t, 4, strings.Count(w.Body.String(), "keep-alive"))
	})
}
