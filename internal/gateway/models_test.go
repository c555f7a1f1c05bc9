package gateway_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
)

// listing answers GET /models with a body, if the key is right.
func listing(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/models" || r.Header.Get("Authorization") != "Bearer secret" {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func listed(t *testing.T, providers ...gateway.Provider) (ids []string, models []rota.Model) {
	t.Helper()
	for i := range providers {
		providers[i].Key = func() (string, error) { return "secret", nil }
	}
	g, err := gateway.New(providers)
	require.NoError(t, err)
	models = g.Models(t.Context())
	for _, m := range models {
		ids = append(ids, m.ID)
		by, _, err := g.Resolve(m.ID)
		require.NoError(t, err)
		require.Equal(t, m.OwnedBy, by, "%s can be asked", m.ID)
	}
	return ids, models
}

func TestModels(t *testing.T) {
	first := listing(t, 200, `{"object":"list","data":[
		{"id":"tiny","object":"model","created":1700000000,"meta":{"n_ctx":2048}},
		{"id":"org/large","created":"yesterday","context_length":"many","max_model_len":8192},
		{"id":"second/odd"}, {"id":"tiny"}, {"id":7}, "x", {"id":""}, {"id":"`+strings.Repeat("x", 201)+`"}]}`)
	second := listing(t, 200, `{"data":[{"id":"small"},{"id":"echo"}]}`)
	ids, models := listed(t,
		gateway.Provider{Name: "first", BaseURL: first, DefaultModel: "mine", AnyPrefix: true}, gateway.Provider{Name: "second", BaseURL: second})
	require.Equal(t, []string{"mine", "tiny", "org/large", "first/second/odd", "second/small", "second/echo"}, ids)
	require.Equal(t, int64(1700000000), models[1].Created)
	require.Equal(t, int64(2048), *models[1].ContextWindow)
	require.Equal(t, int64(0), models[2].Created)
	require.Equal(t, int64(8192), *models[2].ContextWindow)
}

// A provider that says nothing of use has its default model.
func TestModelsOfAProviderWithoutAList(t *testing.T) {
	for _, body := range []string{`<html>`, `[]`, `{"data":{}}`, `{"data":null}`, ``} {
		ids, _ := listed(t, gateway.Provider{Name: "a", BaseURL: listing(t, 200, body), DefaultModel: "mine"})
		require.Equal(t, []string{"mine"}, ids, body)
	}
	ids, _ := listed(t, gateway.Provider{Name: "a", BaseURL: listing(t, 404, `{"data":[{"id":"x"}]}`)})
	require.Empty(t, ids)
	ids, _ = listed(t, gateway.Provider{Name: "a", BaseURL: "http://127.0.0.1:1", DefaultModel: "mine"})
	require.Equal(t, []string{"mine"}, ids)
}
