package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tmaxmax/go-sse"
	"pgregory.net/rapid"

	"github.com/rota-run/rota"
)

// However a stream is cut into reads, the same events come of it, those that another
// reader finds, and the event that it ends in comes last and is known to be cut.
func TestEventsDoNotDependOnReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"data: a", "data:b", "data", "data:", "data:  ", ": c", "event: d", "id: 7", "\uFEFF", "\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "x",
		}), 0, 12).Draw(t, "pieces")
		stream := []byte(strings.Join(pieces, ""))
		whole := events(t, bytes.NewReader(stream))
		require.Equal(t, whole, events(t, iotest.OneByteReader(bytes.NewReader(stream))))
		require.Equal(t, whole, events(t, iotest.DataErrReader(bytes.NewReader(stream))))
		require.Equal(t, whole, events(t, iotest.HalfReader(bytes.NewReader(stream))))

		ended := append(stream, "\n\n"...)
		var want []rawEvent
		for e, err := range sse.Read(bytes.NewReader(ended), nil) {
			require.NoError(t, err)
			if e.Data != "" || e.Type != "" {
				want = append(want, rawEvent{kind: e.Type, data: []byte(e.Data)})
			}
		}
		for i := range whole {
			require.True(t, !whole[i].cut || i == len(whole)-1)
			whole[i].cut = false
		}
		require.Equal(t, want, whole)
		require.Equal(t, want, events(t, bytes.NewReader(ended)))
	})
}

func events(t require.TestingT, from io.Reader) (all []rawEvent) {
	for r := newEventReader(from); ; {
		e, err := r.next()
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			return all
		}
		e.data = append([]byte{}, e.data...)
		if len(e.data) > 0 || e.kind != "" {
			all = append(all, e)
		}
	}
}

// A large event comes whole, and room for it is asked before it has come.
func TestALargeEvent(t *testing.T) {
	for size, tooLarge := range map[int]bool{3*blockBytes + 7: false, maxEvent: true} {
		data := bytes.Repeat([]byte("xy"), size/2)
		r := newEventReader(io.MultiReader(strings.NewReader("data: "), bytes.NewReader(data), strings.NewReader("\n\n")))
		asked := 0
		r.room = func(n int) error {
			require.LessOrEqual(t, n, asked+readBytes)
			asked = n
			return nil
		}
		e, err := r.next()
		if tooLarge {
			require.ErrorIs(t, err, errTooLarge)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, data, e.data)
		require.GreaterOrEqual(t, asked, len(data))
	}
}

func TestBreakAfterAnEventIsReported(t *testing.T) {
	broken := errors.New("broken")
	r := newEventReader(io.MultiReader(strings.NewReader("data: a\n\ndata: b\n"), iotest.ErrReader(broken)))
	for _, want := range []string{"a", "b"} {
		e, err := r.next()
		require.NoError(t, err)
		require.Equal(t, want, string(e.data))
	}
	_, err := r.next()
	require.Equal(t, broken, err)
}

type countReads struct {
	r io.Reader
	n int
}

func (c *countReads) Read(p []byte) (int, error) {
	c.n++
	return c.r.Read(p)
}

// slowly is a transport whose answers are written by the test.
type slowly struct {
	write func(ctx context.Context, w io.Writer)
}

func (s slowly) RoundTrip(req *http.Request) (*http.Response, error) {
	r, w := io.Pipe()
	context.AfterFunc(req.Context(), func() { w.CloseWithError(context.Cause(req.Context())) })
	go func() {
		s.write(req.Context(), w)
		w.Close()
	}()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: r,
	}, nil
}

func stream(t *testing.T, p Provider, write func(context.Context, io.Writer), on func(Event)) error {
	p.Name, p.BaseURL, p.Transport = "slow", "http://slow", slowly{write}
	g, err := New([]Provider{p})
	require.NoError(t, err)
	_, err = g.Stream(t.Context(), Request{Provider: "slow", Body: []byte("{}")}, func(string) {}, on)
	return err
}

const lastEvent = `data: {"type":"response.completed","response":{"id":"r1"}}` + "\n\n"

func TestCommentsAreLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := stream(t, Provider{IdleTimeout: time.Minute}, func(_ context.Context, w io.Writer) {
			for range 100 {
				time.Sleep(59 * time.Second)
				_, _ = io.WriteString(w, ":")
			}
			_, _ = io.WriteString(w, "\n"+lastEvent)
		}, func(Event) {})
		require.NoError(t, err)
	})
}

func TestSilenceEndsTheAttemptInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		err := stream(t, Provider{IdleTimeout: time.Minute}, func(ctx context.Context, w io.Writer) {
			_, _ = io.WriteString(w, ": hi\n")
			<-ctx.Done()
		}, func(Event) {})
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, rota.RunErrIdle, e.Code)
		require.Equal(t, time.Minute, time.Since(begun))
		synctest.Wait()
	})
}

func TestSlowCallerIsNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := stream(t, Provider{IdleTimeout: time.Minute}, func(_ context.Context, w io.Writer) {
			_, _ = io.WriteString(w, "data: {}\n\n")
			_, _ = io.WriteString(w, lastEvent)
		}, func(Event) { time.Sleep(time.Hour) })
		require.NoError(t, err)
	})
}

func TestTimeoutEndsALivelyAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		err := stream(t, Provider{IdleTimeout: time.Minute, Timeout: time.Hour}, func(ctx context.Context, w io.Writer) {
			for ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
					_, _ = io.WriteString(w, ": hi\n\n")
				}
			}
		}, func(Event) {})
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, rota.RunErrTimeout, e.Code)
		require.Equal(t, time.Hour, time.Since(begun))
		synctest.Wait()
	})
}

// A server that keeps the stream open holds the answer back for drainTime.
func TestOpenStreamHoldsTheAnswerBackShortly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		err := stream(t, Provider{}, func(ctx context.Context, w io.Writer) {
			_, _ = io.WriteString(w, lastEvent)
			<-ctx.Done()
		}, func(Event) {})
		require.NoError(t, err)
		require.Equal(t, drainTime, time.Since(begun))
		synctest.Wait()
	})
}

// A connection is kept only if its answer was read to the end.
func TestRestOfTheStreamIsRead(t *testing.T) {
	rest := &countReads{r: iotest.ErrReader(io.EOF)}
	b := io.MultiReader(iotest.OneByteReader(bytes.NewReader([]byte(lastEvent+"\n\n"))), rest)
	synctest.Test(t, func(t *testing.T) {
		err := stream(t, Provider{}, func(_ context.Context, w io.Writer) { _, _ = io.Copy(onlyWriter{w}, b) }, func(Event) {})
		require.NoError(t, err)
		require.Equal(t, 1, rest.n)
	})
}

// onlyWriter keeps io.Copy from merging writes.
type onlyWriter struct{ io.Writer }

func TestWaits(t *testing.T) {
	now := time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                                0,
		"soon":                            0,
		"-5":                              0,
		"0":                               0,
		"NaN":                             0,
		"90":                              90 * time.Second,
		" 2.7 ":                           2700 * time.Millisecond,
		"3.0":                             3 * time.Second,
		"6m0s":                            6 * time.Minute,
		"99999999999999999999":            maxRetryAfter,
		"500000":                          maxRetryAfter,
		"1795410060":                      time.Minute,
		"1795410060500":                   time.Minute + 500*time.Millisecond,
		"Mon, 23 Nov 2026 05:01:00 GMT":   time.Minute,
		"Mon, 23 Nov 2026 04:59:00 GMT":   0,
		"Mon, 23 Nov 2099 04:59:00 GMT":   maxRetryAfter,
		"Mon, 23 Nov 2026 05:01:00 UTC":   time.Minute,
		"Mon, 23 Nov 2026 05:01:00 +0000": time.Minute,
		"20 seconds":                      20 * time.Second,
		"1.5 min":                         90 * time.Second,
		"2 Hours":                         2 * time.Hour,
		"PT1M30S":                         90 * time.Second,
		"3, 5":                            3 * time.Second,
		"3; comment=x":                    3 * time.Second,
		`"3"`:                             3 * time.Second,
		"+3":                              3 * time.Second,
		"inf":                             0,
		"1e400":                           0,
		"seconds":                         0,
		"3 fortnights":                    0,
		"2026-11-23T05:01:00Z":            time.Minute,
	} {
		require.Equal(t, want, asksToWait(http.Header{"Retry-After": {header}}, now), "Retry-After: %s", header)
	}
	require.Equal(t, 5*time.Second, asksToWait(http.Header{"Retry-After": {"3", "5"}}, now), "sent twice")
	h := http.Header{"Retry-After": {"3"}, "Retry-After-Ms": {"2500"}}
	require.Equal(t, 2500*time.Millisecond, asksToWait(h, now), "the more exact one")
	require.Equal(t, 1500*time.Millisecond, asksToWait(http.Header{"X-Ms-Retry-After-Ms": {"1500"}}, now))
	require.Equal(t, 30*time.Second, untilReset(http.Header{"Ratelimit": {`"a";r=5;t=90, "b";r=0;t=30`}}, now))
	h = http.Header{
		"X-Ratelimit-Remaining-Requests": {"7"}, "X-Ratelimit-Reset-Requests": {"1h"},
		"X-Ratelimit-Remaining-Tokens": {"0"}, "X-Ratelimit-Reset-Tokens": {"1m5s"},
	}
	require.Equal(t, 65*time.Second, untilReset(h, now), "only a limit that is used up is waited for")
}

