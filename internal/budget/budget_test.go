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
		require.NoError(t, first.Take(t.Context(), 90))
		require.NoError(t, second.Take(t.Context(), 90), "one account may be beyond the size")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, third.Take(ctx, 1), context.DeadlineExceeded, "no other may")
		require.NoError(t, second.Take(t.Context(), 1000), "it may go on")
		second.Release()
		require.NoError(t, third.Take(t.Context(), 1))
		third.Release()
		first.Release()
		require.NoError(t, third.Take(t.Context(), 100))
	})
}

func TestNoBudgetIsNoBound(t *testing.T) {
	var b *budget.Budget
	a := b.Open()
	require.NoError(t, a.Take(t.Context(), 1<<60))
	a.Release()
}
