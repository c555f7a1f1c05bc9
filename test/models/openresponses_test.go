package models

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/responses"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// A conformance asks a gateway for what the Open Responses specification says.
type conformance struct {
	server
	model string // llama.cpp's
	eyes  string // a model that takes images and files
	seen  *gatewaytest.Server
}

// checks are what the compliance suite of the specification checks, by the names that it
// has for it, and what its later branches check.
var checks = []struct {
	name string
	run  func(conformance)
}{
	{"basic-response", conformance.basic},
	{"assistant-phase", conformance.phase},
	{"response-output-phase-schema", conformance.phaseOfOutput},
	{"streaming-response", conformance.streaming},
	{"system-prompt", conformance.system},
	{"tool-calling", conformance.tool},
	{"image-input", conformance.image},
	{"multi-turn", conformance.turns},
	{"compact-response", conformance.compact},
	{"compact-missing-model", conformance.compactWithoutModel},
	{"websocket-response", conformance.socketOnce},
	{"websocket-sequential-responses", conformance.socketTwice},
	{"websocket-continuation", conformance.socketGoesOn},
	{"websocket-reconnect-store-false-recovery", conformance.socketAnew},
	{"websocket-previous-response-not-found", conformance.socketUnknown},
	{"websocket-failed-continuation-evicts-cache", conformance.socketFails},
	{"websocket-compact-new-chain", conformance.socketCompacted},
	{"tool-calling-streaming", conformance.toolStreaming},
	{"function-call-roundtrip", conformance.toolAnswered},
	{"file-input", conformance.file},
	{"previous-response-id", conformance.chain},
}

// TestOpenResponses: the gateway does what the specification says, whichever protocol its
// model speaks, on either database.
func TestOpenResponses(t *testing.T) {
	llama := llama(t, modelKey)
	seen := gatewaytest.New(t)
	seen.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		if strings.HasSuffix(r.URL.Path, "/chat/completions") {
			gatewaytest.Stream(gatewaytest.Data(`{"choices":[{"index":0,"delta":{"content":"A heart."},"finish_reason":"stop"}]}`))(w, r, c)
			return
		}
		gatewaytest.JSON(http.StatusOK, `{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant",`+
			`"status":"completed","phase":"final_answer","content":[{"type":"output_text","text":"A heart.","annotations":[]}]}]}`)(w, r, c)
	})
	for _, at := range []struct{ protocol, database string }{{"responses", "SQLite"}, {"chat", "SQLite"}, {"responses", "PostgreSQL"}, {"chat", "PostgreSQL"}} {
		t.Run(at.protocol+" on "+at.database, func(t *testing.T) {
			var env []string
			if at.database == "PostgreSQL" {
				env = append(env, "ROTA_DATABASE="+postgrestest.URL(t))
			}
			s := rotaWith(t, fmt.Sprintf(seeing, llama, at.protocol, seen.URL, at.protocol, seen.URL), env...)
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) {
					c.run(conformance{server{t, s.url}, "llama/tiny", "eyes/any", seen})
				})
			}
		})
	}
}

const seeing = `
providers:
  - {name: llama, base_url: %s, key_env: MODEL_KEY, default_model: tiny, protocol: %s}
  - {name: eyes, base_url: %s, protocol: %s}
  - {name: phases, base_url: %s, protocol: responses}
`

// members are the 31 of a response.
var members = strings.Fields(`id object created_at completed_at status incomplete_details model previous_response_id instructions output error tools
	tool_choice truncation parallel_tool_calls text top_p presence_penalty frequency_penalty top_logprobs temperature reasoning usage max_output_tokens
	max_tool_calls store background service_tier metadata safety_identifier prompt_cache_key`)

// whole checks a response that has ended well.
func (c conformance) whole(r object) object {
	c.Helper()
	for _, name := range members {
		require.Contains(c, r, name)
	}
	require.Equal(c, "response", r["object"])
	require.Equal(c, "completed", r["status"], r)
	require.NotNil(c, r["completed_at"])
	require.NotEmpty(c, r["output"])
	for _, name := range []string{"temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs"} {
		require.IsType(c, 0.0, r[name], name)
	}
	require.Contains(c, r["text"], "format")
	require.Contains(c, r["usage"].(object)["input_tokens_details"], "cached_tokens")
	require.Contains(c, r["usage"].(object)["output_tokens_details"], "reasoning_tokens")
	for _, i := range r["output"].([]any) {
		require.NotEmpty(c, i.(object)["id"])
	}
	return r
}

