package gateway

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
)

// optional lists the members of a request that some servers refuse and that the
// answer does not depend on. A value that is given is the default, and only that
// may be left out.
var optional = []struct{ name, value string }{
	{name: "metadata"},
	{name: "context_management"},
	{name: "tool_choice", value: `"auto"`},
	{name: "parallel_tool_calls", value: "true"},
	{name: "safety_identifier"},
	{name: "stream_options"}, // of a chat, which is asked for its usage with it
}

// omissions are the members that a provider does not take, as it has said or as
// its settings say.
type omissions struct {
	mu    sync.Mutex
	names []string
}

func (o *omissions) has(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Contains(o.names, name)
}

// learn adds a name, and reports whether it is new.
func (o *omissions) learn(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.Contains(o.names, name) {
		return false
	}
	o.names = append(o.names, name)
	return true
}

// A question is a request as far as it is sent.
type question struct {
	Request
	omitted []string
}

func (p *provider) question(r Request) *question {
	q := &question{Request: r}
	q.identify(p)
	for _, o := range optional {
		if p.omits.has(o.name) {
			q.omit(o.name)
		}
	}
	return q
}

// omit leaves a member out, if it is there and may be. What is asked is another
// request then, and has another key.
func (q *question) omit(name string) bool {
	if !q.may(name) {
		return false
	}
	o := rawjson.ReadObject(q.Body)
	o.Delete(name)
	q.Body, q.omitted = o.Encode(), append(q.omitted, name)
	if q.IdempotencyKey != "" {
		q.IdempotencyKey += "-no-" + name
	}
	return true
}

func (q *question) may(name string) bool {
	if !isObject(q.Body) {
		return false
	}
	value := member(q.Body, name)
	for _, o := range optional {
		if o.name == name && value != nil {
			return o.value == "" || bytes.Equal(value, []byte(o.value))
		}
	}
	return false
}

// inquire puts a request, and at once again without what the provider refuses and can
// be left out.
func (a *attempt) inquire(req Request, put func(Request) (Response, error)) (Response, error) {
	q := a.provider.question(req)
	var refused []string
	for {
		r, err := put(q.Request)
		a.omitted = q.omitted
		if name := q.refused(err); name != "" && a.id == "" && q.omit(name) {
			refused = append(refused, name)
			a.forget()
			continue
		}
		if err == nil || a.id != "" {
			a.learn(refused)
		}
		return r, err
	}
}

// put asks once. whole takes an answer that is not a stream.
func (a *attempt) put(endpoint string, body []byte, idempotencyKey string, whole func(*attempt, []byte) (Response, error)) (Response, error) {
	post, err := a.provider.ask(a.ctx, a.secret, endpoint, body, idempotencyKey)
	if err != nil {
		return Response{}, err
	}
	res, err := a.send(post)
	if err != nil {
		return Response{}, err
	}
	return a.receive(res, whole)
}

// forget drops what a refused question left behind.
func (a *attempt) forget() {
	a.draft, a.said, a.failed, a.junk = draft{}, failure{}, false, false
	if a.grace != nil {
		a.grace.Stop()
		a.grace = nil
	}
}

// learn notes what made the provider take a request that it had refused.
func (a *attempt) learn(names []string) {
	for _, name := range names {
		if a.provider.omits.learn(name) && a.provider.Omitted != nil {
			a.provider.Omitted(name)
		}
	}
}

// refused returns the member that an error says the provider does not take, if it
// may be left out; else nothing.
func (q *question) refused(err error) string {
	var e *Error
	if !errors.As(err, &e) || e.Retryable && e.told.means() != unclear || !e.Answered && e.Code != rota.RunErrBadResponse || !e.told.unknown() {
		return ""
	}
	for _, o := range optional {
		if q.may(o.name) && e.told.about(o.name) {
			return o.name
		}
	}
	return ""
}

// unknown reports whether a failure is that the request has something that the
// server does not take, rather than something wrong with its value.
func (f failure) unknown() bool {
	said := plain(strings.Join(f.codes, " ") + " " + f.text)
	for _, word := range []string{
		"unsupported", "notsupport", "ntsupport", "unknown", "unrecogni", "notrecogni", "unexpected", "notpermitted", "notallowed", "ntallowed", "onlyallowed",
		"disallow", "forbidden", "extrainput", "extrafield", "extrakey", "extraprop", "extraparam", "additionalpropert", "additionalfield", "notimplemented",
		"unimplemented", "notaccept", "ntaccept", "notavailable", "disabled", "nosuch", "cannotfindfield", "invalidparameter", "invalidfield", "invalidkey",
		"notavalid", "notexpected", "mustnotbe", "cannotbeused",
	} {
		if strings.Contains(said, word) {
			return true
		}
	}
	return false
}

// about reports whether a failure names a member of the request.
func (f failure) about(name string) bool {
	if len(f.places) > 0 {
		return slices.Contains(f.places, name)
	}
	said := f.text
	for _, list := range []string{"expected", "one of"} { // what it would have taken
		said, _, _ = strings.Cut(said, list)
	}
	return slices.Contains(strings.FieldsFunc(said, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}), name)
}

// place returns the member of the request that a path such as metadata.team,
// body.metadata, $.metadata or /metadata leads to.
func place(path string) string {
	path = strings.TrimLeft(path, "$./#")
	path = strings.TrimPrefix(strings.TrimPrefix(path, "body."), "body/")
	if i := strings.IndexAny(path, "./["); i >= 0 {
		return path[:i]
	}
	return path
}
