package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// TestManyRows: they arrive in every way in which a session can be told, in its
// URL, to send statements.
func TestManyRows(t *testing.T) {
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		databaseURL := postgrestest.URL(t)
		s := open(t, databaseURL+"&default_query_exec_mode="+mode, postgres.Options{})
		first, second := int64(7), rota.InstantOf(time.UnixMilli(9))
		written := []rota.Occurrence{
			{ScheduleID: "a", ScheduledFor: rota.InstantOf(time.UnixMilli(1)), Outcome: rota.Buffered, LatenessMS: &first},
			{ScheduleID: `{"b", NULL}`, ScheduledFor: rota.InstantOf(time.UnixMilli(2)), Outcome: rota.MissedOutcome, ScheduledUntil: &second},
		}
		third := rota.Occurrence{ScheduleID: "c", ScheduledFor: rota.InstantOf(time.UnixMilli(3)), Outcome: rota.SkippedOverlap}
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
			return errors.Join(tx.Record(ctx, written), tx.Record(ctx, []rota.Occurrence{third}))
		}), mode)
		rows, err := connect(t, databaseURL).Query(t.Context(), `SELECT concat_ws(' ', schedule_id, scheduled_for, outcome,
			COALESCE(lateness_ms::text, 'none'), COALESCE(scheduled_until::text, 'none')) FROM occurrences ORDER BY 1 DESC`)
		require.NoError(t, err)
		read, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Equal(t, []string{`{"b", NULL} 2 missed none 9`, "c 3 skipped_overlap none none", "a 1 buffered 7 none"}, read, mode)
		require.NoError(t, s.Close())
	}
}
