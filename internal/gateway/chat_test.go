package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/responses"
)

// chunk is a chunk of a chat with a delta, and chatEnd ends one.
func chunk(delta string) string {
	return gatewaytest.Data(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":null}]}`)
}

func chatEnd(reason string) string {
	return gatewaytest.Data(`{"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":"`+reason+`"}]}`) +
		gatewaytest.Data(`{"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`) + gatewaytest.Data("[DONE]")
}

// chatOnly answers chats as reply does, and nothing else.
func chatOnly(reply gatewaytest.Reply) gatewaytest.Reply {
	return func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		if !strings.HasSuffix(c.Path, "/chat/completions") {
			gatewaytest.JSON(http.StatusNotFound, `{"detail":"Not Found"}`)(w, r, c)
			return
		}
		reply(w, r, c)
	}
}

// A chatter is a server that speaks chat completions, and a gateway to it.
type chatter struct {
	*gatewaytest.Server
	gateway  *gateway.Gateway
	detected int
	events   []gateway.Event
	ids      []string
}

func newChatter(t *testing.T, protocol gateway.Protocol, reply gatewaytest.Reply) *chatter {
	t.Helper()
	c := &chatter{Server: gatewaytest.New(t)}
	c.Default(chatOnly(reply))
	var err error
	c.gateway, err = gateway.New([]gateway.Provider{{
		Name: "p", BaseURL: c.URL + "/v1", Protocol: protocol, Detected: func(gateway.Protocol) { c.detected++ },
	}})
	require.NoError(t, err)
	t.Cleanup(c.gateway.Close)
	return c
}

func (c *chatter) ask(t *testing.T, body string) (gateway.Response, error) {
	t.Helper()
	c.events, c.ids = nil, nil
	return c.gateway.Stream(t.Context(), gateway.Request{Provider: "p", Body: []byte(body), IdempotencyKey: "k"},
		func(id string) { c.ids = append(c.ids, id) }, func(e gateway.Event) { c.events = append(c.events, e) })
}

const hi = `{"model":"m","input":"hi","instructions":"Be brief.","metadata":{"a":"b"}}`

var hello = gatewaytest.Stream(chunk(`{"role":"assistant","content":""}`), chunk(`{"content":"Hel"}`), chunk(`{"content":"lo"}`), chatEnd("stop"))

// A server that speaks chat completions only is found out, once.
func TestChatIsFoundOut(t *testing.T) {
	c := newChatter(t, gateway.ProtocolAuto, hello)
	for range 2 {
		r, err := c.ask(t, hi)
		require.NoError(t, err)
		require.Equal(t, "Hello", r.Output)
		require.Equal(t, "completed", r.Status)
		require.Equal(t, "chatcmpl-1", r.ID)
		require.Equal(t, []string{"chatcmpl-1"}, c.ids)
		require.Equal(t, []string{"metadata"}, r.NotSent)
		require.JSONEq(t, `{"input_tokens":3,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":5}`, string(r.Usage))
		var kinds []string
		var valid responses.Checker
		for _, e := range c.events {
			kinds = append(kinds, e.Type)
			require.NoError(t, valid.Event(e.Data))
		}
		require.NoError(t, valid.End())
		require.Equal(t, []string{
			"response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
			"response.output_text.delta", "response.output_text.delta", "response.output_text.done", "response.content_part.done",
			"response.output_item.done", "response.completed",
		}, kinds)
	}
	require.Equal(t, 1, c.detected)
	var paths []string
	for _, call := range c.Calls() {
		paths = append(paths, call.Path)
	}
	require.Equal(t, []string{"/v1/responses", "/v1/chat/completions", "/v1/chat/completions"}, paths)
	last := c.Calls()[2]
	require.JSONEq(t, `{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}`, string(last.Body))
	require.Equal(t, "k-chat", last.IdempotencyKey(), "it is another question")
}

