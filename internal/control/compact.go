package control

import (
	"context"
	"encoding/json"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/events"
)

// CompactResponse has a model sum up an input and what came before it. body is that of
// POST /responses/compact. It blocks until there is a summary, and keeps nothing. Scope
// write:responses.
func (c *Control) CompactResponse(ctx context.Context, who auth.Caller, body []byte) (json.RawMessage, error) {
	if err := c.enter(ctx, who, rota.WriteResponses, "compact_response"); err != nil {
		return nil, err
	}
	r, err := answer.ReadCompaction(body)
	if err == nil {
		err = c.served(r)
	}
	if err != nil {
		return nil, err
	}
	room := c.room()
	defer room.release()
	if err := c.gather(ctx, who, &r, nil, room); err != nil {
		return nil, err
	}
	full, err := c.limitReached(ctx, who.Owner)
	if err != nil {
		return nil, err
	}
	work, err := c.beginResponse(ctx, who, r, Write{}, full, nil)
	if err != nil {
		return nil, err
	}
	object, err := c.Responder.Answer(ctx, work, func(events.Event) {})
	if err != nil {
		return nil, err
	}
	return answer.Compacted(object, r.Model, c.Now())
}

// served returns [rota.Invalid] if a model of a request has no provider.
func (c *Control) served(r answer.Request) error {
	for _, m := range r.Models() {
		if _, _, err := c.Models.Resolve(m); err != nil {
			return rota.InvalidField("model", "%s", publicOf(err))
		}
	}
	return nil
}
