package control

import (
	"context"
	"encoding/json"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/events"
)

// Changes returns messages about what changes after a number, that of a message (-1: from
// now on): of the caller's things, or those of an end user, see [Control.owners]. Their
// data are [rota.Changes] as JSON. It has no end. Scope read:agents.
func (c *Control) Changes(ctx context.Context, who auth.Caller, endUser string, after int64) (EventReader, error) {
	o, err := c.owners(ctx, who, "changes", endUser)
	if err != nil {
		return nil, err
	}
	return changeEvents{c.Feed.Read(after, passes(o))}, nil
}

// Mark returns a number after which [Control.Changes] tells everything that happens from
// now on.
func (c *Control) Mark() int64 { return c.Feed.Mark() }

// passes returns whether a change is for whom it may concern.
func passes(o rota.Owners) func(rota.Change) bool {
	return func(c rota.Change) bool {
		return c.Account == o.Account && (o.All || c.EndUser == o.EndUser || c.EndUser == Everybody)
	}
}

type changeEvents struct{ *events.FeedReader }

// Next implements EventReader.
func (r changeEvents) Next(ctx context.Context) (events.Event, error) {
	number, m, err := r.FeedReader.Next(ctx)
	if err != nil {
		return events.Event{}, err
	}
	data, err := json.Marshal(m)
	return events.Event{Seq: number, Data: data}, err
}
