package gateway_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
)

// TestErrorsThatPass: in whatever spelling, place and order a server says that asking
// again may help, under a status that is well.
func TestErrorsThatPass(t *testing.T) {
	for _, e := range []string{
		`{"type":"error","code":429,"message":"x"}`,
		`{"type":"error","error":{"status_code":429,"message":"x"}}`,
		`{"type":"error","error":{"statusCode":503,"message":"x"}}`,
		`{"type":"error","error":{"errorType":"TooManyRequestsException","message":"x"}}`,
		`{"type":"error","error":{"error_type":"overloaded","message":"x"}}`,
		`{"type":"error","error":{"kind":"ServiceUnavailable","message":"x"}}`,
		`{"type":"error","error":{"name":"RateLimitError","message":"x"}}`,
		`{"type":"error","code":"queue_full","message":"x"}`,
		`{"type":"error","code":"model_cold","message":"The model is starting, please wait"}`,
		`{"type":"error","code":"e17","message":"We are experiencing high demand."}`,
		`{"type":"error","code":"e17","message":"Please try your request again later."}`,
		`{"type":"error","code":"e17","message":"Service at capacity. Come back later."}`,
		`{"type":"error","code":"e17","message":"x","retry_after":0.01}`,
		`{"type":"error","error":{"code":"custom","message":"x","details":{"retryAfterSeconds":0.01}}}`,
		`{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"rateLimitExceeded","message":"x"}}}`,
		`{"type":"response.failed","response":{"id":"r","status":"failed","error":null,"status_details":{"error":{"type":"server_error"}}}}`,
		`{"type":"response.error","error":{"type":"server_error"}}`,
		`[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]`,
		`{"errors":[{"code":"TOO_MANY_REQUESTS"}]}`,
		`{"error":"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}"}`,
		`{"type":"error","error":{"type":"concurrent_requests_exceeded"}}`,
		`{"type":"error","error":{"type":"backendError"}}`,
		`{"type":"error","error":{"type":"network_error"}}`,
		`{"type":"error","error":{"code":14,"message":"x"}}`,
		`{"type":"error","error":{"grpc_code":8,"http_code":429,"message":"x"}}`,
		`{"type":"error","code":"e17","message":"Please slow down."}`,
		`{"type":"error","code":"e17","message":"You are sending requests too quickly."}`,
		`{"type":"error","code":"e17","message":"no healthy upstream"}`,
		`{"type":"error","code":"e17","message":"The server is too busy."}`,
		`{"type":"error","code":"e17","message":"Quota exceeded for requests per minute"}`,
		`{"Error":{"Code":"TooManyRequests","Message":"x"}}`,
		`{"__type":"com.amazon.coral.service#ThrottlingException","Message":"Rate exceeded"}`,
		`{"throttlingException":{"message":"x"}}`,
		`{"error_code":18,"error_msg":"Open api qps request limit reached"}`,
		`{"type":"https://example.com/probs/rate-limit","title":"Too Many Requests","status":429}`,
		`{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"0.01s"}]}}`,
		`{"fault":{"faultstring":"Rate limit quota violation","detail":{"errorcode":"policies.ratelimit.QuotaViolation"}}}`,
		`{"type":"error","code":"tokens_per_min_exceeded"}`, `{"type":"error","code":"rpm_limit"}`, `{"type":"error","code":"ProvisionedThroughputExceededException"}`, `{"type":"error","code":"limit_burst_rate"}`,
		`{"type":"error","code":"circuit_breaker_open"}`, `{"type":"error","code":"no_available_workers"}`, `{"type":"error","code":"ECONNRESET"}`, `{"type":"error","code":"socket_hang_up"}`,
		`{"type":"error","code":"stream_read_error"}`, `{"type":"error","code":"cold_start"}`, `{"type":"error","code":"under_maintenance"}`, `{"type":"error","code":"instance_draining"}`, `{"type":"error","code":"preempted"}`,
	} {
		t.Run("event "+e, func(t *testing.T) {
			f := reply(t, gatewaytest.Stream(gatewaytest.Created("r"), gatewaytest.Data(e))).failure(t)
			require.True(t, f.Retryable, "%s", f)
			require.Contains(t, []string{rota.RunErrRateLimited, rota.RunErrProvider}, f.Code, "%s", f)
		})
	}
	for _, body := range []string{
		`{"detail":"Rate limit exceeded"}`, `{"message":"Too many requests","code":429}`, `{"status":"error","message":"Server overloaded"}`,
		`[{"error":{"code":503,"status":"UNAVAILABLE"}}]`, `{"success":false,"errors":[{"code":10000,"message":"rate limited"}]}`,
		`{"object":"error","message":"busy","type":"ServiceUnavailableError","code":503}`,
		`{"errorMessage":"Endpoint request timed out","errorType":"Timeout"}`,
	} {
		for _, media := range []string{"application/json", "text/event-stream", "text/plain"} {
			t.Run(media+" "+body, func(t *testing.T) {
				f := reply(t, labelled(media, body)).failure(t)
				require.True(t, f.Retryable, "%s", f)
			})
		}
	}
	for _, text := range []string{"upstream connect error or disconnect/reset before headers", "Too Many Requests", "Service Unavailable", ""} {
		for _, media := range []string{"text/plain", "application/json", "text/event-stream"} {
			t.Run(media+" "+text, func(t *testing.T) {
				f := reply(t, labelled(media, text)).failure(t)
				require.True(t, f.Retryable, "%s", f)
			})
		}
	}
	for _, s := range []int{408, 409, 420, 423, 425, 429, 449, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 529, 530, 598} {
		require.True(t, reply(t, gatewaytest.Status(s, nil, "")).failure(t).Retryable, s)
	}
	for _, s := range []int{400, 402, 403, 413, 418, 422, 424, 451} { // who names a time to come back means it
		f := reply(t, gatewaytest.Status(s, map[string]string{"Retry-After": "3"}, "")).failure(t)
		require.True(t, f.Retryable, s)
		require.NotZero(t, f.RetryAfter)
	}
}

