package httpapi

import (
	"context"
	"net/http"

	"github.com/rota-run/rota"
)

const (
	memoryStoresPath  = llmPath + "/memory_stores"
	memoryStorePath   = memoryStoresPath + "/{memory_store_id}"
	memoryEntriesPath = memoryStorePath + "/entries"
	memoryEntryPath   = memoryEntriesPath + "/{entry_id}"
)

func (c call) memoryStore() rota.MemoryStoreID {
	return rota.MemoryStoreID(c.PathValue("memory_store_id"))
}

func (c call) memoryEntry() rota.MemoryEntryID { return rota.MemoryEntryID(c.PathValue("entry_id")) }

func (a *api) memoryOperations() []*operation {
	const tag = "Memory"
	return []*operation{
		lists(Route{http.MethodGet, memoryStoresPath, rota.ReadAgents, http.StatusOK, "list_memory_stores"}, a.listMemoryStores).
			says(tag, "List memory stores", "Newest first: the caller's own, and those of the account that its end users may read."),
		accepts(Route{http.MethodPost, memoryStoresPath, rota.WriteAgents, http.StatusCreated, "create_memory_store"}, a.createMemoryStore).
			says(tag, "Create a memory store", "An agent with a tool of the type memory keeps notes there.").
			like(`{"name": "Customers", "instructions": "One note for each customer."}`).
			with("idempotency_key").may(rota.LimitReached),
		answers(Route{http.MethodGet, memoryStorePath, rota.ReadAgents, http.StatusOK, "get_memory_store"}, a.getMemoryStore).
			says(tag, "Get a memory store", "The store without its notes."),
		accepts(Route{http.MethodPost, memoryStorePath, rota.WriteAgents, http.StatusOK, "update_memory_store"}, a.updateMemoryStore).
			says(tag, "Update a memory store", "What is left out stays.").
			like(`{"visibility": "workspace"}`).
			with("idempotency_key"),
		answers(Route{http.MethodDelete, memoryStorePath, rota.WriteAgents, http.StatusOK, "delete_memory_store"}, a.deleteMemoryStore).
			says(tag, "Delete a memory store", "Its notes go with it.").
			with("idempotency_key"),
		lists(Route{http.MethodGet, memoryEntriesPath, rota.ReadAgents, http.StatusOK, "list_memory_entries"}, a.listMemoryEntries).
			says(tag, "List the notes of a memory store", "Newest first, with their contents."),
		accepts(Route{http.MethodPost, memoryEntriesPath, rota.WriteAgents, http.StatusCreated, "create_memory_entry"}, a.createMemoryEntry).
			says(tag, "Create a note", "There is one note under each path: a second one is a 409.").
			like(`{"path": "customers/ada.md", "content": "Prefers mornings."}`).
			with("idempotency_key").may(rota.LimitReached, rota.Conflict),
		answers(Route{http.MethodGet, memoryEntryPath, rota.ReadAgents, http.StatusOK, "get_memory_entry"}, a.getMemoryEntry).
			says(tag, "Get a note", "The note with its content, and the hash of that."),
		accepts(Route{http.MethodPost, memoryEntryPath, rota.WriteAgents, http.StatusOK, "update_memory_entry"}, a.updateMemoryEntry).
			says(tag, "Update a note", "Replaces its content.").
			like(`{"content": "Prefers evenings."}`).
			with("idempotency_key").may(rota.Precondition),
		accepts(Route{http.MethodDelete, memoryEntryPath, rota.WriteAgents, http.StatusOK, "delete_memory_entry"}, a.deleteMemoryEntry).
			says(tag, "Delete a note", "The hash that it must have can be in the query or in the body.").
			like(`{}`).
			with("if_match_hash", "idempotency_key").maybe().may(rota.Precondition),
	}
}

func (a *api) listMemoryStores(ctx context.Context, c call, p rota.Page) (rota.List[rota.MemoryStore], error) {
	return a.Control.MemoryStores(ctx, c.who, p)
}

func (a *api) createMemoryStore(ctx context.Context, c call, in rota.MemoryStoreCreate) (rota.MemoryStore, error) {
	return a.Control.CreateMemoryStore(ctx, c.who, in, c.write)
}

func (a *api) getMemoryStore(ctx context.Context, c call) (rota.MemoryStore, error) {
	return a.Control.MemoryStore(ctx, c.who, c.memoryStore())
}

func (a *api) updateMemoryStore(ctx context.Context, c call, in rota.MemoryStoreUpdate) (rota.MemoryStore, error) {
	return a.Control.UpdateMemoryStore(ctx, c.who, c.memoryStore(), in, c.write)
}

func (a *api) deleteMemoryStore(ctx context.Context, c call) (rota.Deleted[rota.MemoryStoreID], error) {
	return a.Control.DeleteMemoryStore(ctx, c.who, c.memoryStore(), c.write)
}

func (a *api) listMemoryEntries(ctx context.Context, c call, p rota.Page) (rota.List[rota.MemoryEntry], error) {
	return a.Control.MemoryEntries(ctx, c.who, c.memoryStore(), p)
}

func (a *api) createMemoryEntry(ctx context.Context, c call, in rota.MemoryEntryCreate) (rota.MemoryEntry, error) {
	return a.Control.CreateMemoryEntry(ctx, c.who, c.memoryStore(), in, c.write)
}

func (a *api) getMemoryEntry(ctx context.Context, c call) (rota.MemoryEntry, error) {
	return a.Control.MemoryEntry(ctx, c.who, c.memoryStore(), c.memoryEntry())
}

func (a *api) updateMemoryEntry(ctx context.Context, c call, in rota.MemoryEntryUpdate) (rota.MemoryEntry, error) {
	return a.Control.UpdateMemoryEntry(ctx, c.who, c.memoryStore(), c.memoryEntry(), in, c.write)
}

func (a *api) deleteMemoryEntry(ctx context.Context, c call, in rota.MemoryEntryDelete) (rota.Deleted[rota.MemoryEntryID], error) {
	ifMatch := in.IfMatch
	if q := c.URL.Query(); q.Has("if_match") {
		if hash, given := ifMatch.Get(); given && hash != q.Get("if_match") {
			return rota.Deleted[rota.MemoryEntryID]{}, rota.InvalidField("if_match", "must not be one hash in the query and another in the body")
		}
		ifMatch = rota.Some(q.Get("if_match"))
	}
	return a.Control.DeleteMemoryEntry(ctx, c.who, c.memoryStore(), c.memoryEntry(), ifMatch, c.write)
}
