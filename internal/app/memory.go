package app

import (
	"os"
	"runtime/debug"

	"github.com/rota-run/rota/internal/budget"
)

// headroom is what the process needs beside its budget, in bytes: code, caches of the
// database, connections.
const headroom = 64 << 20

// A memory is what may be used for what callers and models send and get. Those who ask
// a lot of models keep nobody from the API, and the other way round.
type memory struct {
	requests *budget.Budget
	runs     *budget.Budget
}

// openMemory divides the memory that the settings give: a quarter is for the event
// logs, a quarter for requests, the rest for runs. The collector works harder when the
// process comes near to what it should need, unless the operator has said otherwise.
func (p parts) openMemory() memory {
	size := int64(p.settings.MemoryBudget) << 20
	if size == 0 {
		return memory{} // of a test
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(size + headroom)
	}
	p.hub.Limit(size / 4)
	return memory{requests: budget.New(size / 4), runs: budget.New(size / 2)}
}
