package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/rota-run/rota"
)

// Schedules are the schedules of agents.
type Schedules struct{ s *sender }

// Create puts an agent on a schedule.
func (s Schedules) Create(ctx context.Context, agent rota.AgentID, body rota.ScheduleCreate, opts ...CallOption) (rota.Schedule, error) {
	return call[rota.Schedule](ctx, s.s, http.MethodPost, agentPath(agent, "schedules"), body, opts)
}

// List returns one page of an agent's schedules. A zero page is the newest 20;
// see [Pages] for more.
func (s Schedules) List(ctx context.Context, agent rota.AgentID, p rota.Page, opts ...CallOption) (rota.List[rota.Schedule], error) {
	return list[rota.Schedule](ctx, s.s, agentPath(agent, "schedules"), p, opts)
}

// Get returns a schedule. One that is deleted is rota.NotFound unless the call
// has the option [IncludeDeleted].
func (s Schedules) Get(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, opts ...CallOption) (rota.Schedule, error) {
	return call[rota.Schedule](ctx, s.s, http.MethodGet, schedulePath(agent, id), nil, opts)
}

// GetByKey returns the schedule of an agent that was given a key.
func (s Schedules) GetByKey(ctx context.Context, agent rota.AgentID, key string, opts ...CallOption) (rota.Schedule, error) {
	return call[rota.Schedule](ctx, s.s, http.MethodGet, agentPath(agent, "schedules", "by-key", key), nil, opts)
}

// Put makes the schedule of an agent that has a key what body says: it creates one if
// there is none, and changes the one that there is if it differs. What body leaves out
// has its default. State, counts and skips stay; Paused and Note are for a new one.
func (s Schedules) Put(ctx context.Context, agent rota.AgentID, key string, body rota.ScheduleCreate, opts ...CallOption) (rota.Schedule, error) {
	return call[rota.Schedule](ctx, s.s, http.MethodPut, agentPath(agent, "schedules", "by-key", key), body, opts)
}

// Update changes the fields of a schedule that body holds, and returns the
// whole.
func (s Schedules) Update(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, body rota.ScheduleUpdate, opts ...CallOption) (rota.Schedule, error) {
	return call[rota.Schedule](ctx, s.s, http.MethodPost, schedulePath(agent, id), body, opts)
}

// Delete deletes a schedule. Its runs that have started go on; the others do
// not start.
func (s Schedules) Delete(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, opts ...CallOption) (rota.Deleted[rota.ScheduleID], error) {
	return call[rota.Deleted[rota.ScheduleID]](ctx, s.s, http.MethodDelete, schedulePath(agent, id), nil, opts)
}

// Pause stops a schedule from starting runs. A paused one stays paused; a
// completed one is a rota.Conflict.
func (s Schedules) Pause(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, body rota.SchedulePause, opts ...CallOption) (rota.Schedule, error) {
	return call[rota.Schedule](ctx, s.s, http.MethodPost, schedulePath(agent, id, "pause"), body, opts)
}

// Resume lets a paused schedule go on. An active one stays active; a completed
// one is a rota.Conflict.
func (s Schedules) Resume(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, body rota.SchedulePause, opts ...CallOption) (rota.Schedule, error) {
	return call[rota.Schedule](ctx, s.s, http.MethodPost, schedulePath(agent, id, "resume"), body, opts)
}

// Versions returns one page of the versions of a schedule, the newest first unless p says
// otherwise. The newest 100 are kept.
func (s Schedules) Versions(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, p rota.Page, opts ...CallOption) (rota.List[rota.ScheduleVersion], error) {
	return list[rota.ScheduleVersion](ctx, s.s, schedulePath(agent, id, "versions"), p, opts)
}

// Version returns a version of a schedule.
func (s Schedules) Version(ctx context.Context, agent rota.AgentID, id rota.ScheduleID, version int64, opts ...CallOption) (rota.ScheduleVersion, error) {
	return call[rota.ScheduleVersion](ctx, s.s, http.MethodGet, schedulePath(agent, id, "versions", strconv.FormatInt(version, 10)), nil, opts)
}

func schedulePath(agent rota.AgentID, id rota.ScheduleID, more ...string) []string {
	return append(agentPath(agent, "schedules", string(id)), more...)
}
