package app

import (
	"os"
	"runtime/debug"

	"github.com/rota-run/rota/internal/budget"
)

// headroom is what the process needs beside its budget, in bytes: code, caches of the
// database, connections.
const headroom = 128 << 20

// openBudget divides the memory that the settings give: a quarter is for the event
// logs, the rest is what the budget has. The collector works harder when the process
// comes near to what it should need, unless the operator has said otherwise.
func (p parts) openBudget() *budget.Budget {
	size := int64(p.settings.MemoryBudget) << 20
	if size == 0 {
		return nil // of a test
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(size + headroom)
	}
	p.hub.Limit(size / 4)
	return budget.New(size - size/4)
}
