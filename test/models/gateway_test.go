package models

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// over starts a gateway that asks llama.cpp in a protocol.
func over(t *testing.T, llama, protocol string) conformance {
	return conformance{server: rota(t, llama, "ROTA_MODEL_PROTOCOL="+protocol), model: "tiny"}
}

// TestTheSameOverBothProtocols: a response says the same, word for word and for the same
// tokens, whichever protocol llama.cpp is asked in, as a whole and as a stream.
func TestTheSameOverBothProtocols(t *testing.T) {
	url := llama(t, modelKey)
	responses, chat := over(t, url, "responses"), over(t, url, "chat")
	for name, body := range map[string]object{
		"text":            {"input": "Hi there", "instructions": "Be brief."},
		"a call":          {"input": "The weather in Paris?", "tools": []any{weather}},
		"earlier turns":   {"input": []any{message("user", "I am Ada."), message("assistant", "Hello Ada!"), message("user", "Who am I?")}},
		"a system":        {"input": []any{message("system", "You are a pirate."), message("user", "Say hello.")}},
		"what a tool had": {"tools": []any{weather}, "input": []any{message("user", "The weather?"), called, object{"type": "function_call_output", "call_id": "call_1", "output": "sunny"}}},
	} {
		t.Run(name, func(t *testing.T) {
			one, other := conformance{server: server{t, responses.url}, model: "tiny"}, conformance{server: server{t, chat.url}, model: "tiny"}
			body["model"] = "tiny"
			a, b := one.answers(body), other.answers(body)
			require.NotEmpty(t, words1(a))
			require.Equal(t, words1(a), words1(b))
			for _, name := range []string{"input_tokens", "output_tokens", "total_tokens"} {
				require.Equal(t, a["usage"].(object)[name], b["usage"].(object)[name], name)
			}
			for _, c := range []conformance{one, other} {
				events := c.events(body)
				_, streamed := c.streamed(events)
				require.Equal(t, words1(a), words1(streamed))
				require.Equal(t, words1(a), pieces(events))
			}
			delete(body, "stream")
		})
	}
}

var called = object{"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": call}

// words1 returns what the items of a response say.
func words1(r object) string {
	var s strings.Builder
	for _, i := range r["output"].([]any) {
		item := i.(object)
		if item["type"] == "function_call" {
			s.WriteString(item["arguments"].(string))
			continue
		}
		for _, part := range item["content"].([]any) {
			s.WriteString(part.(object)["text"].(string))
		}
	}
	return s.String()
}

// pieces returns what the events of a stream say.
func pieces(events []object) string {
	var s strings.Builder
	for _, e := range events {
		if d, ok := e["delta"].(string); ok {
			s.WriteString(d)
		}
	}
	return s.String()
}

// refusal sends a request that must be refused, and returns the error.
func (c conformance) refusal(body object) object {
	c.Helper()
	return c.refusedAt("/llm/responses", body)
}

func (c conformance) refusedAt(path string, body object) object {
	c.Helper()
	sent, err := json.Marshal(body)
	require.NoError(c, err)
	req, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.url+"/api/v1"+path, strings.NewReader(string(sent)))
	require.NoError(c, err)
	req.Header.Set("Authorization", "Bearer "+rotaKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(c, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c, err)
	require.Equal(c, http.StatusBadRequest, res.StatusCode, string(raw))
	var got object
	require.NoError(c, json.Unmarshal(raw, &got))
	return got["error"].(object)
}

// TestAContextThatIsFull: llama.cpp takes 2,048 tokens, and says so of more.
func TestAContextThatIsFull(t *testing.T) {
	url := llama(t, modelKey)
	for _, protocol := range []string{"responses", "chat"} {
		t.Run(protocol, func(t *testing.T) {
			c := over(t, url, protocol)
			long := strings.Repeat("word ", 150)
			previous := any(nil)
			for range 3 {
				previous = c.answers(c.asks(c.model, long, object{"previous_response_id": previous}))["id"]
			}
			last := c.asks(c.model, strings.Repeat("word ", 200), object{"previous_response_id": previous})
			require.Equal(t, "context_length_exceeded", c.refusal(last)["code"])
			last["truncation"] = "auto"
			r := c.answers(last)
			require.Equal(t, says, said1(r))
			require.Less(t, r["usage"].(object)["input_tokens"], 2048.0)
		})
	}
}
