package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

const (
	headerRequestID      = "X-Request-ID"
	headerEndUser        = "X-On-Behalf-Of"
	headerIdempotencyKey = "Idempotency-Key"
	headerReplayed       = "Idempotency-Replayed"
	headerIfMatch        = "If-Match"
	headerIfNoneMatch    = "If-None-Match"
	headerLocation       = "Location"
	headerLastEventID    = "Last-Event-ID"
)

var validRequestID = regexp.MustCompile(`^[A-Za-z0-9._#:-]{1,128}$`)

// ServeHTTP answers one request, whatever becomes of it, and puts it on record.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := a.Now()
	rec := &recorder{ResponseWriter: w}
	a.setHeaders(rec.Header(), r, start)
	defer func() { a.record(rec, r, a.Now().Sub(start)) }()
	defer a.recover(rec, r)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // of the request before, on the same connection

	a.root.ServeHTTP(rec, r)
}

// serveRoute answers a request that is no preflight.
func (a *api) serveRoute(w http.ResponseWriter, r *http.Request) {
	if !tidyPath(r) {
		a.fail(w, r, rota.Errorf(rota.NotFound, "%s", a.absent))
		return
	}
	a.muxOf(r.URL.Path).ServeHTTP(w, r)
}

func (a *api) setHeaders(h http.Header, r *http.Request, now time.Time) {
	id := r.Header.Get(headerRequestID)
	if !validRequestID.MatchString(id) {
		id = rota.NewRequestID(now)
	}
	h.Set(headerRequestID, id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// tidyPath removes the slash at the end of the path. It reports false for a
// path with an empty or a dot segment: it would have to be guessed which one
// is meant.
func tidyPath(r *http.Request) bool {
	trimmed := *r.URL
	if len(trimmed.Path) > 1 && trimmed.Path != "//" {
		trimmed.Path = strings.TrimSuffix(trimmed.Path, "/")
		trimmed.RawPath = strings.TrimSuffix(trimmed.RawPath, "/")
	}
	r.URL = &trimmed
	escaped := trimmed.EscapedPath()
	return path.Clean(escaped) == escaped
}

// unmatched answers requests with a tidy path whose method is not that of a route.
func (a *api) unmatched(w http.ResponseWriter, r *http.Request) {
	if allowed := a.allowed(r); len(allowed) > 0 {
		list := strings.Join(allowed, ", ")
		w.Header().Set("Allow", list)
		a.fail(w, r, rota.Errorf(rota.BadMethod, "this path accepts %s", list))
		return
	}
	a.fail(w, r, rota.Errorf(rota.NotFound, "%s", a.absent))
}

func (a *api) allowed(r *http.Request) []string {
	return slices.DeleteFunc(slices.Clone(routed[:]), func(m string) bool {
		_, pattern := a.muxOf(r.URL.Path).Handler(&http.Request{Method: m, URL: r.URL, Host: r.Host})
		return pattern == "/"
	})
}

// muxOf returns the routes that a path can have. Those with a word where others have an
// identifier have a mux of their own: in one mux, neither /agents/{agent_id}/runs nor
// /agents/function-tools/{function_tool_id} would be the more specific one.
func (a *api) muxOf(path string) *http.ServeMux {
	if named.MatchString(path) {
		return a.named
	}
	return a.mux
}

var named = regexp.MustCompile(`^` + agentsPath + `/(function-tools(/|$)|by-key/|[^/]+/schedules/by-key/)`)

// route returns the path of the route that r was served by.
func route(r *http.Request) string {
	_, p, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		return "other"
	}
	return p
}

// routed are the methods that routes can have.
var routed = [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// method returns the method of a request for logs and metrics. Callers can make
// up as many as they like: those that no route can have are one.
func method(r *http.Request) string {
	if slices.Contains(routed[:], r.Method) {
		return r.Method
	}
	return "other"
}

// record puts an answered request into the log and the metrics.
func (a *api) record(rec *recorder, r *http.Request, d time.Duration) {
	level := slog.LevelDebug
	if rec.status >= 500 {
		level = slog.LevelInfo
	}
	a.Log.LogAttrs(r.Context(), level, "request",
		slog.String("request_id", rec.Header().Get(headerRequestID)), slog.String("method", method(r)),
		slog.String("route", route(r)), slog.Int("status", rec.status), slog.Duration("duration", d))
	if a.OnRequest != nil {
		a.OnRequest(route(r), method(r), rec.status, d)
	}
}

// recover answers 500 after a panic. An answer that has begun is cut off, so
// that nobody takes it for whole.
func (a *api) recover(rec *recorder, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	if rec.status != 0 {
		a.logError(rec, r, slog.LevelError, err)
		panic(http.ErrAbortHandler)
	}
	a.fail(rec, r, err)
}

// write answers with v as JSON.
func (a *api) write(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := encode(v)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.writeBody(w, status, body)
}

func (a *api) writeBody(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaJSON)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	paced(w).Write(body) // an error means that the client has gone
}

// A recorder remembers the status of an answer, and makes the ETag of one that was
// compressed weak: it does not name the very bytes any more.
type recorder struct {
	http.ResponseWriter
	status int // zero until the answer has begun
}

// WriteHeader begins the answer.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	if tag := r.Header().Get(headerETag); strings.HasPrefix(tag, `"`) && r.Header().Get("Content-Encoding") != "" {
		r.Header().Set(headerETag, "W/"+tag)
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write begins the answer with 200 if nothing has.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
