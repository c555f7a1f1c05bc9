package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
)

// maxRefusal is how much of a refusal is read: enough for its message.
const maxRefusal = 64 << 10

// A failure is what a provider says of an error.
type failure struct {
	status   int           // of HTTP; zero if the answer was otherwise well
	protocol Protocol      // that the provider is set to speak; for refusals
	codes    []string      // codes and types, the most exact first
	text     string        // for people
	places   []string      // members of the request that it finds fault with
	wait     time.Duration // what it asks to wait; zero if it does not say
}

// refused explains an answer whose status is not a success.
func (a *attempt) refused(res *http.Response, b io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(b, maxRefusal))
	if err != nil && a.caller.Err() != nil {
		return interrupted(a.caller, a.ctx)
	}
	f := said(raw)
	f.status, f.protocol = res.StatusCode, a.provider.Protocol
	f.wait = max(f.wait, asksToWait(res.Header, time.Now()))
	return f.refusal()
}

// refusal returns what a failure with a status of HTTP means.
func (f failure) refusal() *Error {
	e := &Error{
		Code: rota.RunErrRejected, Message: fmt.Sprintf("the provider answered %d", f.status) + after(f.String()), Answered: true,
		RetryAfter: f.wait, told: f,
	}
	switch m := f.means(); {
	case f.status < 400:
		e.Code, e.Answered = rota.RunErrMisconfigured, false
		e.Message = fmt.Sprintf("the provider answered %d, a redirect, which is not followed; does the base URL lead to its API?", f.status)
	case m == limited:
		e.Code, e.Retryable = rota.RunErrRateLimited, true
	case m == passing:
		e.Code, e.Retryable, e.Answered = rota.RunErrProvider, true, decided(f.status)
	case m == locked:
		e.Code, e.Message = rota.RunErrMisconfigured, "the provider does not take the key that it is set up with: "+e.Message
	case f.lacksPath():
		e.Code = rota.RunErrMisconfigured
		e.Message = "the provider has no " + paths[f.protocol] + " under its base URL; the URL may lack a part such as /v1: " + e.Message
	}
	if !e.Retryable {
		e.RetryAfter = 0
	}
	return e
}

// decided reports whether a status comes from who does the work. A proxy that
// gave up on it says others, and the work may go on; so it may where another
// attempt with the same key is at it.
func decided(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusBadGateway, http.StatusGatewayTimeout:
		return false
	default:
		return status < 520
	}
}

// paths are those that a provider is asked at, for people.
var paths = map[Protocol]string{
	ProtocolAuto:      "/responses and no /chat/completions",
	ProtocolResponses: "/responses",
	ProtocolChat:      "/chat/completions",
}

// lacksPath reports whether the server has no such path. A model or a conversation
// that it does not know may have the same status.
func (f failure) lacksPath() bool {
	switch f.status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	case http.StatusNotFound:
	default:
		return false
	}
	about := plain(strings.Join(f.codes, " ") + " " + f.text)
	for _, path := range []string{"v1responses", "postresponses", "responsesapi", "chatcompletions"} {
		about = strings.ReplaceAll(about, path, "")
	}
	for _, thing := range []string{"model", "deployment", "response", "conversation", "engine", "prompt", "tool", "item"} {
		if strings.Contains(about, thing) {
			return false
		}
	}
	return true
}

// failed returns the Error of a provider that says so in an answer that is
// otherwise well. A failure without a code is given the benefit of the doubt.
func (f failure) failed() *Error {
	e := &Error{
		Code: rota.RunErrProvider, Message: "the model failed" + after(f.String()), Answered: true, RetryAfter: f.wait, told: f,
	}
	switch f.means() {
	case limited:
		e.Code, e.Retryable = rota.RunErrRateLimited, true
	case passing:
		e.Retryable = true
	case unclear:
		e.Retryable = len(f.codes) == 0
	case locked:
		e.Code = rota.RunErrMisconfigured
		e.Message = "the provider does not take the key that it is set up with" + after(f.String())
	}
	return e
}

// or returns the Error of a failure that says what it means, else the other one.
func (f failure) or(other *Error) *Error {
	if f.means() == unclear {
		other.told = f
		return other
	}
	return f.failed()
}

// String returns the most exact code and the text. A code that repeats the
// status says nothing.
func (f failure) String() string {
	code := ""
	for _, c := range f.codes {
		number := statusMeaning(c) != unclear
		if c != strconv.Itoa(f.status) && c != f.text && (code == "" || !number && statusMeaning(code) != unclear) {
			code = c
		}
	}
	switch {
	case code == "":
		return f.text
	case f.text == "":
		return code
	default:
		return code + ": " + f.text
	}
}

// and returns the failure with what another account of it says beside.
func (f failure) and(other failure) failure {
	for _, c := range other.codes {
		if !slices.Contains(f.codes, c) {
			f.codes = append(f.codes[:len(f.codes):len(f.codes)], c)
		}
	}
	if f.text == "" {
		f.text = other.text
	}
	f.places = append(f.places[:len(f.places):len(f.places)], other.places...)
	f.wait = max(f.wait, other.wait)
	return f
}

// said returns what the body of a refusal says.
func said(raw []byte) failure {
	raw = bytes.TrimSpace(raw)
	switch {
	case isObject(raw):
		return failureOf(raw)
	case bytes.HasPrefix(raw, []byte("[")) && json.Valid(raw):
		return failureOf([]byte(`{"errors":` + string(raw) + `}`))
	case isStream(raw):
		if f, ok := streamed(raw); ok {
			return f
		}
	case bytes.HasPrefix(raw, []byte("<")):
		return failure{text: "an HTML page"}
	}
	return failure{text: string(raw), wait: waitInWords(string(raw))}
}

