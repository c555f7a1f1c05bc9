package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

const body = `{"model":"m","input":"hello"}`

// an attempt is what a call of Stream came to.
type attempt struct {
	response gateway.Response
	err      error
	ids      []string // that started was called with
	events   []gateway.Event
}

func (a attempt) types() []string {
	types := make([]string, len(a.events))
	for i, e := range a.events {
		types[i] = e.Type
	}
	return types
}

// failure returns the Error that the attempt must have failed with.
func (a attempt) failure(t *testing.T) *gateway.Error {
	t.Helper()
	var e *gateway.Error
	require.ErrorAs(t, a.err, &e)
	return e
}

func try(ctx context.Context, g *gateway.Gateway, r gateway.Request) (a attempt) {
	if r.Body == nil {
		r.Body = []byte(body)
	}
	if r.Provider == "" {
		r.Provider = g.Providers()[0].Name
	}
	a.response, a.err = g.Stream(ctx, r,
		func(id string) { a.ids = append(a.ids, id) },
		func(e gateway.Event) { a.events = append(a.events, e) })
	return a
}

// at returns a gateway to a server, with what change makes of its settings.
func at(t testing.TB, s *gatewaytest.Server, change ...func(*gateway.Provider)) *gateway.Gateway {
	t.Helper()
	p := gateway.Provider{Name: "test", BaseURL: s.URL + "/v1/"}
	for _, c := range change {
		c(&p)
	}
	return open(t, p)
}

func background(p *gateway.Provider) { p.Background = true }

// reply makes one attempt at a server that gives the reply.
func reply(t *testing.T, r gatewaytest.Reply) attempt {
	t.Helper()
	s := gatewaytest.New(t)
	s.Default(r)
	return try(t.Context(), at(t, s), gateway.Request{})
}

func TestStream(t *testing.T) {
	s := gatewaytest.New(t)
	a := try(t.Context(), at(t, s), gateway.Request{IdempotencyKey: "run-1"})

	require.NoError(t, a.err)
	require.Equal(t, "resp_1", a.response.ID)
	require.Equal(t, "completed", a.response.Status)
	require.Equal(t, "ok", a.response.Output)
	require.JSONEq(t, `{"input_tokens":1,"output_tokens":1,"total_tokens":2}`, string(a.response.Usage))
	require.Equal(t, gatewaytest.Response("resp_1", "ok"), string(a.response.Body))
	require.False(t, a.response.ToolActivity)
	require.Equal(t, []string{"resp_1"}, a.ids)
	require.Equal(t, []string{"response.created", "response.output_text.delta", "response.completed"}, a.types())
}

// TestAnIDThatCannotBeStored: the answer counts all the same.
func TestAnIDThatCannotBeStored(t *testing.T) {
	a := reply(t, gatewaytest.Stream(strings.ReplaceAll(gatewaytest.Created("resp_1"), "resp_1", `resp_\u0000`), gatewaytest.Completed("resp_1", "ok")))
	require.NoError(t, a.err)
	require.Equal(t, "ok", a.response.Output)
	require.NotContains(t, a.response.ID, "\x00")
}

func TestRequest(t *testing.T) {
	s := gatewaytest.New(t)
	g := at(t, s, func(p *gateway.Provider) { p.Key = func() (string, error) { return "sesame", nil } })
	require.NoError(t, try(t.Context(), g, gateway.Request{IdempotencyKey: "run-1"}).err)

	c := s.Calls()[0]
	require.Equal(t, "POST /v1/responses", c.Method+" "+c.Path)
	require.Equal(t, "run-1", c.IdempotencyKey())
	require.Equal(t, "Bearer sesame", c.Header.Get("Authorization"))
	require.Equal(t, "text/event-stream", c.Header.Get("Accept"))
	require.Equal(t, "application/json", c.Header.Get("Content-Type"))
	require.Equal(t, "rota", c.Header.Get("User-Agent"))
	require.Equal(t, "identity", c.Header.Get("Accept-Encoding"))
	require.JSONEq(t, `{"model":"m","input":"hello","stream":true}`, string(c.Body))
}

func TestRequestBody(t *testing.T) {
	for sent, want := range map[string]string{
		`{}`:                 `{"stream":true,"background":true,"store":true}`,
		" {\n } ":            `{"stream":true,"background":true,"store":true}`,
		`{"a":{"stream":1}}`: `{"stream":true,"background":true,"store":true,"a":{"stream":1}}`,
	} {
		s := gatewaytest.New(t)
		require.NoError(t, try(t.Context(), at(t, s, background), gateway.Request{Body: []byte(sent)}).err)
		require.JSONEq(t, want, string(s.Calls()[0].Body))
	}
}

