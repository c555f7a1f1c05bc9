package engine

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// A Queue is what a step does in its transaction.
type Queue interface {
	// FireDue takes up to limit timers that are due at now, the longest due
	// first, and does with each what decide says.
	FireDue(ctx context.Context, now time.Time, limit int, decide rota.Decide) ([]rota.Fire, error)

	// FireBacklog takes timers whose backlog may go on, those with the newest
	// first, and does with the oldest occurrence of each what decide says, until
	// limit runs have started. It reports whether it left any that decide has
	// not refused.
	FireBacklog(ctx context.Context, now time.Time, limit int, decide rota.DecideBacklog) (fires []rota.Fire, left bool, err error)

	// ClaimRuns starts up to limit runs that wait under the provider, the
	// longest waiting first. Nobody else gets them. A run that has not started
	// before, and whose agent or schedule has been deleted or paused since it
	// was queued, comes with Blocked set: the caller must finish it.
	ClaimRuns(ctx context.Context, now time.Time, provider string, limit int) ([]rota.Work, error)

	// RequeueRun puts a claimed run back as if it had not been claimed, under
	// another provider. One that a worker has begun stays as it is.
	RequeueRun(ctx context.Context, a rota.Attempt, provider string) error

	// FinishRun ends a run and settles its schedule's timer. If it was blocked,
	// so is its occurrence.
	FinishRun(ctx context.Context, id rota.RunID, r rota.Result, settle rota.Settle) (rota.Finish, error)

	// NextWake returns the earliest time after which FireDue or ClaimRuns may
	// find something, or zero if there is nothing to wait for.
	NextWake(ctx context.Context, now time.Time) (time.Time, error)
}
