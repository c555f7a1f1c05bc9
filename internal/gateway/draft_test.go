package gateway_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// labelled answers with a body under a media type.
func labelled(media, body string) gatewaytest.Reply {
	return func(w http.ResponseWriter, _ *http.Request, _ gatewaytest.Call) {
		w.Header().Set("Content-Type", media)
		_, _ = io.WriteString(w, body)
	}
}

// encoded answers with a body under a Content-Encoding.
func encoded(encoding, body string) gatewaytest.Reply {
	return func(w http.ResponseWriter, _ *http.Request, _ gatewaytest.Call) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Encoding", encoding)
		_, _ = io.WriteString(w, body)
	}
}

// frame frames events, given as JSON.
func frame(events ...string) string {
	var s strings.Builder
	for _, e := range events {
		s.WriteString(gatewaytest.Data(e))
	}
	return s.String()
}

// said returns what the stored response says: its texts and calls, one a line.
func said(t *testing.T, body []byte) string {
	t.Helper()
	var r struct {
		Output []struct {
			Type, Role, Name, Arguments string
			Content                     []struct{ Type, Text, Refusal string }
		}
	}
	require.NoError(t, json.Unmarshal(body, &r), string(body))
	var lines []string
	for _, i := range r.Output {
		switch i.Type {
		case "message":
			require.Equal(t, "assistant", i.Role)
			for _, c := range i.Content {
				lines = append(lines, c.Text+c.Refusal)
			}
		case "function_call":
			lines = append(lines, i.Name+i.Arguments)
		default:
			lines = append(lines, i.Type)
		}
	}
	return strings.Join(lines, "\n")
}

const (
	began = `{"type":"response.created","response":{"id":"r1","object":"response","status":"in_progress","model":"m","output":[]}}`
	empty = `{"type":"response.completed","response":{"id":"r1","status":"completed","output":[]}}`
)

