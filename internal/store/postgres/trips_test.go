package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlstore"
	"github.com/rota-run/rota/internal/store/storetest"
)

// TestRoundTrips: how often the database is asked in the transactions that are
// made most, commit included. The first time, a connection prepares statements.
func TestRoundTrips(t *testing.T) {
	var w wire
	s := open(t, postgrestest.URL(t)+"&pool_max_conns=1", postgres.Dialing(w.dial))
	defer s.Close()
	f := storetest.NewField(t, s, 1000)
	key := rota.Key{ID: "key_1", Account: "acme"}
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, key, []byte("hash")) }))
	trips := make(map[string]int64)
	count := func(what string, do func()) {
		before := w.trips.Load()
		do()
		trips[what] = w.trips.Load() - before
	}
	for round := range 2 {
		var work []rota.Work
		count("100 fires", func() { f.Fire(t) })
		count("100 runs begin", func() { work = f.Claim(t) })
		count("100 runs end, in a transaction of each", func() {
			for i := range work {
				f.Finish(t, work[i:i+1])
			}
		})
		count("a request is counted", func() {
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
				spent, err := tx.Spent(ctx, key.ID)
				if err != nil {
					return err
				}
				return tx.SaveSpent(ctx, key.ID, spent)
			}))
		})
		count("a row is added", func() {
			more := rota.Key{ID: rota.KeyID(fmt.Sprint("key_more_", round)), Account: "acme"}
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error { return tx.AddKey(ctx, more, []byte(more.ID)) }))
		})
	}
	require.Equal(t, map[string]int64{
		"100 fires": 3, "100 runs begin": 2, "100 runs end, in a transaction of each": 300, "a request is counted": 2, "a row is added": 2,
	}, trips)
}