func (c conformance) asks(model string, input any, more ...object) object {
	c.Helper()
	body := object{"model": model, "input": input}
	for _, m := range more {
		for name, v := range m {
			body[name] = v
		}
	}
	return body
}

func (c conformance) answers(body object) object {
	c.Helper()
	return c.whole(c.call("POST", "/llm/responses", body))
}

func message(role, text string) object {
	return object{"type": "message", "role": role, "content": text}
}

func (c conformance) basic() {
	r := c.answers(c.asks(c.model, []any{message("user", "Say hello in exactly 3 words.")}))
	require.Equal(c, says, said1(r))
}

// said1 returns the text of the first item.
func said1(r object) string {
	return r["output"].([]any)[0].(object)["content"].([]any)[0].(object)["text"].(string)
}

func (c conformance) phase() {
	first, last := message("assistant", "I shall look."), message("assistant", "It is 4.")
	first["phase"], last["phase"] = "commentary", "final_answer"
	r := c.answers(c.asks("phases/any", []any{message("user", "2 and 2?"), first, last, message("user", "And 3?")}))
	calls := c.seen.Calls()
	var told struct{ Input []object }
	require.NoError(c, json.Unmarshal(calls[len(calls)-1].Body, &told))
	require.Equal(c, []any{nil, "commentary", "final_answer", nil}, []any{told.Input[0]["phase"], told.Input[1]["phase"], told.Input[2]["phase"], told.Input[3]["phase"]})
	require.NotEmpty(c, r["output"])
	c.answers(c.asks(c.model, []any{message("user", "2 and 2?"), first, last, message("user", "And 3?")}))
}

func (c conformance) phaseOfOutput() {
	r := c.answers(c.asks("phases/any", "What is this?"))
	require.Equal(c, "final_answer", r["output"].([]any)[0].(object)["phase"])
}

// events reads the events of a stream, which must be a valid one.
func (c conformance) events(body object) (all []object) {
	c.Helper()
	body["stream"] = true
	sent, err := json.Marshal(body)
	require.NoError(c, err)
	req, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.url+"/api/v1/llm/responses", bytes.NewReader(sent))
	require.NoError(c, err)
	req.Header.Set("Authorization", "Bearer "+rotaKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(c, err)
	defer res.Body.Close()
	require.Equal(c, "text/event-stream", res.Header.Get("Content-Type"))
	var check responses.Checker
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			require.NoError(c, check.Event([]byte(data)))
			var e object
			require.NoError(c, json.Unmarshal([]byte(data), &e))
			all = append(all, e)
		}
	}
	require.NoError(c, lines.Err())
	require.NoError(c, check.End())
	return all
}

// streamed checks that a stream ends well, and returns its types and its response.
func (c conformance) streamed(events []object) (types []string, r object) {
	c.Helper()
	for _, e := range events {
		types = append(types, e["type"].(string))
	}
	require.Equal(c, []string{"response.created", "response.in_progress"}, types[:2])
	require.Equal(c, "response.completed", types[len(types)-1])
	return types, c.whole(events[len(events)-1]["response"].(object))
}

func (c conformance) streaming() {
	types, r := c.streamed(c.events(c.asks(c.model, []any{message("user", "Count from 1 to 5.")})))
	require.Contains(c, types, "response.output_text.delta")
	require.Equal(c, says, said1(r))
}

func (c conformance) system() {
	plain := c.answers(c.asks(c.model, []any{message("user", "Say hello.")}))
	r := c.answers(c.asks(c.model, []any{message("system", "You are a pirate."), message("user", "Say hello.")}))
	require.Greater(c, r["usage"].(object)["input_tokens"], plain["usage"].(object)["input_tokens"], "the model is told")
}

func (c conformance) calls(r object) object {
	c.Helper()
	i := r["output"].([]any)[len(r["output"].([]any))-1].(object)
	require.Equal(c, "function_call", i["type"])
	require.Equal(c, "get_weather", i["name"])
	require.NotEmpty(c, i["call_id"])
	require.JSONEq(c, call, i["arguments"].(string))
	return i
}

