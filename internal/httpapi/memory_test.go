package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/auth"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/httpapi"
)

// largeRun is a RunReader with one run, whose answer is large.
type largeRun struct {
	control.RunReader
	memory *budget.Budget
	bytes  int
	read   *[]int64 // how much was left each time that it was read
}

func (l largeRun) RunByID(_ context.Context, _ rota.Owner, id rota.RunID) (rota.Run, error) {
	*l.read = append(*l.read, left(l.memory))
	return rota.Run{ID: id, Deferred: l.bytes}, nil
}

func (l largeRun) Response(context.Context, rota.Owner, rota.RunID) (rota.Any, error) {
	*l.read = append(*l.read, left(l.memory))
	return rota.AnyOf(strings.Repeat("x", l.bytes)), nil
}

// left returns what could still be taken of a budget, in MiB.
func left(b *budget.Budget) (n int64) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	large := b.Open() // while it holds much, nobody is served beyond the size
	_ = large.Take(gone, 5<<20)
	all := []*budget.Account{large}
	for {
		a := b.Open()
		all = append(all, a)
		if a.Take(gone, 1<<20) != nil {
			break
		}
	}
	for _, a := range all {
		n += a.Held() >> 20
		a.Release()
	}
	return n
}

// TestALargeRunIsReadWhenThereIsRoom, and a request for which there is no room is refused.
func TestALargeRunIsReadWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budgetMiB = 64
		b := budget.New(budgetMiB << 20)
		var read []int64
		h := newServer(t, errReached, func(o *httpapi.Config) {
			o.Memory, o.Limits = b, &auth.Limiter{}
			o.Control.Store.RunReader = largeRun{memory: b, bytes: 4 << 20, read: &read}
		})
		get := func() *http.Response {
			return answer(h, request(http.MethodGet, "/api/v1/runs/arun_1", "")).Result()
		}
		require.Equal(t, http.StatusOK, get().StatusCode)
		require.Equal(t, []int64{budgetMiB - 4, budgetMiB - 16}, read, "as for a part of a list, and then four times the run")
		require.EqualValues(t, budgetMiB, left(b))

		read = nil
		other := b.Open()
		require.NoError(t, other.Take(t.Context(), 44<<20))
		res := get()
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		require.Equal(t, "2", res.Header.Get("Retry-After"))
		require.Len(t, read, 1, "the answer was not read")
	})
}
