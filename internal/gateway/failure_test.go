package gateway_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// quick gives up on silence soon: what it waits for never comes.
func quick(p *gateway.Provider) { p.IdleTimeout = 30 * time.Millisecond }

func countDials(dial func(context.Context, string, string) (net.Conn, error), n *int) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		*n++
		return dial(ctx, network, address)
	}
}

type failureCase struct {
	name     string
	reply    gatewaytest.Reply
	code     string
	message  string // part of it
	again    bool   // retryable
	answered bool
}

var refusals = []failureCase{
	{name: "429", reply: gatewaytest.Status(429, nil, "slow down"), code: rota.RunErrRateLimited, message: "answered 429: slow down", again: true, answered: true},
	{name: "no such model under 500 (old Ollama)", reply: gatewaytest.JSON(500, `{"error":{"message":"model 'llama9' not found, try pulling it first","type":"api_error","param":null,"code":null}}`), code: rota.RunErrRejected, message: "try pulling it first", answered: true},
	{name: "no such model under 500, in a word", reply: gatewaytest.JSON(500, `{"error":"model "llama9" not found, try pulling it first"}`), code: rota.RunErrRejected, message: "try pulling it first", answered: true},
	{name: "no such model under 503 (a router)", reply: gatewaytest.JSON(503, `{"error":{"message":"Model not found: no worker has it now"}}`), code: rota.RunErrProvider, message: "Model not found", again: true, answered: true},
	{name: "500", reply: gatewaytest.JSON(500, `{"error":{"message":"it broke"}}`), code: rota.RunErrProvider, message: "answered 500: it broke", again: true, answered: true},
	{name: "502 from a proxy", reply: gatewaytest.HTML(502), code: rota.RunErrProvider, message: "answered 502: an HTML page", again: true},
	{name: "503", reply: gatewaytest.JSON(503, `{"error":"busy"}`), code: rota.RunErrProvider, message: "answered 503: busy", again: true, answered: true},
	{name: "504 from a proxy", reply: gatewaytest.Status(504, nil, ""), code: rota.RunErrProvider, message: "answered 504", again: true},
	{name: "524 from a proxy", reply: gatewaytest.Status(524, nil, ""), code: rota.RunErrProvider, message: "answered 524", again: true},
	{name: "408", reply: gatewaytest.Status(408, nil, ""), code: rota.RunErrProvider, message: "answered 408", again: true},
	{name: "409", reply: gatewaytest.JSON(409, `{"message":"in progress"}`), code: rota.RunErrProvider, message: "answered 409: in progress", again: true},
	{name: "400", reply: gatewaytest.JSON(400, `{"error":{"message":"no such tool","type":"invalid_request_error","code":null}}`), code: rota.RunErrRejected, message: "answered 400: invalid_request_error: no such tool", answered: true},
	{name: "401", reply: gatewaytest.JSON(401, `{"error":"who?"}`), code: rota.RunErrMisconfigured, message: "answered 401: who?", answered: true},
	{name: "403", reply: gatewaytest.HTML(403), code: rota.RunErrRejected, message: "answered 403: an HTML page", answered: true},
	{name: "no such path (FastAPI)", reply: gatewaytest.JSON(404, `{"detail":"Not Found"}`), code: rota.RunErrMisconfigured, message: "a part such as /v1", answered: true},
	{name: "no such path (llama.cpp)", reply: gatewaytest.JSON(404, `{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}`), code: rota.RunErrMisconfigured, message: "404: not_found_error: File Not Found", answered: true},
	{name: "no such path (Go)", reply: gatewaytest.Status(404, nil, "404 page not found\n"), code: rota.RunErrMisconfigured, message: "no /responses and no /chat/completions", answered: true},
	{name: "no such path (OpenAI)", reply: gatewaytest.JSON(404, `{"error":{"message":"Invalid URL (POST /v1/responses)","type":"invalid_request_error","code":null}}`), code: rota.RunErrMisconfigured, message: "Invalid URL", answered: true},
	{name: "no such path (Express)", reply: gatewaytest.HTML(404), code: rota.RunErrMisconfigured, message: "an HTML page", answered: true},
	{name: "no such method", reply: gatewaytest.JSON(405, `{"detail":"Method Not Allowed"}`), code: rota.RunErrMisconfigured, message: "answered 405: Method Not Allowed", answered: true},
	{name: "not implemented", reply: gatewaytest.Status(501, nil, ""), code: rota.RunErrMisconfigured, message: "answered 501", answered: true},
	{name: "no such model (Ollama)", reply: gatewaytest.JSON(404, `{"error":{"message":"model 'x' not found","type":"not_found_error","param":null,"code":null}}`), code: rota.RunErrRejected, message: "404: not_found_error: model 'x' not found", answered: true},
	{name: "no such model (OpenAI)", reply: gatewaytest.JSON(404, `{"error":{"message":"It does not exist","type":"invalid_request_error","code":"model_not_found"}}`), code: rota.RunErrRejected, message: "404: model_not_found", answered: true},
	{name: "a wrong key (OpenAI)", reply: gatewaytest.JSON(401, `{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}`), code: rota.RunErrMisconfigured, message: "does not take the key", answered: true},
	{name: "a wrong key under 400 (Google)", reply: gatewaytest.JSON(400, `[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]`), code: rota.RunErrMisconfigured, message: "400: API_KEY_INVALID: API key not valid", answered: true},
	{name: "a number that is the status (llama.cpp)", reply: gatewaytest.JSON(400, `{"error":{"code":400,"message":"too big","type":"exceed_context_size_error"}}`), code: rota.RunErrRejected, message: "answered 400: exceed_context_size_error: too big", answered: true},
	{name: "a text that is the status (LiteLLM)", reply: gatewaytest.JSON(400, `{"error":{"code":"400","message":"no","type":null}}`), code: rota.RunErrRejected, message: "answered 400: no", answered: true},
	{name: "500 in a stream (LiteLLM)", reply: gatewaytest.Status(500, nil, "data: {\"error\": {\"message\": \"boom\", \"type\": \"None\", \"code\": \"500\"}}\n\ndata: [DONE]\n\n"), code: rota.RunErrProvider, message: "answered 500: None: boom", again: true, answered: true},
	{name: "a limit under 400", reply: gatewaytest.JSON(400, `{"error":{"code":"rate_limit_exceeded","type":"invalid_request_error","message":"slow"}}`), code: rota.RunErrRateLimited, message: "slow", again: true, answered: true},
	{name: "a limit under 403, in words", reply: gatewaytest.JSON(403, `{"message":"You have exceeded a secondary rate limit."}`), code: rota.RunErrRateLimited, message: "secondary", again: true, answered: true},
	{name: "a limit in a gateway's words (OpenRouter)", reply: gatewaytest.JSON(400, `{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"later\"}}"}}}`), code: rota.RunErrRateLimited, message: "rate_limit_error: later", again: true, answered: true},
	{name: "too long under 500", reply: gatewaytest.JSON(500, `{"error":{"code":"context_length_exceeded","message":"This model's maximum context length is 7"}}`), code: rota.RunErrRejected, message: "context_length_exceeded", answered: true},
	{name: "too long under 503, in words", reply: gatewaytest.JSON(503, `{"error":"This model's maximum context length is 7; try again"}`), code: rota.RunErrRejected, message: "maximum", answered: true},
	{name: "a limit called invalid", reply: gatewaytest.JSON(429, `{"object":"error","message":"Requests rate limit exceeded","type":"invalid_request_error"}`), code: rota.RunErrRateLimited, message: "rate limit", again: true, answered: true},
	{name: "no money", reply: gatewaytest.JSON(429, `{"error":{"code":"insufficient_quota","message":"Check your plan and billing details."}}`), code: rota.RunErrRejected, message: "insufficient_quota", answered: true},
	{name: "422 with a list", reply: gatewaytest.JSON(422, `{"detail":[{"msg":"missing"}]}`), code: rota.RunErrRejected, message: "answered 422: missing", answered: true},
	{name: "422 with a place (FastAPI)", reply: gatewaytest.JSON(422, `{"detail":[{"type":"extra_forbidden","loc":["body","top_p"],"msg":"Extra inputs are not permitted"}]}`), code: rota.RunErrRejected, message: "answered 422: extra_forbidden: body.top_p: Extra inputs are not permitted", answered: true},
	{name: "400 with a code", reply: gatewaytest.JSON(400, `{"message":"bad","code":17}`), code: rota.RunErrRejected, message: "answered 400: 17: bad", answered: true},
	{name: "400 with odd JSON", reply: gatewaytest.JSON(400, `{"error":null,"x":1}`), code: rota.RunErrRejected, message: "answered 400", answered: true},
	{name: "400 with broken JSON", reply: gatewaytest.JSON(400, `{"error":`), code: rota.RunErrRejected, message: `answered 400: {"error":`, answered: true},
	{name: "redirect", reply: gatewaytest.Status(302, map[string]string{"Location": "http://127.0.0.1:1/login"}, ""), code: rota.RunErrMisconfigured, message: "a redirect"},
}

