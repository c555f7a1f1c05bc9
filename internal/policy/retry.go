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
	retryDoubling = 6 // after which the delay no longer grows
)

// Failed returns the attempt that has just failed with the wait after it, and
// whether the run goes on. output says that the model had begun to answer.
//
// A call that failed before any output is followed by one of the next fallback
// model, at once. When no model is left, or there was output, the round is over:
// another one begins if one of its failures is of a kind that a repetition may
// mend, and the policy allows another round.
func Failed(w rota.Work, a rota.RunAttempt, output bool) (failed rota.RunAttempt, retry bool) {
	_, model := rota.NextAttempt(w.Run.Attempts)
	if !output && model < len(w.Agent.FallbackModels) {
		return a, true
	}
	retryable, after := endOfRound(w.Run.Attempts, a)
	if !retryable || a.Round >= w.Policy.Retry.MaxAttempts {
		return a, false
	}
	wait := RetryDelay(w.Policy.Retry, w.Run.ID, a.Round, after).Milliseconds()
	a.WaitMS = &wait
	return a, true
}

// endOfRound reports whether another round may mend what failed in the one that a
// ends, and the longest wait that a provider asked for in it.
func endOfRound(before []rota.RunAttempt, a rota.RunAttempt) (retryable bool, after time.Duration) {
	for _, x := range append(before[:len(before):len(before)], a) {
		if x.Round != a.Round {
			continue
		}
		retryable = retryable || x.Retryable
		if x.RetryAfterMS != nil {
			after = max(after, time.Duration(*x.RetryAfterMS)*time.Millisecond)
		}
	}
	return retryable, after
}

// RetryDelay returns how long a run waits after a round (1 is the first). Delays
// double from one second to one minute, less up to a half, so that runs that
// failed together are spread out. after is what the provider asked for; it is
// honoured up to the policy's bound.
func RetryDelay(r rota.Retry, id rota.RunID, round int, after time.Duration) time.Duration {
	d := min(firstRetry<<min(round-1, retryDoubling), longestRetry)
	h := fnv.New64a()
	h.Write([]byte(id))
	h.Write(strconv.AppendInt(nil, int64(round), 10))
	d -= time.Duration(h.Sum64() % uint64(d/2))
	return max(d, min(after, time.Duration(r.MaxWaitSeconds)*time.Second))
}
