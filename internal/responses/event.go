package responses

import (
	"slices"
	"strings"
)

// Types of the events that say how a response is; their member response is the whole
// of it.
const (
	EventCreated    = "response.created"
	EventQueued     = "response.queued"
	EventInProgress = "response.in_progress"
	EventCompleted  = "response.completed"
	EventFailed     = "response.failed"
	EventIncomplete = "response.incomplete"
)

const eventPrefix = "response."

// Terminal reports whether an event of this type ends a stream.
func Terminal(eventType string) bool {
	switch eventType {
	case EventCompleted, EventFailed, EventIncomplete:
		return true
	default:
		return false
	}
}

// eventKinds says which events there are, and what each must have beside type and
// sequence_number.
var eventKinds = newEventKinds()

func newEventKinds() map[string]members {
	all := map[string]members{}
	for _, name := range []string{EventCreated, EventQueued, EventInProgress, EventCompleted, EventFailed, EventIncomplete} {
		all[name] = members{"response": "o"}
	}
	for _, name := range []string{"response.output_item.added", "response.output_item.done"} {
		all[name] = members{"output_index": "i", "item": "o"}
	}
	item := members{"item_id": "s", "output_index": "i"}
	for _, k := range textKinds {
		place := item
		if k.list != "" {
			place = item.with(members{k.index: "i"})
			all[eventPrefix+k.opens+".added"] = place.with(members{"part": "o"})
			all[eventPrefix+k.opens+".done"] = place.with(members{"part": "o"})
		}
		all[eventPrefix+k.event+".delta"] = place.with(members{"delta": "s"})
		all[eventPrefix+k.event+".done"] = place.with(members{k.member: "s"})
	}
	all["response.function_call_arguments.done"] = item.with(members{"name": "s", "arguments": "s"})
	all["response.output_text.delta"] = item.with(members{"content_index": "i", "delta": "s", "logprobs": "a"})
	all["response.output_text.done"] = item.with(members{"content_index": "i", "text": "s", "logprobs": "a"})
	all["response.output_text.annotation.added"] = item.with(members{"content_index": "i", "annotation_index": "i", "annotation": "o"})
	for _, name := range progressEvents {
		all[eventPrefix+name] = item
	}
	for name, more := range progressMembers {
		all[eventPrefix+name] = item.with(more)
	}
	return all
}

// progressMembers are what some of progressEvents must have beside the item's place.
var progressMembers = map[string]members{
	"file_search_call.failed":             {"function_call_output": "s"},
	"image_generation_call.failed":        {"function_call_output": "s"},
	"image_generation_call.partial_image": {"partial_image_index": "i", "partial_image_b64": "s"},
	"agent_call.in_progress":              {"agent_id": "s"},
	"agent_call.failed":                   {"error": "s"},
}

// progressEvents tell how far the work of an item is, without the item.
var progressEvents = []string{
	"file_search_call.in_progress", "file_search_call.searching", "file_search_call.completed", "file_search_call.failed",
	"web_search_call.in_progress", "web_search_call.searching", "web_search_call.completed",
	"image_generation_call.in_progress", "image_generation_call.generating", "image_generation_call.completed",
	"image_generation_call.partial_image", "image_generation_call.failed",
	"mcp_call.in_progress", "mcp_call.completed", "mcp_call.failed",
	"mcp_list_tools.in_progress", "mcp_list_tools.completed", "mcp_list_tools.failed",
	"code_interpreter_call.in_progress", "code_interpreter_call.interpreting", "code_interpreter_call.completed",
	"shell_call.in_progress", "shell_call.executing", "shell_call.completed",
	"history_call.in_progress", "history_call.searching", "history_call.completed",
	"sleep_call.in_progress", "sleep_call.sleeping", "sleep_call.completed",
	"tool_search_call.in_progress", "tool_search_call.searching", "tool_search_call.completed",
	"agent_call.in_progress", "agent_call.completed", "agent_call.failed",
	"read_file_call.in_progress", "read_file_call.reading", "read_file_call.completed",
}

// isProgress reports whether an event of this type is one of progressEvents.
func isProgress(eventType string) bool {
	name, ok := strings.CutPrefix(eventType, eventPrefix)
	return ok && slices.Contains(progressEvents, name)
}
