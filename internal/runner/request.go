package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/gateway"
	"github.com/rota-run/rota/internal/prompt"
)

// body is the part of a Responses API request that an agent and a run fill.
type body struct {
	Model             string            `json:"model"`
	Input             json.RawMessage   `json:"input"`
	Instructions      *string           `json:"instructions,omitempty"`
	Tools             []json.RawMessage `json:"tools,omitempty"`
	ToolChoice        json.RawMessage   `json:"tool_choice,omitempty"`
	ParallelToolCalls *bool             `json:"parallel_tool_calls,omitempty"`
	MaxToolCalls      *int              `json:"max_tool_calls,omitempty"`
	Text              json.RawMessage   `json:"text,omitempty"`
	Reasoning         json.RawMessage   `json:"reasoning,omitempty"`
	ContextManagement json.RawMessage   `json:"context_management,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
}

// maxMetadata is how many keys of metadata the Responses API takes.
const maxMetadata = 16

// request builds the request of an attempt from the agent's configuration, what m
// has of earlier turns and the run's input, and returns what of it is kept on record.
// What is at its default is left out, for servers that know less.
func request(w rota.Work, model string, tools []json.RawMessage, m *memory) ([]byte, rota.RunRequest, error) {
	sent := rota.RunRequest{Model: model, Instructions: instructions(w), NotSent: []string{}}
	var err error
	if sent.Input, err = filledInput(w); err != nil {
		return nil, sent, err
	}
	input, err := items(sent.Input)
	if err != nil {
		return nil, sent, err
	}
	if m == nil && decides(sent.Input) {
		m = &memory{tools: tools} // or the model were told items that it does not know
	}
	if input, err = m.with(input); err != nil {
		return nil, sent, err
	}
	b := body{
		Model:             model,
		Input:             input,
		Instructions:      sent.Instructions,
		MaxToolCalls:      w.Agent.MaxToolCalls,
		Text:              unlessEmpty(w.Agent.Text),
		Reasoning:         unlessEmpty(w.Agent.Reasoning),
		ContextManagement: w.Run.ContextManagement.RawMessage,
		Metadata:          metadata(w),
	}
	if len(tools) > 0 {
		b.Tools, b.ToolChoice, b.ParallelToolCalls = answer.Told(tools), w.Agent.ToolChoice.RawMessage, &w.Agent.ParallelToolCalls
	}
	raw, err := json.Marshal(b)
	return raw, sent, err
}

// tools returns the agent's, with the definitions of function tools in the place
// of what refers to them.
func tools(w rota.Work) ([]json.RawMessage, error) {
	all := w.Agent.RawTools()
	for i, t := range w.Agent.Tools {
		for _, id := range (rota.AgentConfig{Tools: []rota.Object{t}}).FunctionReferences() {
			definition, ok := w.Functions[id]
			if !ok {
				return nil, misconfigured("the function tool " + string(id) + " was deleted before the run was made: take the reference out of the agent's tools")
			}
			all[i] = answer.Defined(id, definition)
		}
	}
	return all, nil
}

// toolsOf returns the agent's, with the definitions of function tools and MCP servers that
// they refer to.
func (r *Runner) toolsOf(ctx context.Context, w rota.Work) ([]json.RawMessage, error) {
	all, err := tools(w)
	if err != nil || !answer.NameStored(all) {
		return all, err
	}
	if r.Tools == nil {
		return nil, errNoTools
	}
	all, err = r.Tools.Stored(ctx, w.AgentOwner, all)
	if errors.Is(err, rota.Invalid) {
		return nil, misconfigured(err.Error())
	}
	return all, err
}

func misconfigured(text string) error {
	return &gateway.Error{Code: rota.RunErrMisconfigured, Message: text}
}

// fills reports whether variables are filled in: what a caller sends in a run of
// its own is text, and stays as it is.
func fills(w rota.Work) bool {
	return (w.Run.Trigger != rota.TriggerAPI || w.Run.ScheduleID != nil) && w.Policy.Variables
}

// instructions returns the agent's, with the variables filled in if they are.
func instructions(w rota.Work) *string {
	if w.Agent.Instructions == nil || !fills(w) {
		return w.Agent.Instructions
	}
	return new(prompt.Render(*w.Agent.Instructions, w.Fire))
}

// filledInput returns the run's input, with the variables filled in if they are. What a
// caller sends is text, and so is what a run that goes on has of the one before.
func filledInput(w rota.Work) (rota.Input, error) {
	if !fills(w) || w.Run.Trigger == rota.TriggerAPI {
		return w.Run.Input, nil
	}
	return prompt.RenderInput(w.Run.Input, w.Fire)
}

func unlessEmpty(o rota.Object) json.RawMessage {
	if string(o.RawMessage) == "{}" {
		return nil
	}
	return o.RawMessage
}

// metadata is the run's own, and what tells the occurrence, as far as there is
// room.
func metadata(w rota.Work) map[string]string {
	m := make(map[string]string, len(w.Run.Metadata)+4)
	for k, v := range w.Run.Metadata {
		m[k] = v
	}
	add := func(k, v string) {
		if len(m) < maxMetadata {
			m[k] = v
		}
	}
	add("rota_run_id", string(w.Run.ID))
	if w.Run.ScheduleID != nil {
		add("rota_schedule_id", string(*w.Run.ScheduleID))
		add("rota_scheduled_for", w.Run.ScheduledFor.String())
		add("rota_timezone", w.Fire.Timezone)
	}
	return m
}

// items returns the input with the short form {"type":"text","text":…}, which
// the published API takes, turned into the message items of the Responses API.
func items(in rota.Input) (json.RawMessage, error) {
	if len(in.RawMessage) == 0 || in.RawMessage[0] != '[' {
		return in.RawMessage, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(in.RawMessage, &list); err != nil {
		return nil, fmt.Errorf("read input: %w", err)
	}
	for i, item := range list {
		var short struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}
		if json.Unmarshal(item, &short) == nil && short.Type == "text" {
			list[i] = message(short.Text)
		}
	}
	return json.Marshal(list)
}

func message(text string) json.RawMessage {
	return rota.AnyOf(map[string]any{
		"type": "message", "role": "user",
		"content": []map[string]string{{"type": "input_text", "text": text}},
	}).RawMessage
}

// idempotencyKey names what is asked of a model. It stays the same while nobody
// knows whether the model has been asked (a crash, a broken connection), and
// changes when the provider has answered with a failure, which it may otherwise
// repeat.
func idempotencyKey(w rota.Work) string {
	key := fmt.Sprintf("%s-%d", w.Run.ID, w.Failures)
	if _, model := rota.NextAttempt(w.Run.Attempts); model > 0 {
		key += fmt.Sprintf("-%d", model) // another model may be asked at the same provider
	}
	return key
}
