package runner

import (
	"context"

	"github.com/rota-run/rota"
)

// A Store is where a Runner writes down how attempts went.
type Store interface {
	RunReader

	// Update runs fn in one transaction and returns when it is durable. fn may
	// run twice.
	Update(ctx context.Context, fn func(context.Context, Tx) error) error
}

// A RunReader reads runs as they are committed.
type RunReader interface {
	RunByID(ctx context.Context, o rota.Owner, id rota.RunID) (rota.Run, error)

	// RunSteps returns the steps of the run's tool loop, in order.
	RunSteps(ctx context.Context, id rota.RunID) ([]rota.ResponseStep, error)

	// WorkRest returns what [rota.Work.Light] has left out of the work of a run.
	WorkRest(ctx context.Context, id rota.RunID) (rota.WorkRest, error)

	// TurnBytes returns how many bytes TurnsBefore is to return.
	TurnBytes(ctx context.Context, o rota.Owner, c rota.ConversationID, previous rota.ResponseID) (int, error)

	// TurnsBefore returns what came before a run, the oldest first: the items of its
	// conversation or, if it has none, of the responses before it.
	TurnsBefore(ctx context.Context, o rota.Owner, c rota.ConversationID, previous rota.ResponseID) ([]rota.Turn, error)
}

// A Tx writes what came of an attempt. It does nothing if the attempt is over:
// a worker that was thought lost has no say in the attempt after its own.
type Tx interface {
	// SetResponse notes the id of the response that the provider has begun.
	SetResponse(ctx context.Context, a rota.Attempt, responseID string) error

	// AddRunSteps puts steps of a tool loop on record. It reports false if the attempt is
	// over.
	AddRunSteps(ctx context.Context, a rota.Attempt, steps ...rota.ResponseStep) (bool, error)

	// SleepRun lets a run sleep. It reports false if the attempt is over.
	SleepRun(ctx context.Context, s rota.RunSleep) (bool, error)

	// DelayRun makes a running run wait for its next attempt.
	DelayRun(ctx context.Context, d rota.Delay) error

	// FinishRun ends a run and settles its schedule's timer.
	FinishRun(ctx context.Context, id rota.RunID, r rota.Result, settle rota.Settle) (rota.Finish, error)
}
