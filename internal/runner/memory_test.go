package runner_test

import (
	"context"
	"encoding/json"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/budget"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/runner"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// A run whose input and tools are large waits without them, and asks with them.
func TestALargeInputIsReadWhenThereIsRoom(t *testing.T) {
	tool := rota.Object(rota.AnyOf(map[string]string{"type": "web_search", "note": strings.Repeat("t", 50_000)}))
	b := newBench(t, func(a *rota.Agent, r *rota.Run) {
		a.Tools, r.Input = []rota.Object{tool}, rota.InputText(strings.Repeat("x", 50_000))
	})
	b.runner.Memory = budget.New(1 << 20)
	var work []rota.Work
	b.update(func(ctx context.Context, tx sqlstore.Queries) error {
		var err error
		work, err = tx.ClaimRuns(ctx, b.now, rota.Claim{Provider: "model", Limit: 10})
		return err
	})
	require.Len(t, work, 1)
	require.Greater(t, work[0].Deferred, 100_000)
	require.Empty(t, work[0].Run.Input.RawMessage)
	b.runner.Attempt(t.Context(), work[0])
	var asked struct {
		Input string
		Tools []json.RawMessage
	}
	require.NoError(t, json.Unmarshal(b.model.Calls()[0].Body, &asked))
	require.Len(t, asked.Input, 50_000)
	require.JSONEq(t, string(tool.RawMessage), string(asked.Tools[0]))
	r, err := b.store.RunByID(t.Context(), owner, b.run.ID)
	require.NoError(t, err)
	require.Equal(t, rota.PhaseCompleted, r.Phase)
}

// A weighed Store weighs the process while an answer is about to be stored.
type weighed struct {
	runner.Store
	heap func() int64
	most *int64
}

func (w weighed) Update(ctx context.Context, fn func(context.Context, runner.Tx) error) error {
	*w.most = max(*w.most, w.heap())
	return w.Store.Update(ctx, fn)
}

// heap returns what is in use. The model's side of a connection may hold a part of an answer
// for a moment longer, so it is the least of some looks.
func heap() int64 {
	least := int64(math.MaxInt64)
	for range 5 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools keep goes with the second
		runtime.ReadMemStats(&m)
		least = min(least, int64(m.HeapAlloc))
		runtime.Gosched()
	}
	return least
}

// What an attempt holds of an answer when it is to be stored is less than what it is
// counted as: the rest is for what the store copies.
func TestAnAnswerTakesNoMoreThanItIsCountedAs(t *testing.T) {
	const size = 8 << 20
	for name, reply := range map[string]gatewaytest.Reply{
		"whole":  gatewaytest.Stream(gatewaytest.Created("resp_1"), gatewaytest.Completed("resp_1", strings.Repeat("x", size))),
		"deltas": gatewaytest.Stream(gatewaytest.Created("resp_1"), strings.Repeat(gatewaytest.Delta(strings.Repeat("x", size/8)), 8)),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.runner.Hub.Limit(1)
			b.model.Default(reply)
			before, most := heap(), int64(0)
			b.runner.Store = weighed{b.runner.Store, heap, &most}
			b.attempt(t.Context())
			t.Logf("%.1f bytes for each of the answer", float64(most-before)/size)
			require.Greater(t, most-before, int64(size), "the answer is there")
			require.Less(t, most-before, int64(size*runner.AnswerCost*2/3))
		})
	}
}
