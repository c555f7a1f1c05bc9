package rota

// The object fields of the vault. Source: contract.md, The vault.
const (
	ObjectMCPServer            = "mcp.server"
	ObjectMCPServerDeleted     = "mcp.server.deleted"
	ObjectMCPServerTest        = "mcp.server.test"
	ObjectMCPCredential        = "mcp.credential"
	ObjectMCPCredentialDeleted = "mcp.credential.deleted"
)

// An MCPServer is an MCP server that agents name by its id, with what they may do there.
type MCPServer struct {
	Object string      `json:"object" enum:"mcp.server"`
	ID     MCPServerID `json:"id"`
	MCPServerConfig
	CreatedAt Instant `json:"created_at"`
	UpdatedAt Instant `json:"updated_at"`
	Version   int64   `json:"version" doc:"Counts the changes; also the ETag."`
}

// An MCPServerConfig is what callers say about an MCP server.
type MCPServerConfig struct {
	Name              string            `json:"name"`
	ServerLabel       string            `json:"server_label"`
	ServerURL         string            `json:"server_url"`
	ServerDescription *string           `json:"server_description"`
	AllowedTools      Any               `json:"allowed_tools" doc:"Names of tools, or a filter; null for all."`
	RequireApproval   string            `json:"require_approval" enum:"always,never"`
	Metadata          map[string]string `json:"metadata"`
}

// An MCPServerCreate is the body that saves an MCP server.
type MCPServerCreate struct {
	Name              string            `json:"name" minLength:"1" maxLength:"120"`
	ServerLabel       string            `json:"server_label" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$" doc:"What calls of the server's tools are marked with in answers."`
	ServerURL         string            `json:"server_url" minLength:"1" maxLength:"2048" doc:"Where the server is, http or https, by streamable HTTP."`
	ServerDescription Opt[string]       `json:"server_description,omitzero" maxLength:"2000" nullable:"true"`
	AllowedTools      Any               `json:"allowed_tools,omitzero" doc:"A list of names of tools, or an object with tool_names and read_only; null allows all."`
	RequireApproval   Opt[string]       `json:"require_approval,omitzero" enum:"always,never" doc:"Whether somebody has to approve each call; default always."`
	Metadata          map[string]string `json:"metadata,omitempty"`
}

// An MCPServerUpdate is the body of a partial update: what is absent stays.
type MCPServerUpdate struct {
	Name              Opt[string]            `json:"name,omitzero" minLength:"1" maxLength:"120"`
	ServerLabel       Opt[string]            `json:"server_label,omitzero" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$"`
	ServerURL         Opt[string]            `json:"server_url,omitzero" minLength:"1" maxLength:"2048"`
	ServerDescription Opt[string]            `json:"server_description,omitzero" maxLength:"2000" nullable:"true"`
	AllowedTools      Any                    `json:"allowed_tools,omitzero"`
	RequireApproval   Opt[string]            `json:"require_approval,omitzero" enum:"always,never"`
	Metadata          Opt[map[string]string] `json:"metadata,omitzero" doc:"replaces the whole"`
}

// An MCPCredential is what a server in the vault is shown, without its secrets: those
// never leave the vault but to the server itself.
type MCPCredential struct {
	Object               string          `json:"object" enum:"mcp.credential"`
	ID                   MCPCredentialID `json:"id"`
	ServerID             MCPServerID     `json:"server_id"`
	Name                 *string         `json:"name"`
	AuthType             string          `json:"auth_type" enum:"bearer,authorization,headers,none"`
	AuthorizationPreview *string         `json:"authorization_preview" doc:"Its scheme and its last four characters, if it is long enough; for people."`
	HeaderNames          []string        `json:"header_names"`
	ExpiresAt            *Instant        `json:"expires_at"`
	LastUsedAt           *Instant        `json:"last_used_at" doc:"To the hour."`
	CreatedAt            Instant         `json:"created_at"`
	UpdatedAt            Instant         `json:"updated_at"`
	RevokedAt            *Instant        `json:"revoked_at"`

	Sealed []byte `json:"-"` // the secrets; nil once it is revoked
}

// An MCPCredentialCreate is the body that saves a credential.
type MCPCredentialCreate struct {
	Name          Opt[string]       `json:"name,omitzero" maxLength:"120" nullable:"true"`
	AuthType      string            `json:"auth_type" enum:"bearer,authorization,headers,none"`
	BearerToken   Opt[string]       `json:"bearer_token,omitzero" minLength:"1" maxLength:"16384" nullable:"true" doc:"With auth_type bearer: what is sent as Authorization: Bearer."`
	Authorization Opt[string]       `json:"authorization,omitzero" minLength:"1" maxLength:"16384" nullable:"true" doc:"With auth_type authorization: the whole value of Authorization."`
	Headers       map[string]string `json:"headers,omitempty" doc:"With auth_type headers: up to 32 headers."`
	ExpiresAt     Opt[Instant]      `json:"expires_at,omitzero" nullable:"true" doc:"From when on it is not used any more."`
}

// An MCPServerTest says what a server in the vault answered.
type MCPServerTest struct {
	Object    string   `json:"object" enum:"mcp.server.test"`
	Connected bool     `json:"connected"`
	ToolCount int      `json:"tool_count"`
	ToolNames []string `json:"tool_names"`
}

// CredentialPurpose binds the secrets of a credential to it, and to whose it is.
func CredentialPurpose(o Owner, server MCPServerID, id MCPCredentialID) string {
	return "mcp credential\x00" + o.Account + "\x00" + o.EndUser + "\x00" + string(server) + "\x00" + string(id)
}

// An OwnedCredential is a credential as it is sealed, of any owner.
type OwnedCredential struct {
	Owner    Owner
	ID       MCPCredentialID
	ServerID MCPServerID
	Sealed   []byte
}