// Protocols that are set are kept to.
// An answer is taken for what it is, whatever the path: a chat under /responses too.
func TestChatUnderResponses(t *testing.T) {
	whole := `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`
	bare := strings.NewReplacer(`"object":"chat.completion.chunk",`, "")
	for name, reply := range map[string]gatewaytest.Reply{
		"chunks":     hello,
		"bare":       gatewaytest.Stream(bare.Replace(chunk(`{"role":"assistant","content":"Hel"}`)), bare.Replace(chunk(`{"content":"lo"}`)), chatEnd("stop")),
		"one object": gatewaytest.JSON(http.StatusOK, whole),
		"one event":  gatewaytest.Stream(gatewaytest.Data(whole), gatewaytest.Data("[DONE]")),
	} {
		for _, protocol := range []gateway.Protocol{gateway.ProtocolAuto, gateway.ProtocolResponses} {
			c := newChatter(t, protocol, nil)
			c.Default(reply)
			r, err := c.ask(t, hi)
			require.NoError(t, err, name)
			require.Equal(t, "Hello", r.Output, name)
			require.Equal(t, "completed", r.Status, name)
			require.Equal(t, 1, c.Total(), name)
			require.Contains(t, string(r.Usage), `"total_tokens":5`, name)
		}
	}
	c := newChatter(t, gateway.ProtocolAuto, nil)
	c.Default(gatewaytest.Truncate(chunk(`{"role":"assistant","content":"Hel"}`)))
	_, err := c.ask(t, hi)
	require.Contains(t, string(attempt{err: err}.failure(t).Response), "Hel", "what came is kept")
}

func TestProtocolIsKept(t *testing.T) {
	c := newChatter(t, gateway.ProtocolChat, hello)
	_, err := c.ask(t, hi)
	require.NoError(t, err)
	require.Equal(t, 1, c.Total())

	c = newChatter(t, gateway.ProtocolResponses, hello)
	_, err = c.ask(t, hi)
	require.Equal(t, rota.RunErrMisconfigured, code(err))
	require.ErrorContains(t, err, "no /responses under its base URL")
	require.Equal(t, 1, c.Total())

	_, err = gateway.New([]gateway.Provider{{Name: "p", BaseURL: "http://a", Protocol: "soap"}})
	require.ErrorContains(t, err, `the protocol is auto, responses or chat, not "soap"`)
}

// A model that a server does not know is no reason to ask otherwise; nor is a server
// that has neither.
func TestNothingIsFoundOut(t *testing.T) {
	c := newChatter(t, "", hello)
	c.Script(gatewaytest.JSON(http.StatusNotFound, `{"error":{"message":"model \"m\" not found"}}`))
	_, err := c.ask(t, hi)
	require.ErrorContains(t, err, "not found")
	require.Equal(t, 1, c.Total())

	c.Script(gatewaytest.JSON(http.StatusNotFound, `{"detail":"Not Found"}`), gatewaytest.JSON(http.StatusNotFound, `{"detail":"Not Found"}`))
	_, err = c.ask(t, hi)
	require.Equal(t, rota.RunErrMisconfigured, code(err))
	require.ErrorContains(t, err, "no /responses and no /chat/completions under its base URL")
	require.Zero(t, c.detected)

	c.Script(gatewaytest.Status(http.StatusMethodNotAllowed, nil, ""), gatewaytest.Hangup())
	_, err = c.ask(t, hi)
	require.Equal(t, rota.RunErrConnection, code(err))
	require.Zero(t, c.detected, "it has answered nothing")

	c.Script(gatewaytest.JSON(http.StatusNotFound, `{}`), gatewaytest.JSON(http.StatusNotFound, `{"error":{"message":"model \"m\" not found"}}`))
	_, err = c.ask(t, hi)
	require.ErrorContains(t, err, `model "m" not found`)
	require.Zero(t, c.detected, "the model may be why both say 404")

	before := newChatter(t, "", hello)
	before.Script(gatewaytest.Text("ok"))
	_, err = before.ask(t, hi)
	require.NoError(t, err)
	_, err = before.ask(t, hi)
	require.Equal(t, rota.RunErrMisconfigured, code(err))
	require.Equal(t, 2, before.Total(), "it has answered over Responses before")

	c.Script(gatewaytest.Status(http.StatusMethodNotAllowed, nil, ""), gatewaytest.Status(http.StatusTooManyRequests, nil, "slow down"))
	_, err = c.ask(t, hi)
	require.Equal(t, rota.RunErrRateLimited, code(err))
	require.Equal(t, 1, c.detected, "it answers chats, though not now")
}

func code(err error) string {
	e, _ := err.(*gateway.Error)
	if e == nil {
		return ""
	}
	return e.Code
}

