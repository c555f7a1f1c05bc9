package console

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
)

// TestAProblemIsShownWithoutItsCause: what is for the operator stays in the log.
func TestAProblemIsShownWithoutItsCause(t *testing.T) {
	c := &console{
		Config: Config{
			Now: time.Now, Log: slog.New(slog.DiscardHandler), Status: func(rota.Code) int { return http.StatusTeapot },
		},
		templates: parseTemplates(),
	}
	secret := errors.New("postgres://rota:password@db")
	for want, err := range map[string]error{
		"agent_id: is not free":                              &rota.Error{Code: rota.Conflict, Field: "agent_id", Msg: "is not free", Err: secret},
		"internal error; the server&#39;s log has the cause": secret,
	} {
		w := httptest.NewRecorder()
		c.problem(w, visit{Request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/runs", nil)}, err)
		require.Equal(t, http.StatusTeapot, w.Code)
		require.Contains(t, w.Body.String(), want)
		require.NotContains(t, w.Body.String(), "password")
	}
}
