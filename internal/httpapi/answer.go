package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"

	"github.com/rota-run/rota"
)

// minGzip is how long an answer must be to be compressed: shorter ones fit into
// one packet as they are.
const minGzip = 1024

// compressed lets a handler answer with gzip where the client takes it. A handler
// that sends events must not be wrapped: they would wait in the compressor.
//
// That compression tells something of what it compresses (BREACH) is no concern
// here: a page of another site cannot make a browser send a key.
func compressed(h http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(minGzip), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false))
	if err != nil {
		panic(fmt.Errorf("set up compression: %w", err)) // it depends on nothing but the program
	}
	return wrap(h)
}

// respond writes the answer of an operation.
func (a *api) respond(w http.ResponseWriter, r *http.Request, op *operation, answer any) {
	if l, ok := answer.(longList); ok {
		a.sendList(w, r, l)
		return
	}
	status := op.Status
	if c, ok := answer.(created); ok {
		answer, status = c.object, http.StatusCreated
	}
	body, err := encode(answer)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if status == http.StatusCreated {
		w.Header().Set(headerLocation, location(r.URL.Path, answer))
	}
	tag, ok := entityTag(r, answer, body)
	if ok {
		w.Header().Set(headerETag, tag)
	}
	if ok && notModified(r, tag) {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	a.writeBody(w, status, body)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return b.Bytes(), nil
}

// location returns the path of what was created by a request to a path.
func location(path string, answer any) string {
	switch v := answer.(type) {
	case rota.Agent:
		return agentsPath + "/" + string(v.ID)
	case rota.FunctionTool:
		return path + "/" + string(v.ID)
	case rota.MCPServer:
		return path + "/" + string(v.ID)
	case rota.MemoryStore:
		return path + "/" + string(v.ID)
	case rota.MemoryEntry:
		return path + "/" + string(v.ID)
	case rota.Schedule:
		return agentsPath + "/" + string(v.AgentID) + "/schedules/" + string(v.ID)
	case rota.Run:
		return path + "/" + string(v.ID)
	case rota.NewKey:
		return keysPath + "/" + string(v.ID)
	case rota.ScopedKey:
		return keysPath + "/" + v.ID
	default:
		return path
	}
}

// version returns the version of an answer that is one object.
func version(answer any) (int64, bool) {
	switch v := answer.(type) {
	case rota.Agent:
		return v.Version, true
	case rota.FunctionTool:
		return v.Version, true
	case rota.MCPServer:
		return v.Version, true
	case rota.Schedule:
		return v.Version, true
	default:
		return 0, false
	}
}

// isTagged reports whether an answer has an ETag.
func isTagged(answer any) bool {
	switch answer.(type) {
	case rota.Run, rota.AgentVersion:
		return true
	default:
		_, ok := version(answer)
		return ok
	}
}

// entityTag returns the ETag of an answer. It begins with the version of the object,
// by which If-Match goes. To a read it adds what tells the content: a run of a
// schedule changes its run_count and not its version.
func entityTag(r *http.Request, answer any, body []byte) (string, bool) {
	v, versioned := version(answer)
	switch {
	case !isTagged(answer):
		return "", false
	case !reads(r) && versioned:
		return etag(v), true
	case !reads(r):
		return "", false
	case versioned:
		return strconv.Quote(strconv.FormatInt(v, 10) + "-" + digest(body)), true
	default:
		return strconv.Quote(digest(body)), true
	}
}

func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}

// reads reports whether a request changes nothing.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// bareTag is an ETag of ours as a proxy may have made it: see validETag.
var bareTag = regexp.MustCompile(`^(?:W/)?"((?:[0-9]+-)?[0-9a-f]{16})(?:[^0-9a-f"][^"]*)?"$`)

// notModified reports whether the client of a read has what the tag names already.
func notModified(r *http.Request, tag string) bool {
	if !reads(r) {
		return false
	}
	for _, list := range r.Header.Values(headerIfNoneMatch) {
		for known := range strings.SplitSeq(list, ",") { // no tag of ours has a comma
			known = strings.TrimSpace(known)
			if known == "*" || bareTag.ReplaceAllString(known, `"$1"`) == tag {
				return true
			}
		}
	}
	return false
}
