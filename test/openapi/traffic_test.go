// Package openapi holds what the tests of the HTTP API send and receive against
// docs/openapi.json, with a validator that is not Rota's. It is a module of its
// own, because that validator takes minutes to compile.
package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	verrors "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/paths"
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
			http.StatusNotFound,
			http.Header{"Content-Type": {"application/json"}},
			[]byte(`{"error":{"message":"no","type":"invalid_request_error","code":"not_found","param":null}}`),
		},
	}
	require.Empty(t, d.faults(good))
	for _, body := range []string{`{"name":"a"}`, `{"name":1,"model":"m"}`, `{"name":"a","model":"m","nmae":"b"}`} {
		bad := good
		bad.Body = []byte(body)
		assert.Len(t, d.faults(bad), 1, body)
		bad.Fits = new(false)
		assert.Empty(t, d.faults(bad), body)
	}
	for _, body := range []string{
		`{}`, `{"error":{"message":"no","type":"invalid_request_error","code":"not_found"}}`,
		`{"error":{"message":1,"type":"invalid_request_error","code":"not_found","param":null}}`,
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
	libopenapi.Document
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
	return document{doc, v}
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
		res := &http.Response{
			StatusCode: x.Response.Status, Header: x.Response.Header,
			Body: io.NopCloser(bytes.NewReader(x.Response.Body)),
		}
		if ok, errs := d.validator.ValidateHttpResponse(x.request(), res); !ok {
			faults = append(faults, "the answer does not fit the document: "+explain(errs)+"\n"+string(x.Response.Body))
		}
	}
	return faults
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
	model, err := d.BuildV3Model()
	require.NoError(t, err)
	r := x.request()
	r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
	_, errs, path := paths.FindPath(r, &model.Model, nil)
	require.Empty(t, errs)
	return x.Method + " " + path
}

func (d document) operations(t *testing.T) []string {
	t.Helper()
	model, err := d.BuildV3Model()
	require.NoError(t, err)
	var all []string
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	require.NotEmpty(t, all)
	return all
}

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
