package policy

import (
	"hash/fnv"
	"strconv"
	"time"

	"github.com/rota-run/rota"
)

const (
	firstRetry    = time.Second
	longestRetry  = time.Minute
	longestAfter  = time.Hour // what a provider's Retry-After is believed up to
	retryDoubling = 6         // after which the delay no longer grows
)

// RetryDelay returns how long a run waits after its attempt-th attempt failed
// (1 is the first), and whether it may try again at all. Delays double from
// one second to one minute, less up to a half by which runs that failed
// together part; after, what the provider asked for, is honoured up to an
// hour.
func RetryDelay(r rota.Retry, id rota.RunID, attempt int, after time.Duration) (time.Duration, bool) {
	if attempt >= r.MaxAttempts {
		return 0, false
	}
	d := min(firstRetry<<min(attempt-1, retryDoubling), longestRetry)
	h := fnv.New64a()
	h.Write([]byte(id))
	h.Write(strconv.AppendInt(nil, int64(attempt), 10))
	d -= time.Duration(h.Sum64() % uint64(d/2))
	return max(d, min(after, longestAfter)), true
}
