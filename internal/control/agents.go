package control

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/prompt"
)

// CreateAgent saves an agent. Scope write:agents.
func (c *Control) CreateAgent(ctx context.Context, who auth.Caller, in rota.AgentCreate, w Write) (rota.Agent, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "create_agent"); err != nil {
		return rota.Agent{}, err
	}
	a, err := write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.Agent, error) {
		return c.addAgent(ctx, tx, who, in, now)
	})
	return c.withWarnings(a), err
}

func (c *Control) addAgent(ctx context.Context, tx Tx, who auth.Caller, in rota.AgentCreate, now time.Time) (rota.Agent, error) {
	a := newAgent(in, now)
	a.EndUser = who.Owner.User()
	if err := mayBe(who, a.Visibility); err != nil {
		return a, err
	}
	if err := c.checkModels(rota.AgentConfig{}, a.AgentConfig); err != nil {
		return a, err
	}
	if err := checkFunctions(ctx, tx, who.Owner, a.AgentConfig); err != nil {
		return a, err
	}
	return a, tx.AddAgent(ctx, who.Owner, a)
}

// withAgentWarnings returns an agent that was created or updated, with what may
// not be what was meant.
func (c *Control) withWarnings(a rota.Agent) rota.Agent {
	a.Warnings = []rota.Warning{}
	if a.Instructions != nil {
		a.Warnings = prompt.Warnings("instructions", *a.Instructions)
	}
	for i, model := range modelsOf(a.AgentConfig) {
		if _, _, err := c.Models.Resolve(model); err != nil {
			a.Warnings = append(a.Warnings, rota.Warning{
				Code: modelNotServed, Param: modelParam(i), Message: "runs with this model fail as misconfigured: " + err.Error(),
			})
		}
	}
	return a
}

// modelNotServed is the code of a warning about a model that has no provider.
const modelNotServed = "model_not_served"

// modelsOf returns the model and its fallbacks.
func modelsOf(a rota.AgentConfig) []string {
	if a.Model == "" {
		return nil
	}
	return append([]string{a.Model}, a.FallbackModels...)
}

// modelParam names the field of a model in modelsOf.
func modelParam(i int) string {
	if i == 0 {
		return "model"
	}
	return "fallback_models." + strconv.Itoa(i-1)
}

// checkModels refuses models that a change brings and that no agent should have.
func (c *Control) checkModels(before, after rota.AgentConfig) error {
	for i, model := range modelsOf(after) {
		if slices.Contains(modelsOf(before), model) {
			continue
		}
		if _, _, err := c.Models.Resolve(model); errors.Is(err, rota.Invalid) {
			return rota.InvalidField(modelParam(i), "%s", rota.Public(err).Msg)
		}
	}
	return nil
}

func newAgent(in rota.AgentCreate, now time.Time) rota.Agent {
	a := rota.Agent{
		Object: rota.ObjectAgent,
		ID:     rota.NewAgentID(now),
		AgentConfig: rota.AgentConfig{
			Name:              in.Name,
			Model:             in.Model,
			Tools:             orEmpty(in.Tools),
			ToolChoice:        in.ToolChoice.Or(rota.AnyOf("auto")),
			ParallelToolCalls: in.ParallelToolCalls == nil || *in.ParallelToolCalls,
			FallbackModels:    orEmpty(in.FallbackModels),
			Metadata:          in.Metadata,
		},
		CreatedAt:  rota.InstantOf(now),
		UpdatedAt:  rota.InstantOf(now),
		Version:    1,
		Visibility: rota.Private,
	}
	in.Visibility.Apply(&a.Visibility)
	in.Key.ApplyNullable(&a.Key)
	in.Description.ApplyNullable(&a.Description)
	in.Instructions.ApplyNullable(&a.Instructions)
	in.MaxToolCalls.ApplyNullable(&a.MaxToolCalls)
	in.Text.Apply(&a.Text)
	in.Reasoning.Apply(&a.Reasoning)
	if a.Metadata == nil {
		a.Metadata = map[string]string{}
	}
	return a
}

// orEmpty returns the list, or an empty one for none.
func orEmpty[T any](list []T) []T { return append([]T{}, list...) }

// Agent returns an agent. Scope read:agents.
func (c *Control) Agent(ctx context.Context, who auth.Caller, id rota.AgentID) (rota.Agent, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "agent", on("agent_id", id)); err != nil {
		return rota.Agent{}, err
	}
	a, err := c.Store.VisibleAgent(ctx, who.Owner, id)
	return c.shown(who, a), err
}