// An answer counts wherever its words are, and is stored with them.
func TestAnswersThatOnlyEventsTell(t *testing.T) {
	delta := func(at, d string) string {
		return `{"type":"response.output_text.delta",` + at + `"delta":"` + d + `"}`
	}
	for name, c := range map[string]struct{ stream, said string }{
		"deltas":               {frame(began, delta(`"item_id":"m1","output_index":0,"content_index":0,`, "he"), delta(`"item_id":"m1","output_index":0,"content_index":0,`, "llo"), empty), "hello"},
		"deltas without place": {frame(began, delta("", "he"), delta("", "llo"), empty), "hello"},
		"an id for each event": {frame(began, delta(`"item_id":"a","output_index":0,`, "he"), delta(`"item_id":"b","output_index":0,`, "llo"), empty), "hello"},
		"two messages by id":   {frame(began, delta(`"item_id":"a",`, "one"), delta(`"item_id":"b",`, "two"), empty), "one\ntwo"},
		"two by place":         {frame(began, delta(`"output_index":0,`, "one"), delta(`"output_index":1,`, "two"), empty), "one\ntwo"},
		"two parts":            {frame(began, delta(`"item_id":"a","content_index":0,`, "one"), delta(`"item_id":"a","content_index":1,`, "two"), empty), "one\ntwo"},
		"a text's end":         {frame(began, `{"type":"response.output_text.done","item_id":"a","text":"hello"}`, empty), "hello"},
		"deltas and end":       {frame(began, delta("", "hel"), `{"type":"response.output_text.done","text":"hello"}`, empty), "hello"},
		"a part":               {frame(began, `{"type":"response.content_part.done","part":{"type":"output_text","text":"hello","annotations":[]}}`, empty), "hello"},
		"an item":              {frame(began, `{"type":"response.output_item.done","item":{"type":"message","id":"a","role":"assistant","content":[{"type":"output_text","text":"hello"}]}}`, empty), "hello"},
		"an item without text": {frame(began, delta(`"item_id":"a",`, "hello"), `{"type":"response.output_item.done","item":{"type":"message","id":"a","role":"assistant","content":[]}}`, empty), "hello"},
		"a refusal":            {frame(began, `{"type":"response.refusal.delta","delta":"no"}`, empty), "no"},
		"no output at all":     {frame(began, delta("", "hello"), `{"type":"response.completed","response":{"id":"r1","status":"completed"}}`), "hello"},
		"output that is null":  {frame(began, delta("", "hello"), `{"type":"response.completed","response":{"id":"r1","status":"completed","output":null}}`), "hello"},
		"a silent message":     {frame(began, delta("", "hello"), `{"type":"response.completed","response":{"id":"r1","output":[{"type":"message","content":[]}]}}`), "hello"},
		"only thought at last": {frame(began, delta("", "hello"), `{"type":"response.completed","response":{"id":"r1","output":[{"type":"reasoning"}]}}`), "hello\nreasoning"},
		"no response at last":  {frame(began, delta("", "hello"), `{"type":"response.completed"}`), "hello"},
		"a call": {frame(
			began, `{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"f","call_id":"c","name":"get","arguments":""}}`,
			`{"type":"response.function_call_arguments.delta","item_id":"f","output_index":0,"delta":"{\"a\""}`,
			`{"type":"response.function_call_arguments.delta","item_id":"f","output_index":0,"delta":":1}"}`, empty,
		), `get{"a":1}`},
		"a call that no item names": {frame(began, `{"type":"response.function_call_arguments.done","item_id":"f","name":"get","arguments":"{}"}`, empty), "get{}"},
		"a text and a call in one place": {frame(
			began, delta(`"output_index":0,`, "hello"),
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","name":"get","arguments":"{}"}}`, empty,
		), "hello\nget{}"},
		"the text as the output":        {frame(`{"type":"response.completed","response":{"id":"r1","output":"hello"}}`), "hello"},
		"the text at the top":           {frame(`{"type":"response.completed","response":{"id":"r1","output":[],"output_text":"hello"}}`), "hello"},
		"done":                          {frame(began, delta("", "hello"), `{"type":"response.done","response":{"id":"r1","status":"completed","output":[]}}`), "hello"},
		"all done, but no last event":   {frame(began, `{"type":"response.output_text.done","item_id":"a","text":"hello"}`, "[DONE]"), "hello"},
		"an error that came to nothing": {frame(began, `{"type":"error","message":"hm"}`, delta("", "hello"), empty), "hello"},
		"data that is no event":         {frame(began, delta("", "hello"), "null", ": PROCESSING", empty), "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			a := reply(t, gatewaytest.Stream(c.stream))
			require.NoError(t, a.err)
			require.Equal(t, "completed", a.response.Status)
			require.Equal(t, "r1", a.response.ID)
			require.Equal(t, c.said, said(t, a.response.Body))
			require.Equal(t, strings.Contains(c.said, "get{"), a.response.ToolActivity)
			if !a.response.ToolActivity {
				require.NotEmpty(t, a.response.Output)
			}
		})
	}
}

// What the last event says is not changed where it says something.
func TestTheLastEventCounts(t *testing.T) {
	a := reply(t, gatewaytest.Stream(frame(began, `{"type":"response.output_text.delta","delta":"draft"}`,
		`{"type":"response.completed","response":{"output":[{"type":"message","content":[{"text":"final"}]}]}}`)))
	require.NoError(t, a.err)
	require.Equal(t, "final", a.response.Output)
	require.Equal(t, `{"output":[{"type":"message","content":[{"text":"final"}]}]}`, string(a.response.Body))
}

func TestResponseDone(t *testing.T) {
	for status, code := range map[string]string{"completed": "", "incomplete": "", "failed": rota.RunErrProvider, "cancelled": rota.RunErrProvider} {
		a := reply(t, gatewaytest.Stream(frame(`{"type":"response.done","response":{"id":"r1","status":"`+status+`","output":[]}}`)))
		if code == "" {
			require.NoError(t, a.err)
			require.Equal(t, status, a.response.Status)
			continue
		}
		require.Equal(t, code, a.failure(t).Code)
	}
}

func TestLabelsAreNotBelieved(t *testing.T) {
	stream := gatewaytest.Created("r1") + gatewaytest.Completed("r1", "x")
	for _, media := range []string{"application/json", "text/plain; charset=utf-8", "application/octet-stream", "text/html", ""} {
		for _, before := range []string{"", "\n", ": hi\n\n", "event: x\n", "\uFEFF", "\n\uFEFF", "id: 7\n", "retry: 5\n\n"} {
			a := reply(t, labelled(media, before+stream))
			require.NoError(t, a.err, "%q %q", media, before)
			require.Equal(t, "x", a.response.Output)
		}
	}
}

