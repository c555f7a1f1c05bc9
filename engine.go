package rota

import "context"

// An Engine keeps time and survives crashes. What a schedule means is not in
// it: it asks package policy, and writes through the store.
type Engine interface {
	// Run keeps time until ctx ends, then lets the runs that it has started
	// finish for its drain timeout, and leaves the rest to be resumed. It
	// returns early only with an error that makes going on impossible.
	Run(ctx context.Context) error

	// Changed tells the engine that something it may wait for was committed:
	// a schedule, or a run in the queue. It does not block.
	Changed()

	// Cancel stops the run if it is being worked on. It does not block; the
	// store already says that the run has ended.
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
