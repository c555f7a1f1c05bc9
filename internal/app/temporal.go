package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/temporal"
	"github.com/rota-run/rota/internal/runner"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store"
	"github.com/rota-run/rota/internal/store/sqlstore"
)

// onTemporal is the engine on Temporal with a connection of its own.
type onTemporal struct {
	*temporal.Engine
	client client.Client
}

// Run implements [rota.Engine].
func (t *onTemporal) Run(ctx context.Context) error {
	defer t.client.Close()
	return t.Engine.Run(ctx)
}

func (p parts) temporal(run *runner.Runner) (*onTemporal, error) {
	c, err := dial(p.settings.Temporal, p.log)
	if err != nil {
		return nil, err
	}
	return &onTemporal{client: c, Engine: temporal.New(temporal.Config{
		Store: temporalStore(p.store), Client: c, Address: p.settings.Temporal.Address, Namespace: p.settings.Temporal.Namespace, TaskQueue: p.settings.Temporal.TaskQueue, Installation: p.installation,
		Attempt: run.Attempt, Now: time.Now, Log: p.log,
		Step:         p.step(),
		CatchupRate:  p.settings.CatchupRate,
		DrainTimeout: p.settings.DrainTimeout,
		NotBefore:    madeAfter(),
		ZoneData:     p.zoneData(),
		Lead:         p.leadAs(rota.EngineTemporal),
		NotifyPeers:  p.peers.Changed,
		OnDecide:     p.metrics.decided,
		OnStart:      p.metrics.started,
		OnEnd:        p.ended,
		OnPause:      p.paused,
		OnLead:       p.metrics.setActive,
		OnOutage:     p.metrics.outages.Inc,
		OnSetBack:    p.metrics.setBacks.Inc,
	})}, nil
}

// temporalStore returns the store of an engine on Temporal.
func temporalStore(s store.Store) temporal.Store {
	x := sqlstore.External{Queries: s.Reader()}
	return temporal.Store{
		LeadershipReader: x, AttemptReader: x, ExportReader: x,
		Updater: store.On(s, func(q sqlstore.Queries) temporal.Tx {
			x := sqlstore.External{Queries: q}
			return temporal.Tx{
				Queue: x, Planner: engine.Planner{LeadershipStore: x, TimerStore: x, WaitingStore: x}, AttemptReader: x, AttemptWriter: x, ExportWriter: x,
			}
		}),
	}
}

// dial returns a client of Temporal, which connects when it is needed.
func dial(t settings.Temporal, log *slog.Logger) (client.Client, error) {
	tls, err := t.TLSConfig()
	if err != nil {
		return nil, err
	}
	o := client.Options{
		HostPort: t.Address, Namespace: t.Namespace,
		Logger:            sdklog.NewStructuredLogger(log.With("from", "temporal")),
		ConnectionOptions: client.ConnectionOptions{TLS: tls},
	}
	if key := settings.Secret(t.APIKey); key != "" {
		o.Credentials = client.NewAPIKeyStaticCredentials(key)
	}
	c, err := client.NewLazyClient(o)
	if err != nil {
		return nil, fmt.Errorf("--temporal-address: %w", err)
	}
	return c, nil
}
