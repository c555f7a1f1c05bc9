package gateway_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

const (
	oddCreated   = `{"type":"response.created","response":{"id":"r1","status":"in_progress"}}`
	oddDelta     = `{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"x"}`
	oddCompleted = `{"type":"response.completed","response":{"id":"r1","status":"completed","output":[]}}`
)

// TestAnswersInOddWrappings are answers all the same.
func TestAnswersInOddWrappings(t *testing.T) {
	whole := gatewaytest.Response("r1", "x")
	unnamed := `{"id":"r1","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"x"}]}]}`
	for name, body := range map[string]string{
		"an end in small letters":       gatewaytest.Data(oddCreated) + gatewaytest.Data(oddDelta) + gatewaytest.Data("[done]"),
		"an end in quotes":              gatewaytest.Data(oddCreated) + gatewaytest.Data(oddDelta) + gatewaytest.Data(`"[DONE]"`),
		"events with a name and data":   gatewaytest.Data(`{"event":"response.created","data":`+oddCreated+`}`) + gatewaytest.Data(`{"event":"response.completed","data":{"response":`+whole+`}}`),
		"the type is called event":      gatewaytest.Data(`{"event":"response.completed","response":` + whole + `}`),
		"events as texts":               gatewaytest.Data(strconv.Quote(oddCreated)) + gatewaytest.Data(strconv.Quote(oddDelta)) + gatewaytest.Data(strconv.Quote(oddCompleted)),
		"objects without a line end":    oddCreated + oddDelta + oddCompleted,
		"objects, the last cut off":     oddCreated + `{"type":"response.output_text.done","text":"x"}` + oddCompleted[:40],
		"a response as a text":          strconv.Quote(whole),
		"a response in a body":          `{"statusCode":200,"body":` + whole + `}`,
		"a response in a body, as text": `{"statusCode":200,"body":` + strconv.Quote(whole) + `}`,
		"no status":                     unnamed,
		"a status in capitals":          `{"status":"COMPLETED",` + unnamed[1:],
		"nothing but a text":            `{"id":"r1","output_text":"x"}`,
		"the text beside its delta":     gatewaytest.Data(oddCreated) + gatewaytest.Data(`{"type":"response.output_text.delta","text":"x"}`) + gatewaytest.Data(oddCompleted),
		"a chat in data":                `{"data":{"id":"r1","choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}}`,
		"done without a place":          gatewaytest.Data(oddCreated) + gatewaytest.Data(oddDelta) + gatewaytest.Data(`{"type":"response.output_text.done","text":"x"}`),
		"places only at the end":        gatewaytest.Data(oddCreated) + gatewaytest.Data(`{"type":"response.output_text.delta","delta":"x"}`) + gatewaytest.Data(`{"type":"response.output_text.done","item_id":"m","output_index":0,"content_index":0,"text":"x"}`),
	} {
		for _, media := range []string{"application/json", "text/event-stream"} {
			t.Run(name+" "+media, func(t *testing.T) {
				a := reply(t, labelled(media, body))
				require.NoError(t, a.err)
				require.Equal(t, "x", a.response.Output)
			})
		}
	}
	items := gatewaytest.Data(oddCreated)
	for _, said := range []string{"x", "y"} {
		items += gatewaytest.Data(`{"type":"response.output_item.done","item":{"type":"message","content":[{"type":"output_text","text":"` + said + `"}]}}`)
	}
	require.Equal(t, "xy", reply(t, gatewaytest.Stream(items+gatewaytest.Data(oddCompleted))).response.Output, "neither says its place")
}

// TestAnswersThatBreakOffBehindTheirEnd have come.
func TestAnswersThatBreakOffBehindTheirEnd(t *testing.T) {
	a := reply(t, func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		w.Header().Set("Content-Length", "9999")
		gatewaytest.JSON(http.StatusOK, gatewaytest.Response("r1", "x"))(w, r, c)
	})
	require.NoError(t, a.err)
	require.Equal(t, "x", a.response.Output)
}

