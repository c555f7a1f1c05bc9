package runner

import (
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
	p.hear(e)
	p.append(e)
}

// hear notes what an event of the model brings.
func (p *publisher) hear(e gateway.Event) {
	if terminal(e.Type) {
		return
	}
	p.spoke = p.spoke || e.Speaks()
	p.output = p.output || p.spoke || strings.HasPrefix(e.Type, "response.output_item.")
}

func (p *publisher) append(e gateway.Event) {
	if terminal(e.Type) {
		return
	}
	if p.seq == p.end {
		return // or the event that ends the run would have a number that a watcher is past
	}
	if p.noDeltas && strings.HasSuffix(e.Type, ".delta") {
		return
	}
	p.log.Append(events.Event{Seq: p.seq, Data: e.Numbered(p.seq)})
	p.seq++
}

func terminal(kind string) bool {
	switch kind {
	case "response.completed", "response.failed", "response.incomplete", "response.cancelled", "response.canceled", "response.done",
		"response.error", "error":
		return true
	}
	return false
}
