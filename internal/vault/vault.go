// Package vault opens the credentials of stored MCP servers, for those who call them.
package vault

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/seal"
)

// usedEvery is how exactly the last use of a credential is noted: each note is a write.
const usedEvery = time.Hour

// A Store has MCP servers and their credentials.
type Store interface {
	Reader

	// Update runs fn in one transaction and returns when it is durable. fn may run twice.
	Update(ctx context.Context, fn func(context.Context, Tx) error) error
}

// A Reader reads MCP servers and their credentials.
type Reader interface {
	MCPServer(ctx context.Context, o rota.Owner, id rota.MCPServerID) (rota.MCPServer, error)
	MCPCredential(ctx context.Context, o rota.Owner, id rota.MCPCredentialID) (rota.MCPCredential, error)
	MCPCredentials(ctx context.Context, o rota.Owner, server rota.MCPServerID, revoked bool, p rota.Page) (rota.List[rota.MCPCredential], error)
}

// A Tx is one transaction.
type Tx interface {
	// UsedMCPCredential notes when a credential was used.
	UsedMCPCredential(ctx context.Context, o rota.Owner, id rota.MCPCredentialID, at time.Time) error
}

// A Vault opens credentials with the server's secrets. All fields are required.
type Vault struct {
	Store  Store
	Secret seal.Ring
	Now    func() time.Time
}

// Server returns an MCP server.
func (v *Vault) Server(ctx context.Context, o rota.Owner, id rota.MCPServerID) (rota.MCPServer, error) {
	return v.Store.MCPServer(ctx, o, id)
}

// Headers returns what a server is to be shown: those of the credential, or if it is empty
// of the newest one of the server that is not revoked or expired; none if there is none.
// The error is Invalid, with words for the caller, if the credential cannot be used.
func (v *Vault) Headers(ctx context.Context, o rota.Owner, server rota.MCPServerID, credential rota.MCPCredentialID) (map[string]string, error) {
	k, err := v.pick(ctx, o, server, credential)
	if err != nil || k == nil {
		return nil, err
	}
	plain, err := v.Secret.Open(k.Sealed, rota.CredentialPurpose(o, server, k.ID))
	if err != nil {
		return nil, &rota.Error{Code: rota.Invalid, Err: err, Msg: "the credential " + string(k.ID) + " cannot be opened: it is sealed with a secret that the server does not have"}
	}
	var headers map[string]string
	if err := json.Unmarshal(plain, &headers); err != nil {
		return nil, errors.New("a credential is not what was sealed") // never with the text, which is secret
	}
	return headers, v.used(ctx, o, *k)
}

// pick returns the credential that is to be used; nil if there is none.
func (v *Vault) pick(ctx context.Context, o rota.Owner, server rota.MCPServerID, id rota.MCPCredentialID) (*rota.MCPCredential, error) {
	if id == "" {
		const atMost = 100
		l, err := v.Store.MCPCredentials(ctx, o, server, false, rota.Page{Limit: atMost})
		for _, k := range l.Data {
			if v.refused(k, server) == "" {
				return &k, err
			}
		}
		return nil, err
	}
	k, err := v.Store.MCPCredential(ctx, o, id)
	if errors.Is(err, rota.NotFound) {
		return nil, rota.Errorf(rota.Invalid, "there is no credential %q", id)
	}
	if err != nil {
		return nil, err
	}
	if why := v.refused(k, server); why != "" {
		return nil, rota.Errorf(rota.Invalid, "the credential %q %s", id, why)
	}
	return &k, nil
}

// refused says why a credential must not be used; empty if it may be.
func (v *Vault) refused(k rota.MCPCredential, server rota.MCPServerID) string {
	switch {
	case k.ServerID != server:
		return "is that of another MCP server"
	case k.RevokedAt != nil:
		return "is revoked"
	case k.ExpiresAt != nil && !k.ExpiresAt.After(v.Now()):
		return "has expired"
	}
	return ""
}

func (v *Vault) used(ctx context.Context, o rota.Owner, k rota.MCPCredential) error {
	now := v.Now()
	if k.LastUsedAt != nil && now.Sub(k.LastUsedAt.Time) < usedEvery {
		return nil
	}
	return v.Store.Update(ctx, func(ctx context.Context, tx Tx) error { return tx.UsedMCPCredential(ctx, o, k.ID, now) })
}
