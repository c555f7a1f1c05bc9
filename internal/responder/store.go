package responder

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// A Store is where a Responder finds responses, and writes down how they ended.
type Store interface {
	Reader

	// Update runs fn in one transaction and returns when it is durable. fn may run
	// twice.
	Update(ctx context.Context, fn func(context.Context, Tx) error) error
}

// A Reader reads responses, whosever they are.
type Reader interface {
	// ResponsesWait reports whether TakeResponses may have something to give.
	ResponsesWait(ctx context.Context, now time.Time) (bool, error)

	// BusyResponses counts the background responses that other processes have at now.
	BusyResponses(ctx context.Context, worker string, now time.Time) (map[rota.OwnerAt]int, error)

	// ResponseWork returns a response that is to be worked on, and its input.
	ResponseWork(ctx context.Context, id rota.ResponseID) (rota.ResponseRecord, []rota.ItemRecord, error)

	ResponseSteps(ctx context.Context, id rota.ResponseID) ([]rota.ResponseStep, error)

	// ResponseBytes returns how many bytes ResponseWork is to return, about.
	ResponseBytes(ctx context.Context, id rota.ResponseID) (int, error)

	// TurnBytes returns how many bytes TurnsBefore is to return.
	TurnBytes(ctx context.Context, o rota.Owner, c rota.ConversationID, previous rota.ResponseID) (int, error)

	// TurnsBefore returns what came before a response, the oldest first: the items of its
	// conversation or, if it has none, of the responses before it.
	TurnsBefore(ctx context.Context, o rota.Owner, c rota.ConversationID, previous rota.ResponseID) ([]rota.Turn, error)
}

// A Tx writes what comes of responses.
type Tx interface {
	// AddSteps puts steps on record.
	AddSteps(ctx context.Context, id rota.ResponseID, steps ...rota.ResponseStep) error

	// SleepResponse lets a response sleep. It reports false, and does nothing, if it has
	// ended, or another process has it.
	SleepResponse(ctx context.Context, s rota.ResponseSleep) (bool, error)

	// EndResponse ends a response. It reports false, and does nothing, if it has ended,
	// or another process has it.
	EndResponse(ctx context.Context, e rota.ResponseEnd) (bool, error)

	// BeginResponse says that a response is worked on.
	BeginResponse(ctx context.Context, id rota.ResponseID, provider string) error

	// TakeResponses gives a process responses that none has at now, in turns.
	TakeResponses(ctx context.Context, l rota.Lease, now time.Time, t rota.ResponseTurns) ([]rota.OpenResponse, error)

	// RenewLeases gives a process its responses for longer, and returns which they are.
	RenewLeases(ctx context.Context, l rota.Lease) ([]rota.ResponseID, error)

	// LeaveResponses lets others take what a process has, and FreeResponses lets a
	// process take what all others have.
	LeaveResponses(ctx context.Context, worker string) error
	FreeResponses(ctx context.Context, worker string) error
}
