package rota

import "context"

// An Engine fires timers, works on runs and survives crashes. It does not know
// what a schedule means: it asks package policy, and writes through the store.
type Engine interface {
	// Run runs the engine until ctx ends. Then it lets the runs that it has
	// started finish, for up to its drain timeout, and leaves the rest to be
	// resumed. It returns early only with an error that it cannot recover from.
	Run(ctx context.Context) error

	// Changed tells the engine that a schedule, or a run in the queue, was
	// committed. It does not block.
	Changed()

	// Cancel stops the worker of a run, if there is one. It does not block. The
	// run must have ended in the store already.
	Cancel(RunID)
}

// EngineKind names an engine.
type EngineKind string

const (
	EngineEmbedded EngineKind = "embedded"
	EngineTemporal EngineKind = "temporal"
)

// An Attempt is a run at one of its attempts: the thing that a worker works on.
type Attempt struct {
	Run     RunID
	Attempt int // 1 is the first; 0: whichever is under way
}
