package httpapi

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
)

// A slow is work that takes a while, and counts how often it was begun.
type slow struct {
	took time.Duration
	err  error
	done atomic.Int64
}

func (s *slow) work(context.Context) (any, error) {
	n := s.done.Add(1)
	time.Sleep(s.took) // of a bubble
	return n, s.err
}

// ask makes a request whose caller hangs up after patience, and returns the
// answer, or errHungUp.
func ask(p *repeats, s *slow, print fingerprint, patience time.Duration) (any, error) {
	ctx, hangUp := context.WithTimeout(context.Background(), patience)
	defer hangUp()
	answer, written, err := p.do(ctx, print, 10, s.work)
	if err == nil {
		written()
	}
	return answer, err
}

var printed = fingerprintOf(auth.Caller{Key: "key_1"}, []byte("POST /runs\n{}"))

func TestARepeatGetsTheAnswerOfTheRequestThatWasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newRepeats(), &slow{took: 12 * time.Second}
		_, err := ask(p, s, printed, 5*time.Second)
		require.ErrorIs(t, err, errHungUp)
		_, err = ask(p, s, printed, 5*time.Second)
		require.ErrorIs(t, err, errHungUp, "it may be given up again")
		answer, err := ask(p, s, printed, 5*time.Second)
		require.NoError(t, err)
		require.EqualValues(t, 1, answer)
		require.EqualValues(t, 1, s.done.Load())
		require.Empty(t, p.known, "what has been answered is forgotten")
		require.Zero(t, p.bytes)
		answer, err = ask(p, s, printed, time.Minute)
		require.NoError(t, err)
		require.EqualValues(t, 2, answer, "a later request is work of its own")
	})
}

func TestAHangUpMayArriveAfterTheRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newRepeats(), &slow{took: 7 * time.Second}
		go func() { _, _ = ask(p, s, printed, 5*time.Second) }()
		time.Sleep(5*time.Second - hangUpWait/2)
		answer, err := ask(p, s, printed, time.Minute)
		require.NoError(t, err)
		require.EqualValues(t, 1, answer)
		require.EqualValues(t, 1, s.done.Load())
	})
}

func TestCallersThatWaitGetWorkOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newRepeats(), &slow{took: 7 * time.Second}
		answers := make(chan any, 10)
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				answer, err := ask(p, s, printed, time.Minute)
				require.NoError(t, err)
				answers <- answer
			})
		}
		group.Wait()
		close(answers)
		seen := map[any]bool{}
		for a := range answers {
			seen[a] = true
		}
		require.Len(t, seen, 10)
		require.EqualValues(t, 10, s.done.Load())
		require.Empty(t, p.known)
	})
}

func TestEqualRequestsThatAreAllGivenUpAreEachAnsweredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newRepeats(), &slow{took: 17 * time.Second}
		var mu sync.Mutex
		seen := map[any]int{}
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				for try := 0; ; try++ {
					answer, err := ask(p, s, printed, 5*time.Second)
					if errors.Is(err, errHungUp) {
						time.Sleep(time.Second / 2)
						continue
					}
					require.NoError(t, err)
					mu.Lock()
					defer mu.Unlock()
					seen[answer]++
					return
				}
			})
		}
		group.Wait()
		require.Len(t, seen, 10)
		require.EqualValues(t, 10, s.done.Load())
	})
}

func TestARepeatOfWhatFailedIsTriedForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newRepeats(), &slow{took: 7 * time.Second, err: rota.Errorf(rota.Unavailable, "busy")}
		_, err := ask(p, s, printed, 5*time.Second)
		require.ErrorIs(t, err, errHungUp)
		_, err = ask(p, s, printed, time.Minute)
		require.ErrorIs(t, err, rota.Unavailable)
		require.EqualValues(t, 2, s.done.Load())
		require.Empty(t, p.known)
	})
}

func TestARequestThatWasGivenUpIsForgottenAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newRepeats(), &slow{took: 7 * time.Second}
		_, err := ask(p, s, printed, 5*time.Second)
		require.ErrorIs(t, err, errHungUp)
		time.Sleep(repeatWindow)
		synctest.Wait()
		require.Empty(t, p.known)
		answer, err := ask(p, s, printed, time.Minute)
		require.NoError(t, err)
		require.EqualValues(t, 2, answer)
	})
}

func TestOtherCallersAndBodiesAreNotRepeats(t *testing.T) {
	body := []byte("POST /runs\n{}")
	require.NotEqual(t, printed, fingerprintOf(auth.Caller{Key: "key_2"}, body))
	require.NotEqual(t, printed, fingerprintOf(auth.Caller{Key: "key_1", Owner: rota.Owner{EndUser: "u"}}, body))
	require.NotEqual(t, printed, fingerprintOf(auth.Caller{Key: "key_1"}, append(body, ' ')))
}

func TestRequestsBeyondTheBudgetAreNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newRepeats(), &slow{took: time.Second}
		p.bytes = maxRepeatBytes
		answer, err := ask(p, s, printed, time.Minute)
		require.NoError(t, err)
		require.EqualValues(t, 1, answer)
		require.Empty(t, p.known)
	})
}

func TestAPanicIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, err := newRepeats().do(t.Context(), printed, 1, func(context.Context) (any, error) { panic("no") })
		require.ErrorContains(t, err, "panic: no")
	})
}
