package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// maxRefusal is how much of a refusal is read: enough for its message.
const maxRefusal = 64 << 10

// refused explains an answer whose status is not a success.
func (a *attempt) refused(res *http.Response, b *body) error {
	raw, err := io.ReadAll(io.LimitReader(b, maxRefusal))
	if err != nil && a.caller.Err() != nil {
		return interrupted(a.caller, a.ctx)
	}
	e := refusal(res.StatusCode)
	e.Message += after(said(raw).String())
	if e.Retryable {
		e.RetryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	}
	return e
}

// refusal returns what a status means.
func refusal(status int) *Error {
	e := &Error{Code: rota.RunErrRejected, Message: fmt.Sprintf("the provider answered %d", status), Answered: true}
	switch {
	case status < 400:
		e.Code = rota.RunErrMisconfigured
		e.Message += ", a redirect, which is not followed; does the base URL lead to its API?"
		e.Answered = false
	case status == http.StatusTooManyRequests:
		e.Code, e.Retryable = rota.RunErrRateLimited, true
	case status >= 500:
		e.Code, e.Retryable, e.Answered = rota.RunErrProvider, true, decided(status)
	case status == http.StatusRequestTimeout, status == http.StatusConflict:
		// Another attempt with this key may be at work; it must stay the same key.
		e.Code, e.Retryable, e.Answered = rota.RunErrProvider, true, false
	}
	return e
}

// decided reports whether a 5xx comes from who does the work. The others come
// from a proxy that gave up on it, while it may go on.
func decided(status int) bool {
	return status != http.StatusBadGateway && status != http.StatusGatewayTimeout && status < 520
}

const maxRetryAfter = 24 * time.Hour

// retryAfter returns how long the header asks to wait; zero if it is absent,
// past or neither of its two forms.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// said returns what the body of a refusal says.
func said(raw []byte) failure {
	if isObject(raw) {
		return failureOf(raw)
	}
	s := strings.TrimSpace(string(raw))
	if strings.HasPrefix(s, "<") {
		return failure{text: "an HTML page"}
	}
	return failure{text: s}
}

// failureOf returns what an object says of a failure. Servers differ:
// {"error":{"code":…,"message":…}}, {"error":"…"}, {"code":…,"message":"…"},
// {"detail":…}.
func failureOf(object []byte) failure {
	if inner := member(object, "error"); len(inner) > 0 && inner[0] == '{' {
		object = inner
	}
	for _, name := range [...]string{"error", "message", "detail"} {
		if says(object, name) {
			return failure{code: codeOf(object), text: words(member(object, name))}
		}
	}
	return failure{code: codeOf(object)}
}

// says reports whether an object has a member that is not null.
func says(object []byte, name string) bool {
	value := member(object, name)
	return value != nil && value[0] != 'n'
}

func codeOf(object []byte) string {
	if code := member(object, "code"); code != nil && code[0] != 'n' {
		return words(code)
	}
	if kind := text(member(object, "type")); kind != "error" {
		return kind
	}
	return ""
}

// words returns a string as it is and other values as JSON.
func words(value []byte) string {
	if value[0] == '"' {
		return text(value)
	}
	return string(value)
}