var unusable = []failureCase{
	{name: "HTML", reply: gatewaytest.HTML(200), code: rota.RunErrBadResponse, message: "HTML page"},
	{name: "HTML that claims to be a stream", reply: gatewaytest.Stream("\n<html>"), code: rota.RunErrBadResponse, message: "HTML page"},
	{name: "plain text", reply: gatewaytest.Status(200, nil, "hello"), code: rota.RunErrBadResponse, message: "text/plain"},
	{name: "204", reply: gatewaytest.Status(204, nil, ""), code: rota.RunErrBadResponse, message: "text/plain"},
	{name: "JSON that is no response", reply: gatewaytest.JSON(200, `{"object":"chat.completion","choices":[]}`), code: rota.RunErrBadResponse, message: "stream:true"},
	{name: "a compression that nobody asked for", reply: encoded("br", "x"), code: rota.RunErrBadResponse, message: `compressed its answer as "br"`},
	{name: "a compression that is none", reply: encoded("gzip", "hello"), code: rota.RunErrStreamEnded, again: true},
	{name: "JSON that is none", reply: gatewaytest.JSON(200, `{"a":x}`), code: rota.RunErrBadResponse, message: "not JSON"},
	{name: "a JSON list", reply: gatewaytest.JSON(200, `[]`), code: rota.RunErrBadResponse, message: "not JSON"},
	{name: "an error with status 200", reply: gatewaytest.JSON(200, `{"error":"model is loading"}`), code: rota.RunErrProvider, message: "model is loading", again: true, answered: true},
	{name: "an error that claims to be a stream", reply: gatewaytest.Stream(`{"error":{"code":"invalid_model","message":"no"}}`), code: rota.RunErrProvider, message: "invalid_model: no", answered: true},
	{name: "an event that is no JSON", reply: gatewaytest.Stream(gatewaytest.Created("r1"), "data: {oops}\n\n"), code: rota.RunErrBadResponse, message: "not a JSON object"},
	{name: "an event that is no object", reply: gatewaytest.Stream(gatewaytest.Data("7")), code: rota.RunErrBadResponse, message: "not a JSON object"},
	{name: "completed without a response", reply: gatewaytest.Stream(gatewaytest.Data(`{"type":"response.completed"}`)), code: rota.RunErrBadResponse, message: "without sending it"},
}

