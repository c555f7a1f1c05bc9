package httpapi

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/control"
)

// A Route is one operation of the API, as callers know it.
type Route struct {
	Method      string
	Path        string     // with its parameters in braces
	Scope       rota.Scope // that the key must have; empty for any key
	Status      int        // of a success
	OperationID string     // its name in SDKs
}

// An operation is a route, what is said about it, and what it does.
type operation struct {
	Route
	tag     string
	summary string
	about   string
	example string // of the body

	input        reflect.Type // of the body; nil if there is none
	optional     bool         // whether the body may be left out
	output       reflect.Type // of the answer; nil for a stream of events
	params       []string     // names of shared parameters besides those of the path
	schema       *huma.Schema // of the body, once the document is made
	queries      []string     // names of the query parameters, once the document is made
	do           func(context.Context, call) (any, error)
	fails        []rota.Code        // besides those that follow from the rest: see [failuresOf]
	creates      bool               // whether it may have created something, which is answered by 201 in place of Status
	cursor       func(string) error // checks a cursor of a list; nil if cursors are ids
	ascending    bool               // whether a list is in ascending order unless its caller says otherwise
	sorts        []string           // the orders of a list besides that of creation
	lines        bool               // whether the answer is lines of JSON
	unrepeatable bool               // whether an Idempotency-Key is refused
	endless      bool               // whether the stream of events that it answers with has no end
	streams      bool               // whether it may answer with a stream of events in place of its output
	open         bool               // whether fields and parameters that nobody knows pass, and the body is large: see [api.maxBody]
	starts       bool               // whether it starts something that must not be started twice by a client that gave up waiting
}

// answers returns an operation that takes no body.
func answers[O any](r Route, fn func(context.Context, call) (O, error)) *operation {
	op := &operation{
		Route:  r,
		output: reflect.TypeFor[O](),
		do:     func(ctx context.Context, c call) (any, error) { return fn(ctx, c) },
	}
	if r.Method == http.MethodGet && isTagged(*new(O)) {
		op.with("if_none_match")
	}
	return op
}

// accepts returns an operation that takes a body.
func accepts[I, O any](r Route, fn func(context.Context, call, I) (O, error)) *operation {
	return &operation{
		Route:  r,
		input:  reflect.TypeFor[I](),
		output: reflect.TypeFor[O](),
		do: func(ctx context.Context, c call) (any, error) {
			var in I
			if err := c.decode(&in); err != nil {
				return nil, err
			}
			return fn(ctx, c, in)
		},
	}
}

// puts returns an operation that makes an object what its body says: 201 if there was
// none before.
func puts[I, O any](r Route, fn func(context.Context, call, I) (control.Put[O], error)) *operation {
	op := accepts(r, func(ctx context.Context, c call, in I) (any, error) {
		p, err := fn(ctx, c, in)
		if p.Created {
			return created{p.Object}, err
		}
		return p.Object, err
	})
	op.output, op.creates = reflect.TypeFor[O](), true
	return op.with("idempotency_key", "if_match")
}

// created is an answer about something that was not there before.
type created struct{ object any }

// lists returns an operation that answers one page. Large rows are read and written
// a few at a time.
func lists[T any](r Route, fn func(context.Context, call, rota.Page) (rota.List[T], error)) *operation {
	op := &operation{Route: r, output: reflect.TypeFor[rota.List[T]](), do: func(ctx context.Context, c call) (any, error) {
		p, err := c.op.page(c.URL.Query())
		if err != nil {
			return nil, err
		}
		p.Ascending = p.Ascending || c.op.ascending && !c.URL.Query().Has("order")
		return firstPart(ctx, c, p, fn)
	}}
	return op.with("limit", "order", "after", "before")
}

// oldestFirst makes that the order of a list in which nobody has asked for one.
func (op *operation) oldestFirst() *operation {
	op.ascending = true
	op.params[slices.Index(op.params, "order")] = "order_oldest_first"
	return op
}

// byTime says that a list is in the order of nominal times.
func (op *operation) byTime() *operation {
	op.params[slices.Index(op.params, "order")] = "order_by_time"
	return op
}

// offsets lets a list be read by offset as well.
func (op *operation) offsets() *operation { return op.with("offset") }

// with adds shared parameters.
func (op *operation) with(params ...string) *operation {
	op.params = append(op.params, params...)
	return op
}

// says sets what the reference says.
func (op *operation) says(tag, summary, about string) *operation {
	op.tag, op.summary, op.about = tag, summary, about
	return op
}

// may adds codes of failures that do not follow from the rest.
func (op *operation) may(fail ...rota.Code) *operation {
	op.fails = append(op.fails, fail...)
	return op
}

// like sets an example of the body.
func (op *operation) like(example string) *operation {
	op.example = example
	return op
}

// maybe makes the body optional.
func (op *operation) maybe() *operation {
	op.optional = true
	return op
}

