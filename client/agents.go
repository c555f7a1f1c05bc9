package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/rota-run/rota"
)

// Agents are the agents of the client's owner.
type Agents struct{ s *sender }

// Create saves an agent.
func (a Agents) Create(ctx context.Context, body rota.AgentCreate, opts ...CallOption) (rota.Agent, error) {
	return call[rota.Agent](ctx, a.s, http.MethodPost, []string{"agents"}, body, opts)
}

// List returns one page of the agents. A zero page is the newest 20; see
// [Pages] for more.
func (a Agents) List(ctx context.Context, p rota.Page, opts ...CallOption) (rota.List[rota.Agent], error) {
	return list[rota.Agent](ctx, a.s, []string{"agents"}, p, opts)
}

// Find returns one page of the agents that a filter lets pass. [OfEndUser] says of whom.
func (a Agents) Find(ctx context.Context, f rota.AgentFilter, p rota.Page, opts ...CallOption) (rota.List[rota.Agent], error) {
	filter := query("deleted", flag(f.Deleted), "name", f.Name, "q", f.Q)
	return list[rota.Agent](ctx, a.s, []string{"agents"}, p, with(with(opts, filter), metadata(f.Metadata)))
}

// Get returns an agent.
func (a Agents) Get(ctx context.Context, id rota.AgentID, opts ...CallOption) (rota.Agent, error) {
	return call[rota.Agent](ctx, a.s, http.MethodGet, agentPath(id), nil, opts)
}

// GetByKey returns the agent that was given a key.
func (a Agents) GetByKey(ctx context.Context, key string, opts ...CallOption) (rota.Agent, error) {
	return call[rota.Agent](ctx, a.s, http.MethodGet, []string{"agents", "by-key", key}, nil, opts)
}

// Put makes the agent that has a key what body says: it creates one if there is none,
// and gives the one that there is a new version if it differs. What body leaves out has
// its default.
func (a Agents) Put(ctx context.Context, key string, body rota.AgentCreate, opts ...CallOption) (rota.Agent, error) {
	return call[rota.Agent](ctx, a.s, http.MethodPut, []string{"agents", "by-key", key}, body, opts)
}

// Update changes the fields of an agent that body holds, and returns the whole.
func (a Agents) Update(ctx context.Context, id rota.AgentID, body rota.AgentUpdate, opts ...CallOption) (rota.Agent, error) {
	return call[rota.Agent](ctx, a.s, http.MethodPost, agentPath(id), body, opts)
}

// Versions returns one page of the versions of an agent, the newest first unless
// p says otherwise.
func (a Agents) Versions(ctx context.Context, id rota.AgentID, p rota.Page, opts ...CallOption) (rota.List[rota.AgentVersion], error) {
	return list[rota.AgentVersion](ctx, a.s, agentPath(id, "versions"), p, opts)
}

// Version returns a version of an agent.
func (a Agents) Version(ctx context.Context, id rota.AgentID, version int64, opts ...CallOption) (rota.AgentVersion, error) {
	return call[rota.AgentVersion](ctx, a.s, http.MethodGet, versionPath(id, version), nil, opts)
}

// Rollback gives an agent the configuration of one of its versions again, as a
// new version, and returns the agent.
func (a Agents) Rollback(ctx context.Context, id rota.AgentID, version int64, opts ...CallOption) (rota.Agent, error) {
	return call[rota.Agent](ctx, a.s, http.MethodPost, append(versionPath(id, version), "rollback"), nil, opts)
}

// Restore takes the deletion of an agent back. Its schedules stay paused.
func (a Agents) Restore(ctx context.Context, id rota.AgentID, opts ...CallOption) (rota.Agent, error) {
	return call[rota.Agent](ctx, a.s, http.MethodPost, agentPath(id, "restore"), nil, opts)
}

// Delete deletes an agent and pauses its schedules. Runs that have started go on.
func (a Agents) Delete(ctx context.Context, id rota.AgentID, opts ...CallOption) (rota.Deleted[rota.AgentID], error) {
	return call[rota.Deleted[rota.AgentID]](ctx, a.s, http.MethodDelete, agentPath(id), nil, opts)
}

func versionPath(id rota.AgentID, version int64) []string {
	return agentPath(id, "versions", strconv.FormatInt(version, 10))
}

func agentPath(id rota.AgentID, more ...string) []string {
	return append([]string{"agents", string(id)}, more...)
}