func TestKeyIsReadForEveryRequest(t *testing.T) {
	s := gatewaytest.New(t)
	keys := []string{"one", "two"}
	g := at(t, s, func(p *gateway.Provider) {
		p.Key = func() (string, error) { key := keys[0]; keys = keys[1:]; return key, nil }
	})
	for _, want := range []string{"one", "two"} {
		require.NoError(t, try(t.Context(), g, gateway.Request{}).err)
		require.Equal(t, "Bearer "+want, s.Calls()[len(s.Calls())-1].Header.Get("Authorization"))
	}
}

// Servers write event streams in many ways.
func TestFraming(t *testing.T) {
	created := `{"type":"response.created","response":{"id":"r1"}}`
	completed := `{"type":"response.completed","response":{"id":"r1","status":"completed"}}`
	for name, stream := range map[string]string{
		"no space after the colon": "data:" + created + "\n\ndata:" + completed + "\n\n",
		"CR LF":                    "event: x\r\ndata: " + created + "\r\n\r\ndata: " + completed + "\r\n\r\n",
		"CR alone":                 "data: " + created + "\r\rdata: " + completed + "\r\r",
		"data in two lines":        "data: {\"type\":\"response.created\",\ndata: \"response\":{\"id\":\"r1\"}}\n\ndata: " + completed + "\n\n",
		"byte order mark":          "\xEF\xBB\xBFdata: " + created + "\n\ndata: " + completed + "\n\n",
		"comments and retry":       ": hi\n\nretry: 5\n\n:\ndata: " + created + "\n: hi\n\ndata: " + completed + "\n\n",
		"events without data":      "event: ping\n\nid: 7\n\ndata:\n\ndata: " + created + "\n\ndata: " + completed + "\n\n",
		"many blank lines":         "\n\n\n\ndata: " + created + "\n\n\n\n\n\ndata: " + completed + "\n\n",
		"done":                     "data: [DONE]\n\ndata: " + created + "\n\ndata: " + completed + "\n\ndata: [DONE]\n\n",
		"no blank line at the end": "data: " + created + "\n\ndata: " + completed + "\n",
		"no line end at the end":   "data: " + created + "\n\ndata: " + completed,
		"type in the framing":      "event: response.created\ndata: {\"response\":{\"id\":\"r1\"}}\n\nevent: response.completed\ndata: {\"response\":{\"id\":\"r1\"}}\n\n",
		"type in both":             "event: wrong\ndata: " + created + "\n\nevent: wrong\ndata: " + completed + "\n\n",
	} {
		for way, r := range map[string]gatewaytest.Reply{
			"at once":       gatewaytest.Stream(stream),
			"byte by byte":  gatewaytest.Stream(strings.Split(stream, "")...),
			"line by line":  gatewaytest.Stream(strings.SplitAfter(stream, "\n")...),
			"then hangs up": gatewaytest.Truncate(stream),
		} {
			t.Run(name+"/"+way, func(t *testing.T) {
				a := reply(t, r)
				require.NoError(t, a.err)
				require.Equal(t, "r1", a.response.ID)
				require.Equal(t, []string{"response.created", "response.completed"}, a.types())
			})
		}
	}
}

func TestWholeLastEventCountsThoughTheServerStalls(t *testing.T) {
	release := make(chan struct{})
	s := gatewaytest.New(t)
	s.Default(gatewaytest.Stall(release, gatewaytest.Created("r1"), strings.TrimRight(gatewaytest.Completed("r1", "x"), "\n")))
	a := try(t.Context(), at(t, s, quick), gateway.Request{})
	close(release)
	require.NoError(t, a.err)
	require.Equal(t, "x", a.response.Output)
}

func TestEndOfAnswerDoesNotWaitForEndOfStream(t *testing.T) {
	release := make(chan struct{})
	s := gatewaytest.New(t)
	s.Default(gatewaytest.Stall(release, gatewaytest.Created("r1"), gatewaytest.Completed("r1", "x")))
	a := try(t.Context(), at(t, s), gateway.Request{}) // without any limit
	close(release)
	require.NoError(t, a.err)
}

func TestUnknownEventsPassThrough(t *testing.T) {
	odd := `{"sequence_number":3,"type":"vendor.\u0074hought","x":["type"]}`
	a := reply(t, gatewaytest.Stream(gatewaytest.Data(odd), gatewaytest.Data(`{"x":1}`), gatewaytest.Completed("r1", "x")))
	require.NoError(t, a.err)
	require.Equal(t, []string{"vendor.thought", "", "response.completed"}, a.types())
	require.Equal(t, odd, string(a.events[0].Data))
	require.Equal(t, []string{"r1"}, a.ids, "the id was not known before the last event")
}

func TestEventsMayBeKept(t *testing.T) {
	a := reply(t, gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Delta("one"), gatewaytest.Delta("two"), gatewaytest.Completed("r1", "x")))
	require.NoError(t, a.err)
	for i, want := range []string{"one", "two"} {
		var e struct{ Delta string }
		require.NoError(t, json.Unmarshal(a.events[i+1].Data, &e))
		require.Equal(t, want, e.Delta)
	}
}

