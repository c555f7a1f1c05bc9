package rota

import (
	"crypto/sha256"
	"encoding/hex"
)

// The object fields of memory. Source: contract.md, Memory stores.
const (
	ObjectMemoryStore        = "memory_store"
	ObjectMemoryStoreDeleted = "memory_store.deleted"
	ObjectMemoryEntry        = "memory_entry"
	ObjectMemoryEntryDeleted = "memory_entry.deleted"
)

// A MemoryStore is notes that last, each under a path.
type MemoryStore struct {
	Object string        `json:"object" enum:"memory_store"`
	ID     MemoryStoreID `json:"id"`
	MemoryStoreConfig
	CreatedAt int64  `json:"created_at" doc:"Unix seconds."`
	UpdatedAt int64  `json:"updated_at" doc:"Unix seconds, of the store itself: entries have their own."`
	DeletedAt *int64 `json:"deleted_at" doc:"Always null: a store that is deleted is gone."`

	Owner Owner `json:"-"` // whose it is: not the caller if it is shared
}

// A MemoryStoreConfig is what callers say about a memory store.
type MemoryStoreConfig struct {
	Name         string            `json:"name"`
	Description  *string           `json:"description"`
	Instructions *string           `json:"instructions" doc:"What a model is told about the notes."`
	Visibility   Visibility        `json:"visibility" enum:"private,workspace"`
	Metadata     map[string]string `json:"metadata"`
}

// A MemoryStoreCreate is the body that makes a memory store.
type MemoryStoreCreate struct {
	Name         string            `json:"name" minLength:"1" maxLength:"120"`
	Description  Opt[string]       `json:"description,omitzero" maxLength:"2000" nullable:"true"`
	Instructions Opt[string]       `json:"instructions,omitzero" maxLength:"4000" nullable:"true" doc:"What a model is told about the notes."`
	Visibility   Opt[Visibility]   `json:"visibility,omitzero" enum:"private,workspace" doc:"Who sees it: its owner alone, or all end users of the account as well, who can read it and not change it. Default private; an end user has no other."`
	Metadata     map[string]string `json:"metadata,omitempty"`
}

// A MemoryStoreUpdate is the body of a partial update: what is absent stays.
type MemoryStoreUpdate struct {
	Name         Opt[string]            `json:"name,omitzero" minLength:"1" maxLength:"120"`
	Description  Opt[string]            `json:"description,omitzero" maxLength:"2000" nullable:"true"`
	Instructions Opt[string]            `json:"instructions,omitzero" maxLength:"4000" nullable:"true"`
	Visibility   Opt[Visibility]        `json:"visibility,omitzero" enum:"private,workspace"`
	Metadata     Opt[map[string]string] `json:"metadata,omitzero" doc:"replaces the whole"`
}

// A MemoryEntry is one note.
type MemoryEntry struct {
	Object      string            `json:"object" enum:"memory_entry"`
	ID          MemoryEntryID     `json:"id"`
	StoreID     MemoryStoreID     `json:"memory_store_id"`
	Path        string            `json:"path"`
	Content     string            `json:"content"`
	ContentHash string            `json:"content_hash" doc:"The SHA-256 of the content, in hexadecimal digits."`
	Bytes       int64             `json:"bytes" doc:"Of the content, in UTF-8."`
	Metadata    map[string]string `json:"metadata"`
	CreatedAt   int64             `json:"created_at" doc:"Unix seconds."`
	UpdatedAt   int64             `json:"updated_at" doc:"Unix seconds."`
}

// Write sets the content, with its hash and its length.
func (e *MemoryEntry) Write(content string) {
	sum := sha256.Sum256([]byte(content))
	e.Content, e.ContentHash, e.Bytes = content, hex.EncodeToString(sum[:]), int64(len(content))
}

// A MemoryEntryCreate is the body that makes a note.
type MemoryEntryCreate struct {
	Path     string            `json:"path" minLength:"1" maxLength:"512" doc:"Its name in the store, such as customers/ada.md. There is one note under each path."`
	Content  string            `json:"content" maxLength:"100000"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// A MemoryEntryUpdate is the body that replaces the content of a note.
type MemoryEntryUpdate struct {
	Content  string                 `json:"content" maxLength:"100000"`
	IfMatch  Opt[string]            `json:"if_match,omitzero" nullable:"true" doc:"The content_hash that the note must have; 412 if somebody has changed it."`
	Metadata Opt[map[string]string] `json:"metadata,omitzero" doc:"replaces the whole"`
}

// A MemoryEntryDelete is the body that deletes a note.
type MemoryEntryDelete struct {
	IfMatch Opt[string] `json:"if_match,omitzero" nullable:"true" doc:"The content_hash that the note must have; 412 if somebody has changed it."`
}

// The bounds of memory.
const (
	MaxMemoryStores  = 1000    // of an owner
	MaxMemoryEntries = 1000    // of a store
	MaxMemoryContent = 100_000 // characters of a note
	MaxMemoryPath    = 512     // characters
)