var ended = []failureCase{
	{name: "nothing", reply: gatewaytest.Stream(), code: rota.RunErrStreamEnded, again: true},
	{name: "no last event", reply: gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Delta("x")), code: rota.RunErrStreamEnded, again: true},
	{name: "done, but no last event", reply: gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Data("[DONE]")), code: rota.RunErrStreamEnded, again: true},
	{name: "inside of the last event", reply: gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Completed("r1", "x")[:60]), code: rota.RunErrStreamEnded, again: true},
	{name: "a broken connection", reply: gatewaytest.Truncate(gatewaytest.Created("r1")), code: rota.RunErrStreamEnded, again: true},
	{name: "a connection broken inside of an event", reply: gatewaytest.Truncate(gatewaytest.Created("r1"), gatewaytest.Completed("r1", "x")[:60]), code: rota.RunErrStreamEnded, again: true},
	{name: "a hangup", reply: gatewaytest.Hangup(), code: rota.RunErrConnection, again: true},
	{name: "failed", reply: gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Failed("r1", "server_error", "sorry")), code: rota.RunErrProvider, message: "server_error: sorry", again: true, answered: true},
	{name: "failed by a limit", reply: gatewaytest.Stream(gatewaytest.Failed("r1", "rate_limit_exceeded", "")), code: rota.RunErrRateLimited, message: "rate_limit_exceeded", again: true, answered: true},
	{name: "failed for good", reply: gatewaytest.Stream(gatewaytest.Failed("r1", "invalid_prompt", "no")), code: rota.RunErrProvider, message: "invalid_prompt: no", answered: true},
	{name: "completed, but failed", reply: gatewaytest.Stream(gatewaytest.Data(`{"type":"response.completed","response":{"status":"failed","error":{"code":"image_too_small"}}}`)), code: rota.RunErrProvider, message: "image_too_small", answered: true},
	{name: "cancelled", reply: gatewaytest.Stream(gatewaytest.Data(`{"type":"response.cancelled","response":{"id":"r1"}}`)), code: rota.RunErrProvider, message: "cancelled", answered: true},
	{name: "error event", reply: gatewaytest.Stream(gatewaytest.Data(`{"type":"error","code":"server_error","message":"boom","param":null}`)), code: rota.RunErrProvider, message: "server_error: boom", again: true, answered: true},
	{name: "nested error event", reply: gatewaytest.Stream(gatewaytest.Data(`{"type":"error","error":{"type":"overloaded_error","message":"full"}}`)), code: rota.RunErrProvider, message: "overloaded_error: full", again: true, answered: true},
	{name: "error named by the framing", reply: gatewaytest.Stream("event: error\n" + gatewaytest.Data(`{"code":"invalid_request","message":"no"}`)), code: rota.RunErrProvider, message: "invalid_request: no", answered: true},
	{name: "error without a type", reply: gatewaytest.Stream(gatewaytest.Data(`{"error":{"message":"out of memory","code":500}}`)), code: rota.RunErrProvider, message: "500: out of memory", again: true, answered: true},
}

