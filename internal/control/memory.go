package control

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// CreateMemoryStore makes a memory store. It is LimitReached if the owner has as many as
// may be. Scope write:agents.
func (c *Control) CreateMemoryStore(ctx context.Context, who auth.Caller, in rota.MemoryStoreCreate, w Write) (rota.MemoryStore, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "create_memory_store"); err != nil {
		return rota.MemoryStore{}, err
	}
	m := rota.MemoryStore{Object: rota.ObjectMemoryStore, Owner: who.Owner, MemoryStoreConfig: rota.MemoryStoreConfig{Name: in.Name, Visibility: rota.Private, Metadata: in.Metadata}}
	in.Description.ApplyNullable(&m.Description)
	in.Instructions.ApplyNullable(&m.Instructions)
	in.Visibility.Apply(&m.Visibility)
	if m.Metadata == nil {
		m.Metadata = map[string]string{}
	}
	if err := mayBe(who, m.Visibility); err != nil {
		return m, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.MemoryStore, error) {
		n, err := tx.CountMemoryStores(ctx, who.Owner)
		if err == nil && n >= rota.MaxMemoryStores {
			err = rota.Errorf(rota.LimitReached, "there are %d memory stores, and there may be no more: delete one", n)
		}
		if err != nil {
			return m, err
		}
		m.ID, m.CreatedAt, m.UpdatedAt = rota.NewMemoryStoreID(now), now.Unix(), now.Unix()
		return m, tx.AddMemoryStore(ctx, m)
	})
}

// MemoryStore returns a memory store. Scope read:agents.
func (c *Control) MemoryStore(ctx context.Context, who auth.Caller, id rota.MemoryStoreID) (rota.MemoryStore, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "memory_store", on("memory_store_id", id)); err != nil {
		return rota.MemoryStore{}, err
	}
	return c.Store.MemoryStore(ctx, who.Owner, id)
}

// MemoryStores returns a page of the memory stores that the caller sees. Scope
// read:agents.
func (c *Control) MemoryStores(ctx context.Context, who auth.Caller, p rota.Page) (rota.List[rota.MemoryStore], error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "memory_stores"); err != nil {
		return rota.List[rota.MemoryStore]{}, err
	}
	return c.Store.MemoryStores(ctx, who.Owner, p)
}

// UpdateMemoryStore changes a memory store. Scope write:agents.
func (c *Control) UpdateMemoryStore(ctx context.Context, who auth.Caller, id rota.MemoryStoreID, in rota.MemoryStoreUpdate, w Write) (rota.MemoryStore, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "update_memory_store", on("memory_store_id", id)); err != nil {
		return rota.MemoryStore{}, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.MemoryStore, error) {
		m, err := ownMemory(ctx, tx, who, id)
		if err != nil {
			return m, err
		}
		before := m.MemoryStoreConfig
		in.Name.Apply(&m.Name)
		in.Description.ApplyNullable(&m.Description)
		in.Instructions.ApplyNullable(&m.Instructions)
		in.Visibility.Apply(&m.Visibility)
		in.Metadata.Apply(&m.Metadata)
		if err := mayBe(who, m.Visibility); err != nil || same(before, m.MemoryStoreConfig) {
			return m, err
		}
		m.UpdatedAt = now.Unix()
		return m, tx.SaveMemoryStore(ctx, m)
	})
}

// ownMemory returns a memory store that the caller may change. It is Denied if the caller
// can only read it.
func ownMemory(ctx context.Context, from MemoryReader, who auth.Caller, id rota.MemoryStoreID) (rota.MemoryStore, error) {
	m, err := from.MemoryStore(ctx, who.Owner, id)
	if err == nil && m.Owner != who.Owner {
		err = rota.Errorf(rota.Denied, "this memory store is the account's: end users can read it, and not change it")
	}
	return m, err
}

