package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/rota-run/rota"
)

const mcpServerColumns = `s.id, s.configuration, s.version, s.created_at, s.updated_at`

func scanMCPServer(row Scanner) (rota.MCPServer, error) {
	s := rota.MCPServer{Object: rota.ObjectMCPServer}
	var created, updated msTime
	err := row.Scan(&s.ID, jsonText{&s.MCPServerConfig}, &s.Version, &created, &updated)
	s.CreatedAt, s.UpdatedAt = created.instant(), updated.instant()
	return s, err
}

// MCPServer returns an MCP server. In a transaction nobody else changes it until that
// ends.
func (q Queries) MCPServer(ctx context.Context, o rota.Owner, id rota.MCPServerID) (rota.MCPServer, error) {
	return one(ctx, q.db, "MCP server", scanMCPServer, `SELECT `+mcpServerColumns+` FROM mcp_servers s
		WHERE s.id = ? AND s.account = ? AND s.end_user = ?`+q.lock("s"), id, o.Account, o.EndUser)
}

// MCPServers returns a page of the MCP servers.
func (q Queries) MCPServers(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.MCPServer], error) {
	return listing[rota.MCPServer]{
		query: `SELECT ` + mcpServerColumns + ` FROM mcp_servers s WHERE s.account = ? AND s.end_user = ?`,
		key:   "s.id",
		args:  []any{o.Account, o.EndUser},
		scan:  scanMCPServer,
		id:    func(s rota.MCPServer) string { return string(s.ID) },
	}.page(ctx, q.db, p)
}

