package budget_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota/internal/budget"
)

// TestNobodyWaitsForEver: accounts that hold some and want more are served one after
// the other.
func TestNobodyWaitsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(100)
		done := make(chan int, 10)
		for i := range 10 {
			go func() {
				a := b.Open()
				for range 10 {
					if err := a.Take(t.Context(), 10); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
				}
				a.Release()
				done <- i
			}()
		}
		for range 10 {
			<-done
		}
	})
}

func TestTheLineIsServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(100)
		first, second, third := b.Open(), b.Open(), b.Open()
		require.NoError(t, first.Take(t.Context(), 6))
		require.NoError(t, second.Take(t.Context(), 120), "one account may be beyond the size")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, third.Take(ctx, 70), context.DeadlineExceeded, "no other may")
		require.NoError(t, second.Take(t.Context(), 1000), "it may go on")
		second.Release()
		require.NoError(t, third.Take(t.Context(), 69))
		third.Release()
		first.Release()
		require.NoError(t, third.Take(t.Context(), 100))
	})
}

// TestOneIsBeyondWhenAllWait: while a large account does not wait, it will give back
// what it holds. When all wait, the first of the line is served, one at a time.
func TestOneIsBeyondWhenAllWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(100)
		first, second := b.Open(), b.Open()
		require.NoError(t, first.Take(t.Context(), 40))
		require.NoError(t, second.Take(t.Context(), 30))
		require.ErrorIs(t, briefly(t, second, 10), context.DeadlineExceeded, "the first does not wait")
		served := make(chan error, 1)
		go func() { served <- second.Take(t.Context(), 10) }()
		synctest.Wait()
		require.Empty(t, served)
		require.ErrorIs(t, briefly(t, first, 40), context.DeadlineExceeded, "the second is beyond now")
		require.NoError(t, <-served)
		second.Release()
		require.NoError(t, first.Take(t.Context(), 40))
	})
}

// briefly takes n bytes if that is possible within a second.
func briefly(t *testing.T, a *budget.Account, n int64) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return a.Take(ctx, n)
}

// TestSmallAccountsAreServedBesideLargeOnes, in the part that is theirs and before
// large ones that wait.
func TestSmallAccountsAreServedBesideLargeOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(1600)
		first, waiting, small := b.Open(), b.Open(), b.Open()
		require.NoError(t, first.Take(t.Context(), 1200))
		served := make(chan error, 1)
		go func() { served <- waiting.Take(t.Context(), 101) }()
		synctest.Wait()
		require.NoError(t, small.Take(t.Context(), 100))
		require.Empty(t, served)
		first.Release()
		require.NoError(t, <-served)
	})
}

// TestWhatShrinksLetsOthersIn: an account that holds less again is one of many.
func TestWhatShrinksLetsOthersIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(1600)
		first, second := b.Open(), b.Open()
		require.NoError(t, first.Hold(t.Context(), 2000), "beyond the size")
		require.NoError(t, first.Hold(t.Context(), 200), "and within it again")
		require.NoError(t, second.Hold(t.Context(), 1000))
		require.ErrorIs(t, briefly(t, first, 800), context.DeadlineExceeded)
		second.Release()
		require.NoError(t, first.Hold(t.Context(), 1000))
	})
}

func TestNoBudgetIsNoBound(t *testing.T) {
	var b *budget.Budget
	a := b.Open()
	require.NoError(t, a.Take(t.Context(), 1<<60))
	a.Release()
}
