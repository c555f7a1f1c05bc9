package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/httpapi"
)

// TestSystem: any key may ask, also one without scopes.
func TestSystem(t *testing.T) {
	h := newServer(t, nil, func(c *httpapi.Config) {
		c.Keys = keyring{secret: {ID: "key_1", Account: "acme", Scopes: []rota.Scope{}}}
		c.Limits = &auth.Limiter{}
	})
	w := answer(h, request(http.MethodGet, "/api/v1/system", ""))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.JSONEq(t, `{"object":"system","version":"v1.2.3","commit":"0123abc","time":"2026-11-23T05:31:56.000Z",
		"zone_data":{"version":"2026f","source":"built-in"}}`, w.Body.String())

	r := request(http.MethodGet, "/api/v1/system", "")
	r.Header.Del("Authorization")
	require.Equal(t, http.StatusUnauthorized, answer(h, r).Code)
}