// AddMCPServer adds an MCP server.
func (q Queries) AddMCPServer(ctx context.Context, o rota.Owner, s rota.MCPServer) error {
	return q.write(ctx, `INSERT INTO mcp_servers (id, account, end_user, configuration, version, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, s.ID, o.Account, o.EndUser, js(s.MCPServerConfig), s.Version, s.CreatedAt.UnixMilli(), s.UpdatedAt.UnixMilli())
}

// SaveMCPServer writes an MCP server back.
func (q Queries) SaveMCPServer(ctx context.Context, o rota.Owner, s rota.MCPServer) error {
	n, err := q.exec(ctx, `UPDATE mcp_servers SET configuration = ?, version = ?, updated_at = ?
		WHERE id = ? AND account = ? AND end_user = ?`, js(s.MCPServerConfig), s.Version, s.UpdatedAt.UnixMilli(), s.ID, o.Account, o.EndUser)
	return must("MCP server", n, err)
}

// DeleteMCPServer deletes an MCP server and its credentials.
func (q Queries) DeleteMCPServer(ctx context.Context, o rota.Owner, id rota.MCPServerID) error {
	n, err := q.exec(ctx, `DELETE FROM mcp_servers WHERE id = ? AND account = ? AND end_user = ?`, id, o.Account, o.EndUser)
	if err := must("MCP server", n, err); err != nil {
		return err
	}
	return q.write(ctx, `DELETE FROM mcp_credentials WHERE server_id = ? AND account = ? AND end_user = ?`, id, o.Account, o.EndUser)
}

const mcpCredentialColumns = `c.id, c.server_id, c.name, c.auth_type, c.preview, c.header_names, c.sealed, c.expires_at, c.last_used_at, c.created_at, c.updated_at, c.revoked_at`

func scanMCPCredential(row Scanner) (rota.MCPCredential, error) {
	c := rota.MCPCredential{Object: rota.ObjectMCPCredential}
	var (
		name, preview                              sql.NullString
		expires, used, created, updated, revokedAt msTime
	)
	err := row.Scan(&c.ID, &c.ServerID, &name, &c.AuthType, &preview, jsonText{&c.HeaderNames}, &c.Sealed, &expires, &used, &created, &updated, &revokedAt)
	c.Name, c.AuthorizationPreview = ptr[string](name), ptr[string](preview)
	c.ExpiresAt, c.LastUsedAt, c.RevokedAt = expires.orNil(), used.orNil(), revokedAt.orNil()
	c.CreatedAt, c.UpdatedAt = created.instant(), updated.instant()
	return c, err
}

// MCPCredential returns a credential, also one that is revoked. In a transaction nobody
// else changes it until that ends.
func (q Queries) MCPCredential(ctx context.Context, o rota.Owner, id rota.MCPCredentialID) (rota.MCPCredential, error) {
	return one(ctx, q.db, "credential", scanMCPCredential, `SELECT `+mcpCredentialColumns+` FROM mcp_credentials c
		WHERE c.id = ? AND c.account = ? AND c.end_user = ?`+q.lock("c"), id, o.Account, o.EndUser)
}

// MCPCredentials returns a page of the credentials of a server, with those that are
// revoked if asked for.
func (q Queries) MCPCredentials(ctx context.Context, o rota.Owner, server rota.MCPServerID, revoked bool, p rota.Page) (rota.List[rota.MCPCredential], error) {
	query := `SELECT ` + mcpCredentialColumns + ` FROM mcp_credentials c WHERE c.server_id = ? AND c.account = ? AND c.end_user = ?`
	if !revoked {
		query += ` AND c.revoked_at IS NULL`
	}
	return listing[rota.MCPCredential]{
		query: query,
		key:   "c.id",
		args:  []any{server, o.Account, o.EndUser},
		scan:  scanMCPCredential,
		id:    func(c rota.MCPCredential) string { return string(c.ID) },
	}.page(ctx, q.db, p)
}

// AddMCPCredential adds a credential.
func (q Queries) AddMCPCredential(ctx context.Context, o rota.Owner, c rota.MCPCredential) error {
	return q.write(ctx, `INSERT INTO mcp_credentials (id, account, end_user, server_id, name, auth_type, preview, header_names, sealed, expires_at, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, c.ID, o.Account, o.EndUser, c.ServerID, orNull(c.Name), c.AuthType, orNull(c.AuthorizationPreview),
		js(c.HeaderNames), c.Sealed, instantMS(c.ExpiresAt), c.CreatedAt.UnixMilli(), c.UpdatedAt.UnixMilli())
}

// RevokeMCPCredential ends a credential: its secrets are gone at once.
func (q Queries) RevokeMCPCredential(ctx context.Context, o rota.Owner, id rota.MCPCredentialID, now time.Time) error {
	return q.write(ctx, `UPDATE mcp_credentials SET sealed = NULL, revoked_at = ?, updated_at = ?
		WHERE id = ? AND account = ? AND end_user = ? AND revoked_at IS NULL`, now.UnixMilli(), now.UnixMilli(), id, o.Account, o.EndUser)
}

// UsedMCPCredential notes when a credential was used.
func (q Queries) UsedMCPCredential(ctx context.Context, o rota.Owner, id rota.MCPCredentialID, at time.Time) error {
	return q.write(ctx, `UPDATE mcp_credentials SET last_used_at = ? WHERE id = ? AND account = ? AND end_user = ? AND COALESCE(last_used_at, 0) < ?`,
		at.UnixMilli(), id, o.Account, o.EndUser, at.UnixMilli())
}

// SealedCredentials returns up to limit credentials that have secrets, of all owners, whose
// ids are after one.
func (q Queries) SealedCredentials(ctx context.Context, after rota.MCPCredentialID, limit int) ([]rota.OwnedCredential, error) {
	return all(ctx, q.db, func(row Scanner) (rota.OwnedCredential, error) {
		var c rota.OwnedCredential
		err := row.Scan(&c.ID, &c.Owner.Account, &c.Owner.EndUser, &c.ServerID, &c.Sealed)
		return c, err
	}, `SELECT c.id, c.account, c.end_user, c.server_id, c.sealed FROM mcp_credentials c
		WHERE c.id > ? AND c.sealed IS NOT NULL ORDER BY c.id LIMIT ?`+q.lock("c"), after, limit)
}

// ResealCredential replaces the sealed secrets of a credential that is not revoked.
func (q Queries) ResealCredential(ctx context.Context, id rota.MCPCredentialID, sealed []byte) error {
	return q.write(ctx, `UPDATE mcp_credentials SET sealed = ? WHERE id = ? AND sealed IS NOT NULL`, sealed, id)
}
