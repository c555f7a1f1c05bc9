package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// maxRefusal bounds what is read of a refusal, in bytes.
const maxRefusal = 64 << 10

// A Refusal is the cause of every rota.Error that a server answered.
type Refusal struct {
	Status    int    // the HTTP status
	RequestID string // under which the server's log knows the request; may be empty
}

// Error returns the status and the request's id.
func (r *Refusal) Error() string {
	if r.RequestID == "" {
		return fmt.Sprintf("HTTP status %d", r.Status)
	}
	return fmt.Sprintf("HTTP status %d, request %s", r.Status, r.RequestID)
}

// refused reads the error that a server answered. What did not come from Rota,
// such as the page of a proxy, is told by its status alone.
func refused(resp *http.Response) *rota.Error {
	var body struct {
		Error struct {
			Message string    `json:"message"`
			Code    rota.Code `json:"code"`
			Param   string    `json:"param"`

			Details json.RawMessage `json:"details"`
		} `json:"error"`
	}
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	_ = json.Unmarshal(raw, &body) // what cannot be read stays empty
	e := &rota.Error{
		Code:       body.Error.Code,
		Field:      body.Error.Param,
		Msg:        strings.TrimPrefix(body.Error.Message, body.Error.Param+": "),
		RetryAfter: retryAfter(resp.Header),
		Err:        &Refusal{resp.StatusCode, resp.Header.Get("X-Request-ID")},
	}
	if !slices.Contains(rota.Codes[:], e.Code) {
		e.Code = codeOf(resp.StatusCode)
	}
	if e.Code == rota.LimitReached && json.Unmarshal(body.Error.Details, &e.Limit) != nil {
		e.Limit = nil
	}
	if e.Msg == "" {
		e.Msg = "the server answered " + resp.Status
	}
	if to := resp.Header.Get("Location"); to != "" {
		e.Msg += "; it wants to be asked at " + to
	}
	return e
}

// codeOf returns what a status means if nothing else is known.
func codeOf(status int) rota.Code {
	switch status {
	case http.StatusUnauthorized:
		return rota.Unauthenticated
	case http.StatusForbidden:
		return rota.Denied
	case http.StatusNotFound:
		return rota.NotFound
	case http.StatusMethodNotAllowed:
		return rota.BadMethod
	case http.StatusConflict:
		return rota.Conflict
	case http.StatusPreconditionFailed:
		return rota.Precondition
	case http.StatusRequestEntityTooLarge:
		return rota.TooLarge
	case http.StatusUnsupportedMediaType:
		return rota.BadMediaType
	case http.StatusTooManyRequests:
		return rota.RateLimited
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return rota.Unavailable
	}
	if status/100 < 5 {
		return rota.Invalid
	}
	return rota.Internal
}

// retryAfter reads both forms of the header: seconds, and a date, which counts
// from the date of the answer.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, at.Sub(from))
}
