package e2e

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// TestRateLimits: a key may make as many requests through two processes at once as
// through one, and one that dies does not give it more.
func TestRateLimits(t *testing.T) {
	t.Parallel()
	databaseURL := postgrestest.URL(t)
	join := func() *server {
		s := launch(t, t.TempDir(), []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + databaseURL}, "--role", "api")
		require.NotEmpty(t, s.url)
		return s
	}
	one, two := join(), join()
	limited, err := one.client().Keys.Create(t.Context(), rota.KeyCreate{
		Name: "limited", RateLimits: rota.Some([]rota.RateLimit{{Requests: 20, Per: rota.PerDay}}),
	})
	require.NoError(t, err)
	ask := func(ctx context.Context, s *server) error {
		_, err := client.New(s.url, limited.Secret).Agents.List(ctx, rota.Page{})
		return err
	}
	var passed, refused atomic.Int64
	var group sync.WaitGroup
	for i := range 30 {
		group.Go(func() {
			switch err := ask(t.Context(), []*server{one, two}[i%2]); {
			case err == nil:
				passed.Add(1)
			case errors.Is(err, rota.RateLimited):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 20, passed.Load())
	require.EqualValues(t, 10, refused.Load())
	require.Error(t, one.stop(syscall.SIGKILL))
	require.ErrorIs(t, ask(t.Context(), join()), rota.RateLimited)
}
