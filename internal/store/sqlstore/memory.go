package sqlstore

import (
	"context"
	"strings"

	"github.com/rota-run/rota"
)

const memoryStoreColumns = `m.id, m.account, m.end_user, m.configuration, m.created_at, m.updated_at`

// visibleStores are the memory stores of an owner, and those of the account that its end
// users may read. Its arguments are those of [visibleTo].
const visibleStores = `(SELECT m.* FROM memory_stores m WHERE m.account = ? AND m.end_user = ?
	UNION ALL SELECT m.* FROM memory_stores m WHERE m.account = ? AND m.end_user = '' AND m.visibility = 'workspace' AND ? <> '')`

func visibleTo(o rota.Owner) []any { return []any{o.Account, o.EndUser, o.Account, o.EndUser} }

func scanMemoryStore(row Scanner) (rota.MemoryStore, error) {
	m := rota.MemoryStore{Object: rota.ObjectMemoryStore}
	err := row.Scan(&m.ID, &m.Owner.Account, &m.Owner.EndUser, jsonText{&m.MemoryStoreConfig}, seconds{&m.CreatedAt}, seconds{&m.UpdatedAt})
	return m, err
}

// MemoryStore returns a memory store that an owner sees, perhaps that of the account. In a
// transaction nobody else changes it until that ends.
func (q Queries) MemoryStore(ctx context.Context, o rota.Owner, id rota.MemoryStoreID) (rota.MemoryStore, error) {
	return one(ctx, q.db, "memory store", scanMemoryStore, `SELECT `+memoryStoreColumns+` FROM memory_stores m
		WHERE m.id = ? AND m.account = ? AND (m.end_user = ? OR m.end_user = '' AND m.visibility = 'workspace')`+q.lock("m"), id, o.Account, o.EndUser)
}

// MemoryStores returns a page of the memory stores that an owner sees.
func (q Queries) MemoryStores(ctx context.Context, o rota.Owner, p rota.Page) (rota.List[rota.MemoryStore], error) {
	return listing[rota.MemoryStore]{
		query: `SELECT ` + memoryStoreColumns + ` FROM ` + visibleStores + ` m WHERE TRUE`,
		key:   "m.id",
		args:  visibleTo(o),
		scan:  scanMemoryStore,
		id:    func(m rota.MemoryStore) string { return string(m.ID) },
	}.page(ctx, q.db, p)
}

// CountMemoryStores counts those of an owner.
func (q Queries) CountMemoryStores(ctx context.Context, o rota.Owner) (int64, error) {
	return one(ctx, q.db, "memory store", scanInt, `SELECT COUNT(*) FROM memory_stores m WHERE m.account = ? AND m.end_user = ?`, o.Account, o.EndUser)
}