// TestErrorsThatStay are not asked again, wherever they are said.
func TestErrorsThatStay(t *testing.T) {
	for _, e := range []string{
		`{"type":"error","code":"tokens_limit_reached","message":"Request body too large for the model. Max size: 8000 tokens."}`,
		`{"type":"error","code":"token_limit_exceeded","message":"x"}`,
		`{"type":"error","code":"model_max_prompt_tokens_exceeded","message":"x"}`,
		`{"type":"error","error":{"message":"prompt too long; exceeded max context length by 5 tokens"}}`,
		`{"type":"error","error":{"message":"The input token count (9) exceeds the maximum number of tokens allowed (8)"}}`,
		`{"type":"error","error":{"message":"input length and max_tokens exceed context limit: 5"}}`,
		`{"type":"error","error":{"message":"Please reduce the length of the messages or completion."}}`,
		`{"type":"error","error":{"message":"Prompt contains 9 tokens, too large for model with 8 maximum context length"}}`,
		`{"type":"error","error":{"code":"ContextWindowExceeded","message":"try again with a shorter prompt"}}`,
		`{"type":"error","error":{"message":"The policy forbids this. Do not try again."}}`,
		`{"type":"error","error":{"message":"This request must not be retried."}}`,
		`{"type":"error","error":{"type":"permission_error","message":"x"}}`,
		`{"type":"error","error":{"type":"PermissionDeniedError","code":403}}`,
		`{"type":"error","error":{"type":"insufficient_permissions"}}`,
		`{"type":"error","error":{"statusCode":400,"message":"x"}}`,
		`{"type":"error","error":{"status":"INVALID_ARGUMENT","code":400}}`,
		`{"type":"error","error":{"type":"BadRequest"}}`,
		`{"type":"error","error":{"type":"billing_not_active","message":"x"}}`,
		`{"type":"error","error":{"type":"unsupported_country_region_territory"}}`,
		`{"error":"You do not have permission to use this model"}`,
		`{"type":"error","error":{"type":"server_error","message":"This model's maximum context length is 8192 tokens."}}`,
		`{"type":"error","error":{"code":"rate_limit_exceeded","message":"Request too large for the model: Limit 10000, Requested 20000."}}`,
		`{"type":"error","error":{"code":"payload_size_limit_exceeded"}}`,
		`{"type":"error","error":{"code":"spend_limit_reached"}}`,
		`{"code":"InvalidApiKey","message":"x"}`,
		`{"type":"about:blank","title":"Bad Request","status":400,"detail":"x"}`,
		`{"Code":"AccessDenied","Message":"x"}`,
		`{"type":"error","error":{"message":"Invalid value: 'x'. Supported values are: 'a'."}}`,
		`{"type":"error","error":{"message":"Unsupported parameter: 'top_p' is not supported with this model."}}`,
		`{"type":"error","error":{"message":"The model x does not exist or you do not have access to it."}}`,
		`{"type":"error","error":{"message":"Invalid 'input': string too long."}}`,
		`{"type":"error","error":{"message":"The response was filtered. Please modify your prompt and retry."}}`,
		`{"type":"error","error":{"message":"Input exceeds the maximum allowed number of tokens"}}`,
		`{"error":"Access denied"}`, `{"error":"Forbidden"}`, `{"error":"unauthorized"}`,
	} {
		t.Run(e, func(t *testing.T) {
			require.False(t, reply(t, gatewaytest.Stream(gatewaytest.Created("r"), gatewaytest.Data(e))).failure(t).Retryable)
			f := reply(t, gatewaytest.JSON(http.StatusInternalServerError, e)).failure(t)
			require.False(t, f.Retryable, "%s", f)
		})
	}
	for _, s := range []int{400, 402, 403, 404, 405, 413, 422} {
		for _, e := range []string{`{"error":{"type":"invalid_request_error","message":"bad"}}`, `{"error":{"code":"context_length_exceeded"}}`, `{"error":{"type":"permission_error"}}`} {
			f := reply(t, func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
				w.Header().Set("Retry-After", "3")
				gatewaytest.JSON(s, e)(w, r, c)
			}).failure(t)
			require.False(t, f.Retryable, "%d %s", s, e)
		}
	}
}

