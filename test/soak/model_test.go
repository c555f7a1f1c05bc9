package soak

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// The models that there are.
const (
	quick  = "quick"  // answers with two letters
	large  = "large"  // answers with 15 MiB
	breaks = "breaks" // says 16 MiB and breaks off
)

// startModel starts a server of models.
func startModel(t *testing.T) *httptest.Server {
	answer := gatewaytest.Created("resp_1") + gatewaytest.Completed("resp_1", strings.Repeat("x", 15<<20))
	delta := gatewaytest.Delta(strings.Repeat("x", 1<<20))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Model string }
		_ = json.NewDecoder(r.Body).Decode(&asked)
		w.Header().Set("Content-Type", "text/event-stream")
		switch asked.Model {
		case large:
			_, _ = io.WriteString(w, answer)
		case breaks:
			_, _ = io.WriteString(w, gatewaytest.Created("resp_1"))
			for range 16 {
				_, _ = io.WriteString(w, delta)
			}
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, gatewaytest.Created("resp_1")+gatewaytest.Completed("resp_1", "ok"))
		}
	}))
	t.Cleanup(s.CloseClientConnections)
	return s
}