// streamed reads a refusal that is an event stream.
func streamed(raw []byte) (f failure, ok bool) {
	for r := newEventReader(bytes.NewReader(raw)); ; {
		e, err := r.next()
		if err != nil {
			return f, ok
		}
		if isObject(e.data) {
			f, ok = f.and(failureOf(e.data)), true
		}
	}
}

const maxNesting = 6 // levels of an error in an error

// failureOf returns what an object says of a failure, which servers do in many
// ways: {"error":{"code":…,"message":…}}, {"error":"…"}, {"code":…,"message":…},
// {"detail":…}, an error in an error, or as JSON in a text.
func failureOf(object []byte) failure {
	var f failure
	f.collect(object, maxNesting)
	return f
}

// Members by what they hold, as plain spells them: servers write error_code, errorCode and
// ErrorCode.
var (
	// The same failure, or more of it.
	nested = []string{"error", "errors", "response", "detail", "details", "statusdetails", "incompletedetails", "lasterror", "innererror", "cause", "fault", "raw", "baseresp"}

	codeMembers = []string{"code", "type", "errorcode", "errcode", "errortype", "status", "statuscode", "httpstatus", "httpcode", "reason", "kind"}
	textMembers = []string{"error", "message", "msg", "detail", "errordescription", "errormessage", "errormsg", "statusmsg", "faultstring", "raw", "description", "title"}
)

// collect adds what an object says. What lies deeper is more exact.
func (f *failure) collect(object []byte, levels int) {
	if levels == 0 || !isObject(object) {
		return
	}
	o := spelled(object)
	if e := o.Get("error"); len(e) > 0 && e[0] == '{' {
		f.into(spelled(e).Get("metadata"), levels-1) // where gateways put what they were told
	}
	for _, name := range nested {
		f.into(o.Get(name), levels-1)
	}
	f.codesIn(o, levels)
	for _, name := range textMembers {
		t := text(o.Get(name))
		if isObject([]byte(t)) {
			f.collect([]byte(t), levels-1)
			continue
		}
		*f = f.and(failure{text: located(object, t)})
	}
	for _, p := range []string{text(o.Get("param")), path(object)} {
		if p != "" {
			f.places = append(f.places, place(p))
		}
	}
	f.wait = max(f.wait, waitIn(o), waitInWords(f.text))
	for _, name := range []string{"headers", "parameters", "ratelimit", "ratelimitinfo"} {
		f.wait = max(f.wait, waitIn(spelled(o.Get(name))))
	}
}

// codesIn adds the codes of an object. A name is one if it means something, and so is
// that of a member that holds an exception.
func (f *failure) codesIn(o rawjson.Object, levels int) {
	for _, name := range codeMembers {
		if c := words(o.Get(name)); c != "" && !general(c) {
			*f = f.and(failure{codes: []string{c}})
		}
	}
	if c := text(o.Get("name")); meaningOf(c) != unclear {
		*f = f.and(failure{codes: []string{c}})
	}
	for _, m := range o {
		if strings.HasSuffix(m.Name, "exception") && len(m.Value) > 0 && m.Value[0] == '{' {
			f.into(m.Value, levels-1)
			*f = f.and(failure{codes: []string{m.Name}})
		}
	}
}

// spelled returns the members of an object under plain names. Those that say of which
// kind of JSON it is keep their mark.
func spelled(object []byte) rawjson.Object {
	o := rawjson.ReadObject(object)
	for i, m := range o {
		if !strings.HasPrefix(m.Name, "@") {
			o[i].Name = plain(m.Name)
		}
	}
	return o
}

func (f *failure) into(value []byte, levels int) {
	switch {
	case len(value) == 0:
	case value[0] == '{':
		f.collect(value, levels)
	case value[0] == '[':
		var list []json.RawMessage
		_ = json.Unmarshal(value, &list) // it is valid
		for _, v := range list[:min(len(list), maxNesting)] {
			f.collect(v, levels)
		}
	}
}

// located puts before a text where in the request it finds fault.
func located(object []byte, t string) string {
	if p := path(object); t != "" && p != "" {
		return p + ": " + t
	}
	return t
}

// path returns the place in the request that an object's list of steps leads to.
func path(object []byte) string {
	var steps []any
	_ = json.Unmarshal(member(object, "loc"), &steps) // what is no list has no steps
	parts := make([]string, len(steps))
	for i, s := range steps {
		parts[i] = fmt.Sprint(s)
	}
	return strings.Join(parts, ".")
}

// general reports whether a code says no more than that something failed.
func general(code string) bool {
	switch code {
	case "error", "failed", "failure", "incomplete", "completed", "cancelled", "in_progress", "queued", "response", "message", "true", "false", "0", "200", "ok", "OK", "success":
		return true
	}
	return strings.HasPrefix(code, responseEvent)
}

// says reports whether an object has a member that is not null.
func says(object []byte, name string) bool {
	value := member(object, name)
	return value != nil && value[0] != 'n'
}

// words returns a string or a number as text, and nothing for other values.
func words(value []byte) string {
	switch {
	case len(value) == 0, value[0] == '{', value[0] == '[', value[0] == 'n':
		return ""
	case value[0] == '"':
		return text(value)
	default:
		return string(value)
	}
}
