package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// retryEvery is the time between two tries.
const retryEvery = time.Second

// Retry calls do every second until it succeeds or ctx ends. It logs failures
// under the words of failed.
func Retry(ctx context.Context, log *slog.Logger, failed string, do func() error) {
	var since time.Time
	for ctx.Err() == nil {
		err := do()
		if err == nil && !since.IsZero() {
			log.Info("what had failed works again", "after", time.Since(since).Round(time.Second), "what", failed)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if since.IsZero() {
			since = time.Now()
		}
		log.Error(failed+"; it is repeated each second", "err", err)
		Pause(ctx, retryEvery)
	}
}

// Pause blocks for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Cause says for the log why a context has ended.
func Cause(ctx context.Context) string {
	err := context.Cause(ctx)
	if err == nil || errors.Is(err, context.Canceled) {
		return "the process stops"
	}
	return err.Error()
}
