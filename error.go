package rota

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Code says what kind of failure an error is. Codes are part of the HTTP
// API: once released, a code is never renamed and never changes its meaning.
//
// A Code is itself an error, so that callers can ask
//
//	errors.Is(err, rota.NotFound)
//
// on either side of the network.
type Code string

const (
	Invalid         Code = "invalid"             // the request can never succeed as written
	Unauthenticated Code = "unauthenticated"     // no key, or none that is valid
	Denied          Code = "denied"              // the key lacks the scope
	NotFound        Code = "not_found"           // no such thing, or none that this caller may see
	BadMethod       Code = "method_not_allowed"  // the path exists, but not with this method
	Conflict        Code = "conflict"            // the state of the thing forbids it
	Precondition    Code = "precondition_failed" // the thing is not at the version of If-Match
	TooLarge        Code = "too_large"           // the body is over the limit
	BadMediaType    Code = "unsupported_media_type"
	RateLimited     Code = "rate_limited"    // too much at once; try again after RetryAfter
	LimitReached    Code = "limit_reached"   // the caller has as much as its limits allow; see Error.Limit
	Unavailable     Code = "unavailable"     // nothing is wrong with the request; try again
	Internal        Code = "internal"        // a bug or a broken dependency
	NotImplemented  Code = "not_implemented" // known, but not offered by this server

	UpstreamFailed Code = "upstream_failed" // a server that the caller named cannot be used

	ConversationLocked Code = "conversation_locked"         // another response is under way in it
	PreviousNotFound   Code = "previous_response_not_found" // there is no such response to go on from
	NotSleeping        Code = "not_sleeping"                // what is to be woken does not sleep
	ContextTooLong     Code = "context_length_exceeded"     // the model takes no request as long as this
)

// Codes lists every code, for tables that must be complete.
var Codes = [...]Code{
	Invalid, Unauthenticated, Denied, NotFound, BadMethod, Conflict, Precondition,
	TooLarge, BadMediaType, RateLimited, LimitReached, Unavailable, Internal, NotImplemented, UpstreamFailed,
	ConversationLocked, PreviousNotFound, NotSleeping, ContextTooLong,
}

func (c Code) Error() string { return string(c) }

// Error is a failure that the caller may be told about.
//
// Msg is written for the person who sent the request and may leave the
// process. Err is written for the operator and never does.
type Error struct {
	Code       Code
	Field      string        // dotted path of the offending input, such as "schedule.interval_seconds"; may be empty
	Msg        string        // a sentence that says what would have been accepted
	RetryAfter time.Duration // when a RateLimited, LimitReached or Unavailable caller may try again; zero if unknown
	Limit      *LimitUse     // of LimitReached; else nil
	Err        error         // cause; may be nil
}

// Errorf returns an error with a message that is safe to show.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Msg: fmt.Sprintf(format, args...)}
}

// InvalidField returns an Invalid error for the field at the dotted path.
func InvalidField(path, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: path, Msg: fmt.Sprintf(format, args...)}
}

// Error returns the message with field and cause, for logs.
func (e *Error) Error() string {
	s := e.Msg
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	s = string(e.Code) + ": " + s
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is e's code.
func (e *Error) Is(target error) bool { return target == e.Code }

// Public returns the part of err that may cross the API boundary. An error
// that nobody classified becomes Internal, and its text stays here.
func Public(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return &Error{Code: e.Code, Field: e.Field, Msg: e.Msg, RetryAfter: e.RetryAfter, Limit: e.Limit}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Errorf(Unavailable, "the server did not finish in time; try again")
	default:
		return Errorf(Internal, "internal error; the server's log has the cause under this request's id")
	}
}
