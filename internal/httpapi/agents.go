package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
)

const (
	agentsPath = "/api/v1/agents"
	agentPath  = agentsPath + "/{agent_id}"

	agentByKeyPath = agentsPath + "/by-key/{key}"

	versionsPath = agentPath + "/versions"
	versionPath  = versionsPath + "/{version}"
)

// operations returns everything that callers can ask for.
func (a *api) operations() []*operation {
	return slices.Concat(a.agentOperations(), a.versionOperations(), a.functionToolOperations(), a.vaultOperations(), a.memoryOperations(), a.connectorOperations(), a.scheduleOperations(), a.occurrenceOperations(), a.runOperations(), a.responseOperations(), a.conversationOperations(), a.modelOperations(), a.absentOperations(), a.accountOperations(), a.keyOperations(), a.systemOperations(), a.authenticationOperations())
}

func (a *api) agentOperations() []*operation {
	const tag = "Agents"
	return []*operation{
		lists(Route{http.MethodGet, agentsPath, rota.ReadAgents, http.StatusOK, "list_agents"}, a.listAgents).
			says(tag, "List agents", "The saved agents, newest first, or as sort says. With the scope read:account, end_user names one end user, or everybody. "+looksOn).
			offsets().with("deleted").sorted("agent_sort", agentSorts).with("with_count", "name_filter", "metadata_filter", "agent_search", "end_user_filter"),
		accepts(Route{http.MethodPost, agentsPath, rota.WriteAgents, http.StatusCreated, "create_agent"}, a.createAgent).
			says(tag, "Create an agent", "Saves a model, its instructions and its tools under a name.").
			like(`{"name": "Morning brief", "model": "auto", "instructions": "Sum up the news since {{last_run_at}}.", "tools": [{"type": "web_search"}]}`).
			with("idempotency_key"),
		answers(Route{http.MethodGet, agentPath, rota.ReadAgents, http.StatusOK, "get_agent"}, a.getAgent).
			says(tag, "Get an agent", "The agent with its present configuration."),
		accepts(Route{http.MethodPost, agentPath, rota.WriteAgents, http.StatusOK, "update_agent"}, a.updateAgent).
			says(tag, "Update an agent", "Changes the fields that are sent and leaves the others as they are. If that is a change, it is a new version; runs that were made before keep the version that they have.").
			like(`{"instructions": "Sum up the news in five lines.", "description": null}`).
			with("idempotency_key", "if_match"),
		answers(Route{http.MethodDelete, agentPath, rota.WriteAgents, http.StatusOK, "delete_agent"}, a.deleteAgent).
			says(tag, "Delete an agent", "Deletes the agent and pauses its schedules. Runs that have started go on to their end. Until retention_expires_at it can be read and restored; then it is purged with all that is its own.").
			with("idempotency_key", "if_match"),
		answers(Route{http.MethodGet, agentByKeyPath, rota.ReadAgents, http.StatusOK, "get_agent_by_key"}, a.getAgentByKey).
			says(tag, "Get an agent by its key", "The agent with the key that is not deleted."),
		puts(Route{http.MethodPut, agentByKeyPath, rota.WriteAgents, http.StatusOK, "put_agent"}, a.putAgent).
			says(tag, "Put an agent under its key", "Makes the agent with the key what the body says, for those who keep their agents as code: creates it if there is none, gives it a new version if its configuration differs, and changes nothing if it is equal. What the body leaves out has its default, but for visibility, which stays as it is.").
			like(`{"name": "Morning brief", "model": "auto", "instructions": "Sum up the news since {{last_run_at}}."}`),
		answers(Route{http.MethodPost, agentPath + "/restore", rota.WriteAgents, http.StatusOK, "restore_agent"}, a.restoreAgent).
			says(tag, "Restore an agent", "Takes the deletion back. The schedules stay paused until they are resumed; what they had to do meanwhile is on record as blocked and is not made up for.").
			with("idempotency_key", "if_match"),
	}
}

func (a *api) versionOperations() []*operation {
	const tag = "Agents"
	return []*operation{
		lists(Route{http.MethodGet, versionsPath, rota.ReadAgents, http.StatusOK, "list_agent_versions"}, a.listVersions).
			says(tag, "List the versions of an agent", "Every configuration that the agent has had, the newest first.").
			offsets(),
		answers(Route{http.MethodGet, versionPath, rota.ReadAgents, http.StatusOK, "get_agent_version"}, a.getVersion).
			says(tag, "Get a version of an agent", "The configuration that the agent had at the version."),
		answers(Route{http.MethodPost, versionPath + "/rollback", rota.WriteAgents, http.StatusOK, "rollback_agent_version"}, a.rollback).
			says(tag, "Roll an agent back", "Gives the agent the configuration of the version again, as a new version. If it has that configuration, nothing changes.").
			with("idempotency_key", "if_match"),
	}
}

func (a *api) listVersions(ctx context.Context, c call, p rota.Page) (rota.List[rota.AgentVersion], error) {
	return a.Control.AgentVersions(ctx, c.who, c.agent(), p)
}

func (a *api) getVersion(ctx context.Context, c call) (rota.AgentVersion, error) {
	return a.Control.AgentVersion(ctx, c.who, c.agent(), c.version())
}

func (a *api) rollback(ctx context.Context, c call) (rota.Agent, error) {
	return a.Control.RollbackAgent(ctx, c.who, c.agent(), c.version(), c.write)
}

func (a *api) listAgents(ctx context.Context, c call, p rota.Page) (rota.List[rota.Agent], error) {
	q := c.URL.Query()
	f, err := agentFilter(q)
	if err != nil {
		return rota.List[rota.Agent]{}, err
	}
	user, err := endUserParam(q)
	if err != nil {
		return rota.List[rota.Agent]{}, err
	}
	return a.Control.Agents(ctx, c.who, user, f, p)
}

func agentFilter(q url.Values) (f rota.AgentFilter, err error) {
	if f.Deleted, err = boolParam(q, "deleted"); err != nil {
		return f, err
	}
	if f.Name, err = textParam(q, "name", 120); err != nil {
		return f, err
	}
	if f.Q, err = textParam(q, "q", maxSearch); err != nil {
		return f, err
	}
	f.Metadata, err = metadataParam(q)
	return f, err
}

func (a *api) createAgent(ctx context.Context, c call, in rota.AgentCreate) (rota.Agent, error) {
	return a.Control.CreateAgent(ctx, c.who, in, c.write)
}

func (a *api) getAgent(ctx context.Context, c call) (rota.Agent, error) {
	return a.Control.Agent(ctx, c.who, c.agent())
}

func (a *api) getAgentByKey(ctx context.Context, c call) (rota.Agent, error) {
	return a.Control.AgentByKey(ctx, c.who, c.PathValue("key"))
}

func (a *api) putAgent(ctx context.Context, c call, in rota.AgentCreate) (control.Put[rota.Agent], error) {
	return a.Control.PutAgent(ctx, c.who, c.PathValue("key"), in, c.write)
}

func (a *api) updateAgent(ctx context.Context, c call, in rota.AgentUpdate) (rota.Agent, error) {
	return a.Control.UpdateAgent(ctx, c.who, c.agent(), in, c.write)
}

func (a *api) restoreAgent(ctx context.Context, c call) (rota.Agent, error) {
	return a.Control.RestoreAgent(ctx, c.who, c.agent(), c.write)
}

func (a *api) deleteAgent(ctx context.Context, c call) (rota.Deleted[rota.AgentID], error) {
	return a.Control.DeleteAgent(ctx, c.who, c.agent(), c.write)
}
