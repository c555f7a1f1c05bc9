package httpapi

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rota-run/rota"
)

// ErrorBody is the shape of every answer that is not a success.
type ErrorBody struct {
	Error ErrorDetail `json:"error"`
}

// ErrorDetail says what went wrong.
type ErrorDetail struct {
	Message string    `json:"message" doc:"What would have been accepted, for people. It begins with param, if there is one."`
	Type    string    `json:"type" doc:"The family of the error."`
	Code    rota.Code `json:"code" doc:"What kind of failure this is, for programs. A code never changes its meaning."`
	Param   *string   `json:"param" doc:"The dotted path of the offending field, or the name of the offending parameter or header."`
	Details *rota.Any `json:"details" doc:"More about the failure, for programs; null if there is nothing more to say."`
}

// AuthErrorBody is the shape of every answer of the authentication group that is
// not a success: clients of the published API read the message at the top, and
// all others the error.
type AuthErrorBody struct {
	Message string            `json:"message" doc:"The same as error.message."`
	Details []AuthErrorDetail `json:"details" doc:"What the fields of the request should be."`
	Error   ErrorDetail       `json:"error"`
}

// AuthErrorDetail says what is wrong with one field.
type AuthErrorDetail struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

func authErrorBody(d ErrorDetail) AuthErrorBody {
	b := AuthErrorBody{Message: d.Message, Details: []AuthErrorDetail{}, Error: d}
	if d.Param != nil {
		b.Details = append(b.Details, AuthErrorDetail{Path: *d.Param, Message: d.Message})
	}
	return b
}

// A kind is how the API speaks of a code.
type kind struct {
	status int
	family string
}

// kinds is the one place where codes meet statuses.
var kinds = map[rota.Code]kind{
	rota.Invalid:            {http.StatusBadRequest, "invalid_request_error"},
	rota.Unauthenticated:    {http.StatusUnauthorized, "authentication_error"},
	rota.Denied:             {http.StatusForbidden, "permission_error"},
	rota.NotFound:           {http.StatusNotFound, "not_found_error"},
	rota.BadMethod:          {http.StatusMethodNotAllowed, "invalid_request_error"},
	rota.Conflict:           {http.StatusConflict, "conflict_error"},
	rota.Precondition:       {http.StatusPreconditionFailed, "conflict_error"},
	rota.TooLarge:           {http.StatusRequestEntityTooLarge, "invalid_request_error"},
	rota.BadMediaType:       {http.StatusUnsupportedMediaType, "invalid_request_error"},
	rota.RateLimited:        {http.StatusTooManyRequests, "rate_limit_error"},
	rota.LimitReached:       {http.StatusTooManyRequests, "rate_limit_error"},
	rota.Unavailable:        {http.StatusServiceUnavailable, "server_error"},
	rota.NotImplemented:     {http.StatusNotImplemented, "invalid_request_error"},
	rota.UpstreamFailed:     {http.StatusBadGateway, "server_error"},
	rota.ConversationLocked: {http.StatusConflict, "conflict_error"},
	rota.PreviousNotFound:   {http.StatusBadRequest, "invalid_request_error"},
	rota.NotSleeping:        {http.StatusConflict, "conflict_error"},
	rota.ContextTooLong:     {http.StatusBadRequest, "invalid_request_error"},
	rota.Internal:           {http.StatusInternalServerError, "server_error"},
}

// kindOf returns how the API speaks of a code.
func kindOf(code rota.Code) kind {
	if k, ok := kinds[code]; ok {
		return k
	}
	return kinds[rota.Internal]
}

// Status returns the HTTP status of a failure with the code.
func Status(code rota.Code) int { return kindOf(code).status }

// fail answers with err's public part, and logs the part that is not public.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := rota.Public(err)
	k := kindOf(e.Code)
	a.logCause(w, r, e.Code, err)
	if e.Code == rota.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if k.status == http.StatusTooManyRequests || e.Code == rota.Unavailable || e.Code == rota.ConversationLocked {
		w.Header().Set("Retry-After", seconds(e.RetryAfter))
	}
	d := detailOf(e)
	if strings.HasPrefix(r.URL.Path, authPath) {
		a.write(w, r, k.status, authErrorBody(d))
		return
	}
	a.write(w, r, k.status, ErrorBody{Error: d})
}

// detailOf says what went wrong.
func detailOf(e *rota.Error) ErrorDetail {
	d := ErrorDetail{Message: e.Msg, Type: kindOf(e.Code).family, Code: e.Code}
	if e.Field != "" {
		d.Message, d.Param = e.Field+": "+e.Msg, &e.Field // some clients show the message alone
	}
	if e.Limit != nil {
		d.Details = new(rota.AnyOf(e.Limit))
	}
	return d
}

func (a *api) logCause(w http.ResponseWriter, r *http.Request, code rota.Code, err error) {
	var e *rota.Error
	switch {
	case code == rota.Internal:
		a.logError(w, r, slog.LevelError, err)
	case errors.As(err, &e) && e.Err != nil && kinds[code].status >= 500:
		a.logError(w, r, slog.LevelWarn, err)
	}
}

func (a *api) logError(w http.ResponseWriter, r *http.Request, level slog.Level, err error) {
	a.Log.LogAttrs(r.Context(), level, "request failed",
		slog.String("request_id", w.Header().Get(headerRequestID)), slog.String("route", route(r)), slog.Any("error", err))
}

// seconds returns d as a Retry-After, at least one second.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}