// TestLayersOfCompression are taken off, in whatever order the label has them.
func TestLayersOfCompression(t *testing.T) {
	stream := gatewaytest.Created("r1") + gatewaytest.Completed("r1", "x")
	pack := func(s string, w func(io.Writer) io.WriteCloser) string {
		var b bytes.Buffer
		p := w(&b)
		_, _ = io.WriteString(p, s)
		require.NoError(t, p.Close())
		return b.String()
	}
	gz := func(s string) string {
		return pack(s, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	}
	zl := func(s string) string {
		return pack(s, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	}
	for label, body := range map[string]string{
		"gzip, gzip": gz(gz(stream)), "deflate, gzip": gz(zl(stream)), "gzip, deflate": zl(gz(stream)), "zlib": zl(stream), "": zl(stream), "gzip": zl(stream), "identity, gzip": gz(stream), "none": stream,
	} {
		a := reply(t, encoded(label, body))
		require.NoError(t, a.err, "%q", label)
		require.Equal(t, "x", a.response.Output)
	}
}

// TestNewsIsNoError: a stream may tell of limits, queues and errors that are none, and
// then think for longer than it may be silent behind an error.
func TestNewsIsNoError(t *testing.T) {
	for _, e := range []string{
		`{"type":"codex.rate_limits","rate_limits":{"allowed":true,"primary":{"used_percent":3,"resets_in_seconds":100}}}`,
		`{"type":"rate_limits.updated","rate_limits":[{"name":"requests","remaining":999,"reset_seconds":60}]}`,
		`{"type":"warning","message":"You are close to your rate limit."}`,
		`{"type":"queue","status":"waiting","message":"The server is busy, please wait."}`,
		`{"type":"status","error":false,"message":"fine"}`, `{"type":"status","errors":[]}`, `{"type":"status","error":{}}`, `{"type":"status","error":""}`,
	} {
		a := reply(t, gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Data(e)))
		require.Equal(t, rota.RunErrStreamEnded, a.failure(t).Code, e)
	}
	f := reply(t, gatewaytest.Stream(gatewaytest.Created("r1"), gatewaytest.Data(`{"type":"overloaded_error","message":"Overloaded"}`))).failure(t)
	require.Equal(t, rota.RunErrProvider, f.Code, "a type that is a code, and words")
}

// TestWaitsInOddSpellings are kept, in headers and in errors.
func TestWaitsInOddSpellings(t *testing.T) {
	const want = 90 * time.Second
	for header, value := range map[string]string{
		"X-Retry-After-Ms": "90000", "X-Ratelimit-Retry-After": "90", "X-Rate-Limit-Reset": "90", "X-Rate-Limit-Reset-After": "90", "X-Rate-Limit-Retry-After-Seconds": "90", "Retry-After-Minutes": "1.5",
	} {
		e := reply(t, gatewaytest.Status(429, map[string]string{header: value}, "")).failure(t)
		require.Equal(t, want, e.RetryAfter, header)
	}
	for _, value := range []string{"0:01:30", "01:30", "P0DT0H1M30S", "pt1m30s", "about 90 seconds", "in 1.5 minutes"} {
		e := reply(t, gatewaytest.Status(429, map[string]string{"Retry-After": value}, "")).failure(t)
		require.Equal(t, want, e.RetryAfter, value)
	}
	for _, e := range []string{
		`{"error":{"details":[{"retryDelay":{"seconds":"90","nanos":0}}]}}`, `{"error":{"metadata":{"headers":{"Retry-After":"90"}}}}`, `{"parameters":{"retry_after":90}}`,
		`{"error":{"resets_in_seconds":90}}`, `{"error":{"retry_in":90}}`, `{"error":{"reset_in":"1m30s"}}`, `{"error":{"backoffMs":90000}}`, `{"error":{"wait_seconds":90}}`, `{"error":{"cooldown_seconds":90}}`,
		`{"error":{"message":"Limit hit. Retry-After: 90"}}`, `{"error":{"message":"Retry after: 90 seconds"}}`, `{"error":{"message":"Your quota will reset after 90s."}}`, `{"error":{"message":"Available again in 1.5 minutes"}}`,
	} {
		require.Equal(t, want, reply(t, gatewaytest.JSON(429, e)).failure(t).RetryAfter, e)
	}
}

// TestDatesToComeBackAt are read as servers write them, wherever they stand.
func TestDatesToComeBackAt(t *testing.T) {
	at := time.Now().UTC().Add(time.Hour)
	near := func(e *gateway.Error, what string) {
		require.InDelta(t, time.Hour, e.RetryAfter, float64(time.Minute), what)
	}
	for _, layout := range []string{
		"2 Jan 2006 15:04:05 GMT", "Mon, 2 Jan 2006 15:04:05 GMT", time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
	} {
		near(reply(t, gatewaytest.Status(429, map[string]string{"Retry-After": at.Format(layout)}, "")).failure(t), layout)
	}
	near(reply(t, gatewaytest.Status(429, map[string]string{"Retry-After": strings.ToLower(at.Format(http.TimeFormat))}, "")).failure(t), "small letters")
	for _, e := range []string{
		`{"error":{"retry_after":"` + at.Format(time.RFC3339) + `"}}`, `{"error":{"resets_at":` + strconv.FormatInt(at.Unix(), 10) + `}}`, `{"error":{"resetAt":"` + at.Format(time.RFC3339Nano) + `"}}`,
	} {
		near(reply(t, gatewaytest.JSON(429, e)).failure(t), e)
	}
}