func (c conformance) tool() {
	r := c.answers(c.asks(c.model, "The weather in Paris?", object{"tools": []any{weather}}))
	c.calls(r)
	echoed := r["tools"].([]any)[0].(object)
	for _, name := range []string{"description", "parameters", "strict"} {
		require.Contains(c, echoed, name)
	}
}

func (c conformance) toolStreaming() {
	types, r := c.streamed(c.events(c.asks(c.model, "The weather in Paris?", object{"tools": []any{weather}})))
	c.calls(r)
	for _, kind := range []string{"output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"} {
		require.Contains(c, types, "response."+kind)
	}
}

func (c conformance) toolAnswered() {
	first := c.calls(c.answers(c.asks(c.model, "The weather in Paris?", object{"tools": []any{weather}})))
	r := c.answers(c.asks(c.model, []any{
		message("user", "The weather in Paris?"), first, object{"type": "function_call_output", "call_id": first["call_id"], "output": "sunny"},
	}, object{"tools": []any{weather}}))
	require.Equal(c, "The tool said something useful; that is all?", said1(r))
}

const (
	pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	pdf   = "data:application/pdf;base64,JVBERi0xLjQKJSVFT0YK"
)

// sees checks that a part of a message reaches the model.
func (c conformance) sees(part object, needle string) {
	c.Helper()
	r := c.answers(c.asks(c.eyes, []any{object{"type": "message", "role": "user", "content": []any{object{"type": "input_text", "text": "What is this?"}, part}}}))
	require.Equal(c, "A heart.", said1(r))
	calls := c.seen.Calls()
	require.Contains(c, string(calls[len(calls)-1].Body), needle)
}

func (c conformance) image() { c.sees(object{"type": "input_image", "image_url": pixel}, pixel) }

func (c conformance) file() {
	c.sees(object{"type": "input_file", "filename": "a.pdf", "file_data": pdf}, pdf)
}

func (c conformance) turns() {
	plain := c.answers(c.asks(c.model, []any{message("user", "What is my name?")}))
	r := c.answers(c.asks(c.model, []any{message("user", "My name is Ada."), message("assistant", "Hello Ada!"), message("user", "What is my name?")}))
	require.Greater(c, r["usage"].(object)["input_tokens"], plain["usage"].(object)["input_tokens"])
}

func (c conformance) chain() {
	first := c.answers(c.asks(c.model, "My name is Ada."))
	r := c.answers(c.asks(c.model, "What is my name?", object{"previous_response_id": first["id"]}))
	require.Equal(c, first["id"], r["previous_response_id"])
	require.Greater(c, r["usage"].(object)["input_tokens"], first["usage"].(object)["input_tokens"])
}

func (c conformance) compact() { c.compacted() }

// compacted returns the items of a conversation that was summed up.
func (c conformance) compacted() []any {
	c.Helper()
	r := c.call("POST", "/llm/responses/compact", c.asks(c.model, []any{message("user", "My name is Ada."), message("assistant", "Hello Ada!"), message("user", "And you?")}))
	require.Equal(c, "response.compaction", r["object"])
	require.NotEmpty(c, r["id"])
	require.NotZero(c, r["created_at"])
	require.EqualValues(c, words, r["usage"].(object)["output_tokens"])
	require.Len(c, r["output"], 1)
	item := r["output"].([]any)[0].(object)
	require.Equal(c, "compaction", item["type"])
	require.Equal(c, says, item["content"])
	require.NotEmpty(c, item["encrypted_content"])
	return r["output"].([]any)
}

func (c conformance) compactWithoutModel() {
	require.Equal(c, "model", c.refusedAt("/llm/responses/compact", object{"input": "Hi"})["param"])
}

func (c conformance) socketCompacted() {
	s := c.open()
	s.send(c.asks(c.model, append(c.compacted(), message("user", "What is my name?")), notKept))
	s.answer()
}

// A socket is a WebSocket to the gateway.
type socket struct {
	conformance
	*websocket.Conn
}

func (c conformance) open() socket {
	c.Helper()
	conn, _, err := websocket.Dial(c.Context(), "ws"+strings.TrimPrefix(c.url, "http")+"/api/v1/llm/responses", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + rotaKey}},
	})
	require.NoError(c, err)
	conn.SetReadLimit(1 << 20)
	c.Cleanup(func() { _ = conn.CloseNow() })
	return socket{c, conn}
}

