package engine

import (
	"context"
	"log/slog"
	"time"
)

// afterFail is how long what failed waits before it is repeated.
const afterFail = time.Second

// Insist repeats what fails each second, until it succeeds or ctx ends.
func Insist(ctx context.Context, log *slog.Logger, failed string, do func() error) {
	for ctx.Err() == nil {
		err := do()
		if err == nil || ctx.Err() != nil {
			return
		}
		log.Error(failed+"; it is repeated", "err", err)
		Pause(ctx, afterFail)
	}
}

// Pause blocks for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
