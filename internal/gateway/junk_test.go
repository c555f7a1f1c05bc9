package gateway

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// canned is a transport that gives one answer.
type canned struct {
	header http.Header
	body   io.Reader
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: c.header, Body: io.NopCloser(c.body)}, nil
}

// TestJunkCostsNoAnswer plays answers that are whole, between whatever else a stream may
// have, in any framing, under any label.
func TestJunkCostsNoAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		junk := rapid.SampledFrom([]string{
			"", ": hi", "id: 7", "retry: 10", "event: ping\ndata: {\"type\":\"ping\"}", "data:", "data: null", "data: [1]", "data: \"x\"", "data: 7", "nonsense",
			"event: heartbeat\ndata: {}", "data: {\"type\":\"keepalive\",\"response\":null}", "event: ping", "data: {\"choices\":[]}",
			"data: {\"type\":\"response.rate_limits.updated\",\"limits\":[]}", "data: {\"type\":\"response.in_progress\",\"response\":{\"id\":\"r1\",\"status\":\"in_progress\",\"error\":null}}",
		})
		end := rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(t, "line end")
		events := []string{
			`data: {"type":"response.created","response":{"id":"r1","object":"response","status":"in_progress"}}`,
			`data: {"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"he"}`,
			`data: {"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"llo"}`,
			`data: {"type":"response.output_text.done","item_id":"m","output_index":0,"content_index":0,"text":"hello"}`,
			rapid.SampledFrom([]string{
				`data: {"type":"response.completed","response":{"id":"r1","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hello"}]}]}}`,
				`data: {"type":"response.completed","response":{"id":"r1","status":"completed","output":[]}}`,
				`data: {"type":"response.done","response":{"id":"r1"}}`,
				`data: {"type":"response.completed"}`,
				`event: response.completed` + "\n" + `data: {"id":"r1","object":"response","status":"completed","output":[]}`,
				`data: [DONE]`, ``,
			}).Draw(t, "last event"),
		}
		var s strings.Builder
		for _, e := range events {
			for _, j := range rapid.SliceOfN(junk, 0, 2).Draw(t, "junk") {
				if strings.TrimSpace(s.String()) != "" || j != "nonsense" { // what begins so is no stream
					s.WriteString(j + "\n\n")
				}
			}
			s.WriteString(e + "\n\n")
		}
		stream := strings.ReplaceAll(s.String(), "\n", end)
		h := http.Header{}
		if media := rapid.SampledFrom([]string{"text/event-stream", "text/plain", "application/json", "application/octet-stream", ""}).Draw(t, "label"); media != "" {
			h.Set("Content-Type", media)
		}
		var body io.Reader = strings.NewReader(stream)
		if rapid.Bool().Draw(t, "compressed") {
			var b strings.Builder
			z := gzip.NewWriter(&b)
			_, _ = io.WriteString(z, stream)
			_ = z.Close()
			body = strings.NewReader(b.String())
		}
		g, err := New([]Provider{{Name: "p", BaseURL: "http://p", Transport: canned{h, body}}})
		require.NoError(t, err)
		defer g.Close()
		r, err := g.Stream(context.Background(), Request{Provider: "p", Body: []byte("{}")}, func(string) {}, func(Event) {})
		require.NoError(t, err, stream)
		require.Equal(t, "hello", r.Output, stream)
		require.Equal(t, "r1", r.ID)
	})
}

// TestACutIsNeverFinal cuts an answer off after each byte. What comes of it is the answer,
// if all of it had come, or a failure that is tried again and keeps the text that had.
func TestACutIsNeverFinal(t *testing.T) {
	const begin = `{"id":"r1","object":"response","status":"`
	stream := `data: {"type":"response.created","response":` + begin + `in_progress"}}` + "\n\n" +
		`data: {"type":"response.output_text.delta","item_id":"m","delta":"hello"}` + "\n\n" +
		`data: {"type":"response.output_text.done","item_id":"m","text":"hello"}` + "\n\n" +
		`data: {"type":"response.completed","response":` + begin + `completed","output":[{"type":"message","content":[{"type":"output_text","text":"hello"}]}]}}` + "\n\n"
	object := begin + `completed","output":[{"type":"message","content":[{"type":"output_text","text":"hello"}]}]}`
	for _, c := range []struct{ label, whole, told string }{
		{"text/event-stream", stream, `"delta":"hello"}`}, {"application/json", stream, `"delta":"hello"}`}, {"application/json", object, "no part counts"}, {"", object, "no part counts"},
	} {
		for n := range len(c.whole) {
			for _, last := range []error{io.EOF, io.ErrUnexpectedEOF} {
				body := io.MultiReader(strings.NewReader(c.whole[:n]), iotest.ErrReader(last))
				g, err := New([]Provider{{Name: "p", BaseURL: "http://p", Transport: canned{http.Header{"Content-Type": {c.label}}, body}}})
				require.NoError(t, err)
				r, err := g.Stream(context.Background(), Request{Provider: "p", Body: []byte("{}")}, func(string) {}, func(Event) {})
				g.Close()
				if err == nil {
					require.Equal(t, "hello", r.Output, c.whole[:n])
					continue
				}
				var e *Error
				require.ErrorAs(t, err, &e)
				require.True(t, e.Retryable, "%s: %s", e, c.whole[:n])
				require.Equal(t, strings.Contains(c.whole[:n], c.told), strings.Contains(string(e.Response), "hello"), "%s: %s", e, c.whole[:n])
			}
		}
	}
}