func TestChatOutcomes(t *testing.T) {
	for name, tt := range map[string]struct {
		reply  gatewaytest.Reply
		status string // or the code of the error
		output string
		body   string // has this
	}{
		"length":    {gatewaytest.Stream(chunk(`{"content":"half"}`), chatEnd("length")), "incomplete", "half", `"incomplete_details":{"reason":"max_output_tokens"}`},
		"a call":    {gatewaytest.Stream(chunk(`{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{}"}}]}`), chatEnd("tool_calls")), "completed", "", `"call_id":"c1"`},
		"a refusal": {gatewaytest.Stream(chunk(`{"refusal":"no"}`), chatEnd("stop")), "completed", "no", `"refusal":"no"`},
		"one object": {
			gatewaytest.JSON(http.StatusOK, `{"id":"chatcmpl-1","choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`),
			"completed", "hello", `"total_tokens":2`,
		},
		"no [DONE]":            {gatewaytest.Stream(chunk(`{"content":"a"}`), gatewaytest.Data(`{"choices":[{"delta":{},"finish_reason":"stop"}]}`)), "completed", "a", `"status":"completed"`},
		"cut off":              {gatewaytest.Stream(chunk(`{"content":"half"}`)), rota.RunErrStreamEnded, "half", `"status":"incomplete"`},
		"cut off in a call":    {gatewaytest.Stream(chunk(`{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{"}}]}`)), rota.RunErrStreamEnded, "", `"status":"incomplete"`},
		"broken":               {gatewaytest.Truncate(chunk(`{"content":"half"}`)), rota.RunErrStreamEnded, "half", `"status":"incomplete"`},
		"an error":             {gatewaytest.Stream(chunk(`{"content":"half"}`), gatewaytest.Data(`{"error":{"message":"overloaded","code":503}}`)), rota.RunErrProvider, "half", ""},
		"an error at once":     {gatewaytest.JSON(http.StatusOK, `{"error":{"message":"overloaded"}}`), rota.RunErrProvider, "", ""},
		"ends without a word":  {gatewaytest.Stream(gatewaytest.Data("[DONE]")), rota.RunErrBadResponse, "", ""},
		"something else":       {gatewaytest.JSON(http.StatusOK, `{"hello":"world"}`), rota.RunErrBadResponse, "", ""},
		"a refused request":    {gatewaytest.JSON(http.StatusBadRequest, `{"error":{"message":"context length exceeded"}}`), rota.RunErrRejected, "", ""},
		"a nameless call":      {gatewaytest.Stream(chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}`), chatEnd("tool_calls")), rota.RunErrProvider, "", `"status":"failed"`},
		"a broken-off failure": {gatewaytest.Stream(chunk(`{"content":"half"}`), chatEnd("error")), rota.RunErrProvider, "half", `"status":"failed"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChatter(t, gateway.ProtocolChat, tt.reply)
			r, err := c.ask(t, hi)
			body, status, output := r.Body, r.Status, r.Output
			if e, ok := err.(*gateway.Error); ok {
				body, status, output = e.Response, e.Code, ""
				require.Contains(t, string(body), tt.output)
			}
			require.Equal(t, tt.status, status, "%v", err)
			require.Contains(t, string(body), tt.body)
			if err == nil {
				require.Equal(t, tt.output, output)
			}
		})
	}
}

// Usage that nobody has told is none, though the response object has zeros.
func TestChatWithoutUsage(t *testing.T) {
	c := newChatter(t, gateway.ProtocolChat, gatewaytest.Stream(chunk(`{"content":"a"}`), gatewaytest.Data(`{"choices":[{"delta":{},"finish_reason":"stop"}]}`)))
	r, err := c.ask(t, hi)
	require.NoError(t, err)
	require.Nil(t, r.Usage)
	require.Contains(t, string(r.Body), `"total_tokens":0`)
	c.Default(chatOnly(gatewaytest.Stream(chunk(`{"content":"a"}`))))
	_, err = c.ask(t, hi)
	require.Nil(t, err.(*gateway.Error).Usage)
}

// A server that refuses stream_options is asked without; that is no member of what was
// asked, and so not named.
func TestChatWithoutStreamOptions(t *testing.T) {
	c := newChatter(t, gateway.ProtocolChat, hello)
	c.Script(gatewaytest.JSON(http.StatusBadRequest, `{"error":{"message":"Unknown parameter: 'stream_options'","param":"stream_options"}}`))
	for range 2 {
		r, err := c.ask(t, hi)
		require.NoError(t, err)
		require.Equal(t, []string{"metadata"}, r.NotSent)
	}
	require.Equal(t, 3, c.Total())
	require.NotContains(t, string(c.Calls()[2].Body), "stream_options")
}

// What a chat cannot express is refused, and asks nobody.
func TestChatRefuses(t *testing.T) {
	c := newChatter(t, gateway.ProtocolChat, hello)
	_, err := c.ask(t, `{"model":"m","input":"hi","conversation":"conv_1"}`)
	require.Equal(t, rota.RunErrRejected, code(err))
	require.ErrorContains(t, err, "this cannot be asked over chat completions: conversation: a server that speaks chat completions keeps no conversations")
	require.Zero(t, c.Total())
}
