package control

import (
	"context"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// ModelList lists what can be asked. Scope read:responses.
func (c *Control) ModelList(ctx context.Context, who auth.Caller) ([]rota.Model, error) {
	if err := c.enter(ctx, who, rota.ReadResponses, "model_list"); err != nil {
		return nil, err
	}
	return c.Models.Models(ctx), nil
}

// Model returns one of what can be asked. Scope read:responses.
func (c *Control) Model(ctx context.Context, who auth.Caller, id string) (rota.Model, error) {
	if err := c.enter(ctx, who, rota.ReadResponses, "model"); err != nil {
		return rota.Model{}, err
	}
	for _, m := range c.Models.Models(ctx) {
		if m.ID == id {
			return m, nil
		}
	}
	return rota.Model{}, rota.Errorf(rota.NotFound, "there is no such model")
}
