package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// testEvents keeps events, reads them, and forgets them when an hour has
// passed since they were written last.
func testEvents(t *testing.T, o postgres.Options) {
	databaseURL := postgrestest.URL(t)
	s, now := open(t, databaseURL, o), time.UnixMilli(1_800_000_000_000)
	defer s.Close()
	say := func(id rota.RunID, seqs ...int64) {
		t.Helper()
		var batch []events.Event
		for _, seq := range seqs {
			batch = append(batch, events.Event{Seq: seq, Data: []byte("{\xff\x00")}) // no text that PostgreSQL would take
		}
		require.NoError(t, s.AppendEvents(t.Context(), id, batch, now))
	}
	after := func(id rota.RunID, seq int64) (got []int64) {
		t.Helper()
		require.NoError(t, s.EventsAfter(t.Context(), id, seq, func(e events.Event) {
			require.Equal(t, "{\xff\x00", string(e.Data))
			got = append(got, e.Seq)
		}))
		return got
	}
	say("a", 0, 1, 2, 10)
	say("b", 1)
	require.Equal(t, []int64{0, 1, 2, 10}, after("a", -1))
	require.Equal(t, []int64{10}, after("a", 2))
	require.Empty(t, after("c", -1))

	now = now.Add(40 * time.Minute)
	say("a", 2, 3)
	many := make([]int64, 2500) // more than are forgotten in one transaction
	for i := range many {
		many[i] = int64(i)
	}
	now = now.Add(-time.Minute)
	say("many", many...)
	now = now.Add(41 * time.Minute)
	require.NoError(t, s.ForgetEvents(t.Context(), now))
	require.Equal(t, []int64{2, 3}, after("a", -1), "what was written again lives on")
	require.Len(t, after("many", -1), 2500)
	require.Empty(t, after("b", -1))
	now = now.Add(19*time.Minute + time.Second)
	require.NoError(t, s.ForgetEvents(t.Context(), now))
	require.Empty(t, after("many", -1))
	require.Len(t, after("a", -1), 2)
	require.Empty(t, after("b", -1))

	postgrestest.Exec(t, databaseURL, `INSERT INTO runs (id, account, end_user, agent_id, agent_version, trigger, input, metadata, created_at, phase, attempts, completed_at)
		SELECT id, 'acme', '', 'agt_1', 1, 'api', '""', '{}', 0, 'queued', 0, at FROM (VALUES ('open', NULL), ('ended', 1)) v (id, at)`)
	ended, err := s.EndedAmong(t.Context(), []rota.RunID{"ended", "open", "absent"})
	require.NoError(t, err)
	require.ElementsMatch(t, []rota.RunID{"ended", "absent"}, ended)
}