// once makes the operation recognise a request that its client sends again
// because it gave up waiting: see [repeats].
func (op *operation) once() *operation {
	op.starts = true
	return op
}

func (a *api) handler(op *operation) http.Handler {
	if op.output == nil || op.streams {
		return a.handle(op)
	}
	return compressed(a.handle(op))
}

func (a *api) handle(op *operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		memory := a.Memory.Open()
		defer memory.Release()
		answer, written, err := a.run(op, w, r, memory)
		if errors.Is(err, errHungUp) {
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			a.fail(w, r, err)
			return
		}
		defer written()
		if l, ok := answer.(lines); ok {
			a.sendLines(w, r, l, a.stillAdmitted(op, r))
			return
		}
		if s, ok := answer.(stream); ok && s.ended(r) {
			w.WriteHeader(http.StatusNoContent)
			return
		} else if ok {
			s.admitted = a.stillAdmitted(op, r)
			a.send(w, r, s)
			return
		}
		a.respond(w, r, op, answer)
	}
}

// errHungUp says that the caller has gone, or the server stops, while work that
// was begun goes on.
var errHungUp = errors.New("the caller has hung up")

// run carries out an operation. The function that it returns must be called when
// the answer has been written.
func (a *api) run(op *operation, w http.ResponseWriter, r *http.Request, memory *budget.Account) (answer any, written func(), err error) {
	body := sync.OnceValues(func() ([]byte, error) { return a.readBody(op, w, r, memory) })
	if op.output == nil || op.streams {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // or a long answer would end with the time to read the request
	}
	if op.starts {
		_, _ = body() // net/http sees that a caller hangs up only when the body has been read; admit may wait for the store
	}
	c, err := a.admit(op, w, r, body)
	if err != nil {
		return nil, nil, err
	}
	c.memory = memory
	work := func(ctx context.Context) (any, error) { return op.do(ctx, c) }
	defer func() {
		if c.replayed() {
			w.Header().Set(headerReplayed, "true")
		}
	}()
	if !op.starts || c.write.IdempotencyKey != "" {
		answer, err = work(r.Context())
		return answer, func() {}, err
	}
	return a.repeats.do(r.Context(), fingerprintOf(c.who, c.write.Request), len(c.body), work)
}

// admit returns the call that a request makes, if it may.
func (a *api) admit(op *operation, w http.ResponseWriter, r *http.Request, body func() ([]byte, error)) (call, error) {
	who, err := a.admitCaller(op, w, r)
	if err != nil {
		return call{}, err
	}
	return a.newCall(op, who, r, body)
}

// admitCaller returns who makes a request, if he may.
func (a *api) admitCaller(op *operation, w http.ResponseWriter, r *http.Request) (auth.Caller, error) {
	who, err := a.authenticate(r)
	if err != nil {
		return who, err
	}
	who.RequestID = w.Header().Get(headerRequestID)
	if err := a.Limits.Admit(r.Context(), who, a.Now()); err != nil {
		return who, err
	}
	return who, op.permit(who)
}

func (a *api) authenticate(r *http.Request) (auth.Caller, error) {
	secret := bearer(r.Header.Get("Authorization"))
	if secret == "" {
		return auth.Caller{}, rota.Errorf(rota.Unauthenticated, "send the header Authorization: Bearer <key>")
	}
	known := auth.Authenticator{Keys: a.Keys, Audiences: a.Control.Tokens.Audiences}
	who, err := known.Authenticate(r.Context(), secret, a.Now())
	if err != nil {
		return auth.Caller{}, err
	}
	switch endUser := r.Header.Values(headerEndUser); {
	case len(endUser) == 0:
		return who, nil
	// An empty or a second value is a mistake of the client that would show one
	// user the things of another.
	case len(endUser) > 1 || endUser[0] == "":
		return auth.Caller{}, rota.InvalidField(headerEndUser, "must be one value of 1 to 150 printable ASCII characters and not *, or be left out")
	default:
		return who.ActFor(headerEndUser, endUser[0])
	}
}

// bearer returns the credential of an Authorization header. A doubled prefix is
// accepted: some clients of the published API send one.
func bearer(header string) string {
	for range 2 {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(header), " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			break
		}
		header = strings.TrimSpace(rest)
		if !strings.Contains(header, " ") {
			return header
		}
	}
	return ""
}

// permit returns Denied unless the caller has the scope of the operation.
func (op *operation) permit(who auth.Caller) error {
	if op.Scope == "" {
		return nil
	}
	return who.Require(op.Scope)
}

// stillAdmitted returns what asks whether the request would still be let in. A store
// that does not answer is no reason to end what was let in.
func (a *api) stillAdmitted(op *operation, r *http.Request) func() error {
	return func() error {
		who, err := a.authenticate(r)
		if err == nil {
			err = op.permit(who)
		}
		if errors.Is(err, rota.Unauthenticated) || errors.Is(err, rota.Denied) {
			return err
		}
		return nil
	}
}
