package answer

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/rawjson"
	"github.com/rota-run/rota/internal/responses"
)

// memoryName is the name of the tool that models know.
const memoryName = "memory"

// toldMemory is the tool as models are told it.
const toldMemory = `{"type":"function","name":"` + memoryName + `","description":"Notes that last from one run to the next, each under a path such as customers/ada.md. Begin with list: it shows the paths, and what the notes are for. read gives one; write makes one or replaces what it says; delete removes one. Whoever reads them later knows nothing but what they say.","parameters":{"type":"object","properties":{"action":{"type":"string","enum":["list","read","write","delete"]},"path":{"type":"string","description":"Of read, write and delete."},"content":{"type":"string","description":"Of write: the whole note."},"if_match":{"type":"string","description":"Of write and delete: the content_hash that read gave, so that nothing is overwritten that somebody has changed since."}},"required":["action"]},"strict":false}`

// readMemory returns a tool of the type memory. A call that is made again writes what it
// has written, and deletes what is gone.
func readMemory(raw json.RawMessage) Tool {
	return Tool{
		Kind: Memory, Name: memoryName, Server: responses.OwnServer, Title: memoryName, Timeout: 30 * time.Second, Repeatable: true,
		MemoryStore: rota.MemoryStoreID(rawjson.Text(rawjson.Get(raw, "memory_store_id"))), ReadOnly: rawjson.Text(rawjson.Get(raw, "access")) == "read_only",
	}
}

// CheckMemory refuses tools of the type memory that cannot be used. find returns
// [rota.NotFound] if there is no such store. The error is [rota.Invalid], and names the
// member; or it is that of find.
func CheckMemory(tools []json.RawMessage, find func(rota.MemoryStoreID) error) error {
	for n, tool := range tools {
		if rawjson.Text(rawjson.Get(tool, "type")) != memoryName {
			continue
		}
		at := "tools." + strconv.Itoa(n)
		switch rawjson.Text(rawjson.Get(tool, "access")) {
		case "", "read_only", "read_write":
		default:
			return rota.InvalidField(at+".access", "must be read_only or read_write")
		}
		id := rawjson.Text(rawjson.Get(tool, "memory_store_id"))
		if id == "" {
			return rota.InvalidField(at+".memory_store_id", "must be the id of a memory store")
		}
		if err := find(rota.MemoryStoreID(id)); errors.Is(err, rota.NotFound) {
			return rota.InvalidField(at+".memory_store_id", "is of no memory store that is there: %q", id)
		} else if err != nil {
			return err
		}
	}
	return nil
}
