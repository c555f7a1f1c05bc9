package control

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/answer"
	"github.com/rota-run/rota/internal/auth"
)

// A noteCall is what an agent says to the tool memory.
type noteCall struct {
	Action  string           `json:"action"`
	Path    string           `json:"path"`
	Content string           `json:"content"`
	IfMatch rota.Opt[string] `json:"if_match"`
}

// CallOwn answers a call of a tool that Rota itself is: see [Control.CallSchedule] and
// [Control.CallMemory].
func (c *Control) CallOwn(ctx context.Context, from answer.Caller, call answer.Call) (answer.Result, error) {
	if call.Kind == answer.Memory {
		return c.CallMemory(ctx, from, call)
	}
	return c.CallSchedule(ctx, from, call)
}

// checkMemory refuses tools of the type memory that an owner cannot use.
func checkMemory(ctx context.Context, from MemoryReader, o rota.Owner, tools []json.RawMessage) error {
	return answer.CheckMemory(tools, func(id rota.MemoryStoreID) error {
		_, err := from.MemoryStore(ctx, o, id)
		return err
	})
}

// mayRemember refuses tools of the type memory to whoever may not do what they do.
func mayRemember(who auth.Caller, tools []json.RawMessage) error {
	all, err := answer.ReadTools(tools)
	if err != nil {
		return err
	}
	for _, t := range all {
		scope := rota.WriteAgents
		if t.ReadOnly {
			scope = rota.ReadAgents
		}
		if t.Kind == answer.Memory {
			if err := who.Require(scope); err != nil {
				return err
			}
		}
	}
	return nil
}

// CallMemory answers a call of the tool memory, for the owner of the run or response: it
// lists, reads, writes and deletes notes of one store. A call that is made again leaves what
// it left before. What goes wrong is a result, which the model is told.
func (c *Control) CallMemory(ctx context.Context, from answer.Caller, call answer.Call) (answer.Result, error) {
	result, err := c.callMemory(ctx, from, call)
	return c.told(ctx, from, call, result, err)
}

func (c *Control) callMemory(ctx context.Context, from answer.Caller, call answer.Call) (any, error) {
	var n noteCall
	if err := json.Unmarshal([]byte(call.Arguments), &n); err != nil {
		return nil, rota.Errorf(rota.Invalid, "the arguments must be a JSON object with an action")
	}
	who := auth.Caller{Owner: from.Owner, Scopes: []rota.Scope{rota.ReadAgents, rota.WriteAgents}, RequestID: call.ID(from.ID)}
	store := call.MemoryStore
	if n.Action == "write" || n.Action == "delete" {
		if call.ReadOnly {
			return nil, rota.InvalidField("action", "must be list or read: the notes can only be read")
		}
		return c.writeNote(ctx, who, store, n)
	}
	m, err := c.MemoryStore(ctx, who, store)
	if err != nil {
		return nil, err
	}
	switch n.Action {
	case "list":
		paths, err := c.Store.MemoryPaths(ctx, store)
		slices.Sort(paths)
		return map[string]any{"name": m.Name, "instructions": m.Instructions, "paths": append([]string{}, paths...)}, err
	case "read":
		e, err := c.Store.MemoryEntryAt(ctx, store, n.Path)
		return shownNote(e), err
	}
	return nil, rota.InvalidField("action", "must be list, read, write or delete")
}

// shownNote is what an agent is told of a note.
func shownNote(e rota.MemoryEntry) map[string]any {
	return map[string]any{"path": e.Path, "content": e.Content, "content_hash": e.ContentHash}
}

func (c *Control) writeNote(ctx context.Context, who auth.Caller, store rota.MemoryStoreID, n noteCall) (any, error) {
	if err := c.enter(ctx, who, rota.WriteAgents, n.Action+"_note", on("memory_store_id", store)); err != nil {
		return nil, err
	}
	if err := checkEntry(n.Path, n.Content); err != nil {
		return nil, err
	}
	return write(ctx, c, who, Write{}.growing(), func(ctx context.Context, tx Tx, now time.Time) (any, error) {
		if _, err := ownMemory(ctx, tx, who, store); err != nil {
			return nil, err
		}
		e, found, err := entryAt(ctx, tx, store, n.Path)
		if err != nil {
			return nil, err
		}
		if n.Action == "delete" {
			return map[string]any{"path": n.Path, "deleted": true}, deleteNote(ctx, tx, e, found, n)
		}
		written := e
		written.Write(n.Content)
		done := map[string]any{"path": n.Path, "content_hash": written.ContentHash}
		switch _, given := n.IfMatch.Get(); {
		case !found && given:
			return nil, rota.Errorf(rota.NotFound, "there is no note under this path any more")
		case !found:
			_, err = addEntry(ctx, tx, who.Owner, store, rota.MemoryEntryCreate{Path: n.Path, Content: n.Content}, now)
			return done, err
		case written.ContentHash == e.ContentHash: // by this call, before a crash, or it says so already
			return done, nil
		}
		if err := unchanged(e, n.IfMatch); err != nil {
			return nil, err
		}
		written.UpdatedAt = now.Unix()
		return done, tx.SaveMemoryEntry(ctx, written)
	})
}

func deleteNote(ctx context.Context, tx Tx, e rota.MemoryEntry, found bool, n noteCall) error {
	if !found { // by this call, before a crash
		return nil
	}
	if err := unchanged(e, n.IfMatch); err != nil {
		return err
	}
	return tx.DeleteMemoryEntry(ctx, e.StoreID, e.ID)
}
