package httpapi_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Test/openapi gives this flag, and holds what it finds in the file against
// the document with a validator that is slow to compile.
var recordTo = flag.String("record", "", "append each exchange to this file, as a line of JSON")

// exchange is a request and its answer, as test/openapi reads them.
type exchange struct {
	Test     string
	Method   string
	Target   string
	Header   http.Header
	Body     []byte
	Fits     *bool     // whether the request must fit the document; nil if it may or may not
	Response *response // nil if only the request is held against the document
}

type response struct {
	Status int
	Header http.Header
	Body   []byte
}

func record(t *testing.T, r *http.Request, body string, fits *bool, res *response) {
	t.Helper()
	if *recordTo == "" {
		return
	}
	line, err := json.Marshal(exchange{
		Test: t.Name(), Method: r.Method, Target: r.URL.String(), Header: r.Header, Body: []byte(strings.TrimPrefix(body, "\ufeff")), // the document is about JSON
		Fits: fits, Response: res,
	})
	require.NoError(t, err)
	f, err := os.OpenFile(*recordTo, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.Write(append(line, '\n'))
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
