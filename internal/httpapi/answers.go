package httpapi

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rota-run/rota"
)

const (
	headerRetryAfter   = "Retry-After"
	headerETag         = "ETag"
	headerAuthenticate = "WWW-Authenticate"
)

// answerHeaders returns the headers that answers share, by their names.
func answerHeaders() map[string]*huma.Header {
	second := 1.0
	return map[string]*huma.Header{
		headerRequestID:    {Description: "Names the request in the server's log. One that is sent is used.", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{"req_019ab3d2f3c87b52a1e0c4d5e6f70819"}}},
		headerRetryAfter:   {Description: "In how many seconds to try again.", Required: true, Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &second}},
		headerETag:         {Description: "For If-Match: it begins with the version of the object, if it has one. For If-None-Match: that of a read changes with the content.", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{`"3-9f86d081884c7d65"`}}},
		headerLocation:     {Description: "The path of what was created.", Required: true, Schema: &huma.Schema{Type: huma.TypeString}},
		headerReplayed:     {Description: "true if the answer is the one that the first request with the Idempotency-Key got; else it is left out.", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}}},
		headerAuthenticate: {Description: "How to authenticate.", Required: true, Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{"Bearer"}}},
	}
}

// withHeaders refers to headers that answers share.
func withHeaders(names ...string) map[string]*huma.Header {
	headers := make(map[string]*huma.Header)
	for _, name := range names {
		headers[name] = &huma.Header{Ref: "#/components/headers/" + name}
	}
	return headers
}

func success(r huma.Registry, op *operation, status int) *huma.Response {
	res := &huma.Response{Description: http.StatusText(status), Headers: withHeaders(headerRequestID)}
	if op.lines {
		res.Content = map[string]*huma.MediaType{mediaLines: {Schema: &huma.Schema{Type: huma.TypeString}}}
		return res
	}
	if op.output == nil {
		res.Content = map[string]*huma.MediaType{mediaEvents: {Schema: &huma.Schema{Type: huma.TypeString}}}
		return res
	}
	res.Content = jsonContent(r.Schema(op.output, true, ""))
	if op.streams {
		res.Content[mediaEvents] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	res.Headers = withHeaders(successHeaders(op, status)...)
	return res
}

func successHeaders(op *operation, status int) []string {
	names := []string{headerRequestID}
	zero := reflect.Zero(op.output).Interface()
	if _, versioned := version(zero); versioned || slices.Contains(op.params, "if_none_match") {
		names = append(names, headerETag)
	}
	if status == http.StatusCreated {
		names = append(names, headerLocation)
	}
	if slices.Contains(op.params, "idempotency_key") {
		names = append(names, headerReplayed)
	}
	return names
}

// failuresOf returns the codes that the operation may answer. A method that the
// path does not have is no operation, and its 405 has no place here.
func failuresOf(op *operation) []rota.Code {
	codes := []rota.Code{rota.Invalid, rota.Unauthenticated, rota.Denied, rota.RateLimited, rota.Internal, rota.Unavailable}
	if braces.MatchString(op.Path) {
		codes = append(codes, rota.NotFound)
	}
	if slices.Contains(op.params, "idempotency_key") {
		codes = append(codes, rota.Conflict)
	}
	if slices.Contains(op.params, "if_match") {
		codes = append(codes, rota.Precondition)
	}
	if op.input != nil {
		codes = append(codes, rota.TooLarge, rota.BadMediaType)
	}
	return append(codes, op.fails...)
}

// failures returns an answer for every code of the operations, and one for all
// others, by the names that [failureName] gives them.
func failures(r huma.Registry, ops []*operation) map[string]*huma.Response {
	plain, auth := jsonContent(schemaOf[ErrorBody](r)), jsonContent(schemaOf[AuthErrorBody](r))
	all := make(map[string]*huma.Response)
	for _, op := range ops {
		body := plain
		if ofAuthentication(op) {
			body = auth
		}
		all[failureName(op, "failure")] = &huma.Response{Description: "Any other failure", Headers: withHeaders(headerRequestID), Content: body}
		for _, c := range failuresOf(op) {
			all[failureName(op, string(c))] = &huma.Response{Description: http.StatusText(kinds[c].status), Headers: failureHeaders(c), Content: body}
		}
	}
	return all
}

func ofAuthentication(op *operation) bool { return strings.HasPrefix(op.Path, authPath) }

// failureName returns the name of an answer, as the group of the operation has it.
func failureName(op *operation, name string) string {
	if ofAuthentication(op) {
		return "authentication_" + name
	}
	return name
}

func failureHeaders(c rota.Code) map[string]*huma.Header {
	switch c {
	case rota.Unauthenticated:
		return withHeaders(headerRequestID, headerAuthenticate)
	case rota.RateLimited, rota.Unavailable:
		return withHeaders(headerRequestID, headerRetryAfter)
	default:
		return withHeaders(headerRequestID)
	}
}

func families() []any {
	var names []string
	for _, k := range kinds {
		names = append(names, k.family)
	}
	slices.Sort(names)
	return anys(slices.Compact(names))
}

// open makes a component of answers one that clients of today can read when
// answers have grown: with members and with words that they do not know.
func open(s *huma.Schema) {
	walk(s, func(s *huma.Schema) {
		if s.Type == huma.TypeObject && (s.AdditionalProperties == nil || s.AdditionalProperties == false) {
			s.AdditionalProperties = true
		}
		for name, p := range s.Properties {
			if !slices.Contains(closedWords, name) {
				openWords(p)
			}
		}
	})
}

// closedWords names the members of answers whose words are all that there will
// ever be: the published API has them.
var closedWords = []string{"object", "status"}

// openWords turns an enum into a string with its words in the description, unless
// there is one word alone.
func openWords(s *huma.Schema) {
	if s.Items != nil {
		openWords(s.Items)
	}
	words := slices.DeleteFunc(slices.Clone(s.Enum), func(v any) bool { return v == nil })
	if s.Type != huma.TypeString || len(words) < 2 {
		return
	}
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = fmt.Sprintf("`%v`", w)
	}
	s.Enum = nil
	s.Description = sentences(s.Description, "Now one of "+alternatives(names)+"; there may be more.")
}

// defaultsInWords moves the defaults of a body into descriptions. With the keyword,
// some generators take the member for one that is always there, and demand it.
func defaultsInWords(s *huma.Schema) {
	walk(s, func(s *huma.Schema) {
		if s.Default != nil {
			s.Description = sentences(s.Description, fmt.Sprintf("Default: %v.", s.Default))
			s.Default = nil
		}
	})
}

// sentences joins what is said of one thing.
func sentences(texts ...string) string {
	return strings.TrimSpace(strings.Join(texts, " "))
}
