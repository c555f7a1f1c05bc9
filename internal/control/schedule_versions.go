package control

import (
	"context"
	"errors"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// pin returns a timer whose runs have the version of its agent that somebody gives its
// schedule; none for the one that the agent has.
func (c *Control) pin(ctx context.Context, tx Tx, who auth.Caller, t rota.Timer, version rota.Opt[int64]) (rota.Timer, error) {
	n, pinned := version.Get()
	switch {
	case !pinned:
		t.AgentVersion, t.PinnedModel = nil, ""
		return t, nil
	case t.AgentVersion != nil && *t.AgentVersion == n:
		return t, nil
	}
	a, err := tx.VisibleAgent(ctx, who.Owner, t.AgentID)
	if err != nil {
		return t, err
	}
	o := agentOwner(who, a)
	v, err := tx.AgentVersion(ctx, o, t.AgentID, n)
	if errors.Is(err, rota.NotFound) {
		return t, rota.InvalidField("agent_version", "must be a version that the agent has or has had, or null: it has no version %d", n)
	}
	if err != nil {
		return t, err
	}
	if err := c.checkModels(rota.AgentConfig{}, v.AgentConfig); err != nil {
		return t, rota.InvalidField("agent_version", "must be another one: version %d has a model that no provider serves", n)
	}
	err = checkFunctions(ctx, tx, o, v.AgentConfig)
	if errors.Is(err, rota.Invalid) {
		return t, rota.InvalidField("agent_version", "must be another one: version %d refers to a function tool that is not there any more", n)
	}
	t.AgentVersion, t.PinnedModel = &n, v.Model
	return t, err
}

// nextVersion returns a changed schedule with its next version if what fires is another,
// and keeps the one that it had.
func nextVersion(ctx context.Context, tx Tx, before, after rota.TimedSchedule, now time.Time) (rota.TimedSchedule, error) {
	if same(before.Config(), after.Config()) && !countsAnew(before.Timer, after.Timer) {
		return after, nil
	}
	after.Timer.ScheduleVersion++
	after.VersionedAt = rota.InstantOf(now)
	return after, tx.KeepVersion(ctx, before.CurrentVersion())
}

// countsAnew reports whether an interval is counted from another moment.
func countsAnew(before, after rota.Timer) bool {
	return after.Spec.Type == rota.Interval && after.Spec.StartAt == "" && !before.Anchor.Equal(after.Anchor)
}

// ScheduleVersion returns a version of a schedule, also of one that is deleted. Scope
// read:agents.
func (c *Control) ScheduleVersion(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, version int64) (rota.ScheduleVersion, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "schedule_version", on("agent_id", agent), on("schedule_id", id)); err != nil {
		return rota.ScheduleVersion{}, err
	}
	return c.scheduleVersion(ctx, who, agent, id, version)
}

func (c *Control) scheduleVersion(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, version int64) (rota.ScheduleVersion, error) {
	s, err := c.Store.Schedule(ctx, who.Owner, agent, id, true)
	if err != nil || s.ScheduleVersion == version {
		return s.CurrentVersion(), err
	}
	v, err := c.Store.FormerVersion(ctx, who.Owner, agent, id, version)
	if errors.Is(err, rota.NotFound) && version < s.ScheduleVersion {
		err = rota.Errorf(rota.NotFound, "version %d is not kept any more: the newest %d are", version, rota.MaxScheduleVersions)
	}
	return v, err
}

// ScheduleVersions returns a page of the versions of a schedule, also of one that is
// deleted. Scope read:agents.
func (c *Control) ScheduleVersions(ctx context.Context, who auth.Caller, agent rota.AgentID, id rota.ScheduleID, p rota.Page) (rota.List[rota.ScheduleVersion], error) {
	var none rota.List[rota.ScheduleVersion]
	if err := c.enter(ctx, who, rota.ReadAgents, "schedule_versions", on("agent_id", agent), on("schedule_id", id)); err != nil {
		return none, err
	}
	s, err := c.Store.Schedule(ctx, who.Owner, agent, id, true)
	if err != nil {
		return none, err
	}
	l, err := c.Store.ScheduleVersions(ctx, who.Owner, agent, id, p)
	for i, v := range l.Data {
		if v.Spec.Type != "" {
			continue
		}
		l.Data[i] = s.CurrentVersion()
		if v.Version != s.ScheduleVersion { // it has changed since it was read
			if l.Data[i], err = c.scheduleVersion(ctx, who, agent, id, v.Version); err != nil {
				return none, err
			}
		}
	}
	return l, err
}
