package control

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/prompt"
)

// CreateAgent saves an agent. Scope agents:write.
func (c *Control) CreateAgent(ctx context.Context, who auth.Caller, in rota.AgentCreate, w Write) (rota.Agent, error) {
	if err := who.Require(rota.WriteAgents); err != nil {
		return rota.Agent{}, err
	}
	if err := checkInstructions(in.Instructions); err != nil {
		return rota.Agent{}, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx rota.Tx, now time.Time) (rota.Agent, error) {
		a := newAgent(in, now)
		return a, tx.AddAgent(ctx, who.Owner, a)
	})
}

func newAgent(in rota.AgentCreate, now time.Time) rota.Agent {
	a := rota.Agent{
		Object:            rota.ObjectAgent,
		ID:                rota.NewAgentID(now),
		Name:              in.Name,
		Model:             in.Model,
		Tools:             in.Tools,
		ToolChoice:        in.ToolChoice.Or(rota.AnyOf("auto")),
		ParallelToolCalls: in.ParallelToolCalls == nil || *in.ParallelToolCalls,
		Text:              in.Text.Or(emptyObject),
		Reasoning:         in.Reasoning.Or(emptyObject),
		Metadata:          in.Metadata,
		CreatedAt:         rota.InstantOf(now),
		UpdatedAt:         rota.InstantOf(now),
		Version:           1,
	}
	in.Description.ApplyNullable(&a.Description)
	in.Instructions.ApplyNullable(&a.Instructions)
	in.MaxToolCalls.ApplyNullable(&a.MaxToolCalls)
	if a.Tools == nil {
		a.Tools = []rota.Object{}
	}
	if a.Metadata == nil {
		a.Metadata = map[string]string{}
	}
	return a
}

// checkInstructions refuses variables that there are not.
func checkInstructions(in rota.Opt[string]) error {
	text, _ := in.Get()
	return prompt.Check("instructions", text)
}

var emptyObject = rota.Object{RawMessage: []byte("{}")}

// Agent returns an agent. Scope agents:read.
func (c *Control) Agent(ctx context.Context, who auth.Caller, id rota.AgentID) (rota.Agent, error) {
	if err := who.Require(rota.ReadAgents); err != nil {
		return rota.Agent{}, err
	}
	return c.Store.Agent(ctx, who.Owner, id)
}

// Agents returns a page of the caller's agents. Scope agents:read.
func (c *Control) Agents(ctx context.Context, who auth.Caller, p rota.Page) (rota.List[rota.Agent], error) {
	if err := who.Require(rota.ReadAgents); err != nil {
		return rota.List[rota.Agent]{}, err
	}
	return c.Store.Agents(ctx, who.Owner, p)
}

// UpdateAgent changes what in names, for the runs that start from then on.
// Scope agents:write.
func (c *Control) UpdateAgent(ctx context.Context, who auth.Caller, id rota.AgentID, in rota.AgentUpdate, w Write) (rota.Agent, error) {
	if err := who.Require(rota.WriteAgents); err != nil {
		return rota.Agent{}, err
	}
	if err := checkInstructions(in.Instructions); err != nil {
		return rota.Agent{}, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx rota.Tx, now time.Time) (rota.Agent, error) {
		a, err := tx.Agent(ctx, who.Owner, id)
		if err != nil {
			return a, err
		}
		if err := match(w, a.Version); err != nil {
			return a, err
		}
		after := updateAgent(a, in)
		if same(a, after) {
			return a, nil
		}
		after.UpdatedAt = rota.InstantOf(now)
		after.Version++
		return after, tx.SaveAgent(ctx, who.Owner, after)
	})
}

func updateAgent(a rota.Agent, in rota.AgentUpdate) rota.Agent {
	in.Name.Apply(&a.Name)
	in.Model.Apply(&a.Model)
	in.Description.ApplyNullable(&a.Description)
	in.Instructions.ApplyNullable(&a.Instructions)
	in.Tools.Apply(&a.Tools)
	a.ToolChoice = in.ToolChoice.Or(a.ToolChoice)
	in.ParallelToolCalls.Apply(&a.ParallelToolCalls)
	in.MaxToolCalls.ApplyNullable(&a.MaxToolCalls)
	a.Text = in.Text.Or(a.Text)
	a.Reasoning = in.Reasoning.Or(a.Reasoning)
	in.Metadata.Apply(&a.Metadata)
	return a
}

// DeleteAgent deletes an agent and its schedules. Runs that have started go
// on. Scope agents:write.
func (c *Control) DeleteAgent(ctx context.Context, who auth.Caller, id rota.AgentID, w Write) (rota.Deleted[rota.AgentID], error) {
	gone := rota.Deleted[rota.AgentID]{Object: rota.ObjectAgentDeleted, ID: id, Deleted: true}
	if err := who.Require(rota.WriteAgents); err != nil {
		return gone, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx rota.Tx, now time.Time) (rota.Deleted[rota.AgentID], error) {
		a, err := tx.Agent(ctx, who.Owner, id)
		if err != nil {
			return gone, err
		}
		if err := match(w, a.Version); err != nil {
			return gone, err
		}
		overdue, err := tx.OverdueTimers(ctx, who.Owner, id, now)
		if err != nil {
			return gone, err
		}
		for _, t := range overdue {
			if err := drop(ctx, tx, t, policy.Delete(t), now); err != nil {
				return gone, err
			}
		}
		return gone, tx.DeleteAgent(ctx, who.Owner, id, now)
	})
}