func (s socket) send(body object) {
	s.Helper()
	body["type"] = "response.create"
	sent, err := json.Marshal(body)
	require.NoError(s, err)
	require.NoError(s, s.Write(s.Context(), websocket.MessageText, sent))
}

func (s socket) next() (raw []byte, e object) {
	s.Helper()
	kind, raw, err := s.Read(s.Context())
	require.NoError(s, err)
	require.Equal(s, websocket.MessageText, kind)
	require.NoError(s, json.Unmarshal(raw, &e))
	return raw, e
}

// answer reads the events of one response, which must end well.
func (s socket) answer() object {
	s.Helper()
	var check responses.Checker
	var all []object
	for {
		raw, e := s.next()
		require.NotEqual(s, "error", e["type"], string(raw))
		require.NoError(s, check.Event(raw))
		if all = append(all, e); responses.Terminal(e["type"].(string)) {
			_, r := s.streamed(all)
			return r
		}
	}
}

// refused reads an error.
func (s socket) refused(code string) object {
	s.Helper()
	raw, e := s.next()
	require.Equal(s, "error", e["type"], string(raw))
	require.EqualValues(s, http.StatusBadRequest, e["status"])
	require.Equal(s, code, e["error"].(object)["code"], string(raw))
	return e["error"].(object)
}

var notKept = object{"store": false}

func (c conformance) socketOnce() {
	s := c.open()
	s.send(c.asks(c.model, "Say hello."))
	require.Equal(c, says, said1(s.answer()))
	require.NoError(c, s.Close(websocket.StatusNormalClosure, ""))
}

// socketTwice sends the second before the first has been answered: it waits.
func (c conformance) socketTwice() {
	s := c.open()
	s.send(c.asks(c.model, "Say hello."))
	s.send(c.asks(c.model, "Say it again."))
	require.NotEqual(c, s.answer()["id"], s.answer()["id"])
}

func (c conformance) socketGoesOn() {
	s := c.open()
	s.send(c.asks(c.model, "My name is Ada.", notKept))
	r := s.answer()
	for range 2 {
		s.send(c.asks(c.model, "What is my name?", notKept, object{"previous_response_id": r["id"]}))
		next := s.answer()
		require.Equal(c, r["id"], next["previous_response_id"])
		require.Greater(c, next["usage"].(object)["input_tokens"], r["usage"].(object)["input_tokens"])
		r = next
	}
	c.absent(r["id"])
}

// absent checks that a response is not kept.
func (c conformance) absent(id any) {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, fmt.Sprint(c.url, "/api/v1/llm/responses/", id), nil)
	require.NoError(c, err)
	req.Header.Set("Authorization", "Bearer "+rotaKey)
	res, err := http.DefaultClient.Do(req)
	require.NoError(c, err)
	_, _ = io.Copy(io.Discard, res.Body)
	require.NoError(c, res.Body.Close())
	require.Equal(c, http.StatusNotFound, res.StatusCode)
}

func (c conformance) socketAnew() {
	s := c.open()
	s.send(c.asks(c.model, "My name is Ada.", notKept))
	r := s.answer()
	require.NoError(c, s.Close(websocket.StatusNormalClosure, ""))
	s = c.open()
	s.send(c.asks(c.model, "What is my name?", notKept, object{"previous_response_id": r["id"]}))
	s.refused("previous_response_not_found")
	s.send(c.asks(c.model, []any{message("user", "My name is Ada."), message("user", "What is my name?")}, notKept))
	s.answer()
}

func (c conformance) socketUnknown() {
	s := c.open()
	s.send(c.asks(c.model, "Hi", object{"previous_response_id": "resp_that_never_was"}))
	require.Equal(c, "previous_response_id", s.refused("previous_response_not_found")["param"])
}

func (c conformance) socketFails() {
	s := c.open()
	s.send(c.asks(c.model, "My name is Ada.", notKept))
	r := s.answer()
	s.send(c.asks(c.model, []any{object{"type": "function_call_output", "call_id": "call_that_never_was", "output": "1"}}, notKept, object{"previous_response_id": r["id"]}))
	s.refused("invalid")
	s.send(c.asks(c.model, "What is my name?", notKept, object{"previous_response_id": r["id"]}))
	s.refused("previous_response_not_found")
}