// TestAResponseThatIsNoStream: what was paid for is an answer.
func TestAResponseThatIsNoStream(t *testing.T) {
	for _, r := range []gatewaytest.Reply{
		gatewaytest.JSON(200, gatewaytest.Response("r1", "x")),
		gatewaytest.Stream(gatewaytest.Response("r1", "x")),
		labelled("text/plain", "\uFEFF"+gatewaytest.Response("r1", "x")),
	} {
		a := reply(t, r)
		require.NoError(t, a.err)
		require.Equal(t, "x", a.response.Output)
		require.Equal(t, gatewaytest.Response("r1", "x"), string(a.response.Body))
		require.Equal(t, []string{"r1"}, a.ids)
		require.Equal(t, []string{"response.completed"}, a.types())
	}
}

func TestCompressedAnswers(t *testing.T) {
	stream := gatewaytest.Created("r1") + gatewaytest.Completed("r1", strings.Repeat("x", 1<<20))
	for encoding, pack := range map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	} {
		squeeze := func(s string) string {
			var b bytes.Buffer
			w := pack(&b)
			_, _ = io.WriteString(w, s)
			require.NoError(t, w.Close())
			return b.String()
		}
		a := reply(t, encoded(encoding, squeeze(stream)))
		require.NoError(t, a.err)
		require.Len(t, a.response.Output, 1<<20)
		e := reply(t, encoded(encoding, squeeze(gatewaytest.Data(`{"x":"`+strings.Repeat("x", 80<<20)+`"}`)))).failure(t)
		require.Equal(t, rota.RunErrTooLarge, e.Code, "it is bounded")
	}
}

// TestCompressionByItsLook: labels are not believed here either.
func TestCompressionByItsLook(t *testing.T) {
	stream := gatewaytest.Created("r1") + gatewaytest.Completed("r1", "x")
	var zipped, raw bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, stream)
	require.NoError(t, z.Close())
	f, err := flate.NewWriter(&raw, flate.BestSpeed)
	require.NoError(t, err)
	_, _ = io.WriteString(f, stream)
	require.NoError(t, f.Close())
	for _, c := range [][2]string{
		{"", zipped.String()},
		{"identity", zipped.String()},
		{"GZIP", zipped.String()},
		{"x-gzip", zipped.String()},
		{"gzip, identity", zipped.String()},
		{"deflate", zipped.String()},
		{"deflate", raw.String()},
		{"gzip", stream},
		{"deflate", stream},
		{"br", stream},
		{"zstd", "\n" + stream},
	} {
		a := reply(t, encoded(c[0], c[1]))
		require.NoError(t, a.err, "%q %q", c[0], c[1])
		require.Equal(t, "x", a.response.Output)
	}
}

// What had come is kept, whatever ended the attempt.
func TestWhatHadComeIsKept(t *testing.T) {
	half := frame(
		`{"type":"response.created","response":{"id":"r1","object":"response","model":"m","status":"in_progress","usage":{"input_tokens":7}}}`,
		`{"type":"response.output_text.delta","item_id":"a","output_index":0,"content_index":0,"delta":"half"}`,
	)
	for name, c := range map[string]struct {
		reply  func(<-chan struct{}) gatewaytest.Reply
		code   string
		status string
	}{
		"cut off": {func(<-chan struct{}) gatewaytest.Reply { return gatewaytest.Truncate(half) }, rota.RunErrStreamEnded, "incomplete"},
		"ended":   {func(<-chan struct{}) gatewaytest.Reply { return gatewaytest.Stream(half) }, rota.RunErrStreamEnded, "incomplete"},
		"silent":  {func(r <-chan struct{}) gatewaytest.Reply { return gatewaytest.Stall(r, half) }, rota.RunErrIdle, "incomplete"},
		"too large": {func(<-chan struct{}) gatewaytest.Reply {
			return gatewaytest.Stream(half, gatewaytest.Delta(strings.Repeat("x", 16<<20)))
		}, rota.RunErrTooLarge, "incomplete"},
		"failed": {func(<-chan struct{}) gatewaytest.Reply {
			return gatewaytest.Stream(half, gatewaytest.Failed("r1", "server_error", "no"))
		}, rota.RunErrProvider, "failed"},
		"cancelled": {func(<-chan struct{}) gatewaytest.Reply {
			return gatewaytest.Stream(half, frame(`{"type":"response.cancelled","response":{"id":"r1","status":"cancelled"}}`))
		}, rota.RunErrProvider, "cancelled"},
		"error": {func(<-chan struct{}) gatewaytest.Reply {
			return gatewaytest.Stream(half, frame(`{"type":"error","code":"server_error"}`))
		}, rota.RunErrProvider, "failed"},
		"error, stall": {func(r <-chan struct{}) gatewaytest.Reply {
			return gatewaytest.Stall(r, half, frame(`{"type":"error","code":"server_error"}`))
		}, rota.RunErrProvider, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			s := gatewaytest.New(t)
			s.Default(c.reply(release))
			change := quick
			if name != "silent" {
				change = func(*gateway.Provider) {}
			}
			e := try(t.Context(), at(t, s, change), gateway.Request{}).failure(t)
			close(release)
			require.Equal(t, c.code, e.Code)
			require.JSONEq(t, `{"input_tokens":7}`, string(e.Usage))
			require.Equal(t, "half", said(t, e.Response))
			var r struct{ Object, Status, ID string }
			require.NoError(t, json.Unmarshal(e.Response, &r))
			require.Equal(t, c.status, r.Status)
			require.Equal(t, "r1", r.ID)
		})
	}
}

