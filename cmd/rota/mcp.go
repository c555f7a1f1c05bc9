package main

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/settings"
)

type mcpServersCmd struct {
	Create mcpServersCreate `cmd:"" help:"Save an MCP server." example:"rota mcp-servers create --name Docs --server-label docs --server-url https://mcp.example.com/mcp --require-approval never"`
	List   mcpServersList   `cmd:"" help:"List the MCP servers." example:"rota mcp-servers list"`
	Get    mcpServersGet    `cmd:"" help:"Show an MCP server." example:"rota mcp-servers get --server-id $SERVER"`
	Update mcpServersUpdate `cmd:"" help:"Change an MCP server." example:"rota mcp-servers update --server-id $SERVER --require-approval always"`
	Delete mcpServersDelete `cmd:"" help:"Delete an MCP server and its credentials." example:"rota mcp-servers delete --server-id $SERVER"`
	Test   mcpServersTest   `cmd:"" help:"Connect to an MCP server and list its tools." example:"rota mcp-servers test --server-id $SERVER"`
}

// mcpServerID is the flag of verbs that are about one MCP server.
type mcpServerID struct {
	ServerID rota.MCPServerID `required:"" placeholder:"ID" help:"Id of the MCP server."`
}

// mcpServerFlags are what is said about an MCP server.
type mcpServerFlags struct {
	Name              *string `placeholder:"TEXT" help:"Name for people."`
	ServerLabel       *string `placeholder:"TEXT" help:"What calls of its tools are marked with."`
	ServerURL         *string `name:"server-url" placeholder:"URL" help:"Where it is."`
	ServerDescription *string `placeholder:"TEXT" help:"What it is for."`
	AllowedTools      *string `placeholder:"JSON" help:"Names of the tools that are allowed, a list, or a filter; null for all."`
	RequireApproval   *string `enum:"always,never" placeholder:"WHEN" help:"Whether somebody has to approve each call: always (the default) or never."`
	metadataFlag
}

func (f mcpServerFlags) update() (rota.MCPServerUpdate, error) {
	in := rota.MCPServerUpdate{
		Name: some(f.Name), ServerLabel: some(f.ServerLabel), ServerURL: some(f.ServerURL),
		ServerDescription: some(f.ServerDescription), RequireApproval: some(f.RequireApproval), Metadata: f.metadataFlag.update(),
	}
	if f.AllowedTools == nil {
		return in, nil
	}
	if !json.Valid([]byte(*f.AllowedTools)) {
		return in, usagef("--allowed-tools is not JSON")
	}
	in.AllowedTools.RawMessage = json.RawMessage(*f.AllowedTools)
	return in, nil
}

type mcpServersCreate struct {
	Fields mcpServerFlags `embed:""`
	Body   bodyFlag       `embed:""`
}

func (c *mcpServersCreate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	f, err := c.Fields.update()
	if err != nil {
		return err
	}
	if raw == nil && (c.Fields.Name == nil || c.Fields.ServerLabel == nil || c.Fields.ServerURL == nil) {
		return usagef("give --name, --server-label and --server-url, or --body")
	}
	in := rota.MCPServerCreate{
		Name: text(c.Fields.Name), ServerLabel: text(c.Fields.ServerLabel), ServerURL: text(c.Fields.ServerURL),
		ServerDescription: f.ServerDescription, AllowedTools: f.AllowedTools, RequireApproval: f.RequireApproval, Metadata: c.Fields.Metadata,
	}
	return show(s, mcpServerCard)(s.MCPServers.Create(ctx, in, append(s.call, raw...)...))
}

type mcpServersList struct {
	Part listFlags `embed:""`
}

func (c *mcpServersList) Run(ctx context.Context, s *session) error {
	columns := []column[rota.MCPServer]{
		{"ID", func(m rota.MCPServer) string { return string(m.ID) }},
		{"NAME", func(m rota.MCPServer) string { return m.Name }},
		{"LABEL", func(m rota.MCPServer) string { return m.ServerLabel }},
		{"URL", func(m rota.MCPServer) string { return m.ServerURL }},
	}
	return many(s, c.Part, columns, func(p rota.Page) (rota.List[rota.MCPServer], error) {
		return s.MCPServers.List(ctx, p, s.call...)
	})
}

type mcpServersGet struct {
	mcpServerID
}

func (c *mcpServersGet) Run(ctx context.Context, s *session) error {
	return show(s, mcpServerCard)(s.MCPServers.Get(ctx, c.ServerID, s.call...))
}

type mcpServersUpdate struct {
	mcpServerID
	Fields mcpServerFlags `embed:""`
	Body   bodyFlag       `embed:""`
}

func (c *mcpServersUpdate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	in, err := c.Fields.update()
	if err != nil {
		return err
	}
	return show(s, mcpServerCard)(s.MCPServers.Update(ctx, c.ServerID, in, append(s.call, raw...)...))
}

type mcpServersDelete struct {
	mcpServerID
}

func (c *mcpServersDelete) Run(ctx context.Context, s *session) error {
	return show(s, deleted[rota.MCPServerID])(s.MCPServers.Delete(ctx, c.ServerID, s.call...))
}

type mcpServersTest struct {
	mcpServerID
}

func (c *mcpServersTest) Run(ctx context.Context, s *session) error {
	return show(s, func(t rota.MCPServerTest) []line {
		return []line{{"tools", strconv.Itoa(t.ToolCount)}, {"names", strings.Join(t.ToolNames, ", ")}}
	})(s.MCPServers.Test(ctx, c.ServerID, s.call...))
}

