package engine

import (
	"context"
	"time"

	"github.com/rota-run/rota"
)

// A Queue is what a step needs of its transaction.
type Queue interface {
	// FireDue applies decide to up to limit timers that are due at now, the
	// longest due first. Before, it calls look with all of them, if there are any.
	FireDue(ctx context.Context, now time.Time, limit int, look func(context.Context, []rota.Timer) error, decide rota.Decide) ([]rota.Fire, error)

	// FireBacklog applies decide to the oldest occurrence of each backlog that
	// may start one, backlogs with the newest occurrences first, until limit runs
	// have started. It reports whether it left any that decide has not refused.
	FireBacklog(ctx context.Context, now time.Time, limit int, decide rota.DecideBacklog) (fires []rota.Fire, left bool, err error)

	// ClaimAll starts every run that is ready, whatever its provider, the longest
	// waiting first, if there are at most limit and fit says that all of them may
	// start. Otherwise it starts none, and returns false. Each run is claimed once. One
	// that may says must not start comes with Blocked set: the caller must finish it.
	// One whose conversation is not free comes with InLine set, and was not started.
	ClaimAll(ctx context.Context, now time.Time, limit int, fit func([]rota.Work) bool, may rota.MayStart) ([]rota.Work, bool, error)

	// ClaimRuns starts runs that wait under a provider. Their owners take turns. For
	// the rest, it is like ClaimAll.
	ClaimRuns(ctx context.Context, now time.Time, c rota.Claim) ([]rota.Work, error)

	// RequeueRun puts a claimed run back as if it had not been claimed, under
	// another provider. One that a worker has begun stays as it is.
	RequeueRun(ctx context.Context, a rota.Attempt, provider string) error

	// FinishRun ends a run and settles its schedule's timer. If it was blocked,
	// settle gets its occurrence.
	FinishRun(ctx context.Context, id rota.RunID, r rota.Result, settle rota.Settle) (rota.Finish, error)

	// OpenRunsOf counts the runs that have not ended of owners, and of whole accounts, and
	// responses with them.
	OpenRunsOf(ctx context.Context, owners []rota.Owner, accounts []string) (rota.OpenRuns, error)

	// NextWake returns the earliest time after which FireDue or a claim may
	// find something, or zero if there is nothing to wait for.
	NextWake(ctx context.Context, now time.Time) (time.Time, error)
}
