package embedded

import (
	"context"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
)

// A Store is what an Engine works on.
type Store interface {
	// Update runs fn in one transaction and returns when it is durable. fn may
	// run twice.
	Update(ctx context.Context, fn func(context.Context, Tx) error) error
}

// A Tx is one transaction.
type Tx struct {
	engine.Queue
	engine.Planner
	Recoverer
}

// A Recoverer takes over the runs that a dead process left unfinished.
type Recoverer interface {
	// Recover returns the runs that a dead process left running to the queue,
	// ends those that lost says end, and moves the runs of providers that are not
	// listed to the first that is.
	Recover(ctx context.Context, now time.Time, providers []string, lost rota.Lost, settle rota.Settle) (rota.Recovered, error)
}
