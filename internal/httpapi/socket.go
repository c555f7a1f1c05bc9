package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/control"
)

const (
	socketLife     = time.Hour        // after which a WebSocket is closed
	socketCheck    = 5 * time.Second  // how often it is asked whether its key would still be let in
	socketPing     = 20 * time.Second // how often a proxy on the way sees that it is used
	socketsOfOwner = 64               // WebSockets that an owner may have at once
	socketsInAll   = 1024             // WebSockets of all owners

	// codeSocketLife is what clients of the Responses API know the end of its life as.
	codeSocketLife = rota.Code("websocket_connection_limit_reached")
)

// sockets counts the WebSockets that are open.
type sockets struct {
	mu  sync.Mutex
	all int
	of  map[rota.Owner]int
}

// open counts one more, and returns what counts it no more.
func (s *sockets) open(o rota.Owner) (closed func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= socketsInAll || s.of[o] >= socketsOfOwner {
		return nil, &rota.Error{Code: rota.RateLimited, RetryAfter: time.Minute, Msg: "as many WebSockets are open as may be: close one, or use one for several responses"}
	}
	if s.of == nil {
		s.of = map[rota.Owner]int{}
	}
	s.all, s.of[o] = s.all+1, s.of[o]+1
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.all, s.of[o] = s.all-1, s.of[o]-1; s.of[o] == 0 {
			delete(s.of, o)
		}
	}, nil
}

// orSocket returns the handler of GET /responses for requests that ask for a WebSocket,
// over which responses are created, and h for all others.
func (a *api) orSocket(create *operation, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			h.ServeHTTP(w, r)
			return
		}
		if err := a.connect(create, w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// connect serves a WebSocket until it is closed. The error is that of a request that is
// not let in.
func (a *api) connect(op *operation, w http.ResponseWriter, r *http.Request) error {
	who, err := a.admitCaller(op, w, r)
	if err != nil {
		return err
	}
	closed, err := a.sockets.open(who.Owner)
	if err != nil {
		return err
	}
	defer closed()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: a.Origins, InsecureSkipVerify: slices.Contains(a.Origins, "*")})
	if err != nil {
		return nil // it has been answered
	}
	size, cost := a.most(op)
	conn.SetReadLimit(size)
	s := &socket{api: a, op: op, conn: conn, w: w, r: r, cost: cost, session: a.Control.NewSession(), messages: make(chan message), over: make(chan struct{})}
	defer s.session.Close()
	code, why := s.serve(r.Context())
	close(s.over)
	_ = conn.Close(code, why)
	s.reading.Wait()
	return nil
}

// A socket is a WebSocket over which responses are created, one after the other.
type socket struct {
	*api
	op       *operation
	conn     *websocket.Conn
	w        http.ResponseWriter // of the request that has asked for it, and
	r        *http.Request       // that request
	cost     int64
	session  *control.Session
	messages chan message  // closed when no more can come
	over     chan struct{} // closed when none is taken any more
	reading  sync.WaitGroup
}

// A message is what a client has sent, and the memory that it takes.
type message struct {
	body   []byte
	memory *budget.Account
	err    error
}

// serve answers messages until there are no more, and says how to close.
func (s *socket) serve(ctx context.Context) (websocket.StatusCode, string) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.reading.Go(func() { s.read(ctx, cancel) })
	s.reading.Go(func() { s.watch(ctx, cancel) })
	old := time.After(socketLife)
	for {
		select {
		case m, ok := <-s.messages:
			if !ok {
				return websocket.StatusNormalClosure, ""
			}
			err := s.take(ctx, m)
			m.memory.Release()
			if err != nil {
				return closing(ctx)
			}
		case <-old:
			_ = s.refuse(ctx, &rota.Error{Code: codeSocketLife, Msg: "the WebSocket has been open for an hour: open a new one to go on"})
			return websocket.StatusNormalClosure, string(codeSocketLife)
		case <-ctx.Done():
			return closing(ctx)
		}
	}
}

// closing says why a WebSocket is closed before its client has.
func closing(ctx context.Context) (websocket.StatusCode, string) {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errNotAdmitted):
		return websocket.StatusPolicyViolation, "the key is not valid any more"
	case errors.Is(cause, rota.Unavailable):
		return websocket.StatusGoingAway, "the server is stopping"
	default:
		return websocket.StatusNormalClosure, ""
	}
}

// read reads messages until the client has gone, with which everything ends. One message
// at most is read while another is answered.
func (s *socket) read(ctx context.Context, cancel context.CancelCauseFunc) {
	defer close(s.messages)
	for {
		_, from, err := s.conn.Reader(context.WithoutCancel(ctx)) // a context that ends would take the connection with it
		if err != nil {
			cancel(errors.Join(errClient, err))
			return
		}
		m := message{memory: s.Memory.Open()}
		if m.body, m.err = io.ReadAll(charged{from, ctx, m.memory}); m.err == nil {
			m.err = take(ctx, m.memory, s.cost*int64(len(m.body)))
		}
		select {
		case s.messages <- m:
		case <-s.over:
			m.memory.Release()
			return
		}
	}
}

// watch ends everything when the key is not valid any more, and keeps the connection in
// use until then.
func (s *socket) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	admitted := s.stillAdmitted(s.op, s.r)
	s.reading.Go(func() {
		for pause(ctx, socketPing) {
			_ = s.conn.Ping(ctx) // if the client has gone, its reader sees it
		}
	})
	for pause(ctx, socketCheck) {
		if err := admitted(); err != nil {
			cancel(errors.Join(errNotAdmitted, err))
			return
		}
	}
}

// pause waits, and reports false if ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// take answers a message. The error says that no more can be.
func (s *socket) take(ctx context.Context, m message) error {
	if m.err != nil {
		if errors.Is(m.err, rota.Unavailable) {
			_ = s.refuse(ctx, m.err)
		}
		return m.err // what is left of it cannot be told from the next
	}
	events, err := s.begin(ctx, m.body)
	for err == nil {
		e, failed := events.Next(ctx)
		if errors.Is(failed, io.EOF) {
			return nil
		}
		if err = failed; err == nil {
			if err := s.write(ctx, e.Data); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.refuse(ctx, err)
}

// begin begins the response that a message asks for. It is let in like a request.
func (s *socket) begin(ctx context.Context, body []byte) (control.EventReader, error) {
	who, err := s.admitCaller(s.op, s.w, s.r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	return s.session.CreateResponse(ctx, who, body)
}

// A socketError is the frame of an error.
type socketError struct {
	Type   string      `json:"type"`
	Status int         `json:"status"`
	Error  ErrorDetail `json:"error"`
}

// refuse sends what went wrong.
func (s *socket) refuse(ctx context.Context, err error) error {
	e := rota.Public(err)
	s.logCause(s.w, s.r, e.Code, err)
	frame := socketError{Type: "error", Status: kindOf(e.Code).status, Error: detailOf(e)}
	if e.Code == codeSocketLife {
		frame.Status, frame.Error.Type = http.StatusBadRequest, kinds[rota.Invalid].family
	}
	body, err := encode(frame)
	if err != nil {
		return err
	}
	return s.write(ctx, body)
}

func (s *socket) write(ctx context.Context, frame []byte) error {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	return s.conn.Write(within, websocket.MessageText, frame)
}
