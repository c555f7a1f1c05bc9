package gatewaytest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func post(t *testing.T, h http.Handler, key, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/v1/responses", strings.NewReader(body))
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestScriptThenDefault(t *testing.T) {
	s := gatewaytest.NewServer(gatewaytest.Everything)
	s.Script(gatewaytest.Status(503, map[string]string{"Retry-After": "1"}, "busy"))
	w := post(t, s, "a", `{"metadata":{"run":"1"}}`)
	require.Equal(t, 503, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	w = post(t, s, "a", `{"metadata":{"run":"1"}}`)
	require.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
	require.Equal(t, gatewaytest.Created("resp_2")+gatewaytest.Delta("ok")+gatewaytest.Completed("resp_2", "ok"), w.Body.String())
	post(t, s, "b", `not JSON`)

	require.Equal(t, 3, s.Total())
	require.Equal(t, map[string]int{"a": 2, "b": 1}, s.KeyCalls())
	require.Equal(t, map[string]int{"1": 2}, s.MetadataCalls("run"))
	require.Empty(t, s.MetadataCalls("other"))
	require.Equal(t, "not JSON", string(s.Calls()[2].Body))
}

func TestKeep(t *testing.T) {
	s := gatewaytest.NewServer(gatewaytest.Nothing)
	post(t, s, "a", `{}`)
	require.Equal(t, 1, s.Total())
	require.Empty(t, s.KeyCalls())
	s = gatewaytest.NewServer(gatewaytest.Counts)
	post(t, s, "a", `{}`)
	require.Equal(t, map[string]int{"a": 1}, s.KeyCalls())
	require.Empty(t, s.Calls())
}

func TestGate(t *testing.T) {
	entered, release := make(chan gatewaytest.Call), make(chan struct{})
	s := gatewaytest.New(t)
	s.Script(gatewaytest.Gate(entered, release, gatewaytest.Text("x")))
	answered := make(chan string)
	go func() {
		defer close(answered)
		res, err := http.Post(s.URL+"/responses", "application/json", strings.NewReader(`{}`))
		if err != nil {
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answered <- string(b)
	}()
	require.Equal(t, 1, (<-entered).Number)
	close(release)
	require.Contains(t, <-answered, "response.completed")
}

func TestNothingIsKeptUnderAnID(t *testing.T) {
	res, err := http.Get(gatewaytest.New(t).URL + "/responses/resp_1")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusNotFound, res.StatusCode)
}