func mcpServerCard(m rota.MCPServer) []line {
	return []line{
		{"id", string(m.ID)},
		{"name", m.Name},
		{"label", m.ServerLabel},
		{"url", m.ServerURL},
		{"description", text(m.ServerDescription)},
		{"allowed tools", anyText(m.AllowedTools)},
		{"require approval", m.RequireApproval},
		{"metadata", metadataText(m.Metadata)},
		{"created", stamp(&m.CreatedAt)},
		{"updated", stamp(&m.UpdatedAt)},
	}
}

type mcpCredentialsCmd struct {
	Create mcpCredentialsCreate `cmd:"" help:"Save what an MCP server is shown." example:"rota mcp-credentials create --server-id $SERVER --bearer-token-file token.txt"`
	List   mcpCredentialsList   `cmd:"" help:"List the credentials of an MCP server, without their secrets." example:"rota mcp-credentials list --server-id $SERVER"`
	Revoke mcpCredentialsRevoke `cmd:"" help:"End a credential, and delete its secrets." example:"rota mcp-credentials revoke --credential-id $CREDENTIAL"`
}

// mcpCredentialFlags are a credential. Secrets come from files: other users of a machine
// can see the flags of a command.
type mcpCredentialFlags struct {
	Name              *string       `placeholder:"TEXT" help:"Name for people."`
	BearerTokenFile   *string       `placeholder:"FILE" help:"File with a token, sent as Authorization: Bearer; - reads standard input."`
	AuthorizationFile *string       `placeholder:"FILE" help:"File with the whole value of Authorization; - reads standard input."`
	ExpiresAt         *rota.Instant `placeholder:"TIME" help:"From when on it is not used any more."`
}

type mcpCredentialsCreate struct {
	mcpServerID
	Fields mcpCredentialFlags `embed:""`
	Body   bodyFlag           `embed:""`
}

func (c *mcpCredentialsCreate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	in, err := c.Fields.create(s.in)
	if err != nil {
		return err
	}
	return show(s, mcpCredentialCard)(s.MCPCredentials.Create(ctx, c.ServerID, in, append(s.call, raw...)...))
}

func (f mcpCredentialFlags) create(std io.Reader) (in rota.MCPCredentialCreate, err error) {
	in = rota.MCPCredentialCreate{Name: some(f.Name), AuthType: "none", ExpiresAt: some(f.ExpiresAt)}
	switch {
	case f.BearerTokenFile != nil && f.AuthorizationFile != nil:
		return in, usagef("give one of --bearer-token-file and --authorization-file")
	case f.BearerTokenFile != nil:
		in.AuthType = "bearer"
		in.BearerToken, err = secretIn("--bearer-token-file", *f.BearerTokenFile, std)
	case f.AuthorizationFile != nil:
		in.AuthType = "authorization"
		in.Authorization, err = secretIn("--authorization-file", *f.AuthorizationFile, std)
	}
	return in, err
}

// secretIn reads a secret from a file.
func secretIn(flag, file string, std io.Reader) (rota.Opt[string], error) {
	b, err := readFile(file, std)
	if err != nil {
		return rota.Opt[string]{}, fileUsage(flag, err)
	}
	return rota.Some(settings.Secret(string(b))), nil
}

type mcpCredentialsList struct {
	mcpServerID
	IncludeRevoked bool      `help:"Also those that are revoked."`
	Part           listFlags `embed:""`
}

func (c *mcpCredentialsList) Run(ctx context.Context, s *session) error {
	columns := []column[rota.MCPCredential]{
		{"ID", func(k rota.MCPCredential) string { return string(k.ID) }},
		{"NAME", func(k rota.MCPCredential) string { return text(k.Name) }},
		{"TYPE", func(k rota.MCPCredential) string { return k.AuthType }},
		{"SHOWS", func(k rota.MCPCredential) string { return text(k.AuthorizationPreview) }},
		{"USED", func(k rota.MCPCredential) string { return stamp(k.LastUsedAt) }},
		{"REVOKED", func(k rota.MCPCredential) string { return stamp(k.RevokedAt) }},
	}
	call := s.call
	if c.IncludeRevoked {
		call = append(call, client.IncludeRevoked())
	}
	return many(s, c.Part, columns, func(p rota.Page) (rota.List[rota.MCPCredential], error) {
		return s.MCPCredentials.List(ctx, c.ServerID, p, call...)
	})
}

type mcpCredentialsRevoke struct {
	CredentialID rota.MCPCredentialID `required:"" placeholder:"ID" help:"Id of the credential."`
}

func (c *mcpCredentialsRevoke) Run(ctx context.Context, s *session) error {
	return show(s, deleted[rota.MCPCredentialID])(s.MCPCredentials.Revoke(ctx, c.CredentialID, s.call...))
}

func mcpCredentialCard(k rota.MCPCredential) []line {
	return []line{
		{"id", string(k.ID)},
		{"server", string(k.ServerID)},
		{"name", text(k.Name)},
		{"type", k.AuthType},
		{"shows", text(k.AuthorizationPreview)},
		{"headers", strings.Join(k.HeaderNames, ", ")},
		{"expires", stamp(k.ExpiresAt)},
		{"last used", stamp(k.LastUsedAt)},
		{"created", stamp(&k.CreatedAt)},
		{"revoked", stamp(k.RevokedAt)},
	}
}
