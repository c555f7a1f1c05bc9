package client

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/rota-run/rota"
)

// A ChangesEvent is one message about what changes.
type ChangesEvent struct {
	ID string // its place in the stream, for [AfterEvent]
	rota.Changes
}

// Changes follows what changes: agents, schedules, occurrences and runs that are new, gone
// or not as they were. The first message is of type [rota.ChangesStarted], unless
// [AfterEvent] says where to go on: read what you show once after that, and again what a
// message names. [OfEndUser] says of whom. It has no end but ctx's.
//
// If the connection breaks, it is resumed as by [Runs.Events]. If that is in vain, or
// anything else fails, the error comes last, with an empty ChangesEvent.
func (a Account) Changes(ctx context.Context, opts ...CallOption) iter.Seq2[ChangesEvent, error] {
	return func(yield func(ChangesEvent, error) bool) {
		w := &watch{s: a.s, path: []string{"changes"}, options: newCallOptions(opts)}
		w.options.header.Set("Accept", "text/event-stream")
		var broken error
		err := w.follow(ctx, func(e Event) bool {
			m := ChangesEvent{ID: e.ID}
			if broken = json.Unmarshal(e.Data, &m.Changes); broken != nil {
				broken = &rota.Error{Code: rota.Internal, Msg: "a message is not one about changes", Err: broken}
				return false
			}
			return yield(m, nil)
		})
		if err == nil {
			err = broken
		}
		if err != nil {
			yield(ChangesEvent{}, err)
		}
	}
}
