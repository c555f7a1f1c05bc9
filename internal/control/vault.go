package control

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/auth"
)

// CreateMCPServer saves an MCP server. Scope write:agents.
func (c *Control) CreateMCPServer(ctx context.Context, who auth.Caller, in rota.MCPServerCreate, w Write) (rota.MCPServer, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "create_mcp_server"); err != nil {
		return rota.MCPServer{}, err
	}
	s := rota.MCPServer{Object: rota.ObjectMCPServer, Version: 1, MCPServerConfig: rota.MCPServerConfig{
		Name: in.Name, ServerLabel: in.ServerLabel, ServerURL: in.ServerURL, RequireApproval: "always", Metadata: in.Metadata,
	}}
	in.ServerDescription.ApplyNullable(&s.ServerDescription)
	s.AllowedTools = in.AllowedTools
	in.RequireApproval.Apply(&s.RequireApproval)
	if s.Metadata == nil {
		s.Metadata = map[string]string{}
	}
	if _, err := answer.ReadStored(s); err != nil {
		return s, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.MCPServer, error) {
		s.ID, s.CreatedAt, s.UpdatedAt = rota.NewMCPServerID(now), rota.InstantOf(now), rota.InstantOf(now)
		return s, tx.AddMCPServer(ctx, who.Owner, s)
	})
}

// MCPServer returns an MCP server. Scope read:agents.
func (c *Control) MCPServer(ctx context.Context, who auth.Caller, id rota.MCPServerID) (rota.MCPServer, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "mcp_server", on("server_id", id)); err != nil {
		return rota.MCPServer{}, err
	}
	return c.Store.MCPServer(ctx, who.Owner, id)
}

// MCPServers returns a page of the caller's MCP servers. Scope read:agents.
func (c *Control) MCPServers(ctx context.Context, who auth.Caller, p rota.Page) (rota.List[rota.MCPServer], error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "mcp_servers"); err != nil {
		return rota.List[rota.MCPServer]{}, err
	}
	return c.Store.MCPServers(ctx, who.Owner, p)
}

// UpdateMCPServer changes an MCP server, for the tools that are listed from then on.
// Scope write:agents.
func (c *Control) UpdateMCPServer(ctx context.Context, who auth.Caller, id rota.MCPServerID, in rota.MCPServerUpdate, w Write) (rota.MCPServer, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "update_mcp_server", on("server_id", id)); err != nil {
		return rota.MCPServer{}, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.MCPServer, error) {
		s, err := tx.MCPServer(ctx, who.Owner, id)
		if err != nil {
			return s, err
		}
		if err := match(w, s.Version); err != nil {
			return s, err
		}
		before := s.MCPServerConfig
		in.Name.Apply(&s.Name)
		in.ServerLabel.Apply(&s.ServerLabel)
		in.ServerURL.Apply(&s.ServerURL)
		in.ServerDescription.ApplyNullable(&s.ServerDescription)
		s.AllowedTools = in.AllowedTools.Or(s.AllowedTools)
		in.RequireApproval.Apply(&s.RequireApproval)
		in.Metadata.Apply(&s.Metadata)
		if _, err := answer.ReadStored(s); err != nil || same(before, s.MCPServerConfig) {
			return s, err
		}
		s.UpdatedAt, s.Version = rota.InstantOf(now), s.Version+1
		return s, tx.SaveMCPServer(ctx, who.Owner, s)
	})
}

// DeleteMCPServer deletes an MCP server and all its credentials. Scope write:agents.
func (c *Control) DeleteMCPServer(ctx context.Context, who auth.Caller, id rota.MCPServerID, w Write) (rota.Deleted[rota.MCPServerID], error) {
	gone := rota.Deleted[rota.MCPServerID]{Object: rota.ObjectMCPServerDeleted, ID: id, Deleted: true}
	if err := c.enter(ctx, who, rota.WriteAgents, "delete_mcp_server", on("server_id", id)); err != nil {
		return gone, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, _ time.Time) (rota.Deleted[rota.MCPServerID], error) {
		s, err := tx.MCPServer(ctx, who.Owner, id)
		if err != nil {
			return gone, err
		}
		if err := match(w, s.Version); err != nil {
			return gone, err
		}
		return gone, tx.DeleteMCPServer(ctx, who.Owner, id)
	})
}

