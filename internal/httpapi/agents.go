package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/rota-run/rota"
)

const (
	agentsPath = "/api/v1/agents"
	agentPath  = agentsPath + "/{agent_id}"
)

// operations returns everything that callers can ask for.
func (a *api) operations() []*operation {
	return slices.Concat(a.agentOperations(), a.scheduleOperations(), a.occurrenceOperations(), a.runOperations(), a.keyOperations())
}

func (a *api) agentOperations() []*operation {
	const tag = "Agents"
	return []*operation{
		lists(Route{http.MethodGet, agentsPath, rota.ReadAgents, http.StatusOK, "list_agents"}, a.listAgents).
			says(tag, "List agents", "The saved agents, newest first."),
		accepts(Route{http.MethodPost, agentsPath, rota.WriteAgents, http.StatusCreated, "create_agent"}, a.createAgent).
			says(tag, "Create an agent", "Saves a model, its instructions and its tools under a name.").
			like(`{"name": "Morning brief", "model": "auto", "instructions": "Sum up the news since {{last_run_at}}.", "tools": [{"type": "web_search"}]}`).
			with("idempotency_key"),
		answers(Route{http.MethodGet, agentPath, rota.ReadAgents, http.StatusOK, "get_agent"}, a.getAgent).
			says(tag, "Get an agent", ""),
		accepts(Route{http.MethodPost, agentPath, rota.WriteAgents, http.StatusOK, "update_agent"}, a.updateAgent).
			says(tag, "Update an agent", "Changes the fields that are sent and leaves the others as they are. Runs that have not started use the agent as it is when they start.").
			like(`{"instructions": "Sum up the news in five lines.", "description": null}`).
			with("idempotency_key", "if_match"),
		answers(Route{http.MethodDelete, agentPath, rota.WriteAgents, http.StatusOK, "delete_agent"}, a.deleteAgent).
			says(tag, "Delete an agent", "Deletes the agent and its schedules. Runs that have started go on to their end.").
			with("idempotency_key", "if_match"),
	}
}

func (a *api) listAgents(ctx context.Context, c call, p rota.Page) (rota.List[rota.Agent], error) {
	return a.Control.Agents(ctx, c.who, p)
}

func (a *api) createAgent(ctx context.Context, c call, in rota.AgentCreate) (rota.Agent, error) {
	return a.Control.CreateAgent(ctx, c.who, in, c.write)
}

func (a *api) getAgent(ctx context.Context, c call) (rota.Agent, error) {
	return a.Control.Agent(ctx, c.who, c.agent())
}

func (a *api) updateAgent(ctx context.Context, c call, in rota.AgentUpdate) (rota.Agent, error) {
	return a.Control.UpdateAgent(ctx, c.who, c.agent(), in, c.write)
}

func (a *api) deleteAgent(ctx context.Context, c call) (rota.Deleted[rota.AgentID], error) {
	return a.Control.DeleteAgent(ctx, c.who, c.agent(), c.write)
}
