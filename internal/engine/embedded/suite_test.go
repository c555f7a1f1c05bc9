package embedded_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/internal/engine/embedded"
	"github.com/rota-run/rota/internal/engine/enginetest"
	"github.com/rota-run/rota/internal/policy"
	"github.com/rota-run/rota/internal/store/sqlite"
)

func TestSuite(t *testing.T) {
	enginetest.Run(t, enginetest.Rig{
		Open: func(t *testing.T, dir string) rota.Store {
			s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
			require.NoError(t, err)
			return s
		},
		New: newEngine,
	})
}

func newEngine(s enginetest.Setup) rota.Engine {
	cfg := embedded.Config{
		Store: s.Store, Decide: policy.Decide, Settle: policy.Settle, Provider: s.Provider, Attempt: s.Attempt,
		CatchUp: policy.CatchUp, CatchupRate: s.CatchupRate,
		OnBlock: s.OnBlock, Now: s.Now, Log: s.Log, MaxConcurrentRuns: s.MaxConcurrentRuns, DrainTimeout: s.DrainTimeout,
	}
	for _, p := range s.Providers {
		cfg.Providers = append(cfg.Providers, embedded.Provider{Name: p.Name, Max: p.Max})
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
