package app

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/control"
	"github.com/rota-run/rota/internal/events"
	"github.com/rota-run/rota/internal/settings"
	"github.com/rota-run/rota/internal/store/postgres"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// TestOneDemo: of processes that start together, with one database, one adds the
// demo; and whoever has deleted it gets another.
func TestOneDemo(t *testing.T) {
	db, err := postgres.Open(t.Context(), postgrestest.URL(t), postgres.Options{})
	require.NoError(t, err)
	defer db.Close()
	s := settings.Settings{Role: "api", Demo: true, MinInterval: time.Second}
	gw, err := openGateway(s, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer gw.Close()
	member, err := assemble(parts{settings: s, store: db, gateway: gw, feed: events.NewFeed(time.After), metrics: newMetrics(), log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	c := member.control
	for range 3 {
		var starting sync.WaitGroup
		for range 8 {
			starting.Go(func() {
				if err := addDemo(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		starting.Wait()
		agents, err := c.Agents(t.Context(), demoCaller, "", rota.AgentFilter{}, rota.Page{Limit: 10})
		require.NoError(t, err)
		require.Len(t, agents.Data, 1)
		schedules, err := c.Schedules(t.Context(), demoCaller, agents.Data[0].ID, rota.Page{Limit: 10})
		require.NoError(t, err)
		require.Len(t, schedules.Data, 1)
		_, err = c.DeleteAgent(t.Context(), demoCaller, agents.Data[0].ID, control.Write{})
		require.NoError(t, err)
	}
}

// TestADemoNeedsNoProvider: only a server whose runs would fail warns of it.
func TestADemoNeedsNoProvider(t *testing.T) {
	for _, demo := range []bool{false, true} {
		var lines bytes.Buffer
		_, err := openGateway(settings.Settings{Role: "all", Demo: demo}, slog.New(slog.NewTextHandler(&lines, nil)))
		require.NoError(t, err)
		require.Equal(t, demo, lines.Len() == 0, lines.String())
	}
}