// Agents returns a page of agents: the caller's, with those that are shared with it, or
// those of an end user, see [Control.owners]. Scope read:agents.
func (c *Control) Agents(ctx context.Context, who auth.Caller, endUser string, f rota.AgentFilter, p rota.Page) (rota.List[rota.Agent], error) {
	o, err := c.owners(ctx, who, "agents", endUser)
	if err != nil {
		return rota.List[rota.Agent]{}, err
	}
	f.Shared = who.Owner.EndUser != "" && !f.Deleted
	l, err := c.Store.AllAgents(ctx, o, f, p)
	for i, a := range l.Data {
		l.Data[i] = c.shown(who, a)
	}
	return l, err
}

// UpdateAgent changes what in names, for the runs that are made from then on.
// Scope write:agents.
func (c *Control) UpdateAgent(ctx context.Context, who auth.Caller, id rota.AgentID, in rota.AgentUpdate, w Write) (rota.Agent, error) {
	return c.changeAgent(ctx, who, "update_agent", id, in.Visibility, w, func(ctx context.Context, tx Tx, before rota.AgentConfig) (rota.AgentConfig, *int64, error) {
		a := updateAgent(before, in)
		if err := c.checkModels(before, a); err != nil {
			return a, nil, err
		}
		if in.Tools.IsZero() {
			return a, nil, nil
		}
		return a, nil, checkFunctions(ctx, tx, who.Owner, a)
	})
}

// RollbackAgent gives an agent the configuration of one of its versions again, as
// a new version. Scope write:agents.
func (c *Control) RollbackAgent(ctx context.Context, who auth.Caller, id rota.AgentID, version int64, w Write) (rota.Agent, error) {
	return c.changeAgent(ctx, who, "rollback_agent", id, rota.Opt[rota.Visibility]{}, w, func(ctx context.Context, tx Tx, before rota.AgentConfig) (rota.AgentConfig, *int64, error) {
		v, err := tx.AgentVersion(ctx, who.Owner, id, version)
		if err == nil && checkFunctions(ctx, tx, who.Owner, v.AgentConfig) != nil {
			err = rota.Errorf(rota.Conflict, "version %d refers to a function tool that is not there any more", version)
		}
		if err == nil && c.checkModels(before, v.AgentConfig) != nil {
			err = rota.Errorf(rota.Conflict, "version %d has a model that no provider serves", version)
		}
		return v.AgentConfig, &version, err
	})
}

// A changeConfig returns what becomes of a configuration, and the version that it is a
// copy of; nil if it is none.
type changeConfig func(context.Context, Tx, rota.AgentConfig) (rota.AgentConfig, *int64, error)

// changeAgent gives an agent the configuration that fn returns, and a new version
// if that is another one; and a visibility, if one is given. If that makes it private and
// very many end users have schedules on it, these are paused afterwards; those that a crash
// leaves are paused when they fall due.
func (c *Control) changeAgent(ctx context.Context, who auth.Caller, operation string, id rota.AgentID, v rota.Opt[rota.Visibility], w Write,
	fn changeConfig,
) (rota.Agent, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, operation, on("agent_id", id)); err != nil {
		return rota.Agent{}, err
	}
	w, err := c.altering(ctx, who, w)
	if err != nil {
		return rota.Agent{}, err
	}
	a, err := writeInParts(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time, after rota.ScheduleID) (rota.Agent, *rota.ScheduleID, error) {
		a, err := ownAgent(ctx, tx, who, id)
		if err == nil && a.DeletedAt != nil {
			err = errDeleted()
		}
		if err != nil {
			return a, nil, err
		}
		return shareAndAlter(ctx, tx, who, a, v, w, now, after, fn)
	})
	return c.withWarnings(a), err
}

// shareAndAlter changes an agent, and stops its guests if it becomes private: those whose
// schedules come after one, since it may take several parts.
func shareAndAlter(ctx context.Context, tx Tx, who auth.Caller, a rota.Agent, v rota.Opt[rota.Visibility], w Write, now time.Time,
	after rota.ScheduleID, fn changeConfig,
) (rota.Agent, *rota.ScheduleID, error) {
	stop := after != "" && a.Visibility == rota.Private // else it has been shared again since
	if after == "" {
		var err error
		if a, err = alterAgent(ctx, tx, who, a, w, now, fn); err != nil {
			return a, nil, err
		}
		if stop, err = share(ctx, tx, who, &a, v, now); err != nil {
			return a, nil, err
		}
	}
	if !stop {
		return a, nil, nil
	}
	next, err := stopGuests(ctx, tx, who, a.ID, after, now)
	return a, next, err
}

// mayAlter returns an error if the owner has stored as much as it may, and a change of an
// agent is refused for it.
func (w Write) mayAlter(before, after rota.AgentConfig) error {
	after.Model, after.FallbackModels = before.Model, before.FallbackModels
	if same(before, after) {
		return w.mayMove()
	}
	return w.mayBecome(0, 1) // the version before stays as well
}