func TestFailures(t *testing.T) {
	for _, cases := range [][]failureCase{refusals, unusable, ended} {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { c.check(t) })
		}
	}
}

func (c failureCase) check(t *testing.T) {
	a := reply(t, c.reply)
	e := a.failure(t)
	require.Equal(t, c.code, e.Code, e.Error())
	require.Contains(t, e.Message, c.message)
	require.Equal(t, c.again, e.Retryable)
	require.Equal(t, c.answered, e.Answered)
	require.Zero(t, a.response)
	require.LessOrEqual(t, len(a.ids), 1)
}

// TestIncomplete: what a limit cut short is an answer all the same.
func TestIncomplete(t *testing.T) {
	a := reply(t, gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Incomplete("r1", "half", "max_output_tokens")))
	require.NoError(t, a.err)
	require.Equal(t, "r1", a.response.ID)
	require.Equal(t, "incomplete", a.response.Status)
	require.Equal(t, "half", a.response.Output)
	require.Contains(t, string(a.response.Body), `"max_output_tokens"`)
	require.Equal(t, "response.incomplete", a.events[len(a.events)-1].Type)
}

func TestFailureKeepsTheResponse(t *testing.T) {
	a := reply(t, gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Failed("r1", "server_error", "sorry")))
	e := a.failure(t)
	require.Equal(t, "r1", e.ResponseID)
	require.Contains(t, string(e.Response), `"status":"failed"`)
	require.Equal(t, "response.failed", a.events[len(a.events)-1].Type)
	e = reply(t, gatewaytest.Truncate(gatewaytest.Created("r1"))).failure(t)
	require.Equal(t, "r1", e.ResponseID)
	require.Nil(t, e.Response)
}

func TestRetryAfter(t *testing.T) {
	for _, status := range []int{429, 500, 503} {
		e := reply(t, gatewaytest.Status(status, map[string]string{"Retry-After": "17"}, "")).failure(t)
		require.Equal(t, 17*time.Second, e.RetryAfter)
	}
	date := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	e := reply(t, gatewaytest.Status(429, map[string]string{"Retry-After": date}, "")).failure(t)
	require.Greater(t, e.RetryAfter, 30*time.Minute)
	require.LessOrEqual(t, e.RetryAfter, time.Hour)
	require.Zero(t, reply(t, gatewaytest.Status(429, nil, "")).failure(t).RetryAfter)
}

