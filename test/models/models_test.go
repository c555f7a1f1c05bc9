package models

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	says  = "Hello! I am a tiny test model: café ☕, done."
	call  = `{"city": "Paris"}`
	words = 19 // tokens of says
)

var weather = object{
	"type": "function", "name": "get_weather",
	"parameters": object{"type": "object", "properties": object{"city": object{"type": "string"}}, "required": []string{"city"}},
}

// agent saves an agent and returns its id.
func (s server) agent(more object) string {
	s.Helper()
	a := object{"name": "tiny", "model": "tiny"}
	for k, v := range more {
		a[k] = v
	}
	return s.call("POST", "/agents", a)["id"].(string)
}

// ended follows a run to its end and returns it with its events.
func (s server) ended(agent, run string) (object, []object) {
	s.Helper()
	events := s.events(agent, run)
	return s.call("GET", "/agents/"+agent+"/runs/"+run, nil), events
}

func (s server) ask(agent, input string) (object, []object) {
	s.Helper()
	return s.ended(agent, s.call("POST", "/agents/"+agent+"/runs", object{"input": input})["id"].(string))
}

// TestAScheduledAgent: a schedule that is due in a second has llama.cpp answer, and
// the run has its words, its usage and its live events.
func TestAScheduledAgent(t *testing.T) {
	s := rota(t, llama(t, modelKey))
	a := s.agent(object{"instructions": "Be brief."})
	s.call("POST", "/agents/"+a+"/schedules", object{
		"schedule": object{"type": "once", "run_at": time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano)}, "input": "Hi there",
	})
	var runs []any
	require.Eventually(t, func() bool {
		runs = s.call("GET", "/agents/"+a+"/runs", nil)["data"].([]any)
		return len(runs) == 1
	}, time.Minute, 50*time.Millisecond)
	r, events := s.ended(a, runs[0].(object)["id"].(string))

	require.Equal(t, "completed", r["status"], r["error"])
	require.Equal(t, "schedule", r["trigger"])
	require.Len(t, r["attempts"], 1)
	require.Equal(t, says, text(r))
	usage := r["usage"].(object)
	require.EqualValues(t, words, usage["output_tokens"])
	require.EqualValues(t, 38, usage["input_tokens"], "it was told the instructions and the input, and nothing else")
	require.Empty(t, r["request"].(object)["not_sent"])

	require.Equal(t, "response.completed", events[len(events)-1]["type"])

	// A run takes some milliseconds. Who comes too late to follow one is told its end alone.
	for streamed := ""; streamed == ""; {
		_, events = s.ask(a, "Hi there")
		for i, e := range events[:len(events)-1] {
			require.EqualValues(t, i, e["sequence_number"])
			if e["type"] == "response.output_text.delta" {
				streamed += e["delta"].(string)
			}
		}
		require.Contains(t, []string{"", says}, streamed, "no character is cut")
	}
}

func TestAToolCall(t *testing.T) {
	s := rota(t, llama(t, modelKey))
	r, events := s.ask(s.agent(object{"tools": []any{weather}}), "What is the weather in Paris?")
	require.Equal(t, "completed", r["status"], r["error"])
	output := r["gateway_response"].(object)["output"].([]any)
	require.Len(t, output, 1)
	require.Equal(t, "function_call", output[0].(object)["type"])
	require.Equal(t, "get_weather", output[0].(object)["name"])
	require.JSONEq(t, call, output[0].(object)["arguments"].(string))
	require.EqualValues(t, 14, r["usage"].(object)["output_tokens"])
	var streamed strings.Builder
	for _, e := range events {
		if e["type"] == "response.function_call_arguments.delta" {
			streamed.WriteString(e["delta"].(string))
		}
	}
	require.JSONEq(t, call, streamed.String())
}

// TestRefusals: llama.cpp repeats the status as the code of its errors.
func TestRefusals(t *testing.T) {
	url := llama(t, modelKey)
	s := rota(t, url)
	r, _ := s.askPlainly(strings.Repeat("word ", 5000))
	require.Equal(t, object{"code": "request_rejected"}, only(r["error"], "code"))
	require.Contains(t, r["error"].(object)["message"], "answered 400: exceed_context_size_error: ")
	require.Len(t, r["attempts"], 1, "it does not help to ask again")

	r, _ = rota(t, url, "MODEL_KEY=wrong").askPlainly("Hi")
	require.Equal(t, object{"code": "misconfigured"}, only(r["error"], "code"))
	require.Contains(t, r["error"].(object)["message"], "does not take the key")
	require.NotContains(t, r["error"].(object)["message"], "wrong")

	r, _ = rota(t, strings.TrimSuffix(url, "/v1")+"/nowhere").askPlainly("Hi")
	require.Equal(t, object{"code": "misconfigured"}, only(r["error"], "code"))
	require.Contains(t, r["error"].(object)["message"], "/v1")
}

// askPlainly asks an agent that has nothing but a model.
func (s server) askPlainly(input string) (object, []object) {
	s.Helper()
	return s.ask(s.agent(nil), input)
}

func only(o any, name string) object { return object{name: o.(object)[name]} }

// text returns what the stored response says.
func text(run object) string {
	var s strings.Builder
	for _, i := range run["gateway_response"].(object)["output"].([]any) {
		for _, part := range i.(object)["content"].([]any) {
			s.WriteString(part.(object)["text"].(string))
		}
	}
	return s.String()
}

// TestBothProtocols: llama.cpp speaks both, and a run has the same answer over each,
// word for word, for the same tokens.
func TestBothProtocols(t *testing.T) {
	url := llama(t, modelKey)
	over := func(protocol string, agent object, input string) (object, []object) {
		s := rota(t, url, "ROTA_MODEL_PROTOCOL="+protocol)
		return s.ask(s.agent(agent), input)
	}
	for name, agent := range map[string]object{"text": {"instructions": "Be brief."}, "a call": {"tools": []any{weather}}} {
		t.Run(name, func(t *testing.T) {
			responses, _ := over("responses", agent, "Hi there")
			chat, events := over("chat", agent, "Hi there")
			for _, r := range []object{responses, chat} {
				require.Equal(t, "completed", r["status"], r["error"])
				require.Len(t, r["attempts"], 1)
			}
			require.Equal(t, spoken(responses), spoken(chat))
			require.NotEmpty(t, spoken(chat))
			for _, name := range []string{"input_tokens", "output_tokens", "total_tokens"} {
				require.Equal(t, responses["usage"].(object)[name], chat["usage"].(object)[name], name)
			}
			require.Equal(t, "response.completed", events[len(events)-1]["type"])
			require.Equal(t, []any{"metadata"}, chat["request"].(object)["not_sent"])
		})
	}
}

// spoken returns what the items of a run's answer say.
func spoken(run object) (all []string) {
	for _, i := range run["gateway_response"].(object)["output"].([]any) {
		item := i.(object)
		if item["type"] == "function_call" {
			all = append(all, item["name"].(string), item["arguments"].(string))
			continue
		}
		for _, part := range item["content"].([]any) {
			all = append(all, part.(object)["text"].(string))
		}
	}
	return all
}

// TestAServerThatOnlyChats: the protocol is found out.
func TestAServerThatOnlyChats(t *testing.T) {
	s := rota(t, chatOnly(t, llama(t, modelKey)), "ROTA_MODEL_PROTOCOL=auto")
	r, _ := s.askPlainly("Hi")
	require.Equal(t, "completed", r["status"], "a server without /responses is asked over chat completions: %v", r["error"])
	require.Equal(t, says, text(r))
	require.EqualValues(t, words, r["usage"].(object)["output_tokens"])
}
