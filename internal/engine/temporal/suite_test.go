package temporal_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/cluster"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/enginetest"
	"github.com/rota-run/rota/internal/engine/temporal"
	"github.com/rota-run/rota/internal/engine/temporal/temporaltest"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	server := temporaltest.Start(t)
	enginetest.Run(t, enginetest.Rig{
		Place: postgrestest.URL,
		Open:  openFor,
		New:   func(s enginetest.Setup) rota.Engine { return newMember(t, server.Address, s) },
		Cut:   func(e rota.Engine) { e.(*member).client.Close() },
		Unit:  4 * time.Second, AtOnce: 8,
		Deviations: map[string]string{
			"an idle engine does not write": "its leader looks each second for wake-ups that Temporal has lost, and stores that it does",
		},
	})
}

// openFor opens a database whose time Temporal keeps.
func openFor(ctx context.Context, databaseURL string) (store.Store, error) {
	db, err := postgres.Open(ctx, databaseURL, postgres.Options{})
	if err != nil {
		return nil, err
	}
	err = db.Update(ctx, func(ctx context.Context, tx sqlstore.Queries) error {
		k, err := tx.Leadership(ctx)
		if err != nil || k.Kind != "" {
			return err
		}
		return tx.SaveLeadership(ctx, "", cluster.Leadership{Kind: rota.EngineTemporal, Installation: installation(databaseURL)})
	})
	return db, err
}

// installation names a database: there are many on one server of Temporal.
func installation(databaseURL string) string {
	place, err := url.Parse(databaseURL)
	if err != nil {
		panic(err)
	}
	return strings.Trim(place.Path, "/")
}

// A member is a process with a connection of its own.
type member struct {
	*temporal.Engine
	client client.Client
}

// Run implements [rota.Engine].
func (m *member) Run(ctx context.Context) error {
	defer m.client.Close()
	return m.Engine.Run(ctx)
}

func newMember(t *testing.T, address string, s enginetest.Setup) *member {
	c, err := client.DialContext(context.Background(), client.Options{HostPort: address, Logger: log.NewStructuredLogger(s.Log)})
	require.NoError(t, err)
	return &member{client: c, Engine: temporal.New(temporal.Config{
		Store: storeOf(s.Store, enginetest.Watched), Client: c, Namespace: client.DefaultNamespace, TaskQueue: "rota", Installation: installation(s.Place), Attempt: s.Attempt, Now: s.Now, Log: s.Log,
		Step: engine.Step{
			Provider:          s.Provider,
			MaxConcurrentRuns: s.MaxConcurrentRuns, Limits: s.Keeper, Providers: s.Providers,
		},
		CatchupRate: s.CatchupRate, DrainTimeout: s.DrainTimeout, Silence: 10 * time.Second, OnEnd: s.OnEnd, NotifyPeers: func() {},
		Lead: func(ctx context.Context, work func(context.Context) error) error {
			return s.Opened.(*postgres.Store).Lead(ctx, s.Log, rota.EngineTemporal, work)
		},
	})}
}
