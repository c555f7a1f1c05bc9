package client

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

// MCPServers are the MCP servers of the client's owner.
type MCPServers struct{ s *sender }

// Create saves an MCP server.
func (m MCPServers) Create(ctx context.Context, body rota.MCPServerCreate, opts ...CallOption) (rota.MCPServer, error) {
	return call[rota.MCPServer](ctx, m.s, http.MethodPost, mcpPath("servers"), body, opts)
}

// List returns one page of the MCP servers.
func (m MCPServers) List(ctx context.Context, p rota.Page, opts ...CallOption) (rota.List[rota.MCPServer], error) {
	return list[rota.MCPServer](ctx, m.s, mcpPath("servers"), p, opts)
}

// Get returns an MCP server.
func (m MCPServers) Get(ctx context.Context, id rota.MCPServerID, opts ...CallOption) (rota.MCPServer, error) {
	return call[rota.MCPServer](ctx, m.s, http.MethodGet, mcpPath("servers", string(id)), nil, opts)
}

// Update changes what the body says of an MCP server.
func (m MCPServers) Update(ctx context.Context, id rota.MCPServerID, body rota.MCPServerUpdate, opts ...CallOption) (rota.MCPServer, error) {
	return call[rota.MCPServer](ctx, m.s, http.MethodPost, mcpPath("servers", string(id)), body, opts)
}

// Delete deletes an MCP server and its credentials.
func (m MCPServers) Delete(ctx context.Context, id rota.MCPServerID, opts ...CallOption) (rota.Deleted[rota.MCPServerID], error) {
	return call[rota.Deleted[rota.MCPServerID]](ctx, m.s, http.MethodDelete, mcpPath("servers", string(id)), nil, opts)
}

// Test connects to an MCP server with its newest credential and returns the names of its
// tools. The error is UpstreamFailed if the server cannot be used.
func (m MCPServers) Test(ctx context.Context, id rota.MCPServerID, opts ...CallOption) (rota.MCPServerTest, error) {
	return call[rota.MCPServerTest](ctx, m.s, http.MethodPost, mcpPath("servers", string(id), "test"), nil, opts)
}

// MCPCredentials are what MCP servers are shown. Secrets are written and never read.
type MCPCredentials struct{ s *sender }

// Create saves a credential of a server.
func (m MCPCredentials) Create(ctx context.Context, server rota.MCPServerID, body rota.MCPCredentialCreate, opts ...CallOption) (rota.MCPCredential, error) {
	return call[rota.MCPCredential](ctx, m.s, http.MethodPost, mcpPath("servers", string(server), "credentials"), body, opts)
}

// List returns one page of the credentials of a server. With [IncludeRevoked], those that
// are revoked are among them.
func (m MCPCredentials) List(ctx context.Context, server rota.MCPServerID, p rota.Page, opts ...CallOption) (rota.List[rota.MCPCredential], error) {
	return list[rota.MCPCredential](ctx, m.s, mcpPath("servers", string(server), "credentials"), p, opts)
}

// Revoke ends a credential, and deletes its secrets.
func (m MCPCredentials) Revoke(ctx context.Context, id rota.MCPCredentialID, opts ...CallOption) (rota.Deleted[rota.MCPCredentialID], error) {
	return call[rota.Deleted[rota.MCPCredentialID]](ctx, m.s, http.MethodDelete, mcpPath("credentials", string(id)), nil, opts)
}

// IncludeRevoked lets [MCPCredentials.List] answer those that are revoked as well.
func IncludeRevoked() CallOption {
	return func(o *callOptions) { o.query.Set("include_revoked", "true") }
}

func mcpPath(of ...string) []string { return append([]string{"llm", "mcp"}, of...) }