// CreateMCPCredential saves what a server is to be shown. Its secrets are sealed, and come
// back from no operation. Scope write:agents.
func (c *Control) CreateMCPCredential(ctx context.Context, who auth.Caller, server rota.MCPServerID, in rota.MCPCredentialCreate, w Write) (rota.MCPCredential, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "create_mcp_credential", on("server_id", server)); err != nil {
		return rota.MCPCredential{}, err
	}
	if c.Tokens.Secret.Empty() {
		return rota.MCPCredential{}, &rota.Error{Code: rota.NotImplemented, Msg: "this server has no secret key to seal credentials with. Start it with --secret-key or --secret-key-file, the same for all processes"}
	}
	headers, err := credentialHeaders(in)
	if err != nil {
		return rota.MCPCredential{}, err
	}
	expires, limited := in.ExpiresAt.Get()
	if limited && !expires.After(c.Now()) {
		return rota.MCPCredential{}, rota.InvalidField("expires_at", "must be in the future")
	}
	plain, err := json.Marshal(headers)
	if err != nil {
		return rota.MCPCredential{}, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.MCPCredential, error) {
		if _, err := tx.MCPServer(ctx, who.Owner, server); err != nil {
			return rota.MCPCredential{}, err
		}
		k := rota.MCPCredential{
			Object: rota.ObjectMCPCredential, ID: rota.NewMCPCredentialID(now), ServerID: server, AuthType: in.AuthType,
			HeaderNames: append([]string{}, slices.Sorted(maps.Keys(in.Headers))...), CreatedAt: rota.InstantOf(now), UpdatedAt: rota.InstantOf(now),
		}
		in.Name.ApplyNullable(&k.Name)
		in.ExpiresAt.ApplyNullable(&k.ExpiresAt)
		if in.AuthType == "bearer" || in.AuthType == "authorization" {
			k.AuthorizationPreview = new(hint(headers["Authorization"]))
		}
		k.Sealed = c.Tokens.Secret.Seal(plain, rota.CredentialPurpose(who.Owner, server, k.ID))
		return k, tx.AddMCPCredential(ctx, who.Owner, k)
	})
}

// credentialHeaders returns the headers that a credential stands for.
func credentialHeaders(in rota.MCPCredentialCreate) (map[string]string, error) {
	token, bearer := in.BearerToken.Get()
	whole, authorization := in.Authorization.Get()
	for _, part := range []struct {
		authType, field string
		given           bool
	}{{"bearer", "bearer_token", bearer}, {"authorization", "authorization", authorization}, {"headers", "headers", len(in.Headers) > 0}} {
		switch wanted := in.AuthType == part.authType; {
		case wanted && !part.given:
			return nil, rota.InvalidField(part.field, "must be there with the auth_type %s", in.AuthType)
		case part.given && !wanted:
			return nil, rota.InvalidField(part.field, "does not go with the auth_type %s", in.AuthType)
		}
	}
	headers, field := in.Headers, "headers"
	switch {
	case bearer:
		headers, field = map[string]string{"Authorization": "Bearer " + token}, "bearer_token"
	case authorization:
		headers, field = map[string]string{"Authorization": whole}, "authorization"
	}
	out, err := answer.ReadCredentialHeaders(rota.AnyOf(headers).RawMessage)
	var bad *rota.Error
	if errors.As(err, &bad) && field != "headers" {
		bad.Field = field
	}
	if err == nil && len(out) != len(headers) {
		return nil, rota.InvalidField("headers", "must have each header once")
	}
	return out, err
}

// hint shows people which secret it is: its scheme, and of a long one the last four
// characters.
func hint(value string) string {
	const shown, long = 4, 24
	scheme, secret, ok := strings.Cut(value, " ")
	if !ok {
		scheme, secret = "", value
	}
	last := ""
	if len(secret) >= long {
		last = secret[len(secret)-shown:]
	}
	return strings.TrimSpace(scheme + " …" + last)
}

