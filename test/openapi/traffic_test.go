// Package openapi holds what the tests of the HTTP API send and receive against
// docs/openapi.json, with a validator that is not Rota's. It is a module of its
// own, because that validator takes minutes to compile.
package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	verrors "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/paths"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// exchange is what package httpapi's tests record.
type exchange struct {
	Test     string
	Method   string
	Target   string
	Header   http.Header
	Body     []byte
	Fits     *bool
	Response *response
}

type response struct {
	Status int
	Header http.Header
	Body   []byte
}

func TestTrafficFitsTheDocument(t *testing.T) {
	d := readDocument(t)
	all := recorded(t)
	answered := make(map[string]bool)
	var verdicts int
	for _, x := range all {
		d.hold(t, x)
		if x.Response == nil {
			verdicts++
		} else if x.Response.Status < 300 {
			answered[d.operation(t, x)] = true
		}
	}
	t.Logf("%d exchanges and %d bodies alone", len(all)-verdicts, verdicts)
	answered["POST /api/v1/agents/{agent_id}/runs/{run_id}/mcp-approvals"] = true // no run asks
	for _, op := range d.operations(t) {
		assert.True(t, answered[op], "no test of the API has a good answer of %s", op)
	}
	assert.Positive(t, verdicts)
}

// TestWrongTrafficIsFound changes a good exchange, one thing at a time.
func TestWrongTrafficIsFound(t *testing.T) {
	d := readDocument(t)
	good := exchange{
		Method: http.MethodPost, Target: "/api/v1/agents", Body: []byte(`{"name":"a","model":"m"}`), Fits: new(true),
		Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer rk_1"}},
		Response: &response{
			http.StatusTooManyRequests,
			http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"req_1"}, "Retry-After": {"1"}},
			[]byte(`{"error":{"message":"no","type":"invalid_request_error","code":"rate_limited","param":null,"details":null}}`),
		},
	}
	require.Empty(t, d.faults(good))
	for _, header := range []string{"X-Request-Id", "Retry-After"} {
		bad := good
		bad.Response = &response{good.Response.Status, good.Response.Header.Clone(), good.Response.Body}
		bad.Response.Header.Del(header)
		assert.Len(t, d.faults(bad), 1, header)
	}
	unnamed := good
	unnamed.Response = &response{http.StatusNotFound, good.Response.Header, good.Response.Body}
	assert.Len(t, d.faults(unnamed), 1, "a status that the operation does not name")
	for _, body := range []string{`{"name":"a"}`, `{"name":1,"model":"m"}`, `{"name":"a","model":"m","nmae":"b"}`} {
		bad := good
		bad.Body = []byte(body)
		assert.Len(t, d.faults(bad), 1, body)
		bad.Fits = new(false)
		assert.Empty(t, d.faults(bad), body)
	}
	for _, body := range []string{
		`{}`, `{"error":{"message":"no","type":"invalid_request_error","code":"not_found","details":null}}`,
		`{"error":{"message":1,"type":"invalid_request_error","code":"not_found","param":null,"details":null}}`,
	} {
		bad := good
		bad.Response = &response{good.Response.Status, good.Response.Header, []byte(body)}
		assert.Len(t, d.faults(bad), 1, body)
	}
}

// recorded runs the tests of the API and returns what they recorded.
func recorded(t *testing.T) []exchange {
	t.Helper()
	file := filepath.Join(t.TempDir(), "exchanges.jsonl")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "./internal/httpapi", "-record", file)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	var all []exchange
	for dec := json.NewDecoder(f); ; {
		var x exchange
		err := dec.Decode(&x)
		if err == io.EOF {
			return all
		}
		require.NoError(t, err)
		all = append(all, x)
	}
}

type document struct {
	model     *v3.Document
	validator validator.Validator
}

func readDocument(t *testing.T) document {
	t.Helper()
	raw, err := os.ReadFile(root + "/docs/openapi.json")
	require.NoError(t, err)
	doc, err := libopenapi.NewDocument(raw)
	require.NoError(t, err)
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions())
	require.NoError(t, errors.Join(errs...))
	model, err := doc.BuildV3Model()
	require.NoError(t, err)
	return document{&model.Model, v}
}

func (d document) hold(t *testing.T, x exchange) {
	t.Helper()
	if faults := d.faults(x); len(faults) > 0 {
		t.Errorf("%s: %s %s: %s\n%.200s", x.Test, x.Method, x.Target, strings.Join(faults, "\n"), x.Body)
	}
}

// faults says what is wrong with an exchange.
func (d document) faults(x exchange) []string {
	var faults []string
	if x.Fits != nil {
		ok, errs := d.validator.ValidateHttpRequestSync(x.request())
		switch {
		case *x.Fits && !ok:
			faults = append(faults, "the request does not fit the document: "+explain(errs))
		case !*x.Fits && ok:
			faults = append(faults, "the server refuses the request, the document does not")
		}
	}
	if x.Response != nil {
		body := x.Response.Body
		if x.Response.Header.Get("Content-Type") == "application/jsonl" {
			body, _ = json.Marshal(string(body)) // for a string; the validator takes lines for one value
		}
		res := &http.Response{
			StatusCode: x.Response.Status, Header: x.Response.Header,
			Body: io.NopCloser(bytes.NewReader(body)),
		}
		if ok, errs := d.validator.ValidateHttpResponse(x.request(), res); !ok {
			faults = append(faults, "the answer does not fit the document: "+explain(errs)+"\n"+string(x.Response.Body))
		}
		faults = append(faults, d.unnamed(x)...)
	}
	return faults
}

// unnamed says so if the operation does not name the status of the answer.
func (d document) unnamed(x exchange) []string {
	op := d.named(x)
	if op == nil {
		return nil // no operation has this path and method
	}
	answer := op.Responses.Codes.GetOrZero(strconv.Itoa(x.Response.Status))
	if answer == nil {
		return []string{fmt.Sprintf("the operation does not name the status %d", x.Response.Status)}
	}
	return nil
}

// named returns the operation that the exchange is about, or nil.
func (d document) named(x exchange) *v3.Operation {
	r := x.request()
	r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
	item, _, _ := paths.FindPath(r, d.model, nil)
	if item == nil {
		return nil
	}
	return item.GetOperations().GetOrZero(strings.ToLower(x.Method))
}

func (x exchange) request() *http.Request {
	r, err := http.NewRequest(x.Method, "http://example.com"+x.Target, bytes.NewReader(x.Body))
	if err != nil {
		panic(err) // the API has answered it
	}
	r.Header = x.Header.Clone()
	return r
}

// operation returns the operation that answered. A path may end in a slash too
// many.
func (d document) operation(t *testing.T, x exchange) string {
	t.Helper()
	r := x.request()
	r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
	_, errs, path := paths.FindPath(r, d.model, nil)
	require.Empty(t, errs)
	return x.Method + " " + path
}

// operations returns the operations that can have a good answer.
func (d document) operations(t *testing.T) []string {
	t.Helper()
	var all []string
	for path, item := range d.model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			if slices.ContainsFunc(slices.Collect(op.Responses.Codes.KeysFromOldest()), isGood) {
				all = append(all, strings.ToUpper(method)+" "+path)
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// isGood reports whether a status is that of a good answer.
func isGood(status string) bool { return strings.HasPrefix(status, "2") }

func explain(errs []*verrors.ValidationError) string {
	var all strings.Builder
	for _, e := range errs {
		all.WriteString(e.Error() + "\n")
		for _, s := range e.SchemaValidationErrors {
			all.WriteString("  " + s.Reason + " at " + s.FieldPath + "\n")
		}
	}
	return all.String()
}
