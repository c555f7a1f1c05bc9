package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/httpapi"
	"github.com/rota-run/rota/internal/limits"
)

var start = time.Date(2026, 11, 23, 5, 31, 56, 0, time.UTC)

const secret = "rk_a-secret-that-opens-everything"

// keyring is a KeyReader of keys by their secrets.
type keyring map[string]rota.Key

func (k keyring) KeyByHash(_ context.Context, hash []byte) (rota.Key, []byte, error) {
	for s, key := range k {
		if string(auth.Hash(s)) == string(hash) {
			return key, hash, nil
		}
	}
	return rota.Key{}, nil, rota.Errorf(rota.NotFound, "no such key")
}

func (k keyring) KeyOfToken(context.Context, rota.SigningKeyID, rota.KeyID) (rota.Key, []byte, error) {
	return rota.Key{}, nil, rota.Errorf(rota.NotFound, "no such key")
}

// failing fails every transaction.
type failing[Tx any] struct{ err error }

func (f failing[Tx]) Update(context.Context, func(context.Context, Tx) error) error { return f.err }

// noAgents fails every read of an agent.
type noAgents struct {
	control.AgentReader
	err error
}

func (f noAgents) VisibleAgent(context.Context, rota.Owner, rota.AgentID) (rota.Agent, error) {
	if f.err == nil {
		panic("out of errors")
	}
	return rota.Agent{}, f.err
}

// errReached says that a request passed everything before the store.
// Any operation may answer it.
var errReached = rota.Errorf(rota.Unavailable, "reached the store")

// newServer returns a server in front of a store that fails with err.
func newServer(t *testing.T, err error, change ...func(*httpapi.Config)) http.Handler {
	t.Helper()
	cfg := httpapi.Config{
		Control: &control.Control{Store: control.Store{AgentReader: noAgents{err: err}, Updater: failing[control.Tx]{err}}, Now: func() time.Time { return start }, Audit: slog.New(slog.DiscardHandler), Limits: &limits.Keeper{}},
		Limits:  &auth.Limiter{Store: failing[auth.Tx]{err}},
		Keys:    keyring{secret: {ID: "key_1", Account: "acme", Scopes: rota.AllScopes()}},
		Ready:   func(context.Context) error { return nil },
		Metrics: http.NotFoundHandler(),
		Log:     slog.New(slog.DiscardHandler),
		Now:     func() time.Time { return start },
		System:  rota.SystemInfo{Version: "v1.2.3", Commit: "0123abc", ZoneData: rota.ZoneData{Version: "2026f", Source: "built-in"}},
	}
	for _, fn := range change {
		fn(&cfg)
	}
	return httpapi.New(cfg)
}

// request makes a request with the key and a JSON body.
func request(method, target, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+secret)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func answer(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// failure is what the body of an error says.
type failure struct {
	Message string
	Type    string
	Code    rota.Code
	Param   *string
	Details any
}

func (f failure) param() string {
	if f.Param == nil {
		return ""
	}
	return *f.Param
}

// words returns the message without the parameter that it begins with.
func (f failure) words() string {
	if f.Param == nil {
		return f.Message
	}
	rest, ok := strings.CutPrefix(f.Message, *f.Param+": ")
	if !ok {
		return "does not name the field: " + f.Message
	}
	return rest
}

// failed reads an error, and nothing but the five fields that it has.
func failed(t *testing.T, w *httptest.ResponseRecorder) failure {
	t.Helper()
	require.Equal(t, "application/json", w.Header().Get("Content-Type"), w.Body)
	var raw struct{ Error map[string]json.RawMessage }
	var body struct {
		Message string // at the top in the authentication group
		Details []any
		Error   failure
	}
	d := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&body))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &raw))
	require.Len(t, raw.Error, 5, "every field is always present")
	return body.Error
}