// DeleteMemoryStore deletes a memory store and its entries. Scope write:agents.
func (c *Control) DeleteMemoryStore(ctx context.Context, who auth.Caller, id rota.MemoryStoreID, w Write) (rota.Deleted[rota.MemoryStoreID], error) {
	gone := rota.Deleted[rota.MemoryStoreID]{Object: rota.ObjectMemoryStoreDeleted, ID: id, Deleted: true}
	if err := c.enter(ctx, who, rota.WriteAgents, "delete_memory_store", on("memory_store_id", id)); err != nil {
		return gone, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, _ time.Time) (rota.Deleted[rota.MemoryStoreID], error) {
		if _, err := ownMemory(ctx, tx, who, id); err != nil {
			return gone, err
		}
		return gone, tx.DeleteMemoryStore(ctx, who.Owner, id)
	})
}

// CreateMemoryEntry makes a note. It is a Conflict if there is one under the path, and
// LimitReached if the store has as many as may be. Scope write:agents.
func (c *Control) CreateMemoryEntry(ctx context.Context, who auth.Caller, store rota.MemoryStoreID, in rota.MemoryEntryCreate, w Write) (rota.MemoryEntry, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "create_memory_entry", on("memory_store_id", store)); err != nil {
		return rota.MemoryEntry{}, err
	}
	if err := checkEntry(in.Path, in.Content); err != nil {
		return rota.MemoryEntry{}, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.MemoryEntry, error) {
		if _, err := ownMemory(ctx, tx, who, store); err != nil {
			return rota.MemoryEntry{}, err
		}
		return addEntry(ctx, tx, who.Owner, store, in, now)
	})
}

func addEntry(ctx context.Context, tx Tx, o rota.Owner, store rota.MemoryStoreID, in rota.MemoryEntryCreate, now time.Time) (rota.MemoryEntry, error) {
	n, err := tx.CountMemoryEntries(ctx, store)
	if err == nil && n >= rota.MaxMemoryEntries {
		err = rota.Errorf(rota.LimitReached, "the memory store has %d notes, and may have no more: delete one", n)
	}
	if err != nil {
		return rota.MemoryEntry{}, err
	}
	e := rota.MemoryEntry{Object: rota.ObjectMemoryEntry, ID: rota.NewMemoryEntryID(now), StoreID: store, Path: in.Path, Metadata: in.Metadata, CreatedAt: now.Unix(), UpdatedAt: now.Unix()}
	if e.Metadata == nil {
		e.Metadata = map[string]string{}
	}
	e.Write(in.Content)
	return e, tx.AddMemoryEntry(ctx, o, e)
}

// checkEntry refuses a path or a content that a note cannot have.
func checkEntry(path, content string) error {
	bad := func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }
	if path == "" || utf8.RuneCountInString(path) > rota.MaxMemoryPath || strings.ContainsFunc(path, bad) {
		return rota.InvalidField("path", "must be 1 to %d characters, without control characters", rota.MaxMemoryPath)
	}
	if utf8.RuneCountInString(content) > rota.MaxMemoryContent || strings.ContainsRune(content, 0) {
		return rota.InvalidField("content", "must be at most %d characters, without U+0000", rota.MaxMemoryContent)
	}
	return nil
}

// MemoryEntry returns a note. Scope read:agents.
func (c *Control) MemoryEntry(ctx context.Context, who auth.Caller, store rota.MemoryStoreID, id rota.MemoryEntryID) (rota.MemoryEntry, error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "memory_entry", on("memory_store_id", store), on("entry_id", id)); err != nil {
		return rota.MemoryEntry{}, err
	}
	if _, err := c.Store.MemoryStore(ctx, who.Owner, store); err != nil {
		return rota.MemoryEntry{}, err
	}
	return c.Store.MemoryEntry(ctx, store, id)
}