// Usage is kept wherever it is told.
func TestUsage(t *testing.T) {
	for name, stream := range map[string]string{
		"incomplete":    frame(`{"type":"response.incomplete","response":{"id":"r1","usage":{"total_tokens":11}}}`),
		"failed":        frame(`{"type":"response.failed","response":{"id":"r1","usage":{"total_tokens":11}}}`),
		"on the event":  frame(`{"type":"response.completed","usage":{"total_tokens":11},"response":{"id":"r1","usage":null}}`),
		"on an earlier": frame(`{"type":"response.in_progress","response":{"id":"r1","usage":{"total_tokens":11}}}`, `{"type":"response.completed","response":{"id":"r1"}}`),
		"on an error":   frame(`{"type":"error","message":"no","usage":{"total_tokens":11}}`),
	} {
		t.Run(name, func(t *testing.T) {
			a := reply(t, gatewaytest.Stream(stream))
			usage := a.response.Usage
			if a.err != nil {
				usage = a.failure(t).Usage
			}
			require.JSONEq(t, `{"total_tokens":11}`, string(usage))
		})
	}
}

// TestErrorsInStreams: the details count in whatever event, order and nesting they come.
func TestErrorsInStreams(t *testing.T) {
	failed := `{"type":"response.failed","response":{"id":"r1","status":"failed","error":null}}`
	for _, c := range []struct {
		name, stream, code, message string
		again                       bool
	}{
		{"Azure", frame(began, `{"type":"error","error":{"type":"too_many_requests","code":"too_many_requests","message":"Too Many Requests","param":null},"sequence_number":2}`), rota.RunErrRateLimited, "Too Many Requests", true},
		{"Meta", frame(began, `{"type":"error","code":"server_shutting_down","message":"Please retry your request.","param":null}`), rota.RunErrProvider, "server_shutting_down", true},
		{"no code", frame(began, `{"type":"error","error":{"type":"RateLimitError","code":null,"message":"busy"}}`), rota.RunErrRateLimited, "RateLimitError: busy", true},
		{"code before type", frame(began, `{"type":"error","error":{"type":"server_error","code":"upstream_error","message":"bad gateway"}}`), rota.RunErrProvider, "upstream_error: bad gateway", true},
		{"too long", frame(began, `{"type":"error","error":{"type":"server_error","code":"context_length_exceeded"}}`), rota.RunErrProvider, "context_length_exceeded", false},
		{"too long, in words", frame(began, `{"type":"error","message":"Your input exceeds the context window of this model. Please adjust your input and try again."}`), rota.RunErrProvider, "context window", false},
		{"no permission", frame(began, `{"type":"error","error":{"status":"PERMISSION_DENIED","code":403}}`), rota.RunErrProvider, "PERMISSION_DENIED", false},
		{"only a number", frame(began, `{"type":"error","error":{"code":529,"message":"full"}}`), rota.RunErrProvider, "529: full", true},
		{"a number that is final", frame(began, `{"type":"error","error":{"code":"400","message":"no"}}`), rota.RunErrProvider, "400: no", false},
		{"error, then failed", frame(began, `{"type":"error","code":"rate_limit_exceeded","message":"slow"}`, failed), rota.RunErrRateLimited, "rate_limit_exceeded: slow", true},
		{"error without details, then failed", frame(began, `{"type":"error"}`, `{"type":"response.failed","response":{"error":{"code":"invalid_prompt","message":"no"}}}`), rota.RunErrProvider, "invalid_prompt: no", false},
		{"beside the response", frame(began, `{"type":"response.failed","error":{"code":"invalid_prompt","message":"no"},"response":{"status":"failed"}}`), rota.RunErrProvider, "invalid_prompt: no", false},
		{"status details", frame(began, `{"type":"response.done","response":{"status":"failed","status_details":{"type":"failed","error":{"type":"server_error","code":"rate_limit_exceeded"}}}}`), rota.RunErrRateLimited, "rate_limit_exceeded", true},
		{"an event of another name", frame(began, `{"type":"response.error","error":{"code":"invalid_prompt"}}`), rota.RunErrProvider, "invalid_prompt", false},
		{"vLLM", frame(began, `{"object":"error","message":"no","type":"BadRequestError","param":null,"code":400}`), rota.RunErrProvider, "no", false},
		{"a text that is JSON", frame(began, `{"type":"error","message":"{\"error\":{\"code\":\"overloaded\",\"message\":\"later\"}}"}`), rota.RunErrProvider, "overloaded: later", true},
		{"no JSON", frame(began) + "event: error\ndata: Rate limit reached\n\n", rota.RunErrRateLimited, "Rate limit reached", true},
		{"a wrong key", frame(`{"type":"error","error":{"code":"invalid_api_key","message":"no"}}`), rota.RunErrMisconfigured, "does not take the key", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := reply(t, gatewaytest.Stream(c.stream)).failure(t)
			require.Equal(t, c.code, e.Code, e.Message)
			require.Contains(t, e.Message, c.message)
			require.Equal(t, c.again, e.Retryable)
			require.True(t, e.Answered)
		})
	}
}

