package client

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

// MemoryStores are notes that last: those of the client's owner, and those of the account
// that its end users may read.
type MemoryStores struct{ s *sender }

func memoryPath(rest ...string) []string { return append([]string{"llm", "memory_stores"}, rest...) }

// Create makes a memory store.
func (m MemoryStores) Create(ctx context.Context, body rota.MemoryStoreCreate, opts ...CallOption) (rota.MemoryStore, error) {
	return call[rota.MemoryStore](ctx, m.s, http.MethodPost, memoryPath(), body, opts)
}

// List returns one page of the memory stores.
func (m MemoryStores) List(ctx context.Context, p rota.Page, opts ...CallOption) (rota.List[rota.MemoryStore], error) {
	return list[rota.MemoryStore](ctx, m.s, memoryPath(), p, opts)
}

// Get returns a memory store, without its notes.
func (m MemoryStores) Get(ctx context.Context, id rota.MemoryStoreID, opts ...CallOption) (rota.MemoryStore, error) {
	return call[rota.MemoryStore](ctx, m.s, http.MethodGet, memoryPath(string(id)), nil, opts)
}

// Update changes what the body says of a memory store.
func (m MemoryStores) Update(ctx context.Context, id rota.MemoryStoreID, body rota.MemoryStoreUpdate, opts ...CallOption) (rota.MemoryStore, error) {
	return call[rota.MemoryStore](ctx, m.s, http.MethodPost, memoryPath(string(id)), body, opts)
}

// Delete deletes a memory store and its notes.
func (m MemoryStores) Delete(ctx context.Context, id rota.MemoryStoreID, opts ...CallOption) (rota.Deleted[rota.MemoryStoreID], error) {
	return call[rota.Deleted[rota.MemoryStoreID]](ctx, m.s, http.MethodDelete, memoryPath(string(id)), nil, opts)
}

// CreateEntry makes a note. The error is Conflict if there is one under its path.
func (m MemoryStores) CreateEntry(ctx context.Context, store rota.MemoryStoreID, body rota.MemoryEntryCreate, opts ...CallOption) (rota.MemoryEntry, error) {
	return call[rota.MemoryEntry](ctx, m.s, http.MethodPost, memoryPath(string(store), "entries"), body, opts)
}

// Entries returns one page of the notes of a memory store.
func (m MemoryStores) Entries(ctx context.Context, store rota.MemoryStoreID, p rota.Page, opts ...CallOption) (rota.List[rota.MemoryEntry], error) {
	return list[rota.MemoryEntry](ctx, m.s, memoryPath(string(store), "entries"), p, opts)
}

// Entry returns a note.
func (m MemoryStores) Entry(ctx context.Context, store rota.MemoryStoreID, id rota.MemoryEntryID, opts ...CallOption) (rota.MemoryEntry, error) {
	return call[rota.MemoryEntry](ctx, m.s, http.MethodGet, memoryPath(string(store), "entries", string(id)), nil, opts)
}

// UpdateEntry replaces the content of a note. The error is Precondition if the note has
// not the hash that the body says.
func (m MemoryStores) UpdateEntry(ctx context.Context, store rota.MemoryStoreID, id rota.MemoryEntryID, body rota.MemoryEntryUpdate, opts ...CallOption) (rota.MemoryEntry, error) {
	return call[rota.MemoryEntry](ctx, m.s, http.MethodPost, memoryPath(string(store), "entries", string(id)), body, opts)
}

// DeleteEntry deletes a note. The error is Precondition if the note has not the hash that
// the body says.
func (m MemoryStores) DeleteEntry(ctx context.Context, store rota.MemoryStoreID, id rota.MemoryEntryID, body rota.MemoryEntryDelete, opts ...CallOption) (rota.Deleted[rota.MemoryEntryID], error) {
	return call[rota.Deleted[rota.MemoryEntryID]](ctx, m.s, http.MethodDelete, memoryPath(string(store), "entries", string(id)), body, opts)
}
