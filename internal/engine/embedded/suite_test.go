package embedded_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/engine/enginetest"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/store/sqlite"
)

func TestSuite(t *testing.T) {
	enginetest.Run(t, suiteRig)
}

func TestStories(t *testing.T) {
	enginetest.RunStories(t, suiteRig)
}

var suiteRig = enginetest.Rig{
	Open: func(ctx context.Context, dir string) (rota.Store, error) {
		return sqlite.Open(ctx, dir, sqlite.Options{})
	},
	New: newEngine,
}

func newEngine(s enginetest.Setup) rota.Engine {
	cfg := embedded.Config{
		Store: s.Store, Decide: policy.Decide, Settle: policy.Settle, Provider: s.Provider, Attempt: s.Attempt,
		CatchUp: policy.CatchUp, CatchupRate: s.CatchupRate,
		OnBlock: s.OnBlock, Now: s.Now, Log: s.Log, MaxConcurrentRuns: s.MaxConcurrentRuns, DrainTimeout: s.DrainTimeout,
	}
	for _, p := range s.Providers {
		cfg.Providers = append(cfg.Providers, engine.Provider{Name: p.Name, Max: p.Max})
	}
	return embedded.New(cfg)
}

func TestAnIdleEngineAsksTheStoreTwice(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.stop()
		r.open()
		s := &sick{Store: r.store}
		r.store = s
		r.start()
		r.pass(24 * time.Hour)
		require.Equal(t, 2, s.asks(), "it takes over, and looks once; then there is nothing to wait for")
	})
}
