package runner

import (
	"encoding/json"
	"strings"

	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/gateway"
)

// A publisher appends the model's events to a run's log under the run's own
// sequence numbers, which go on when an attempt is repeated.
type publisher struct {
	log      *events.Log
	seq      int64
	end      int64 // from which on numbers are those of the next attempt
	noDeltas bool  // leave out what comes token by token
	spoke    bool  // text has come, whatever the end of the response repeats of it
	output   bool  // there was output of any kind
}

// publish keeps back the events that end a response: the run may go on with
// another attempt, and its one terminal event comes when its end is durable.
func (p *publisher) publish(e gateway.Event) {
	if terminal(e.Type) {
		return
	}
	p.spoke = p.spoke || speaks(e)
	p.output = p.output || p.spoke || strings.HasPrefix(e.Type, "response.output_item.")
	if p.seq == p.end {
		return // or the event that ends the run would have a number that a watcher is past
	}
	if p.noDeltas && strings.HasSuffix(e.Type, ".delta") {
		return
	}
	p.log.Append(events.Event{Seq: p.seq, Data: renumber(e.Data, p.seq)})
	p.seq++
}

// speaks reports whether an event brings text of the answer.
func speaks(e gateway.Event) bool {
	if e.Type != "response.output_text.delta" {
		return false
	}
	var text struct {
		Delta string `json:"delta"`
	}
	return json.Unmarshal(e.Data, &text) == nil && text.Delta != ""
}

func terminal(kind string) bool {
	switch kind {
	case "response.completed", "response.failed", "response.incomplete", "response.cancelled", "response.canceled", "response.done",
		"response.error", "error":
		return true
	}
	return false
}

// renumber returns an event with the given sequence number.
func renumber(data []byte, seq int64) []byte {
	var head struct {
		Seq *int64 `json:"sequence_number"`
	}
	if json.Unmarshal(data, &head) == nil && head.Seq != nil && *head.Seq == seq {
		return data
	}
	var event map[string]json.RawMessage
	if json.Unmarshal(data, &event) != nil {
		return data
	}
	event["sequence_number"], _ = json.Marshal(seq)
	out, err := json.Marshal(event)
	if err != nil {
		return data
	}
	return out
}
