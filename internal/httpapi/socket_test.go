package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/responses"
)

// A socket is a WebSocket of a caller.
type socket struct {
	*testing.T
	*websocket.Conn
}

// dial asks for a WebSocket.
func (c caller) dial(url string, headers ...string) (*websocket.Conn, *http.Response, error) {
	h := http.Header{"Authorization": {"Bearer " + c.secret}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return websocket.Dial(c.t.Context(), "ws"+strings.TrimPrefix(url, "http")+responsesPath, &websocket.DialOptions{HTTPHeader: h})
}

func (c caller) open(url string) socket {
	c.t.Helper()
	conn, _, err := c.dial(url)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = conn.CloseNow() })
	return socket{c.t, conn}
}

func (s socket) send(message string) {
	s.Helper()
	require.NoError(s, s.Write(s.Context(), websocket.MessageText, []byte(message)))
}

func (s socket) next() (raw []byte, e map[string]any) {
	s.Helper()
	_, raw, err := s.Read(s.Context())
	require.NoError(s, err)
	require.NoError(s, json.Unmarshal(raw, &e), "%s", raw)
	return raw, e
}

// answer reads the events of a response to its end.
func (s socket) answer() map[string]any {
	s.Helper()
	var check responses.Checker
	for {
		raw, e := s.next()
		require.NoError(s, check.Event(raw), "%s", raw)
		if responses.Terminal(e["type"].(string)) {
			return e["response"].(map[string]any)
		}
	}
}

func (s socket) refused(status int, code, param string) {
	s.Helper()
	raw, e := s.next()
	require.Equal(s, "error", e["type"], "%s", raw)
	require.EqualValues(s, status, e["status"], "%s", raw)
	require.Equal(s, code, e["error"].(map[string]any)["code"], "%s", raw)
	if param != "" {
		require.Equal(s, param, e["error"].(map[string]any)["param"], "%s", raw)
	}
}

func newSockets(t *testing.T) (*server, string) {
	s := newLLM(t)
	web := httptest.NewServer(s.handler)
	t.Cleanup(web.Close)
	return s, web.URL
}

func TestResponsesOverAWebSocket(t *testing.T) {
	s, url := newSockets(t)
	c := s.acme()
	ws := c.open(url)
	for message, why := range map[string][2]string{
		`{"type":"response.cancel"}`:      {"invalid", "type"},
		`{"model":"test/m","input":"Hi"}`: {"invalid", "type"},
		`["response.create"]`:             {"invalid", ""},
		`{"type":"response.create","model":"test/m","input":"Hi","background":true}`:        {"invalid", "background"},
		`{"type":"response.create","model":"test/m","input":"Hi","generate":false}`:         {"invalid", "generate"},
		`{"type":"response.create","model":"test/m","input":"Hi","conversation":"conv_no"}`: {"not_found", ""},
	} {
		ws.send(message)
		status := http.StatusBadRequest
		if why[0] == "not_found" {
			status = http.StatusNotFound
		}
		ws.refused(status, why[0], why[1])
	}
	s.models.server.Script(gatewaytest.Status(http.StatusBadRequest, nil, `{"error":{"message":"no such thing"}}`))
	ws.send(`{"type":"response.create","model":"test/m","input":"Hi"}`)
	ws.refused(http.StatusBadRequest, "invalid", "")

	ws.send(`{"type":"response.create","model":"test/m","input":"I am Ada.","store":false}`)
	first := ws.answer()
	require.Equal(t, "completed", first["status"])
	ws.send(`{"type":"response.create","model":"test/m","input":"Who am I?","previous_response_id":"` + first["id"].(string) + `"}`)
	ws.refused(http.StatusBadRequest, "invalid", "store")
	ws.send(`{"type":"response.create","model":"test/m","input":"I am Ada.","store":false}`)
	first = ws.answer()
	ws.send(`{"type":"response.create","model":"test/m","input":"Who am I?","store":false,"previous_response_id":"` + first["id"].(string) + `"}`)
	second := ws.answer()
	asked := s.models.asked(t)
	told := string(asked[len(asked)-1]["input"])
	require.Contains(t, told, "I am Ada.")
	require.Contains(t, told, "Who am I?")
	c.send(http.MethodGet, responsesPath+"/"+second["id"].(string), "").is(http.StatusNotFound)

	other := c.open(url)
	other.send(`{"type":"response.create","model":"test/m","input":"Who am I?","store":false,"previous_response_id":"` + second["id"].(string) + `"}`)
	other.refused(http.StatusBadRequest, "previous_response_not_found", "previous_response_id")

	ws.send(`{"type":"response.create","model":"test/m","input":"Kept."}`)
	kept := ws.answer()
	c.send(http.MethodGet, responsesPath+"/"+kept["id"].(string), "").is(http.StatusOK)
	other.send(`{"type":"response.create","model":"test/m","input":"And?","previous_response_id":"` + kept["id"].(string) + `"}`)
	require.Equal(t, kept["id"], other.answer()["previous_response_id"])
}

// TestAWebSocketIsLetInLikeARequest: and each of its messages is, too.
func TestAWebSocketIsLetInLikeARequest(t *testing.T) {
	s, url := newSockets(t)
	root := s.acme()
	reader := s.key("acme", "rk_a-key-that-reads-only-it", rota.ReadResponses)
	for name, at := range map[string]struct {
		caller
		headers []string
		status  int
	}{
		"no such key":       {caller{server: s, secret: "rk_nobody-has-this-one-here"}, nil, http.StatusUnauthorized},
		"reads only":        {reader, nil, http.StatusForbidden},
		"a foreign page":    {root, []string{"Origin", "https://elsewhere.example"}, http.StatusForbidden},
		"no such end user":  {root, []string{"X-On-Behalf-Of", "*"}, http.StatusBadRequest},
		"a page of its own": {root, []string{"Origin", url}, http.StatusSwitchingProtocols},
	} {
		t.Run(name, func(t *testing.T) {
			conn, res, err := at.dial(url, at.headers...)
			require.Equal(t, at.status, res.StatusCode)
			if err == nil {
				_ = conn.CloseNow()
			}
		})
	}
	key := read[struct{ Secret, ID string }](root.send(http.MethodPost, keys, `{"name":"short"}`).is(http.StatusCreated))
	short := caller{server: s, secret: key.Secret}
	ws := short.open(url)
	ws.send(`{"type":"response.create","model":"test/m","input":"Hi"}`)
	ws.answer()
	root.send(http.MethodDelete, keys+"/"+key.ID, "").is(http.StatusOK)
	ws.send(`{"type":"response.create","model":"test/m","input":"Hi"}`)
	ws.refused(http.StatusUnauthorized, "unauthenticated", "")
}

// TestAnOwnerHasSoManyWebSockets: others have theirs all the same.
func TestAnOwnerHasSoManyWebSockets(t *testing.T) {
	s, url := newSockets(t)
	c := s.acme()
	all := make([]socket, 64)
	for i := range all {
		all[i] = c.open(url)
	}
	_, res, err := c.dial(url)
	require.Error(t, err)
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	s.key("bcme", "rk_the-first-key-of-bcme").open(url)
	require.NoError(t, all[0].Close(websocket.StatusNormalClosure, ""))
	require.Eventually(t, func() bool {
		conn, _, err := c.dial(url)
		if err == nil {
			_ = conn.CloseNow()
		}
		return err == nil
	}, time.Minute, time.Millisecond)
}
