package storetest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

var memory = []testCase{
	{"memory stores are their owner's, or shared", memoryOwners},
	{"a path has one note", memoryPaths},
	{"a memory store takes its notes with it", memoryDeleted},
}

func (w *world) addMemoryStore(o rota.Owner, v rota.Visibility) rota.MemoryStore {
	w.Helper()
	at := w.next()
	m := rota.MemoryStore{
		Object: rota.ObjectMemoryStore, ID: rota.NewMemoryStoreID(at), CreatedAt: at.Unix(), UpdatedAt: at.Unix(), Owner: o,
		MemoryStoreConfig: rota.MemoryStoreConfig{Name: "Notes", Instructions: new("one each"), Visibility: v, Metadata: map[string]string{"a": "b"}},
	}
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddMemoryStore(ctx, m) })
	return m
}

func (w *world) addMemoryEntry(m rota.MemoryStore, path, content string) rota.MemoryEntry {
	w.Helper()
	at := w.next()
	e := rota.MemoryEntry{Object: rota.ObjectMemoryEntry, ID: rota.NewMemoryEntryID(at), StoreID: m.ID, Path: path, Metadata: map[string]string{"c": "d"}, CreatedAt: at.Unix(), UpdatedAt: at.Unix()}
	e.Write(content)
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddMemoryEntry(ctx, m.Owner, e) })
	return e
}

func memoryOwners(w *world) {
	account := rota.Owner{Account: w.owner.Account}
	ana, bob, other := account, account, rota.Owner{Account: "other", EndUser: "ana"}
	ana.EndUser, bob.EndUser = "ana", "bob"
	shared, secret, hers := w.addMemoryStore(account, rota.Workspace), w.addMemoryStore(account, rota.Private), w.addMemoryStore(ana, rota.Private)
	for o, sees := range map[rota.Owner][]rota.MemoryStore{account: {secret, shared}, ana: {hers, shared}, bob: {shared}, other: nil} {
		l, err := w.store.MemoryStores(w.Context(), o, rota.Page{Limit: 10})
		require.NoError(w, err)
		require.Equal(w, sees, append([]rota.MemoryStore(nil), l.Data...), o)
		for _, m := range []rota.MemoryStore{shared, secret, hers} {
			got, err := w.store.MemoryStore(w.Context(), o, m.ID)
			if err == nil {
				require.Contains(w, sees, got)
			} else {
				require.ErrorIs(w, err, rota.NotFound)
				require.NotContains(w, sees, m)
			}
		}
	}
	n, err := w.store.CountMemoryStores(w.Context(), ana)
	require.NoError(w, err)
	require.EqualValues(w, 1, n)
	shared.Name, shared.Visibility = "Other", rota.Private
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveMemoryStore(ctx, shared) })
	_, err = w.store.MemoryStore(w.Context(), bob, shared.ID)
	require.ErrorIs(w, err, rota.NotFound)
	stolen := hers
	stolen.Owner = bob
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveMemoryStore(ctx, stolen) }), rota.NotFound)
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error { return tx.DeleteMemoryStore(ctx, bob, hers.ID) }), rota.NotFound)
}

func memoryPaths(w *world) {
	m, second := w.addMemoryStore(w.owner, rota.Private), w.addMemoryStore(w.owner, rota.Private)
	b, a := w.addMemoryEntry(m, "b", "café ☕"), w.addMemoryEntry(m, "A", "")
	w.addMemoryEntry(second, "b", "elsewhere")
	twice := b
	twice.ID = rota.NewMemoryEntryID(w.next())
	require.ErrorIs(w, w.try(func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddMemoryEntry(ctx, w.owner, twice) }), rota.Conflict)
	l, err := w.store.MemoryEntries(w.Context(), m.ID, rota.Page{Limit: 10})
	require.NoError(w, err)
	require.Equal(w, []rota.MemoryEntry{a, b}, l.Data)
	paths, err := w.store.MemoryPaths(w.Context(), m.ID)
	require.NoError(w, err)
	require.ElementsMatch(w, []string{"A", "b"}, paths)
	b.Write("new")
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.SaveMemoryEntry(ctx, b) })
	got, err := w.store.MemoryEntryAt(w.Context(), m.ID, "b")
	require.NoError(w, err)
	require.Equal(w, b, got)
	_, err = w.store.MemoryEntry(w.Context(), second.ID, b.ID)
	require.ErrorIs(w, err, rota.NotFound, "of another store")
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.DeleteMemoryEntry(ctx, m.ID, b.ID) })
	_, err = w.store.MemoryEntryAt(w.Context(), m.ID, "b")
	require.ErrorIs(w, err, rota.NotFound)
}

func memoryDeleted(w *world) {
	m, second := w.addMemoryStore(w.owner, rota.Private), w.addMemoryStore(w.owner, rota.Private)
	e, kept := w.addMemoryEntry(m, "a", "b"), w.addMemoryEntry(second, "a", "b")
	w.update(func(ctx context.Context, tx sqlstore.Queries) error { return tx.DeleteMemoryStore(ctx, w.owner, m.ID) })
	_, err := w.store.MemoryEntry(w.Context(), m.ID, e.ID)
	require.ErrorIs(w, err, rota.NotFound)
	got, err := w.store.MemoryEntry(w.Context(), second.ID, kept.ID)
	require.NoError(w, err)
	w.same(kept, got)
}