func TestWaitsInWords(t *testing.T) {
	for object, want := range map[string]time.Duration{
		`{"error":{"message":"Please try again in 7.66s. Visit"}}`:            7660 * time.Millisecond,
		`{"error":{"message":"Please try again in 120ms."}}`:                  120 * time.Millisecond,
		`{"error":{"message":"Please try again in 1m2.5s"}}`:                  62500 * time.Millisecond,
		`{"error":{"message":"Please retry after 20 seconds."}}`:              20 * time.Second,
		`{"error":{"message":"busy","retry_after":2.5}}`:                      2500 * time.Millisecond,
		`{"message":"busy","retry_after_ms":1500}`:                            1500 * time.Millisecond,
		`{"error":{"details":[{"@type":"RetryInfo","retryDelay":"34.07s"}]}}`: 34070 * time.Millisecond,
		`{"error":{"message":"try again in a while"}}`:                        0,
		`{"message":"Too many tokens, please wait 20 seconds."}`:              20 * time.Second,
		`{"message":"Try again in about 2 minutes"}`:                          2 * time.Minute,
		`{"message":"Please wait for 3 secs"}`:                                3 * time.Second,
		`{"message":"come back in 1 hour"}`:                                   time.Hour,
		`{"message":"retry 3 times"}`:                                         0,
	} {
		require.Equal(t, want, failureOf([]byte(object)).wait, object)
	}
}

func TestMeanings(t *testing.T) {
	for want, all := range map[meaning][]string{
		limited: {
			"rate_limit_exceeded", "RateLimitError", "rate-limited", "too_many_requests", "TooManyRequests", "ThrottlingException",
			"RESOURCE_EXHAUSTED", "slow_down", "requestLimitExceeded",
		},
		passing: {
			"server_error", "InternalServerError", "internal_error", "overloaded_error", "engineOverloaded", "server_is_overloaded", "SERVICE_UNAVAILABLE",
			"model_timeout", "DEADLINE_EXCEEDED", "upstream_error", "BadGateway", "server_shutting_down", "try_again_later", "api_error",
			"ModelNotReadyException", "vector_store_timeout", "temporarily_unavailable",
		},
		hopeless: {
			"context_length_exceeded", "ContextWindowExceededError", "exceed_context_size_error", "content_filter", "ContentPolicyViolation",
			"permission_denied", "PERMISSION_DENIED", "AccessDeniedException", "string_above_max_length", "insufficient_quota", "request_too_large",
		},
		rejected: {
			"invalid_request_error", "BadRequestError", "INVALID_ARGUMENT", "ValidationException", "model_not_found", "NotFoundError", "unsupported_parameter",
			"invalid_prompt", "UnprocessableEntity",
		},
		locked:  {"invalid_api_key", "AuthenticationError", "UNAUTHENTICATED", "unauthorized"},
		unclear: {"", "17", "image_too_small", "api_exception_of_a_new_kind"},
	} {
		for _, code := range all {
			require.Equal(t, want, meaningOf(code), code)
		}
	}
}

func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, n := rapid.String().Draw(t, "text"), rapid.IntRange(1, 9).Draw(t, "n")
		got := pieces(text, n)
		require.LessOrEqual(t, len(got), n)
		var all string
		for _, p := range got {
			all += p
		}
		require.Equal(t, text, all)
	})
}
