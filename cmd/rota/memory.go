package main

import (
	"context"
	"strconv"
	"time"

	"github.com/rota-run/rota"
)

type memoryStoresCmd struct {
	Create  memoryStoresCreate  `cmd:"" help:"Make a memory store." example:"rota memory-stores create --name Customers --instructions 'One note for each customer.'"`
	List    memoryStoresList    `cmd:"" help:"List the memory stores." example:"rota memory-stores list"`
	Get     memoryStoresGet     `cmd:"" help:"Show a memory store." example:"rota memory-stores get --memory-store-id $STORE"`
	Update  memoryStoresUpdate  `cmd:"" help:"Change a memory store." example:"rota memory-stores update --memory-store-id $STORE --visibility workspace"`
	Delete  memoryStoresDelete  `cmd:"" help:"Delete a memory store and its notes." example:"rota memory-stores delete --memory-store-id $STORE"`
	Entries memoryStoresEntries `cmd:"" help:"List the notes of a memory store." example:"rota memory-stores entries --memory-store-id $STORE"`
	Read    memoryStoresRead    `cmd:"" help:"Print a note." example:"rota memory-stores read --memory-store-id $STORE --entry-id $ENTRY"`
	Add     memoryStoresAdd     `cmd:"" help:"Make a note." example:"rota memory-stores add --memory-store-id $STORE --path customers/ada.md --content 'Prefers mornings.'"`
	Write   memoryStoresWrite   `cmd:"" help:"Replace the content of a note." example:"rota memory-stores write --memory-store-id $STORE --entry-id $ENTRY --content 'Prefers evenings.'"`
	Forget  memoryStoresForget  `cmd:"" help:"Delete a note." example:"rota memory-stores forget --memory-store-id $STORE --entry-id $ENTRY"`
}

// memoryStoreID is the flag of verbs that are about one memory store.
type memoryStoreID struct {
	MemoryStoreID rota.MemoryStoreID `required:"" placeholder:"ID" help:"Id of the memory store."`
}

// memoryStoreFlags are what is said about a memory store.
type memoryStoreFlags struct {
	Name         *string          `placeholder:"TEXT" help:"Name for people."`
	Description  *string          `placeholder:"TEXT" help:"What it is for."`
	Instructions *string          `placeholder:"TEXT" help:"What a model is told about the notes."`
	Visibility   *rota.Visibility `enum:"private,workspace" placeholder:"WHO" help:"Who sees it: private (its owner; the default) or workspace (all end users of the account, who can read it)."`
	metadataFlag
}

func (f memoryStoreFlags) update() rota.MemoryStoreUpdate {
	return rota.MemoryStoreUpdate{
		Name: some(f.Name), Description: clearable(f.Description), Instructions: clearable(f.Instructions), Visibility: some(f.Visibility), Metadata: f.metadataFlag.update(),
	}
}

type memoryStoresCreate struct {
	Fields memoryStoreFlags `embed:""`
	Body   bodyFlag         `embed:""`
}

func (c *memoryStoresCreate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	if raw == nil && c.Fields.Name == nil {
		return usagef("give --name, or --body")
	}
	f := c.Fields.update()
	in := rota.MemoryStoreCreate{Name: text(c.Fields.Name), Description: f.Description, Instructions: f.Instructions, Visibility: f.Visibility, Metadata: c.Fields.Metadata}
	return show(s, memoryStoreCard)(s.MemoryStores.Create(ctx, in, append(s.call, raw...)...))
}

type memoryStoresList struct {
	Part listFlags `embed:""`
}

func (c *memoryStoresList) Run(ctx context.Context, s *session) error {
	columns := []column[rota.MemoryStore]{
		{"ID", func(m rota.MemoryStore) string { return string(m.ID) }},
		{"NAME", func(m rota.MemoryStore) string { return m.Name }},
		{"VISIBILITY", func(m rota.MemoryStore) string { return string(m.Visibility) }},
		{"DESCRIPTION", func(m rota.MemoryStore) string { return text(m.Description) }},
	}
	return many(s, c.Part, columns, func(p rota.Page) (rota.List[rota.MemoryStore], error) { return s.MemoryStores.List(ctx, p, s.call...) })
}

type memoryStoresGet struct{ memoryStoreID }

func (c *memoryStoresGet) Run(ctx context.Context, s *session) error {
	return show(s, memoryStoreCard)(s.MemoryStores.Get(ctx, c.MemoryStoreID, s.call...))
}

type memoryStoresUpdate struct {
	memoryStoreID
	Fields memoryStoreFlags `embed:""`
	Body   bodyFlag         `embed:""`
}

