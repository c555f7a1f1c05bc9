// Package gatewaytest is a model server that does what it is told: it answers
// POST /responses as a provider would, fast, or fails in any way that a test
// asks for, and remembers what it was asked.
//
//	s := gatewaytest.New(t)
//	s.Script(gatewaytest.Status(503, nil, "busy"), gatewaytest.Text("hello"))
//	…                              // the first call fails, the second says hello
//	s.Calls()                      // what came
//
// A Server is an http.Handler, so that it can also stand in a process of its
// own, which outlives the one that is under test.
package gatewaytest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Keep says how much a server remembers.
type Keep int

const (
	Nothing    Keep = iota // only how many calls there were, so that it can serve millions
	Counts                 // the calls for every idempotency key and metadata value
	Everything             // the calls themselves too
)

// A Call is one request that a server got.
type Call struct {
	Number int // 1 is the first
	Method string
	Path   string // with the query
	Header http.Header
	Body   []byte
}

// IdempotencyKey returns the header of that name.
func (c Call) IdempotencyKey() string { return c.Header.Get("Idempotency-Key") }

// Metadata returns the metadata of the request, or nil.
func (c Call) Metadata() map[string]string {
	var body struct {
		Metadata map[string]string `json:"metadata"`
	}
	_ = json.Unmarshal(c.Body, &body) // a test may send anything
	return body.Metadata
}

// A Reply answers a call.
type Reply func(w http.ResponseWriter, r *http.Request, c Call)

// A Server answers every path. It may be used by many goroutines at once.
type Server struct {
	URL string // the base URL, if New started it

	keep     Keep
	mu       sync.Mutex
	script   []Reply
	fallback Reply
	number   int
	calls    []Call
	keys     map[string]int
	metadata map[[2]string]int
}

// NewServer returns a server that listens nowhere: a handler to serve.
func NewServer(keep Keep) *Server {
	return &Server{keep: keep, fallback: fallback, keys: map[string]int{}, metadata: map[[2]string]int{}}
}

// New starts a server on loopback that remembers everything. It ends with the
// test, once the calls under way have ended.
func New(t testing.TB) *Server {
	t.Helper()
	s := NewServer(Everything)
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Script appends replies, each for one call, in the order in which the calls
// come. The calls after those get the default reply.
func (s *Server) Script(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, replies...)
}

// Default sets the reply for calls that the script leaves over. At first it is
// Text("ok") for POST and 404 for the rest.
func (s *Server) Default(r Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fallback = r
}

// Total returns how many calls came.
func (s *Server) Total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.number
}

// Calls returns the calls that came, in order, if they are kept.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// KeyCalls returns how often every idempotency key came, if calls are counted.
func (s *Server) KeyCalls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int, len(s.keys))
	for key, n := range s.keys {
		counts[key] = n
	}
	return counts
}

// MetadataCalls returns how often every value of a metadata field came, if
// calls are counted.
func (s *Server) MetadataCalls(field string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for pair, n := range s.metadata {
		if pair[0] == field {
			counts[pair[1]] = n
		}
	}
	return counts
}

// ServeHTTP answers a call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone
	}
	c := Call{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header, Body: body}
	reply := s.note(&c)
	reply(w, r, c)
}

// note remembers a call, numbers it and returns the reply to it.
func (s *Server) note(c *Call) Reply {
	var metadata map[string]string
	if s.keep >= Counts {
		metadata = c.Metadata()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	c.Number = s.number
	if s.keep >= Counts {
		s.count(c.IdempotencyKey(), metadata)
	}
	if s.keep >= Everything {
		s.calls = append(s.calls, *c)
	}
	if len(s.script) == 0 {
		return s.fallback
	}
	reply := s.script[0]
	s.script = s.script[1:]
	return reply
}

func (s *Server) count(key string, metadata map[string]string) {
	if key != "" {
		s.keys[key]++
	}
	for field, value := range metadata {
		s.metadata[[2]string{field, value}]++
	}
}

func fallback(w http.ResponseWriter, r *http.Request, c Call) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/responses") {
		okay(w, r, c)
		return
	}
	JSON(http.StatusNotFound, `{"error":{"code":"not_found","message":"no such response"}}`)(w, r, c)
}
