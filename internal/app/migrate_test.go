package app

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlstore"
	"github.com/rota-run/rota/internal/store/transfer"
)

func TestAMoverIsBrief(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	tell := mover{out: &out, now: func() time.Time { return now }}
	tell.Copied("agents", 0, 0)
	tell.Copied("answers", 10, 10)
	for rows := int64(1000); rows <= 15_000; rows += 1000 {
		now = now.Add(time.Second)
		tell.Copied("runs", rows, 15_000)
	}
	require.Equal(t, `copied agents: 0 of 0 rows
copied answers: 10 of 10 rows
copied runs: 5000 of 15000 rows
copied runs: 10000 of 15000 rows
copied runs: 15000 of 15000 rows
`, out.String())
}

func TestCountsShowADifference(t *testing.T) {
	var out bytes.Buffer
	printCounts(&out, []transfer.Count{{Table: "agents", Source: 3, Target: 3, Equal: true}, {Table: "runs", Source: 12345, Target: 12345}})
	require.Equal(t, `TABLE   SOURCE  TARGET  
agents  3       3       same
runs    12345   12345   DIFFERENT
`, out.String())
}

func TestAMigrationThatIsInterrupted(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	s, err := sqlite.Open(t.Context(), from, sqlite.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, progress bytes.Buffer
	require.EqualError(t, Migrate(ctx, "sqlite://"+from, "sqlite://"+to, &out, &progress), "it was interrupted; the same command goes on")
	require.Empty(t, out.String())
	require.NoError(t, Migrate(t.Context(), "sqlite://"+from, "sqlite://"+to, &out, &progress))
	require.Contains(t, out.String(), "Every row is the same.")
	require.ErrorIs(t, Migrate(t.Context(), "sqlite://"+from, "sqlite://"+from+"/", &out, &progress), transfer.ErrSame)
}

// TestTemporalKeepsNoFile: such a copy would not start, and its schedules would
// stay in Temporal.
func TestTemporalKeepsNoFile(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	s, err := sqlite.Open(t.Context(), from, sqlite.Options{})
	require.NoError(t, err)
	keeping := func(before, kind rota.EngineKind) error {
		return s.Update(t.Context(), func(ctx context.Context, tx sqlstore.Queries) error {
			return tx.SaveLeadership(ctx, before, cluster.Leadership{Kind: kind})
		})
	}
	require.NoError(t, keeping("", rota.EngineTemporal))
	require.NoError(t, s.Close())
	var out, progress bytes.Buffer
	err = Migrate(t.Context(), "sqlite://"+from, "sqlite://"+to, &out, &progress)
	require.EqualError(t, err, "the source: its engine is temporal, which needs PostgreSQL: run rota engine switch embedded first")
	left, err := os.ReadDir(to)
	require.NoError(t, err)
	require.Empty(t, left)

	s, err = sqlite.Open(t.Context(), from, sqlite.Options{})
	require.NoError(t, err)
	require.NoError(t, keeping(rota.EngineTemporal, rota.EngineEmbedded))
	require.NoError(t, s.Close())
	require.NoError(t, Migrate(t.Context(), "sqlite://"+from, "sqlite://"+to, &out, &progress))
}