func TestTooLarge(t *testing.T) {
	for name, r := range map[string]gatewaytest.Reply{
		"one event": gatewaytest.Stream(gatewaytest.Delta(strings.Repeat("x", 16<<20))),
		"many events": func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
			delta := gatewaytest.Delta(strings.Repeat("x", 1<<20))
			gatewaytest.Stream(strings.Split(strings.Repeat(delta+"\x00", 64), "\x00")...)(w, r, c)
		},
		"one object": func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
			gatewaytest.JSON(200, `{"x":"`+strings.Repeat("x", 64<<20))(w, r, c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := reply(t, r).failure(t)
			require.Equal(t, rota.RunErrTooLarge, e.Code)
			require.False(t, e.Retryable)
		})
	}
}

func TestSilence(t *testing.T) {
	for name, r := range map[string]func(<-chan struct{}) gatewaytest.Reply{
		"before the answer": gatewaytest.Silence,
		"before any event":  func(c <-chan struct{}) gatewaytest.Reply { return gatewaytest.Stall(c) },
		"between events":    func(c <-chan struct{}) gatewaytest.Reply { return gatewaytest.Stall(c, gatewaytest.Created("r1")) },
		"inside of an event": func(c <-chan struct{}) gatewaytest.Reply {
			return gatewaytest.Stall(c, gatewaytest.Created("r1"), gatewaytest.Completed("r1", "x")[:60])
		},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			s := gatewaytest.New(t)
			s.Default(r(release))
			e := try(t.Context(), at(t, s, quick), gateway.Request{}).failure(t)
			close(release)
			require.Equal(t, rota.RunErrIdle, e.Code)
			require.True(t, e.Retryable)
			require.False(t, e.Answered)
		})
	}
}

func TestTimeouts(t *testing.T) {
	release := make(chan struct{})
	s := gatewaytest.New(t)
	t.Cleanup(func() { close(release) })
	s.Default(gatewaytest.Stall(release, gatewaytest.Created("r1")))

	e := try(t.Context(), at(t, s, func(p *gateway.Provider) { p.Timeout = 30 * time.Millisecond }), gateway.Request{}).failure(t)
	require.Equal(t, rota.RunErrTimeout, e.Code)
	require.True(t, e.Retryable, "the run has time for another attempt")

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	e = try(ctx, at(t, s), gateway.Request{}).failure(t)
	require.Equal(t, rota.RunErrTimeout, e.Code)
	require.False(t, e.Retryable)
	require.ErrorIs(t, e, context.DeadlineExceeded)
}

func TestUnreachable(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	secure := httptest.NewUnstartedServer(gatewaytest.NewServer(gatewaytest.Nothing))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshakes below fail on purpose
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := gatewaytest.New(t)
	for _, c := range []struct {
		name, url, code, message string
		again                    bool
	}{
		{"nobody listens", closed.URL, rota.RunErrConnection, "refused the connection", true},
		{"no such host", "http://model.invalid", rota.RunErrConnection, "host name", true},
		{"unknown certificate", secure.URL, rota.RunErrMisconfigured, "certificate", false},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), rota.RunErrMisconfigured, "TLS", false},
		{"TLS only", strings.Replace(secure.URL, "https:", "http:", 1), rota.RunErrRejected, "HTTPS server", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := try(t.Context(), open(t, gateway.Provider{Name: "test", BaseURL: c.url}), gateway.Request{}).failure(t)
			require.Equal(t, c.code, e.Code, e.Error())
			require.Contains(t, e.Message, c.message)
			require.Equal(t, c.again, e.Retryable)
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	target := gatewaytest.New(t)
	s := gatewaytest.New(t)
	s.Default(gatewaytest.Status(307, map[string]string{"Location": target.URL}, ""))
	require.Equal(t, rota.RunErrMisconfigured, try(t.Context(), at(t, s), gateway.Request{}).failure(t).Code)
	require.Zero(t, target.Total())
}