// AddMemoryStore adds a memory store.
func (q Queries) AddMemoryStore(ctx context.Context, m rota.MemoryStore) error {
	return q.write(ctx, `INSERT INTO memory_stores (id, account, end_user, visibility, configuration, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		m.ID, m.Owner.Account, m.Owner.EndUser, m.Visibility, js(m.MemoryStoreConfig), m.CreatedAt*1000, m.UpdatedAt*1000)
}

// SaveMemoryStore writes a memory store back.
func (q Queries) SaveMemoryStore(ctx context.Context, m rota.MemoryStore) error {
	n, err := q.exec(ctx, `UPDATE memory_stores SET visibility = ?, configuration = ?, updated_at = ? WHERE id = ? AND account = ? AND end_user = ?`,
		m.Visibility, js(m.MemoryStoreConfig), m.UpdatedAt*1000, m.ID, m.Owner.Account, m.Owner.EndUser)
	return must("memory store", n, err)
}

// DeleteMemoryStore deletes a memory store and its entries.
func (q Queries) DeleteMemoryStore(ctx context.Context, o rota.Owner, id rota.MemoryStoreID) error {
	n, err := q.exec(ctx, `DELETE FROM memory_stores WHERE id = ? AND account = ? AND end_user = ?`, id, o.Account, o.EndUser)
	if err := must("memory store", n, err); err != nil {
		return err
	}
	return q.write(ctx, `DELETE FROM memory_entries WHERE store_id = ? AND account = ? AND end_user = ?`, id, o.Account, o.EndUser)
}

const memoryEntryColumns = `n.id, n.store_id, n.path, n.content, n.metadata, n.created_at, n.updated_at`

func scanMemoryEntry(row Scanner) (rota.MemoryEntry, error) {
	e := rota.MemoryEntry{Object: rota.ObjectMemoryEntry}
	content := ""
	err := row.Scan(&e.ID, &e.StoreID, &e.Path, &content, jsonText{&e.Metadata}, seconds{&e.CreatedAt}, seconds{&e.UpdatedAt})
	e.Write(content)
	return e, err
}

// MemoryEntry returns an entry of a store, which the caller must have found. In a
// transaction nobody else changes it until that ends.
func (q Queries) MemoryEntry(ctx context.Context, store rota.MemoryStoreID, id rota.MemoryEntryID) (rota.MemoryEntry, error) {
	return one(ctx, q.db, "memory entry", scanMemoryEntry, `SELECT `+memoryEntryColumns+` FROM memory_entries n
		WHERE n.id = ? AND n.store_id = ?`+q.lock("n"), id, store)
}

// MemoryEntryAt returns the entry under a path, like MemoryEntry otherwise.
func (q Queries) MemoryEntryAt(ctx context.Context, store rota.MemoryStoreID, path string) (rota.MemoryEntry, error) {
	return one(ctx, q.db, "memory entry", scanMemoryEntry, `SELECT `+memoryEntryColumns+` FROM memory_entries n
		WHERE n.store_id = ? AND n.path = ?`+q.lock("n"), store, path)
}

// MemoryEntries returns a page of the entries of a store, which the caller must have found.
func (q Queries) MemoryEntries(ctx context.Context, store rota.MemoryStoreID, p rota.Page) (rota.List[rota.MemoryEntry], error) {
	return listing[rota.MemoryEntry]{
		query: `SELECT ` + memoryEntryColumns + ` FROM memory_entries n WHERE n.store_id = ?`,
		key:   "n.id",
		args:  []any{store},
		scan:  scanMemoryEntry,
		id:    func(e rota.MemoryEntry) string { return string(e.ID) },
	}.page(ctx, q.db, p)
}

// MemoryPaths returns the paths of a store.
func (q Queries) MemoryPaths(ctx context.Context, store rota.MemoryStoreID) ([]string, error) {
	return all(ctx, q.db, scanText, `SELECT n.path FROM memory_entries n WHERE n.store_id = ? LIMIT ?`, store, rota.MaxMemoryEntries)
}

// CountMemoryEntries counts the entries of a store.
func (q Queries) CountMemoryEntries(ctx context.Context, store rota.MemoryStoreID) (int64, error) {
	return one(ctx, q.db, "memory entry", scanInt, `SELECT COUNT(*) FROM memory_entries n WHERE n.store_id = ?`, store)
}

// AddMemoryEntry adds an entry to a store of an owner. It is a Conflict if there is one
// under its path.
func (q Queries) AddMemoryEntry(ctx context.Context, o rota.Owner, e rota.MemoryEntry) error {
	n, err := q.exec(ctx, `INSERT INTO memory_entries (id, account, end_user, store_id, path, content, metadata, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (store_id, path) DO NOTHING`,
		e.ID, o.Account, o.EndUser, e.StoreID, e.Path, e.Content, js(e.Metadata), e.CreatedAt*1000, e.UpdatedAt*1000)
	if err == nil && n == 0 {
		return rota.Errorf(rota.Conflict, "there is a note under the path %q: update that", strings.ToValidUTF8(e.Path, "�"))
	}
	return err
}

// SaveMemoryEntry writes an entry back.
func (q Queries) SaveMemoryEntry(ctx context.Context, e rota.MemoryEntry) error {
	n, err := q.exec(ctx, `UPDATE memory_entries SET content = ?, metadata = ?, updated_at = ? WHERE id = ? AND store_id = ?`,
		e.Content, js(e.Metadata), e.UpdatedAt*1000, e.ID, e.StoreID)
	return must("memory entry", n, err)
}

// DeleteMemoryEntry deletes an entry.
func (q Queries) DeleteMemoryEntry(ctx context.Context, store rota.MemoryStoreID, id rota.MemoryEntryID) error {
	n, err := q.exec(ctx, `DELETE FROM memory_entries WHERE id = ? AND store_id = ?`, id, store)
	return must("memory entry", n, err)
}