// A wait counts on whatever status it comes, in whatever form.
func TestWaitsOnAnyStatus(t *testing.T) {
	for _, c := range []struct {
		status int
		name   string
		value  string
		body   string
		want   time.Duration
	}{
		{400, "Retry-After", "2.7", `{"error":{"code":"rate_limit_exceeded"}}`, 2700 * time.Millisecond},
		{200, "Retry-After", "3", `{"error":{"code":"server_overloaded"}}`, 3 * time.Second},
		{503, "Retry-After-Ms", "1500", ``, 1500 * time.Millisecond},
		{429, "X-Ratelimit-Reset-Requests", "6m0s", ``, 6 * time.Minute},
		{503, "X-Ratelimit-Reset-Requests", "6m0s", ``, 0},
		{429, "X", "", `{"error":{"message":"Please try again in 7.66s."}}`, 7660 * time.Millisecond},
		{400, "Retry-After", "3", `{"error":{"code":"invalid_prompt"}}`, 0},
	} {
		e := reply(t, gatewaytest.Status(c.status, map[string]string{c.name: c.value}, c.body)).failure(t)
		require.Equal(t, c.want, e.RetryAfter, "%+v", c)
	}
	stream := func(w http.ResponseWriter, r *http.Request, call gatewaytest.Call) {
		w.Header().Set("Retry-After", "4")
		gatewaytest.Stream(frame(began, `{"type":"error","code":"rate_limit_exceeded"}`))(w, r, call)
	}
	require.Equal(t, 4*time.Second, reply(t, stream).failure(t).RetryAfter)
}

// TestRecordedStreams takes streams as servers sent them; each says which one did.
func TestRecordedStreams(t *testing.T) {
	files, err := filepath.Glob("testdata/streams/*.sse")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			stream, err := os.ReadFile(f)
			require.NoError(t, err)
			want, err := os.ReadFile(strings.TrimSuffix(f, ".sse") + ".txt")
			require.NoError(t, err)
			a := reply(t, gatewaytest.Stream(string(stream)))
			require.NoError(t, a.err)
			require.Equal(t, strings.TrimSpace(string(want)), said(t, a.response.Body))
			require.NotEmpty(t, a.response.ID)

			whole, last, _ := strings.Cut(string(stream), "event: response.completed")
			require.NotEmpty(t, last)
			whole += frame(`{"type":"response.completed","response":{"status":"completed","output":[]}}`)
			a = reply(t, gatewaytest.Stream(whole))
			require.NoError(t, a.err)
			require.Equal(t, strings.TrimSpace(string(want)), said(t, a.response.Body), "if the last event lacks it")
		})
	}
}
