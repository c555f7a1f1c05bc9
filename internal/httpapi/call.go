package httpapi

import (
	"bytes"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/control"
)

// maxBody is the most bytes that a body may have.
const maxBody = 1 << 20

// A call is an authenticated request whose headers are sound.
type call struct {
	*http.Request
	who   auth.Caller
	write control.Write
	body  []byte
	op    *operation
	check checker

	memory *budget.Account // what the request has taken of the budget
}

func (c call) agent() rota.AgentID       { return rota.AgentID(c.PathValue("agent_id")) }
func (c call) schedule() rota.ScheduleID { return rota.ScheduleID(c.PathValue("schedule_id")) }
func (c call) run() rota.RunID           { return rota.RunID(c.PathValue("run_id")) }

func (c call) functionTool() rota.FunctionToolID {
	return rota.FunctionToolID(c.PathValue("function_tool_id"))
}

// version returns the version that the path names; of what is no number, one that
// no object has.
func (c call) version() int64 {
	n, _ := strconv.ParseInt(c.PathValue("version"), 10, 64)
	return n
}

func (c call) key() rota.KeyID { return rota.KeyID(c.PathValue("key_id")) }

func (a *api) newCall(op *operation, who auth.Caller, r *http.Request, body func() ([]byte, error)) (call, error) {
	c := call{Request: r, who: who, op: op, check: a.doc.check}
	if generated(r) {
		c.check.unknown = func(at fieldPath) { a.ignored(r, "body", strings.Join(at, ".")) }
	}
	if err := a.checkQuery(op, r); err != nil {
		return c, err
	}
	if reads(r) {
		return c, nil
	}
	if len(r.Header.Values(headerIfNoneMatch)) > 0 {
		return c, rota.InvalidField(headerIfNoneMatch, "is for GET; send %s to change an object only if it has not changed", headerIfMatch)
	}
	var err error
	if c.write.IdempotencyKey, err = idempotencyKey(op, r.Header); err != nil {
		return c, err
	}
	if c.write.IfMatch, err = ifMatch(r.Header); err != nil {
		return c, err
	}
	if c.body, err = body(); err != nil {
		return c, err
	}
	if !op.open {
		c.write.Request = append([]byte(r.Method+" "+r.URL.Path+"\n"), c.body...)
	}
	if c.write.IdempotencyKey != "" {
		c.write.Request = append([]byte(r.Method+" "+r.URL.Path+"\n"), canonical(c.body)...)
		c.write.Replayed = new(bool)
	}
	return c, nil
}

// replayed reports whether the answer is that of an earlier request.
func (c call) replayed() bool { return c.write.Replayed != nil && *c.write.Replayed }

func idempotencyKey(op *operation, h http.Header) (string, error) {
	values := h.Values(headerIdempotencyKey)
	if len(values) == 0 {
		return "", nil
	}
	if op.unrepeatable {
		return "", rota.InvalidField(headerIdempotencyKey, "cannot be used here: the answer has a secret, which is not kept")
	}
	bad := func(r rune) bool { return r < ' ' || r > '~' }
	if len(values) > 1 || values[0] == "" || len(values[0]) > 255 || strings.ContainsFunc(values[0], bad) {
		return "", rota.InvalidField(headerIdempotencyKey, "must be one value of 1 to 255 printable ASCII characters")
	}
	return values[0], nil
}

// validETag is an ETag of an object with a version, which it begins with. A proxy that
// compresses makes it weak, or adds to it what it likes. Shells and clients lose the quotes.
var validETag = regexp.MustCompile(`^(?:W/)?(?:"([1-9][0-9]*)(?:[^0-9"][^"]*)?"|([1-9][0-9]*)(?:-[0-9A-Za-z-]+)?)$`)

// ifMatch returns the versions that If-Match names; none for any.
func ifMatch(h http.Header) (versions []int64, err error) {
	values := h.Values(headerIfMatch)
	if len(values) == 0 || len(values) == 1 && values[0] == "*" {
		return nil, nil
	}
	for tag := range strings.SplitSeq(strings.Join(values, ","), ",") { // no tag of ours has a comma
		m := validETag.FindStringSubmatch(strings.TrimSpace(tag))
		if m == nil {
			return nil, rota.InvalidField(headerIfMatch, `must be the ETag of an answer, such as "3", or *`)
		}
		v, err := strconv.ParseInt(m[1]+m[2], 10, 64)
		if err != nil {
			v = math.MaxInt64 // which no object has
		}
		versions = append(versions, v)
	}
	return versions, nil
}

