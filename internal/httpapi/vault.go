package httpapi

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

const (
	mcpServersPath           = llmPath + "/mcp/servers"
	mcpServerPath            = mcpServersPath + "/{server_id}"
	mcpServerTestPath        = mcpServerPath + "/test"
	mcpServerCredentialsPath = mcpServerPath + "/credentials"
	mcpCredentialPath        = llmPath + "/mcp/credentials/{credential_id}"
)

func (c call) mcpServer() rota.MCPServerID { return rota.MCPServerID(c.PathValue("server_id")) }

func (a *api) vaultOperations() []*operation {
	const tag = "Vault"
	const server = `{"name": "Docs", "server_label": "docs", "server_url": "https://mcp.example.com/mcp", "require_approval": "never"}`
	return []*operation{
		lists(Route{http.MethodGet, mcpServersPath, rota.ReadAgents, http.StatusOK, "list_mcp_servers"}, a.listMCPServers).
			says(tag, "List MCP servers", "Newest first."),
		accepts(Route{http.MethodPost, mcpServersPath, rota.WriteAgents, http.StatusCreated, "create_mcp_server"}, a.createMCPServer).
			says(tag, "Create an MCP server", "Saves an MCP server, which tools of the type mcp name by mcp_server_id.").
			like(server).
			with("idempotency_key"),
		answers(Route{http.MethodGet, mcpServerPath, rota.ReadAgents, http.StatusOK, "get_mcp_server"}, a.getMCPServer).
			says(tag, "Get an MCP server", "The server, without what it is shown."),
		accepts(Route{http.MethodPost, mcpServerPath, rota.WriteAgents, http.StatusOK, "update_mcp_server"}, a.updateMCPServer).
			says(tag, "Update an MCP server", "What is left out stays.").
			like(`{"require_approval": "always"}`).
			with("idempotency_key", "if_match"),
		answers(Route{http.MethodDelete, mcpServerPath, rota.WriteAgents, http.StatusOK, "delete_mcp_server"}, a.deleteMCPServer).
			says(tag, "Delete an MCP server", "Its credentials and their secrets go with it.").
			with("idempotency_key", "if_match"),
		answers(Route{http.MethodPost, mcpServerTestPath, rota.WriteAgents, http.StatusOK, "test_mcp_server"}, a.testMCPServer).
			says(tag, "Test an MCP server", "Connects with the newest credential, and lists the tools. A server that cannot be used is a 502.").
			may(rota.UpstreamFailed),
		lists(Route{http.MethodGet, mcpServerCredentialsPath, rota.ReadAgents, http.StatusOK, "list_mcp_credentials"}, a.listMCPCredentials).
			says(tag, "List the credentials of an MCP server", "Newest first, without their secrets.").
			with("include_revoked"),
		accepts(Route{http.MethodPost, mcpServerCredentialsPath, rota.WriteAgents, http.StatusCreated, "create_mcp_credential"}, a.createMCPCredential).
			says(tag, "Create a credential", "What the server is shown from now on, if a tool names no other. Its secrets are sealed, and no operation answers them.").
			like(`{"auth_type": "bearer", "bearer_token": "a token of the server"}`).
			with("idempotency_key").may(rota.NotImplemented),
		answers(Route{http.MethodDelete, mcpCredentialPath, rota.WriteAgents, http.StatusOK, "delete_mcp_credential"}, a.deleteMCPCredential).
			says(tag, "Revoke a credential", "It is not used any more, and its secrets are deleted. Lists show it with include_revoked.").
			with("idempotency_key"),
	}
}

func (a *api) listMCPServers(ctx context.Context, c call, p rota.Page) (rota.List[rota.MCPServer], error) {
	return a.Control.MCPServers(ctx, c.who, p)
}

func (a *api) createMCPServer(ctx context.Context, c call, in rota.MCPServerCreate) (rota.MCPServer, error) {
	return a.Control.CreateMCPServer(ctx, c.who, in, c.write)
}

func (a *api) getMCPServer(ctx context.Context, c call) (rota.MCPServer, error) {
	return a.Control.MCPServer(ctx, c.who, c.mcpServer())
}

func (a *api) updateMCPServer(ctx context.Context, c call, in rota.MCPServerUpdate) (rota.MCPServer, error) {
	return a.Control.UpdateMCPServer(ctx, c.who, c.mcpServer(), in, c.write)
}

func (a *api) deleteMCPServer(ctx context.Context, c call) (rota.Deleted[rota.MCPServerID], error) {
	return a.Control.DeleteMCPServer(ctx, c.who, c.mcpServer(), c.write)
}

func (a *api) testMCPServer(ctx context.Context, c call) (rota.MCPServerTest, error) {
	return a.Control.TestMCPServer(ctx, c.who, c.mcpServer())
}

func (a *api) listMCPCredentials(ctx context.Context, c call, p rota.Page) (rota.List[rota.MCPCredential], error) {
	revoked, err := boolParam(c.URL.Query(), "include_revoked")
	if err != nil {
		return rota.List[rota.MCPCredential]{}, err
	}
	return a.Control.MCPCredentials(ctx, c.who, c.mcpServer(), revoked, p)
}

func (a *api) createMCPCredential(ctx context.Context, c call, in rota.MCPCredentialCreate) (rota.MCPCredential, error) {
	return a.Control.CreateMCPCredential(ctx, c.who, c.mcpServer(), in, c.write)
}

func (a *api) deleteMCPCredential(ctx context.Context, c call) (rota.Deleted[rota.MCPCredentialID], error) {
	return a.Control.DeleteMCPCredential(ctx, c.who, rota.MCPCredentialID(c.PathValue("credential_id")), c.write)
}