// MemoryEntries returns a page of the notes of a store. Scope read:agents.
func (c *Control) MemoryEntries(ctx context.Context, who auth.Caller, store rota.MemoryStoreID, p rota.Page) (rota.List[rota.MemoryEntry], error) {
	if err := c.enter(ctx, who, rota.ReadAgents, "memory_entries", on("memory_store_id", store)); err != nil {
		return rota.List[rota.MemoryEntry]{}, err
	}
	if _, err := c.Store.MemoryStore(ctx, who.Owner, store); err != nil {
		return rota.List[rota.MemoryEntry]{}, err
	}
	return c.Store.MemoryEntries(ctx, store, p)
}

// UpdateMemoryEntry replaces the content of a note. It is Precondition if the note
// has not the hash that it must have. Scope write:agents.
func (c *Control) UpdateMemoryEntry(ctx context.Context, who auth.Caller, store rota.MemoryStoreID, id rota.MemoryEntryID, in rota.MemoryEntryUpdate, w Write) (rota.MemoryEntry, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, "update_memory_entry", on("memory_store_id", store), on("entry_id", id)); err != nil {
		return rota.MemoryEntry{}, err
	}
	return write(ctx, c, who, w.growing(), func(ctx context.Context, tx Tx, now time.Time) (rota.MemoryEntry, error) {
		e, err := ownEntry(ctx, tx, who, store, id, in.IfMatch)
		if err != nil {
			return e, err
		}
		before := e
		e.Write(in.Content)
		in.Metadata.Apply(&e.Metadata)
		if same(before, e) {
			return e, nil
		}
		e.UpdatedAt = now.Unix()
		return e, tx.SaveMemoryEntry(ctx, e)
	})
}

// ownEntry returns a note that the caller may change, as it must be.
func ownEntry(ctx context.Context, tx Tx, who auth.Caller, store rota.MemoryStoreID, id rota.MemoryEntryID, ifMatch rota.Opt[string]) (rota.MemoryEntry, error) {
	if _, err := ownMemory(ctx, tx, who, store); err != nil {
		return rota.MemoryEntry{}, err
	}
	e, err := tx.MemoryEntry(ctx, store, id)
	if err != nil {
		return e, err
	}
	return e, unchanged(e, ifMatch)
}

func unchanged(e rota.MemoryEntry, ifMatch rota.Opt[string]) error {
	if hash, given := ifMatch.Get(); given && hash != e.ContentHash {
		return rota.Errorf(rota.Precondition, "the note has the content_hash %s, not the one of if_match: read it again", e.ContentHash)
	}
	return nil
}

// DeleteMemoryEntry deletes a note. It is Precondition if the note has not the hash
// that it must have. Scope write:agents.
func (c *Control) DeleteMemoryEntry(ctx context.Context, who auth.Caller, store rota.MemoryStoreID, id rota.MemoryEntryID, ifMatch rota.Opt[string], w Write) (rota.Deleted[rota.MemoryEntryID], error) {
	gone := rota.Deleted[rota.MemoryEntryID]{Object: rota.ObjectMemoryEntryDeleted, ID: id, Deleted: true}
	if err := c.enter(ctx, who, rota.WriteAgents, "delete_memory_entry", on("memory_store_id", store), on("entry_id", id)); err != nil {
		return gone, err
	}
	return write(ctx, c, who, w, func(ctx context.Context, tx Tx, _ time.Time) (rota.Deleted[rota.MemoryEntryID], error) {
		if _, err := ownEntry(ctx, tx, who, store, id, ifMatch); err != nil {
			return gone, err
		}
		return gone, tx.DeleteMemoryEntry(ctx, store, id)
	})
}

// entryAt returns the note under a path, or none.
func entryAt(ctx context.Context, from MemoryReader, store rota.MemoryStoreID, path string) (e rota.MemoryEntry, found bool, err error) {
	e, err = from.MemoryEntryAt(ctx, store, path)
	if errors.Is(err, rota.NotFound) {
		return e, false, nil
	}
	return e, err == nil, err
}
