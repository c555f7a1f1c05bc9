// Package httpapi is the HTTP API: it turns requests into calls of package
// control, and what they return into answers.
//
// A request passes through these steps, and the first that refuses it answers:
//
//	request id ─► path ─► key ─► rate limit ─► scope ─► headers ─► size and type of the body
//	   ─► JSON ─► schema ─► control ─► answer
//
// One table of operations is the source of everything that the API says about
// itself: the routes, the OpenAPI document at /openapi.json and the reference
// at /docs. The schemas in the document are made from the types of package
// rota, and they are also what bodies are checked against, so that the
// document and the server cannot disagree.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rs/cors"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/control"
)

// Config is what the API needs. OnRequest and OnIgnored may be nil,
// everything else is required.
type Config struct {
	Control *control.Control
	Keys    auth.KeyReader
	Limits  *auth.Limiter

	// Memory is what bodies and lists take. Nil is no bound.
	Memory *budget.Budget

	// MaxBody is the most bytes that the request of a response or a conversation may
	// have; at least a mebibyte.
	MaxBody int64

	// Ready reports why the server cannot serve now, or nil.
	Ready func(context.Context) error

	Metrics http.Handler // answers /metrics
	Log     *slog.Logger
	Now     func() time.Time
	System  rota.SystemInfo // what it answers of itself, but for the time; the OpenAPI document has its version

	// OnRequest is told about every answer: the path of the route with its
	// parameters in braces ("other" if there is none), the method ("other" if no
	// route can have it), and how long it took.
	OnRequest func(route, method string, status int, d time.Duration)

	// OnIgnored is told of every unknown field or parameter that was ignored: the
	// path of the route, and whether it was in the "body" or the "query".
	OnIgnored func(route, place string)

	// PublicURL is where clients reach the server, for its reference. If it is empty,
	// that is where they have asked.
	PublicURL string

	// Pages are the handlers of pages for people, by their patterns; none if it is nil.
	// They authenticate who asks.
	Pages map[string]http.Handler

	// MCP makes the handler that offers the operations of an OpenAPI document as tools of
	// the Model Context Protocol, and asks api for them. Nil if it is not offered.
	MCP func(document []byte, api http.Handler) (http.Handler, error)

	// Origins are those of the pages that may call the API from a browser, or * for
	// all; none by default.
	Origins []string
}

// readyTimeout is how long /readyz waits for the store.
const readyTimeout = 2 * time.Second

type api struct {
	Config
	doc     *document
	root    http.Handler // of what is behind the request's record
	mux     *http.ServeMux
	named   *http.ServeMux // see muxOf
	repeats *repeats
	sockets sockets
	absent  string // what is said of every other path
}

// pageEvents is the pattern of the events that pages get.
const pageEvents = "GET /changes"

// New returns the handler of everything that the API serves: /api/,
// /mcp, /.well-known/jwks.json, /openapi.json, /docs, /healthz, /readyz and /metrics. It
// answers 404 to every other path.
//
// Streams of events last until their run ends or the request's context does,
// so the server should end its base context when it shuts down.
func New(cfg Config) http.Handler {
	a := &api{Config: cfg, mux: http.NewServeMux(), named: http.NewServeMux(), repeats: newRepeats(), absent: "there is nothing at this path; /docs lists what there is"}
	ops := a.operations()
	a.doc = newDocument(cfg.System.Version, ops)
	create := ops[slices.IndexFunc(ops, func(op *operation) bool { return op.Path == responsesPath && op.Method == http.MethodPost })]
	for _, op := range ops {
		h := a.handler(op)
		if op.Path == responsesPath && op.Method == http.MethodGet {
			h = a.orSocket(create, h)
		}
		a.muxOf(op.Path).Handle(op.Method+" "+op.Path, h)
	}
	a.addAbsent()
	a.named.HandleFunc("/", a.unmatched)
	if a.MCP != nil {
		a.mux.HandleFunc("POST "+mcpPath, a.serveMCP())
	}
	a.mux.HandleFunc("GET /.well-known/jwks.json", a.publicKeys)
	a.mux.Handle("GET /openapi.json", compressed(lazily(func() http.HandlerFunc { return constant(mediaJSON, a.doc.json()) })))
	a.mux.Handle("GET /docs", compressed(lazily(func() http.HandlerFunc { return reference(a.doc, a.PublicURL) })))
	var first http.Handler
	for pattern, page := range a.Pages {
		if pattern != pageEvents {
			page = compressed(page)
		}
		if pattern == firstPage {
			first = page
			continue
		}
		a.mux.Handle(pattern, page)
	}
	a.mux.Handle(firstPage, home(first))
	a.addProbes()
	a.root = shared(cfg.Origins, http.HandlerFunc(a.serveRoute))
	return a
}

// NewProbes returns the handler of a process that serves no API: /healthz,
// /readyz and /metrics, as New serves them. To every other path it answers 404
// with what absent says. Of cfg, Control, Keys and Limits are not used.
func NewProbes(cfg Config, absent string) http.Handler {
	a := &api{Config: cfg, mux: http.NewServeMux(), absent: absent}
	a.named = a.mux
	a.root = http.HandlerFunc(a.serveRoute)
	a.addProbes()
	return a
}

func (a *api) addProbes() {
	a.mux.Handle("GET /metrics", a.Metrics)
	a.mux.HandleFunc("GET /healthz", a.health)
	a.mux.HandleFunc("GET /readyz", a.ready)
	a.mux.HandleFunc("/", a.unmatched)
}

// OpenAPI returns the document that a server of the version serves at
// /openapi.json.
func OpenAPI(version string) []byte {
	return newDocument(version, new(api).operations()).json()
}

// Routes returns every operation under /api/.
func Routes() []Route {
	ops := new(api).operations()
	routes := make([]Route, len(ops))
	for i, op := range ops {
		routes[i] = op.Route
	}
	return routes
}

func (a *api) health(w http.ResponseWriter, r *http.Request) {
	a.write(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		a.fail(w, r, &rota.Error{Code: rota.Unavailable, Msg: "the server is not ready", Err: err})
		return
	}
	a.write(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// lazily makes a handler when it is first asked.
func lazily(made func() http.HandlerFunc) http.HandlerFunc {
	once := sync.OnceValue(made)
	return func(w http.ResponseWriter, r *http.Request) { once()(w, r) }
}

func constant(contentType string, body []byte) http.HandlerFunc {
	tag := strconv.Quote(digest(body))
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(headerETag, tag)
		if notModified(r, tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Write(body) // an error means that the client has gone
	}
}

// shared lets pages of the origins call a handler from browsers. A preflight needs
// no key: it is answered before anything else.
func shared(origins []string, h http.Handler) http.Handler {
	if len(origins) == 0 {
		return h
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete},
		AllowedHeaders: []string{"*"}, // those that are asked for: SDKs add their own
		ExposedHeaders: []string{headerRequestID, headerETag, headerLocation, headerRetryAfter, headerReplayed},
		MaxAge:         600,
	}).Handler(h)
}