func TestMisconfigured(t *testing.T) {
	s := gatewaytest.New(t)
	for name, key := range map[string]func() (string, error){
		"unreadable key":     func() (string, error) { return "", errors.New("no such file") },
		"key with line ends": func() (string, error) { return "sesame\n", nil },
	} {
		t.Run(name, func(t *testing.T) {
			e := try(t.Context(), at(t, s, func(p *gateway.Provider) { p.Key = key }), gateway.Request{}).failure(t)
			require.Equal(t, rota.RunErrMisconfigured, e.Code)
			require.NotContains(t, e.Error(), "sesame")
		})
	}
	e := try(t.Context(), at(t, s), gateway.Request{Provider: "gone"}).failure(t)
	require.Equal(t, rota.RunErrMisconfigured, e.Code)
	e = try(t.Context(), at(t, s), gateway.Request{Body: []byte(`[]`)}).failure(t)
	require.Equal(t, rota.RunErrRejected, e.Code)
	require.Zero(t, s.Total())
}

func TestMessagesAreSafe(t *testing.T) {
	const key = "sk-very-secret"
	s := gatewaytest.New(t)
	s.Script(
		gatewaytest.Status(401, nil, "bad key "+key+"\r\n\x1b[31m\xff"),
		gatewaytest.Status(400, nil, strings.Repeat("é", 5000)),
		gatewaytest.Stream(gatewaytest.Failed("r1", "invalid_key", "bad key "+key)),
	)
	g := at(t, s, func(p *gateway.Provider) { p.Key = func() (string, error) { return key, nil } })
	for _, want := range []string{"bad key [key]", "é", "bad key [key]"} {
		e := try(t.Context(), g, gateway.Request{}).failure(t)
		require.Contains(t, e.Message, want)
		require.NotContains(t, e.Error(), key)
		require.LessOrEqual(t, len([]rune(e.Message)), 500)
		require.NotRegexp(t, `[[:cntrl:]]`, e.Message)
	}
}

// TestTheKeyIsInNothingThatIsKept: neither in what a failed response said, nor in
// its events, nor in the answer.
func TestTheKeyIsInNothingThatIsKept(t *testing.T) {
	const key = "sk-very-secret"
	s := gatewaytest.New(t)
	s.Script(
		gatewaytest.Stream(gatewaytest.Failed("r1", "invalid_key", "bad key "+key)),
		gatewaytest.Stream(gatewaytest.Completed("r2", "your key is "+key)),
		gatewaytest.JSON(400, `{"error":{"message":"bad","details":["`+key+`"]}}`),
	)
	g := at(t, s, func(p *gateway.Provider) { p.Key = func() (string, error) { return key, nil } })
	for range 3 {
		var kept strings.Builder
		r, err := g.Stream(t.Context(), gateway.Request{Provider: "model", Body: []byte(`{"model":"m"}`)}, func(string) {}, func(e gateway.Event) { kept.Write(e.Data) })
		var e *gateway.Error
		if errors.As(err, &e) {
			kept.Write(e.Response)
			kept.WriteString(e.Error())
		}
		kept.Write(r.Body)
		kept.WriteString(r.Output)
		require.NotContains(t, kept.String(), key)
		require.NotEmpty(t, kept.String())
	}
}

// What is not UTF-8 would make every answer that quotes it unreadable.
func TestTextThatIsNotUTF8IsMended(t *testing.T) {
	s := gatewaytest.New(t)
	s.Default(gatewaytest.Stream(gatewaytest.Completed("resp_1", "a\xff\xfeb")))
	g, err := gateway.New([]gateway.Provider{{Name: "model", BaseURL: s.URL}})
	require.NoError(t, err)
	t.Cleanup(g.Close)
	r, err := g.Stream(t.Context(), gateway.Request{Provider: "model", Body: []byte(`{"model":"m"}`)}, func(string) {}, func(gateway.Event) {})
	require.NoError(t, err)
	require.Contains(t, r.Output, "\uFFFD")
	require.True(t, utf8.Valid(r.Body))
}