// most returns how many bytes the body of an operation may have, and how many bytes of
// memory each takes.
func (a *api) most(op *operation) (size, cost int64) {
	if op.open && op.input != nil {
		return max(maxBody, a.MaxBody), rawCost
	}
	return maxBody, bodyCost
}

func (a *api) readBody(op *operation, w http.ResponseWriter, r *http.Request, memory *budget.Account) ([]byte, error) {
	size, cost := a.most(op)
	body, err := io.ReadAll(charged{http.MaxBytesReader(w, r.Body, size), r.Context(), memory})
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, rota.Errorf(rota.TooLarge, "the body must be at most %d bytes long", size)
	case errors.Is(err, rota.Unavailable):
		return nil, err
	case err != nil:
		return nil, &rota.Error{Code: rota.Invalid, Msg: "the body did not arrive whole", Err: err}
	}
	return bytes.TrimPrefix(body, []byte(byteOrderMark)), take(r.Context(), memory, cost*int64(len(body)))
}

// byteOrderMark begins what some editors and shells write as UTF-8. RFC 8259 lets a
// reader of JSON pass over it.
const byteOrderMark = "\ufeff"

// decode reads the body into in, a pointer, after checking it against the
// operation's schema.
func (c call) decode(in any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		if c.op.optional {
			return nil
		}
		return rota.Errorf(rota.Invalid, "send a JSON object as the body; {} if there is nothing to say")
	}
	if err := mediaType(c.Header); err != nil {
		return err
	}
	return c.check.decode(c.body, c.op.schema, in)
}

// mediaType refuses bodies that say that they are something else than JSON.
func mediaType(h http.Header) error {
	bad := rota.Errorf(rota.BadMediaType, "the body must be JSON in UTF-8: send Content-Type: application/json, and no Content-Encoding")
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return bad
	}
	sent := h.Get("Content-Type")
	if sent == "" {
		return nil
	}
	t, params, err := mime.ParseMediaType(sent)
	if charset := params["charset"]; err != nil || t != mediaJSON || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return bad
	}
	return nil
}

// cursor is what an id looks like.
var cursor = regexp.MustCompile(`^([a-z]+_)+[0-9a-f]{32}$`)

// maxOffset is how much of a list can be passed over without a cursor.
const maxOffset = 1_000_000_000

// page reads the parameters of a list. check tells a cursor from what is none; nil if
// cursors are ids.
func page(q url.Values, check func(string) error) (rota.Page, error) {
	p := rota.Page{Limit: 20, Ascending: q.Get("order") == "asc", After: q.Get("after"), Before: q.Get("before")}
	if s := q.Get("limit"); q.Has("limit") {
		n, ok := whole(s)
		if !ok || n < 1 || n > 100 {
			return p, rota.InvalidField("limit", "must be a whole number from 1 to 100")
		}
		p.Limit = int(n)
	}
	if o := q.Get("order"); q.Has("order") && o != "asc" && o != "desc" {
		return p, rota.InvalidField("order", `must be "asc" or "desc"`)
	}
	if s := q.Get("offset"); q.Has("offset") {
		n, ok := whole(s)
		if !ok || n < 0 || n > maxOffset {
			return p, rota.InvalidField("offset", "must be a whole number from 0 to %d", maxOffset)
		}
		if n > 0 && p.After+p.Before != "" {
			return p, rota.InvalidField("offset", "cannot be used together with after or before, unless it is 0")
		}
		p.Offset = int(n)
	}
	if p.After != "" && p.Before != "" {
		return p, rota.InvalidField("before", "cannot be used together with after")
	}
	for _, name := range []string{"after", "before"} {
		if at := q.Get(name); at != "" && (check == nil && !cursor.MatchString(at) || check != nil && check(at) != nil) {
			return p, rota.InvalidField(name, "must be the first_id or last_id of a page")
		}
	}
	return p, nil
}

// boolParam reads a parameter that is true or false, by default false.
func boolParam(q url.Values, name string) (bool, error) {
	switch q.Get(name) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	if q.Has(name) {
		return false, rota.InvalidField(name, `must be "true" or "false"`)
	}
	return false, nil
}
