package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rota-run/rota"
	"github.com/rota-run/rota/client"
	"github.com/rota-run/rota/internal/gateway/gatewaytest"
	"github.com/rota-run/rota/internal/store/postgres/postgrestest"
)

// apisOn returns what starts another process that serves the API on a database.
func apisOn(t *testing.T, databaseURL string) (join func() *server) {
	return func() *server {
		t.Helper()
		s := launch(t, t.TempDir(), []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + databaseURL}, "--role", "api")
		require.NotEmpty(t, s.url)
		return s
	}
}

// TestRateLimits: a key may make as many requests through two processes at once as
// through one, and one that dies does not give it more.
func TestRateLimits(t *testing.T) {
	t.Parallel()
	join := apisOn(t, postgrestest.URL(t))
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

// TestLimitsOfEndUsers: what an account's end user may have is the same through two
// processes as through one, whichever of them was told so.
func TestLimitsOfEndUsers(t *testing.T) {
	t.Parallel()
	join := apisOn(t, postgrestest.URL(t))
	one, two := join(), join()
	inUse, err := one.client().Keys.InUse(t.Context())
	require.NoError(t, err)
	limit := func(s *server, openRuns, perDay int) {
		_, err := s.client().Limits.Set(t.Context(), inUse.Account, rota.AccountLimitsSet{EndUser: rota.LimitsSet{
			OpenRuns: &openRuns, Requests: &[]rota.RateLimit{{Requests: perDay, Per: rota.PerDay}},
		}})
		require.NoError(t, err)
	}
	of := func(s *server, user string) *client.Client { return client.New(s.url, key, client.OnBehalfOf(user)) }
	agent, err := of(one, "ana").Agents.Create(t.Context(), rota.AgentCreate{Name: "a", Model: "echo"})
	require.NoError(t, err)
	run := func(s *server) error {
		_, err := of(s, "ana").Runs.Create(t.Context(), agent.ID, rota.RunCreate{Input: rota.InputText("hi")})
		return err
	}

	limit(one, 4, 1000)
	for i := range 4 { // nobody works on them
		require.NoError(t, run([]*server{one, two}[i%2]))
	}
	refused := func(s *server) func() bool { return func() bool { return errors.Is(run(s), rota.LimitReached) } }
	require.True(t, refused(one)())
	require.Eventually(t, refused(two), time.Minute, 10*time.Millisecond, "it hears of the limit")
	limit(two, 100, 1000)
	require.Eventually(t, func() bool { return run(one) == nil }, time.Minute, 10*time.Millisecond, "and so does the other")

	bytes := func(s *server, most int64) {
		_, err := s.client().Limits.Set(t.Context(), inUse.Account, rota.AccountLimitsSet{EndUser: rota.LimitsSet{OpenRuns: new(10_000), Bytes: &most}})
		require.NoError(t, err)
	}
	full := func(s *server) bool {
		err := run(s)
		return err != nil && strings.Contains(err.Error(), "limits.end_user.bytes")
	}
	eventually := func(is func(*server) bool, words string) {
		for _, s := range []*server{one, two} {
			require.Eventually(t, func() bool { return is(s) }, time.Minute, 10*time.Millisecond, words)
		}
	}
	bytes(two, 500)
	eventually(full, "it has stored more")
	bytes(one, 500_000)
	eventually(func(s *server) bool { return run(s) == nil }, "it hears of the limit")
	stored := 0
	for s := one; stored < 1000 && !full(s); stored++ {
		s = map[*server]*server{one: two, two: one}[s]
	}
	require.Less(t, stored, 1000, "each counts what the other has stored")
	eventually(full, "and so does the other")

	limit(one, 100, 20)
	list := func(s *server, user string) error {
		_, err := of(s, user).Agents.List(t.Context(), rota.Page{})
		return err
	}
	for _, s := range []*server{one, two} { // each hears of it
		require.Eventually(t, func() bool { return errors.Is(list(s, "cy"), rota.RateLimited) }, time.Minute, 10*time.Millisecond)
	}
	var passed atomic.Int64
	var group sync.WaitGroup
	for i := range 30 {
		group.Go(func() {
			if err := list([]*server{one, two}[i%2], "bo"); err == nil {
				passed.Add(1)
			} else if !errors.Is(err, rota.RateLimited) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 20, passed.Load())
}

// TestLimitOfWorkers: a limit that one process was told holds for runs that were started
// by way of another, and worked on by a third.
func TestLimitOfWorkers(t *testing.T) {
	t.Parallel()
	databaseURL := postgrestest.URL(t)
	model, release := gatewaytest.New(t), make(chan struct{})
	var asked atomic.Int64
	model.Default(func(w http.ResponseWriter, r *http.Request, c gatewaytest.Call) {
		asked.Add(1)
		select {
		case <-release:
			gatewaytest.Text("done")(w, r, c)
		case <-r.Context().Done():
		}
	})
	join := func(role string) *server {
		return launch(t, t.TempDir(), []string{"ROTA_BOOTSTRAP_KEY=" + key, "ROTA_DATABASE=" + databaseURL}, "--role", role, "--model-url", model.URL)
	}
	one, two := join("api"), join("api")
	inUse, err := one.client().Keys.InUse(t.Context())
	require.NoError(t, err)
	limit := func(s *server, workers int) {
		_, err := s.client().Limits.Set(t.Context(), inUse.Account, rota.AccountLimitsSet{EndUser: rota.LimitsSet{Workers: &workers}})
		require.NoError(t, err)
	}
	limit(one, 2)
	agent, err := one.client().Agents.Create(t.Context(), rota.AgentCreate{Name: "a", Model: "any"})
	require.NoError(t, err)
	var runs []rota.Run
	for i := range 8 {
		r, err := []*server{one, two}[i%2].client().Runs.Create(t.Context(), agent.ID, rota.RunCreate{Input: rota.InputText("hi")})
		require.NoError(t, err)
		runs = append(runs, r)
	}
	join("worker")
	eventually := func(is func() bool, words string) {
		require.Eventually(t, is, time.Minute, 10*time.Millisecond, words)
	}
	eventually(func() bool { return asked.Load() == 2 }, "two work")
	limit(two, 5)
	eventually(func() bool { return asked.Load() == 5 }, "the worker hears of the limit")
	close(release)
	eventually(func() bool {
		for _, r := range runs {
			got, err := two.client().Runs.Get(t.Context(), agent.ID, r.ID)
			require.NoError(t, err)
			if got.Status != rota.RunCompleted {
				return false
			}
		}
		return true
	}, "all have run")
	require.EqualValues(t, len(runs), asked.Load(), "each once")
}
