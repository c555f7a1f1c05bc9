package embedded_test

import (
	"context"
	"testing"
	"time"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/engine/enginetest"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlite"
	"github.com/rota-run/rota/internal/store/sqlite/sqlitetest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

func TestSuite(t *testing.T) {
	enginetest.Run(t, onSQLite)
}

func TestStories(t *testing.T) {
	enginetest.RunStories(t, onSQLite)
}

func TestSuiteOnPostgreSQL(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, onPostgreSQL)
}

func TestStoriesOnPostgreSQL(t *testing.T) {
	enginetest.RunStories(t, onPostgreSQL)
}

// TestSuiteInRealTime keeps the suite fit for engines for which time cannot be
// simulated.
func TestSuiteInRealTime(t *testing.T) {
	t.Parallel() // it mostly waits
	rig := onPostgreSQL
	rig.Unit = 3 * time.Second
	enginetest.Run(t, rig)
}

var onSQLite = enginetest.Rig{
	Place: sqlitetest.Dir,
	Open: func(ctx context.Context, dir string) (store.Store, error) {
		return sqlite.Open(ctx, dir, sqlite.Options{})
	},
	New: newEngine,
}

// Time in a bubble does not go on while somebody waits for the server.
var onPostgreSQL = enginetest.Rig{
	Place: postgrestest.URL,
	Open: func(ctx context.Context, databaseURL string) (store.Store, error) {
		return postgres.Open(ctx, databaseURL, postgres.Options{})
	},
	New: newEngine,
}

func newEngine(s enginetest.Setup) rota.Engine {
	return embedded.New(embedded.Config{
		Store: store.On(s.Store, func(q sqlstore.Queries) embedded.Tx {
			return embedded.Tx{Queue: enginetest.Watched(q), Planner: engine.Planner{LeadershipStore: q, TimerStore: q, WaitingStore: q}, Recoverer: q}
		}),
		Step:    engine.Step{Provider: s.Provider, Providers: s.Providers, MaxConcurrentRuns: s.MaxConcurrentRuns, Limits: s.Keeper},
		Attempt: s.Attempt, OnEnd: s.OnEnd, Now: s.Now, Log: s.Log, CatchupRate: s.CatchupRate, DrainTimeout: s.DrainTimeout,
	})
}