func TestLargeEvents(t *testing.T) {
	large := strings.Repeat("é\n", 1<<20)
	a := reply(t, gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Delta(large), gatewaytest.Completed("r1", large)))
	require.NoError(t, a.err)
	require.Equal(t, large, a.response.Output)
}

func TestOutput(t *testing.T) {
	completed := func(fields string) gatewaytest.Reply {
		return gatewaytest.Stream(gatewaytest.Data(`{"type":"response.completed","response":{"id":"r1"` + fields + `}}`))
	}
	for _, c := range []struct {
		name, fields, output string
		tools                bool
	}{
		{name: "nothing", fields: ``},
		{name: "output_text", fields: `,"output_text":"a","output":[]`, output: "a"},
		{
			name: "parts of messages", output: "abc",
			fields: `,"output":[{"type":"reasoning","content":[{"type":"reasoning_text","text":"hm"}]},` +
				`{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]},` +
				`{"type":"message","content":[{"type":"refusal","refusal":"c"}]}]`,
		},
		{name: "tools", fields: `,"output":[{"type":"function_call","name":"f"}]`, tools: true},
		{name: "odd types", fields: `,"output":7,"usage":7,"output_text":["y"]`},
		{name: "one odd item", fields: `,"output":[{"type":"message","content":7},{"type":"web_search_call"}]`, tools: true},
		{name: "a text for a list", fields: `,"output":[{"type":"message","content":"x"}]`, output: "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := reply(t, completed(c.fields))
			require.NoError(t, a.err)
			require.Equal(t, c.output, a.response.Output)
			require.Equal(t, c.tools, a.response.ToolActivity)
			require.Nil(t, a.response.Usage)
		})
	}
}

// The transport repeats requests of its own accord when a connection that it
// kept turns out to be dead. One attempt must stay one request.
func TestOneAttemptIsOneRequest(t *testing.T) {
	s := gatewaytest.New(t)
	s.Script(gatewaytest.Text("warm"), gatewaytest.Hangup())
	g := at(t, s)
	require.NoError(t, try(t.Context(), g, gateway.Request{IdempotencyKey: "k1"}).err)
	require.Error(t, try(t.Context(), g, gateway.Request{IdempotencyKey: "k2"}).err)
	require.Equal(t, map[string]int{"k1": 1, "k2": 1}, s.KeyCalls())
}

func TestConnectionsAreKept(t *testing.T) {
	s := gatewaytest.New(t)
	s.Default(gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Completed("r1", "x"), gatewaytest.Data("[DONE]")))
	dials := 0
	transport := http.DefaultTransport.(*http.Transport).Clone()
	dial := transport.DialContext
	transport.DialContext = countDials(dial, &dials)
	g := at(t, s, func(p *gateway.Provider) { p.Transport = transport })
	for range 5 {
		require.NoError(t, try(t.Context(), g, gateway.Request{}).err)
	}
	require.Equal(t, 1, dials)
}

func TestCancel(t *testing.T) {
	release := make(chan struct{})
	s := gatewaytest.New(t)
	s.Default(gatewaytest.Stall(release, gatewaytest.Created("r1")))
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := at(t, s).Stream(ctx, gateway.Request{Provider: "test", Body: []byte(body)},
		func(string) { cancel(errors.New("somebody asked")) }, func(gateway.Event) {})
	close(release)
	require.Equal(t, context.Canceled, err)
}

func TestCancelBeforeTheAnswer(t *testing.T) {
	release, entered := make(chan struct{}), make(chan gatewaytest.Call)
	s := gatewaytest.New(t)
	s.Default(gatewaytest.Gate(entered, release, gatewaytest.Text("late")))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	a := try(ctx, at(t, s), gateway.Request{})
	close(release)
	require.Equal(t, context.Canceled, a.err)
}

// TestShortAnswersHoldLittle: what is held counts several times in the budget, and many
// answers are short.
func TestShortAnswersHoldLittle(t *testing.T) {
	for length, most := range map[int]int{1: 8 << 10, 20_000: 48 << 10, 200_000: 512 << 10} {
		s, held := gatewaytest.New(t), 0
		s.Default(gatewaytest.Text(strings.Repeat("x", length)))
		_, err := at(t, s).Stream(t.Context(), gateway.Request{Provider: "test", Body: []byte(body), Hold: func(_ context.Context, n int) error {
			held = max(held, n)
			return nil
		}}, func(string) {}, func(gateway.Event) {})
		require.NoError(t, err)
		require.LessOrEqual(t, held, most, length)
		require.GreaterOrEqual(t, held, length)
	}
}