// TestErrorsThatNoEventHolds are known by what they say, and so is how long to wait.
func TestErrorsThatNoEventHolds(t *testing.T) {
	f := reply(t, gatewaytest.Stream(gatewaytest.Created("r"), gatewaytest.Data(`{"Message":"Rate exceeded, please retry in 0.02 seconds","ErrorCode":"ThrottlingException"}`))).failure(t)
	require.Equal(t, rota.RunErrRateLimited, f.Code)
	require.Equal(t, 20*time.Millisecond, f.RetryAfter)
	require.Contains(t, f.Message, "ThrottlingException: Rate exceeded")
	f = reply(t, gatewaytest.Stream(gatewaytest.Created("r"), gatewaytest.Data(`{"code":"DataInspectionFailed","message":"not this"}`))).failure(t)
	require.Equal(t, rota.RunErrProvider, f.Code)
	require.False(t, f.Retryable, "a code that nobody knows")
	f = reply(t, gatewaytest.Status(429, nil, "Slow down. Retry after 3 seconds.")).failure(t)
	require.Equal(t, 3*time.Second, f.RetryAfter)
	f = reply(t, gatewaytest.JSON(503, `{"error":"Model is currently loading","estimated_time":2.5}`)).failure(t)
	require.Equal(t, 2500*time.Millisecond, f.RetryAfter)
}

// TestEventsThatAreNoErrors are passed over, whatever words they have.
func TestEventsThatAreNoErrors(t *testing.T) {
	for _, e := range []string{
		`{"type":"ping"}`, `{"type":"keepalive","message":"still here"}`, `{"status":"ok","message":"working"}`, `{"code":200,"message":"fine"}`, `{"type":"heartbeat","status":"in_progress"}`, `{}`,
	} {
		a := reply(t, gatewaytest.Stream(gatewaytest.Created("r"), gatewaytest.Data(e), gatewaytest.Completed("r", "x")))
		require.NoError(t, a.err, e)
		a = reply(t, gatewaytest.Stream(gatewaytest.Created("r"), gatewaytest.Data(e)))
		require.Equal(t, rota.RunErrStreamEnded, a.failure(t).Code, e)
	}
}

// TestStreamsThatAreNoEventStreams have the answer in them all the same.
func TestStreamsThatAreNoEventStreams(t *testing.T) {
	created := `{"type":"response.created","response":{"id":"r1","status":"in_progress"}}`
	delta := `{"type":"response.output_text.delta","delta":"x"}`
	completed := `{"type":"response.completed","response":` + gatewaytest.Response("r1", "x") + `}`
	whole := gatewaytest.Response("r1", "x")
	for name, body := range map[string]string{
		"lines of JSON":                     created + "\n" + delta + "\n" + completed + "\n",
		"lines of JSON, CRLF":               created + "\r\n\r\n" + delta + "\r\n" + completed,
		"lines of JSON, done":               created + "\n" + delta + "\n" + completed + "\n[DONE]\n",
		"no blank lines":                    "data: " + created + "\ndata: " + delta + "\ndata: " + completed + "\ndata: [DONE]\n",
		"a list":                            "[" + created + "," + delta + "," + completed + "]",
		"the response as the data":          "event: response.created\ndata: {\"id\":\"r1\",\"object\":\"response\",\"status\":\"in_progress\"}\n\nevent: response.completed\ndata: " + whole + "\n\n",
		"the response alone, untyped":       "data: " + whole + "\n\ndata: [DONE]\n\n",
		"the response in a list":            "[" + whole + "]",
		"the response in data":              `{"data":` + whole + `}`,
		"deltas that are objects":           "data: " + created + "\n\ndata: {\"type\":\"response.output_text.delta\",\"delta\":{\"text\":\"x\"}}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r1\",\"status\":\"completed\",\"output\":[]}}\n\n",
		"events over several lines":         "data: {\"type\":\"response.completed\",\ndata: \"response\":" + whole + "}\n\n",
		"a type without the word before":    "data: " + created + "\n\ndata: {\"type\":\"output_text.delta\",\"delta\":\"x\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r1\",\"status\":\"completed\",\"output\":[]}}\n\n",
		"lines of JSON, the last cut":       created + "\n" + `{"type":"response.output_text.done","text":"x"}` + "\n" + completed[:70],
		"no blank lines, the last cut":      "data: " + created + "\ndata: {\"type\":\"response.output_text.done\",\"text\":\"x\"}\ndata: " + completed[:70],
		"deltas, and the end of the stream": "data: " + created + "\n\ndata: " + delta + "\n\ndata: [DONE]\n\n",
		"an ending called after its word":   "data: " + created + "\n\ndata: " + delta + "\n\nevent: done\ndata: {}\n\n",
	} {
		for _, media := range []string{"text/event-stream", "application/json", "application/x-ndjson", "text/plain", "application/jsonl", ""} {
			t.Run(name+" "+media, func(t *testing.T) {
				a := reply(t, labelled(media, body))
				require.NoError(t, a.err)
				require.Equal(t, "x", a.response.Output)
				require.Equal(t, "r1", a.response.ID)
			})
		}
	}
}
