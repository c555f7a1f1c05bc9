package storetest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var vault = []testCase{
	{"MCP servers and credentials are their owner's", vaultOwners},
	{"a credential that is revoked has no secrets", vaultRevoked},
	{"an MCP server takes its credentials with it", vaultDeleted},
	{"sealed credentials of all owners", vaultSealed},
}

func (w *world) addMCPServer(o rota.Owner) rota.MCPServer {
	w.Helper()
	at := rota.InstantOf(w.next())
	s := rota.MCPServer{
		Object: rota.ObjectMCPServer, ID: rota.NewMCPServerID(at.Time), CreatedAt: at, UpdatedAt: at, Version: 1,
		MCPServerConfig: rota.MCPServerConfig{
			Name: "Docs", ServerLabel: "docs", ServerURL: "https://mcp.example.com/", AllowedTools: rota.AnyOf([]string{"search"}),
			RequireApproval: "never", Metadata: map[string]string{"a": "b"},
		},
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddMCPServer(ctx, o, s) })
	return s
}

func (w *world) addMCPCredential(o rota.Owner, server rota.MCPServerID, change ...func(*rota.MCPCredential)) rota.MCPCredential {
	w.Helper()
	at := rota.InstantOf(w.next())
	k := rota.MCPCredential{
		Object: rota.ObjectMCPCredential, ID: rota.NewMCPCredentialID(at.Time), ServerID: server, AuthType: "bearer",
		AuthorizationPreview: new("Bearer …"), HeaderNames: []string{}, CreatedAt: at, UpdatedAt: at, Sealed: []byte{0, 1, 255},
	}
	for _, fn := range change {
		fn(&k)
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddMCPCredential(ctx, o, k) })
	return k
}

func (w *world) mcpCredential(o rota.Owner, id rota.MCPCredentialID) rota.MCPCredential {
	w.Helper()
	k, err := w.store.MCPCredential(w.Context(), o, id)
	require.NoError(w, err)
	return k
}

func vaultOwners(w *world) {
	s := w.addMCPServer(w.owner)
	expires := rota.InstantOf(start.Add(time.Hour))
	k := w.addMCPCredential(w.owner, s.ID, func(k *rota.MCPCredential) {
		k.Name, k.AuthType, k.AuthorizationPreview, k.HeaderNames, k.ExpiresAt = new("two"), "headers", nil, []string{"X-A", "X-B"}, &expires
	})
	got, err := w.store.MCPServer(w.Context(), w.owner, s.ID)
	require.NoError(w, err)
	w.same(s, got)
	w.same(k, w.mcpCredential(w.owner, k.ID))

	s.Name, s.Version, s.UpdatedAt = "Other", 2, rota.InstantOf(w.next())
	for _, other := range []rota.Owner{{Account: w.owner.Account, EndUser: "somebody"}, {Account: "other", EndUser: w.owner.EndUser}} {
		require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveMCPServer(ctx, other, s) }), rota.NotFound)
		require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error { return tx.DeleteMCPServer(ctx, other, s.ID) }), rota.NotFound)
		_, err = w.store.MCPServer(w.Context(), other, s.ID)
		require.ErrorIs(w, err, rota.NotFound)
		_, err = w.store.MCPCredential(w.Context(), other, k.ID)
		require.ErrorIs(w, err, rota.NotFound)
		l, err := w.store.MCPCredentials(w.Context(), other, s.ID, true, rota.Page{Limit: 10})
		require.NoError(w, err)
		require.Empty(w, l.Data)
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.RevokeMCPCredential(ctx, other, k.ID, w.now)
		})
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.UsedMCPCredential(ctx, other, k.ID, w.now)
		})
	}
	w.same(k, w.mcpCredential(w.owner, k.ID))
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveMCPServer(ctx, w.owner, s) })
	second := w.addMCPServer(w.owner)
	l, err := w.store.MCPServers(w.Context(), w.owner, rota.Page{Limit: 10})
	require.NoError(w, err)
	w.same([]rota.MCPServer{second, s}, l.Data)
}

func vaultRevoked(w *world) {
	s := w.addMCPServer(w.owner)
	k, other := w.addMCPCredential(w.owner, s.ID), w.addMCPCredential(w.owner, s.ID)
	used := w.next()
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.UsedMCPCredential(ctx, w.owner, k.ID, used)
	})
	require.Equal(w, used, w.mcpCredential(w.owner, k.ID).LastUsedAt.Time)
	at := w.next()
	for range 2 { // the second time changes nothing
		w.update(func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.RevokeMCPCredential(ctx, w.owner, k.ID, at)
		})
		at = at.Add(time.Second)
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.ResealCredential(ctx, k.ID, []byte{1}) })
	got := w.mcpCredential(w.owner, k.ID)
	require.Equal(w, at.Add(-2*time.Second), got.RevokedAt.Time)
	require.Empty(w, got.Sealed)
	for revoked, want := range map[bool][]rota.MCPCredential{false: {other}, true: {other, got}} {
		l, err := w.store.MCPCredentials(w.Context(), w.owner, s.ID, revoked, rota.Page{Limit: 10})
		require.NoError(w, err)
		w.same(want, l.Data)
	}
}

func vaultDeleted(w *world) {
	s, other := w.addMCPServer(w.owner), w.addMCPServer(w.owner)
	k, stays := w.addMCPCredential(w.owner, s.ID), w.addMCPCredential(w.owner, other.ID)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.DeleteMCPServer(ctx, w.owner, s.ID) })
	_, err := w.store.MCPCredential(w.Context(), w.owner, k.ID)
	require.ErrorIs(w, err, rota.NotFound)
	w.same(stays, w.mcpCredential(w.owner, stays.ID))
}

func vaultSealed(w *world) {
	theirs := rota.Owner{Account: "other", EndUser: "ana"}
	first := w.addMCPCredential(w.owner, w.addMCPServer(w.owner).ID)
	gone := w.addMCPCredential(w.owner, first.ServerID)
	second := w.addMCPCredential(theirs, w.addMCPServer(theirs).ID)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		return tx.RevokeMCPCredential(ctx, w.owner, gone.ID, w.now)
	})
	w.update(func(ctx context.Context, tx sqlstore.Queries) error {
		some, err := tx.SealedCredentials(ctx, "", 1)
		require.Equal(w, []rota.OwnedCredential{{Owner: w.owner, ID: first.ID, ServerID: first.ServerID, Sealed: first.Sealed}}, some)
		if err != nil {
			return err
		}
		some, err = tx.SealedCredentials(ctx, first.ID, 10)
		require.Equal(w, []rota.OwnedCredential{{Owner: theirs, ID: second.ID, ServerID: second.ServerID, Sealed: second.Sealed}}, some)
		if err != nil {
			return err
		}
		return tx.ResealCredential(ctx, second.ID, []byte{7})
	})
	require.Equal(w, []byte{7}, w.mcpCredential(theirs, second.ID).Sealed)
}