// alterAgent gives an agent the configuration that fn returns, if that is another one.
func alterAgent(ctx context.Context, tx Tx, who auth.Caller, a rota.Agent, w Write, now time.Time, fn changeConfig) (rota.Agent, error) {
	if err := match(w, a.Version); err != nil {
		return a, err
	}
	after, restored, err := fn(ctx, tx, a.AgentConfig)
	if err != nil || same(a.AgentConfig, after) {
		return a, err
	}
	if err := w.mayAlter(a.AgentConfig, after); err != nil {
		return a, err
	}
	a.AgentConfig, a.UpdatedAt = after, rota.InstantOf(now)
	a.Version++
	return a, tx.SaveAgent(ctx, who.Owner, a, restored)
}

// AgentVersion returns a version of an agent. Scope read:agents.
func (c *Control) AgentVersion(ctx context.Context, who auth.Caller, id rota.AgentID, version int64) (rota.AgentVersion, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "agent_version", on("agent_id", id)); err != nil {
		return rota.AgentVersion{}, err
	}
	a, err := c.Store.VisibleAgent(ctx, who.Owner, id)
	if err != nil {
		return rota.AgentVersion{}, err
	}
	v, err := c.Store.AgentVersion(ctx, agentOwner(who, a), id, version)
	if agentOwner(who, a) != who.Owner {
		v.AgentConfig = forGuest(v.AgentConfig)
	}
	return v, err
}

// AgentVersions returns a page of an agent's versions. Scope read:agents.
func (c *Control) AgentVersions(ctx context.Context, who auth.Caller, id rota.AgentID, p rota.Page) (rota.List[rota.AgentVersion], error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "agent_versions", on("agent_id", id)); err != nil {
		return rota.List[rota.AgentVersion]{}, err
	}
	a, err := c.Store.VisibleAgent(ctx, who.Owner, id)
	if err != nil {
		return rota.List[rota.AgentVersion]{}, err
	}
	l, err := c.Store.AgentVersions(ctx, agentOwner(who, a), id, p)
	for i := range l.Data {
		if agentOwner(who, a) != who.Owner {
			l.Data[i].AgentConfig = forGuest(l.Data[i].AgentConfig)
		}
	}
	return l, err
}

func updateAgent(c rota.AgentConfig, in rota.AgentUpdate) rota.AgentConfig {
	in.Name.Apply(&c.Name)
	in.Model.Apply(&c.Model)
	in.Description.ApplyNullable(&c.Description)
	in.Instructions.ApplyNullable(&c.Instructions)
	in.Tools.Apply(&c.Tools)
	c.ToolChoice = in.ToolChoice.Or(c.ToolChoice)
	in.ParallelToolCalls.Apply(&c.ParallelToolCalls)
	in.MaxToolCalls.ApplyNullable(&c.MaxToolCalls)
	in.FallbackModels.Apply(&c.FallbackModels)
	applyOrClear(in.Text, &c.Text)
	applyOrClear(in.Reasoning, &c.Reasoning)
	in.Metadata.Apply(&c.Metadata)
	return c
}

// applyOrClear is [rota.Opt.Apply] for a field whose zero value is null.
func applyOrClear[T any](o rota.Opt[T], dst *T) {
	o.Apply(dst)
	if o.IsNull() {
		*dst = *new(T)
	}
}

type agentGetter interface {
	VisibleAgent(ctx context.Context, o rota.Owner, id rota.AgentID) (rota.Agent, error)
	Schedules(ctx context.Context, o rota.Owner, a rota.AgentID, p rota.Page) (rota.List[rota.Schedule], error)
}

// live returns an agent that the caller may run: one that is deleted is a Conflict, and so
// is one that was shared with the caller, who has schedules on it, and is private.
func live(ctx context.Context, tx agentGetter, who auth.Caller, id rota.AgentID) (rota.Agent, error) {
	a, err := tx.VisibleAgent(ctx, who.Owner, id)
	if err == nil && a.DeletedAt != nil {
		err = errDeleted()
	}
	return a, unshared(ctx, tx, who, id, err)
}

func errDeleted() error { return rota.Errorf(rota.Conflict, "the agent is deleted; restore it first") }

// shown returns the agent with what depends on who looks, and when.
func (c *Control) shown(who auth.Caller, a rota.Agent) rota.Agent {
	a.WithinRestoreWindow = a.RetentionExpiresAt != nil && c.Now().Before(a.RetentionExpiresAt.Time)
	a.CanRestore = a.WithinRestoreWindow && who.Require(rota.WriteAgents) == nil
	if who.Owner.EndUser != "" && a.EndUser == nil {
		a.CanRestore, a.AgentConfig = false, forGuest(a.AgentConfig)
	}
	return a
}
