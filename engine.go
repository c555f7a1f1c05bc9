package rota

import (
	"context"
	"time"
)

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

// Keeping says who keeps time for a database. It is kept in the database.
type Keeping struct {
	Kind         EngineKind // the engine that may; empty until the first one has begun
	Installation string     // names the database where several share an engine outside
	Since        time.Time  // when somebody began to look at what is due; zero if nobody has
	SeenAt       time.Time  // when somebody last did
	Place        Place      // where an engine outside is, or has been, told of every schedule
}

// A Place is where an engine outside has its schedules. It is zero until it is known.
type Place struct {
	Namespace string // its id: two servers may have namespaces of one name
	Queue     string // where workers wait for what the schedules start
}

// An Attempt is a run at one of its attempts: the thing that a worker works on.
type Attempt struct {
	Run     RunID
	Attempt int // 1 is the first; 0: whichever is under way
}

// Untold is a schedule that an engine outside has to be told of.
type Untold struct {
	Timer Timer
	Name  string // of the schedule; may be empty
	Shown bool   // the engine outside has it
}
