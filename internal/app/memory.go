package app

import (
	"os"
	"runtime/debug"

	"github.com/rota-run/rota/internal/budget"
)

// headroom is what the process needs beside its budget, in bytes: code, caches of the
// database, connections.
const headroom = 32 << 20

// gcPercent is how much garbage there may be beside what is in use, in percent of it. Go
// lets it be as much; rows of megabytes become garbage quickly.
const gcPercent = 75

// A memory is what may be used for what callers and models send and get. Those who ask
// a lot of models keep nobody from the API, and the other way round.
type memory struct {
	requests *budget.Budget
	runs     *budget.Budget
}

// openMemory divides the memory that the settings give: 4/16 are for requests, 6/16 for
// runs, 3/16 for event logs. What is left is for the rows that SQLite reads and writes
// at the moment, outside of Go's memory. The collector works harder when the process
// comes near to what it should need, unless the operator has said otherwise.
func (p parts) openMemory() memory {
	size := int64(p.settings.MemoryBudget) << 20
	if size == 0 {
		return memory{} // of a test
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(size + headroom)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	part := size / 16
	p.hub.Limit(3 * part)
	return memory{requests: budget.New(4 * part), runs: budget.New(6 * part)}
}