func (c *memoryStoresUpdate) Run(ctx context.Context, s *session) error {
	raw, err := c.Body.raw(s.in, c.Fields)
	if err != nil {
		return err
	}
	return show(s, memoryStoreCard)(s.MemoryStores.Update(ctx, c.MemoryStoreID, c.Fields.update(), append(s.call, raw...)...))
}

type memoryStoresDelete struct{ memoryStoreID }

func (c *memoryStoresDelete) Run(ctx context.Context, s *session) error {
	return show(s, deleted[rota.MemoryStoreID])(s.MemoryStores.Delete(ctx, c.MemoryStoreID, s.call...))
}

type memoryStoresEntries struct {
	memoryStoreID
	Part listFlags `embed:""`
}

func (c *memoryStoresEntries) Run(ctx context.Context, s *session) error {
	columns := []column[rota.MemoryEntry]{
		{"ID", func(e rota.MemoryEntry) string { return string(e.ID) }},
		{"PATH", func(e rota.MemoryEntry) string { return e.Path }},
		{"BYTES", func(e rota.MemoryEntry) string { return strconv.FormatInt(e.Bytes, 10) }},
		{"UPDATED", func(e rota.MemoryEntry) string { return unixTime(e.UpdatedAt) }},
	}
	return many(s, c.Part, columns, func(p rota.Page) (rota.List[rota.MemoryEntry], error) {
		return s.MemoryStores.Entries(ctx, c.MemoryStoreID, p, s.call...)
	})
}

// memoryEntryID are the flags of verbs that are about one note.
type memoryEntryID struct {
	memoryStoreID
	EntryID rota.MemoryEntryID `required:"" placeholder:"ID" help:"Id of the note."`
}

type memoryStoresRead struct{ memoryEntryID }

func (c *memoryStoresRead) Run(ctx context.Context, s *session) error {
	return show(s, memoryEntryCard)(s.MemoryStores.Entry(ctx, c.MemoryStoreID, c.EntryID, s.call...))
}

type memoryStoresAdd struct {
	memoryStoreID
	Path    string `required:"" placeholder:"PATH" help:"Its name in the store, such as customers/ada.md."`
	Content string `required:"" placeholder:"TEXT" help:"What it says."`
	metadataFlag
}

func (c *memoryStoresAdd) Run(ctx context.Context, s *session) error {
	in := rota.MemoryEntryCreate{Path: c.Path, Content: c.Content, Metadata: c.Metadata}
	return show(s, memoryEntryCard)(s.MemoryStores.CreateEntry(ctx, c.MemoryStoreID, in, s.call...))
}

// contentHashFlag is the hash that a note must have to be changed.
type contentHashFlag struct {
	ContentHash *string `placeholder:"HASH" help:"Only if the note has this content_hash."`
}

type memoryStoresWrite struct {
	memoryEntryID
	Content string `required:"" placeholder:"TEXT" help:"What it says from now on."`
	contentHashFlag
	metadataFlag
}

func (c *memoryStoresWrite) Run(ctx context.Context, s *session) error {
	in := rota.MemoryEntryUpdate{Content: c.Content, IfMatch: some(c.ContentHash), Metadata: c.metadataFlag.update()}
	return show(s, memoryEntryCard)(s.MemoryStores.UpdateEntry(ctx, c.MemoryStoreID, c.EntryID, in, s.call...))
}

type memoryStoresForget struct {
	memoryEntryID
	contentHashFlag
}

func (c *memoryStoresForget) Run(ctx context.Context, s *session) error {
	in := rota.MemoryEntryDelete{IfMatch: some(c.ContentHash)}
	return show(s, deleted[rota.MemoryEntryID])(s.MemoryStores.DeleteEntry(ctx, c.MemoryStoreID, c.EntryID, in, s.call...))
}

func unixTime(seconds int64) string { return nominal(time.Unix(seconds, 0).UTC()) }

func memoryStoreCard(m rota.MemoryStore) []line {
	return []line{
		{"id", string(m.ID)},
		{"name", m.Name},
		{"description", text(m.Description)},
		{"instructions", text(m.Instructions)},
		{"visibility", string(m.Visibility)},
		{"metadata", metadataText(m.Metadata)},
		{"created", unixTime(m.CreatedAt)},
		{"updated", unixTime(m.UpdatedAt)},
	}
}

func memoryEntryCard(e rota.MemoryEntry) []line {
	return []line{
		{"id", string(e.ID)},
		{"path", e.Path},
		{"content", prose(e.Content)},
		{"content hash", e.ContentHash},
		{"metadata", metadataText(e.Metadata)},
		{"created", unixTime(e.CreatedAt)},
		{"updated", unixTime(e.UpdatedAt)},
	}
}