// MCPCredentials returns a page of the credentials of an MCP server, with those that are
// revoked if asked for. Scope read:agents.
func (c *Control) MCPCredentials(ctx context.Context, who auth.Caller, server rota.MCPServerID, revoked bool, p rota.Page) (rota.List[rota.MCPCredential], error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "mcp_credentials", on("server_id", server)); err != nil {
		return rota.List[rota.MCPCredential]{}, err
	}
	if _, err := c.Store.MCPServer(ctx, who.Owner, server); err != nil {
		return rota.List[rota.MCPCredential]{}, err
	}
	return c.Store.MCPCredentials(ctx, who.Owner, server, revoked, p)
}

// DeleteMCPCredential revokes a credential: it is not used any more, and its secrets are
// gone. It stays in the lists that ask for what is revoked. Scope write:agents.
func (c *Control) DeleteMCPCredential(ctx context.Context, who auth.Caller, id rota.MCPCredentialID, w Write) (rota.Deleted[rota.MCPCredentialID], error) {
	gone := rota.Deleted[rota.MCPCredentialID]{Object: rota.ObjectMCPCredentialDeleted, ID: id, Deleted: true}
	if err := c.enter(ctx, who, rota.WriteAgents, "delete_mcp_credential", on("credential_id", id)); err != nil {
		return gone, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, now time.Time) (rota.Deleted[rota.MCPCredentialID], error) {
		if _, err := tx.MCPCredential(ctx, who.Owner, id); err != nil {
			return gone, err
		}
		return gone, tx.RevokeMCPCredential(ctx, who.Owner, id, now)
	})
}

// resealVault seals with the first secret what is sealed with another.
func (c *Control) resealVault(ctx context.Context) error {
	const atOnce = 100
	for after, more := rota.MCPCredentialID(""), true; more; {
		err := c.Store.Update(ctx, func(ctx context.Context, tx Tx) error {
			some, err := tx.SealedCredentials(ctx, after, atOnce)
			for _, k := range some {
				if err := c.reseal(ctx, tx, k); err != nil {
					return err
				}
				after = k.ID
			}
			more = len(some) == atOnce
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Control) reseal(ctx context.Context, tx Tx, k rota.OwnedCredential) error {
	ring, purpose := c.Tokens.Secret, rota.CredentialPurpose(k.Owner, k.ServerID, k.ID)
	if !ring.Stale(k.Sealed) {
		return nil
	}
	plain, err := ring.Open(k.Sealed, purpose)
	if err != nil { // as it was before: no secret of this server opens it
		return nil
	}
	return tx.ResealCredential(ctx, k.ID, ring.Seal(plain, purpose))
}

// TestMCPServer connects to an MCP server with its newest credential, and returns the names
// of its tools. It is UpstreamFailed if the server cannot be used. Scope write:agents.
func (c *Control) TestMCPServer(ctx context.Context, who auth.Caller, id rota.MCPServerID) (rota.MCPServerTest, error) {
	t := rota.MCPServerTest{Object: rota.ObjectMCPServerTest, ToolNames: []string{}}
	if err := c.enter(ctx, who, rota.WriteAgents, "test_mcp_server", on("server_id", id)); err != nil {
		return t, err
	}
	s, err := c.Store.MCPServer(ctx, who.Owner, id)
	if err != nil {
		return t, err
	}
	names, err := c.MCP.Tools(ctx, who.Owner, s)
	if err != nil {
		return t, err
	}
	t.Connected, t.ToolCount, t.ToolNames = true, len(names), append(t.ToolNames, names...)
	return t, nil
}

// withStored returns tools with what is stored of the MCP servers that they name. The error
// is Invalid, and names the member, if they name one in a way in which it cannot be used.
func withStored(ctx context.Context, from VaultReader, o rota.Owner, tools []json.RawMessage) ([]json.RawMessage, error) {
	return answer.FillStored(tools, func(id rota.MCPServerID) (rota.MCPServer, error) { return from.MCPServer(ctx, o, id) })
}
